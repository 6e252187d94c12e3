/* SPDX-License-Identifier: MIT */
/* The guests of ports_test.c: each runs in a process of its own and follows the driver's words. */
#include "ports_test.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <pvring/evtchn.h>
#include <pvring/grant.h>
#include <pvring/hypervisor.h>
#include <pvring/port.h>
#include <pvring/process.h>
#include <pvring/store.h>
#include <pvring/xen/sched.h>
#include <pvring/xen/version.h>

static void attach(void)
{
	int err = pvr_process_attach(dir, domid);

	if (err)
		fprintf(stderr, "ports_test: attach: %s\n", strerror(-err));
	CHECK(err == 0);
}

static void *allocator(void *arg)
{
	unsigned seed = (unsigned)(uintptr_t)arg, bad = 0;

	for (int i = 0; i < 3000; i++) {
		unsigned count = 1 + (unsigned)rand_r(&seed) % 9;
		unsigned char *pages = pvr_port_pages_alloc(count);

		if (!pages)
			continue;
		bad += pages[0] || pages[count * PVR_PAGE_SIZE - 1];
		bad += (uintptr_t)pages % PVR_PAGE_SIZE != 0;
		memset(pages, (int)(uintptr_t)arg, count * PVR_PAGE_SIZE);
		sched_yield();
		for (unsigned page = 0; page < count; page++)
			bad += pages[page * PVR_PAGE_SIZE] != (unsigned char)(uintptr_t)arg;
		pvr_port_pages_free(pages, count);
	}
	return (void *)(uintptr_t)bad;
}

void guest_memory(int fd)
{
	uint64_t total, available, before;
	pthread_t thread[3];
	void *bad;

	attach();
	CHECK(pvr_process_attach(dir, domid) == -EBUSY);
	pvr_process_memory(&total, &before);
	CHECK(total > 4u << 20 && before <= total);
	for (uintptr_t i = 0; i < 3; i++)
		CHECK(!pthread_create(&thread[i], NULL, allocator, (void *)(i + 1)));
	for (int i = 0; i < 3; i++) {
		pthread_join(thread[i], &bad);
		CHECK(!bad);
	}
	pvr_process_memory(&total, &available);
	CHECK(available == before);

	/* To the last page, in one run and one by one. */
	char *all = pvr_port_pages_alloc((unsigned)(available / PVR_PAGE_SIZE));

	if (all) {
		CHECK(!pvr_port_pages_alloc(1));
		pvr_port_pages_free(all, (unsigned)(available / PVR_PAGE_SIZE));
	}
	CHECK(!pvr_port_pages_alloc((unsigned)(available / PVR_PAGE_SIZE) + 1));
	char *a = pvr_port_pages_alloc(3), *b = pvr_port_pages_alloc(1);

	CHECK(a && b && pvr_port_gfn(b) != pvr_port_gfn(a));
	CHECK(pvr_port_gfn(a + 2 * PVR_PAGE_SIZE) == pvr_port_gfn(a) + 2);
	pvr_port_pages_free(a, 3);
	pvr_port_pages_free(b, 1);
	CHECK(pvr_port_hypercall(__HYPERVISOR_xen_version, XENVER_version, 0, 0) > 0);
	CHECK(pvr_port_hypercall(__HYPERVISOR_set_timer_op, 0, 0, 0) == -ENOSYS);
	pvr_process_detach();
	/* And again: the domain comes up anew. */
	usleep(100000);
	attach();
	say(fd, 1);
	pvr_process_detach();
}

