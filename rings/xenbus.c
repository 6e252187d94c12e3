/* SPDX-License-Identifier: MIT */
/* The frontend's side of the xenbus nodes of one device. */
#include <pvring/xenbus.h>

#include "text.h"

#include <errno.h>
#include <string.h>

/* A directory and the longest name below it that any protocol here has. */
#define PATH_MAX_ 192

static int read_state(const char *path, enum xenbus_state *state)
{
	uint64_t number;
	int r = pvr_store_read_u64(0, path, &number);

	*state = !r && number <= XenbusStateReconfigured ? (enum xenbus_state)number
							 : XenbusStateUnknown;
	return r;
}

/* Where the backend is, and who. What the toolstack wrote is checked, not believed. */
static int find_backend(struct pvr_xenbus_dev *dev)
{
	char path[PATH_MAX_];
	uint64_t domid;
	int r = pvr_text_path(dev->path, "backend", path, sizeof(path));

	if (!r)
		r = pvr_store_read(0, path, dev->backend, sizeof(dev->backend));
	if (r < 0)
		return r;
	if (dev->backend[0] != '/' || pvr_text_length(dev->backend) != (size_t)r)
		return -EPROTO;
	r = pvr_text_path(dev->path, "backend-id", path, sizeof(path));
	if (!r)
		r = pvr_store_read_u64(0, path, &domid);
	if (r < 0)
		return r;
	if (domid >= DOMID_FIRST_RESERVED)
		return -EPROTO;
	dev->backend_id = (domid_t)domid;
	return 0;
}

int pvr_xenbus_open(struct pvr_xenbus_dev *dev, const char *path)
{
	char node[PATH_MAX_];
	size_t length = pvr_text_length(path);
	int r;

	memset(dev, 0, sizeof(*dev));
	if (length >= sizeof(dev->path))
		return -E2BIG;
	memcpy(dev->path, path, length + 1);
	r = find_backend(dev);
	if (!r)
		r = pvr_text_path(dev->path, "state", node, sizeof(node));
	if (r)
		return r;
	/* No node of ours yet is a state too. */
	read_state(node, &dev->state);
	r = pvr_text_path(dev->backend, "state", node, sizeof(node));
	return r ? r : pvr_store_watch(&dev->watch, node);
}

void pvr_xenbus_close(struct pvr_xenbus_dev *dev)
{
	pvr_store_unwatch(&dev->watch);
}

int pvr_xenbus_switch(struct pvr_xenbus_dev *dev, pvr_store_tx tx, enum xenbus_state state)
{
	int r = pvr_xenbus_write_u64(dev, tx, "state", state);

	if (!r)
		dev->state = state;
	return r;
}

enum xenbus_state pvr_xenbus_backend_state(struct pvr_xenbus_dev *dev)
{
	char path[PATH_MAX_];
	enum xenbus_state state;

	if (pvr_text_path(dev->backend, "state", path, sizeof(path)))
		return XenbusStateUnknown;
	read_state(path, &state);
	return state;
}

int pvr_xenbus_write(
	struct pvr_xenbus_dev *dev, pvr_store_tx tx, const char *name, const char *value)
{
	char path[PATH_MAX_];
	int r = pvr_text_path(dev->path, name, path, sizeof(path));

	return r ? r : pvr_store_write(tx, path, value);
}

int pvr_xenbus_write_u64(
	struct pvr_xenbus_dev *dev, pvr_store_tx tx, const char *name, uint64_t value)
{
	char path[PATH_MAX_];
	int r = pvr_text_path(dev->path, name, path, sizeof(path));

	return r ? r : pvr_store_write_u64(tx, path, value);
}

int pvr_xenbus_backend_read(struct pvr_xenbus_dev *dev, const char *name, char *value, size_t size)
{
	char path[PATH_MAX_];
	int r = pvr_text_path(dev->backend, name, path, sizeof(path));

	return r ? r : pvr_store_read(0, path, value, size);
}

uint64_t pvr_xenbus_backend_u64(struct pvr_xenbus_dev *dev, const char *name, uint64_t otherwise)
{
	char path[PATH_MAX_];
	uint64_t value;

	if (pvr_text_path(dev->backend, name, path, sizeof(path)) ||
		pvr_store_read_u64(0, path, &value))
		return otherwise;
	return value;
}
