/* SPDX-License-Identifier: MIT */
/*
 * pvr_port_hypercall: what a process can do itself (send, unmask, poll, block, yield) is done at
 * once, the rest goes to the daemon in Xen's structures. This file knows each structure's size and
 * which calls make or close ports; what the fields mean is the daemon's concern.
 */
#include <errno.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <pvring/store.h>
#include <pvring/xen/hvm.h>
#include <pvring/xen/memory.h>
#include <pvring/xen/sched.h>
#include <pvring/xen/version.h>

#include "internal.h"

#define ARGUMENT_MAX (PVR_HV_DATA_MAX - sizeof(struct pvr_hv_hypercall))
#define FRAMES_MAX   64u /* of a grant table; as port.h */
#define COUNT_MAX    65536u

/* Calls with one structure and no pointer in it, or without an argument (size 0). */
static const struct {
	uint16_t op, cmd, size;
} shapes[] = {
	{__HYPERVISOR_event_channel_op, EVTCHNOP_bind_interdomain,
		sizeof(struct evtchn_bind_interdomain)},
	{__HYPERVISOR_event_channel_op, EVTCHNOP_bind_virq, sizeof(struct evtchn_bind_virq)},
	{__HYPERVISOR_event_channel_op, EVTCHNOP_bind_pirq, sizeof(struct evtchn_bind_pirq)},
	{__HYPERVISOR_event_channel_op, EVTCHNOP_close, sizeof(struct evtchn_close)},
	{__HYPERVISOR_event_channel_op, EVTCHNOP_status, sizeof(struct evtchn_status)},
	{__HYPERVISOR_event_channel_op, EVTCHNOP_alloc_unbound,
		sizeof(struct evtchn_alloc_unbound)},
	{__HYPERVISOR_event_channel_op, EVTCHNOP_bind_ipi, sizeof(struct evtchn_bind_ipi)},
	{__HYPERVISOR_event_channel_op, EVTCHNOP_bind_vcpu, sizeof(struct evtchn_bind_vcpu)},
	{__HYPERVISOR_event_channel_op, EVTCHNOP_reset, sizeof(struct evtchn_reset)},
	{__HYPERVISOR_event_channel_op, EVTCHNOP_init_control, sizeof(struct evtchn_init_control)},
	{__HYPERVISOR_event_channel_op, EVTCHNOP_expand_array, sizeof(struct evtchn_expand_array)},
	{__HYPERVISOR_event_channel_op, EVTCHNOP_set_priority, sizeof(struct evtchn_set_priority)},
	{__HYPERVISOR_sched_op, SCHEDOP_shutdown, sizeof(struct sched_shutdown)},
	{__HYPERVISOR_sched_op, SCHEDOP_shutdown_code, sizeof(struct sched_shutdown)},
	{__HYPERVISOR_sched_op, SCHEDOP_remote_shutdown, sizeof(struct sched_remote_shutdown)},
	{__HYPERVISOR_memory_op, XENMEM_maximum_ram_page, 0},
	{__HYPERVISOR_memory_op, XENMEM_current_reservation, sizeof(struct xen_memory_domain)},
	{__HYPERVISOR_memory_op, XENMEM_maximum_reservation, sizeof(struct xen_memory_domain)},
	{__HYPERVISOR_memory_op, XENMEM_maximum_gpfn, sizeof(struct xen_memory_domain)},
	{__HYPERVISOR_memory_op, XENMEM_add_to_physmap, sizeof(struct xen_add_to_physmap)},
	{__HYPERVISOR_memory_op, XENMEM_remove_from_physmap,
		sizeof(struct xen_remove_from_physmap)},
	{__HYPERVISOR_xen_version, XENVER_version, 0},
	{__HYPERVISOR_xen_version, XENVER_extraversion, sizeof(xen_extraversion_t)},
	{__HYPERVISOR_xen_version, XENVER_compile_info, sizeof(struct xen_compile_info)},
	{__HYPERVISOR_xen_version, XENVER_capabilities, sizeof(xen_capabilities_info_t)},
	{__HYPERVISOR_xen_version, XENVER_changeset, sizeof(xen_changeset_info_t)},
	{__HYPERVISOR_xen_version, XENVER_platform_parameters,
		sizeof(struct xen_platform_parameters)},
	{__HYPERVISOR_xen_version, XENVER_get_features, sizeof(struct xen_feature_info)},
	{__HYPERVISOR_xen_version, XENVER_pagesize, 0},
	{__HYPERVISOR_xen_version, XENVER_guest_handle, sizeof(xen_domain_handle_t)},
	{__HYPERVISOR_xen_version, XENVER_commandline, sizeof(xen_commandline_t)},
	{__HYPERVISOR_hvm_op, HVMOP_set_param, sizeof(struct xen_hvm_param)},
	{__HYPERVISOR_hvm_op, HVMOP_get_param, sizeof(struct xen_hvm_param)},
};

