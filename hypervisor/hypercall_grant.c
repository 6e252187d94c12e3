/* SPDX-License-Identifier: MIT */
/*
 * grant_table_op. A process domain cannot map what others grant: only dom0 has foreign memory, and
 * it maps without the daemon (gnttab.c over shared books). What is left is to describe the table,
 * to copy, and to refuse with the right status.
 */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "hv.h"
#include "hypercall.h"

/* The domain a grant command names, while it has a grant table; or NULL. */
static struct hv_domain *domain_named(const struct hv_client *client, domid_t domid)
{
	struct hv_domain *d = client->domain;

	if (domid != DOMID_SELF && domid != d->domid)
		d = hv_domain_find(client->hv, domid);
	return d && d->books ? d : NULL;
}

/* GNTST_okay when the client may look at the table of `domid`. */
static int16_t table_access(const struct hv_client *client, domid_t domid)
{
	const struct hv_domain *d = domain_named(client, domid);

	if (!d)
		return GNTST_bad_domain;
	return d == client->domain || client->role == HV_ROLE_DOM0 ? GNTST_okay
								   : GNTST_permission_denied;
}

int64_t hv_grant_map(struct hv_client *client, const struct hv_call *call, struct hv_reply *reply)
{
	struct gnttab_map_grant_ref *op = (void *)call->argument;

	(void)reply;
	for (uint32_t i = 0; i < call->count; i++)
		op[i].status = !(op[i].flags & (GNTMAP_device_map | GNTMAP_host_map))
				       ? GNTST_bad_gntref
			       : domain_named(client, op[i].dom) ? GNTST_permission_denied
								 : GNTST_bad_domain;
	return 0;
}

int64_t hv_grant_unmap(struct hv_client *client, const struct hv_call *call, struct hv_reply *reply)
{
	struct gnttab_unmap_grant_ref *op = (void *)call->argument;

	(void)client;
	(void)reply;
	for (uint32_t i = 0; i < call->count; i++)
		op[i].status = GNTST_bad_handle;
	return 0;
}

/* i386 and x86_64 agree on the fields before the pointer, and put the frame list behind the
 * structure. */
int64_t hv_grant_setup(struct hv_client *client, const struct hv_call *call, struct hv_reply *reply)
{
	struct head {
		domid_t dom;
		uint32_t nr_frames;
		int16_t status;
	} *op = (void *)call->argument;

	(void)reply;
	op->status = table_access(client, op->dom);
	if (op->status != GNTST_okay)
		return 0;
	if (op->nr_frames > client->hv->config.grant_frames) {
		op->status = GNTST_general_error;
		return 0;
	}
	if (call->tail != op->nr_frames * call->word_size)
		return -EFAULT;
	for (uint32_t i = 0; i < op->nr_frames; i++) {
		uint64_t frame = PVR_HV_FRAME_GRANT + i;

		/* Both guests are little endian: the low bytes are the narrower number. */
		memcpy(call->argument + call->size + i * call->word_size, &frame, call->word_size);
	}
	return 0;
}

/* Fields of struct gnttab_transfer that come behind xen_pfn_t mfn; padded to the word. */
struct transfer_rest {
	domid_t domid;
	grant_ref_t ref;
	int16_t status;
};

int64_t hv_grant_transfer(
	struct hv_client *client, const struct hv_call *call, struct hv_reply *reply)
{
	(void)reply;
	for (uint32_t i = 0; i < call->count; i++) {
		uint8_t *at = call->argument + i * call->size + call->word_size;
		struct transfer_rest rest;

		memcpy(&rest, at, sizeof(rest));
		rest.status = domain_named(client, rest.domid) ? GNTST_permission_denied
							       : GNTST_bad_domain;
		memcpy(at, &rest, sizeof(rest));
	}
	return 0;
}

/* One side of a copy, free of the guest's word size. */
struct copy_side {
	uint64_t what; /* reference or frame */
	domid_t domid;
	uint16_t offset;
	int by_ref;
	int writes;
	struct hv_domain *domain;
	struct pvr_maptrack *track; /* pinned while it has one */
	off_t at;                   /* in the domain's memory file */
};

struct copy {
	struct copy_side side[2];
	uint16_t length;
	uint16_t flags;
};

/*
 * The i386 layout of struct gnttab_copy: frames have 32 bits. Source: grant_table.h built for i386.
 */
struct copy_32 {
	struct {
		uint32_t what;
		domid_t domid;
		uint16_t offset;
	} source, dest;
	uint16_t len;
	uint16_t flags;
	int16_t status;
	uint16_t pad;
};
_Static_assert(sizeof(struct copy_32) == 24, "as an i386 compiler lays it out");
_Static_assert(sizeof(struct gnttab_copy) == 40, "as an x86_64 compiler lays it out");

static struct copy_side side_named(uint64_t what, domid_t domid, uint16_t offset)
{
	return (struct copy_side){.what = what, .domid = domid, .offset = offset};
}

static struct copy copy_decode(const uint8_t *element, unsigned word_size)
{
	struct copy c = {0};

