/* SPDX-License-Identifier: MIT */
/*
 * The two ports against the real daemon: a guest process (pvring/port.h), a backend process
 * (pvring/host.h), and kill -9 of each of the three. The parent drives: it holds a host handle of
 * its own and talks to its children over socket pairs, one number at a time. Prints the times it
 * saw; they are no test.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <pvring/evtchn.h>
#include <pvring/grant.h>
#include <pvring/host.h>
#include <pvring/hypervisor.h>
#include <pvring/port.h>
#include <pvring/process.h>
#include <pvring/store.h>
#include <pvring/xen/sched.h>
#include <pvring/xen/version.h>

#define ROUNDS 20000
#define SECOND 1000000000ull
#define PAGES  4

static char dir[] = "/tmp/pvring-ports-XXXXXX";
static pid_t driver;
static uint32_t domid;
static unsigned checks, failures;

/* A failed check in a child ends it, which the parent notices at its next word. */
static void check(int good, const char *what, int line)
{
	checks++;
	if (good)
		return;
	fprintf(stderr, "ports_test: line %d: %s (process %d)\n", line, what, (int)getpid());
	failures++;
	if (getpid() != driver)
		_exit(1);
}

#define CHECK(condition) check((condition) != 0, #condition, __LINE__)

/* ---- children -------------------------------------------------------------------------------- */

struct child {
	pid_t pid;
	int fd;
};

static void say(int fd, uint64_t number)
{
	if (send(fd, &number, sizeof(number), MSG_NOSIGNAL) != sizeof(number))
		CHECK(!"the other side is there");
}

static uint64_t hear(int fd)
{
	struct pollfd readable = {.fd = fd, .events = POLLIN};
	uint64_t number = UINT64_MAX;

	if (poll(&readable, 1, 20000) != 1 || recv(fd, &number, sizeof(number), 0) <= 0)
		CHECK(!"the other side answers");
	return number;
}

static struct child spawn(void (*run)(int fd))
{
	int pair[2];
	struct child child;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pair) || (child.pid = fork()) < 0)
		exit(1);
	if (child.pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		close(pair[0]);
		run(pair[1]);
		_exit(failures != 0);
	}
	close(pair[1]);
	child.fd = pair[0];
	return child;
}

static void child_kill(struct child *child)
{
	kill(child->pid, SIGKILL);
	waitpid(child->pid, NULL, 0);
	close(child->fd);
}

static void child_end(struct child *child)
{
	int status = 1;

	waitpid(child->pid, &status, 0);
	CHECK(status == 0);
	close(child->fd);
}

/* ---- the daemon ------------------------------------------------------------------------------ */

static struct child hypervisor;

static void run_hypervisor(int fd)
{
	struct pvr_hv_config config = {.dir = dir, .ready_fd = fd, .parent_dies = 1};

	_exit(pvr_hypervisor_run(&config) != 0);
}

static void domain_create(void)
{
	struct pvr_hv_create create = {.name = "guest", .memory_bytes = 8u << 20, .vcpus = 1};
	size_t length = sizeof(domid);
	int control = pvr_hv_connect(dir);

	create.uid = getuid();
	CHECK(control >= 0);
	CHECK(pvr_hv_call(control, PVR_HV_DOMAIN_CREATE, &create, sizeof(create), &domid, &length,
		      NULL, NULL) == 0);
	close(control);
}

static struct pvr_hv_domain domain_info(void)
{
	struct pvr_hv_domain info = {0};
	size_t length = sizeof(info);
	int control = pvr_hv_connect(dir);

	CHECK(control >= 0);
	CHECK(pvr_hv_call(control, PVR_HV_DOMAIN_LIST, &domid, sizeof(domid), &info, &length, NULL,
		      NULL) == 0);
	CHECK(length == sizeof(info) && info.domid == domid);
	close(control);
	return info;
}