/* The calls that go to the daemon with an argument which is more than one structure. */
void guest_tables(int fd)
{
	xen_pfn_t frames[64] = {0};
	struct gnttab_setup_table setup = {.dom = DOMID_SELF, .nr_frames = 4, .frame_list = frames};
	struct gnttab_copy copies[2000];

	attach();
	CHECK(pvr_port_hypercall(__HYPERVISOR_grant_table_op, GNTTABOP_setup_table,
		      (unsigned long)&setup, 1) == 0);
	CHECK(setup.status == GNTST_okay && setup.frame_list == frames);
	for (unsigned i = 0; i < 4; i++)
		CHECK(frames[i] == PVR_HV_FRAME_GRANT + i);
	CHECK(!frames[4]);
	setup.nr_frames = 1u << 20;
	CHECK(pvr_port_hypercall(__HYPERVISOR_grant_table_op, GNTTABOP_setup_table,
		      (unsigned long)&setup, 1) == 0);
	CHECK(setup.status == GNTST_general_error);

	/* More copies than fit a message: all are done, each has its status. */
	char *page = pvr_port_pages_alloc(2);

	for (unsigned i = 0; i < 2000; i++) {
		copies[i] = (struct gnttab_copy){.len = 2, .status = 77};
		copies[i].source.domid = copies[i].dest.domid = DOMID_SELF;
		copies[i].source.u.gmfn = pvr_port_gfn(page);
		copies[i].dest.u.gmfn = pvr_port_gfn(page) + 1;
		copies[i].source.offset = copies[i].dest.offset = (uint16_t)(2 * i);
	}
	copies[1500].len = 4097;
	memset(page, 'x', PVR_PAGE_SIZE);
	CHECK(pvr_port_hypercall(__HYPERVISOR_grant_table_op, GNTTABOP_copy, (unsigned long)copies,
		      2000) == 0);
	for (unsigned i = 0; i < 2000; i++)
		CHECK(copies[i].status == (i == 1500 ? GNTST_bad_copy_arg : GNTST_okay));
	for (unsigned i = 0; i < 4000; i++)
		CHECK(page[PVR_PAGE_SIZE + i] == (i / 2 == 1500 ? 0 : 'x'));
	CHECK(pvr_port_hypercall(__HYPERVISOR_grant_table_op, 999, 0, 1) == -ENOSYS);
	say(fd, 0);
	pvr_process_detach();
}

void guest_grants(int fd)
{
	grant_ref_t refs[PAGES];
	unsigned char *pages;

	attach();
	pages = pvr_port_pages_alloc(PAGES);
	CHECK(pages && pvr_grant_alloc(refs, PAGES) == 0);
	for (unsigned i = 0; i < PAGES; i++) {
		memset(pages + i * PVR_PAGE_SIZE, (int)(0xa0 + i), PVR_PAGE_SIZE);
		pvr_grant_access(refs[i], 0, pvr_port_gfn(pages + i * PVR_PAGE_SIZE), i == 3);
		say(fd, refs[i]);
	}
	hear(fd); /* mapped */
	CHECK(pvr_grant_end(refs[0]) == -EBUSY);
	say(fd, 0);
	hear(fd); /* written and unmapped */
	CHECK(pages[0] == 0x55 && pages[PVR_PAGE_SIZE] == 0x56 && pages[100] == 0x77);
	CHECK(pages[3 * PVR_PAGE_SIZE] == 0xa3);
	for (unsigned i = 0; i < PAGES; i++)
		CHECK(pvr_grant_end(refs[i]) == 0);
	pvr_grant_free(refs, PAGES);
	pvr_process_detach();
}

static _Atomic uint32_t fired;

static void handler(evtchn_port_t port, void *arg)
{
	(void)port;
	(void)arg;
	fired++;
	pvr_port_wake(&fired);
}

/* A masked port's descriptor tells of every event until it is drained, and of none after. */
static void poll_descriptor(evtchn_port_t port)
{
	struct pollfd readable = {.events = POLLIN};

	pvr_process_evtchn_drain(port);
	for (int i = 0; i < 3; i++) {
		readable.fd = pvr_process_evtchn_fd(port);
		CHECK(poll(&readable, 1, 0) == 0);
		CHECK(pvr_evtchn_notify(port) == 0);
		CHECK(poll(&readable, 1, 20000) == 1);
		CHECK(poll(&readable, 1, 0) == 1);
		pvr_process_evtchn_drain(port);
		CHECK(!pvr_evtchn_clear(port));
	}
	CHECK(pvr_process_evtchn_fd(EVTCHN_2L_NR_CHANNELS) == -EINVAL);
}

