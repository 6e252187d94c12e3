/* SPDX-License-Identifier: MIT */
/*
 * What the files of the store share. From the bottom up:
 *
 *   path      canonical paths
 *   domain    who holds how much; quotas; the brake on those who break transactions
 *   node      the tree: nodes counted by reference, copied before a change when shared
 *   output    replies and events that wait on a connection
 *   watch     who is told of what
 *   tx        transactions
 *   tree      reads and changes with permissions, quotas and watches, in and out of transactions
 *   request   the messages about data; control: those about domains; conn: bytes to messages
 *   store     creation, and the daemon's own access;  check: the walk that finds our mistakes
 *
 * A transaction holds two references to roots: the tree as it was (base) and as it sees it (root).
 * Because a node that somebody else holds is copied before it changes, and with it the path from
 * the root to it, both stay as they were at no cost to begin with. Depth is bounded by the longest
 * path, and nothing recurses.
 */
#ifndef PVR_STORE_STORE_H
#define PVR_STORE_STORE_H

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

#include "pvring/xen/xs_wire.h"
#include "pvring/xenstored.h"

/* A hash that cannot grow for want of memory leaves the new element out, its hh.tbl NULL. */
#define HASH_NONFATAL_OOM 1
#define uthash_nonfatal_oom(element)                                                               \
	do {                                                                                       \
	} while (0)
#define uthash_malloc(size)  xs_alloc(size)
#define uthash_free(p, size) free(p)
#include <uthash.h>

#define XS_PATH_SIZE (XENSTORE_PAYLOAD_MAX + 32) /* of a buffer for any path, its nul included */
#define XS_DEPTH_MAX (XS_PATH_SIZE / 2)          /* components of any path */
#define XS_PERMS_MAX 128                         /* entries of one node, for the privileged too */

#define XS_PERM_NONE  0u
#define XS_PERM_READ  1u
#define XS_PERM_WRITE 2u
#define XS_PERM_OWNER 4u /* only asked for, never stored */

/* First special domid, DOMID_FIRST_RESERVED of xen.h. */
#define XS_DOMID_RESERVED 0x7ff0u

struct xs_perm {
	uint16_t domid;
	uint16_t bits;
};

struct xs_node {
	uint32_t refs;
	uint32_t nchild, cap; /* children, and places for them */
	uint32_t childlen;    /* bytes of the names of the children with their nuls */
	uint32_t len;         /* bytes of the value */
	uint32_t nperms;
	uint16_t writer;        /* domain that last changed this node */
	uint16_t below;         /* domain that last changed this node or one below it */
	uint64_t gen;           /* changes with value and permissions */
	uint64_t cgen;          /* changes with the list of children */
	struct xs_node **child; /* sorted by name */
	struct xs_perm *perms;  /* the first is the owner and what everybody else may */
	char *value;
	struct xs_node *next_dead; /* while a tree is being freed */
	char name[];
};

struct xs_dom {
	UT_hash_handle hh;
	SLIST_ENTRY(xs_dom) dirty_link;
	uint16_t domid, target;
	bool privileged, introduced, shutdown, has_target;
	bool dirty; /* on pvr_xs.dirty: d_nodes, d_node_mem wait for xs_acct_settle */
	bool held;  /* its connections are told when xs_dom_held has ended */
	uint32_t conns, watches, txs;
	int64_t nodes, node_mem; /* of the live tree */
	int64_t d_nodes, d_node_mem;
	size_t other_mem;  /* watches, touched paths, output */
	uint64_t brake_ms; /* see xs_dom_blame */
};

/* All watches of one path. */
struct xs_wpath {
	UT_hash_handle hh;
	LIST_HEAD(, xs_watch) watches;
	uint32_t len;
	char path[];
};

