/* SPDX-License-Identifier: MIT */
/*
 * Event channels by the two-level ABI: a vCPU's selector word says which words of the pending
 * bitmap to look at, a masked port is skipped. Layout and order: Xen's public xen.h (struct
 * vcpu_info, shared_info).
 */
#include <pvring/evtchn.h>
#include <pvring/xen/sched.h>

#include "internal.h"

#include <errno.h>

#define PORTS     ((uint32_t)EVTCHN_2L_NR_CHANNELS)
#define WORD_BITS ((uint32_t)sizeof(xen_ulong_t) * 8)

struct handler {
	pvr_evtchn_handler run;
	void *arg;
};

static struct handler *handlers; /* PORTS of them; under the port lock */

static xen_ulong_t *pending_word(evtchn_port_t port)
{
	return &pvr_boot_facts.shared_info->evtchn_pending[port / WORD_BITS];
}

static xen_ulong_t *mask_word(evtchn_port_t port)
{
	return &pvr_boot_facts.shared_info->evtchn_mask[port / WORD_BITS];
}

static xen_ulong_t bit_of(evtchn_port_t port)
{
	return (xen_ulong_t)1 << port % WORD_BITS;
}

int pvr_evtchn_init(void)
{
	handlers = pvr_port_pages_alloc(
		(unsigned)((PORTS * sizeof(*handlers) + PVR_PAGE_SIZE - 1) / PVR_PAGE_SIZE));
	if (!handlers)
		return -ENOMEM;
	for (evtchn_port_t port = 0; port < PORTS; port += WORD_BITS)
		__atomic_store_n(mask_word(port), ~(xen_ulong_t)0, __ATOMIC_SEQ_CST);
	return 0;
}

static int event_op(unsigned command, void *arg)
{
	return (int)pvr_port_hypercall(
		__HYPERVISOR_event_channel_op, command, (unsigned long)(uintptr_t)arg, 0);
}

int pvr_evtchn_alloc_unbound(domid_t peer)
{
	struct evtchn_alloc_unbound op = {.dom = DOMID_SELF, .remote_dom = peer};
	int r = event_op(EVTCHNOP_alloc_unbound, &op);

	return r < 0 ? r : (int)op.port;
}

int pvr_evtchn_bind_interdomain(domid_t peer, evtchn_port_t remote)
{
	struct evtchn_bind_interdomain op = {.remote_dom = peer, .remote_port = remote};
	int r = event_op(EVTCHNOP_bind_interdomain, &op);

	return r < 0 ? r : (int)op.local_port;
}

int pvr_evtchn_bind_virq(uint32_t virq, uint32_t vcpu)
{
	struct evtchn_bind_virq op = {.virq = virq, .vcpu = vcpu};
	int r = event_op(EVTCHNOP_bind_virq, &op);

	return r < 0 ? r : (int)op.port;
}

void pvr_evtchn_close(evtchn_port_t port)
{
	struct evtchn_close op = {.port = port};

	/* Masked first: the number may be given out again, and ports come masked. */
	pvr_evtchn_mask(port);
	pvr_evtchn_handler_set(port, 0, 0);
	event_op(EVTCHNOP_close, &op);
}

/* Handlers run with the port lock held, so behind the lock the old one has returned. */
int pvr_evtchn_handler_set(evtchn_port_t port, pvr_evtchn_handler run, void *arg)
{
	if (port >= PORTS)
		return -EINVAL;
	pvr_port_lock();
	handlers[port] = (struct handler){.run = run, .arg = arg};
	pvr_port_unlock();
	return 0;
}

void pvr_evtchn_mask(evtchn_port_t port)
{
	__atomic_fetch_or(mask_word(port), bit_of(port), __ATOMIC_SEQ_CST);
}

void pvr_evtchn_unmask(evtchn_port_t port)
{
	struct evtchn_unmask op = {.port = port};

	event_op(EVTCHNOP_unmask, &op);
}

