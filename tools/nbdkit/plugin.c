/* SPDX-License-Identifier: MIT */
/*
 * nbdkit-pvring-plugin: any NBD client uses a pvring disk. nbdkit becomes the guest; requests of
 * all connections share one blkfront. Data is copied once, between the client's buffer and granted
 * pages.
 *
 *   pvring run --disk disk.img -- nbdkit -U - pvring --run 'nbdinfo "$uri"'
 */
#define NBDKIT_API_VERSION 2
#include <nbdkit-plugin.h>

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <pvring/blkfront.h>
#include <pvring/port.h>
#include <pvring/process.h>

#define THREAD_MODEL NBDKIT_THREAD_MODEL_PARALLEL

#define BUFFER_PAGES 64u /* 256 KiB: what most clients ask for at a time */
#define BUFFER_BYTES (BUFFER_PAGES * PVR_PAGE_SIZE)
#define BUFFERS      16u /* as many as nbdkit has threads by default */
#define OPEN_NS      10000000000ull
#define IDLE_NS      1000000000ull

static uint32_t devid = 202u << 8; /* xvda */
static struct pvr_blkfront *disk;
static pthread_t housekeeper;
static _Atomic int leaving;

/* A stack of buffers in the domain's own memory: only such pages can be granted. */
static struct {
	pthread_mutex_t lock;
	pthread_cond_t back;
	void *buffer[BUFFERS];
	unsigned count; /* on the stack */
	unsigned alive; /* and those in use */
} pool = {.lock = PTHREAD_MUTEX_INITIALIZER, .back = PTHREAD_COND_INITIALIZER};

/* NULL when none is left for good. */
static void *buffer_get(void)
{
	void *buffer;

	pthread_mutex_lock(&pool.lock);
	while (!pool.count && pool.alive)
		pthread_cond_wait(&pool.back, &pool.lock);
	buffer = pool.count ? pool.buffer[--pool.count] : NULL;
	pthread_mutex_unlock(&pool.lock);
	return buffer;
}

/* After -EBUSY the backend still has the pages: they are never used again. */
static void buffer_put(void *buffer, int rc)
{
	pthread_mutex_lock(&pool.lock);
	if (rc == -EBUSY)
		pool.alive--;
	else
		pool.buffer[pool.count++] = buffer;
	pthread_cond_broadcast(&pool.back);
	pthread_mutex_unlock(&pool.lock);
}

static int plugin_config(const char *key, const char *value)
{

	if (strcmp(key, "vdev")) {
		nbdkit_error("unknown parameter '%s': vdev=xvda is all there is", key);
		return -1;
	}
	if (strncmp(value, "xvd", 3) || value[3] < 'a' || value[3] > 'p' || value[4]) {
		nbdkit_error("vdev=%s: xvda to xvdp", value);
		return -1;
	}
	devid = 202u << 8 | (uint32_t)(value[3] - 'a') << 4;
	return 0;
}

/* Answers the backend when it wants the disk back while no client does I/O. Without a disk nbdkit ends. */
static void *housekeep(void *unused)
{
	int rc = 0;

	(void)unused;
	while (!atomic_load(&leaving) && rc != -ENODEV)
		rc = pvr_blkfront_serve(disk, pvr_port_now_ns() + IDLE_NS);
	if (rc == -ENODEV) {
		nbdkit_error("the disk is gone");
		nbdkit_shutdown();
	}
	return NULL;
}

/* After the fork: the process that is here now is the one that becomes the domain. */
static int plugin_after_fork(void)
{
	char path[32];
	int rc = pvr_process_attach(NULL, 0);

	if (rc) {
		nbdkit_error("cannot attach to the domain of $PVRING_DIR and $PVRING_DOMID: %s; "
			     "run nbdkit under "
			     "'pvring run --disk SPEC -- nbdkit ...'",
			strerror(-rc));
		return -1;
	}
	for (unsigned i = 0; i < BUFFERS; i++) {
		void *buffer = pvr_port_pages_alloc(BUFFER_PAGES);

		if (buffer)
			pool.buffer[pool.count++] = buffer;
	}
	pool.alive = pool.count;
	nbdkit_debug("pvring: device %u, %u buffers", devid, pool.count);
	snprintf(path, sizeof(path), "device/vbd/%u", devid);
	rc = pool.count ? pvr_blkfront_open(path, NULL, pvr_port_now_ns() + OPEN_NS, &disk)
			: -ENOMEM;
	if (rc) {
		nbdkit_error("%s: %s", path, strerror(-rc));
		pvr_process_detach();
		return -1;
	}
	rc = pthread_create(&housekeeper, NULL, housekeep, NULL);
	if (rc) {
		nbdkit_error("no thread: %s", strerror(rc));
		return -1;
	}
	return 0;
}

static void plugin_cleanup(void)
{
	if (!disk)
		return;
	atomic_store(&leaving, 1);
	pthread_join(housekeeper, NULL);
	pvr_blkfront_close(disk);
	pvr_process_detach();
	disk = NULL;
}

static void *plugin_open(int readonly)
{
	(void)readonly;
	return NBDKIT_HANDLE_NOT_NEEDED;
}

