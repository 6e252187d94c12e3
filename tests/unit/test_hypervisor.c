/* SPDX-License-Identifier: MIT */
/* The hypervisor daemon: domains, roles, credentials, death. The real daemon, real processes. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "hv_rig.h"
#include "suite.h"

/* Wait, at most twenty seconds, until the domain's state is `state`; -1: until it is not listed. */
static int state_becomes(struct hv_rig *rig, uint32_t domid, int state)
{
	struct pvr_hv_domain info;

	for (int i = 0; i < 2000; i++) {
		int err = hv_rig_describe(rig, domid, &info);

		if (state < 0 ? err == -ENOENT : !err && (int)info.state == state)
			return 1;
		usleep(10000);
	}
	return 0;
}

static void create_list_destroy(void)
{
	struct hv_rig rig;
	struct pvr_hv_domain info;
	char out[4096];

	hv_rig_start(&rig);
	int a = hv_rig_create(&rig, "alpha", 0), b = hv_rig_create(&rig, "beta", 7);

	CU_ASSERT_EQUAL(a, 1);
	CU_ASSERT_EQUAL(b, 2);
	CU_ASSERT_EQUAL(hv_rig_create(&rig, "alpha", 0), -EEXIST);
	CU_ASSERT_EQUAL(hv_rig_create(&rig, "Domain-0", 0), -EEXIST);
	CU_ASSERT_EQUAL(hv_rig_create(&rig, "", 0), -EINVAL);
	CU_ASSERT_EQUAL(hv_rig_create(&rig, "a/b", 0), -EINVAL);
	CU_ASSERT_EQUAL_FATAL(hv_rig_describe(&rig, 2, &info), 0);
	CU_ASSERT_STRING_EQUAL(info.name, "beta");
	CU_ASSERT_EQUAL(info.state, PVR_HV_DOWN);
	CU_ASSERT_EQUAL(info.uid, 7);
	CU_ASSERT_EQUAL(info.memory_bytes, 1 << 20);
	CU_ASSERT_EQUAL(info.pid, 0);
	CU_ASSERT_EQUAL(
		hv_rig_shell(&rig, out, sizeof(out), "xenstore-read /local/domain/2/name"), 0);
	CU_ASSERT_STRING_EQUAL(out, "beta\n");
	CU_ASSERT_EQUAL(hv_rig_destroy(&rig, 1), 0);
	CU_ASSERT_EQUAL(hv_rig_destroy(&rig, 1), -ENOENT);
	CU_ASSERT_EQUAL(hv_rig_describe(&rig, 1, &info), -ENOENT);
	CU_ASSERT_NOT_EQUAL(
		hv_rig_shell(&rig, out, sizeof(out), "xenstore-exists /local/domain/1"), 0);
	/* The number is free, and yet not used again while there are others. */
	CU_ASSERT_EQUAL(hv_rig_create(&rig, "alpha", 0), 3);
	hv_rig_stop(&rig);
}

static void create_bounds(void)
{
	struct hv_rig rig;
	struct pvr_hv_create c = {.name = "x", .vcpus = 1};
	static const struct {
		uint64_t bytes;
		uint32_t vcpus;
	} bad[] = {{0, 1}, {4096, 1}, {(1 << 20) + 1, 1}, {2ull << 40, 1}, {UINT64_MAX, 1},
		{1 << 20, 0}, {1 << 20, 33}};

	hv_rig_start(&rig);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		c.memory_bytes = bad[i].bytes;
		c.vcpus = bad[i].vcpus;
		CU_ASSERT_EQUAL(pvr_hv_call(rig.tool, PVR_HV_DOMAIN_CREATE, &c, sizeof(c), NULL,
					NULL, NULL, NULL),
			-EINVAL);
	}
	memset(c.name, 'a', sizeof(c.name));
	c.memory_bytes = 1 << 20;
	c.vcpus = 1;
	CU_ASSERT_EQUAL(
		pvr_hv_call(rig.tool, PVR_HV_DOMAIN_CREATE, &c, sizeof(c), NULL, NULL, NULL, NULL),
		-EINVAL);
	for (int i = 1; i <= 128; i++) {
		char name[16];

		snprintf(name, sizeof(name), "d%d", i);
		CU_ASSERT_EQUAL(hv_rig_create(&rig, name, 0), i);
	}
	CU_ASSERT_EQUAL(hv_rig_create(&rig, "too-many", 0), -ENOSPC);
	hv_rig_stop(&rig);
}

