/* SPDX-License-Identifier: MIT */
/*
 * Transactions. A transaction works on a tree of its own, which shares with the live one what it
 * did not change, and notes what it depends on and what it changed. At commit everything it depends
 * on must be in the live tree as it was at the start; then its changes are made there, all or none.
 *
 * Nothing here waits and nothing is locked, so a client can hold up nobody by keeping a transaction
 * open. What a loop of conflicting changes costs its author is said in domain.c.
 */
#include "store.h"

struct xs_tx *xs_tx_find(struct pvr_xs_conn *conn, uint32_t id)
{
	struct xs_tx *tx;

	LIST_FOREACH(tx, &conn->txs, link)
	if (tx->id == id)
		return tx;
	return NULL;
}

int xs_tx_start(struct pvr_xs_conn *conn, uint32_t *id)
{
	struct pvr_xs *xs = conn->xs;
	struct xs_tx *tx;

	if (xs_dom_limited(conn->dom) && conn->dom->txs >= xs->quota.transactions)
		return -ENOSPC;
	if (xs_mem_charge(xs, conn->dom, sizeof(*tx)))
		return -ENOMEM;
	tx = xs_alloc(sizeof(*tx));
	if (!tx) {
		xs_mem_uncharge(conn->dom, sizeof(*tx));
		return -ENOMEM;
	}
	memset(tx, 0, sizeof(*tx));
	do
		conn->last_tx++;
	while (conn->last_tx == 0 || xs_tx_find(conn, conn->last_tx));
	tx->id = *id = conn->last_tx;
	tx->conn = conn;
	tx->base = tx->root = xs->root;
	xs->root->refs += 2;
	conn->dom->txs++;
	LIST_INSERT_HEAD(&conn->txs, tx, link);
	TAILQ_INSERT_TAIL(&xs->txs, tx, age_link);
	return 0;
}

static void forget(struct xs_tx *tx)
{
	struct xs_touch *touch, *next;

	HASH_ITER(hh, tx->touched, touch, next)
	{
		HASH_DEL(tx->touched, touch);
		xs_mem_uncharge(tx->conn->dom, touch->charged);
		free(touch);
	}
	xs_node_put(tx->conn->xs, tx->base);
	xs_node_put(tx->conn->xs, tx->root);
	tx->base = tx->root = NULL;
	tx->doomed = true;
}

static void tx_free(struct xs_tx *tx)
{
	struct pvr_xs_conn *conn = tx->conn;

	forget(tx);
	LIST_REMOVE(tx, link);
	TAILQ_REMOVE(&conn->xs->txs, tx, age_link);
	xs_mem_uncharge(conn->dom, sizeof(*tx));
	conn->dom->txs--;
	free(tx);
}

void xs_tx_drop(struct pvr_xs_conn *conn)
{
	while (!LIST_EMPTY(&conn->txs))
		tx_free(LIST_FIRST(&conn->txs));
}

void xs_tx_doom_all(struct pvr_xs *xs)
{
	struct xs_tx *tx;

	TAILQ_FOREACH(tx, &xs->txs, age_link)
	tx->doomed = true;
}

void xs_tx_forget_all(struct pvr_xs *xs)
{
	struct xs_tx *tx;

	TAILQ_FOREACH(tx, &xs->txs, age_link)
	forget(tx);
}

/*
 * What only transactions still hold is charged to nobody in full, so it has a bound for all
 * together. Over it, the oldest transaction of the limited domain with the most of them loses its
 * snapshot: a domain that does one thing at a time is the last to suffer.
 */
void xs_tx_bound(struct pvr_xs *xs)
{
	while (xs->total - xs->live > PVR_XS_SNAPSHOT_MAX) {
		struct xs_tx *tx, *victim = NULL;
		uint64_t most = 0;

		TAILQ_FOREACH(tx, &xs->txs, age_link)
		{
			uint64_t rank = tx->conn->dom->txs;

			rank += xs_dom_limited(tx->conn->dom) ? UINT64_C(1) << 32 : 0;
			if (tx->root && rank > most) {
				most = rank;
				victim = tx;
			}
		}
		if (!victim)
			return;
		forget(victim);
	}
}

static struct xs_touch *touch_get(struct xs_tx *tx, const char *path, size_t len, int *error)
{
	struct pvr_xs_conn *conn = tx->conn;
	struct xs_touch *touch;