/* The daemon learns of a death by pidfd or hang-up, a moment later. */
static struct pvr_hv_domain domain_wait(uint32_t state, uint32_t mapped)
{
	struct pvr_hv_domain info = domain_info();

	for (int i = 0; i < 500 && (info.state != state || info.grants_mapped != mapped); i++) {
		usleep(10000);
		info = domain_info();
	}
	CHECK(info.state == state);
	CHECK(info.grants_mapped == mapped);
	return info;
}

/* ---- guest ----------------------------------------------------------------------------------- */

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

static void guest_memory(int fd)
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
static void guest_tables(int fd)
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

static void guest_grants(int fd)
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

static void guest_events(int fd)
{
	attach();
	int port = pvr_evtchn_alloc_unbound(0);

	CHECK(port > 0);
	say(fd, (uint64_t)port);
	hear(fd);

	/* Polled. */
	pvr_evtchn_wait((evtchn_port_t)port, 0);
	say(fd, 0);
	for (int i = 0; i < ROUNDS; i++) {
		CHECK(pvr_evtchn_wait((evtchn_port_t)port, pvr_port_now_ns() + 5 * SECOND) == 0);
		CHECK(pvr_evtchn_notify((evtchn_port_t)port) == 0);
	}
	/* Awake: a deadline that has passed makes the poll return at once. */
	struct sched_poll poll_now = {
		.ports = &(evtchn_port_t){(evtchn_port_t)port}, .nr_ports = 1, .timeout = 1};

	say(fd, 0);
	for (int i = 0; i < ROUNDS; i++) {
		while (!pvr_evtchn_clear((evtchn_port_t)port))
			pvr_port_hypercall(
				__HYPERVISOR_sched_op, SCHEDOP_poll, (unsigned long)&poll_now, 0);
		CHECK(pvr_evtchn_notify((evtchn_port_t)port) == 0);
	}
	uint64_t start = pvr_port_now_ns();

	while (pvr_evtchn_wait((evtchn_port_t)port, start + SECOND / 20) == 0)
		;
	CHECK(pvr_port_now_ns() - start >= SECOND / 20 && pvr_port_now_ns() - start < SECOND);

	/* By handler; one event that came while masked is delivered by unmask. */
	pvr_evtchn_handler_set((evtchn_port_t)port, handler, NULL);
	say(fd, 0);
	hear(fd);
	usleep(20000);
	CHECK(fired == 0);
	pvr_evtchn_unmask((evtchn_port_t)port);
	for (uint32_t seen; (seen = fired) == 0;)
		pvr_port_wait(&fired, seen, pvr_port_now_ns() + 5 * SECOND);
	uint32_t settled = fired;

	say(fd, 0);
	for (uint32_t i = 0; i < ROUNDS; i++) {
		while (fired - settled <= i)
			pvr_port_wait(&fired, settled + i, pvr_port_now_ns() + 5 * SECOND);
		CHECK(fired - settled == i + 1);
		CHECK(pvr_evtchn_notify((evtchn_port_t)port) == 0);
	}

	/* Masked again: the handler stays away, and nothing is lost. */
	pvr_evtchn_mask((evtchn_port_t)port);
	settled = fired;
	say(fd, 0);
	hear(fd);
	usleep(20000);
	CHECK(fired == settled);
	pvr_evtchn_unmask((evtchn_port_t)port);
	for (int i = 0; i < 500 && fired == settled; i++)
		usleep(1000);
	CHECK(fired == settled + 1);

	/* Two ports at once, one of which we ring ourselves. */
	struct evtchn_bind_ipi ipi = {.vcpu = 0};

	CHECK(pvr_port_hypercall(__HYPERVISOR_event_channel_op, EVTCHNOP_bind_ipi,
		      (unsigned long)&ipi, 0) == 0);
	pvr_evtchn_mask((evtchn_port_t)port);
	pvr_evtchn_wait((evtchn_port_t)port, 1);

	evtchn_port_t both[2] = {(evtchn_port_t)port, ipi.port};
	struct sched_poll poll_both = {.ports = both, .nr_ports = 2};

	CHECK(pvr_evtchn_notify(ipi.port) == 0);
	for (int i = 0; i < 2 && !pvr_evtchn_clear(ipi.port); i++) {
		pvr_evtchn_clear((evtchn_port_t)port);
		poll_both.timeout = pvr_port_now_ns() + 5 * SECOND;
		CHECK(pvr_port_hypercall(__HYPERVISOR_sched_op, SCHEDOP_poll,
			      (unsigned long)&poll_both, 0) == 0);
		CHECK(pvr_port_now_ns() < poll_both.timeout);
	}
	poll_both.nr_ports = 129;
	CHECK(pvr_port_hypercall(__HYPERVISOR_sched_op, SCHEDOP_poll, (unsigned long)&poll_both,
		      0) == -EINVAL);
	pvr_evtchn_close(ipi.port);
	poll_both.ports = &both[1];
	poll_both.nr_ports = 1;
	CHECK(pvr_port_hypercall(__HYPERVISOR_sched_op, SCHEDOP_poll, (unsigned long)&poll_both,
		      0) == -EINVAL);
	/* Upcalls have run which this thread has not slept for. */
	CHECK(pvr_port_hypercall(__HYPERVISOR_sched_op, SCHEDOP_block, 0, 0) == 0);

	pvr_evtchn_close((evtchn_port_t)port);
	CHECK(pvr_evtchn_notify((evtchn_port_t)port) == -EINVAL);
	CHECK(pvr_evtchn_notify(0) == -EINVAL && pvr_evtchn_notify(1u << 20) == -EINVAL);
	say(fd, 0);
	pvr_process_detach();
}