static void attach_gives_sealed_memory(void)
{
	struct hv_rig rig;
	struct hv_rig_client guest, second;
	struct pvr_hv_domain info;

	hv_rig_start(&rig);
	hv_rig_create(&rig, "guest", 0);
	CU_ASSERT_EQUAL(hv_rig_attach(&rig, 9, 8, &second), -ENOENT);
	CU_ASSERT_EQUAL(hv_rig_attach(&rig, 1, 5, &second), -EINVAL);
	CU_ASSERT_EQUAL_FATAL(hv_rig_attach(&rig, 1, 8, &guest), 0);
	CU_ASSERT_EQUAL(guest.boot.memory_bytes, 1 << 20);
	CU_ASSERT_EQUAL(guest.boot.domid, 1);
	CU_ASSERT_EQUAL(guest.boot.generation, 1);
	CU_ASSERT_EQUAL(guest.boot.grant_frames, 64);
	CU_ASSERT_EQUAL(ftruncate(guest.fds[0], 4096), -1);
	CU_ASSERT_EQUAL(fcntl(guest.fds[0], F_ADD_SEALS, F_SEAL_WRITE), -1);
	CU_ASSERT_EQUAL(hv_rig_attach(&rig, 1, 8, &second), -EBUSY);
	CU_ASSERT_EQUAL(hv_rig_describe(&rig, 1, &info), 0);
	CU_ASSERT_EQUAL(info.state, PVR_HV_RUNNING);
	CU_ASSERT_EQUAL(info.pid, getpid());
	CU_ASSERT_EQUAL(info.event_channels, 1);
	/* One role a connection; a guest does not manage, though its user may. */
	CU_ASSERT_EQUAL(
		pvr_hv_call(guest.control, PVR_HV_DOM0, NULL, 0, NULL, NULL, NULL, NULL), -EISCONN);
	CU_ASSERT_EQUAL(pvr_hv_call(guest.control, PVR_HV_DOMAIN_DESTROY, &(uint32_t){1}, 4, NULL,
				NULL, NULL, NULL),
		-EPERM);
	CU_ASSERT_EQUAL(pvr_hv_call(guest.control, PVR_HV_FOREIGN, &(uint32_t){1}, 4, NULL, NULL,
				NULL, NULL),
		-EPERM);
	memset(guest.memory + 4096 * 100, 0xaa, 4096);
	hv_rig_leave(&guest);
	CU_ASSERT(state_becomes(&rig, 1, PVR_HV_DOWN));
	CU_ASSERT_EQUAL_FATAL(hv_rig_attach(&rig, 1, 4, &guest), 0);
	CU_ASSERT_EQUAL(guest.boot.generation, 2);
	CU_ASSERT_EQUAL(guest.memory[4096 * 100], 0);
	hv_rig_leave(&guest);
	hv_rig_stop(&rig);
}

/* A guest in a process of its own; the descriptors stay here, as a backend would hold them. */
static pid_t guest_process(struct hv_rig *rig, uint32_t domid, evtchn_port_t *port)
{
	int report[2];
	pid_t pid;

	CU_ASSERT_EQUAL_FATAL(pipe(report), 0);
	fflush(NULL);
	pid = fork();
	if (pid == 0) {
		struct hv_rig_client guest;
		struct evtchn_alloc_unbound alloc = {.dom = DOMID_SELF, .remote_dom = 0};

		if (hv_rig_attach(rig, domid, 8, &guest))
			_exit(1);
		if (pvr_hv_hypercall(guest.control, __HYPERVISOR_event_channel_op,
			    EVTCHNOP_alloc_unbound, &alloc, sizeof(alloc), 1, NULL, NULL))
			_exit(2);
		if (write(report[1], &alloc.port, sizeof(alloc.port)) != sizeof(alloc.port))
			_exit(3);
		for (;;)
			pause();
	}
	CU_ASSERT_EQUAL(read(report[0], port, sizeof(*port)), sizeof(*port));
	close(report[0]);
	close(report[1]);
	return pid;
}

