/* SPDX-License-Identifier: MIT */
/*
 * pvr_port_hypercall: what a process can do itself (send, unmask, poll, block, yield) is done at
 * once, the rest goes to the daemon in Xen's structures, whose sizes ports/client/shapes.c knows; what the
 * fields mean is the daemon's concern.
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

static size_t shape_size(const struct pvr_hv_shape *shape)
{
	return sizeof(long) == 4 ? shape->size_32 : shape->size_64;
}

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

static enum port_kind port_made(unsigned cmd, const void *argument, evtchn_port_t *port)
{
	switch (pvr_hv_port_made(cmd, argument, port)) {
	case PVR_HV_PORT_CLOSED:
		return PORT_CLOSED;
	case PVR_HV_PORT_VIRQ:
		return PORT_RECEIVES;
	default:
		return PORT_SENDS;
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
	const struct pvr_hv_shape *shape = pvr_hv_shape(__HYPERVISOR_grant_table_op, cmd);

	if (count > COUNT_MAX)
		return -EINVAL;
	if (cmd == GNTTABOP_setup_table)
		return count == 1 ? setup_table((struct gnttab_setup_table *)(void *)array)
				  : -EINVAL;
	if (!shape)
		return -ENOSYS;
	size_t size = shape_size(shape);

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
	const struct pvr_hv_shape *shape = pvr_hv_shape(op, cmd);

	if (!shape)
		return -ENOSYS;
	if (op == __HYPERVISOR_event_channel_op)
		return event_call(cmd, argument, shape_size(shape));
	return daemon_call(op, cmd, argument, shape_size(shape), 1, NULL, NULL);
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
