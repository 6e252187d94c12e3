/* SPDX-License-Identifier: MIT */
/*
 * The requests about domains, and XS_CONTROL. Each asks the owner of the store first, so that a
 * refusal leaves nothing behind.
 */
#include "store.h"

static int parse_number(const char *s, uint64_t max, uint64_t *number)
{
	char *end;

	if (*s < '0' || *s > '9')
		return -EINVAL;
	errno = 0;
	*number = strtoull(s, &end, 10);
	return *end || errno || *number > max ? -EINVAL : 0;
}

static int parse_domid(const char *s, uint16_t *domid)
{
	uint64_t number;
	int error = parse_number(s, XS_DOMID_RESERVED - 1, &number);

	*domid = error ? 0 : (uint16_t)number;
	return error;
}

/* The first string of the payload as the id of a domain other than 0. */
static int guest_id(const struct xs_request *request, uint16_t *domid)
{
	const char *s;

	if (xs_request_strings(request, &s, 1) < 1 || parse_domid(s, domid) || *domid == 0)
		return -EINVAL;
	return 0;
}

static bool introduced(const struct pvr_xs *xs, uint16_t domid)
{
	const struct xs_dom *dom = xs_dom_find(xs, domid);

	return dom && dom->introduced;
}

int xs_introduce(const struct xs_request *request)
{
	struct pvr_xs *xs = request->conn->xs;
	uint64_t gfn, port;
	const char *s[3];
	uint16_t domid;
	int error;

	if (xs_request_strings(request, s, 3) < 3 || guest_id(request, &domid))
		return -EINVAL;
	/* The frame is a signed decimal; no real one is negative. */
	if (parse_number(s[1], INT64_MAX, &gfn) || parse_number(s[2], UINT32_MAX, &port))
		return -EINVAL;
	if (!xs->ops.introduce)
		return -ENOSYS;
	error = xs->ops.introduce(xs->opaque, domid, gfn, (uint32_t)port);
	if (!error)
		error = pvr_xs_introduce(xs, domid);
	/* The owner may have said so itself, or the domain comes back after a resume. */
	if (error && error != -EEXIST)
		return error;
	xs_reply_ok(request);
	return 0;
}

/* What is to be done to an introduced domain: its number, once the owner of the store has done its part. */
static int ask_owner(const struct xs_request *request, int (*ask)(void *opaque, uint16_t domid),
	uint16_t *domid)
{
	struct pvr_xs *xs = request->conn->xs;
	int error = guest_id(request, domid);

	if (error)
		return error;
	if (!introduced(xs, *domid))
		return -ENOENT;
	return ask ? ask(xs->opaque, *domid) : 0;
}

int xs_release(const struct xs_request *request)
{
	struct pvr_xs *xs = request->conn->xs;
	uint16_t domid;
	int error = ask_owner(request, xs->ops.release, &domid);

	if (error)
		return error;
	pvr_xs_release(xs, domid); /* the owner may have released it itself */
	xs_reply_ok(request);
	return 0;
}

int xs_resume(const struct xs_request *request)
{
	struct pvr_xs *xs = request->conn->xs;
	uint16_t domid;
	int error = ask_owner(request, xs->ops.resume, &domid);

	if (error)
		return error;
	pvr_xs_resume(xs, domid);
	xs_reply_ok(request);
	return 0;
}

int xs_set_target(const struct xs_request *request)
{
	struct pvr_xs *xs = request->conn->xs;
	uint16_t domid, target;
	const char *s[2];
	struct xs_dom *dom;
	int error = 0;

	if (xs_request_strings(request, s, 2) != 2 || guest_id(request, &domid) ||
		parse_domid(s[1], &target))
		return -EINVAL;
	if (!introduced(xs, domid) || !introduced(xs, target))
		return -ENOENT;
	if (xs->ops.set_target)
		error = xs->ops.set_target(xs->opaque, domid, target);
	dom = xs_dom_find(xs, domid);
	if (error || !dom)
		return error ? error : -ENOENT;
	dom->target = target;
	dom->has_target = true;
	xs_reply_ok(request);
	return 0;
}

int xs_is_introduced(const struct xs_request *request)
{
	const char *s;
	uint16_t domid;

	if (xs_request_strings(request, &s, 1) < 1 || parse_domid(s, &domid))
		return -EINVAL;
	xs_reply(request->conn, XS_IS_DOMAIN_INTRODUCED,
		introduced(request->conn->xs, domid) ? "T" : "F", 2);
	return 0;
}

int xs_get_domain_path(const struct xs_request *request)
{
	const char *s;
	char path[32];
	uint64_t domid;

	if (xs_request_strings(request, &s, 1) < 1 || parse_number(s, UINT16_MAX, &domid))
		return -EINVAL;
	xs_reply(request->conn, XS_GET_DOMAIN_PATH, path, xs_home((uint16_t)domid, path) + 1);
	return 0;
}

static int control_check(const struct xs_request *request)
{
	char text[64];
	unsigned faults = pvr_xs_check(request->conn->xs, NULL);
	int len = sprintf(text, faults ? "%u faults" : "OK", faults);

	xs_reply(request->conn, XS_CONTROL, text, (size_t)len + 1);
	return 0;
}

static int control_quota(const struct xs_request *request)
{
	const struct pvr_xs_quota *q = &request->conn->xs->quota;
	char text[512];
	int len = snprintf(text, sizeof(text),
		"nodes: %u\nnode-size: %u\nnode-permissions: %u\nwatches: %u\ntransactions: %u\n"
		"transaction-nodes: %u\noutstanding: %u\nmemory: %u\npath-max: %u\n",
		q->nodes, q->node_size, q->node_perms, q->watches, q->transactions,
		q->transaction_nodes, q->outstanding, q->memory, q->path_abs);

	xs_reply(request->conn, XS_CONTROL, text, (size_t)len + 1);
	return 0;
}

static int control_print(const struct xs_request *request)
{
	const struct pvr_xs *xs = request->conn->xs;
	const char *s[2];

	if (xs_request_strings(request, s, 2) < 2)
		return -EINVAL;
	if (xs->ops.print)
		xs->ops.print(xs->opaque, s[1]);
	xs_reply_ok(request);
	return 0;
}

static int control_help(const struct xs_request *request)
{
	static const char text[] = "check\nhelp\nprint|<string>\nquota\n";

	xs_reply(request->conn, XS_CONTROL, text, sizeof(text));
	return 0;
}

int xs_control(const struct xs_request *request)
{
	static const struct {
		const char *name;
		xs_handler *handler;
	} commands[] = {
		{"check", control_check},
		{"help", control_help},
		{"print", control_print},
		{"quota", control_quota},
	};
	const char *s;

	if (xs_request_strings(request, &s, 1) < 1)
		return -EINVAL;
	for (size_t i = 0; i < sizeof(commands) / sizeof(*commands); i++)
		if (!strcmp(s, commands[i].name))
			return commands[i].handler(request);
	return -EINVAL;
}