struct xs_watch {
	TAILQ_ENTRY(xs_watch) link; /* of the connection */
	LIST_ENTRY(xs_watch) path_link;
	struct xs_wpath *wpath;
	struct pvr_xs_conn *conn;
	uint32_t prefix; /* bytes of the event's path that are not told: the home of a relative one
			  */
	int32_t depth;   /* levels below the path that are told of; -1 all */
	bool missed;     /* an event found no room; the path itself is told of when there is */
	size_t charged;
	char token[];
};

/* One message on its way out: header and payload. */
struct xs_out {
	STAILQ_ENTRY(xs_out) link;
	UT_hash_handle hh; /* events only, by payload */
	uint32_t len, off;
	bool event;
	char bytes[];
};

/* What a transaction did to one path. */
#define XS_TOUCH_NODE 1u  /* depends on its value, permissions or absence */
#define XS_TOUCH_KIDS 2u  /* depends on the list of its children */
#define XS_TOUCH_TREE 4u  /* depends on everything below it */
#define XS_TOUCH_SET  8u  /* made it, or changed value or permissions */
#define XS_TOUCH_RM   16u /* removed what was there */
#define XS_TOUCH_FIRE 32u /* watches are told at commit */

struct xs_touch {
	UT_hash_handle hh;
	uint32_t flags;
	size_t charged, value; /* bytes charged, those for the value among them */
	char path[];
};

struct xs_tx {
	LIST_ENTRY(xs_tx) link;      /* of the connection */
	TAILQ_ENTRY(xs_tx) age_link; /* of the store, oldest first */
	struct pvr_xs_conn *conn;
	uint32_t id;
	bool doomed;                 /* will not commit: EAGAIN */
	struct xs_node *base, *root; /* NULL when the snapshot was taken away */
	struct xs_touch *touched;
	int64_t d_nodes; /* of the owner's, against its quota */
};

struct pvr_xs_conn {
	LIST_ENTRY(pvr_xs_conn) link;
	struct pvr_xs *xs;
	struct xs_dom *dom;
	bool privileged, released;
	int error; /* sticks */
	struct pvr_xs_conn_ops ops;
	void *opaque;
	TAILQ_HEAD(xs_watches, xs_watch) watches;
	bool missed; /* some watch has missed set */
	LIST_HEAD(, xs_tx) txs;
	uint32_t last_tx;
	STAILQ_HEAD(, xs_out) out;
	struct xs_out *events;
	uint32_t nreplies, nevents;
	uint32_t have; /* bytes of the message that comes in */
	struct xsd_sockmsg hdr;
	char payload[XENSTORE_PAYLOAD_MAX + 1];
};

enum xs_special { XS_SPECIAL_INTRODUCE, XS_SPECIAL_RELEASE, XS_SPECIALS };

struct xs_special_node {
	struct xs_perm *perms;
	uint32_t nperms;
};

struct pvr_xs {
	struct pvr_xs_quota quota;
	struct pvr_xs_ops ops;
	void *opaque;
	struct xs_node *root; /* the live tree */
	struct xs_special_node special[XS_SPECIALS];
	uint64_t gen;
	size_t total, live; /* bytes of all nodes, and of those of the live tree */
	struct xs_dom *doms;
	SLIST_HEAD(, xs_dom) dirty;
	struct xs_wpath *wpaths;
	LIST_HEAD(, pvr_xs_conn) conns;
	TAILQ_HEAD(, xs_tx) txs;
	struct pvr_xs_conn self; /* the daemon's own: privileged, domain 0, never sent to */
};

/* malloc and realloc, through which tests make an allocation fail: when the countdown reaches 0. */
extern unsigned xs_alloc_countdown;
void *xs_alloc(size_t size);
void *xs_realloc(void *p, size_t size);

/* ---- path ---- */
int xs_path_canonical(const struct pvr_xs_conn *conn, const char *in, bool special, char *out);
bool xs_path_valid(const char *path);
bool xs_path_below(const char *path, const char *above); /* or equal */
size_t xs_path_parent(const char *path); /* bytes of the parent's path, at least 1 */
int xs_path_special(const char *path);   /* enum xs_special or -ENOENT */
const char *xs_special_name(int which);
size_t xs_home(uint16_t domid, char *out); /* writes /local/domain/<domid>, returns its length */