	HASH_FIND(hh, tx->touched, path, len, touch);
	if (touch)
		return touch;
	*error = -ENOSPC;
	if (xs_dom_limited(conn->dom) &&
		HASH_COUNT(tx->touched) >= conn->xs->quota.transaction_nodes)
		return NULL;
	*error = -ENOMEM;
	touch = xs_alloc(sizeof(*touch) + len + 1);
	if (!touch)
		return NULL;
	memset(touch, 0, sizeof(*touch));
	memcpy(touch->path, path, len);
	touch->path[len] = '\0';
	touch->charged = sizeof(*touch) + len + 1;
	if (xs_mem_charge(conn->xs, conn->dom, touch->charged)) {
		free(touch);
		return NULL;
	}
	HASH_ADD_KEYPTR(hh, tx->touched, touch->path, len, touch);
	if (!touch->hh.tbl) {
		xs_mem_uncharge(conn->dom, touch->charged);
		free(touch);
		return NULL;
	}
	return touch;
}

/* Notes flags for a path; a value that the transaction stores there is charged, in place of the
 * last one. */
int xs_tx_touch(struct xs_tx *tx, const char *path, size_t len, unsigned flags, size_t value)
{
	int error = 0;
	struct xs_touch *touch = touch_get(tx, path, len, &error);

	if (!touch)
		return error;
	if (value > touch->value) {
		size_t more = value - touch->value;

		if (xs_mem_charge(tx->conn->xs, tx->conn->dom, more))
			return -ENOMEM;
		touch->charged += more;
		touch->value = value;
	}
	touch->flags |= flags;
	return 0;
}

/* Is what was touched in the live tree as it was at the start? */
static bool unchanged(
	const struct xs_touch *touch, const struct xs_node *was, const struct xs_node *is)
{
	/* The same node, by the rule of copying, means the same tree below it; and so does none and
	 * none. */
	if (was == is)
		return true;
	if (!was || !is || (touch->flags & XS_TOUCH_TREE))
		return false;
	if ((touch->flags & XS_TOUCH_NODE) && was->gen != is->gen)
		return false;
	return !(touch->flags & XS_TOUCH_KIDS) || was->cgen == is->cgen;
}

static int validate(struct xs_tx *tx)
{
	struct pvr_xs *xs = tx->conn->xs;
	const struct xs_touch *touch;

	for (touch = tx->touched; touch; touch = touch->hh.next) {
		size_t len = strlen(touch->path);
		const struct xs_node *is = xs_node_find(xs->root, touch->path, len);
		const char *rest;
		uint16_t culprit;

		if (unchanged(touch, xs_node_find(tx->base, touch->path, len), is))
			continue;
		/* Who changed it; when it is gone, who changed what was above it. */
		if (!is)
			culprit = xs_node_nearest(xs->root, touch->path, &rest)->writer;
		else
			culprit = touch->flags & XS_TOUCH_TREE ? is->below : is->writer;
		if (culprit != tx->conn->dom->domid)
			xs_dom_blame(xs, culprit);
		return -EAGAIN;
	}
	return 0;
}

/* Order in which a path comes before all below it, and nothing else lies between them. */
static int by_path(const void *a, const void *b)
{
	const char *p = (*(struct xs_touch *const *)a)->path;
	const char *q = (*(struct xs_touch *const *)b)->path;

	while (*p && *p == *q)
		p++, q++;
	if (*p == '/' || *q == '/')
		return *p == '/' ? (*q ? -1 : 1) : (*p ? 1 : -1);
	return *p - *q;
}

/* What the transaction changed, in that order. NULL: no memory. */
static struct xs_touch **changes(const struct xs_tx *tx, unsigned *count)
{
	struct xs_touch **list =
		xs_alloc((HASH_COUNT(tx->touched) + 1) * sizeof(struct xs_touch *));
	struct xs_touch *touch;

	*count = 0;
	if (!list)
		return NULL;
	for (touch = tx->touched; touch; touch = touch->hh.next)
		if (touch->flags & (XS_TOUCH_SET | XS_TOUCH_RM))
			list[(*count)++] = touch;
	qsort(list, *count, sizeof(struct xs_touch *), by_path);
	return list;
}

