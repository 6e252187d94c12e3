/* SPDX-License-Identifier: MIT */
/*
 * What depends on the guest's word size beside the disk: every port of the two-level tables in shared_info, and
 * grant calls, whose structures have pointers and frame numbers in them.
 */
#include "machine.h"

#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>

#include <pvring/evtchn.h>
#include <pvring/port.h>

#define PORTS    ((uint32_t)EVTCHN_2L_NR_CHANNELS)
#define PATIENCE 5000000000ull /* ns */

static _Atomic unsigned events[PORTS];

static int wrong(const char *what, long got)
{
	fprintf(stderr, "guest: %s: %ld\n", what, got);
	return 1;
}

static void handler(evtchn_port_t port, void *arg)
{
	if (arg == &events[port])
		events[port]++;
}

static int event_arrives(evtchn_port_t port)
{
	uint64_t deadline = pvr_port_now_ns() + PATIENCE;

	if (pvr_evtchn_notify(port))
		return 0;
	while (!events[port] && pvr_port_now_ns() < deadline)
		sched_yield();
	return events[port] == 1;
}

/* Ports to ourselves until there are no more: the last is the ABI's last, and each brings its own event. */
static int ports(void)
{
	struct evtchn_bind_ipi bind = {0};
	struct rlimit files;
	evtchn_port_t first = 0;

	getrlimit(RLIMIT_NOFILE, &files);
	files.rlim_cur = files.rlim_max;
	setrlimit(RLIMIT_NOFILE, &files);
	while (!pvr_port_hypercall(
		__HYPERVISOR_event_channel_op, EVTCHNOP_bind_ipi, (unsigned long)&bind, 0)) {
		first = first ? first : bind.port;
		if (pvr_evtchn_handler_set(bind.port, handler, &events[bind.port]))
			return wrong("a port without a handler", (long)bind.port);
		pvr_evtchn_unmask(bind.port);
	}
	if (bind.port != PORTS - 1)
		return wrong("the last port", (long)bind.port);
	for (evtchn_port_t port = first; port < PORTS; port++)
		if (!event_arrives(port))
			return wrong("an event that did not arrive once, port", (long)port);
	for (evtchn_port_t port = first; port < PORTS; port++) {
		if (events[port] != 1)
			return wrong("events of a port are not one", (long)port);
		pvr_evtchn_close(port);
	}
	return 0;
}

static long grant_op(unsigned command, void *argument)
{
	return pvr_port_hypercall(__HYPERVISOR_grant_table_op, command, (unsigned long)argument, 1);
}

static int grants(void)
{
	xen_pfn_t frames[2] = {0};
	struct gnttab_query_size size = {.dom = DOMID_SELF};
	struct gnttab_setup_table setup = {.dom = DOMID_SELF, .nr_frames = 2, .frame_list = frames};
	char *pages = pvr_port_pages_alloc(2);
	struct gnttab_copy copy = {
		.source = {.u.gmfn = (xen_pfn_t)pvr_port_gfn(pages),
			.domid = DOMID_SELF,
			.offset = 8},
		.dest = {.u.gmfn = (xen_pfn_t)pvr_port_gfn(pages + PVR_PAGE_SIZE),
			.domid = DOMID_SELF,
			.offset = 100},
		.len = 7,
	};

	if (!pages)
		return wrong("pages", 0);
	if (grant_op(GNTTABOP_query_size, &size) || size.status || size.nr_frames < 2)
		return wrong("query_size", size.status);
	if (grant_op(GNTTABOP_setup_table, &setup) || setup.status || !frames[0] ||
		frames[1] != frames[0] + 1)
		return wrong("setup_table", setup.status);
	strcpy(pages + 8, "pvring");
	if (grant_op(GNTTABOP_copy, &copy) || copy.status ||
		strcmp(pages + PVR_PAGE_SIZE + 100, "pvring"))
		return wrong("copy", copy.status);
	pvr_port_pages_free(pages, 2);
	return 0;
}

int machine_check(void)
{
	return grants() || ports();
}
