/* SPDX-License-Identifier: MIT */
/*
 * The table of hypercalls and its decoder. What is not in the table does not exist: the FIFO event
 * channel commands, grant table version 2's, and all that only a guest with page tables of its own
 * could use.
 */
#include <errno.h>
#include <string.h>

#include <pvring/hypervisor.h>
#include <pvring/xen/event_channel.h>
#include <pvring/xen/grant_table.h>
#include <pvring/xen/memory.h>
#include <pvring/xen/sched.h>
#include <pvring/xen/vcpu.h>
#include <pvring/xen/version.h>

#include "hypercall.h"

/* An i386 guest's sizes where they differ; the layouts are in hypercall_grant.c and
 * hypercall_misc.c. */
#define SETUP_TABLE_32 16
#define GNTTAB_COPY_32 24
#define TRANSFER_32    16
#define MEMORY_MAP_32  8

/* clang-format off */
#define SIZES(s)     sizeof(s), sizeof(s)
#define EVENT(c, f)  {__HYPERVISOR_event_channel_op, EVTCHNOP_##c, HV_CALL_ONE, SIZES(struct evtchn_##c), f}
#define GRANT(c, shape, sizes, f) {__HYPERVISOR_grant_table_op, GNTTABOP_##c, shape, sizes, f}
#define MEMORY(c, shape, sizes, f) {__HYPERVISOR_memory_op, XENMEM_##c, shape, sizes, f}
#define SCHED(c, shape, sizes, f) {__HYPERVISOR_sched_op, SCHEDOP_##c, shape, sizes, f}
#define VERSION(c, shape, sizes, f) {__HYPERVISOR_xen_version, XENVER_##c, shape, sizes, f}
#define VCPU(c, f)   {__HYPERVISOR_vcpu_op, VCPUOP_##c, HV_CALL_NONE, 0, 0, f}
#define TWO(a, b)    a, b

static const struct hv_call_rule rules[] = {
	EVENT(bind_interdomain, hv_evtchn_bind_interdomain),
	EVENT(bind_virq, hv_evtchn_bind_virq),
	EVENT(bind_pirq, hv_evtchn_bind_pirq),
	EVENT(close, hv_evtchn_close),
	EVENT(send, hv_evtchn_send),
	EVENT(status, hv_evtchn_status),
	EVENT(alloc_unbound, hv_evtchn_alloc_unbound),
	EVENT(bind_ipi, hv_evtchn_bind_ipi),
	EVENT(bind_vcpu, hv_evtchn_bind_vcpu),
	EVENT(unmask, hv_evtchn_unmask),
	EVENT(reset, hv_evtchn_reset),

	GRANT(map_grant_ref, HV_CALL_ARRAY, SIZES(struct gnttab_map_grant_ref), hv_grant_map),
	GRANT(unmap_grant_ref, HV_CALL_ARRAY, SIZES(struct gnttab_unmap_grant_ref), hv_grant_unmap),
	GRANT(setup_table, HV_CALL_TAIL, TWO(SETUP_TABLE_32, 24), hv_grant_setup),
	GRANT(transfer, HV_CALL_ARRAY, TWO(TRANSFER_32, 24), hv_grant_transfer),
	GRANT(copy, HV_CALL_ARRAY, TWO(GNTTAB_COPY_32, 40), hv_grant_copy),
	GRANT(query_size, HV_CALL_ONE, SIZES(struct gnttab_query_size), hv_grant_query),
	GRANT(set_version, HV_CALL_ONE, SIZES(struct gnttab_set_version), hv_grant_set_version),
	GRANT(get_version, HV_CALL_ONE, SIZES(struct gnttab_get_version), hv_grant_get_version),
	GRANT(swap_grant_ref, HV_CALL_ARRAY, SIZES(struct gnttab_swap_grant_ref), hv_grant_swap),
	GRANT(cache_flush, HV_CALL_BYTES, TWO(1, 1), hv_grant_cache_flush),

	SCHED(yield, HV_CALL_NONE, TWO(0, 0), hv_sched_yield),
	SCHED(shutdown, HV_CALL_ONE, SIZES(struct sched_shutdown), hv_sched_shutdown),
	SCHED(shutdown_code, HV_CALL_ONE, SIZES(struct sched_shutdown), hv_sched_shutdown_code),

	MEMORY(maximum_ram_page, HV_CALL_NONE, TWO(0, 0), hv_memory_maximum_ram_page),
	MEMORY(current_reservation, HV_CALL_ONE, SIZES(struct xen_memory_domain), hv_memory_reservation),
	MEMORY(maximum_reservation, HV_CALL_ONE, SIZES(struct xen_memory_domain), hv_memory_reservation),
	MEMORY(maximum_gpfn, HV_CALL_ONE, SIZES(struct xen_memory_domain), hv_memory_maximum_gpfn),
	MEMORY(memory_map, HV_CALL_TAIL, TWO(MEMORY_MAP_32, 16), hv_memory_e820),

	VERSION(version, HV_CALL_NONE, TWO(0, 0), hv_version_number),
	VERSION(extraversion, HV_CALL_ONE, SIZES(xen_extraversion_t), hv_version_text),
	VERSION(capabilities, HV_CALL_ONE, SIZES(xen_capabilities_info_t), hv_version_text),
	VERSION(changeset, HV_CALL_ONE, SIZES(xen_changeset_info_t), hv_version_text),
	VERSION(get_features, HV_CALL_ONE, SIZES(struct xen_feature_info), hv_version_features),
	VERSION(pagesize, HV_CALL_NONE, TWO(0, 0), hv_version_pagesize),

	VCPU(is_up, hv_vcpu_is_up),
	VCPU(stop_periodic_timer, hv_vcpu_stop_timer),

	{__HYPERVISOR_console_io, CONSOLEIO_write, HV_CALL_BYTES, 1, 1, hv_console_write},
};
/* clang-format on */

