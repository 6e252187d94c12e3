/* SPDX-License-Identifier: MIT */
/* The handshake as two tables over all states, and the nodes of a frontend. */
#include "suite.h"
#include "mock_port.h"
#include "mock_store.h"

#include <pvring/xenbus.h>

#include <errno.h>
#include <string.h>

/*
 * Rows: our state 0 to 8; columns: the other's. n none, p prepare, c connect, g go, x close, r
 * restart.
 */
static const char *const front_table[9] = {
	/*     012345678 */
	[0] = "nnnnnnnnn",
	[1] = "nncnxnnxx",
	[2] = "nncnxnnxx",
	[3] = "xrnngxxgg",
	[4] = "xrrrnxxnn",
	[5] = "xxxnnxxnn",
	[6] = "nnnnnnnnn",
	[7] = "xrrrnxxnn",
	[8] = "xrrrnxxnn",
};

static const char *const back_table_online[9] = {
	[0] = "nnnnnnnnn",
	[1] = "ppppppppp",
	[2] = "nnnccxxcc",
	[3] = "nnnccxxcc",
	[4] = "xrrnnxxnn",
	[5] = "xxxnnxxnn",
	[6] = "nppnnnnnn",
	[7] = "xrrnnxxnn",
	[8] = "xrrnnxxnn",
};

/* Not wanted any more: nothing new begins, what is connected stays until somebody closes it. */
static const char *const back_table_offline[9] = {
	[0] = "nnnnnnnnn",
	[1] = "xxxxxxxxx",
	[2] = "xxxccxxcc",
	[3] = "xxxccxxcc",
	[4] = "xrrnnxxnn",
	[5] = "xxxnnxxnn",
	[6] = "nnnnnnnnn",
	[7] = "xrrnnxxnn",
	[8] = "xrrnnxxnn",
};

static char letter(enum pvr_xenbus_action action)
{
	return "npcgxr"[action];
}

static void front_truth_table(void)
{
	for (unsigned self = 0; self < 9; self++)
		for (unsigned other = 0; other < 9; other++)
			CU_ASSERT_EQUAL(letter(pvr_xenbus_front_next(self, other)),
				front_table[self][other]);
}

static void back_truth_table(void)
{
	for (unsigned self = 0; self < 9; self++)
		for (unsigned other = 0; other < 9; other++) {
			CU_ASSERT_EQUAL(letter(pvr_xenbus_back_next(self, other, 1)),
				back_table_online[self][other]);
			CU_ASSERT_EQUAL(letter(pvr_xenbus_back_next(self, other, 0)),
				back_table_offline[self][other]);
		}
}

/* A number that is no state is a node that is gone. */
static void foreign_states_are_unknown(void)
{
	for (unsigned self = 0; self < 9; self++)
		for (unsigned i = 0; i < 3; i++) {
			static const unsigned bad[] = {9, 255, 0x80000000u};

			CU_ASSERT_EQUAL(pvr_xenbus_front_next(self, (enum xenbus_state)bad[i]),
				pvr_xenbus_front_next(self, XenbusStateUnknown));
			CU_ASSERT_EQUAL(pvr_xenbus_back_next(self, (enum xenbus_state)bad[i], 1),
				pvr_xenbus_back_next(self, XenbusStateUnknown, 1));
		}
}

static void names(void)
{
	CU_ASSERT_STRING_EQUAL(pvr_xenbus_state_name(0), "Unknown");
	CU_ASSERT_STRING_EQUAL(pvr_xenbus_state_name(3), "Initialised");
	CU_ASSERT_STRING_EQUAL(pvr_xenbus_state_name(8), "Reconfigured");
	CU_ASSERT_STRING_EQUAL(pvr_xenbus_state_name(9), "Unknown");
}

#define BACK  "/local/domain/0/backend/vbd/7/51712"
#define FRONT "/local/domain/7/device/vbd/51712"

static void device(const char *backend, const char *backend_id)
{
	mock_start_with_xs();
	mock_xs_mkdir(BACK, "n0,r7");
	mock_xs_write(FRONT "/backend", backend);
	mock_xs_write(FRONT "/backend-id", backend_id);
	mock_xs_write(BACK "/state", "2");
}

