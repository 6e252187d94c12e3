/* SPDX-License-Identifier: MIT */
/* The daemon's state without its sockets: dom0, the store, the loop. A fuzzer starts here. */
#include <errno.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/resource.h>
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

struct hv *hv_core_new(const struct pvr_hv_config *config)
{
	struct hv *hv = calloc(1, sizeof(*hv));

	if (!hv)
		return NULL;
	hv->config = *config;
	hv->epoll = hv->directory = hv->spare = -1;
	hv->control.fd = hv->xenstored.fd = hv->signals.fd = hv->parent.fd = -1;
	hv->last_client = HV_CLIENT_FIRST - 1;
	TAILQ_INIT(&hv->laters);
	TAILQ_INIT(&hv->domains);
	TAILQ_INIT(&hv->clients);
	TAILQ_INIT(&hv->ghosts);
	config_defaults(hv);
	return hv;
}

int hv_core_open(struct hv *hv)
{
	hv->epoll = epoll_create1(EPOLL_CLOEXEC);
	int err = hv->epoll < 0 ? -errno : hv_domain_dom0_init(hv);

	hv_event_init();
	return err ? err : store_open(hv);
}

static void source_close(struct hv *hv, struct hv_source *source)
{
	int fd = hv_source_remove(hv, source);

	if (fd >= 0)
		close(fd);
}

void hv_core_free(struct hv *hv)
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
	free(hv);
}