/* Brings one changed path of the transaction into another tree. */
static int replay_one(struct xs_tx *tx, const struct xs_touch *touch, struct xs_node **root)
{
	struct pvr_xs *xs = tx->conn->xs;
	uint16_t writer = tx->conn->dom->domid;
	const char *path = touch->path;
	size_t len = strlen(path), up = xs_path_parent(path);
	struct xs_node *from = xs_node_find(tx->root, path, len), *to, *parent;

	if ((touch->flags & XS_TOUCH_RM) && xs_node_find(*root, path, len)) {
		parent = xs_node_own(xs, root, path, up, writer);
		if (!parent)
			return -ENOMEM;
		xs_node_remove(xs, parent, strrchr(path, '/') + 1);
	}
	if (!from)
		return 0;
	if (!xs_node_find(*root, path, len)) {
		parent = xs_node_own(xs, root, path, up, writer);
		to = parent ? xs_node_new(
				      xs, from->name, strlen(from->name), from->perms, from->nperms)
			    : NULL;
		if (!to)
			return -ENOMEM;
		if (xs_node_insert(xs, parent, to)) {
			xs_node_put(xs, to);
			return -ENOMEM;
		}
	}
	to = xs_node_own(xs, root, path, len, writer);
	if (!to || xs_node_set_value(xs, to, from->value, from->len))
		return -ENOMEM;
	return xs_node_set_perms(xs, to, from->perms, from->nperms);
}

/* The tree the commit leads to: our own when nobody else changed anything, else the live one with
 * our changes. */
static int merge(struct xs_tx *tx, struct xs_touch **list, unsigned count, struct xs_node **root)
{
	struct pvr_xs *xs = tx->conn->xs;
	int error = 0;

	*root = xs->root == tx->base ? tx->root : xs->root;
	(*root)->refs++;
	if (xs->root == tx->base)
		return 0;
	for (unsigned i = 0; i < count && !error; i++)
		error = replay_one(tx, list[i], root);
	if (error)
		xs_node_put(xs, *root);
	return error;
}

/* Notes what changes for whom between the live tree and the new one. */
static int account(struct xs_tx *tx, struct xs_touch **list, unsigned count, struct xs_node *root)
{
	struct pvr_xs *xs = tx->conn->xs;
	const char *removed = NULL;
	int error = 0;

	for (unsigned i = 0; i < count && !error; i++) {
		const char *path = list[i]->path;
		bool under = removed && xs_path_below(path, removed);
		struct xs_node *old = under ? NULL : xs_node_find(xs->root, path, strlen(path));
		struct xs_node *new = xs_node_find(root, path, strlen(path));

		if ((list[i]->flags & XS_TOUCH_RM) && old) {
			xs_acct_subtree(xs, old);
			removed = path;
		} else if (old) {
			error = xs_acct(xs, old->perms[0].domid, -1, -xs_node_bytes(old));
		}
		if (new && !error)
			error = xs_acct(xs, new->perms[0].domid, 1, xs_node_bytes(new));
	}
	if (!error && !tx->conn->privileged)
		error = xs_acct_check(xs);
	xs_acct_settle(xs, !error);
	return error;
}

/* Tells the watchers what they may know, in the tree that was or in the one that is. */
static void fire(struct xs_tx *tx, struct xs_node *was)
{
	struct pvr_xs *xs = tx->conn->xs;

	for (struct xs_touch *touch = tx->touched; touch; touch = touch->hh.next) {
		if (!(touch->flags & XS_TOUCH_FIRE))
			continue;
		if (touch->flags & XS_TOUCH_RM)
			xs_fire_removed(xs, touch->path, was);
		else
			xs_fire(xs, touch->path, was);
		xs_fire(xs, touch->path, xs->root);
	}
}

static int commit(struct xs_tx *tx)
{
	struct pvr_xs *xs = tx->conn->xs;
	struct xs_node *root, *was;
	struct xs_touch **list;
	unsigned count;
	int error;

	if (tx->doomed)
		return -EAGAIN;
	if (xs->root != tx->base && (error = validate(tx)))
		return error;
	list = changes(tx, &count);
	if (!list)
		return -ENOMEM;
	error = merge(tx, list, count, &root);
	if (!error) {
		error = account(tx, list, count, root);
		if (error)
			xs_node_put(xs, root);
	}
	free(list);
	if (error)
		return error;
	was = xs->root;
	xs->root = root;
	fire(tx, was);
	xs_node_put(xs, was);
	return 0;
}

int xs_tx_end(struct xs_tx *tx, bool wanted)
{
	int error = wanted ? commit(tx) : 0;

	tx_free(tx);
	return error;
}