static void guest_store(int fd)
{
	struct pvr_store_watch watch = {0};
	char value[64];

	attach();
	CHECK(pvr_store_watch(&watch, "data/from-host") == 0);
	CHECK(pvr_store_write(0, "data/from-guest", "hello") == 0);
	say(fd, 0);
	hear(fd);
	uint64_t deadline = pvr_port_now_ns() + 5 * SECOND;

	while (pvr_store_read(0, "data/from-host", value, sizeof(value)) < 0)
		CHECK(pvr_store_wait(&watch, watch.fired, deadline) == 0);
	CHECK(!strcmp(value, "hello yourself"));
	pvr_store_unwatch(&watch);
	say(fd, 0);
	pvr_process_detach();
}

/* Grants a page and a port, then lives until it is killed, ending the grant when told to. */
static void guest_victim(int fd)
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
static void guest_hostile(int fd)
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

/* ---- host ------------------------------------------------------------------------------------ */

static int host_wait(struct pvr_host *host)
{
	struct pollfd readable = {.fd = pvr_host_evtchn_fd(host), .events = POLLIN};

	return poll(&readable, 1, 5000) == 1 ? pvr_host_evtchn_pending(host) : -ETIMEDOUT;
}

static void host_settle(struct pvr_host *host)
{
	usleep(10000);
	while (pvr_host_evtchn_pending(host) >= 0)
		;
}

static void report(const char *what, uint64_t start, unsigned count)
{
	printf("%-40s %8.0f ns\n", what, (double)(pvr_port_now_ns() - start) / count);
}

static void map_one(struct pvr_host *host, grant_ref_t ref, struct pvr_host_map *map)
{
	*map = (struct pvr_host_map){.domid = (domid_t)domid, .ref = ref};
	CHECK(pvr_host_map(host, map, 1) == 1);
}

