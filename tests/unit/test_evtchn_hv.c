/* SPDX-License-Identifier: MIT */
/* The hypervisor's event channel tables, with rows of advisories about them. */
#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <unistd.h>

#include <pvring/xen/xen.h>

#include "../../hypervisor/evtchn.h"
#include "suite.h"

static struct hv_pair_budget budget;

/* A domain's table. Guests have 1024 ports or 4096, and guards. */
static struct hv_ports table(domid_t domid, unsigned word_size)
{
	struct hv_ports t = {
		.vcpus = 2,
		.domid = domid,
		.guarded = domid != 0,
		.word_size = word_size,
		.budget = &budget,
	};

	budget.max = 20000;
	hv_event_init();
	CU_ASSERT_EQUAL_FATAL(hv_ports_init(&t, HV_PORTS_2L(word_size)), 0);
	return t;
}

static void end(struct hv_ports *t)
{
	hv_ports_fini(t);
	CU_ASSERT_EQUAL(t->open, 0);
}

/* An event came, as a guest (an epoll descriptor) or dom0 (the eventfd) sees it; taken. */
static int took(const struct hv_ports *t, int port)
{
	struct epoll_event event;
	struct pollfd p = {.events = POLLIN};
	uint64_t count;
	int rx = hv_port_rx(hv_port_get(t, (evtchn_port_t)port));

	if (t->guarded)
		return epoll_wait(rx, &event, 1, 0) == 1;
	p.fd = rx;
	return poll(&p, 1, 0) == 1 && read(rx, &count, sizeof(count)) == sizeof(count);
}

static uint32_t state(const struct hv_ports *t, evtchn_port_t port)
{
	struct evtchn_status s = {.port = port};

	return hv_port_status(t, &s) ? ~0u : s.status;
}

static void interdomain_life(void)
{
	struct hv_ports guest = table(5, 8), dom0 = table(0, 8);
	struct evtchn_status s = {.port = 1};
	int far = hv_port_alloc_unbound(&guest, 0, 0);

	CU_ASSERT_EQUAL(far, 1);
	CU_ASSERT_EQUAL(hv_port_send(&guest, 1), 0); /* nobody there: dropped */
	CU_ASSERT_EQUAL(hv_port_bind_interdomain(&dom0, &guest, 2, 9), -EINVAL);
	CU_ASSERT_EQUAL(hv_port_bind_interdomain(&guest, &guest, 1, 9), -EINVAL); /* not for us */
	int near = hv_port_bind_interdomain(&dom0, &guest, 1, 9);

	CU_ASSERT_EQUAL(near, 1);
	CU_ASSERT_EQUAL(hv_port_bind_interdomain(&dom0, &guest, 1, 9), -EINVAL); /* taken */
	CU_ASSERT(took(&dom0, near));
	CU_ASSERT(!took(&dom0, near));
	CU_ASSERT(!took(&guest, far));
	CU_ASSERT_EQUAL(hv_port_send(&dom0, 1), 0);
	CU_ASSERT(took(&guest, far));
	CU_ASSERT_EQUAL(hv_port_send(&guest, 1), 0);
	CU_ASSERT(took(&dom0, near));
	CU_ASSERT_EQUAL(hv_port_status(&guest, &s), 0);
	CU_ASSERT_EQUAL(s.status, EVTCHNSTAT_interdomain);
	CU_ASSERT_EQUAL(s.u.interdomain.dom, 0);
	CU_ASSERT_EQUAL(s.u.interdomain.port, 1);
	/*
	 * Closed on one side, unbound on the other, which waits for the same domain: bound again.
	 */
	CU_ASSERT_EQUAL(hv_port_close(&dom0, 1), 0);
	CU_ASSERT_EQUAL(hv_port_close(&dom0, 1), -EINVAL);
	CU_ASSERT_EQUAL(state(&guest, 1), EVTCHNSTAT_unbound);
	CU_ASSERT(!took(&guest, far)); /* Xen sends none for a plain close */
	near = hv_port_bind_interdomain(&dom0, &guest, 1, 9);
	CU_ASSERT_EQUAL(near, 1);
	CU_ASSERT_EQUAL(hv_port_send(&dom0, 1), 0);
	CU_ASSERT(took(&guest, far));
	/* Death wakes the peer. */
	hv_ports_reset(&dom0, 9, 1);
	CU_ASSERT(took(&guest, far));
	CU_ASSERT_EQUAL(dom0.open, 0);
	end(&guest);
	end(&dom0);
	CU_ASSERT_EQUAL(budget.used, 0);
}

