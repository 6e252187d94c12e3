/* SPDX-License-Identifier: MIT */
/*
 * The network of an ephemeral system: a backend, a domain "guest-net" whose process is the pump (a domain has
 * one process, and "guest" is the command's), passt where the user asked for it.
 */
#include "net.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sysexits.h>
#include <time.h>
#include <unistd.h>

#include <pvring/netback.h>

#include "tools.h"

#define PUMP_MEMORY                                                                                \
	(96u << 20) /* sixteen queues of two rings of pages; what is not used does not exist */
#define PASST_TIMEOUT_MS 5000

/* What passt tells a guest that asks, and what we set where the user says nothing else. */
#define USER_ADDRESS "10.0.2.15"
#define USER_GATEWAY "10.0.2.2"
#define USER_PREFIX  24

static int netback_main(void *argument, int ready_fd)
{
	const struct ephemeral *system = argument;
	struct pvr_back_config config = {.dir = system->dir,
		.cpus = system->net_cpus,
		.ready_fd = ready_fd,
		.parent_dies = 1,
		.quiet = 1};

	prctl(PR_SET_NAME, "pvring-netback");
	return pvr_netback_run(&config);
}

int ephemeral_netback(struct ephemeral *system)
{
	return daemon_start(&system->netback, "network backend", netback_main, system);
}

/* ---- passt ---- */

/*
 * It confines itself, and says what it did to whoever listens, so only its log is kept. Started by root it would become
 * nobody, who may not make a socket in our directory.
 */
static int passt_main(void *argument, int ready_fd)
{
	const struct ephemeral *system = argument;
	char socket[160], log[160], user[16];
	int null = open("/dev/null", O_RDWR | O_CLOEXEC), said = dup(STDERR_FILENO);

	close(ready_fd);
	snprintf(socket, sizeof(socket), "%s/" PASST_SOCKET, system->dir);
	snprintf(log, sizeof(log), "%s/" PASST_LOG, system->dir);
	snprintf(user, sizeof(user), "%u", geteuid());
	dup2(null, STDOUT_FILENO);
	dup2(null, STDERR_FILENO);
	execlp("passt", "passt", "-f", "-q", "-l", log, "-s", socket, "-a", USER_ADDRESS, "-n",
		"24", "-g", USER_GATEWAY, "--runas", user, (char *)NULL);
	dup2(said, STDERR_FILENO);
	return tool_error(EX_UNAVAILABLE,
		"'user' needs passt (%s): install the package passt, or use tap=NAME",
		strerror(errno));
}

static void set_user_addresses(struct net_spec *spec)
{
	struct net_address *a = &spec->address[0];

	if (!a->family) {
		a->family = AF_INET;
		a->prefix = USER_PREFIX;
		inet_pton(AF_INET, USER_ADDRESS, &a->host);
	}
	if (!a->has_gateway)
		inet_pton(AF_INET, USER_GATEWAY, &a->gateway);
	a->has_gateway = 1;
}

/* The last line of its log that is not empty says why it ended. */
static int passt_ended(const struct ephemeral *system)
{
	char path[160], line[256], last[256] = "it says nothing";
	FILE *log;

	snprintf(path, sizeof(path), "%s/" PASST_LOG, system->dir);
	log = fopen(path, "re");
	while (log && fgets(line, sizeof(line), log)) {
		line[strcspn(line, "\n")] = 0;
		if (*line)
			strcpy(last, line);
	}
	if (log)
		fclose(log);
	return tool_error(EX_UNAVAILABLE, "passt did not start: %s", last);
}

static int start_passt(struct ephemeral *system, struct net_spec *spec)
{
	struct timespec pause = {.tv_nsec = 5000000};
	struct stat st;

	if (system->passt)
		return tool_error(EX_USAGE, "one interface may be of kind 'user'");
	snprintf(spec->target, sizeof(spec->target), "%.90s/" PASST_SOCKET, system->dir);
	set_user_addresses(spec);
	system->passt = daemon_spawn(passt_main, system, NULL);
	if (system->passt < 0)
		return tool_error(EX_OSERR, "fork: %s", strerror(errno));
	for (int ms = 0; ms < PASST_TIMEOUT_MS; ms += 5) {
		if (!stat(spec->target, &st))
			return 0;
		if (daemon_ended(&system->passt))
			return passt_ended(system);
		nanosleep(&pause, NULL);
	}
	return tool_error(
		EX_UNAVAILABLE, "passt made no socket within %d s", PASST_TIMEOUT_MS / 1000);
}

/* ---- the pump ---- */

struct pump {
	const char *dir;
	uint32_t domid;
	const struct net_spec *specs;
	unsigned count;
};

static int pump_main(void *argument, int ready_fd)
{
	const struct pump *pump = argument;

	prctl(PR_SET_NAME, "pvring-net");
	return net_pump_run(pump->dir, pump->domid, pump->specs, pump->count, ready_fd);
}

static int attach_all(struct ephemeral *system, struct net_spec *specs, unsigned count)
{
	struct pvr_host *host;
	char why[512];
	int rc = pvr_host_open(system->dir, &host);

	if (rc)
		return tool_no_hypervisor(system->dir, rc);
	for (unsigned i = 0; i < count && !rc; i++) {
		rc = vif_attach(host, system->net_domid, &specs[i], why, sizeof(why));
		if (rc)
			rc = tool_error(rc == -EIO ? EX_UNAVAILABLE : tool_status(rc), "%s", why);
	}
	pvr_host_close(host);
	return rc;
}

int ephemeral_net(struct ephemeral *system, struct net_spec *specs, unsigned count, int pumped)
{
	struct pump pump = {.dir = system->dir, .specs = specs, .count = count};
	int rc = 0;

	for (unsigned i = 0; i < count && !pumped; i++)
		if (specs[i].address[0].family || specs[i].address[1].family)
			return tool_error(EX_USAGE,
				"ip and gw are for a command: a kernel gives itself its address");
	for (unsigned i = 0; i < count && !rc; i++)
		if (specs[i].type == NET_USER)
			rc = start_passt(system, &specs[i]);
	if (!rc)
		rc = ephemeral_netback(system);
	system->net_domid = system->domid;
	if (!rc && pumped)
		rc = ephemeral_domain(system, "guest-net", PUMP_MEMORY, 0, &system->net_domid);
	if (!rc)
		rc = attach_all(system, specs, count);
	pump.domid = system->net_domid;
	if (rc || !pumped)
		return rc;
	return daemon_start(&system->pump, "command's network", pump_main, &pump);
}

int ephemeral_net_join(const struct ephemeral *system)
{
	int pidfd, rc = 0;

	if (!system->pump)
		return 0;
	pidfd = (int)syscall(SYS_pidfd_open, system->pump, 0);
	if (pidfd < 0 || (setns(pidfd, CLONE_NEWNET) && setns(pidfd, CLONE_NEWUSER | CLONE_NEWNET)))
		rc = tool_error(EX_OSERR, "cannot join the command's network: %s", strerror(errno));
	if (pidfd >= 0)
		close(pidfd);
	return rc;
}