static void test_grants(struct pvr_host *host)
{
	struct child guest = spawn(guest_grants);
	struct pvr_host_map maps[PAGES + 1];
	struct pvr_host_area area;
	grant_ref_t refs[PAGES];
	int16_t status;

	for (unsigned i = 0; i < PAGES; i++)
		refs[i] = (grant_ref_t)hear(guest.fd);
	for (unsigned i = 0; i < PAGES + 1; i++)
		maps[i] = (struct pvr_host_map){
			.domid = (domid_t)domid, .ref = i < PAGES ? refs[i] : 600};
	CHECK(pvr_host_map(host, maps, PAGES + 1) == 3);
	CHECK(maps[3].status == GNTST_permission_denied);
	CHECK(maps[4].status == GNTST_bad_gntref);
	CHECK(*(unsigned char *)maps[2].address == 0xa2);
	CHECK(domain_info().grants_mapped == 3);
	say(guest.fd, 0);
	hear(guest.fd);
	memset(maps[0].address, 0x55, 64);
	pvr_host_unmap(host, maps, 3);

	CHECK(pvr_host_map_area(host, (domid_t)domid, refs, PAGES, &area, &status) == -EACCES);
	CHECK(status == GNTST_permission_denied);
	CHECK(domain_info().grants_mapped == 0);
	CHECK(pvr_host_map_area(host, (domid_t)domid, refs, 3, &area, &status) == 0);
	CHECK(((unsigned char *)area.address)[2 * 4096 + 4095] == 0xa2);
	((unsigned char *)area.address)[4096] = 0x56;
	CHECK(domain_info().grants_mapped == 3);
	pvr_host_unmap_area(host, &area);

	unsigned char local[4] = {0x77, 0, 0, 0};
	struct pvr_host_copy copies[] = {
		{(domid_t)domid, 1, 0, refs[0], 100, 1, local},
		{(domid_t)domid, 0, 0, refs[3], 4095, 1, local + 1},
		{(domid_t)domid, 1, 0, refs[3], 0, 1, local},
		{(domid_t)domid, 0, 0, refs[0], 4095, 2, local + 2},
		{(domid_t)(domid + 1), 0, 0, refs[0], 0, 1, local + 2},
	};

	CHECK(pvr_host_copy(host, copies, 5) == 2);
	CHECK(local[1] == 0xa3);
	CHECK(copies[2].status == GNTST_permission_denied);
	CHECK(copies[3].status == GNTST_bad_copy_arg);
	CHECK(copies[4].status == GNTST_bad_domain);

	struct pvr_host_map hold;

	map_one(host, refs[2], &hold);
	uint64_t start = pvr_port_now_ns();

	for (unsigned i = 0; i < 1000000; i++) {
		pvr_host_map(host, maps, 1);
		pvr_host_unmap(host, maps, 1);
	}
	report("map + unmap of a page", start, 1000000);
	pvr_host_unmap(host, &hold, 1);
	CHECK(domain_info().grants_mapped == 0);
	say(guest.fd, 0);
	child_end(&guest);
}

static void ping_pong(struct pvr_host *host, int port, int spin, const char *what)
{
	uint64_t start = pvr_port_now_ns();

	for (int i = 0; i < ROUNDS; i++) {
		pvr_host_evtchn_notify(host, (evtchn_port_t)port);
		while (spin && pvr_host_evtchn_pending(host) < 0)
			;
		if (!spin && host_wait(host) != port) {
			CHECK(!"an event for every event");
			return;
		}
	}
	report(what, start, ROUNDS);
}

