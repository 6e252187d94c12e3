/* SPDX-License-Identifier: MIT */
/* Opens a disk that an NBD server serves, and asks the server what it can. */
#include <dlfcn.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "disk_open.h"
#include "nbd.h"
#include "nbd_calls.h"

#define CONNECT_SECONDS 5
#define REQUEST_MAX     (32u << 20) /* where the server names no maximum (NBD's doc/proto.md) */

/* Loaded once and never unloaded. By the control thread, which opens all disks. */
static const struct pvr_blkback_nbd_calls *load(char error[PVR_BLKBACK_LINE])
{
	static struct pvr_blkback_nbd_calls calls;
	static int loaded;
	void *library = loaded ? NULL : dlopen("libnbd.so.0", RTLD_NOW | RTLD_LOCAL);

	if (loaded)
		return &calls;
	if (!library) {
		pvr_blkback_refuse(
			error, 0, "nbd: %s; install libnbd (Debian: libnbd0)", dlerror());
		return NULL;
	}
#define CALL(name)                                                                                 \
	calls.name = (__typeof__(calls.name))dlsym(library, "nbd_" #name);                         \
	if (!calls.name) {                                                                         \
		pvr_blkback_refuse(error, 0, "nbd: %s; install a newer libnbd", dlerror());        \
		return NULL;                                                                       \
	}
	PVR_BLKBACK_NBD_CALLS(CALL)
#undef CALL
	loaded = 1;
	return &calls;
}

struct nbd_handle *pvr_blkback_nbd_connect(
	const struct pvr_blkback_nbd_calls *call, const char *uri)
{
	struct nbd_handle *handle = call->create();

	if (!handle)
		return NULL;
	/* TLS needs files and key material that this confined process has no business with. */
	if (call->set_uri_allow_transports(
		    handle, LIBNBD_ALLOW_TRANSPORT_TCP | LIBNBD_ALLOW_TRANSPORT_UNIX) ||
		call->set_uri_allow_tls(handle, LIBNBD_TLS_DISABLE) ||
		call->set_uri_allow_local_file(handle, 0) || call->aio_connect_uri(handle, uri)) {
		call->close(handle);
		return NULL;
	}
	return handle;
}

/* A server that does not answer must not keep the control thread for good. */
static int wait_ready(const struct pvr_blkback_nbd_calls *call, struct nbd_handle *handle)
{
	time_t end = time(NULL) + CONNECT_SECONDS;

	while (!call->aio_is_ready(handle)) {
		if (call->poll(handle, 1000) < 0)
			return -1;
		if (time(NULL) >= end && !call->aio_is_ready(handle))
			return 1;
	}
	return 0;
}

static int refuse_server(const struct pvr_blkback_spec *spec,
	const struct pvr_blkback_nbd_calls *call, int timeout, char error[PVR_BLKBACK_LINE])
{
	int code = timeout ? ETIMEDOUT : call->get_errno();

	return pvr_blkback_refuse(error, code ? -code : -EIO, "%s: %s; is the NBD server running?",
		spec->params, timeout ? "the server does not answer" : call->get_error());
}

static uint32_t block_size(const struct pvr_blkback_nbd_calls *call, struct nbd_handle *handle,
	int which, uint32_t def)
{
	int64_t size = call->get_block_size(handle, which);

	return size > 0 && size <= UINT32_MAX ? (uint32_t)size : def;
}

static int learn(const struct pvr_blkback_spec *spec, struct pvr_blkback_disk *disk,
	struct nbd_handle *handle, char error[PVR_BLKBACK_LINE])
{
	struct pvr_blkback_nbd *nbd = disk->nbd;
	const struct pvr_blkback_nbd_calls *call = nbd->call;
	uint32_t smallest = block_size(call, handle, LIBNBD_SIZE_MINIMUM, PVR_BLKBACK_SECTOR);
	int64_t bytes = call->get_size(handle);

	if (bytes < 0)
		return refuse_server(spec, call, 0, error);
	if (!disk->facts.readonly && call->is_read_only(handle))
		return pvr_blkback_refuse(error, -EROFS,
			"%s: the server serves it read-only; use mode r", spec->params);
	if (smallest > disk->facts.sector_size)
		disk->facts.sector_size = smallest;
	disk->physical_size = block_size(call, handle, LIBNBD_SIZE_PREFERRED, 0);
	nbd->max = block_size(call, handle, LIBNBD_SIZE_MAXIMUM, REQUEST_MAX);
	if (nbd->max < PVR_BLKBACK_SECTOR_MAX)
		return pvr_blkback_refuse(error, -EINVAL,
			"%s: the server takes %u bytes a request; at least 4096 are needed",
			spec->params, nbd->max);
	nbd->max -= nbd->max % PVR_BLKBACK_SECTOR_MAX;
	nbd->can_flush = call->can_flush(handle) > 0;
	nbd->can_fua = disk->facts.barrier = call->can_fua(handle) > 0;
	disk->facts.discard = call->can_trim(handle) > 0;
	disk->facts.discard_granularity = disk->physical_size;
	disk->single_worker = call->can_multi_conn(handle) <= 0;
	return pvr_blkback_disk_set_size(disk, spec, (uint64_t)bytes, error);
}

int pvr_blkback_disk_open_nbd(const struct pvr_blkback_spec *spec, struct pvr_blkback_disk *disk,
	char error[PVR_BLKBACK_LINE])
{
	struct pvr_blkback_nbd *nbd = disk->nbd = calloc(1, sizeof(*nbd));
	struct nbd_handle *handle;
	int result;

	if (nbd)
		nbd->uri = strdup(spec->params);
	if (!nbd || !nbd->uri)
		return pvr_blkback_refuse(error, -ENOMEM, "no memory");
	disk->kind = PVR_BLKBACK_NBD;
	nbd->call = load(error);
	if (!nbd->call)
		return -ENOENT;
	handle = pvr_blkback_nbd_connect(nbd->call, nbd->uri);
	if (!handle)
		return refuse_server(spec, nbd->call, 0, error);
	atomic_store_explicit(&nbd->first, handle, memory_order_relaxed);
	result = wait_ready(nbd->call, handle);
	if (result)
		return refuse_server(spec, nbd->call, result > 0, error);
	return learn(spec, disk, handle, error);
}

void pvr_blkback_nbd_close(struct pvr_blkback_nbd *nbd)
{
	struct nbd_handle *first;

	if (!nbd)
		return;
	first = atomic_load_explicit(&nbd->first, memory_order_relaxed);
	if (first)
		nbd->call->close(first);
	free(nbd->uri);
	free(nbd);
}
