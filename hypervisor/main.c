/* SPDX-License-Identifier: MIT */
/* The hypervisor daemon from its start to its end. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "hv.h"

/* A domain's life is PVR_HV_DOMAIN_*; the store's own messages for it find it done already, or are
 * refused. */
static int xs_introduce(void *opaque, uint16_t domid, uint64_t gfn, uint32_t evtchn)
{
	struct hv *hv = opaque;

	(void)gfn;
	(void)evtchn;
	return hv_domain_find(hv, domid) ? 0 : -ENOENT;
}

static int xs_release(void *opaque, uint16_t domid)
{
	struct hv *hv = opaque;

	return hv_domain_find(hv, domid) ? -EBUSY : 0;
}

static void xs_print(void *opaque, const char *text)
{
	(void)opaque;
	hv_log("xenstore: %s", text);
}

static void on_signal(struct hv_source *source, uint32_t events)
{
	struct signalfd_siginfo info;
	ssize_t n = read(source->fd, &info, sizeof(info)); /* or it strikes when it is unblocked */

	(void)n;
	(void)events;
	container_of(source, struct hv, signals)->stop = 1;
}

static void on_parent_end(struct hv_source *source, uint32_t events)
{
	(void)events;
	container_of(source, struct hv, parent)->stop = 1;
}

static void config_defaults(struct hv *hv)
{
	struct rlimit files = {0, 0};
	struct pvr_hv_config *c = &hv->config;

	if (!c->domains_max || c->domains_max > DOMID_FIRST_RESERVED / 2)
		c->domains_max = HV_DOMAINS_DEFAULT;
	if (!c->grant_frames || c->grant_frames > HV_GRANT_FRAMES)
		c->grant_frames = HV_GRANT_FRAMES;
	if (!getrlimit(RLIMIT_NOFILE, &files)) {
		files.rlim_cur = files.rlim_max;
		setrlimit(RLIMIT_NOFILE, &files);
		getrlimit(RLIMIT_NOFILE, &files);
	}
	/* A host with very few descriptors keeps half of them for everything else. */
	uint64_t most = files.rlim_cur > 1u << 20 ? 1u << 20 : files.rlim_cur;

	hv->pairs.max = (unsigned)(most > 2 * HV_FDS_RESERVED ? most - HV_FDS_RESERVED : most / 2);
}

static int store_open(struct hv *hv)
{
	static const struct pvr_xs_ops ops = {
		.introduce = xs_introduce, .release = xs_release, .print = xs_print};

	hv->xs = pvr_xs_create(NULL, &ops, hv);
	return hv->xs ? hv_nodes_dom0(hv) : -ENOMEM;
}

/* SIGTERM and SIGINT come through the loop; `old` is what to put back. */
static int signals_open(struct hv *hv, sigset_t *old)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigprocmask(SIG_BLOCK, &set, old);
	hv_event_init();
	int fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);

	if (fd < 0)
		return -errno;
	hv->signals.event = on_signal;
	int err = hv_source_add(hv, &hv->signals, fd, EPOLLIN);

	if (err)
		close(fd);
	return err;
}

static int parent_watch(struct hv *hv)
{
	if (!hv->config.parent_dies)
		return 0;
	int fd = (int)syscall(SYS_pidfd_open, getppid(), 0);

	if (fd < 0)
		return -errno;
	hv->parent.event = on_parent_end;
	int err = hv_source_add(hv, &hv->parent, fd, EPOLLIN);

	if (err)
		close(fd);
	return err;
}

static void say_ready(const struct hv *hv)
{
	if (hv->config.ready_fd < 0)
		return;
	ssize_t n = write(hv->config.ready_fd, "", 1);

	(void)n; /* nobody waits for it any more */
}

static int run(struct hv *hv, sigset_t *old)
{
	hv->epoll = epoll_create1(EPOLL_CLOEXEC);
	int err = hv->epoll < 0 ? -errno : hv_domain_dom0_init(hv);

	if (!err)
		err = store_open(hv);
	if (!err)
		err = signals_open(hv, old);
	if (!err)
		err = parent_watch(hv);
	if (err) {
		fprintf(stderr, "pvring: hypervisor: cannot start: %s\n", strerror(-err));
		return err;
	}
	err = hv_server_open(hv);
	if (err)
		return err;
	err = hv_confine();
	if (err) {
		fprintf(stderr, "pvring: hypervisor: cannot confine itself: %s\n", strerror(-err));
		return err;
	}
	say_ready(hv);
	hv_loop_run(hv);
	return 0;
}

static void source_close(struct hv *hv, struct hv_source *source)
{
	int fd = hv_source_remove(hv, source);

	if (fd >= 0)
		close(fd);
}

static void end(struct hv *hv)
{
	while (!TAILQ_EMPTY(&hv->clients))
		hv_client_drop(TAILQ_FIRST(&hv->clients));
	hv_ghosts_free(hv);
	hv_domains_free(hv);
	hv_xs_clients_free(hv);
	if (hv->xs)
		pvr_xs_destroy(hv->xs);
	hv_server_close(hv);
	source_close(hv, &hv->signals);
	source_close(hv, &hv->parent);
	if (hv->epoll >= 0)
		close(hv->epoll);
}

int pvr_hypervisor_run(const struct pvr_hv_config *config)
{
	struct hv *hv = calloc(1, sizeof(*hv));
	sigset_t old;

	if (!hv)
		return -ENOMEM;
	sigprocmask(SIG_BLOCK, NULL, &old);
	hv->config = *config;
	hv->directory = hv->spare = -1;
	hv->control.fd = hv->xenstored.fd = hv->signals.fd = hv->parent.fd = -1;
	hv->last_client = HV_CLIENT_FIRST - 1;
	TAILQ_INIT(&hv->laters);
	TAILQ_INIT(&hv->domains);
	TAILQ_INIT(&hv->clients);
	TAILQ_INIT(&hv->ghosts);
	config_defaults(hv);
	int err = run(hv, &old);

	end(hv);
	free(hv);
	sigprocmask(SIG_SETMASK, &old, NULL);
	return err;
}