static void guest_killed_releases_everything(void)
{
	struct hv_rig rig;
	struct hv_rig_client dom0;
	struct pvr_hv_domain info;
	struct evtchn_bind_interdomain bind = {.remote_dom = 1};
	int fds[2];
	unsigned count = 2;
	char out[4096];

	hv_rig_start(&rig);
	hv_rig_create(&rig, "guest", 0);
	CU_ASSERT_EQUAL_FATAL(hv_rig_dom0(&rig, &dom0), 0);
	pid_t pid = guest_process(&rig, 1, &bind.remote_port);

	CU_ASSERT_EQUAL(pvr_hv_hypercall(dom0.control, __HYPERVISOR_event_channel_op,
				EVTCHNOP_bind_interdomain, &bind, sizeof(bind), 1, fds, &count),
		0);
	CU_ASSERT_EQUAL_FATAL(count, 2);
	CU_ASSERT(hv_rig_event(fds[0]));
	CU_ASSERT(hv_rig_silent(fds[0]));
	CU_ASSERT_EQUAL(hv_rig_shell(&rig, out, sizeof(out),
				"xenstore-write /local/domain/1/device/vbd/51712/state 4 "
				"/local/domain/1/device/vif/0/state 3"),
		0);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	CU_ASSERT(hv_rig_event(fds[0])); /* the peer notices */
	CU_ASSERT(state_becomes(&rig, 1, PVR_HV_DOWN));
	hv_rig_describe(&rig, 1, &info);
	CU_ASSERT_EQUAL(info.event_channels, 0);
	CU_ASSERT_EQUAL(info.pid, 0);
	hv_rig_shell(&rig, out, sizeof(out),
		"xenstore-read /local/domain/1/device/vbd/51712/state "
		"/local/domain/1/device/vif/0/state");
	CU_ASSERT_STRING_EQUAL(out, "6\n6\n");
	/* The other end is unbound and waits for the same domain. */
	struct evtchn_status status = {.dom = DOMID_SELF, .port = bind.local_port};

	CU_ASSERT_EQUAL(pvr_hv_hypercall(dom0.control, __HYPERVISOR_event_channel_op,
				EVTCHNOP_status, &status, sizeof(status), 1, NULL, NULL),
		0);
	CU_ASSERT_EQUAL(status.status, EVTCHNSTAT_unbound);
	CU_ASSERT_EQUAL(status.u.unbound.dom, 1);
	CU_ASSERT_EQUAL(pvr_hv_call(dom0.control, PVR_HV_FOREIGN, &(uint32_t){1}, 4, NULL, NULL,
				NULL, NULL),
		-ENOTCONN);
	close(fds[0]);
	close(fds[1]);
	hv_rig_leave(&dom0);
	hv_rig_stop(&rig);
}

