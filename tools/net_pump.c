/* SPDX-License-Identifier: MIT */
/*
 * The guest that `pvring run --net` makes: a process that attaches to a domain, connects its interfaces, and joins each to a
 * TAP in a network namespace of its own. What runs in that namespace then has eth0, and knows of nothing.
 */
#include "net.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sysexits.h>
#include <unistd.h>

#include <pvring/port.h>
#include <pvring/process.h>

#include "tools.h"

#define CONNECT_NS     8000000000ull
#define MTU_WITHOUT_SG (PVR_PAGE_SIZE - 18) /* one page a packet, with a VLAN tag */

struct pump_net {
	struct pvr_netfront *net;
	unsigned queues, running;
	struct net_queue queue[PVR_NETFRONT_QUEUES_MAX];
	pthread_t thread[PVR_NETFRONT_QUEUES_MAX];
};

static void *queue_thread(void *queue)
{
	net_queue_run(queue);
	return NULL;
}

/* Connect interface `index`, and make its TAP as both halves agreed. A sysexits status, said. */
static int net_open(struct pump_net *p, unsigned index, const struct net_spec *spec)
{
	struct pvr_netfront_options options = {.queues = spec->queues ? spec->queues : 1,
		.without = spec->front_without,
		.reconnect_ns = UINT64_MAX};
	struct pvr_netfront_calls calls = net_queue_calls;
	const struct pvr_netfront_info *info;
	int taps[PVR_NETFRONT_QUEUES_MAX];
	char path[32], name[16], why[256];
	unsigned mtu;
	int rc;

	calls.user = p->queue;
	snprintf(path, sizeof(path), "device/vif/%u", index);
	snprintf(name, sizeof(name), "eth%u", index);
	rc = pvr_netfront_open(path, &options, &calls, pvr_port_now_ns() + CONNECT_NS, &p->net);
	if (rc)
		return tool_error(tool_status(rc), "%s does not connect to its backend: %s", name,
			strerror(-rc));
	info = pvr_netfront_info(p->net);
	mtu = info->sg || info->mtu < MTU_WITHOUT_SG ? info->mtu : MTU_WITHOUT_SG;
	rc = netns_tap_open(name, info->queues, taps, why, sizeof(why));
	if (!rc)
		rc = netns_configure(name, spec, info->mac, mtu, why, sizeof(why));
	if (rc)
		return tool_error(EX_UNAVAILABLE, "%s", why);
	p->queues = info->queues;
	for (unsigned i = 0; i < p->queues; i++)
		p->queue[i] = (struct net_queue){.net = p->net, .index = i, .tap = taps[i]};
	return 0;
}

static int net_start(struct pump_net *p, int stop)
{
	for (; p->running < p->queues; p->running++) {
		struct net_queue *q = &p->queue[p->running];

		q->stop = stop;
		if (pthread_create(&p->thread[p->running], NULL, queue_thread, q))
			return tool_error(EX_OSERR, "no thread for a queue");
	}
	return 0;
}

/* Wait for the queues' ends, and close. Nonzero when one did not end because it was told to. */
static int net_end(struct pump_net *p, unsigned index)
{
	int error = 0;

	for (unsigned i = 0; i < p->running; i++) {
		pthread_join(p->thread[i], NULL);
		error = error ? error : p->queue[i].error;
	}
	if (p->net)
		pvr_netfront_close(p->net);
	for (unsigned i = 0; i < p->queues; i++) {
		close(p->queue[i].tap);
		free(p->queue[i].flights);
	}
	return error ? tool_error(EX_IOERR, "eth%u has ended: %s", index, strerror(-error)) : 0;
}

/* SIGTERM and SIGINT as a descriptor, for all threads to come: it stays readable until the end. */
static int signals_fd(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	pthread_sigmask(SIG_BLOCK, &set, NULL);
	return signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
}

static int run_nets(const struct net_spec *specs, unsigned count, int stop, int ready_fd)
{
	struct pump_net *nets = calloc(count, sizeof(*nets));
	int rc = nets ? 0 : tool_error(EX_OSERR, "no memory for %u interfaces", count);

	for (unsigned i = 0; i < count && !rc; i++)
		rc = net_open(&nets[i], i, &specs[i]);
	for (unsigned i = 0; i < count && !rc; i++)
		rc = net_start(&nets[i], stop);
	if (!rc && write(ready_fd, "", 1) != 1)
		rc = EX_OSERR;
	if (rc)
		kill(getpid(), SIGTERM); /* blocked: what runs sees `stop` */
	close(ready_fd);
	for (unsigned i = 0; nets && i < count; i++) {
		int ended = net_end(&nets[i], i);

		rc = rc ? rc : ended;
	}
	free(nets);
	return rc;
}

int net_pump_run(
	const char *dir, uint32_t domid, const struct net_spec *specs, unsigned count, int ready_fd)
{
	int stop = signals_fd();
	char why[256];
	int rc;

	if (stop < 0)
		return tool_error(EX_OSERR, "signalfd: %s", strerror(errno));
	/* A user namespace is entered before there are threads. */
	if (netns_enter(why, sizeof(why)) || netns_loopback(why, sizeof(why)))
		return tool_error(EX_NOPERM, "%s", why);
	rc = pvr_process_attach(dir, domid);
	if (rc)
		return tool_error(
			tool_status(rc), "cannot attach to domain %u: %s", domid, strerror(-rc));
	rc = run_nets(specs, count, stop, ready_fd);
	pvr_process_detach();
	close(stop);
	return rc;
}
