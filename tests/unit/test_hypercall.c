/* SPDX-License-Identifier: MIT */
/* The hypercall decoder: it takes what the table says and nothing else, without reading past its
 * input. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <pvring/hypervisor.h>
#include <pvring/xen/event_channel.h>
#include <pvring/xen/grant_table.h>
#include <pvring/xen/memory.h>
#include <pvring/xen/sched.h>
#include <pvring/xen/vcpu.h>
#include <pvring/xen/version.h>

#include "../../hypervisor/hypercall.h"
#include "suite.h"

/* Decode a message with an argument of `length` bytes, in memory of just that size for the
 * sanitizer. */
static int decode(unsigned word, uint32_t op, uint32_t cmd, uint32_t count, uint32_t length)
{
	struct pvr_hv_hypercall head = {op, cmd, count, length};
	uint8_t *data = calloc(1, sizeof(head) + length);
	struct hv_call call;

	memcpy(data, &head, sizeof(head));
	int err = hv_call_decode(data, sizeof(head) + length, word, data + sizeof(head), &call);

	if (!err) {
		CU_ASSERT(
			call.size * (call.rule->shape >= HV_CALL_ARRAY ? call.count : 0) <= length);
		CU_ASSERT(call.tail <= length);
	}
	free(data);
	return err;
}

static void message_says_its_length(void)
{
	struct pvr_hv_hypercall head = {__HYPERVISOR_xen_version, XENVER_version, 0, 0};
	struct hv_call call;
	uint8_t data[64];

	memcpy(data, &head, sizeof(head));
	for (size_t n = 0; n < sizeof(head); n++)
		CU_ASSERT_EQUAL(hv_call_decode(data, n, 8, data + 16, &call), -EINVAL);
	CU_ASSERT_EQUAL(hv_call_decode(data, 16, 8, data + 16, &call), 0);
	CU_ASSERT_EQUAL(hv_call_decode(data, 17, 8, data + 16, &call), -EINVAL);
	head.length = UINT32_MAX;
	memcpy(data, &head, sizeof(head));
	CU_ASSERT_EQUAL(hv_call_decode(data, 16, 8, data + 16, &call), -EINVAL);
}

static void unknown_is_enosys(void)
{
	for (uint32_t op = 0; op < 64; op++)
		CU_ASSERT_EQUAL(decode(8, op, 200, 1, 8), -ENOSYS);
	CU_ASSERT_EQUAL(decode(8, UINT32_MAX, 0, 1, 8), -ENOSYS);
	/* Numbers beyond 16 bits are not taken for their low halves. */
	CU_ASSERT_EQUAL(decode(8, 0x10000 + __HYPERVISOR_xen_version, 0, 0, 0), -ENOSYS);
	CU_ASSERT_EQUAL(decode(8, __HYPERVISOR_xen_version, 0x10000, 0, 0), -ENOSYS);
	CU_ASSERT_EQUAL(decode(8, __HYPERVISOR_sched_op, SCHEDOP_block, 0, 0), -ENOSYS);
	CU_ASSERT_EQUAL(decode(8, __HYPERVISOR_sched_op, SCHEDOP_poll, 1, 24), -ENOSYS);
	CU_ASSERT_EQUAL(
		decode(8, __HYPERVISOR_grant_table_op, GNTTABOP_get_status_frames, 1, 24), -ENOSYS);
}

/* The FIFO commands do not exist, whatever their arguments. */
static void xsa_107_fifo_commands(void)
{
	for (uint32_t cmd = EVTCHNOP_init_control; cmd <= EVTCHNOP_set_priority; cmd++)
		for (uint32_t length = 0; length < 64; length += 8)
			CU_ASSERT_EQUAL(
				decode(8, __HYPERVISOR_event_channel_op, cmd, 1, length), -ENOSYS);
}

static void lengths_are_exact(void)
{
	static const struct {
		uint32_t op, cmd, length;
	} one[] = {
		{__HYPERVISOR_event_channel_op, EVTCHNOP_bind_interdomain, 12},
		{__HYPERVISOR_event_channel_op, EVTCHNOP_close, 4},
		{__HYPERVISOR_event_channel_op, EVTCHNOP_status, 24},
		{__HYPERVISOR_event_channel_op, EVTCHNOP_reset, 2},
		{__HYPERVISOR_grant_table_op, GNTTABOP_query_size, 16},
		{__HYPERVISOR_grant_table_op, GNTTABOP_set_version, 4},
		{__HYPERVISOR_sched_op, SCHEDOP_shutdown, 4},
		{__HYPERVISOR_memory_op, XENMEM_current_reservation, 2},
		{__HYPERVISOR_xen_version, XENVER_extraversion, 16},
	};

	for (size_t i = 0; i < sizeof(one) / sizeof(one[0]); i++)
		for (uint32_t n = 0; n < 64; n++) {
			int want = n == one[i].length ? 0 : -EFAULT;

			CU_ASSERT_EQUAL(decode(8, one[i].op, one[i].cmd, 1, n), want);
			CU_ASSERT_EQUAL(decode(4, one[i].op, one[i].cmd, 1, n), want);
			CU_ASSERT_EQUAL(decode(8, one[i].op, one[i].cmd, 0, n), -EINVAL);
			CU_ASSERT_EQUAL(decode(8, one[i].op, one[i].cmd, 2, n), -EINVAL);
		}
}

