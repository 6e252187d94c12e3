/* SPDX-License-Identifier: MIT */
/*
 * The two ports against the real daemon: a guest process (pvring/port.h), a backend process
 * (pvring/host.h), and kill -9 of each of the three. The parent drives: it holds a host handle of
 * its own and talks to its children over socket pairs, one number at a time. Prints the times it
 * saw; they are no test.
 */
#include "ports_test.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <pvring/host.h>
#include <pvring/hypervisor.h>
#include <pvring/port.h>
#include <pvring/process.h>

char dir[] = "/tmp/pvring-ports-XXXXXX";
static pid_t driver;
uint32_t domid;
static unsigned checks, failures;

void check(int good, const char *what, int line)
{
	checks++;
	if (good)
		return;
	fprintf(stderr, "ports_test: line %d: %s (process %d)\n", line, what, (int)getpid());
	failures++;
	if (getpid() != driver)
		_exit(1);
}

/* ---- children ---- */

struct child {
	pid_t pid;
	int fd;
};

void say(int fd, uint64_t number)
{
	if (send(fd, &number, sizeof(number), MSG_NOSIGNAL) != sizeof(number))
		CHECK(!"the other side is there");
}

uint64_t hear(int fd)
{
	struct pollfd readable = {.fd = fd, .events = POLLIN};
	uint64_t number = UINT64_MAX;

	if (poll(&readable, 1, 60000) != 1 || recv(fd, &number, sizeof(number), 0) <= 0)
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

/* ---- the daemon ---- */

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

	for (int i = 0; i < 2000 && (info.state != state || info.grants_mapped != mapped); i++) {
		usleep(10000);
		info = domain_info();
	}
	CHECK(info.state == state);
	CHECK(info.grants_mapped == mapped);
	return info;
}

/* ---- host ---- */

static int host_wait(struct pvr_host *host)
{
	struct pollfd readable = {.fd = pvr_host_evtchn_fd(host), .events = POLLIN};

	return poll(&readable, 1, 20000) == 1 ? pvr_host_evtchn_pending(host) : -ETIMEDOUT;
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
	map_one(host, refs[1], &maps[0]);
	CHECK((char *)maps[0].address >= (char *)area.memory &&
		(char *)maps[0].address + 4096 <= (char *)area.memory + area.memory_bytes);
	CHECK(*(unsigned char *)maps[0].address == 0x56);
	pvr_host_unmap(host, maps, 1);
	CHECK(domain_info().grants_mapped == 3);
	pvr_host_unmap_area(host, &area);

	/* Brief ones are mapped, or behave so. */
	maps[0] = (struct pvr_host_map){.domid = (domid_t)domid,
		.brief = 1,
		.readonly = 1,
		.offset = 4000,
		.length = 96,
		.ref = refs[3]};
	maps[1] = (struct pvr_host_map){.domid = (domid_t)domid, .brief = 1, .ref = refs[0]};
	CHECK(pvr_host_map(host, maps, 2) == 2);
	CHECK(((unsigned char *)maps[0].address)[4095] == 0xa3);
	((unsigned char *)maps[1].address)[200] = 0x57;
	maps[1].offset = 200;
	maps[1].length = 1;
	pvr_host_unmap(host, maps, 2);
	CHECK(maps[1].status == GNTST_okay);
	map_one(host, refs[0], &maps[0]);
	CHECK(((unsigned char *)maps[0].address)[200] == 0x57);
	pvr_host_unmap(host, maps, 1);
	CHECK(domain_info().grants_mapped == 0);
	/* As the measurement below has it. */
	map_one(host, refs[1], &maps[0]);
	pvr_host_unmap(host, maps, 1);

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
	alarm(60); /* a call that sleeps ends the test */
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

	if (n == 0 && poll(&readable, 1, 20000) == 1)
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

	/*
	 * More different events than are kept: what is left over is one event for the watch itself.
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