static void loop_to_oneself(void)
{
	struct hv_ports guest = table(5, 4);
	int far = hv_port_alloc_unbound(&guest, 5, 0);
	int near = hv_port_bind_interdomain(&guest, &guest, (evtchn_port_t)far, 0);

	CU_ASSERT_EQUAL(near, 2);
	took(&guest, near);
	CU_ASSERT_EQUAL(hv_port_send(&guest, 1), 0);
	CU_ASSERT(took(&guest, near));
	CU_ASSERT(!took(&guest, far));
	end(&guest);
	CU_ASSERT_EQUAL(budget.used, 0);
}

static void interrupts(void)
{
	struct hv_ports guest = table(5, 8);
	int ipi = hv_port_bind_ipi(&guest, 1, 0);
	int timer = hv_port_bind_virq(&guest, VIRQ_TIMER, 1, 0);
	int exc = hv_port_bind_virq(&guest, VIRQ_DOM_EXC, 0, 0);

	CU_ASSERT_EQUAL(hv_port_bind_ipi(&guest, 2, 0), -ENOENT);
	CU_ASSERT_EQUAL(hv_port_bind_virq(&guest, VIRQ_TIMER, 1, 0), -EEXIST);
	CU_ASSERT_EQUAL(hv_port_bind_virq(&guest, VIRQ_TIMER, 2, 0), -ENOENT);
	CU_ASSERT_EQUAL(hv_port_bind_virq(&guest, VIRQ_DOM_EXC, 1, 0), -EINVAL);
	CU_ASSERT_EQUAL(hv_port_bind_virq(&guest, NR_VIRQS, 0, 0), -EINVAL);
	CU_ASSERT_EQUAL(hv_port_bind_virq(&guest, UINT32_MAX, 0, 0), -EINVAL);
	CU_ASSERT_EQUAL(hv_port_send(&guest, (evtchn_port_t)ipi), 0);
	CU_ASSERT(took(&guest, ipi));
	CU_ASSERT_EQUAL(hv_port_send(&guest, (evtchn_port_t)timer), -EINVAL);
	hv_ports_raise_virq(&guest, VIRQ_DOM_EXC);
	CU_ASSERT(took(&guest, exc));
	CU_ASSERT(!took(&guest, timer));
	/*
	 * An IPI and a vCPU's own interrupt stay where they are; a global one moves, and stays one.
	 */
	CU_ASSERT_EQUAL(hv_port_bind_vcpu(&guest, (evtchn_port_t)ipi, 0), -EINVAL);
	CU_ASSERT_EQUAL(hv_port_bind_vcpu(&guest, (evtchn_port_t)timer, 0), -EINVAL);
	CU_ASSERT_EQUAL(hv_port_bind_vcpu(&guest, (evtchn_port_t)exc, 2), -ENOENT);
	CU_ASSERT_EQUAL(hv_port_bind_vcpu(&guest, (evtchn_port_t)exc, 1), 0);
	CU_ASSERT_EQUAL(hv_port_bind_virq(&guest, VIRQ_DOM_EXC, 0, 0), -EEXIST);
	end(&guest);
}