/* An element of the array of grant_table_op, by command; 0: not known. */
static const uint16_t grant_sizes[] = {
	[GNTTABOP_map_grant_ref] = sizeof(struct gnttab_map_grant_ref),
	[GNTTABOP_unmap_grant_ref] = sizeof(struct gnttab_unmap_grant_ref),
	[GNTTABOP_setup_table] = sizeof(struct gnttab_setup_table),
	[GNTTABOP_dump_table] = sizeof(struct gnttab_dump_table),
	[GNTTABOP_transfer] = sizeof(struct gnttab_transfer),
	[GNTTABOP_copy] = sizeof(struct gnttab_copy),
	[GNTTABOP_query_size] = sizeof(struct gnttab_query_size),
	[GNTTABOP_unmap_and_replace] = sizeof(struct gnttab_unmap_and_replace),
	[GNTTABOP_set_version] = sizeof(struct gnttab_set_version),
	[GNTTABOP_get_version] = sizeof(struct gnttab_get_version),
	[GNTTABOP_swap_grant_ref] = sizeof(struct gnttab_swap_grant_ref),
};

/* The daemon was xenstored too: whoever waits for its answer, or for news of a device, waits no more. */
void process_lost(void)
{
	if (atomic_exchange(&pvr_process.lost, 1))
		return;
	pvr_store_lost();
	pvr_port_log("the hypervisor is gone; hypercalls fail from here on");
}

/* One call to the daemon, argument in and out in place. */
static long daemon_call(unsigned op, unsigned cmd, void *argument, size_t size, uint32_t count,
	int *fds, unsigned *fds_count)
{
	long result = -ECONNRESET;

	pthread_mutex_lock(&pvr_process.control_lock);
	if (!pvr_process.lost)
		result = pvr_hv_hypercall(
			pvr_process.control, op, cmd, argument, size, count, fds, fds_count);
	else if (fds_count)
		*fds_count = 0;
	pthread_mutex_unlock(&pvr_process.control_lock);
	if (result == -ECONNRESET)
		process_lost();
	return result;
}

/* The port which a successful event channel call made, and how it may be used. */
static enum port_kind port_made(unsigned cmd, const void *argument, evtchn_port_t *port)
{
	switch (cmd) {
	case EVTCHNOP_alloc_unbound:
		*port = ((const struct evtchn_alloc_unbound *)argument)->port;
		return PORT_SENDS;
	case EVTCHNOP_bind_interdomain:
		*port = ((const struct evtchn_bind_interdomain *)argument)->local_port;
		return PORT_SENDS;
	case EVTCHNOP_bind_ipi:
		*port = ((const struct evtchn_bind_ipi *)argument)->port;
		return PORT_SENDS;
	case EVTCHNOP_bind_virq:
		*port = ((const struct evtchn_bind_virq *)argument)->port;
		return PORT_RECEIVES;
	default:
		return PORT_CLOSED;
	}
}

