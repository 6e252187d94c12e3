/* SPDX-License-Identifier: MIT */
/* Event channels: masks, handlers, the order of the upcall, and sleeping on a masked port. */
#include "suite.h"
#include "mock_port.h"

#include <pvring/evtchn.h>

#include <errno.h>
#include <pthread.h>
#include <string.h>
#include <unistd.h>

static unsigned runs;
static int raise_again;

static void count_run(evtchn_port_t port, void *arg)
{
	CU_ASSERT_PTR_EQUAL(arg, &runs);
	runs++;
	if (raise_again-- > 0)
		mock_raise(port); /* while the handler runs: must not be lost */
}

static evtchn_port_t handled_port(void)
{
	evtchn_port_t port;

	mock_start();
	runs = 0;
	raise_again = 0;
	port = (evtchn_port_t)pvr_evtchn_alloc_unbound(3);
	CU_ASSERT_EQUAL(pvr_evtchn_handler_set(port, count_run, &runs), 0);
	return port;
}

static void everything_starts_masked(void)
{
	mock_start();
	for (unsigned port = 0; port < EVTCHN_2L_NR_CHANNELS; port++) {
		xen_ulong_t word = mock_boot()->shared_info->evtchn_mask[port / (8 * sizeof(word))];

		/* But for the store's, which the library uses itself. */
		CU_ASSERT_EQUAL(word >> port % (8 * sizeof(word)) & 1, port != MOCK_STORE_PORT);
	}
}

static void masked_port_waits_for_unmask(void)
{
	evtchn_port_t port = handled_port();

	mock_raise(port);
	mock_raise(port);
	CU_ASSERT_EQUAL(runs, 0);
	pvr_evtchn_unmask(port);
	CU_ASSERT_EQUAL(runs, 1);
	mock_raise(port);
	CU_ASSERT_EQUAL(runs, 2);
	pvr_evtchn_mask(port);
	mock_raise(port);
	CU_ASSERT_EQUAL(runs, 2);
	CU_ASSERT_NOT_EQUAL(pvr_evtchn_clear(port), 0);
	CU_ASSERT_EQUAL(pvr_evtchn_clear(port), 0);
}

static void event_during_the_handler_is_not_lost(void)
{
	evtchn_port_t port = handled_port();

	pvr_evtchn_unmask(port);
	raise_again = 3;
	mock_raise(port);
	CU_ASSERT_EQUAL(runs, 4);
}

static void unhandled_port_is_masked_again(void)
{
	evtchn_port_t port = handled_port();

	CU_ASSERT_EQUAL(pvr_evtchn_handler_set(port, NULL, NULL), 0);
	pvr_evtchn_unmask(port);
	mock_raise(port);
	mock_raise(port);
	CU_ASSERT_EQUAL(runs, 0);
	CU_ASSERT_NOT_EQUAL(mock_boot()->shared_info->evtchn_mask[0] >> port & 1, 0);
}

/* The last port of the last word, and what lies beyond. */
static void xsa_342_port_bounds(void)
{
	struct shared_info *shared;
	evtchn_port_t last = (evtchn_port_t)EVTCHN_2L_NR_CHANNELS - 1;

	handled_port();
	shared = mock_boot()->shared_info;
	CU_ASSERT_EQUAL(pvr_evtchn_handler_set(last + 1, count_run, &runs), -EINVAL);
	CU_ASSERT_EQUAL(pvr_evtchn_handler_set(UINT32_MAX, count_run, &runs), -EINVAL);
	CU_ASSERT_EQUAL(pvr_evtchn_handler_set(last, count_run, &runs), 0);
	memset(shared->evtchn_mask, 0, sizeof(shared->evtchn_mask));
	mock_raise(last);
	CU_ASSERT_EQUAL(runs, 1);
	/* Every port at once: those without a handler change nothing. */
	memset(shared->evtchn_pending, 0xff, sizeof(shared->evtchn_pending));
	shared->vcpu_info[0].evtchn_pending_sel = ~(xen_ulong_t)0;
	shared->vcpu_info[0].evtchn_upcall_pending = 1;
	pvr_upcall();
	for (unsigned i = 0; i < 8 * sizeof(xen_ulong_t); i++)
		CU_ASSERT_EQUAL(shared->evtchn_pending[i], 0);
	CU_ASSERT_EQUAL(shared->vcpu_info[0].evtchn_upcall_pending, 0);
	CU_ASSERT_EQUAL(shared->vcpu_info[0].evtchn_pending_sel, 0);
}

