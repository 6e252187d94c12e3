/* SPDX-License-Identifier: MIT */
/*
 * The requests about data, watches and transactions, and the table of all requests.
 */
#include "store.h"

#include <inttypes.h>
#include <stdio.h>

unsigned xs_request_strings(const struct xs_request *request, const char **strings, unsigned max)
{
	const char *at = request->payload, *end = at + request->len, *nul;
	unsigned n = 0;

	for (; (nul = memchr(at, '\0', (size_t)(end - at))); at = nul + 1, n++)
		if (n < max)
			strings[n] = at;
	return n;
}

/* The payload is one string and nothing else. */
static const char *only_string(const struct xs_request *request)
{
	return request->len && strlen(request->payload) == request->len - 1 ? request->payload
									    : NULL;
}

static int only_path(const struct xs_request *request, char *path)
{
	const char *s = only_string(request);

	return s ? xs_path_canonical(request->conn, s, false, path) : -EINVAL;
}

void xs_reply_ok(const struct xs_request *request)
{
	xs_reply(request->conn, request->conn->hdr.type, "OK", sizeof("OK"));
}

static int ok_if(const struct xs_request *request, int error)
{
	if (!error)
		xs_reply_ok(request);
	return error;
}

static int do_read(const struct xs_request *request)
{
	char path[XS_PATH_SIZE];
	struct xs_node *node;
	int error = only_path(request, path);

	if (!error)
		error = xs_lookup(request->conn, request->tx, path, XS_PERM_READ, &node);
	if (!error)
		xs_reply(request->conn, XS_READ, node->value, node->len);
	return error;
}

/*
 * Copies names of children from byte `offset` of the list on, whole names only, at most max bytes.
 */
static size_t names(const struct xs_node *node, size_t offset, char *out, size_t max)
{
	size_t at = 0, len = 0;

	for (uint32_t i = 0; i < node->nchild; i++) {
		const char *name = node->child[i]->name;
		size_t n = strlen(name) + 1, skip = at < offset ? offset - at : 0;

		at += n;
		if (skip >= n)
			continue;
		if (len + n - skip > max)
			break;
		memcpy(out + len, name + skip, n - skip);
		len += n - skip;
	}
	return len;
}

static int do_directory(const struct xs_request *request)
{
	char path[XS_PATH_SIZE], list[XENSTORE_PAYLOAD_MAX];
	struct xs_node *node;
	int error = only_path(request, path);

	if (!error)
		error = xs_list(request->conn, request->tx, path, &node);
	if (error)
		return error;
	if (node->childlen > sizeof(list))
		return -E2BIG;
	xs_reply(request->conn, XS_DIRECTORY, list, names(node, 0, list, sizeof(list)));
	return 0;
}

static int do_directory_part(const struct xs_request *request)
{
	char path[XS_PATH_SIZE], reply[XENSTORE_PAYLOAD_MAX];
	struct xs_node *node;
	const char *strings[2];
	size_t len, part;
	unsigned long offset;
	int error;

	if (xs_request_strings(request, strings, 2) != 2)
		return -EINVAL;
	error = xs_path_canonical(request->conn, strings[0], false, path);
	if (!error)
		error = xs_list(request->conn, request->tx, path, &node);
	if (error)
		return error;
	offset = strtoul(strings[1], NULL, 10);
	len = (size_t)sprintf(reply, "%" PRIu64, node->cgen) + 1;
	part = names(node, offset, reply + len, sizeof(reply) - len - 1);
	len += part;
	/* An empty name ends the list. */
	if (offset >= node->childlen || offset + part == node->childlen)
		reply[len++] = '\0';
	xs_reply(request->conn, XS_DIRECTORY_PART, reply, len);
	return 0;
}

static int do_write(const struct xs_request *request)
{
	char path[XS_PATH_SIZE];
	const char *s;
	size_t skip;
	int error;

	if (xs_request_strings(request, &s, 1) < 1)
		return -EINVAL;
	skip = strlen(s) + 1;
	error = xs_path_canonical(request->conn, s, false, path);
	if (!error)
		error = xs_set(
			request->conn, request->tx, path, s + skip, request->len - (uint32_t)skip);
	return ok_if(request, error);
}