	if (word_size == 4) {
		struct copy_32 op;

		memcpy(&op, element, sizeof(op));
		c.side[0] = side_named(op.source.what, op.source.domid, op.source.offset);
		c.side[1] = side_named(op.dest.what, op.dest.domid, op.dest.offset);
		c.length = op.len;
		c.flags = op.flags;
	} else {
		struct gnttab_copy op;

		memcpy(&op, element, sizeof(op));
		c.side[0] = side_named(op.source.u.gmfn, op.source.domid, op.source.offset);
		c.side[1] = side_named(op.dest.u.gmfn, op.dest.domid, op.dest.offset);
		c.length = op.len;
		c.flags = op.flags;
	}
	c.side[0].by_ref = (c.flags & GNTCOPY_source_gref) != 0;
	c.side[1].by_ref = (c.flags & GNTCOPY_dest_gref) != 0;
	c.side[1].writes = 1;
	/* A reference has 32 bits, whatever the guest left in the rest of the union. */
	for (int i = 0; i < 2; i++)
		if (c.side[i].by_ref)
			c.side[i].what = (uint32_t)c.side[i].what;
	return c;
}

/* Xen lets a caller name frames of its own only, and only as DOMID_SELF. Source:
 * common/grant_table.c. */
static int16_t side_check(const struct hv_client *client, struct copy_side *s)
{
	if (s->domid != DOMID_SELF && !s->by_ref)
		return GNTST_permission_denied;
	s->domain = domain_named(client, s->domid);
	return s->domain ? GNTST_okay : GNTST_bad_domain;
}

static int16_t side_pin(struct hv_client *client, struct copy_side *s, struct pvr_maptrack *track)
{
	struct pvr_gnttab *table = &s->domain->gnttab;
	uint32_t frame;

	if (!s->by_ref) {
		if (s->what < table->first_frame || s->what >= table->last_frame)
			return GNTST_bad_page;
		s->at = (off_t)s->what * 4096 + s->offset;
		return GNTST_okay;
	}
	int16_t status = pvr_gnttab_map(
		table, client->domain->domid, (grant_ref_t)s->what, !s->writes, track, &frame);

	if (status == GNTST_okay) {
		s->track = track;
		s->at = (off_t)frame * 4096 + s->offset;
	}
	return status;
}

static void side_unpin(struct copy_side *s)
{
	if (s->track)
		pvr_gnttab_unmap(&s->domain->gnttab, s->track);
}

static int16_t copy_one(struct hv_client *client, struct copy *c)
{
	uint8_t bounce[4096];
	int16_t status = side_check(client, &c->side[0]);

	if (status == GNTST_okay)
		status = side_check(client, &c->side[1]);
	if (status != GNTST_okay)
		return status;
	for (int i = 0; i < 2; i++)
		if (c->side[i].offset + c->length > (int)sizeof(bounce))
			return GNTST_bad_copy_arg;
	for (int i = 0; i < 2 && status == GNTST_okay; i++)
		status = side_pin(client, &c->side[i], &client->hv->copy_tracks[i]);
	if (status == GNTST_okay) {
		ssize_t n = pread(c->side[0].domain->memory, bounce, c->length, c->side[0].at);

		if (n != c->length ||
			pwrite(c->side[1].domain->memory, bounce, c->length, c->side[1].at) != n)
			status = GNTST_general_error;
	}
	side_unpin(&c->side[0]);
	side_unpin(&c->side[1]);
	return status;
}

int64_t hv_grant_copy(struct hv_client *client, const struct hv_call *call, struct hv_reply *reply)
{
	const size_t status_at = call->word_size == 4 ? offsetof(struct copy_32, status)
						      : offsetof(struct gnttab_copy, status);

	(void)reply;
	for (uint32_t i = 0; i < call->count; i++) {
		uint8_t *element = call->argument + i * call->size;
		struct copy c = copy_decode(element, call->word_size);
		int16_t status = copy_one(client, &c);

		memcpy(element + status_at, &status, sizeof(status));
	}
	return 0;
}

int64_t hv_grant_query(struct hv_client *client, const struct hv_call *call, struct hv_reply *reply)
{
	struct gnttab_query_size *op = (void *)call->argument;

	(void)reply;
	op->status = table_access(client, op->dom);
	if (op->status == GNTST_okay)
		op->nr_frames = op->max_nr_frames = client->hv->config.grant_frames;
	return 0;
}

/* As a Xen that is told to offer version 1 alone: version 2 is answered as if the command did not
 * exist. */
int64_t hv_grant_set_version(
	struct hv_client *client, const struct hv_call *call, struct hv_reply *reply)
{
	struct gnttab_set_version *op = (void *)call->argument;
	const uint32_t wanted = op->version;

	(void)client;
	(void)reply;
	op->version = 1;
	return wanted == 1 ? 0 : wanted == 2 ? -ENOSYS : -EINVAL;
}

int64_t hv_grant_get_version(
	struct hv_client *client, const struct hv_call *call, struct hv_reply *reply)
{
	struct gnttab_get_version *op = (void *)call->argument;
	int16_t status = table_access(client, op->dom);

	(void)reply;
	if (status != GNTST_okay)
		return status == GNTST_bad_domain ? -ESRCH : -EPERM;
	op->version = 1;
	return 0;
}

/* Refused: nobody uses it, and entries that move under a mapping have cost Xen two advisories. */
int64_t hv_grant_swap(struct hv_client *client, const struct hv_call *call, struct hv_reply *reply)
{
	struct gnttab_swap_grant_ref *op = (void *)call->argument;
	const uint32_t entries = client->domain->gnttab.entries;

	(void)reply;
	for (uint32_t i = 0; i < call->count; i++)
		op[i].status = op[i].ref_a < entries && op[i].ref_b < entries ? GNTST_general_error
									      : GNTST_bad_gntref;
	return 0;
}

/* Caches are coherent here; x86 answers this command so. */
int64_t hv_grant_cache_flush(
	struct hv_client *client, const struct hv_call *call, struct hv_reply *reply)
{
	(void)client;
	(void)call;
	(void)reply;
	return -EOPNOTSUPP;
}
