/* SPDX-License-Identifier: MIT */
/* See hv_rig.h. */
#include "hv_rig.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "suite.h"

int hv_rig_spawn(const char *dir, pid_t *pid)
{
	int ready[2], status;
	char byte;

	if (pipe2(ready, O_CLOEXEC))
		return -errno;
	fflush(NULL);
	*pid = fork();
	if (*pid == 0) {
		/* The exit status is an errno; what the daemon says of refused clients is not of
		 * interest. */
		int quiet = open("/dev/null", O_WRONLY | O_CLOEXEC);
		struct pvr_hv_config config = {.dir = dir, .ready_fd = ready[1], .parent_dies = 1};

		if (!getenv("HV_RIG_LOUD"))
			dup2(quiet, STDERR_FILENO);
		exit(-pvr_hypervisor_run(
			&config)); /* by exit, so that a sanitizer looks for leaks */
	}
	close(ready[1]);
	ssize_t n = read(ready[0], &byte, 1);

	close(ready[0]);
	if (n == 1)
		return 0;
	waitpid(*pid, &status, 0);
	return WIFEXITED(status) ? -WEXITSTATUS(status) : -ECHILD;
}

void hv_rig_start(struct hv_rig *rig)
{
	strcpy(rig->dir, "/tmp/pvring-test-XXXXXX");
	CU_ASSERT_PTR_NOT_NULL_FATAL(mkdtemp(rig->dir));
	CU_ASSERT_EQUAL_FATAL(hv_rig_spawn(rig->dir, &rig->daemon), 0);
	rig->tool = pvr_hv_connect(rig->dir);
	CU_ASSERT_FATAL(rig->tool >= 0);
}

int hv_rig_stop(struct hv_rig *rig)
{
	int status = -1;

	pvr_hv_call(rig->tool, PVR_HV_SHUTDOWN, NULL, 0, NULL, NULL, NULL, NULL);
	close(rig->tool);
	waitpid(rig->daemon, &status, 0);
	CU_ASSERT_EQUAL(status, 0);
	/* It took its sockets away, or this fails. */
	CU_ASSERT_EQUAL(rmdir(rig->dir), 0);
	return status;
}

int hv_rig_create(struct hv_rig *rig, const char *name, uint32_t uid)
{
	struct pvr_hv_create create = {.memory_bytes = 1 << 20, .uid = uid, .vcpus = 1};
	uint32_t domid = 0;
	size_t length = sizeof(domid);

	snprintf(create.name, sizeof(create.name), "%s", name);
	long err = pvr_hv_call(rig->tool, PVR_HV_DOMAIN_CREATE, &create, sizeof(create), &domid,
		&length, NULL, NULL);

	return err ? (int)err : (int)domid;
}

int hv_rig_destroy(struct hv_rig *rig, uint32_t domid)
{
	return (int)pvr_hv_call(
		rig->tool, PVR_HV_DOMAIN_DESTROY, &domid, sizeof(domid), NULL, NULL, NULL, NULL);
}

int hv_rig_describe(struct hv_rig *rig, uint32_t domid, struct pvr_hv_domain *info)
{
	static struct pvr_hv_domain list[128];
	size_t length = sizeof(list);
	long err = pvr_hv_call(
		rig->tool, PVR_HV_DOMAIN_LIST, &domid, sizeof(domid), list, &length, NULL, NULL);

	if (err || length < sizeof(list[0]) || list[0].domid != domid)
		return err ? (int)err : -ENOENT;
	*info = list[0];
	return 0;
}

int hv_rig_attach(
	struct hv_rig *rig, uint32_t domid, uint32_t word_size, struct hv_rig_client *client)
{
	struct pvr_hv_attach attach = {domid, word_size};
	size_t length = sizeof(client->boot);
	unsigned fds = PVR_HV_FDS_MAX;

	memset(client, 0, sizeof(*client));
	client->control = pvr_hv_connect(rig->dir);
	if (client->control < 0)
		return client->control;
	long err = pvr_hv_call(client->control, PVR_HV_ATTACH, &attach, sizeof(attach),
		&client->boot, &length, client->fds, &fds);

	if (err) {
		close(client->control);
		return (int)err;
	}
	CU_ASSERT_EQUAL_FATAL(fds, 3);
	client->memory = mmap(NULL, client->boot.memory_bytes, PROT_READ | PROT_WRITE, MAP_SHARED,
		client->fds[0], 0);
	CU_ASSERT_FATAL(client->memory != MAP_FAILED);
	return 0;
}

int hv_rig_dom0(struct hv_rig *rig, struct hv_rig_client *client)
{
	size_t length = sizeof(client->dom0);
	unsigned fds = PVR_HV_FDS_MAX;

	memset(client, 0, sizeof(*client));
	client->control = pvr_hv_connect(rig->dir);
	if (client->control < 0)
		return client->control;
	long err = pvr_hv_call(
		client->control, PVR_HV_DOM0, NULL, 0, &client->dom0, &length, client->fds, &fds);

	if (err) {
		close(client->control);
		return (int)err;
	}
	CU_ASSERT_EQUAL_FATAL(fds, 1);
	client->maptrack = mmap(NULL, client->dom0.maptrack_entries * sizeof(struct pvr_maptrack),
		PROT_READ | PROT_WRITE, MAP_SHARED, client->fds[0], 0);
	CU_ASSERT_FATAL(client->maptrack != MAP_FAILED);
	return 0;
}

void hv_rig_leave(struct hv_rig_client *client)
{
	if (client->memory)
		munmap(client->memory, client->boot.memory_bytes);
	if (client->maptrack)
		munmap(client->maptrack,
			client->dom0.maptrack_entries * sizeof(struct pvr_maptrack));
	for (int i = 0; i < (client->memory ? 3 : 1); i++)
		close(client->fds[i]);
	close(client->control);
}

/* A guest receives by an epoll descriptor, dom0 by the eventfd itself. */
int hv_rig_event(int fd)
{
	struct pollfd p = {.fd = fd, .events = POLLIN};
	struct epoll_event event;
	uint64_t count;

	if (poll(&p, 1, 20000) != 1)
		return 0;
	return epoll_wait(fd, &event, 1, 0) == 1 ||
	       read(fd, &count, sizeof(count)) == sizeof(count);
}

int hv_rig_silent(int fd)
{
	struct pollfd p = {.fd = fd, .events = POLLIN};

	return poll(&p, 1, 0) == 0;
}

void hv_rig_kick(int fd)
{
	uint64_t one = 1;

	CU_ASSERT_EQUAL(write(fd, &one, sizeof(one)), sizeof(one));
}

int hv_rig_shell(struct hv_rig *rig, char *out, size_t size, const char *format, ...)
{
	char command[1024];
	int n = snprintf(
		command, sizeof(command), "XENSTORED_PATH=%s/%s ", rig->dir, PVR_XS_SOCKET);
	va_list args;

	va_start(args, format);
	vsnprintf(command + n, sizeof(command) - (size_t)n, format, args);
	va_end(args);
	FILE *pipe = popen(command, "r");

	if (!pipe)
		return -1;
	size_t got = fread(out, 1, size - 1, pipe);

	out[got] = '\0';
	int status = pclose(pipe);

	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}