/* ---- domain ---- */
struct xs_dom *xs_dom_find(const struct pvr_xs *xs, uint16_t domid);
struct xs_dom *xs_dom_get(struct pvr_xs *xs, uint16_t domid); /* makes it; NULL: no memory */
void xs_dom_put(struct pvr_xs *xs, struct xs_dom *dom);       /* frees it when it holds nothing */
bool xs_dom_limited(const struct xs_dom *dom);

/*
 * Node accounting of one change: xs_acct notes, xs_acct_check compares with the quotas, settle
 * makes it so or forgets it. A change that only takes away cannot fail.
 */
int xs_acct(struct pvr_xs *xs, uint16_t domid, int nodes, int64_t mem);
int xs_acct_check(struct pvr_xs *xs);
void xs_acct_settle(struct pvr_xs *xs, bool commit);

/* Other memory. xs_mem_charge: -ENOMEM over the quota. */
int xs_mem_charge(struct pvr_xs *xs, struct xs_dom *dom, size_t bytes);
void xs_mem_uncharge(struct xs_dom *dom, size_t bytes);

uint64_t xs_now(const struct pvr_xs *xs);
void xs_dom_blame(struct pvr_xs *xs, uint16_t domid);
uint64_t xs_dom_held(const struct pvr_xs *xs, const struct xs_dom *dom); /* ms, 0: not */

/* ---- node ---- */
struct xs_node *xs_node_new(struct pvr_xs *xs, const char *name, size_t len,
	const struct xs_perm *perms, uint32_t nperms);
void xs_node_put(struct pvr_xs *xs, struct xs_node *node);
int64_t xs_node_bytes(const struct xs_node *node);
/* What the node size quota counts, of a node with these figures. */
size_t xs_node_size(uint32_t nperms, size_t len, size_t childlen);
/* The deepest node on the path; *rest is what is left of it, "" when the path exists. */
struct xs_node *xs_node_nearest(struct xs_node *root, const char *path, const char **rest);
struct xs_node *xs_node_find(struct xs_node *root, const char *path, size_t len);
/* The node at the first len bytes of path, which exists, made ours to change. NULL: no memory. */
struct xs_node *xs_node_own(
	struct pvr_xs *xs, struct xs_node **root, const char *path, size_t len, uint16_t writer);
int xs_node_insert(struct pvr_xs *xs, struct xs_node *parent, struct xs_node *child);
void xs_node_remove(struct pvr_xs *xs, struct xs_node *parent, const char *name);
int xs_node_set_value(struct pvr_xs *xs, struct xs_node *node, const void *value, uint32_t len);
int xs_node_set_perms(
	struct pvr_xs *xs, struct xs_node *node, const struct xs_perm *perms, uint32_t nperms);

/* A walk over a tree, parents first. The path of the node last returned is in `path`. */
struct xs_walk {
	uint32_t depth;
	size_t len; /* of path; 0 stands for "/" */
	struct {
		struct xs_node *node;
		uint32_t next;
		size_t len;
	} stack[XS_DEPTH_MAX];
	char path[XS_PATH_SIZE];
};
void xs_walk_start(struct xs_walk *walk, struct xs_node *node, const char *path, size_t len);
struct xs_node *xs_walk_next(struct xs_walk *walk);

/* ---- perms ---- */
int xs_perms_parse(const char *strings, size_t len, char separator, struct xs_perm *perms,
	uint32_t max, uint32_t *count);
size_t xs_perms_format(const struct xs_perm *perms, uint32_t nperms, char *out, size_t size);
unsigned xs_perms_for(const struct pvr_xs_conn *conn, const struct xs_perm *perms, uint32_t nperms);
/* Takes a domain out of a list: entries go, ownership passes to domain 0. */
void xs_perms_scrub(struct xs_perm *perms, uint32_t *nperms, uint16_t domid);
bool xs_perms_mention(const struct xs_perm *perms, uint32_t nperms, uint16_t domid);

