/* SPDX-License-Identifier: MIT */
/* Reading and writing a device's xenstore nodes. What a frontend wrote is text from a stranger. */
#ifndef PVR_BACKEND_NODES_H
#define PVR_BACKEND_NODES_H

#include <pvring/host.h>
#include <pvring/xen/xenbus.h>

/* <directory>/<name> as text: its length, or a negative errno (-ENOENT, -E2BIG). */
int pvr_back_node_text(
	struct pvr_host *host, const char *directory, const char *name, char *value, size_t size);

/* A decimal number from 0 to max, nothing else: 0, or -ENOENT, or -EINVAL. */
int pvr_back_node_number(struct pvr_host *host, const char *directory, const char *name,
	uint32_t max, uint32_t *number);

struct pvr_back_node {
	const char *name;
	char value[256];
};

#define PVR_BACK_NODES 20u /* published at once */

/* Nodes to be published. */
struct pvr_back_nodes {
	unsigned count;
	struct pvr_back_node node[PVR_BACK_NODES];
};

__attribute__((format(printf, 3, 4))) void pvr_back_nodes_add(
	struct pvr_back_nodes *nodes, const char *name, const char *format, ...);

/*
 * Write nodes into a directory, and its state last, in one transaction that first sees the
 * directory there: a directory the toolstack has removed is not made again. -ENOENT then.
 */
int pvr_back_nodes_publish(struct pvr_host *host, const char *directory,
	const struct pvr_back_node *nodes, unsigned count, enum xenbus_state state);

#endif
