/* SPDX-License-Identifier: MIT */
/*
 * The store as a whole: creation, what the daemon itself does in it, and domains that come and go.
 */
#include "store.h"

#include <stdarg.h>
#include <stdio.h>

static const struct pvr_xs_quota default_quota = PVR_XS_QUOTA_DEFAULT;

static int special_init(struct xs_special_node *special)
{
	special->perms = xs_alloc(sizeof(*special->perms));
	if (!special->perms)
		return -ENOMEM;
	special->perms[0] = (struct xs_perm){.domid = 0, .bits = XS_PERM_NONE};
	special->nperms = 1;
	return 0;
}

static int populate(struct pvr_xs *xs)
{
	static const char *const paths[] = {"/tool/xenstored", "/local/domain"};
	struct xs_perm owner = {.domid = 0, .bits = XS_PERM_NONE};
	struct xs_dom *dom0 = xs_dom_get(xs, 0);
	int error;

	if (!dom0)
		return -ENOMEM;
	xs_conn_setup(&xs->self, xs, dom0, true);
	xs->root = xs_node_new(xs, "", 0, &owner, 1);
	if (!xs->root)
		return -ENOMEM;
	error = xs_acct(xs, 0, 1, xs_node_bytes(xs->root));
	xs_acct_settle(xs, true);
	for (int i = 0; i < XS_SPECIALS && !error; i++)
		error = special_init(&xs->special[i]);
	for (int i = 0; i < 2 && !error; i++)
		error = xs_make(&xs->self, NULL, paths[i]);
	return error;
}

struct pvr_xs *pvr_xs_create(
	const struct pvr_xs_quota *quota, const struct pvr_xs_ops *ops, void *opaque)
{
	struct pvr_xs *xs = xs_alloc(sizeof(*xs));

	if (!xs)
		return NULL;
	memset(xs, 0, sizeof(*xs));
	xs->quota = quota ? *quota : default_quota;
	if (xs->quota.path_abs > XENSTORE_PAYLOAD_MAX)
		xs->quota.path_abs = XENSTORE_PAYLOAD_MAX;
	if (ops)
		xs->ops = *ops;
	xs->opaque = opaque;
	LIST_INIT(&xs->conns);
	TAILQ_INIT(&xs->txs);
	SLIST_INIT(&xs->dirty);
	if (populate(xs)) {
		pvr_xs_destroy(xs);
		return NULL;
	}
	return xs;
}

void pvr_xs_destroy(struct pvr_xs *xs)
{
	struct xs_dom *dom, *next;

	if (!xs)
		return;
	memset(&xs->ops, 0, sizeof(xs->ops)); /* nobody is called back any more */
	while (!LIST_EMPTY(&xs->conns))
		pvr_xs_conn_destroy(LIST_FIRST(&xs->conns));
	xs_node_put(xs, xs->root);
	for (int i = 0; i < XS_SPECIALS; i++)
		free(xs->special[i].perms);
	HASH_ITER(hh, xs->doms, dom, next)
	{
		HASH_DEL(xs->doms, dom);
		free(dom);
	}
	free(xs);
}

int pvr_xs_write(struct pvr_xs *xs, const char *path, const char *value)
{
	size_t len = strlen(value);

	if (strlen(path) > xs->quota.path_abs || !xs_path_valid(path))
		return -EINVAL;
	/* More could not be read over the wire. */
	return len > XENSTORE_PAYLOAD_MAX ? -E2BIG
					  : xs_set(&xs->self, NULL, path, value, (uint32_t)len);
}

int pvr_xs_writef(struct pvr_xs *xs, const char *path, const char *format, ...)
{
	char value[XENSTORE_PAYLOAD_MAX + 1];
	va_list args;
	int len;

	va_start(args, format);
	len = vsnprintf(value, sizeof(value), format, args);
	va_end(args);
	if (len < 0)
		return -EINVAL;
	return (size_t)len < sizeof(value) ? pvr_xs_write(xs, path, value) : -E2BIG;
}

ssize_t pvr_xs_read(struct pvr_xs *xs, const char *path, char *buf, size_t size)
{
	const struct xs_node *node;

	if (!xs_path_valid(path))
		return -EINVAL;
	node = xs_node_find(xs->root, path, strlen(path));
	if (!node)
		return -ENOENT;
	if (node->len >= size)
		return -ERANGE;
	if (node->len)
		memcpy(buf, node->value, node->len);
	buf[node->len] = '\0';
	return (ssize_t)node->len;
}

ssize_t pvr_xs_list(struct pvr_xs *xs, const char *path, char *names, size_t size)
{
	const struct xs_node *node;
	size_t len = 0;

	if (!xs_path_valid(path))
		return -EINVAL;
	node = xs_node_find(xs->root, path, strlen(path));
	if (!node)
		return -ENOENT;
	if (node->childlen > size)
		return -ERANGE;
	for (uint32_t i = 0; i < node->nchild; i++) {
		const char *name = node->child[i]->name;

		memcpy(names + len, name, strlen(name) + 1);
		len += strlen(name) + 1;
	}
	return (ssize_t)len;
}

