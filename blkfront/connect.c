/* SPDX-License-Identifier: MIT */
/*
 * The handshake of a disk: to Connected, and back to Closed. Nodes and states: Xen's public
 * io/blkif.h.
 */
#include "internal.h"
#include "../rings/text.h"

#include <errno.h>

/* Transactions lose against other writers now and then, but not for ever. */
#define TX_TRIES 16

#define DISK_PAGES ((unsigned)((sizeof(struct pvr_blkfront) + PVR_PAGE_SIZE - 1) / PVR_PAGE_SIZE))

/* Sectors of 512 bytes whose number of bytes still fits 64 bits. */
#define SECTORS_MAX (UINT64_MAX / 512)

static uint32_t fired(struct pvr_blkfront *disk)
{
	return atomic_load_explicit(&disk->bus.watch.fired, memory_order_acquire);
}

/* Set our state unless it is that already. */
static int become(struct pvr_blkfront *disk, enum xenbus_state state)
{
	return disk->bus.state == state ? 0 : pvr_xenbus_switch(&disk->bus, 0, state);
}

/*
 * Until the backend is in InitWait. One that is still in the middle of something, left there by an
 * earlier owner of the device, lets go of it when it sees Closed, and comes to InitWait when it
 * then sees Initialising.
 */
static int await_backend_ready(struct pvr_blkfront *disk, uint64_t deadline_ns)
{
	for (;;) {
		uint32_t seen = fired(disk);
		enum xenbus_state back = pvr_xenbus_backend_state(&disk->bus);
		int r;

		switch (back) {
		case XenbusStateInitialised:
		case XenbusStateConnected:
		case XenbusStateClosing:
		case XenbusStateReconfiguring:
		case XenbusStateReconfigured:
			r = become(disk, XenbusStateClosed);
			break;
		default:
			r = become(disk, XenbusStateInitialising);
			break;
		}
		if (r || back == XenbusStateInitWait)
			return r;
		r = pvr_store_wait(&disk->bus.watch, seen, deadline_ns);
		if (r)
			return r;
	}
}

static int write_offer(struct pvr_blkfront *disk, pvr_store_tx tx)
{
	const struct pvr_blkfront_queue *queue = &disk->queue[0];
	int r = pvr_xenbus_write_u64(&disk->bus, tx, "ring-ref", queue->page_grants[0]);

	if (!r)
		r = pvr_xenbus_write_u64(&disk->bus, tx, "event-channel", queue->port);
	if (!r)
		r = pvr_xenbus_write(&disk->bus, tx, "protocol", XEN_IO_PROTO_ABI_NATIVE);
	return r;
}

/* All nodes or none become visible, then our state says that they are there. */
static int offer(struct pvr_blkfront *disk)
{
	int r = -EAGAIN;

	for (int i = 0; i < TX_TRIES && r == -EAGAIN; i++) {
		pvr_store_tx tx;

		r = pvr_store_tx_start(&tx);
		if (r)
			return r;
		r = write_offer(disk, tx);
		if (r)
			pvr_store_tx_end(tx, 0);
		else
			r = pvr_store_tx_end(tx, 1);
	}
	return r ? r : pvr_xenbus_switch(&disk->bus, 0, XenbusStateInitialised);
}

static int await_connected(struct pvr_blkfront *disk, uint64_t deadline_ns)
{
	for (;;) {
		uint32_t seen = fired(disk);
		enum xenbus_state back = pvr_xenbus_backend_state(&disk->bus);
		int r;

		disk->watch_seen = seen;
		switch (pvr_xenbus_front_next(disk->bus.state, back)) {
		case PVR_XENBUS_GO:
			return 0;
		case PVR_XENBUS_CLOSE:
		case PVR_XENBUS_RESTART:
			return -ENODEV;
		default:
			break;
		}
		r = pvr_store_wait(&disk->bus.watch, seen, deadline_ns);
		if (r)
			return r;
	}
}

static int senseless(struct pvr_blkfront *disk, const char *name, const char *value)
{
	char line[192];
	struct pvr_text text;

	pvr_text_init(&text, line, sizeof(line));
	pvr_text_add_foreign(&text, disk->bus.backend);
	pvr_text_add(&text, "/");
	pvr_text_add(&text, name);
	pvr_text_add(&text, " makes no sense: '");
	pvr_text_add_foreign(&text, value);
	pvr_text_add(&text, "'");
	pvr_port_log(line);
	return -EPROTO;
}

/*
 * A number the backend publishes, within bounds and, when `units` is given, a multiple of it (a
 * power of two).
 */
struct fact {
	const char *name;
	uint64_t least, most;
	uint64_t units;
	int power_of_two;
	int required;
};

static int read_fact(
	struct pvr_blkfront *disk, const struct fact *fact, uint64_t otherwise, uint64_t *number)
{
	char text[PVR_U64_TEXT] = "";
	int r = pvr_xenbus_backend_read(&disk->bus, fact->name, text, sizeof(text));

	if (r == -ENOENT && !fact->required) {
		*number = otherwise;
		return 0;
	}
	if (r == -ENOENT || r == -E2BIG)
		return senseless(disk, fact->name, r == -ENOENT ? "(missing)" : "(too long)");
	if (r < 0)
		return r;
	if (pvr_text_parse_u64(text, number) || *number < fact->least || *number > fact->most ||
		(fact->units && *number & (fact->units - 1)) ||
		(fact->power_of_two && *number & (*number - 1)))
		return senseless(disk, fact->name, text);
	return 0;
}

