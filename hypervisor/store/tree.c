/* SPDX-License-Identifier: MIT */
/*
 * Reads and changes of the tree, in a transaction or on the live tree, with everything that hangs
 * on them: permissions, quotas, what the transaction depends on, watches. A change that fails has
 * no effect: all that can fail comes before the first step that shows.
 */
#include "store.h"

static struct xs_node **tree(struct pvr_xs_conn *conn, struct xs_tx *tx)
{
	return tx ? &tx->root : &conn->xs->root;
}

static int touch(struct xs_tx *tx, const char *path, size_t len, unsigned flags, size_t value)
{
	return tx ? xs_tx_touch(tx, path, len, flags, value) : 0;
}

/* Bytes of the path of a node, given where the missing rest of the path begins. */
static size_t found_len(const char *path, const char *rest)
{
	if (!*rest)
		return strlen(path);
	return rest - path > 1 ? (size_t)(rest - path - 1) : 1;
}

/*
 * The node at path, when all of `perm` is granted. Whoever may not read or write above a missing
 * node is not told that it is missing.
 */
int xs_lookup(struct pvr_xs_conn *conn, struct xs_tx *tx, const char *path, unsigned perm,
	struct xs_node **node)
{
	struct xs_node *root = *tree(conn, tx), *found;
	const char *rest;
	unsigned granted;
	int error;

	if (!root)
		return -EAGAIN; /* the snapshot had to be given up, see xs_tx_bound */
	found = xs_node_nearest(root, path, &rest);
	error = touch(tx, path, found_len(path, rest), XS_TOUCH_NODE, 0);
	if (!error && *rest)
		error = touch(tx, path, strlen(path), XS_TOUCH_NODE, 0);
	if (error)
		return error;
	granted = xs_perms_for(conn, found->perms, found->nperms);
	if (*rest)
		return granted & perm ? -ENOENT : -EACCES;
	if ((granted & perm) != perm)
		return -EACCES;
	*node = found;
	return 0;
}

int xs_list(struct pvr_xs_conn *conn, struct xs_tx *tx, const char *path, struct xs_node **node)
{
	int error = xs_lookup(conn, tx, path, XS_PERM_READ, node);

	return error ? error : touch(tx, path, strlen(path), XS_TOUCH_KIDS, 0);
}

/* One change on its way: accounts of the live tree, or of the transaction's owner. */
struct change {
	struct pvr_xs_conn *conn;
	struct xs_tx *tx;
	int64_t d_nodes; /* in a transaction */
};

static int note(struct change *change, uint16_t domid, int nodes, int64_t mem)
{
	if (!change->tx)
		return xs_acct(change->conn->xs, domid, nodes, mem);
	if (domid == change->conn->dom->domid)
		change->d_nodes += nodes;
	return 0;
}

static int check(const struct change *change)
{
	const struct pvr_xs_conn *conn = change->conn;

	if (conn->privileged)
		return 0;
	if (!change->tx)
		return xs_acct_check(conn->xs);
	if (change->d_nodes > 0 &&
		conn->dom->nodes + change->tx->d_nodes + change->d_nodes > conn->xs->quota.nodes)
		return -ENOSPC;
	return 0;
}

static int finish(struct change *change, int error)
{
	if (!change->tx)
		xs_acct_settle(change->conn->xs, !error);
	else if (!error)
		change->tx->d_nodes += change->d_nodes;
	xs_tx_bound(change->conn->xs);
	return error;
}

static void fire(struct change *change, const char *path)
{
	if (!change->tx)
		xs_fire(change->conn->xs, path, change->conn->xs->root);
}

static bool too_big(const struct pvr_xs_conn *conn, uint32_t nperms, size_t len, size_t childlen)
{
	return !conn->privileged && xs_node_size(nperms, len, childlen) > conn->xs->quota.node_size;
}

static int set_existing(struct pvr_xs_conn *conn, struct xs_tx *tx, const char *path,
	struct xs_node *node, const void *value, uint32_t len)
{
	struct change change = {.conn = conn, .tx = tx};
	int error;

	if (too_big(conn, node->nperms, len, node->childlen))
		return -ENOSPC;
	error = note(&change, node->perms[0].domid, 0, (int64_t)len - node->len);
	if (!error)
		error = check(&change);
	if (!error)
		error = touch(tx, path, strlen(path), XS_TOUCH_SET | XS_TOUCH_FIRE, len);
	if (!error) {
		node = xs_node_own(conn->xs, tree(conn, tx), path, strlen(path), conn->dom->domid);
		error = node ? xs_node_set_value(conn->xs, node, value, len) : -ENOMEM;
	}
	error = finish(&change, error);
	if (!error)
		fire(&change, path);
	return error;
}

/* The nodes missing below `above`, chained, accounted and touched; the value goes to the last. */
static struct xs_node *chain(struct change *change, const struct xs_node *above, const char *path,
	const char *rest, const void *value, uint32_t len, int *error)
{
	struct pvr_xs_conn *conn = change->conn;
	struct pvr_xs *xs = conn->xs;
	struct xs_node *top = NULL, *last = NULL, *node;

	while (*rest) {
		size_t n = strcspn(rest, "/");
		bool end = !rest[n];

		*error = -ENOMEM;
		node = xs_node_new(xs, rest, n, above->perms, above->nperms);
		if (!node)
			break;
		if (!conn->privileged)
			node->perms[0].domid = conn->dom->domid;
		node->writer = node->below = conn->dom->domid;
		if (last && xs_node_insert(xs, last, node)) {
			xs_node_put(xs, node);
			break;
		}
		top = top ? top : node;
		last = node;
		if (end && xs_node_set_value(xs, node, value, len))
			break;
		*error = note(change, node->perms[0].domid, 1, xs_node_bytes(node));
		if (!*error)
			*error = touch(change->tx, path, (size_t)(rest + n - path),
				XS_TOUCH_NODE | XS_TOUCH_SET | (end ? XS_TOUCH_FIRE : 0),
				end ? len : 0);
		if (*error)
			break;
		rest += end ? n : n + 1;
	}
	if (*error && top) {
		xs_node_put(xs, top);
		top = NULL;
	}
	return top;
}

