/* SPDX-License-Identifier: MIT */
/* What a guest of Xen does whatever kind it is, once only_pvh.c or only_pv.c has found the facts: events, clock, timer. */
#include <pvring/evtchn.h>
#include <pvring/xen/hvm.h>
#include <pvring/xen/sched.h>
#include <pvring/xen/vcpu.h>
#include <pvring/xen/version.h>

#include "guest/hot.h"
#include "guest/kernel.h"
#include "guest/xen.h"
#include "ports/x86/x86.h"

long xen_op(unsigned number, unsigned long command, void *arg)
{
	/* The third argument is a count where there may be several structures, and nothing elsewhere. */
	return pvr_port_hypercall(number, command, (unsigned long)arg, 1);
}

void xen_must(long result, const char *what)
{
	if (result < 0)
		pvr_port_panic(what);
}

static volatile uint64_t armed; /* the deadline that the hypervisor has; 0: none */

static void fired(evtchn_port_t port, void *arg)
{
	(void)port;
	(void)arg;
	armed = 0;
	atomic_fetch_add(&hot_timer_fired, 1);
}

static void xen_timer(uint64_t deadline_ns)
{
	struct vcpu_set_singleshot_timer once = {.timeout_abs_ns = deadline_ns};

	/* One that is armed and no longer wanted does no harm. */
	if (deadline_ns == UINT64_MAX || deadline_ns == armed)
		return;
	armed = deadline_ns;
	pvr_port_hypercall(
		__HYPERVISOR_vcpu_op, VCPUOP_set_singleshot_timer, 0, (unsigned long)&once);
}

static void timer_init(void)
{
	int port = pvr_evtchn_bind_virq(VIRQ_TIMER, 0);

	if (port < 0)
		pvr_port_panic("no port for the timer");
	pvr_evtchn_handler_set((evtchn_port_t)port, fired, NULL);
	pvr_evtchn_unmask((evtchn_port_t)port);
	hot.timer = xen_timer;
}

static void event_interrupt(void)
{
	hot.acknowledge();
	port_upcall();
}

void xen_start(void)
{
	struct xen_hvm_evtchn_upcall_vector vector = {.vector = VECTOR_UPCALL};

	/* The clock first: lines to Xen's console may have to wait for a reader. */
	clock_init(&pvr_boot.shared_info->vcpu_info[0].time);
	machine.xen_version = (uint32_t)xen_op(__HYPERVISOR_xen_version, XENVER_version, NULL);
	xen_must(pvr_init(&pvr_boot), "the library does not start");
	cpu_vector_set(VECTOR_UPCALL, event_interrupt);
	xen_must(xen_op(__HYPERVISOR_hvm_op, HVMOP_set_evtchn_upcall_vector, &vector),
		"no interrupt for events");
	cpu_sti();
	/* One that came before there was a vector makes no interrupt. */
	if (__atomic_load_n(
		    &pvr_boot.shared_info->vcpu_info[0].evtchn_upcall_pending, __ATOMIC_SEQ_CST))
		port_upcall();
	timer_init();
}
