/* SPDX-License-Identifier: MIT */
/*
 * What the store says about domains. The layout and the permissions are those xl gives a guest
 * (tools/libs/light/libxl_create.c): its directory is dom0's and readable to it, a few nodes in it
 * are its own.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "hv.h"

#define PATH_MAX_ABS       (XENSTORE_ABS_PATH_MAX + 1)
#define STATE_INITIALISING "1"
#define STATE_CLOSED       "6"

int hv_nodes_dom0(struct hv *hv)
{
	int err = pvr_xs_mkdir_perms(hv->xs, "/local/domain/0", "n0");

	if (!err)
		err = pvr_xs_write(hv->xs, "/local/domain/0/name", hv->dom0.name);
	if (!err)
		err = pvr_xs_write(hv->xs, "/local/domain/0/domid", "0");
	if (!err)
		err = pvr_xs_mkdir_perms(hv->xs, "/local/domain/0/backend", "n0");
	return err;
}

static int node_make(struct hv_domain *d, const char *name, const char *perms)
{
	char path[128], list[32];

	snprintf(path, sizeof(path), "/local/domain/%u%s", d->domid, name);
	snprintf(list, sizeof(list), perms, d->domid);
	return pvr_xs_mkdir_perms(d->hv->xs, path, list);
}

static int node_write(struct hv_domain *d, const char *name, const char *value)
{
	char path[128];

	snprintf(path, sizeof(path), "/local/domain/%u%s", d->domid, name);
	return pvr_xs_write(d->hv->xs, path, value);
}

static int node_write_number(struct hv_domain *d, const char *name, uint64_t value)
{
	char text[24];

	snprintf(text, sizeof(text), "%llu", (unsigned long long)value);
	return node_write(d, name, text);
}

int hv_nodes_create(struct hv_domain *d)
{
	static const struct {
		const char *name;
		const char *perms;
	} nodes[] = {
		{"", "n0,r%u"},
		{"/cpu", "n0,r%u"},
		{"/memory", "n0,r%u"},
		{"/device", "n0,r%u"},
		{"/control", "n0,r%u"},
		{"/control/shutdown", "n%u"},
		{"/control/feature-poweroff", "n%u"},
		{"/control/feature-reboot", "n%u"},
		{"/control/feature-suspend", "n%u"},
		{"/control/sysrq", "n%u"},
		{"/store", "n0,r%u"},
		{"/data", "n%u"},
		{"/drivers", "n%u"},
		{"/feature", "n%u"},
		{"/attr", "n%u"},
		{"/error", "n%u"},
	};
	int err = 0;

	for (size_t i = 0; i < sizeof(nodes) / sizeof(nodes[0]) && !err; i++)
		err = node_make(d, nodes[i].name, nodes[i].perms);
	if (!err)
		err = node_write(d, "/name", d->name);
	if (!err)
		err = node_write_number(d, "/domid", d->domid);
	if (!err)
		err = node_write_number(d, "/memory/static-max", d->memory_bytes / 1024);
	if (!err)
		err = node_write_number(d, "/memory/target", d->memory_bytes / 1024);
	for (uint32_t i = 0; i < d->vcpus && !err; i++) {
		char name[64];

		snprintf(name, sizeof(name), "/cpu/%u/availability", i);
		err = node_write(d, name, "online");
	}
	return err;
}

int hv_nodes_attach(struct hv_domain *d)
{
	int err = node_write_number(d, "/store/port", d->store_port);

	return err ? err : node_write_number(d, "/store/ring-ref", PVR_HV_FRAME_STORE);
}

/*
 * The names in a directory, each ended by NUL, into names[size]: asked of the store as a client
 * asks, for the store's own interface has no listing. The bytes used, 0 when there is nothing or
 * too much.
 */
static size_t directory_list(struct pvr_xs *xs, const char *path, char *names, size_t size)
{
	static const struct pvr_xs_conn_ops ops;
	struct pvr_xs_conn *conn = pvr_xs_conn_create(xs, 0, 1, &ops, NULL);
	struct xsd_sockmsg head = {.type = XS_DIRECTORY, .len = (uint32_t)strlen(path) + 1};
	char answer[sizeof(head) + XENSTORE_PAYLOAD_MAX];
	const void *piece;
	size_t got = 0, n;

	if (!conn)
		return 0;
	if (pvr_xs_conn_feed(conn, &head, sizeof(head)) == sizeof(head))
		pvr_xs_conn_feed(conn, path, head.len);
	while ((n = pvr_xs_conn_output(conn, &piece)) && got + n <= sizeof(answer)) {
		memcpy(answer + got, piece, n);
		got += n;
		pvr_xs_conn_consume(conn, n);
	}
	pvr_xs_conn_destroy(conn);
	if (got < sizeof(head))
		return 0;
	memcpy(&head, answer, sizeof(head));
	if (head.type != XS_DIRECTORY || head.len != got - sizeof(head) || head.len > size)
		return 0;
	memcpy(names, answer + sizeof(head), head.len);
	return head.len;
}

static void device_close(struct hv_domain *d, const char *class, const char *id)
{
	char path[PATH_MAX_ABS], state[16];

	int n = snprintf(
		path, sizeof(path), "/local/domain/%u/device/%s/%s/state", d->domid, class, id);

	if (n < 0 || (size_t)n >= sizeof(path))
		return;
	if (pvr_xs_read(d->hv->xs, path, state, sizeof(state)) < 0)
		return;
	/* A frontend that never began holds nothing, and the next process may begin with it. */
	if (strcmp(state, STATE_CLOSED) && strcmp(state, STATE_INITIALISING))
		pvr_xs_write(d->hv->xs, path, STATE_CLOSED);
}

void hv_nodes_close_devices(struct hv_domain *d)
{
	char path[PATH_MAX_ABS], classes[XENSTORE_PAYLOAD_MAX], ids[XENSTORE_PAYLOAD_MAX];

	snprintf(path, sizeof(path), "/local/domain/%u/device", d->domid);
	size_t classes_size = directory_list(d->hv->xs, path, classes, sizeof(classes));

	for (size_t c = 0; c < classes_size; c += strlen(classes + c) + 1) {
		int n = snprintf(
			path, sizeof(path), "/local/domain/%u/device/%s", d->domid, classes + c);

		if (n < 0 || (size_t)n >= sizeof(path))
			continue;
		size_t ids_size = directory_list(d->hv->xs, path, ids, sizeof(ids));

		for (size_t i = 0; i < ids_size; i += strlen(ids + i) + 1)
			device_close(d, classes + c, ids + i);
	}
}