int pvr_evtchn_notify(evtchn_port_t port)
{
	struct evtchn_send op = {.port = port};
	int r = event_op(EVTCHNOP_send, &op);

	return r < 0 ? r : 0;
}

/*
 * CLEAR, partner: the sender's setting of the bit. Sequentially consistent and before whatever the
 * bit announces is looked at: cleared afterwards, it would wipe out an event that came during the
 * look.
 */
int pvr_evtchn_clear(evtchn_port_t port)
{
	xen_ulong_t bit = bit_of(port);

	return (__atomic_fetch_and(pending_word(port), ~bit, __ATOMIC_SEQ_CST) & bit) != 0;
}

static int clear_any(const evtchn_port_t *ports, unsigned count)
{
	int any = 0;

	for (unsigned i = 0; i < count; i++)
		any |= pvr_evtchn_clear(ports[i]);
	return any;
}

int pvr_evtchn_wait_any(const evtchn_port_t *ports, unsigned count, uint64_t deadline_ns)
{
	struct sched_poll poll = {.ports = (evtchn_port_t *)(uintptr_t)ports, .nr_ports = count};
	long r;

	if (clear_any(ports, count))
		return 0;
	/* For the hypervisor 0 is no deadline; one that has passed makes it look, and not sleep. */
	poll.timeout = deadline_ns == UINT64_MAX ? 0 : deadline_ns ? deadline_ns : 1;
	r = pvr_port_hypercall(
		__HYPERVISOR_sched_op, SCHEDOP_poll, (unsigned long)(uintptr_t)&poll, 0);
	if (clear_any(ports, count))
		return 0;
	if (r < 0)
		return (int)r;
	return pvr_port_now_ns() >= deadline_ns ? -ETIMEDOUT : 0;
}

int pvr_evtchn_wait(evtchn_port_t port, uint64_t deadline_ns)
{
	return pvr_evtchn_wait_any(&port, 1, deadline_ns);
}

/* ---- upcall ---- */

static void deliver(evtchn_port_t port)
{
	pvr_port_lock();
	/* Another vCPU may have been here between our look at the word and the lock. */
	if (pvr_evtchn_clear(port)) {
		struct handler handler = handlers[port];

		if (handler.run)
			handler.run(port, handler.arg);
		else
			pvr_evtchn_mask(port);
	}
	pvr_port_unlock();
}

static void scan_word(unsigned word)
{
	evtchn_port_t first = word * WORD_BITS;
	xen_ulong_t bits = __atomic_load_n(pending_word(first), __ATOMIC_SEQ_CST) &
			   ~__atomic_load_n(mask_word(first), __ATOMIC_SEQ_CST);

	for (; bits; bits &= bits - 1)
		deliver(first + (unsigned)__builtin_ctzl(bits));
}

/*
 * UPCALL, partner: the hypervisor, which sets port, selector, upcall_pending in that order. Each is
 * taken back by an exchange before the level below it is looked at; a plain load and store would
 * lose a bit set between the two, and with it the event until the next one.
 *
 * Another turn is made only when the hypervisor raised upcall_pending again meanwhile, which costs
 * a peer an event each time; what it may send is the hypervisor's to limit.
 */
void pvr_upcall(void)
{
	unsigned cpu = pvr_port_vcpu();
	struct vcpu_info *vcpu;

	if (cpu >= XEN_LEGACY_MAX_VCPUS)
		pvr_port_panic("evtchn: upcall on a vCPU which the shared page has no room for");
	vcpu = &pvr_boot_facts.shared_info->vcpu_info[cpu];
	do {
		xen_ulong_t words;

		__atomic_exchange_n(&vcpu->evtchn_upcall_pending, 0, __ATOMIC_SEQ_CST);
		words = __atomic_exchange_n(&vcpu->evtchn_pending_sel, 0, __ATOMIC_SEQ_CST);
		for (; words; words &= words - 1)
			scan_word((unsigned)__builtin_ctzl(words));
	} while (__atomic_load_n(&vcpu->evtchn_upcall_pending, __ATOMIC_SEQ_CST));
}