static void test_events(struct pvr_host *host)
{
	struct child guest = spawn(guest_events);
	evtchn_port_t remote = (evtchn_port_t)hear(guest.fd);

	CHECK(pvr_host_evtchn_bind(host, (domid_t)domid, remote + 1) == -EINVAL);
	int port = pvr_host_evtchn_bind(host, (domid_t)domid, remote);

	CHECK(port > 0);
	CHECK(pvr_host_evtchn_bind(host, (domid_t)domid, remote) == -EINVAL);
	host_settle(host);
	say(guest.fd, 0);
	hear(guest.fd);
	ping_pong(host, port, 0, "event round trip, guest polls, asleep");
	hear(guest.fd);
	ping_pong(host, port, 1, "event round trip, both awake");
	hear(guest.fd);
	for (int i = 0; i < 5; i++)
		pvr_host_evtchn_notify(host, (evtchn_port_t)port);
	say(guest.fd, 0);
	hear(guest.fd);
	ping_pong(host, port, 0, "event round trip, guest upcall, asleep");

	hear(guest.fd);
	uint64_t start = pvr_port_now_ns();

	for (int i = 0; i < ROUNDS; i++)
		pvr_host_evtchn_notify(host, (evtchn_port_t)port);
	report("notify, guest masked", start, ROUNDS);
	say(guest.fd, 0);
	hear(guest.fd); /* closed there */
	pvr_host_evtchn_notify(host, (evtchn_port_t)port);
	pvr_host_evtchn_unbind(host, (evtchn_port_t)port);
	pvr_host_evtchn_unbind(host, (evtchn_port_t)port);
	pvr_host_evtchn_notify(host, (evtchn_port_t)port);
	CHECK(pvr_host_evtchn_pending(host) == -EAGAIN);
	child_end(&guest);
}

static void test_hostile_descriptors(struct pvr_host *host)
{
	struct child guest = spawn(guest_hostile);
	int port = pvr_host_evtchn_bind(host, (domid_t)domid, (evtchn_port_t)hear(guest.fd));

	CHECK(port > 0);
	say(guest.fd, 0);
	hear(guest.fd);
	alarm(10); /* a call that sleeps ends the test */
	for (int i = 0; i < 1000; i++)
		pvr_host_evtchn_notify(host, (evtchn_port_t)port);
	host_settle(host);
	pvr_host_evtchn_unbind(host, (evtchn_port_t)port);
	CHECK(domain_info().state == PVR_HV_RUNNING);
	child_kill(&guest);
	domain_wait(PVR_HV_DOWN, 0);
	alarm(0);
}

/* Sleep until `path` is the next watch event. */
static int event_is(struct pvr_host *host, const char *wanted)
{
	struct pollfd readable = {.fd = pvr_host_store_fd(host), .events = POLLIN};
	char path[4096], token[64];
	int n = pvr_host_store_event(host, path, sizeof(path), token, sizeof(token));

	if (n == 0 && poll(&readable, 1, 5000) == 1)
		n = pvr_host_store_event(host, path, sizeof(path), token, sizeof(token));
	return n == 1 && !strcmp(path, wanted) && !strcmp(token, "t");
}