/* The driver rings, we answer: by polling with a deadline, then with one that has passed. */
static void answer_polled(int fd, evtchn_port_t port)
{
	/* Awake: a deadline that has passed makes the poll return at once. */
	struct sched_poll poll_now = {.ports = &port, .nr_ports = 1, .timeout = 1};

	pvr_evtchn_wait(port, 0);
	say(fd, 0);
	for (int i = 0; i < ROUNDS; i++) {
		CHECK(pvr_evtchn_wait(port, pvr_port_now_ns() + 20 * SECOND) == 0);
		CHECK(pvr_evtchn_notify(port) == 0);
	}
	say(fd, 0);
	for (int i = 0; i < ROUNDS; i++) {
		while (!pvr_evtchn_clear(port))
			pvr_port_hypercall(
				__HYPERVISOR_sched_op, SCHEDOP_poll, (unsigned long)&poll_now, 0);
		CHECK(pvr_evtchn_notify(port) == 0);
	}

	uint64_t start = pvr_port_now_ns();

	while (pvr_evtchn_wait(port, start + SECOND / 20) == 0)
		;
	CHECK(pvr_port_now_ns() - start >= SECOND / 20 && pvr_port_now_ns() - start < 20 * SECOND);
}

/* By handler; what comes while the port is masked waits for the unmask. */
static void answer_by_handler(int fd, evtchn_port_t port)
{
	uint32_t settled;

	pvr_evtchn_handler_set(port, handler, NULL);
	say(fd, 0);
	hear(fd);
	usleep(20000);
	CHECK(fired == 0);
	pvr_evtchn_unmask(port);
	while (fired == 0)
		pvr_port_wait(&fired, 0, pvr_port_now_ns() + 20 * SECOND);
	settled = fired;
	say(fd, 0);
	for (uint32_t i = 0; i < ROUNDS; i++) {
		while (fired - settled <= i)
			pvr_port_wait(&fired, settled + i, pvr_port_now_ns() + 20 * SECOND);
		CHECK(fired - settled == i + 1);
		CHECK(pvr_evtchn_notify(port) == 0);
	}

	/* Masked again: the handler stays away, and nothing is lost. */
	pvr_evtchn_mask(port);
	settled = fired;
	say(fd, 0);
	hear(fd);
	usleep(20000);
	CHECK(fired == settled);
	pvr_evtchn_unmask(port);
	for (int i = 0; i < 20000 && fired == settled; i++)
		usleep(1000);
	CHECK(fired == settled + 1);
}

static long sched_poll(struct sched_poll *poll)
{
	return pvr_port_hypercall(__HYPERVISOR_sched_op, SCHEDOP_poll, (unsigned long)poll, 0);
}

/* Two ports at once, one of which we ring ourselves; and what SCHEDOP_poll refuses. */
static void poll_two(evtchn_port_t port)
{
	struct evtchn_bind_ipi ipi = {.vcpu = 0};

	CHECK(pvr_port_hypercall(__HYPERVISOR_event_channel_op, EVTCHNOP_bind_ipi,
		      (unsigned long)&ipi, 0) == 0);
	pvr_evtchn_mask(port);
	pvr_evtchn_wait(port, 1);

	evtchn_port_t both[2] = {port, ipi.port};
	struct sched_poll poll_both = {.ports = both, .nr_ports = 2};

	CHECK(pvr_evtchn_notify(ipi.port) == 0);
	for (int i = 0; i < 2 && !pvr_evtchn_clear(ipi.port); i++) {
		pvr_evtchn_clear(port);
		poll_both.timeout = pvr_port_now_ns() + 20 * SECOND;
		CHECK(sched_poll(&poll_both) == 0);
		CHECK(pvr_port_now_ns() < poll_both.timeout);
	}
	poll_both.nr_ports = 129;
	CHECK(sched_poll(&poll_both) == -EINVAL);
	poll_descriptor(ipi.port);
	pvr_evtchn_close(ipi.port);
	CHECK(pvr_process_evtchn_fd(ipi.port) == -EINVAL);
	poll_both.ports = &both[1];
	poll_both.nr_ports = 1;
	CHECK(sched_poll(&poll_both) == -EINVAL);
	/* Upcalls have run which this thread has not slept for. */
	CHECK(pvr_port_hypercall(__HYPERVISOR_sched_op, SCHEDOP_block, 0, 0) == 0);
}

