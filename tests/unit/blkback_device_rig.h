/* SPDX-License-Identifier: MIT */
/* The whole backend on the mock host, with a toolstack's and a frontend's hand; each test file has
 * its own. */
#ifndef PVR_TEST_BLKBACK_DEVICE_RIG_H
#define PVR_TEST_BLKBACK_DEVICE_RIG_H

#include "../../blkback/device.h"
#include "../../blkback/features.h"
#include "blkback_front.h"

#define BACK  "/local/domain/0/backend/vbd/7/51712"
#define FRONT "/local/domain/7/device/vbd/51712"
#define KIND  (&pvr_blkback_kind)

#include "backend_rig.h"

static struct front front;

static inline void start_in(const char *directory)
{
	mock_host_reset();
	front_init(&front);
	start_backend(directory);
}

static inline void start(void)
{
	start_in(NULL);
}

/* What the toolstack writes for a new device, its state last. */
static inline void attach(const char *type, const char *params, const char *frontend)
{
	mock_store_write(FRONT "/backend", BACK);
	mock_store_write(FRONT "/backend-id", "0");
	mock_store_write(FRONT "/state", "1");
	mock_store_write(BACK "/frontend", "%s", frontend);
	mock_store_write(BACK "/frontend-id", "7");
	mock_store_write(BACK "/online", "1");
	mock_store_write(BACK "/type", "%s", type);
	mock_store_write(BACK "/params", "%s", params);
	mock_store_write(BACK "/mode", "w");
	mock_store_write(BACK "/state", "1");
}

static inline void attach_mem(void)
{
	attach("mem", "1048576", FRONT);
}

static inline void offer(void)
{
	mock_store_write(FRONT "/ring-ref", "%u", front.ring_ref);
	mock_store_write(FRONT "/event-channel", "%u", front.port);
	mock_store_write(FRONT "/protocol", "x86_64-abi");
	mock_store_write(FRONT "/state", "3");
}

static inline void connect_front(void)
{
	CU_ASSERT_FATAL(becomes(XenbusStateInitWait));
	offer();
	CU_ASSERT_FATAL(becomes(XenbusStateConnected));
	mock_store_write(FRONT "/state", "4");
}

/* One request by the rules: publish, notify if asked for, sleep until the answer. Its status,
 * or 99. */
static inline int16_t ask(uint8_t operation, uint64_t sector, unsigned page, unsigned count)
{
	struct blkif_x86_64_response response;

	front_put(&front, front_request(&front, operation, sector, sector, page, count));
	if (pvr_ring_publish_notify(&front.ring))
		mock_port_send(front.port);
	for (unsigned i = 0; i < 20 && pvr_ring_final_check(&front.ring) == 0; i++)
		mock_port_events(front.port, 1000);
	if (pvr_ring_pending(&front.ring) <= 0)
		return 99;
	front_response_take(&front.ring, &response);
	return response.id == sector ? response.status : 98;
}

static inline void write_and_read(void)
{
	memset(mock_page(FRONT_DATA), 0x3c, 4096);
	memset(mock_page(FRONT_DATA + 1), 0, 4096);
	CU_ASSERT_EQUAL(ask(BLKIF_OP_WRITE, 64, 0, 1), BLKIF_RSP_OKAY);
	CU_ASSERT_EQUAL(ask(BLKIF_OP_FLUSH_DISKCACHE, 0, 0, 0), BLKIF_RSP_OKAY);
	CU_ASSERT_EQUAL(ask(BLKIF_OP_READ, 64, 1, 1), BLKIF_RSP_OKAY);
	CU_ASSERT_EQUAL(((uint8_t *)mock_page(FRONT_DATA + 1))[4095], 0x3c);
}

#endif
