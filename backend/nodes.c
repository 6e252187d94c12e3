/* SPDX-License-Identifier: MIT */
/* Bounded reads of single nodes, and one transaction that publishes several. */
#include "nodes.h"

#include <assert.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>

#define PATH_BYTES 256
#define TRIES      16 /* a transaction that conflicts this often is given up */

static int node_path(char *path, const char *directory, const char *name)
{
	return snprintf(path, PATH_BYTES, "%s/%s", directory, name) < PATH_BYTES ? 0 : -E2BIG;
}

int pvr_back_node_text(
	struct pvr_host *host, const char *directory, const char *name, char *value, size_t size)
{
	char path[PATH_BYTES];
	int result = node_path(path, directory, name);

	return result ? result : pvr_host_store_read(host, 0, path, value, size);
}

int pvr_back_node_number(struct pvr_host *host, const char *directory, const char *name,
	uint32_t max, uint32_t *number)
{
	char value[12];
	int length = pvr_back_node_text(host, directory, name, value, sizeof(value));
	uint64_t n = 0;

	if (length == -E2BIG || length == 0)
		return -EINVAL;
	if (length < 0)
		return length;
	for (int i = 0; i < length; i++) {
		if (value[i] < '0' || value[i] > '9')
			return -EINVAL;
		n = n * 10 + (uint64_t)(value[i] - '0'); /* at most 11 digits */
	}
	if (n > max)
		return -EINVAL;
	*number = (uint32_t)n;
	return 0;
}

void pvr_back_nodes_add(struct pvr_back_nodes *nodes, const char *name, const char *format, ...)
{
	struct pvr_back_node *node = &nodes->node[nodes->count++];
	va_list list;

	assert(nodes->count <= PVR_BACK_NODES);
	node->name = name;
	va_start(list, format);
	vsnprintf(node->value, sizeof(node->value), format, list);
	va_end(list);
}

static int write_node(struct pvr_host *host, pvr_host_tx tx, const char *directory,
	const char *name, const char *value)
{
	char path[PATH_BYTES];
	int result = node_path(path, directory, name);

	return result ? result : pvr_host_store_write(host, tx, path, value);
}

static int write_all(struct pvr_host *host, pvr_host_tx tx, const char *directory,
	const struct pvr_back_node *nodes, unsigned count, enum xenbus_state state)
{
	char path[PATH_BYTES], value[16];
	int result = node_path(path, directory, "state");

	if (!result)
		result = pvr_host_store_read(host, tx, path, value, sizeof(value));
	if (result < 0)
		return result;
	for (unsigned i = 0; i < count; i++) {
		result = write_node(host, tx, directory, nodes[i].name, nodes[i].value);
		if (result)
			return result;
	}
	snprintf(value, sizeof(value), "%u", (unsigned)state);
	return write_node(host, tx, directory, "state", value);
}

int pvr_back_nodes_publish(struct pvr_host *host, const char *directory,
	const struct pvr_back_node *nodes, unsigned count, enum xenbus_state state)
{
	int result = -EAGAIN;

	for (unsigned i = 0; result == -EAGAIN && i < TRIES; i++) {
		pvr_host_tx tx;

		result = pvr_host_store_tx_start(host, &tx);
		if (result)
			return result;
		result = write_all(host, tx, directory, nodes, count, state);
		if (result)
			pvr_host_store_tx_end(host, tx, 0);
		else
			result = pvr_host_store_tx_end(host, tx, 1);
	}
	return result;
}
