/* SPDX-License-Identifier: MIT */
/* Limits: the arithmetic on made-up times, and a ring that obeys. And lists of CPUs. */
#include "suite.h"

#include <errno.h>

#include "../../backend/cpus.h"
#include "blkback_rig.h"

#define SECOND 1000000000ull
#define START  (1000 * SECOND)

/* Ten seconds of as many as are let through, looked at every millisecond. */
static unsigned let_through(struct pvr_blkback_limits *of, uint64_t bytes, unsigned seconds)
{
	unsigned count = 0;

	for (uint64_t now = START; now < START + seconds * SECOND; now += SECOND / 1000)
		while (pvr_blkback_limits_wait(of, now) == 0) {
			pvr_blkback_limits_charge(of, now, 1, bytes);
			count++;
		}
	return count;
}

static void requests_a_second(void)
{
	struct pvr_blkback_limits of = {.requests.per_second = 500};
	unsigned count = let_through(&of, 4096, 10);

	CU_ASSERT(count >= 5000 && count <= 5010); /* and the burst */
}

static void bytes_a_second(void)
{
	struct pvr_blkback_limits of = {.bytes.per_second = 1048576};
	unsigned count = let_through(&of, 65536, 10);

	CU_ASSERT(count >= 160 && count <= 162);
}

static void the_narrower_of_two(void)
{
	struct pvr_blkback_limits of = {.requests.per_second = 1000, .bytes.per_second = 40960};

	CU_ASSERT(let_through(&of, 4096, 10) <= 102);
}

/* An hour without requests saves nothing up; a debt is waited for to the end. */
static void no_savings_and_all_debts(void)
{
	struct pvr_blkback_limits of = {.requests.per_second = 100};

	pvr_blkback_limits_charge(&of, START, 1, 0);
	CU_ASSERT(let_through(&of, 0, 1) <= 102);
	pvr_blkback_limits_charge(&of, START + 3600 * SECOND, 300, 0);
	CU_ASSERT_EQUAL(pvr_blkback_limits_wait(&of, START + 3600 * SECOND),
		3 * SECOND - PVR_BLKBACK_BURST_NS);
	CU_ASSERT_EQUAL(pvr_blkback_limits_wait(&of, START + 3603 * SECOND), 0);
}

static void none_is_none(void)
{
	struct pvr_blkback_limits of = {0};

	pvr_blkback_limits_charge(&of, START, UINT32_MAX, UINT64_MAX);
	CU_ASSERT_EQUAL(pvr_blkback_limits_wait(&of, START), 0);
}

/* One a second: of five the first is taken, the others when their time has come. */
static void a_ring_waits(void)
{
	struct pvr_blkback_limits one = {.requests.per_second = 1};

	mock_host_reset();
	front_init(&front);
	open_backend((struct pvr_blkback_spec){.type = "mem", .params = DISK_BYTES});
	limits = &one;
	CU_ASSERT_FATAL(connect_ring(PVR_BLKBACK_ABI_X86_64) == 0);
	limits = NULL;
	for (unsigned i = 0; i < 5; i++)
		front_put(&front, front_request(&front, BLKIF_OP_READ, i, 0, i, 1));
	pvr_ring_publish(&front.ring);
	CU_ASSERT_EQUAL(pvr_blkback_ring_take(ring, turn), 1);
	CU_ASSERT(ring->wait_until > pvr_back_now_ns());
	pvr_blkback_turn_finish(turn);
	pvr_blkback_ring_publish(ring, turn->base.host);
	CU_ASSERT_EQUAL(stats->limited, 1);
	CU_ASSERT_EQUAL(stats->reads, 1);
	atomic_store(&one.requests.due_ns, 0);
	CU_ASSERT_EQUAL(pvr_blkback_ring_take(ring, turn), 1);
	one.requests.per_second = 0;
	CU_ASSERT_EQUAL(pvr_blkback_ring_take(ring, turn), 3);
	CU_ASSERT_EQUAL(ring->wait_until, 0);
	serve();
	CU_ASSERT_EQUAL(pvr_ring_pending(&front.ring), 5);
	tear_down();
}

static void cpu_lists(void)
{
	static const char *const bad[] = {"", "-", "1-", "-1", "3-1", "1,", ",1", "1,,2", "a", "1 ",
		"1024", "0-1023", "99999999999999999999", "0-4294967295"};
	unsigned cpus[8];

	CU_ASSERT_EQUAL(pvr_back_cpus_parse("0-3,6", cpus, 8), 5);
	CU_ASSERT_EQUAL(cpus[3], 3);
	CU_ASSERT_EQUAL(cpus[4], 6);
	CU_ASSERT_EQUAL(pvr_back_cpus_parse("1023", cpus, 8), 1);
	CU_ASSERT_EQUAL(pvr_back_cpus_parse("0-7", cpus, 8), 8);
	CU_ASSERT_EQUAL(pvr_back_cpus_parse("0-7,8", cpus, 8), -EINVAL);
	for (unsigned i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		CU_ASSERT_EQUAL(pvr_back_cpus_parse(bad[i], cpus, 8), -EINVAL);
}

PVR_SUITE(blkback_limit, CASE(requests_a_second), CASE(bytes_a_second), CASE(the_narrower_of_two),
	CASE(no_savings_and_all_debts), CASE(none_is_none), CASE(a_ring_waits), CASE(cpu_lists))