static long event_call(unsigned cmd, void *argument, size_t size)
{
	int fds[2] = {-1, -1};
	unsigned fds_count = 2;
	evtchn_port_t port = 0;
	long result =
		daemon_call(__HYPERVISOR_event_channel_op, cmd, argument, size, 1, fds, &fds_count);
	enum port_kind kind = result ? PORT_CLOSED : port_made(cmd, argument, &port);

	/* A port for another domain (dom is not us) comes without descriptors and is not ours to
	 * use. */
	if (kind != PORT_CLOSED && fds_count == 2) {
		result = events_port_open(port, kind, fds[0], fds[1]);
		fds_count = result ? fds_count : 0;
	}
	while (fds_count)
		close(fds[--fds_count]);
	if (!result && cmd == EVTCHNOP_close)
		events_port_close(((const struct evtchn_close *)argument)->port);
	if (!result && cmd == EVTCHNOP_reset)
		events_reset();
	return result;
}

/* The frame list, a pointer in the structure, travels behind it. */
static long setup_table(struct gnttab_setup_table *setup)
{
	struct {
		struct gnttab_setup_table setup;
		xen_pfn_t frames[FRAMES_MAX];
	} call = {.setup = *setup};
	long result;

	if (setup->nr_frames > FRAMES_MAX) {
		setup->status = GNTST_general_error;
		return 0;
	}
	call.setup.frame_list = NULL;
	result = daemon_call(__HYPERVISOR_grant_table_op, GNTTABOP_setup_table, &call,
		offsetof(typeof(call), frames) + setup->nr_frames * sizeof(xen_pfn_t), 1, NULL,
		NULL);
	setup->status = call.setup.status;
	if (!result && setup->status == GNTST_okay)
		memcpy(setup->frame_list, call.frames, setup->nr_frames * sizeof(xen_pfn_t));
	return result;
}

static long grant_call(unsigned cmd, char *array, unsigned long count)
{
	size_t size = cmd < sizeof(grant_sizes) / sizeof(grant_sizes[0]) ? grant_sizes[cmd] : 0;

	if (!size)
		return -ENOSYS;
	if (count > COUNT_MAX)
		return -EINVAL;
	if (cmd == GNTTABOP_setup_table)
		return count == 1 ? setup_table((struct gnttab_setup_table *)(void *)array)
				  : -EINVAL;
	while (count) {
		size_t fit = ARGUMENT_MAX / size;
		size_t now = count < fit ? count : fit;
		long result = daemon_call(__HYPERVISOR_grant_table_op, cmd, array, now * size,
			(uint32_t)now, NULL, NULL);

		if (result)
			return result;
		array += now * size;
		count -= now;
	}
	return 0;
}

static long plain_call(unsigned op, unsigned cmd, void *argument)
{
	for (size_t i = 0; i < sizeof(shapes) / sizeof(shapes[0]); i++) {
		if (shapes[i].op != op || shapes[i].cmd != cmd)
			continue;
		if (op == __HYPERVISOR_event_channel_op)
			return event_call(cmd, argument, shapes[i].size);
		return daemon_call(op, cmd, argument, shapes[i].size, 1, NULL, NULL);
	}
	return -ENOSYS;
}

/* What needs no daemon; *done tells whether it was such a call. */
static long local_call(unsigned op, unsigned cmd, const void *argument, int *done)
{
	*done = 1;
	if (op == __HYPERVISOR_event_channel_op && cmd == EVTCHNOP_send)
		return events_send(((const struct evtchn_send *)argument)->port);
	if (op == __HYPERVISOR_event_channel_op && cmd == EVTCHNOP_unmask)
		return events_unmask(((const struct evtchn_unmask *)argument)->port);
	if (op == __HYPERVISOR_sched_op && cmd == SCHEDOP_poll)
		return events_poll(argument);
	if (op == __HYPERVISOR_sched_op && cmd == SCHEDOP_block)
		return events_block();
	if (op == __HYPERVISOR_sched_op && cmd == SCHEDOP_yield)
		return sched_yield();
	*done = 0;
	return 0;
}

long pvr_port_hypercall(unsigned op, unsigned long a1, unsigned long a2, unsigned long a3)
{
	unsigned cmd = (unsigned)a1;
	void *argument = (void *)a2;
	int done;
	long result = local_call(op, cmd, argument, &done);

	if (done)
		return result;
	if (op == __HYPERVISOR_grant_table_op)
		return grant_call(cmd, argument, a3);
	return plain_call(op, cmd, argument);
}
