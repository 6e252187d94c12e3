/* SPDX-License-Identifier: MIT */
/* Reading and writing a device's xenstore nodes. What a frontend wrote is text from a stranger. */
#ifndef PVR_BLKBACK_NODES_H
#define PVR_BLKBACK_NODES_H

#include <pvring/host.h>
#include <pvring/xen/xenbus.h>

/* <directory>/<name> as text: its length, or a negative errno (-ENOENT, -E2BIG). */
int pvr_blkback_node_text(
	struct pvr_host *host, const char *directory, const char *name, char *value, size_t size);

/* A decimal number from 0 to max, nothing else: 0, or -ENOENT, or -EINVAL. */
int pvr_blkback_node_number(struct pvr_host *host, const char *directory, const char *name,
	uint32_t max, uint32_t *number);

struct pvr_blkback_node {
	const char *name;
	char value[256];
};

/*
 * Write nodes into a directory, and its state last, in one transaction that first sees the
 * directory there: a directory the toolstack has removed is not made again. -ENOENT then.
 */
int pvr_blkback_nodes_publish(struct pvr_host *host, const char *directory,
	const struct pvr_blkback_node *nodes, unsigned count, enum xenbus_state state);

#endif