static void test_store(struct pvr_host *host)
{
	struct child guest = spawn(guest_store);
	char base[64], from_guest[128], from_host[128], value[64], names[256], token[8];
	pvr_host_tx tx;

	snprintf(base, sizeof(base), "/local/domain/%u/data", domid);
	snprintf(from_guest, sizeof(from_guest), "%s/from-guest", base);
	snprintf(from_host, sizeof(from_host), "%s/from-host", base);
	hear(guest.fd);
	CHECK(pvr_host_store_read(host, 0, from_guest, value, sizeof(value)) == 5);
	CHECK(!strcmp(value, "hello"));
	CHECK(pvr_host_store_read(host, 0, from_guest, value, 5) == -E2BIG);
	CHECK(pvr_host_store_read(host, 0, "/no/such", value, sizeof(value)) == -ENOENT);
	CHECK(pvr_host_store_watch(host, from_host, "t") == 0);
	CHECK(event_is(host, from_host));
	CHECK(pvr_host_store_tx_start(host, &tx) == 0);
	CHECK(pvr_host_store_write(host, tx, from_host, "hello yourself") == 0);
	CHECK(pvr_host_store_tx_end(host, tx, 1) == 0);
	CHECK(pvr_host_store_tx_end(host, tx, 1) < 0);
	CHECK(pvr_host_store_set_perms(host, 0, from_host, "n0\0r1", 6) == 0);
	snprintf(value, sizeof(value), "b%u", domid);
	CHECK(pvr_host_store_set_perms(host, 0, from_host, value, strlen(value) + 1) == 0);
	say(guest.fd, 0);
	hear(guest.fd);
	CHECK(event_is(host, from_host));
	CHECK(pvr_host_store_list(host, 0, base, names, sizeof(names)) > 0);

	/* A thousand writes that nobody looks at are one event. */
	while (pvr_host_store_event(host, value, sizeof(value), token, sizeof(token)) == 1)
		;
	for (int i = 0; i < 1000; i++)
		CHECK(pvr_host_store_write(host, 0, from_host, i & 1 ? "1" : "0") == 0);
	CHECK(event_is(host, from_host));
	CHECK(pvr_host_store_event(host, names, sizeof(names), token, sizeof(token)) == 0);
	CHECK(pvr_host_store_unwatch(host, from_host, "t") == 0);

	/* More different events than are kept: what is left over is one event for the watch itself.
	 */
	CHECK(pvr_host_store_watch(host, "/flood", "t") == 0);
	for (int i = 0; i < 400; i++) {
		snprintf(value, sizeof(value), "/flood/%d", i);
		CHECK(pvr_host_store_write(host, 0, value, "") == 0);
	}
	int events = 0, whole = 0;

	while (pvr_host_store_event(host, names, sizeof(names), token, sizeof(token)) == 1) {
		events++;
		whole += !strcmp(names, "/flood");
	}
	CHECK(events > 200 && events < 300 && whole == 2);
	CHECK(pvr_host_store_rm(host, 0, "/flood") == 0);
	CHECK(pvr_host_store_unwatch(host, "/flood", "t") == 0);
	child_end(&guest);
}

static void test_guest_killed(struct pvr_host *host)
{
	struct child guest = spawn(guest_victim);
	grant_ref_t ref = (grant_ref_t)hear(guest.fd);
	evtchn_port_t remote = (evtchn_port_t)hear(guest.fd);
	int port = pvr_host_evtchn_bind(host, (domid_t)domid, remote);
	struct pvr_host_map map, again;
	pid_t first = guest.pid;

	CHECK(port > 0);
	map_one(host, ref, &map);
	CHECK(*(uint64_t *)map.address == (uint64_t)first);
	CHECK(domain_info().event_channels >= 1);
	uint64_t generation = domain_info().generation;

	child_kill(&guest);
	CHECK(domain_wait(PVR_HV_DOWN, 1).event_channels == 0);
	/* Its memory stays ours until we let go, and sending into nothing is harmless. */
	CHECK(*(uint64_t *)map.address == (uint64_t)first);
	pvr_host_evtchn_notify(host, (evtchn_port_t)port);

	guest = spawn(guest_victim);
	ref = (grant_ref_t)hear(guest.fd);
	remote = (evtchn_port_t)hear(guest.fd);
	CHECK(domain_info().generation != generation);
	int other = pvr_host_evtchn_bind(host, (domid_t)domid, remote);

	CHECK(other > 0);
	map_one(host, ref, &again);
	CHECK(*(uint64_t *)again.address == (uint64_t)guest.pid);
	CHECK(*(uint64_t *)map.address == (uint64_t)first);
	pvr_host_unmap(host, &map, 1);
	pvr_host_evtchn_unbind(host, (evtchn_port_t)port);
	CHECK(*(uint64_t *)again.address == (uint64_t)guest.pid);
	pvr_host_unmap(host, &again, 1);
	pvr_host_evtchn_unbind(host, (evtchn_port_t)other);
	child_kill(&guest);
	domain_wait(PVR_HV_DOWN, 0);
}