static int do_mkdir(const struct xs_request *request)
{
	char path[XS_PATH_SIZE];
	int error = only_path(request, path);

	if (!error)
		error = xs_make(request->conn, request->tx, path);
	return ok_if(request, error);
}

static int do_rm(const struct xs_request *request)
{
	char path[XS_PATH_SIZE];
	int error = only_path(request, path);

	if (!error)
		error = xs_remove(request->conn, request->tx, path);
	return ok_if(request, error);
}

/*
 * The permissions of a special path, which is no node of the tree and has no part in transactions.
 */
static int special_lookup(
	struct pvr_xs_conn *conn, const char *path, unsigned perm, struct xs_special_node **special)
{
	int which = xs_path_special(path);

	if (which < 0)
		return conn->privileged ? -ENOENT : -EACCES;
	*special = &conn->xs->special[which];
	return (xs_perms_for(conn, (*special)->perms, (*special)->nperms) & perm) == perm ? 0
											  : -EACCES;
}

static int do_get_perms(const struct xs_request *request)
{
	char path[XS_PATH_SIZE], list[XS_PERMS_MAX * 8];
	const char *s = only_string(request);
	struct xs_special_node *special;
	struct xs_node *node;
	size_t len;
	int error = s ? xs_path_canonical(request->conn, s, true, path) : -EINVAL;

	if (error)
		return error;
	if (path[0] == '@') {
		error = special_lookup(request->conn, path, XS_PERM_READ, &special);
		if (error)
			return error;
		len = xs_perms_format(special->perms, special->nperms, list, sizeof(list));
	} else {
		error = xs_lookup(request->conn, request->tx, path, XS_PERM_READ, &node);
		if (error)
			return error;
		len = xs_perms_format(node->perms, node->nperms, list, sizeof(list));
	}
	xs_reply(request->conn, XS_GET_PERMS, list, len);
	return 0;
}

static int set_special(
	struct pvr_xs_conn *conn, const char *path, const struct xs_perm *perms, uint32_t nperms)
{
	struct xs_special_node *special;
	struct xs_perm *copy;
	int error = special_lookup(conn, path, XS_PERM_WRITE | XS_PERM_OWNER, &special);

	if (error)
		return error;
	if (!conn->privileged && perms[0].domid != special->perms[0].domid)
		return -EPERM;
	copy = xs_alloc(nperms * sizeof(*copy));
	if (!copy)
		return -ENOMEM;
	memcpy(copy, perms, nperms * sizeof(*copy));
	free(special->perms);
	special->perms = copy;
	special->nperms = nperms;
	return 0;
}

static int do_set_perms(const struct xs_request *request)
{
	struct pvr_xs_conn *conn = request->conn;
	struct xs_perm perms[XS_PERMS_MAX];
	char path[XS_PATH_SIZE];
	uint32_t nperms, max = XS_PERMS_MAX;
	const char *s;
	size_t skip;
	int error;

	if (xs_request_strings(request, &s, 1) < 2)
		return -EINVAL;
	if (!conn->privileged && conn->xs->quota.node_perms < max)
		max = conn->xs->quota.node_perms;
	skip = strlen(s) + 1;
	error = xs_perms_parse(s + skip, request->len - skip, '\0', perms, max, &nperms);
	if (!error)
		error = xs_path_canonical(conn, s, true, path);
	if (error)
		return error;
	error = path[0] == '@' ? set_special(conn, path, perms, nperms)
			       : xs_set_perms(conn, request->tx, path, perms, nperms);
	return ok_if(request, error);
}

/* <wpath>|<token>|, and since Xen 4.21 perhaps <depth>|. */
static int do_watch(const struct xs_request *request)
{
	struct pvr_xs_conn *conn = request->conn;
	const char *strings[3];
	char path[XS_PATH_SIZE], *end;
	unsigned n = xs_request_strings(request, strings, 3);
	bool relative;
	long depth = -1;
	int error;

	if (n < 2 || n > 3)
		return -EINVAL;
	if (n == 3 && *strings[2]) {
		depth = strtol(strings[2], &end, 10);
		if (*end || depth < 0 || depth > XS_DEPTH_MAX)
			return -EINVAL;
	}
	error = xs_path_canonical(conn, strings[0], true, path);
	if (error)
		return error;
	relative = strings[0][0] != '/' && strings[0][0] != '@';
	error = xs_watch_add(conn, path, strings[1], relative, (int32_t)depth);
	if (error)
		return error;
	xs_reply_ok(request);
	xs_event(TAILQ_LAST(&conn->watches, xs_watches), path);
	return 0;
}