static const struct hv_call_rule *rule_find(uint32_t op, uint32_t cmd)
{
	for (size_t i = 0; i < sizeof(rules) / sizeof(rules[0]); i++)
		if (rules[i].op == op && rules[i].cmd == cmd)
			return &rules[i];
	return NULL;
}

/* Does the argument's length agree with its count? */
static int shape_check(struct hv_call *call, size_t length)
{
	switch (call->rule->shape) {
	case HV_CALL_NONE:
		return length ? -EFAULT : 0;
	case HV_CALL_ONE:
		if (call->count != 1)
			return -EINVAL;
		return length == call->size ? 0 : -EFAULT;
	case HV_CALL_TAIL:
		if (call->count != 1)
			return -EINVAL;
		if (length < call->size)
			return -EFAULT;
		call->tail = length - call->size;
		return 0;
	default: /* an array, of bytes or others; the count is signed in Xen */
		if (call->count > INT32_MAX)
			return -EINVAL;
		return length == (uint64_t)call->count * call->size ? 0 : -EFAULT;
	}
}

int hv_call_decode(const uint8_t *data, size_t length, unsigned word_size, uint8_t *argument,
	struct hv_call *call)
{
	struct pvr_hv_hypercall head;

	if (length < sizeof(head) || length - sizeof(head) > PVR_HV_DATA_MAX)
		return -EINVAL;
	memcpy(&head, data, sizeof(head));
	if (head.length != length - sizeof(head))
		return -EINVAL;
	const struct hv_call_rule *rule = rule_find(head.op, head.cmd);

	if (!rule)
		return -ENOSYS;
	*call = (struct hv_call){
		.rule = rule,
		.count = head.count,
		.word_size = word_size,
		.argument = argument,
		.size = word_size == 4 ? rule->size_32 : rule->size_64,
	};
	return shape_check(call, head.length);
}

int64_t hv_call_invoke(struct hv_client *client, const struct hv_call *call, struct hv_reply *reply)
{
	return call->rule->invoke(client, call, reply);
}