static void host_victim(int fd)
{
	grant_ref_t ref = (grant_ref_t)hear(fd);
	evtchn_port_t remote = (evtchn_port_t)hear(fd);
	struct pvr_host *host;
	struct pvr_host_map map;

	CHECK(pvr_host_open(dir, &host) == 0);
	CHECK(pvr_host_evtchn_bind(host, (domid_t)domid, remote) > 0);
	map_one(host, ref, &map);
	say(fd, 0);
	/* Mapping and unmapping all the time, to be killed in the middle of it. */
	for (;;) {
		map_one(host, ref, &map);
		pvr_host_unmap(host, &map, 1);
	}
}

static void test_host_killed(void)
{
	struct child guest = spawn(guest_victim);
	uint64_t ref = hear(guest.fd), port = hear(guest.fd);

	for (int i = 0; i < 20; i++) {
		struct child host = spawn(host_victim);

		say(host.fd, ref);
		say(host.fd, port);
		hear(host.fd);
		CHECK(domain_info().grants_mapped == 1);
		say(guest.fd, 1);
		CHECK(hear(guest.fd) == EBUSY);
		child_kill(&host);
		domain_wait(PVR_HV_RUNNING, 0);
	}
	say(guest.fd, 1);
	CHECK(hear(guest.fd) == 0);
	child_kill(&guest);
	domain_wait(PVR_HV_DOWN, 0);
}

static void test_hypervisor_killed(struct pvr_host *host)
{
	struct child guest = spawn(guest_victim);
	struct pvr_host *none;
	char value[8];
	int16_t status;
	struct pvr_host_area area;

	grant_ref_t ref = (grant_ref_t)hear(guest.fd);
	evtchn_port_t port = (evtchn_port_t)hear(guest.fd);

	child_kill(&hypervisor);
	say(guest.fd, 0);
	hear(guest.fd);
	child_end(&guest);
	CHECK(pvr_host_evtchn_bind(host, (domid_t)domid, port) == -ECONNRESET);
	CHECK(pvr_host_map_area(host, (domid_t)domid, &ref, 1, &area, &status) == -ECONNRESET);
	CHECK(pvr_host_store_read(host, 0, "/", value, sizeof(value)) == -ECONNRESET);
	CHECK(pvr_host_store_event(host, value, sizeof(value), value, sizeof(value)) ==
		-ECONNRESET);
	CHECK(pvr_host_open(dir, &none) < 0);
	CHECK(pvr_process_attach(dir, domid) == -ENOENT);
}

int main(void)
{
	struct pvr_host *host = NULL;
	char byte, rm[64];

	driver = getpid();
	if (!mkdtemp(dir))
		return 1;
	unsetenv("XENSTORED_PATH");
	setvbuf(stdout, NULL, _IOLBF, 0);
	hypervisor = spawn(run_hypervisor);
	CHECK(recv(hypervisor.fd, &byte, 1, 0) == 1);
	domain_create();
	CHECK(pvr_host_open("/nonexistent", &host) == -ENOENT);
	CHECK(pvr_host_open(dir, &host) == 0);
	if (!failures) {
		struct child guest = spawn(guest_memory);

		hear(guest.fd);
		child_end(&guest);
		domain_wait(PVR_HV_DOWN, 0);
		guest = spawn(guest_tables);
		hear(guest.fd);
		child_end(&guest);
		domain_wait(PVR_HV_DOWN, 0);
		test_grants(host);
		domain_wait(PVR_HV_DOWN, 0);
		test_events(host);
		domain_wait(PVR_HV_DOWN, 0);
		test_store(host);
		domain_wait(PVR_HV_DOWN, 0);
		test_hostile_descriptors(host);
		test_guest_killed(host);
		test_host_killed();
		test_hypervisor_killed(host);
	}
	pvr_host_close(host);
	snprintf(rm, sizeof(rm), "rm -rf %s", dir);
	if (system(rm))
		failures++;
	printf("ports_test: %u checks, %u failed\n", checks, failures);
	return failures != 0;
}