static int read_facts(struct pvr_blkfront *disk)
{
	const struct fact sector_size = {"sector-size", 512, PVR_PAGE_SIZE, 0, 1, 0};
	struct fact sectors = {"sectors", 0, SECTORS_MAX, 1, 0, 1};
	struct fact physical = {"physical-sector-size", 512, 1u << 31, 0, 1, 0};
	const struct fact bits = {"info", 0, UINT32_MAX, 0, 0, 0};
	const struct fact flush = {"feature-flush-cache", 0, UINT32_MAX, 0, 0, 0};
	uint64_t number;
	int r = read_fact(disk, &sector_size, 512, &number);

	if (r)
		return r;
	disk->info.sector_size = (uint32_t)number;
	sectors.units = blkfront_sector_units(disk);
	r = read_fact(disk, &sectors, 0, &disk->info.sectors);
	if (r)
		return r;
	physical.least = disk->info.sector_size;
	r = read_fact(disk, &physical, disk->info.sector_size, &number);
	if (r)
		return r;
	disk->info.physical_sector_size = (uint32_t)number;
	r = read_fact(disk, &bits, 0, &number);
	if (r)
		return r;
	disk->info.readonly = (number & VDISK_READONLY) != 0;
	r = read_fact(disk, &flush, 0, &number);
	disk->info.flush = number != 0;
	return r;
}

/* Our own node says which device this is; requests repeat it. Not every toolstack writes it. */
static blkif_vdev_t read_handle(struct pvr_blkfront *disk)
{
	char path[96];
	uint64_t number;

	if (pvr_text_path(disk->bus.path, "virtual-device", path, sizeof(path)) ||
		pvr_store_read_u64(0, path, &number))
		return 0;
	return (blkif_vdev_t)number;
}

static int connect(struct pvr_blkfront *disk, uint64_t deadline_ns)
{
	int r = await_backend_ready(disk, deadline_ns);

	if (r)
		return r;
	disk->handle = read_handle(disk);
	r = blkfront_queue_make(disk, &disk->queue[0]);
	if (r)
		return r;
	r = offer(disk);
	if (!r)
		r = await_connected(disk, deadline_ns);
	if (!r)
		r = read_facts(disk);
	if (!r)
		r = pvr_xenbus_switch(&disk->bus, 0, XenbusStateConnected);
	return r;
}

/* Sleep until the backend has seen that we are closing, or closed, or is no more. */
static void await_backend_past(
	struct pvr_blkfront *disk, enum xenbus_state ours, uint64_t deadline_ns)
{
	if (pvr_xenbus_switch(&disk->bus, 0, ours))
		return;
	for (;;) {
		uint32_t seen = fired(disk);
		enum xenbus_state back = pvr_xenbus_backend_state(&disk->bus);

		if (back == XenbusStateClosed || back == XenbusStateUnknown ||
			back == XenbusStateInitialising || back == XenbusStateInitWait ||
			back == ours)
			return;
		if (pvr_store_wait(&disk->bus.watch, seen, deadline_ns))
			return;
	}
}

static void disconnect(struct pvr_blkfront *disk, uint64_t deadline_ns)
{
	/*
	 * Closed already when the backend went first; what stands there now may be its successor.
	 */
	if (disk->bus.state != XenbusStateClosed) {
		await_backend_past(disk, XenbusStateClosing, deadline_ns);
		await_backend_past(disk, XenbusStateClosed, deadline_ns);
	}
	blkfront_queue_free(disk, &disk->queue[0], pvr_port_now_ns() + BLKFRONT_PATIENCE_NS);
	pvr_xenbus_close(&disk->bus);
	pvr_port_pages_free(disk, DISK_PAGES);
}

int pvr_blkfront_open(const char *path, const struct pvr_blkfront_options *options,
	uint64_t deadline_ns, struct pvr_blkfront **disk)
{
	struct pvr_blkfront *made = pvr_port_pages_alloc(DISK_PAGES);
	int r;

	(void)options; /* no backend offers more than one ring, of one page, yet */
	if (!made)
		return -ENOMEM;
	made->info.ring_order = 0;
	made->info.queues = 1;
	made->info.entries = blkif_entries(PVR_PAGE_SIZE << made->info.ring_order);
	made->info.max_segments = BLKIF_MAX_SEGMENTS_PER_REQUEST;
	r = pvr_xenbus_open(&made->bus, path);
	if (r) {
		pvr_port_pages_free(made, DISK_PAGES);
		return r;
	}
	r = connect(made, deadline_ns);
	if (r) {
		disconnect(made, pvr_port_now_ns() + BLKFRONT_PATIENCE_NS);
		return r;
	}
	*disk = made;
	return 0;
}

void pvr_blkfront_close(struct pvr_blkfront *disk)
{
	uint64_t deadline = pvr_port_now_ns() + BLKFRONT_CLOSE_NS;

	pvr_blkfront_kick(&disk->queue[0]);
	while (disk->queue[0].inflight && pvr_port_now_ns() < deadline)
		if (pvr_blkfront_poll(&disk->queue[0]) == 0)
			pvr_blkfront_wait(&disk->queue[0], deadline);
	if (disk->life != BLKFRONT_DEAD)
		blkfront_kill(disk, -ENODEV);
	disconnect(disk, pvr_port_now_ns() + BLKFRONT_CLOSE_NS);
}

const struct pvr_blkfront_info *pvr_blkfront_info(const struct pvr_blkfront *disk)
{
	return &disk->info;
}

void pvr_blkfront_stats(const struct pvr_blkfront *disk, struct pvr_blkfront_stats *stats)
{
	*stats = disk->stats;
}

struct pvr_blkfront_queue *pvr_blkfront_queue(struct pvr_blkfront *disk, unsigned index)
{
	return index < disk->info.queues ? &disk->queue[index] : NULL;
}