static void unmask_delivers_what_waits(void)
{
	static const unsigned widths[] = {4, 8};

	for (int i = 0; i < 2; i++) {
		static _Alignas(8) uint8_t page[4096];
		const unsigned words = widths[i] * widths[i] * 8;
		struct hv_ports guest = table(5, widths[i]);
		int port = hv_port_bind_ipi(&guest, 0, 0);

		memset(page, 0, sizeof(page));
		guest.shared_info = page;
		page[2048 + words] = 0xff; /* all masked */
		CU_ASSERT_EQUAL(hv_port_unmask(&guest, (evtchn_port_t)port), 0);
		CU_ASSERT_EQUAL(page[2048 + words], 0xfd);
		CU_ASSERT(!took(&guest, port));
		page[2048] = 2;
		CU_ASSERT_EQUAL(hv_port_unmask(&guest, (evtchn_port_t)port), 0);
		CU_ASSERT(took(&guest, port));
		CU_ASSERT_EQUAL(hv_port_unmask(&guest, 2), -EINVAL);
		end(&guest);
	}
}

/* Polling, sending to, closing every port there could be. */
static void xsa_221_ports_that_are_not(void)
{
	struct hv_ports guest = table(5, 8);
	static const evtchn_port_t beyond[] = {
		4096, 4097, 1u << 17, INT32_MAX, 1u << 31, UINT32_MAX};

	for (evtchn_port_t port = 0; port < 4096; port++) {
		CU_ASSERT_EQUAL_FATAL(hv_port_send(&guest, port), -EINVAL);
		CU_ASSERT_EQUAL_FATAL(hv_port_close(&guest, port), -EINVAL);
		CU_ASSERT_EQUAL_FATAL(hv_port_unmask(&guest, port), -EINVAL);
		CU_ASSERT_EQUAL_FATAL(hv_port_bind_vcpu(&guest, port, 0), -EINVAL);
		CU_ASSERT_EQUAL_FATAL(state(&guest, port), EVTCHNSTAT_closed);
	}
	for (size_t i = 0; i < sizeof(beyond) / sizeof(beyond[0]); i++) {
		CU_ASSERT_EQUAL(hv_port_send(&guest, beyond[i]), -EINVAL);
		CU_ASSERT_EQUAL(hv_port_close(&guest, beyond[i]), -EINVAL);
		CU_ASSERT_EQUAL(state(&guest, beyond[i]), ~0u);
		CU_ASSERT_EQUAL(hv_port_bind_interdomain(&guest, &guest, beyond[i], 0), -EINVAL);
	}
	end(&guest);
}

static void xsa_342_port_1024_of_a_32_bit_guest(void)
{
	struct hv_ports guest = table(5, 4);

	CU_ASSERT_EQUAL(state(&guest, 1023), EVTCHNSTAT_closed);
	CU_ASSERT_EQUAL(state(&guest, 1024), ~0u);
	CU_ASSERT_EQUAL(hv_port_send(&guest, 1024), -EINVAL);
	CU_ASSERT_EQUAL(hv_port_bind_interdomain(&guest, &guest, 1024, 0), -EINVAL);
	end(&guest);
}

/* With the table full nothing more is bound, nothing is half bound, and one closed port is one
 * free. */
static void xsa_496_505_exhausted_then_bind(void)
{
	struct hv_ports guest = table(5, 4), dom0 = table(0, 4);
	struct rlimit files;
	int waits = hv_port_alloc_unbound(&dom0, 5, 1);

	getrlimit(RLIMIT_NOFILE, &files);
	files.rlim_cur = files.rlim_max;
	setrlimit(RLIMIT_NOFILE, &files);
	for (int i = 1; i < 1024; i++)
		CU_ASSERT_EQUAL_FATAL(hv_port_bind_ipi(&guest, 0, 0), i);
	CU_ASSERT_EQUAL(hv_port_bind_ipi(&guest, 0, 0), -ENOSPC);
	CU_ASSERT_EQUAL(hv_port_bind_virq(&guest, VIRQ_TIMER, 0, 0), -ENOSPC);
	CU_ASSERT_EQUAL(hv_port_alloc_unbound(&guest, 0, 0), -ENOSPC);
	CU_ASSERT_EQUAL(hv_port_bind_interdomain(&guest, &dom0, (evtchn_port_t)waits, 0), -ENOSPC);
	CU_ASSERT_EQUAL(state(&dom0, (evtchn_port_t)waits), EVTCHNSTAT_unbound);
	CU_ASSERT_EQUAL(hv_port_close(&guest, 77), 0);
	CU_ASSERT_EQUAL(hv_port_bind_interdomain(&guest, &dom0, (evtchn_port_t)waits, 0), 77);
	CU_ASSERT_EQUAL(hv_port_close(&guest, 78), 0);
	CU_ASSERT_EQUAL(hv_port_bind_virq(&guest, VIRQ_TIMER, 0, 0), 78);
	end(&guest);
	end(&dom0);
	CU_ASSERT_EQUAL(budget.used, 0);
}