void guest_events(int fd)
{
	int port;

	attach();
	port = pvr_evtchn_alloc_unbound(0);
	CHECK(port > 0);
	say(fd, (uint64_t)port);
	hear(fd);
	answer_polled(fd, (evtchn_port_t)port);
	answer_by_handler(fd, (evtchn_port_t)port);
	poll_two((evtchn_port_t)port);
	pvr_evtchn_close((evtchn_port_t)port);
	CHECK(pvr_evtchn_notify((evtchn_port_t)port) == -EINVAL);
	CHECK(pvr_evtchn_notify(0) == -EINVAL && pvr_evtchn_notify(1u << 20) == -EINVAL);
	say(fd, 0);
	pvr_process_detach();
}

void guest_store(int fd)
{
	struct pvr_store_watch watch = {0};
	char value[64];

	attach();
	CHECK(pvr_store_watch(&watch, "data/from-host") == 0);
	CHECK(pvr_store_write(0, "data/from-guest", "hello") == 0);
	say(fd, 0);
	hear(fd);
	uint64_t deadline = pvr_port_now_ns() + 20 * SECOND;

	while (pvr_store_read(0, "data/from-host", value, sizeof(value)) < 0)
		CHECK(pvr_store_wait(&watch, watch.fired, deadline) == 0);
	CHECK(!strcmp(value, "hello yourself"));
	pvr_store_unwatch(&watch);
	say(fd, 0);
	pvr_process_detach();
}

/* Grants a page and a port, then lives until it is killed, ending the grant when told to. */
void guest_victim(int fd)
{
	grant_ref_t ref;
	uint64_t word;

	attach();
	uint64_t *page = pvr_port_pages_alloc(1);
	int port = pvr_evtchn_alloc_unbound(0);

	CHECK(page && port > 0 && pvr_grant_alloc(&ref, 1) == 0);
	*page = (uint64_t)getpid();
	pvr_grant_access(ref, 0, pvr_port_gfn(page), 0);
	say(fd, ref);
	say(fd, (uint64_t)port);
	while ((word = hear(fd)))
		say(fd, (uint64_t)(word == 1 ? -pvr_grant_end(ref) : 0));
	/* The daemon was killed. */
	usleep(100000);
	CHECK(pvr_evtchn_alloc_unbound(0) == -ECONNRESET);
	CHECK(pvr_evtchn_alloc_unbound(0) == -ECONNRESET);
	say(fd, 0);
}

/*
 * A guest that goes behind the port's back: it makes its descriptors blocking and fills every
 * counter it can reach, which must stop nobody but itself.
 */
void guest_hostile(int fd)
{
	struct pvr_hv_attach attachment = {.domid = domid, .word_size = sizeof(long)};
	struct evtchn_alloc_unbound unbound = {.dom = DOMID_SELF, .remote_dom = 0};
	struct pvr_hv_boot boot;
	size_t length = sizeof(boot);
	uint64_t full = UINT64_MAX - 1;
	unsigned count = 3;
	int fds[3], channel[2];
	int control = pvr_hv_connect(dir);

	CHECK(pvr_hv_call(control, PVR_HV_ATTACH, &attachment, sizeof(attachment), &boot, &length,
		      fds, &count) == 0);
	count = 2;
	CHECK(pvr_hv_hypercall(control, __HYPERVISOR_event_channel_op, EVTCHNOP_alloc_unbound,
		      &unbound, sizeof(unbound), 1, channel, &count) == 0);
	CHECK(write(channel[0], &full, sizeof(full)) < 0);
	for (int i = 0; i < 2; i++)
		CHECK(fcntl(channel[i], F_SETFL, 0) == 0 && fcntl(fds[1 + i], F_SETFL, 0) == 0);
	say(fd, unbound.port);
	hear(fd); /* bound */
	CHECK(write(channel[0], &full, sizeof(full)) < 0);
	fcntl(channel[1], F_SETFL, O_NONBLOCK);
	while (write(channel[1], &full, sizeof(full)) == sizeof(full) && full > 1)
		full /= 2;
	fcntl(channel[1], F_SETFL, 0);
	say(fd, 0);
	hear(fd);
}