/* ---- output ---- */
void xs_reply(struct pvr_xs_conn *conn, uint32_t type, const void *data, size_t len);
void xs_reply_error(struct pvr_xs_conn *conn, int error);
void xs_event(struct xs_watch *watch, const char *path);
void xs_out_drop(struct pvr_xs_conn *conn);

/* ---- watch ---- */
int xs_watch_add(struct pvr_xs_conn *conn, const char *path, const char *token, bool relative,
	int32_t depth);
int xs_watch_del(struct pvr_xs_conn *conn, const char *path, const char *token);
void xs_watch_drop(struct pvr_xs_conn *conn);
void xs_watch_refill(struct pvr_xs_conn *conn); /* tells what was missed, as far as there is room */
/* The path changed: tells those who may read it, or its parent, in the tree `root`. */
void xs_fire(struct pvr_xs *xs, const char *path, struct xs_node *root);
/* The same for a path that is removed from `root`, and for watches below it. */
void xs_fire_removed(struct pvr_xs *xs, const char *path, struct xs_node *root);
void xs_fire_special(struct pvr_xs *xs, int which);

/* ---- tx ---- */
struct xs_tx *xs_tx_find(struct pvr_xs_conn *conn, uint32_t id);
int xs_tx_start(struct pvr_xs_conn *conn, uint32_t *id);
int xs_tx_end(struct xs_tx *tx, bool commit); /* frees it in any case */
void xs_tx_drop(struct pvr_xs_conn *conn);
int xs_tx_touch(struct xs_tx *tx, const char *path, size_t len, unsigned flags, size_t value);
void xs_tx_doom_all(struct pvr_xs *xs);
void xs_tx_forget_all(struct pvr_xs *xs); /* and give their snapshots back */
void xs_tx_bound(struct pvr_xs *xs);      /* holds PVR_XS_SNAPSHOT_MAX */

/* ---- tree: tx NULL is the live tree ---- */
int xs_lookup(struct pvr_xs_conn *conn, struct xs_tx *tx, const char *path, unsigned perm,
	struct xs_node **node);
int xs_list(struct pvr_xs_conn *conn, struct xs_tx *tx, const char *path, struct xs_node **node);
int xs_set(struct pvr_xs_conn *conn, struct xs_tx *tx, const char *path, const void *value,
	uint32_t len);
int xs_make(struct pvr_xs_conn *conn, struct xs_tx *tx, const char *path);
int xs_remove(struct pvr_xs_conn *conn, struct xs_tx *tx, const char *path);
int xs_set_perms(struct pvr_xs_conn *conn, struct xs_tx *tx, const char *path,
	const struct xs_perm *perms, uint32_t nperms);
/* Notes that a subtree goes. */
void xs_acct_subtree(struct pvr_xs *xs, struct xs_node *node);

/* ---- request, control, conn ---- */
struct xs_request {
	struct pvr_xs_conn *conn;
	struct xs_tx *tx;
	const char *payload; /* a nul follows its last byte */
	uint32_t len;
};
typedef int xs_handler(const struct xs_request *request);

/* The first `max` nul-terminated strings of the payload; returns how many there are in all. */
unsigned xs_request_strings(const struct xs_request *request, const char **strings, unsigned max);
void xs_request_run(struct pvr_xs_conn *conn);
void xs_reply_ok(const struct xs_request *request);
xs_handler xs_control, xs_introduce, xs_release, xs_resume, xs_set_target, xs_is_introduced,
	xs_get_domain_path;

void xs_conn_setup(
	struct pvr_xs_conn *conn, struct pvr_xs *xs, struct xs_dom *dom, bool privileged);
bool xs_conn_listens(const struct pvr_xs_conn *conn);
void xs_conn_ready(struct pvr_xs_conn *conn);

#endif