static int64_t plugin_get_size(void *handle)
{
	(void)handle;
	return (int64_t)(pvr_blkfront_info(disk)->sectors * 512);
}

static int plugin_block_size(
	void *handle, uint32_t *minimum, uint32_t *preferred, uint32_t *maximum)
{
	(void)handle;
	*minimum = pvr_blkfront_info(disk)->sector_size;
	*preferred = PVR_PAGE_SIZE;
	*maximum = UINT32_MAX;
	return 0;
}

static int plugin_can_write(void *handle)
{
	(void)handle;
	return !pvr_blkfront_info(disk)->readonly;
}

static int plugin_can_flush(void *handle)
{
	(void)handle;
	return !!pvr_blkfront_info(disk)->flush;
}

static int plugin_can_trim(void *handle)
{
	(void)handle;
	return pvr_blkfront_info(disk)->discard && plugin_can_write(handle);
}

/* One disk for everybody: what one connection flushed, all did. */
static int plugin_can_multi_conn(void *handle)
{
	(void)handle;
	return 1;
}

static int fail(const char *what, uint64_t offset, int rc)
{
	nbdkit_error("%s at byte %llu: %s", what, (unsigned long long)offset, strerror(-rc));
	nbdkit_set_error(rc == -EBUSY ? EIO : -rc);
	return -1;
}

static int aligned(const char *what, uint32_t count, uint64_t offset)
{
	uint32_t size = pvr_blkfront_info(disk)->sector_size;

	if (!(count % size) && !(offset % size))
		return 1;
	nbdkit_error("%s of %u bytes at byte %llu: the disk takes multiples of %u; put "
		     "--filter=blocksize before it",
		what, count, (unsigned long long)offset, size);
	nbdkit_set_error(EINVAL);
	return 0;
}

static int plugin_pread(void *handle, void *to, uint32_t count, uint64_t offset, uint32_t flags)
{
	uint8_t *out = to;
	void *buffer;
	int rc;

	(void)handle;
	(void)flags;
	if (!aligned("read", count, offset))
		return -1;
	buffer = buffer_get();
	rc = buffer ? 0 : -EIO;
	while (count && !rc) {
		uint32_t now = count < BUFFER_BYTES ? count : BUFFER_BYTES;

		rc = pvr_blkfront_read(disk, offset / 512, buffer, now);
		if (rc)
			break;
		memcpy(out, buffer, now);
		out += now;
		offset += now;
		count -= now;
	}
	if (buffer)
		buffer_put(buffer, rc);
	return rc ? fail("read", offset, rc) : 0;
}

static int plugin_flush(void *handle, uint32_t flags)
{
	int rc = pvr_blkfront_flush(disk);

	(void)handle;
	(void)flags;
	return rc ? fail("flush", 0, rc) : 0;
}

static int plugin_pwrite(
	void *handle, const void *from, uint32_t count, uint64_t offset, uint32_t flags)
{
	const uint8_t *in = from;
	void *buffer;
	int rc;

	if (!aligned("write", count, offset))
		return -1;
	buffer = buffer_get();
	rc = buffer ? 0 : -EIO;
	while (count && !rc) {
		uint32_t now = count < BUFFER_BYTES ? count : BUFFER_BYTES;

		memcpy(buffer, in, now);
		rc = pvr_blkfront_write(disk, offset / 512, buffer, now);
		if (rc)
			break;
		in += now;
		offset += now;
		count -= now;
	}
	if (buffer)
		buffer_put(buffer, rc);
	if (rc)
		return fail("write", offset, rc);
	return flags & NBDKIT_FLAG_FUA ? plugin_flush(handle, 0) : 0;
}

static int plugin_trim(void *handle, uint32_t count, uint64_t offset, uint32_t flags)
{
	int rc;

	if (!aligned("trim", count, offset))
		return -1;
	rc = pvr_blkfront_discard(disk, offset / 512, count / 512, 0);
	if (rc)
		return fail("trim", offset, rc);
	return flags & NBDKIT_FLAG_FUA ? plugin_flush(handle, 0) : 0;
}

/* The blocking calls have no barrier: what is to be durable is flushed. */
static int plugin_can_fua(void *handle)
{
	return plugin_can_flush(handle) ? NBDKIT_FUA_NATIVE : NBDKIT_FUA_NONE;
}

static struct nbdkit_plugin plugin = {
	.name = "pvring",
	.longname = "pvring disk",
	.description = "The disk of a pvring domain, through its block frontend",
	.magic_config_key = "vdev",
	.config = plugin_config,
	.config_help = "vdev=xvda   The disk of the domain, xvda to xvdp (default: xvda).",
	.after_fork = plugin_after_fork,
	.cleanup = plugin_cleanup,
	.open = plugin_open,
	.get_size = plugin_get_size,
	.block_size = plugin_block_size,
	.can_write = plugin_can_write,
	.can_flush = plugin_can_flush,
	.can_fua = plugin_can_fua,
	.can_trim = plugin_can_trim,
	.can_multi_conn = plugin_can_multi_conn,
	.pread = plugin_pread,
	.pwrite = plugin_pwrite,
	.flush = plugin_flush,
	.trim = plugin_trim,
	.errno_is_preserved = 0,
};

NBDKIT_REGISTER_PLUGIN(plugin)