static void layouts_of_both_word_sizes(void)
{
	static const struct {
		uint32_t cmd, length_32, length_64;
	} array[] = {
		{GNTTABOP_map_grant_ref, 32, 32},
		{GNTTABOP_unmap_grant_ref, 24, 24},
		{GNTTABOP_transfer, 16, 24},
		{GNTTABOP_copy, 24, 40},
		{GNTTABOP_swap_grant_ref, 12, 12},
	};

	for (size_t i = 0; i < sizeof(array) / sizeof(array[0]); i++)
		for (uint32_t count = 0; count < 20; count++) {
			uint32_t n = array[i].length_32 * count;

			CU_ASSERT_EQUAL(
				decode(4, __HYPERVISOR_grant_table_op, array[i].cmd, count, n), 0);
			CU_ASSERT_EQUAL(
				decode(4, __HYPERVISOR_grant_table_op, array[i].cmd, count, n + 1),
				-EFAULT);
			n = array[i].length_64 * count;
			CU_ASSERT_EQUAL(
				decode(8, __HYPERVISOR_grant_table_op, array[i].cmd, count, n), 0);
			CU_ASSERT_EQUAL(
				decode(8, __HYPERVISOR_grant_table_op, array[i].cmd, count + 1, n),
				-EFAULT);
		}
}

/* Counts that overflow a 32-bit product, and negative ones. */
static void xsa_382_absurd_counts(void)
{
	static const uint32_t counts[] = {0x10000001u, 0x08000000u, 0x0aaaaaabu, 0x55555556u,
		INT32_MAX, 0x80000000u, UINT32_MAX, UINT32_MAX / 40 + 1};

	for (size_t i = 0; i < sizeof(counts) / sizeof(counts[0]); i++)
		for (uint32_t n = 0; n <= 64; n += 8) {
			int want = counts[i] > INT32_MAX ? -EINVAL : -EFAULT;

			CU_ASSERT_EQUAL(
				decode(8, __HYPERVISOR_grant_table_op, GNTTABOP_copy, counts[i], n),
				want);
			CU_ASSERT_EQUAL(decode(4, __HYPERVISOR_grant_table_op,
						GNTTABOP_swap_grant_ref, counts[i], n),
				want);
			CU_ASSERT_EQUAL(
				decode(8, __HYPERVISOR_console_io, CONSOLEIO_write, counts[i], n),
				want);
		}
	CU_ASSERT_EQUAL(
		decode(8, __HYPERVISOR_grant_table_op, GNTTABOP_setup_table, 1, 23), -EFAULT);
	CU_ASSERT_EQUAL(decode(8, __HYPERVISOR_grant_table_op, GNTTABOP_setup_table, 1, 24), 0);
	CU_ASSERT_EQUAL(
		decode(8, __HYPERVISOR_grant_table_op, GNTTABOP_setup_table, 2, 48), -EINVAL);
	CU_ASSERT_EQUAL(
		decode(4, __HYPERVISOR_grant_table_op, GNTTABOP_setup_table, 1, 15), -EFAULT);
	CU_ASSERT_EQUAL(decode(4, __HYPERVISOR_grant_table_op, GNTTABOP_setup_table, 1, 20), 0);
}

static void no_argument_means_none(void)
{
	CU_ASSERT_EQUAL(decode(8, __HYPERVISOR_sched_op, SCHEDOP_yield, 0, 0), 0);
	CU_ASSERT_EQUAL(decode(8, __HYPERVISOR_sched_op, SCHEDOP_yield, 0, 1), -EFAULT);
	CU_ASSERT_EQUAL(decode(8, __HYPERVISOR_vcpu_op, VCPUOP_is_up, 31, 0), 0);
	CU_ASSERT_EQUAL(decode(8, __HYPERVISOR_memory_op, XENMEM_maximum_ram_page, 1, 0), 0);
}

PVR_SUITE(hypercall, CASE(message_says_its_length), CASE(unknown_is_enosys),
	CASE(xsa_107_fifo_commands), CASE(lengths_are_exact), CASE(layouts_of_both_word_sizes),
	CASE(xsa_382_absurd_counts), CASE(no_argument_means_none))