int pvr_xs_mkdir_perms(struct pvr_xs *xs, const char *path, const char *perms)
{
	struct xs_perm list[XS_PERMS_MAX];
	char text[XS_PERMS_MAX * 8];
	uint32_t count;
	int error, len = snprintf(text, sizeof(text), "%s,", perms);

	if (strlen(path) > xs->quota.path_abs || !xs_path_valid(path) || len >= (int)sizeof(text))
		return -EINVAL;
	error = xs_perms_parse(text, (size_t)len, ',', list, XS_PERMS_MAX, &count);
	if (error)
		return error;
	error = xs_make(&xs->self, NULL, path);
	return error ? error : xs_set_perms(&xs->self, NULL, path, list, count);
}

int pvr_xs_rm(struct pvr_xs *xs, const char *path)
{
	return xs_path_valid(path) ? xs_remove(&xs->self, NULL, path) : -EINVAL;
}

int pvr_xs_introduce(struct pvr_xs *xs, uint16_t domid)
{
	struct xs_dom *dom = xs_dom_get(xs, domid);

	if (!dom)
		return -ENOMEM;
	if (dom->introduced)
		return -EEXIST;
	dom->introduced = true;
	dom->shutdown = false;
	xs_fire_special(xs, XS_SPECIAL_INTRODUCE);
	return 0;
}

void pvr_xs_shutdown(struct pvr_xs *xs, uint16_t domid)
{
	struct xs_dom *dom = xs_dom_find(xs, domid);

	if (!dom || !dom->introduced || dom->shutdown)
		return;
	dom->shutdown = true;
	xs_fire_special(xs, XS_SPECIAL_RELEASE);
}

void pvr_xs_resume(struct pvr_xs *xs, uint16_t domid)
{
	struct xs_dom *dom = xs_dom_find(xs, domid);

	if (dom)
		dom->shutdown = false;
}

/*
 * Takes the domain out of one node's permissions. The list only shrinks, so that needs no memory.
 */
static void scrub_node(struct pvr_xs *xs, struct xs_node *node, uint16_t domid)
{
	uint32_t before = node->nperms;
	int64_t bytes = xs_node_bytes(node);

	xs_acct(xs, node->perms[0].domid, -1, -bytes);
	xs_perms_scrub(node->perms, &node->nperms, domid);
	xs->total -= (before - node->nperms) * sizeof(*node->perms);
	xs_acct(xs, node->perms[0].domid, 1, xs_node_bytes(node));
	node->gen = ++xs->gen;
}

/*
 * Nodes that are shared are replaced while the walk goes on over the old ones, which others hold.
 */
static int scrub_tree(struct pvr_xs *xs, uint16_t domid)
{
	struct xs_walk walk;
	struct xs_node *node;

	xs_walk_start(&walk, xs->root, "", 0);
	while ((node = xs_walk_next(&walk))) {
		if (!xs_perms_mention(node->perms, node->nperms, domid))
			continue;
		node = xs_node_own(xs, &xs->root, walk.path, walk.len, 0);
		if (!node)
			return -ENOMEM;
		scrub_node(xs, node, domid);
		xs_acct_settle(xs, true);
	}
	return 0;
}

static int scrub(struct pvr_xs *xs, uint16_t domid)
{
	char home[32];
	int error;

	xs_home(domid, home);
	error = xs_remove(&xs->self, NULL, home);
	return error && error != -ENOENT ? error : scrub_tree(xs, domid);
}

int pvr_xs_release(struct pvr_xs *xs, uint16_t domid)
{
	struct xs_dom *dom = xs_dom_find(xs, domid), *other;
	bool introduced = dom && dom->introduced;
	struct pvr_xs_conn *conn;

	if (domid == 0)
		return -EINVAL;
	if (dom)
		dom->conns++; /* not to be freed with its last node */
	LIST_FOREACH(conn, &xs->conns, link)
	if (conn->dom == dom) {
		conn->released = true;
		xs_watch_drop(conn);
		xs_tx_drop(conn);
		xs_out_drop(conn);
	}
	/* What a transaction is about to commit may name the domain as well. */
	xs_tx_doom_all(xs);
	if (scrub(xs, domid)) {
		/* No memory to copy what transactions share: then they lose it, and nothing is
		 * copied. */
		xs_tx_forget_all(xs);
		scrub(xs, domid);
	}
	for (int i = 0; i < XS_SPECIALS; i++)
		xs_perms_scrub(xs->special[i].perms, &xs->special[i].nperms, domid);
	for (other = xs->doms; other; other = other->hh.next)
		if (other->has_target && other->target == domid)
			other->has_target = false;
	if (!dom)
		return -ENOENT;
	dom->introduced = dom->shutdown = dom->has_target = dom->held = dom->privileged = false;
	dom->brake_ms = 0;
	dom->conns--;
	xs_dom_put(xs, dom);
	if (introduced)
		xs_fire_special(xs, XS_SPECIAL_RELEASE);
	return introduced ? 0 : -ENOENT;
}
