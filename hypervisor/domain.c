/* SPDX-License-Identifier: MIT */
/*
 * The life of a domain: created, attached to by a process, down when that process is gone, attached
 * again, destroyed. Each attachment is a generation with memory, grant books and event channels of
 * its own.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "hv.h"

struct hv_domain *hv_domain_find(struct hv *hv, uint32_t domid)
{
	struct hv_domain *d;

	TAILQ_FOREACH(d, &hv->domains, entry)
	if (d->domid == domid)
		return d;
	return NULL;
}

int hv_domain_dom0_init(struct hv *hv)
{
	struct hv_domain *d = &hv->dom0;

	*d = (struct hv_domain){.hv = hv, .name = "Domain-0", .state = PVR_HV_RUNNING};
	d->vcpus = 1;
	d->word_size = sizeof(long);
	d->memory = d->books_fd = -1;
	d->ports = (struct hv_ports){.vcpus = 1, .word_size = 8, .budget = &hv->pairs};
	return hv_ports_init(&d->ports, HV_PORTS_2L(8));
}

/* A number that is free, as long as possible after its last use. */
static int domid_new(struct hv *hv)
{
	domid_t domid = hv->last_domid;

	do {
		domid = domid + 1 < (int)DOMID_FIRST_RESERVED ? (domid_t)(domid + 1) : 1;
	} while (hv_domain_find(hv, domid)); /* there are fewer domains than numbers */
	hv->last_domid = domid;
	return domid;
}

static int create_check(struct hv *hv, const struct pvr_hv_create *create)
{
	static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
				      "0123456789-_.+";
	size_t length = strnlen(create->name, sizeof(create->name));
	struct hv_domain *d;

	if (!length || length == sizeof(create->name) || strspn(create->name, letters) != length)
		return -EINVAL;
	if (create->memory_bytes % 4096 || create->memory_bytes < HV_MEMORY_MIN ||
		create->memory_bytes > HV_MEMORY_MAX)
		return -EINVAL;
	if (create->vcpus < 1 || create->vcpus > XEN_LEGACY_MAX_VCPUS)
		return -EINVAL;
	if (!strcmp(create->name, hv->dom0.name))
		return -EEXIST;
	TAILQ_FOREACH(d, &hv->domains, entry)
	if (d->state != PVR_HV_DYING && !strcmp(d->name, create->name))
		return -EEXIST;
	return hv->domain_count < hv->config.domains_max ? 0 : -ENOSPC;
}

static void domain_insert(struct hv *hv, struct hv_domain *d)
{
	struct hv_domain *after;

	TAILQ_FOREACH(after, &hv->domains, entry)
	if (after->domid > d->domid)
		break;
	if (after)
		TAILQ_INSERT_BEFORE(after, d, entry);
	else
		TAILQ_INSERT_TAIL(&hv->domains, d, entry);
	hv->domain_count++;
}

static void domain_remove(struct hv *hv, struct hv_domain *d)
{
	TAILQ_REMOVE(&hv->domains, d, entry);
	hv->domain_count--;
	free(d);
}

int hv_domain_create(struct hv *hv, const struct pvr_hv_create *create)
{
	int err = create_check(hv, create);
	struct hv_domain *d;

	if (err)
		return err;
	d = calloc(1, sizeof(*d));
	if (!d)
		return -ENOMEM;
	d->hv = hv;
	d->domid = (domid_t)domid_new(hv);
	d->memory_bytes = create->memory_bytes;
	d->uid = create->uid;
	d->vcpus = create->vcpus;
	d->memory = d->books_fd = -1;
	memcpy(d->name, create->name, sizeof(d->name));
	domain_insert(hv, d);
	err = hv_nodes_create(d);
	if (!err)
		err = pvr_xs_introduce(hv->xs, d->domid);
	if (!err)
		return d->domid;
	pvr_xs_release(hv->xs, d->domid);
	domain_remove(hv, d);
	return err;
}

static size_t low_size(const struct hv_domain *d)
{
	return (size_t)(PVR_HV_FRAME_GRANT + d->hv->config.grant_frames) * 4096;
}

static size_t books_size(const struct hv_domain *d)
{
	return d->hv->config.grant_frames * PVR_GRANTS_PER_FRAME * sizeof(struct pvr_grant_book);
}

static void memory_release(struct hv_domain *d)
{
	if (d->low)
		munmap(d->low, low_size(d));
	if (d->books)
		munmap(d->books, books_size(d));
	if (d->memory >= 0)
		close(d->memory);
	if (d->books_fd >= 0)
		close(d->books_fd);
	d->low = NULL;
	d->books = NULL;
	d->memory = d->books_fd = -1;
}

