/* SPDX-License-Identifier: MIT */
/*
 * Watches, found by the path they watch: a change of /a/b is looked up as "/", "/a" and "/a/b".
 */
#include "store.h"

static struct xs_wpath *wpath_get(struct pvr_xs *xs, const char *path)
{
	size_t len = strlen(path);
	struct xs_wpath *wpath;

	HASH_FIND(hh, xs->wpaths, path, len, wpath);
	if (wpath)
		return wpath;
	wpath = xs_alloc(sizeof(*wpath) + len + 1);
	if (!wpath)
		return NULL;
	LIST_INIT(&wpath->watches);
	wpath->len = (uint32_t)len;
	memcpy(wpath->path, path, len + 1);
	HASH_ADD_KEYPTR(hh, xs->wpaths, wpath->path, len, wpath);
	if (!wpath->hh.tbl) {
		free(wpath);
		return NULL;
	}
	return wpath;
}

static void wpath_put(struct pvr_xs *xs, struct xs_wpath *wpath)
{
	if (!LIST_EMPTY(&wpath->watches))
		return;
	HASH_DEL(xs->wpaths, wpath);
	free(wpath);
}

static struct xs_watch *watch_find(struct pvr_xs_conn *conn, const char *path, const char *token)
{
	struct xs_watch *watch;

	TAILQ_FOREACH(watch, &conn->watches, link)
	if (!strcmp(watch->wpath->path, path) && !strcmp(watch->token, token))
		return watch;
	return NULL;
}

int xs_watch_add(
	struct pvr_xs_conn *conn, const char *path, const char *token, bool relative, int32_t depth)
{
	struct pvr_xs *xs = conn->xs;
	size_t token_len = strlen(token) + 1;
	char home[32];
	struct xs_watch *watch;

	if (watch_find(conn, path, token))
		return -EEXIST;
	if (xs_dom_limited(conn->dom) && conn->dom->watches >= xs->quota.watches)
		return -E2BIG;
	watch = xs_alloc(sizeof(*watch) + token_len);
	if (!watch)
		return -ENOMEM;
	memset(watch, 0, sizeof(*watch));
	memcpy(watch->token, token, token_len);
	watch->conn = conn;
	watch->depth = depth;
	watch->prefix = relative ? (uint32_t)xs_home(conn->dom->domid, home) + 1 : 0;
	watch->charged = sizeof(*watch) + token_len + sizeof(struct xs_wpath) + strlen(path) + 1;
	if (xs_mem_charge(xs, conn->dom, watch->charged)) {
		free(watch);
		return -ENOMEM;
	}
	watch->wpath = wpath_get(xs, path);
	if (!watch->wpath) {
		xs_mem_uncharge(conn->dom, watch->charged);
		free(watch);
		return -ENOMEM;
	}
	LIST_INSERT_HEAD(&watch->wpath->watches, watch, path_link);
	TAILQ_INSERT_TAIL(&conn->watches, watch, link);
	conn->dom->watches++;
	return 0;
}

static void watch_free(struct xs_watch *watch)
{
	struct pvr_xs_conn *conn = watch->conn;

	TAILQ_REMOVE(&conn->watches, watch, link);
	LIST_REMOVE(watch, path_link);
	wpath_put(conn->xs, watch->wpath);
	xs_mem_uncharge(conn->dom, watch->charged);
	conn->dom->watches--;
	free(watch);
}

int xs_watch_del(struct pvr_xs_conn *conn, const char *path, const char *token)
{
	struct xs_watch *watch = watch_find(conn, path, token);

	if (!watch)
		return -ENOENT;
	watch_free(watch);
	return 0;
}

void xs_watch_drop(struct pvr_xs_conn *conn)
{
	while (!TAILQ_EMPTY(&conn->watches))
		watch_free(TAILQ_FIRST(&conn->watches));
	conn->missed = false;
}