static void out_of_descriptors(void)
{
	struct hv_ports guest = table(5, 4), dom0 = table(0, 8);
	int waits = hv_port_alloc_unbound(&dom0, 5, 1);

	for (unsigned more = 0; more < 3; more++) {
		budget.max =
			budget.used + more; /* an unbound port takes three: a pair and a guard */
		CU_ASSERT_EQUAL(hv_port_alloc_unbound(&guest, 0, 0), -ENOMEM);
		CU_ASSERT_EQUAL(guest.open, 0);
		CU_ASSERT_EQUAL(budget.used, 2);
	}
	budget.max = budget.used;
	CU_ASSERT_EQUAL(hv_port_bind_interdomain(&guest, &dom0, (evtchn_port_t)waits, 0), -ENOMEM);
	CU_ASSERT_EQUAL(state(&dom0, (evtchn_port_t)waits), EVTCHNSTAT_unbound);
	budget.max++;
	CU_ASSERT_EQUAL(hv_port_bind_interdomain(&guest, &dom0, (evtchn_port_t)waits, 0), 1);
	end(&guest);
	end(&dom0);
	CU_ASSERT_EQUAL(budget.used, 0);
}

static void xsa_338_343_reset_of_all_ports(void)
{
	struct hv_ports guest = table(5, 4), dom0 = table(0, 8);

	for (int i = 1; i < 1024; i++) {
		CU_ASSERT_EQUAL_FATAL(hv_port_alloc_unbound(&guest, 0, 0), i);
		if (i % 2)
			CU_ASSERT(hv_port_bind_interdomain(&dom0, &guest, (evtchn_port_t)i, 7) > 0);
	}
	hv_ports_reset(&guest, 0, 0);
	CU_ASSERT_EQUAL(guest.open, 0);
	CU_ASSERT_EQUAL(dom0.open, 512);
	for (evtchn_port_t i = 1; i <= 512; i++) {
		CU_ASSERT_EQUAL(state(&dom0, i), EVTCHNSTAT_unbound);
		CU_ASSERT_EQUAL(
			hv_port_send(&dom0, i), 0); /* into the void, not into a freed port */
	}
	/* A client's reset leaves the others' ports. */
	int other = hv_port_alloc_unbound(&dom0, 5, 8);

	hv_ports_reset(&dom0, 7, 1);
	CU_ASSERT_EQUAL(dom0.open, 1);
	CU_ASSERT_EQUAL(state(&dom0, (evtchn_port_t)other), EVTCHNSTAT_unbound);
	CU_ASSERT_EQUAL(hv_port_alloc_unbound(&guest, 0, 0), 1);
	end(&guest);
	end(&dom0);
	CU_ASSERT_EQUAL(budget.used, 0);
}

PVR_SUITE(evtchn_hv, CASE(interdomain_life), CASE(loop_to_oneself), CASE(interrupts),
	CASE(unmask_delivers_what_waits), CASE(xsa_221_ports_that_are_not),
	CASE(xsa_342_port_1024_of_a_32_bit_guest), CASE(xsa_496_505_exhausted_then_bind),
	CASE(out_of_descriptors), CASE(xsa_338_343_reset_of_all_ports))