static void nodes_of_a_device(void)
{
	struct pvr_xenbus_dev dev;
	char text[8];

	device(BACK, "0");
	mock_xs_write(BACK "/sectors", "2048");
	mock_xs_write(BACK "/mode", "w");
	CU_ASSERT_EQUAL(pvr_xenbus_open(&dev, "device/vbd/51712"), 0);
	CU_ASSERT_EQUAL(dev.state, XenbusStateUnknown);
	CU_ASSERT_EQUAL(mock_xs_watches(), 1);
	CU_ASSERT_EQUAL(pvr_xenbus_backend_state(&dev), XenbusStateInitWait);
	CU_ASSERT_EQUAL(pvr_xenbus_backend_u64(&dev, "sectors", 1), 2048);
	CU_ASSERT_EQUAL(pvr_xenbus_backend_u64(&dev, "mode", 5), 5);
	CU_ASSERT_EQUAL(pvr_xenbus_backend_u64(&dev, "absent", 6), 6);
	CU_ASSERT_EQUAL(pvr_xenbus_backend_read(&dev, "mode", text, sizeof(text)), 1);
	CU_ASSERT_STRING_EQUAL(text, "w");
	CU_ASSERT_EQUAL(pvr_xenbus_switch(&dev, 0, XenbusStateInitialised), 0);
	CU_ASSERT_EQUAL(dev.state, XenbusStateInitialised);
	CU_ASSERT_EQUAL(mock_xs_number(FRONT "/state"), 3);
	CU_ASSERT_EQUAL(pvr_xenbus_write_u64(&dev, 0, "ring-ref", 8), 0);
	CU_ASSERT_EQUAL(mock_xs_number(FRONT "/ring-ref"), 8);
	pvr_xenbus_close(&dev);
	CU_ASSERT_EQUAL(mock_xs_watches(), 0);
}

static void backend_state_follows_and_vanishes(void)
{
	struct pvr_xenbus_dev dev;
	uint32_t seen;

	device(BACK, "0");
	CU_ASSERT_EQUAL(pvr_xenbus_open(&dev, "device/vbd/51712"), 0);
	seen = dev.watch.fired;
	mock_xs_write(BACK "/state", "5");
	CU_ASSERT_EQUAL(pvr_store_wait(&dev.watch, seen, UINT64_MAX), 0);
	CU_ASSERT_EQUAL(pvr_xenbus_backend_state(&dev), XenbusStateClosing);
	mock_xs_write(BACK "/state", "99");
	CU_ASSERT_EQUAL(pvr_xenbus_backend_state(&dev), XenbusStateUnknown);
	seen = dev.watch.fired;
	mock_xs_rm(BACK);
	CU_ASSERT_EQUAL(pvr_store_wait(&dev.watch, seen, UINT64_MAX), 0);
	CU_ASSERT_EQUAL(pvr_xenbus_backend_state(&dev), XenbusStateUnknown);
	pvr_xenbus_close(&dev);
}

/* What stands in our directory may have been written by somebody else. */
static void xsa_175_hostile_backend_nodes(void)
{
	static const char *const backends[] = {"", "local/domain/0", "x"};
	static const char *const ids[] = {"", "-1", "32752", "65536", "zero"};
	struct pvr_xenbus_dev dev;

	for (unsigned i = 0; i < sizeof(backends) / sizeof(backends[0]); i++) {
		device(backends[i], "0");
		CU_ASSERT_EQUAL(pvr_xenbus_open(&dev, "device/vbd/51712"), -EPROTO);
	}
	for (unsigned i = 0; i < sizeof(ids) / sizeof(ids[0]); i++) {
		device(BACK, ids[i]);
		CU_ASSERT(pvr_xenbus_open(&dev, "device/vbd/51712") < 0);
		CU_ASSERT_EQUAL(mock_xs_watches(), 0);
	}
	device(BACK "/0123456789012345678901234567890123456789012345678901234567890123456789", "0");
	CU_ASSERT_EQUAL(pvr_xenbus_open(&dev, "device/vbd/51712"), -E2BIG);
	CU_ASSERT_EQUAL(pvr_xenbus_open(&dev, "device/vbd/1"), -ENOENT);
}

PVR_SUITE(xenbus, CASE(front_truth_table), CASE(back_truth_table), CASE(foreign_states_are_unknown),
	CASE(names), CASE(nodes_of_a_device), CASE(backend_state_follows_and_vanishes),
	CASE(xsa_175_hostile_backend_nodes))
