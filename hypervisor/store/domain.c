/* SPDX-License-Identifier: MIT */
/*
 * Domains as the store sees them: what each holds, against its quotas; and the brake.
 *
 * The brake is what keeps a client in a loop from starving others' transactions (XSA-206). Every
 * time a transaction fails because of a change by a limited domain, that domain pays
 * PVR_XS_CONFLICT_MS. It may owe PVR_XS_CONFLICT_BURST of them; beyond that its input is not looked
 * at until it owes less. So after at most PVR_XS_CONFLICT_BURST failures caused by one domain, a
 * transaction has PVR_XS_CONFLICT_MS without it.
 */
#include "store.h"

#include <time.h>

unsigned xs_alloc_countdown;

void *xs_alloc(size_t size)
{
	return xs_realloc(NULL, size);
}

void *xs_realloc(void *p, size_t size)
{
	if (xs_alloc_countdown && --xs_alloc_countdown == 0)
		return NULL;
	return realloc(p, size);
}

struct xs_dom *xs_dom_find(const struct pvr_xs *xs, uint16_t domid)
{
	struct xs_dom *dom;

	HASH_FIND(hh, xs->doms, &domid, sizeof(domid), dom);
	return dom;
}

struct xs_dom *xs_dom_get(struct pvr_xs *xs, uint16_t domid)
{
	struct xs_dom *dom = xs_dom_find(xs, domid);

	if (dom)
		return dom;
	dom = xs_alloc(sizeof(*dom));
	if (!dom)
		return NULL;
	memset(dom, 0, sizeof(*dom));
	dom->domid = domid;
	dom->privileged = dom->introduced = domid == 0;
	HASH_ADD(hh, xs->doms, domid, sizeof(dom->domid), dom);
	if (!dom->hh.tbl) {
		free(dom);
		return NULL;
	}
	return dom;
}

void xs_dom_put(struct pvr_xs *xs, struct xs_dom *dom)
{
	/* A debt is remembered, or a new connection would have none. */
	if (dom->introduced || dom->conns || dom->nodes || dom->dirty || dom->has_target ||
		(dom->brake_ms && dom->brake_ms > xs_now(xs)))
		return;
	HASH_DEL(xs->doms, dom);
	free(dom);
}

bool xs_dom_limited(const struct xs_dom *dom)
{
	return !dom->privileged;
}

int xs_acct(struct pvr_xs *xs, uint16_t domid, int nodes, int64_t mem)
{
	struct xs_dom *dom = xs_dom_get(xs, domid);

	if (!dom)
		return -ENOMEM;
	dom->d_nodes += nodes;
	dom->d_node_mem += mem;
	if (!dom->dirty) {
		dom->dirty = true;
		SLIST_INSERT_HEAD(&xs->dirty, dom, dirty_link);
	}
	return 0;
}

int xs_acct_check(struct pvr_xs *xs)
{
	const struct xs_dom *dom;

	SLIST_FOREACH(dom, &xs->dirty, dirty_link)
	{
		if (!xs_dom_limited(dom))
			continue;
		if (dom->d_nodes > 0 && dom->nodes + dom->d_nodes > xs->quota.nodes)
			return -ENOSPC;
		if (dom->d_node_mem > 0 &&
			dom->node_mem + dom->d_node_mem + (int64_t)dom->other_mem >
				xs->quota.memory)
			return -ENOMEM;
	}
	return 0;
}

void xs_acct_settle(struct pvr_xs *xs, bool commit)
{
	struct xs_dom *dom;

	while ((dom = SLIST_FIRST(&xs->dirty))) {
		SLIST_REMOVE_HEAD(&xs->dirty, dirty_link);
		if (commit) {
			dom->nodes += dom->d_nodes;
			dom->node_mem += dom->d_node_mem;
			xs->live += (size_t)dom->d_node_mem; /* wraps for what is taken away */
		}
		dom->d_nodes = dom->d_node_mem = 0;
		dom->dirty = false;
		xs_dom_put(xs, dom);
	}
}

int xs_mem_charge(struct pvr_xs *xs, struct xs_dom *dom, size_t bytes)
{
	if (xs_dom_limited(dom) &&
		(size_t)dom->node_mem + dom->other_mem + bytes > xs->quota.memory)
		return -ENOMEM;
	dom->other_mem += bytes;
	return 0;
}

void xs_mem_uncharge(struct xs_dom *dom, size_t bytes)
{
	dom->other_mem -= bytes;
}

uint64_t xs_now(const struct pvr_xs *xs)
{
	struct timespec ts;

	if (xs->ops.now_ms)
		return xs->ops.now_ms(xs->opaque);
	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}

/* brake_ms is the time at which nothing is owed any more. */
void xs_dom_blame(struct pvr_xs *xs, uint16_t domid)
{
	struct xs_dom *dom = xs_dom_find(xs, domid);
	uint64_t now = xs_now(xs);

	if (!dom || !xs_dom_limited(dom))
		return;
	if (dom->brake_ms < now)
		dom->brake_ms = now;
	dom->brake_ms += PVR_XS_CONFLICT_MS;
	dom->held |= xs_dom_held(xs, dom) != 0;
}

uint64_t xs_dom_held(const struct pvr_xs *xs, const struct xs_dom *dom)
{
	uint64_t allowed;

	if (!dom->brake_ms)
		return 0;
	allowed = xs_now(xs) + (uint64_t)PVR_XS_CONFLICT_BURST * PVR_XS_CONFLICT_MS;
	return dom->brake_ms > allowed ? dom->brake_ms - allowed : 0;
}

int pvr_xs_timeout(struct pvr_xs *xs)
{
	uint64_t least = UINT64_MAX;

	for (struct xs_dom *dom = xs->doms; dom; dom = dom->hh.next)
		if (dom->held) {
			uint64_t ms = xs_dom_held(xs, dom);

			least = ms < least ? ms : least;
		}
	return least == UINT64_MAX ? -1 : (int)(least < 1000 ? least : 1000);
}

void pvr_xs_run(struct pvr_xs *xs)
{
	struct pvr_xs_conn *conn;

	for (struct xs_dom *dom = xs->doms; dom; dom = dom->hh.next) {
		if (!dom->held || xs_dom_held(xs, dom))
			continue;
		dom->held = false;
		LIST_FOREACH(conn, &xs->conns, link)
		if (conn->dom == dom)
			xs_conn_ready(conn);
	}
}

void pvr_xs_usage(const struct pvr_xs *xs, uint16_t domid, struct pvr_xs_usage *usage)
{
	const struct xs_dom *dom = xs_dom_find(xs, domid);

	memset(usage, 0, sizeof(*usage));
	if (!dom)
		return;
	usage->nodes = (uint32_t)dom->nodes;
	usage->watches = dom->watches;
	usage->transactions = dom->txs;
	usage->memory = (size_t)dom->node_mem + dom->other_mem;
}