static int do_unwatch(const struct xs_request *request)
{
	const char *strings[2];
	char path[XS_PATH_SIZE];
	int error;

	if (xs_request_strings(request, strings, 2) < 2)
		return -EINVAL;
	error = xs_path_canonical(request->conn, strings[0], true, path);
	if (!error)
		error = xs_watch_del(request->conn, path, strings[1]);
	return ok_if(request, error);
}

static int do_reset_watches(const struct xs_request *request)
{
	xs_watch_drop(request->conn);
	xs_tx_drop(request->conn);
	xs_reply_ok(request);
	return 0;
}

static int do_transaction_start(const struct xs_request *request)
{
	char id[16];
	uint32_t tx_id;
	int error;

	if (request->tx)
		return -EBUSY;
	error = xs_tx_start(request->conn, &tx_id);
	if (!error)
		xs_reply(request->conn, XS_TRANSACTION_START, id,
			(size_t)sprintf(id, "%" PRIu32, tx_id) + 1);
	return error;
}

static int do_transaction_end(const struct xs_request *request)
{
	const char *s = only_string(request);

	if (!s || (strcmp(s, "T") && strcmp(s, "F")))
		return -EINVAL;
	if (!request->tx)
		return -ENOENT;
	return ok_if(request, xs_tx_end(request->tx, *s == 'T'));
}

#define NO_TX 1u /* the transaction id is not looked at */
#define PRIV  2u /* privileged clients only */

static const struct {
	xs_handler *handler;
	unsigned flags;
} handlers[XS_TYPE_COUNT] = {
	[XS_CONTROL] = {xs_control, NO_TX | PRIV},
	[XS_DIRECTORY] = {do_directory, 0},
	[XS_DIRECTORY_PART] = {do_directory_part, 0},
	[XS_READ] = {do_read, 0},
	[XS_GET_PERMS] = {do_get_perms, 0},
	[XS_SET_PERMS] = {do_set_perms, 0},
	[XS_WATCH] = {do_watch, NO_TX},
	[XS_UNWATCH] = {do_unwatch, NO_TX},
	[XS_RESET_WATCHES] = {do_reset_watches, NO_TX},
	[XS_TRANSACTION_START] = {do_transaction_start, 0},
	[XS_TRANSACTION_END] = {do_transaction_end, 0},
	[XS_WRITE] = {do_write, 0},
	[XS_MKDIR] = {do_mkdir, 0},
	[XS_RM] = {do_rm, 0},
	[XS_INTRODUCE] = {xs_introduce, NO_TX | PRIV},
	[XS_RELEASE] = {xs_release, NO_TX | PRIV},
	[XS_RESUME] = {xs_resume, NO_TX | PRIV},
	[XS_SET_TARGET] = {xs_set_target, NO_TX | PRIV},
	[XS_IS_DOMAIN_INTRODUCED] = {xs_is_introduced, NO_TX},
	[XS_GET_DOMAIN_PATH] = {xs_get_domain_path, NO_TX},
};

static int run(struct xs_request *request)
{
	struct pvr_xs_conn *conn = request->conn;
	uint32_t type = conn->hdr.type;

	if (type >= XS_TYPE_COUNT || !handlers[type].handler)
		return -ENOSYS;
	if ((handlers[type].flags & PRIV) && !conn->privileged)
		return -EACCES;
	if (conn->hdr.tx_id && !(handlers[type].flags & NO_TX)) {
		request->tx = xs_tx_find(conn, conn->hdr.tx_id);
		if (!request->tx)
			return -ENOENT;
	}
	return handlers[type].handler(request);
}

/* Answers the message that is complete in conn->hdr and conn->payload. */
void xs_request_run(struct pvr_xs_conn *conn)
{
	struct xs_request request = {.conn = conn, .payload = conn->payload, .len = conn->hdr.len};
	int error;

	/* Handlers may take the payload for a string wherever the client put its nuls. */
	conn->payload[conn->hdr.len] = '\0';
	error = run(&request);
	if (error)
		xs_reply_error(conn, error);
}