static void destroy_kills_the_process(void)
{
	struct hv_rig rig;
	evtchn_port_t port;
	int status;

	hv_rig_start(&rig);
	hv_rig_create(&rig, "guest", 0);
	pid_t pid = guest_process(&rig, 1, &port);

	CU_ASSERT_EQUAL(hv_rig_destroy(&rig, 1), 0);
	CU_ASSERT_EQUAL(waitpid(pid, &status, 0), pid);
	CU_ASSERT(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
	CU_ASSERT(state_becomes(&rig, 1, -1));
	hv_rig_stop(&rig);
}

/* As dom0's port does it: the guest's entries and the books, mapped. */
static struct pvr_gnttab foreign_table(struct hv_rig_client *dom0, uint32_t domid)
{
	struct pvr_hv_foreign foreign;
	size_t length = sizeof(foreign);
	int fds[2];
	unsigned count = 2;

	CU_ASSERT_EQUAL_FATAL(pvr_hv_call(dom0->control, PVR_HV_FOREIGN, &domid, sizeof(domid),
				      &foreign, &length, fds, &count),
		0);
	CU_ASSERT_EQUAL_FATAL(count, 2);
	uint32_t entries = foreign.grant_frames * (uint32_t)PVR_GRANTS_PER_FRAME;
	uint8_t *memory =
		mmap(NULL, foreign.memory_bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fds[0], 0);
	struct pvr_grant_book *books =
		mmap(NULL, entries * sizeof(*books), PROT_READ | PROT_WRITE, MAP_SHARED, fds[1], 0);

	close(fds[0]);
	close(fds[1]);
	return (struct pvr_gnttab){
		.shared = (void *)(memory + PVR_HV_FRAME_GRANT * 4096),
		.books = books,
		.entries = entries,
		.first_frame = PVR_HV_FRAME_GRANT + foreign.grant_frames,
		.last_frame = (uint32_t)(foreign.memory_bytes / 4096),
		.domid = domid,
		.generation = (uint32_t)foreign.generation,
		.client = dom0->dom0.client,
	};
}

static void foreign_unmap(struct pvr_gnttab *table)
{
	munmap((uint8_t *)table->shared - PVR_HV_FRAME_GRANT * 4096, table->last_frame * 4096ul);
	munmap(table->books, table->entries * sizeof(*table->books));
}

static void dom0_killed_gives_grants_back(void)
{
	struct hv_rig rig;
	struct hv_rig_client guest;
	struct pvr_hv_domain info;
	int status;

	hv_rig_start(&rig);
	hv_rig_create(&rig, "guest", 0);
	CU_ASSERT_EQUAL_FATAL(hv_rig_attach(&rig, 1, 8, &guest), 0);
	struct grant_entry_v1 *entry = (void *)(guest.memory + PVR_HV_FRAME_GRANT * 4096);

	entry[8] = (struct grant_entry_v1){.flags = GTF_permit_access, .domid = 0, .frame = 100};
	entry[9] = (struct grant_entry_v1){.flags = GTF_permit_access, .domid = 0, .frame = 101};
	fflush(NULL);
	pid_t pid = fork();

	if (pid == 0) {
		struct hv_rig_client dom0;
		uint32_t frame;

		if (hv_rig_dom0(&rig, &dom0))
			_exit(1);
		struct pvr_gnttab table = foreign_table(&dom0, 1);

		if (pvr_gnttab_map(&table, 0, 8, 0, &dom0.maptrack[0], &frame) || frame != 100)
			_exit(2);
		/* And it dies with a lock in its hands. */
		atomic_store(&table.books[9].lock, dom0.dom0.client);
		raise(SIGKILL);
	}
	waitpid(pid, &status, 0);
	CU_ASSERT(WIFSIGNALED(status));
	for (int i = 0; i < 2000 && entry[8].flags != GTF_permit_access; i++)
		usleep(10000);
	CU_ASSERT_EQUAL(entry[8].flags, GTF_permit_access);
	hv_rig_describe(&rig, 1, &info);
	CU_ASSERT_EQUAL(info.grants_mapped, 0);

	struct hv_rig_client dom0;
	uint32_t frame;

	CU_ASSERT_EQUAL_FATAL(hv_rig_dom0(&rig, &dom0), 0);
	struct pvr_gnttab table = foreign_table(&dom0, 1);

	CU_ASSERT_EQUAL(pvr_gnttab_map(&table, 0, 9, 0, &dom0.maptrack[0], &frame), GNTST_okay);
	hv_rig_describe(&rig, 1, &info);
	CU_ASSERT_EQUAL(info.grants_mapped, 1);
	foreign_unmap(&table);
	hv_rig_leave(&dom0);
	hv_rig_leave(&guest);
	hv_rig_stop(&rig);
}

static void destroyed_while_mapped_is_dying(void)
{
	struct hv_rig rig;
	struct hv_rig_client guest, dom0;
	struct pvr_hv_domain info;
	uint32_t frame;

	hv_rig_start(&rig);
	hv_rig_create(&rig, "guest", 0);
	CU_ASSERT_EQUAL_FATAL(hv_rig_attach(&rig, 1, 8, &guest), 0);
	CU_ASSERT_EQUAL_FATAL(hv_rig_dom0(&rig, &dom0), 0);
	struct grant_entry_v1 *entry = (void *)(guest.memory + PVR_HV_FRAME_GRANT * 4096);

	entry[8] = (struct grant_entry_v1){.flags = GTF_permit_access, .domid = 0, .frame = 100};
	struct pvr_gnttab table = foreign_table(&dom0, 1);

	CU_ASSERT_EQUAL(pvr_gnttab_map(&table, 0, 8, 0, &dom0.maptrack[7], &frame), GNTST_okay);
	/* The guest leaves first: being destroyed while attached would kill the test itself. */
	hv_rig_leave(&guest);
	CU_ASSERT(state_becomes(&rig, 1, PVR_HV_DOWN));
	CU_ASSERT_EQUAL(hv_rig_destroy(&rig, 1), 0);
	CU_ASSERT_EQUAL(hv_rig_describe(&rig, 1, &info), 0);
	CU_ASSERT_EQUAL(info.state, PVR_HV_DYING);
	CU_ASSERT_EQUAL(info.grants_mapped, 1);
	CU_ASSERT_EQUAL(hv_rig_attach(&rig, 1, 8, &guest), -ENOENT);
	CU_ASSERT_EQUAL(hv_rig_create(&rig, "guest", 0), 2); /* the name is free, the number not */
	CU_ASSERT_EQUAL(pvr_gnttab_unmap(&table, &dom0.maptrack[7]), GNTST_okay);
	CU_ASSERT(state_becomes(&rig, 1, -1));
	foreign_unmap(&table);
	hv_rig_leave(&dom0);
	hv_rig_stop(&rig);
}

/* What another user may do: attach to a domain of his own, and nothing else. */
static int other_user(struct hv_rig *rig)
{
	struct hv_rig_client client;
	static struct pvr_hv_domain list[8];
	size_t length = sizeof(list);

	if (setgid(65534) || setuid(65534))
		return 1;
	if (hv_rig_attach(rig, 1, 8, &client) != -EACCES)
		return 2;
	if (hv_rig_dom0(rig, &client) != -EACCES)
		return 3;
	rig->tool = pvr_hv_connect(rig->dir);
	if (hv_rig_create(rig, "mine", 65534) != -EPERM || hv_rig_destroy(rig, 1) != -EPERM)
		return 4;
	if (pvr_hv_call(rig->tool, PVR_HV_SHUTDOWN, NULL, 0, NULL, NULL, NULL, NULL) != -EPERM)
		return 5;
	if (pvr_hv_call(
		    rig->tool, PVR_HV_DOMAIN_LIST, &(uint32_t){0}, 4, list, &length, NULL, NULL) ||
		length != sizeof(list[0]) || list[0].domid != 2)
		return 6;
	if (hv_rig_attach(rig, 2, 8, &client))
		return 7;
	/* No more connections than a user may have, and the daemon goes on. */
	for (int i = 0; i < 100; i++)
		if (pvr_hv_connect(rig->dir) < 0)
			return 8;
	return pvr_hv_call(
		       rig->tool, PVR_HV_DOMAIN_LIST, &(uint32_t){0}, 4, list, &length, NULL, NULL)
		       ? 9
		       : 0;
}

static void credentials_decide(void)
{
	struct hv_rig rig;
	struct pvr_hv_domain info;
	int status;

	if (geteuid() != 0)
		return; /* only root can be somebody else */
	hv_rig_start(&rig);
	hv_rig_create(&rig, "roots", 0);
	hv_rig_create(&rig, "others", 65534);
	chmod(rig.dir, 0711);
	fflush(NULL);
	pid_t pid = fork();

	if (pid == 0)
		_exit(other_user(&rig));
	waitpid(pid, &status, 0);
	CU_ASSERT_EQUAL(status, 0);
	CU_ASSERT(state_becomes(&rig, 2, PVR_HV_DOWN));
	CU_ASSERT_EQUAL(hv_rig_describe(&rig, 1, &info), 0);
	hv_rig_stop(&rig);
}

static int closed(int fd)
{
	struct pollfd p = {.fd = fd, .events = POLLIN};
	char byte;

	return poll(&p, 1, 20000) == 1 && recv(fd, &byte, 1, 0) <= 0;
}

static void malformed_messages_cost_the_connection(void)
{
	struct hv_rig rig;
	struct pvr_hv_domain info;
	static uint8_t big[60000];
	struct pvr_hv_msg bad[] = {
		{.op = PVR_HV_DOMAIN_LIST, .length = 4},
		{.op = PVR_HV_DOMAIN_LIST, .length = UINT32_MAX},
		{.op = PVR_HV_DOMAIN_LIST, .result = 1},
	};

	hv_rig_start(&rig);
	hv_rig_create(&rig, "guest", 0);
	for (size_t i = 0; i < 5; i++) {
		int fd = pvr_hv_connect(rig.dir);
		size_t n = i < 3 ? sizeof(bad[0]) : i == 3 ? 3 : sizeof(big);

		CU_ASSERT_EQUAL(send(fd, i < 3 ? (void *)&bad[i] : big, n, 0), n);
		CU_ASSERT(closed(fd));
		close(fd);
	}
	/* Well formed, but nothing we know: answered. */
	CU_ASSERT_EQUAL(pvr_hv_call(rig.tool, 99, NULL, 0, NULL, NULL, NULL, NULL), -ENOSYS);
	CU_ASSERT_EQUAL(pvr_hv_call(rig.tool, 0, NULL, 0, NULL, NULL, NULL, NULL), -ENOSYS);
	CU_ASSERT_EQUAL(
		pvr_hv_call(rig.tool, PVR_HV_ATTACH, "abc", 3, NULL, NULL, NULL, NULL), -EINVAL);
	CU_ASSERT_EQUAL(
		pvr_hv_call(rig.tool, PVR_HV_HYPERCALL, big, 16, NULL, NULL, NULL, NULL), -EPERM);
	CU_ASSERT_EQUAL(hv_rig_describe(&rig, 1, &info), 0);
	hv_rig_stop(&rig);
}

static void client_that_does_not_read_is_dropped(void)
{
	struct hv_rig rig;
	struct pvr_hv_domain info;
	struct {
		struct pvr_hv_msg head;
		uint32_t first;
	} __attribute__((packed)) list = {{.op = PVR_HV_DOMAIN_LIST, .length = 4}, 0};

	hv_rig_start(&rig);
	for (int i = 0; i < 100; i++) {
		char name[16];

		snprintf(name, sizeof(name), "d%d", i);
		hv_rig_create(&rig, name, 0);
	}
	int fd = pvr_hv_connect(rig.dir);
	ssize_t n = 0;

	for (int i = 0; i < 10000 && n >= 0; i++)
		n = send(fd, &list, sizeof(list), MSG_NOSIGNAL);
	CU_ASSERT_EQUAL(n, -1);
	close(fd);
	CU_ASSERT_EQUAL(hv_rig_describe(&rig, 1, &info), 0);
	hv_rig_stop(&rig);
}

static void directory_is_locked_and_stale_sockets_replaced(void)
{
	struct hv_rig rig;
	pid_t second;
	char path[128];

	hv_rig_start(&rig);
	CU_ASSERT_EQUAL(hv_rig_spawn(rig.dir, &second), -EADDRINUSE);
	kill(rig.daemon, SIGKILL);
	waitpid(rig.daemon, NULL, 0);
	close(rig.tool);
	snprintf(path, sizeof(path), "%s/%s", rig.dir, PVR_HV_SOCKET);
	CU_ASSERT_EQUAL(access(path, F_OK), 0);
	CU_ASSERT_EQUAL(pvr_hv_connect(rig.dir), -ECONNREFUSED);
	CU_ASSERT_EQUAL_FATAL(hv_rig_spawn(rig.dir, &rig.daemon), 0);
	rig.tool = pvr_hv_connect(rig.dir);
	CU_ASSERT_EQUAL(hv_rig_create(&rig, "again", 0), 1);
	hv_rig_stop(&rig);
	CU_ASSERT_EQUAL(pvr_hv_connect(rig.dir), -ENOENT);

	if (geteuid() == 0) {
		CU_ASSERT_EQUAL(mkdir(rig.dir, 0700), 0);
		CU_ASSERT_EQUAL(chown(rig.dir, 65534, 65534), 0);
		CU_ASSERT_EQUAL(hv_rig_spawn(rig.dir, &second), -EPERM);
		rmdir(rig.dir);
	}
}

static void daemon_is_confined_and_ends_on_sigterm(void)
{
	struct hv_rig rig;
	struct hv_rig_client guest;
	char out[64], byte;
	int status;

	hv_rig_start(&rig);
	hv_rig_create(&rig, "guest", 0);
	CU_ASSERT_EQUAL_FATAL(hv_rig_attach(&rig, 1, 8, &guest), 0);
	hv_rig_shell(&rig, out, sizeof(out), "grep -h ^Seccomp: /proc/%d/status", (int)rig.daemon);
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
	CU_ASSERT_STRING_EQUAL(out, "Seccomp:\t2\n");
#endif
	kill(rig.daemon, SIGTERM);
	CU_ASSERT_EQUAL(waitpid(rig.daemon, &status, 0), rig.daemon);
	CU_ASSERT_EQUAL(status, 0);
	CU_ASSERT(recv(guest.control, &byte, 1, 0) <= 0);
	CU_ASSERT_EQUAL(pvr_hv_call(rig.tool, PVR_HV_SHUTDOWN, NULL, 0, NULL, NULL, NULL, NULL),
		-ECONNRESET);
	hv_rig_leave(&guest);
	close(rig.tool);
	CU_ASSERT_EQUAL(rmdir(rig.dir), 0);
}

PVR_SUITE(hypervisor, CASE(create_list_destroy), CASE(create_bounds),
	CASE(attach_gives_sealed_memory), CASE(guest_killed_releases_everything),
	CASE(destroy_kills_the_process), CASE(dom0_killed_gives_grants_back),
	CASE(destroyed_while_mapped_is_dying), CASE(credentials_decide),
	CASE(malformed_messages_cost_the_connection), CASE(client_that_does_not_read_is_dropped),
	CASE(directory_is_locked_and_stale_sockets_replaced),
	CASE(daemon_is_confined_and_ends_on_sigterm))