static int create(struct pvr_xs_conn *conn, struct xs_tx *tx, const char *path, const void *value,
	uint32_t len)
{
	struct change change = {.conn = conn, .tx = tx};
	struct xs_node **root = tree(conn, tx), *above, *top;
	const char *rest;
	size_t name;
	int error = 0;

	above = xs_node_nearest(*root, path, &rest);
	name = strcspn(rest, "/") + 1;
	if (too_big(conn, above->nperms, above->len, above->childlen + name) ||
		too_big(conn, above->nperms, len, 0))
		return -ENOSPC;
	top = chain(&change, above, path, rest, value, len, &error);
	if (!error)
		error = check(&change);
	if (!error) {
		above = xs_node_own(conn->xs, root, path, found_len(path, rest), conn->dom->domid);
		error = above ? xs_node_insert(conn->xs, above, top) : -ENOMEM;
	}
	if (error && top)
		xs_node_put(conn->xs, top);
	error = finish(&change, error);
	if (!error)
		fire(&change, path);
	return error;
}

int xs_set(struct pvr_xs_conn *conn, struct xs_tx *tx, const char *path, const void *value,
	uint32_t len)
{
	struct xs_node *node;
	int error = xs_lookup(conn, tx, path, XS_PERM_WRITE, &node);

	if (!error)
		return set_existing(conn, tx, path, node, value, len);
	return error == -ENOENT ? create(conn, tx, path, value, len) : error;
}

int xs_make(struct pvr_xs_conn *conn, struct xs_tx *tx, const char *path)
{
	struct xs_node *node;
	int error = xs_lookup(conn, tx, path, XS_PERM_WRITE, &node);

	return error == -ENOENT ? create(conn, tx, path, NULL, 0) : error;
}

/* The domains of nodes that exist are known, so this cannot fail. */
void xs_acct_subtree(struct pvr_xs *xs, struct xs_node *node)
{
	struct xs_walk walk;

	xs_walk_start(&walk, node, "", 0);
	while ((node = xs_walk_next(&walk)))
		xs_acct(xs, node->perms[0].domid, -1, -xs_node_bytes(node));
}

static void note_subtree(struct change *change, struct xs_node *node)
{
	struct xs_walk walk;

	if (!change->tx) {
		xs_acct_subtree(change->conn->xs, node);
		return;
	}
	xs_walk_start(&walk, node, "", 0);
	while ((node = xs_walk_next(&walk)))
		note(change, node->perms[0].domid, -1, 0);
}

int xs_remove(struct pvr_xs_conn *conn, struct xs_tx *tx, const char *path)
{
	struct change change = {.conn = conn, .tx = tx};
	struct xs_node *node, *parent;
	size_t up = xs_path_parent(path);
	int error = xs_lookup(conn, tx, path, XS_PERM_WRITE, &node);

	if (error == -ENOENT)
		return xs_node_find(*tree(conn, tx), path, up) ? 0 : -ENOENT;
	if (error)
		return error;
	if (!strcmp(path, "/"))
		return -EINVAL;
	/* First its own copy of the path, which changes nothing; then what cannot be undone. */
	parent = xs_node_own(conn->xs, tree(conn, tx), path, up, conn->dom->domid);
	if (!parent)
		return -ENOMEM;
	error = touch(tx, path, strlen(path), XS_TOUCH_TREE | XS_TOUCH_RM | XS_TOUCH_FIRE, 0);
	if (error)
		return error;
	node = xs_node_find(parent, strrchr(path, '/') + 1, strlen(strrchr(path, '/') + 1));
	note_subtree(&change, node);
	if (!tx)
		xs_fire_removed(conn->xs, path, conn->xs->root);
	xs_node_remove(conn->xs, parent, node->name);
	return finish(&change, 0);
}

int xs_set_perms(struct pvr_xs_conn *conn, struct xs_tx *tx, const char *path,
	const struct xs_perm *perms, uint32_t nperms)
{
	struct change change = {.conn = conn, .tx = tx};
	struct xs_node *node;
	int64_t bytes;
	int error = xs_lookup(conn, tx, path, XS_PERM_WRITE | XS_PERM_OWNER, &node);

	if (error)
		return error;
	if (!conn->privileged && perms[0].domid != node->perms[0].domid)
		return -EPERM;
	if (too_big(conn, nperms, node->len, node->childlen))
		return -ENOSPC;
	bytes = xs_node_bytes(node);
	error = note(&change, node->perms[0].domid, -1, -bytes);
	bytes += ((int64_t)nperms - node->nperms) * (int64_t)sizeof(*perms);
	if (!error)
		error = note(&change, perms[0].domid, 1, bytes);
	if (!error)
		error = check(&change);
	if (!error)
		error = touch(tx, path, strlen(path), XS_TOUCH_SET | XS_TOUCH_FIRE, node->len);
	if (!error) {
		/* Who could read it before is told, too. */
		fire(&change, path);
		node = xs_node_own(conn->xs, tree(conn, tx), path, strlen(path), conn->dom->domid);
		error = node ? xs_node_set_perms(conn->xs, node, perms, nperms) : -ENOMEM;
	}
	error = finish(&change, error);
	if (!error)
		fire(&change, path);
	return error;
}
