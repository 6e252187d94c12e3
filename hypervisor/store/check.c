/* SPDX-License-Identifier: MIT */
/*
 * The walk that looks for our own mistakes: the tree's links and order, and every account counted.
 */
#include "store.h"

#include <stdarg.h>
#include <stdio.h>

struct check {
	struct pvr_xs *xs;
	FILE *out;
	unsigned faults;
};

__attribute__((format(printf, 2, 3))) static void fault(
	struct check *check, const char *format, ...)
{
	va_list args;

	check->faults++;
	if (!check->out)
		return;
	va_start(args, format);
	vfprintf(check->out, format, args);
	va_end(args);
	fputc('\n', check->out);
}

static void check_node(struct check *check, const struct xs_node *node, const char *path)
{
	size_t childlen = 0;

	for (uint32_t i = 0; i < node->nchild; i++) {
		const struct xs_node *child = node->child[i];

		childlen += strlen(child->name) + 1;
		if (child->refs == 0 || !child->name[0] || strchr(child->name, '/'))
			fault(check, "%s: bad child %u", path, i);
		if (i && strcmp(node->child[i - 1]->name, child->name) >= 0)
			fault(check, "%s: children %u out of order", path, i);
	}
	if (childlen != node->childlen)
		fault(check, "%s: children's names are %zu bytes, not %u", path, childlen,
			node->childlen);
	if (node->nchild > node->cap || node->nperms == 0 || (node->len && !node->value))
		fault(check, "%s: bad node", path);
	if (node->gen > check->xs->gen || node->cgen > check->xs->gen)
		fault(check, "%s: generation from the future", path);
}

/* Counts nodes into the domains' d_ fields, which are zero between requests. */
static void check_tree(struct check *check)
{
	struct xs_walk walk;
	struct xs_node *node;
	size_t live = 0;

	xs_walk_start(&walk, check->xs->root, "", 0);
	while ((node = xs_walk_next(&walk))) {
		struct xs_dom *dom = xs_dom_find(check->xs, node->perms[0].domid);

		check_node(check, node, walk.len ? walk.path : "/");
		live += (size_t)xs_node_bytes(node);
		if (!dom) {
			fault(check, "%s: owner %u unknown", walk.path, node->perms[0].domid);
			continue;
		}
		dom->d_nodes++;
		dom->d_node_mem += xs_node_bytes(node);
	}
	if (live != check->xs->live || live > check->xs->total)
		fault(check, "live %zu accounted %zu of %zu", live, check->xs->live,
			check->xs->total);
}

/* Takes what a connection holds away from its domain's accounts, as found in a copy. */
static void check_conn(struct check *check, struct pvr_xs_conn *conn, struct xs_dom *found)
{
	uint32_t replies = 0, events = 0;
	struct xs_watch *watch;
	struct xs_touch *touch;
	struct xs_out *out;
	struct xs_tx *tx;

	found->conns++;
	TAILQ_FOREACH(watch, &conn->watches, link)
	{
		found->watches++;
		found->other_mem += watch->charged;
	}
	LIST_FOREACH(tx, &conn->txs, link)
	{
		found->txs++;
		found->other_mem += sizeof(*tx);
		for (touch = tx->touched; touch; touch = touch->hh.next)
			found->other_mem += touch->charged;
	}
	STAILQ_FOREACH(out, &conn->out, link)
	{
		found->other_mem += sizeof(*out) + out->len;
		*(out->event ? &events : &replies) += 1;
	}
	if (replies != conn->nreplies || events != conn->nevents ||
		events != HASH_COUNT(conn->events))
		fault(check, "domain %u: %u replies and %u events queued, %u and %u counted",
			conn->dom->domid, replies, events, conn->nreplies, conn->nevents);
}

static void check_dom(struct check *check, struct xs_dom *dom)
{
	struct xs_dom found = {.domid = dom->domid};
	struct pvr_xs_conn *conn;

	LIST_FOREACH(conn, &check->xs->conns, link)
	if (conn->dom == dom)
		check_conn(check, conn, &found);
	found.conns += check->xs->self.dom == dom;
	if (dom->nodes != dom->d_nodes || dom->node_mem != dom->d_node_mem)
		fault(check, "domain %u: owns %lld nodes of %lld bytes, accounted %lld of %lld",
			dom->domid, (long long)dom->d_nodes, (long long)dom->d_node_mem,
			(long long)dom->nodes, (long long)dom->node_mem);
	if (found.conns != dom->conns || found.watches != dom->watches || found.txs != dom->txs ||
		found.other_mem != dom->other_mem)
		fault(check, "domain %u: connections, watches, transactions or memory are off",
			dom->domid);
	if (xs_dom_limited(dom) && dom->watches > check->xs->quota.watches)
		fault(check, "domain %u: over its quota", dom->domid);
	dom->d_nodes = dom->d_node_mem = 0;
}

unsigned pvr_xs_check(struct pvr_xs *xs, FILE *out)
{
	struct check check = {.xs = xs, .out = out};

	if (!SLIST_EMPTY(&xs->dirty))
		fault(&check, "accounts not settled");
	check_tree(&check);
	for (struct xs_dom *dom = xs->doms; dom; dom = dom->hh.next)
		check_dom(&check, dom);
	return check.faults;
}