static int memory_map(int fd, size_t size, void *out)
{
	void *address = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

	if (address == MAP_FAILED)
		return -errno;
	memcpy(out, &address, sizeof(address));
	return 0;
}

static int memory_make(struct hv_domain *d)
{
	int err;

	d->memory = hv_memory_new("pvring-domain", d->memory_bytes);
	if (d->memory < 0)
		return d->memory;
	d->books_fd = hv_memory_new("pvring-grant-books", books_size(d));
	if (d->books_fd < 0)
		return d->books_fd;
	err = memory_map(d->memory, low_size(d), &d->low);
	if (!err)
		err = memory_map(d->books_fd, books_size(d), &d->books);
	if (err)
		return err;
	d->gnttab = (struct pvr_gnttab){
		.shared = (void *)(d->low + PVR_HV_FRAME_GRANT * 4096),
		.books = d->books,
		.entries = d->hv->config.grant_frames * (uint32_t)PVR_GRANTS_PER_FRAME,
		.first_frame = PVR_HV_FRAME_GRANT + d->hv->config.grant_frames,
		.last_frame = (uint32_t)(d->memory_bytes / 4096),
		.domid = d->domid,
		.generation = (uint32_t)d->generation,
		.client = HV_CLIENT_DAEMON,
	};
	return 0;
}

static int ports_make(struct hv_domain *d)
{
	uint32_t limit = HV_PORTS_2L(d->word_size);

	if (d->hv->config.event_channels_max && d->hv->config.event_channels_max < limit)
		limit = d->hv->config.event_channels_max;
	d->ports = (struct hv_ports){
		.domid = d->domid,
		.vcpus = d->vcpus,
		.guarded = 1,
		.word_size = d->word_size,
		.shared_info = d->low + PVR_HV_FRAME_SHARED_INFO * 4096,
		.budget = &d->hv->pairs,
	};
	return hv_ports_init(&d->ports, limit);
}

int hv_domain_attach(struct hv_domain *d, struct hv_client *client, unsigned word_size)
{
	int err;

	if (d->state == PVR_HV_DYING)
		return -ENOENT;
	if (d->state != PVR_HV_DOWN)
		return -EBUSY;
	d->generation++;
	d->word_size = word_size;
	err = memory_make(d);
	if (!err)
		err = ports_make(d);
	if (!err) {
		int port = hv_port_alloc_unbound(&d->ports, 0, 0);

		d->store_port = port < 0 ? 0 : (evtchn_port_t)port;
		err = port < 0 ? port : hv_xs_ring_open(d, &d->ring, d->store_port);
	}
	if (!err)
		err = hv_nodes_attach(d);
	if (err) {
		hv_xs_ring_close(&d->ring);
		hv_ports_fini(&d->ports);
		memory_release(d);
		return err;
	}
	d->state = PVR_HV_RUNNING;
	d->client = client;
	pvr_xs_resume(d->hv->xs, d->domid);
	return 0;
}

void hv_domain_down(struct hv_domain *d)
{
	if (d->state != PVR_HV_RUNNING)
		return;
	d->state = PVR_HV_DOWN;
	if (d->client)
		d->client->domain = NULL;
	d->client = NULL;
	hv_xs_ring_close(&d->ring);
	hv_ports_fini(&d->ports);
	memory_release(d);
	hv_nodes_close_devices(d);
	pvr_xs_shutdown(d->hv->xs, d->domid);
	hv_ports_raise_virq(&d->hv->dom0.ports, VIRQ_DOM_EXC);
}

int hv_domain_destroy(struct hv *hv, struct hv_domain *d)
{
	if (d->state == PVR_HV_DYING)
		return -ENOENT;
	if (d->client)
		hv_client_kill(d->client); /* and with that the domain is down */
	d->state = PVR_HV_DYING;
	hv->dying_count++;
	pvr_xs_release(hv->xs, d->domid);
	hv_domains_reap(hv);
	return 0;
}

void hv_domains_reap(struct hv *hv)
{
	struct hv_domain *d, *next;

	for (d = TAILQ_FIRST(&hv->domains); d; d = next) {
		next = TAILQ_NEXT(d, entry);
		if (d->state != PVR_HV_DYING || hv_clients_mapped(hv, d->domid))
			continue;
		hv->dying_count--;
		domain_remove(hv, d);
	}
}

void hv_domains_free(struct hv *hv)
{
	struct hv_domain *d;

	while ((d = TAILQ_FIRST(&hv->domains))) {
		hv_domain_down(d);
		domain_remove(hv, d);
	}
	hv_ports_fini(&hv->dom0.ports);
}