static void errors_of_the_hypervisor_come_through(void)
{
	mock_start();
	mock_fail_evtchn(-ENOSPC);
	CU_ASSERT_EQUAL(pvr_evtchn_alloc_unbound(3), -ENOSPC);
	CU_ASSERT_EQUAL(pvr_evtchn_bind_interdomain(3, 9), -ENOSPC);
	CU_ASSERT_EQUAL(pvr_evtchn_bind_virq(VIRQ_TIMER, 0), -ENOSPC);
	CU_ASSERT_EQUAL(pvr_evtchn_notify(5), -ENOSPC);
	mock_fail_evtchn(0);
	CU_ASSERT_EQUAL(pvr_evtchn_notify(5), -EINVAL); /* not open */
}

static void *raise_soon(void *arg)
{
	usleep(20000);
	mock_raise(*(evtchn_port_t *)arg);
	return NULL;
}

static void wait_takes_the_event_or_the_deadline(void)
{
	evtchn_port_t port;
	pthread_t thread;
	uint64_t start;

	mock_start();
	port = (evtchn_port_t)pvr_evtchn_bind_interdomain(3, 9);
	CU_ASSERT_EQUAL(pvr_evtchn_wait(port, 0), 0); /* bound ports start pending */
	CU_ASSERT_EQUAL(pvr_evtchn_wait(port, 0), -ETIMEDOUT);
	start = pvr_port_now_ns();
	CU_ASSERT_EQUAL(pvr_evtchn_wait(port, start + 5000000), -ETIMEDOUT);
	CU_ASSERT(pvr_port_now_ns() - start >= 5000000);
	pthread_create(&thread, NULL, raise_soon, &port);
	CU_ASSERT_EQUAL(pvr_evtchn_wait(port, UINT64_MAX), 0);
	CU_ASSERT_EQUAL(pvr_evtchn_clear(port), 0);
	pthread_join(thread, NULL);
}

static _Atomic int stop;
static _Atomic unsigned late_runs, closed;

static void note_if_closed(evtchn_port_t port, void *arg)
{
	(void)port;
	(void)arg;
	if (closed)
		late_runs++;
}

static void *storm(void *arg)
{
	while (!stop)
		mock_raise(*(evtchn_port_t *)arg);
	return NULL;
}

/* After close has returned no handler runs, however many events still come. */
static void xsa_331_close_while_events_come(void)
{
	static evtchn_port_t port;
	pthread_t thread;

	mock_start();
	stop = 0;
	late_runs = 0;
	port = (evtchn_port_t)pvr_evtchn_alloc_unbound(3);
	pthread_create(&thread, NULL, storm, &port);
	for (int i = 0; i < 200; i++) {
		closed = 0;
		pvr_evtchn_handler_set(port, note_if_closed, NULL);
		pvr_evtchn_unmask(port);
		usleep(10);
		pvr_evtchn_close(port);
		closed = 1;
		usleep(10);
	}
	stop = 1;
	pthread_join(thread, NULL);
	CU_ASSERT_EQUAL(late_runs, 0);
	CU_ASSERT_EQUAL(mock_port_open(port), 0);
}

PVR_SUITE(evtchn, CASE(everything_starts_masked), CASE(masked_port_waits_for_unmask),
	CASE(event_during_the_handler_is_not_lost), CASE(unhandled_port_is_masked_again),
	CASE(xsa_342_port_bounds), CASE(errors_of_the_hypervisor_come_through),
	CASE(wait_takes_the_event_or_the_deadline), CASE(xsa_331_close_while_events_come))