void xs_watch_refill(struct pvr_xs_conn *conn)
{
	struct xs_watch *watch;

	if (conn->nevents > PVR_XS_EVENTS_MAX / 2)
		return;
	conn->missed = false;
	TAILQ_FOREACH(watch, &conn->watches, link)
	{
		if (!watch->missed)
			continue;
		watch->missed = false;
		xs_event(watch, watch->wpath->path);
		if (watch->missed)
			return;
	}
}

/* What a watcher must be able to read to be told of a path: the node or its parent (XSA-115). */
struct readable {
	const struct xs_node *node, *parent;
};

static bool permitted(const struct pvr_xs_conn *conn, const struct readable *r)
{
	return (xs_perms_for(conn, r->node->perms, r->node->nperms) |
		       xs_perms_for(conn, r->parent->perms, r->parent->nperms)) &
	       XS_PERM_READ;
}

/* Levels that path lies below the watched path. */
static int32_t levels(const struct xs_wpath *wpath, const char *path)
{
	int32_t n = 0;

	for (path += wpath->len > 1 ? wpath->len : 0; *path; path++)
		n += *path == '/' && path[1];
	return n;
}

static void tell(struct xs_wpath *wpath, const char *path, const struct readable *r)
{
	struct xs_watch *watch;

	LIST_FOREACH(watch, &wpath->watches, path_link)
	{
		if (watch->depth >= 0 && levels(wpath, path) > watch->depth)
			continue;
		if (permitted(watch->conn, r))
			xs_event(watch, path);
	}
}

static bool look(struct xs_node *root, const char *path, struct readable *r)
{
	r->node = xs_node_find(root, path, strlen(path));
	r->parent = xs_node_find(root, path, xs_path_parent(path));
	return r->node != NULL;
}

static void tell_at(struct pvr_xs *xs, const char *path, size_t len, const struct readable *r)
{
	struct xs_wpath *wpath;

	HASH_FIND(hh, xs->wpaths, path, len, wpath);
	if (wpath)
		tell(wpath, path, r);
}

void xs_fire(struct pvr_xs *xs, const char *path, struct xs_node *root)
{
	struct xs_wpath *wpath;
	size_t len = strlen(path), depth = 0;
	struct readable r;

	if (!xs->wpaths || !look(root, path, &r))
		return;
	for (size_t i = 0; i < len; i++)
		depth += path[i] == '/';
	/*
	 * A deep path has more prefixes than there may be watches; then those are compared instead.
	 */
	if (depth > HASH_COUNT(xs->wpaths)) {
		for (wpath = xs->wpaths; wpath; wpath = wpath->hh.next)
			if (xs_path_below(path, wpath->path))
				tell(wpath, path, &r);
		return;
	}
	tell_at(xs, path, 1, &r);
	for (size_t i = 1; len > 1 && i <= len; i++)
		if (i == len || path[i] == '/')
			tell_at(xs, path, i, &r);
}

void xs_fire_removed(struct pvr_xs *xs, const char *path, struct xs_node *root)
{
	struct xs_wpath *wpath;
	struct readable r;

	xs_fire(xs, path, root);
	/* Who watches something below is told that this is gone, by its own path. */
	for (wpath = xs->wpaths; wpath; wpath = wpath->hh.next)
		if (wpath->path[0] == '/' && strcmp(wpath->path, path) &&
			xs_path_below(wpath->path, path) && look(root, wpath->path, &r))
			tell(wpath, wpath->path, &r);
}

void xs_fire_special(struct pvr_xs *xs, int which)
{
	const char *name = xs_special_name(which);
	const struct xs_special_node *special = &xs->special[which];
	const char *paths[] = {name, "/"}; /* xenstored tells watchers of "/" too */
	struct xs_wpath *wpath;
	struct xs_watch *watch;

	for (int i = 0; i < 2; i++) {
		HASH_FIND(hh, xs->wpaths, paths[i], strlen(paths[i]), wpath);
		if (!wpath)
			continue;
		LIST_FOREACH(watch, &wpath->watches, path_link)
		if (xs_perms_for(watch->conn, special->perms, special->nperms) & XS_PERM_READ)
			xs_event(watch, name);
	}
}
