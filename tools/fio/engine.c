/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * An external engine for fio: jobs do I/O on the disks of a pvring domain, through its block frontend.
 *
 *   pvring run --disk disk.img -- fio --ioengine=external:build/fio-pvring.so --rw=randread --name=job
 *
 * Buffers are pages of the domain, granted while a request is in flight: no copy. Each running job owns one
 * queue of its disk. What fio queues is published by its commit, with at most one event a batch. An
 * io_u larger than a request of the ring, or more of them than the ring has slots, wait in `unsent`.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <fio.h>
#include <optgroup.h>

#include <pvring/port.h>

#include "disk.h"

struct options {
	void *pad; /* fio takes an option at offset 0 for none */
	char *vdev;
	unsigned int queues, ring_order, segments, persistent, untrusting;
};

struct job {
	struct disk *disk;
	struct pvr_blkfront_queue *queue;
	struct io *unsent, **unsent_tail;
	/* io_us that ended; fio asks for the first `shown` of them by number, until its next getevents. */
	struct io_u **ended;
	unsigned ended_count, shown;
	unsigned pages; /* of the buffers */
	int lost;       /* the backend keeps some of them mapped */
};

/* One io_u: the requests it becomes, as many as the largest and worst aligned one can need. */
struct io {
	struct job *job;
	struct io_u *io_u;
	struct io *next; /* in job->unsent */
	unsigned count, sent, answered;
	int error;
	struct pvr_blk_segment *segments;
	struct pvr_blk_request requests[];
};

static void answer(struct pvr_blk_request *request, int error)
{
	struct io *io = request->user;
	struct job *job = io->job;

	if (error == -EBUSY)
		job->lost = 1;
	if (error && !io->error)
		io->error = error;
	if (++io->answered < io->count)
		return;
	/* -EBUSY would make fio try again, with pages that must not be used again. */
	io->io_u->error = (unsigned)(io->error == -EBUSY ? EIO : -io->error);
	job->ended[job->ended_count++] = io->io_u;
}

/* Put as much of what waits into the ring as it takes; fio's order is kept. */
static void send_unsent(struct job *job)
{
	struct io *io;

	while ((io = job->unsent)) {
		while (io->sent < io->count) {
			struct pvr_blk_request *request = &io->requests[io->sent];

			/* Counted before: a request that fails at once is answered from within. */
			io->sent++;
			if (!pvr_blkfront_submit(job->queue, &request, 1)) {
				io->sent--;
				return;
			}
		}
		job->unsent = io->next;
		if (!job->unsent)
			job->unsent_tail = &job->unsent;
	}
}

/* Cut the buffer at its page ends, and into requests of what the disk takes at once. */
static void fill_data(struct io *io, uint8_t op)
{
	const struct pvr_blkfront_info *info = disk_info(io->job->disk);
	const struct io_u *io_u = io->io_u;
	char *at = io_u->xfer_buf, *end = at + io_u->xfer_buflen;
	struct pvr_blk_segment *segment = io->segments;
	uint64_t sector = io_u->offset / 512;
	/* A buffer that begins within a page needs a segment more; the cut stays a multiple of every sector size. */
	unsigned most = info->max_segments - !!((uintptr_t)at % PVR_PAGE_SIZE);

	for (io->count = 0; at < end; io->count++) {
		struct pvr_blk_request *request = &io->requests[io->count];
		char *stop = (size_t)(end - at) > (size_t)most * PVR_PAGE_SIZE
				     ? at + most * PVR_PAGE_SIZE
				     : end;

		*request = (struct pvr_blk_request){.op = op,
			.sector = sector,
			.segments = segment,
			.done = answer,
			.user = io};
		sector += (uint64_t)(stop - at) / 512;
		while (at < stop) {
			size_t room = PVR_PAGE_SIZE - (uintptr_t)at % PVR_PAGE_SIZE;
			size_t length = room < (size_t)(stop - at) ? room : (size_t)(stop - at);

			*segment++ = (struct pvr_blk_segment){at, (uint32_t)length};
			request->segments_count++;
			at += length;
		}
	}
}

static enum fio_q_status engine_queue(struct thread_data *td, struct io_u *io_u)
{
	struct job *job = td->io_ops_data;
	struct io *io = io_u->engine_data;

	io->sent = io->answered = 0;
	io->error = 0;
	io->next = NULL;
	io->count = 1;
	io->requests[0] = (struct pvr_blk_request){.done = answer, .user = io};
	if (io_u->ddir == DDIR_READ) {
		fill_data(io, BLKIF_OP_READ);
	} else if (io_u->ddir == DDIR_WRITE) {
		fill_data(io, BLKIF_OP_WRITE);
	} else if (io_u->ddir == DDIR_TRIM) {
		io->requests[0].op = BLKIF_OP_DISCARD;
		io->requests[0].sector = io_u->offset / 512;
		io->requests[0].discard_sectors = io_u->xfer_buflen / 512;
	} else if (io_u->ddir == DDIR_SYNC || io_u->ddir == DDIR_DATASYNC) {
		io->requests[0].op = BLKIF_OP_FLUSH_DISKCACHE;
	} else {
		io_u->error = EINVAL;
		return FIO_Q_COMPLETED;
	}
	*job->unsent_tail = io;
	job->unsent_tail = &io->next;
	send_unsent(job);
	return FIO_Q_QUEUED;
}

static int engine_commit(struct thread_data *td)
{
	struct job *job = td->io_ops_data;

	pvr_blkfront_kick(job->queue);
	return 0;
}

/* Take answers, and give the ring what waited for their slots. */
static int take(struct job *job)
{
	int rc = pvr_blkfront_poll(job->queue);

	if (job->unsent) {
		send_unsent(job);
		pvr_blkfront_kick(job->queue);
	}
	return rc;
}

static int engine_getevents(
	struct thread_data *td, unsigned int min, unsigned int max, const struct timespec *t)
{
	struct job *job = td->io_ops_data;
	uint64_t deadline =
		t ? pvr_port_now_ns() + (uint64_t)t->tv_sec * 1000000000u + (uint64_t)t->tv_nsec
		  : UINT64_MAX;

	job->ended_count -= job->shown;
	memmove(job->ended, job->ended + job->shown, job->ended_count * sizeof(*job->ended));
	job->shown = 0;
	for (;;) {
		int rc = take(job);

		if (job->ended_count >= min)
			break;
		if (rc < 0)
			return rc;
		if (rc == 0 && pvr_blkfront_wait(job->queue, deadline) == -ETIMEDOUT && t)
			break;
	}
	job->shown = job->ended_count < max ? job->ended_count : max;
	return (int)job->shown;
}

static struct io_u *engine_event(struct thread_data *td, int event)
{
	struct job *job = td->io_ops_data;

	return job->ended[event];
}

static int complain(struct thread_data *td, int error, const char *why)
{
	log_err("fio: pvring: %s\n", why);
	td_verror(td, error, "pvring");
	return 1;
}

/* What this job would do and the disk cannot, said before it begins. */
static int check_job(struct thread_data *td, const struct disk *disk)
{
	const struct pvr_blkfront_info *info = disk_info(disk);
	char why[160];

	snprintf(why, sizeof(why), "%s is read-only", disk_name(disk));
	if (info->readonly && (td_write(td) || td_trim(td)))
		return complain(td, EROFS, why);
	snprintf(why, sizeof(why), "%s cannot discard", disk_name(disk));
	if (!info->discard && td_trim(td))
		return complain(td, EOPNOTSUPP, why);
	snprintf(why, sizeof(why),
		"block sizes must be multiples of the sector size of %s, %u bytes", disk_name(disk),
		info->sector_size);
	for (int ddir = DDIR_READ; ddir <= DDIR_TRIM; ddir++)
		if ((td->o.td_ddir & (1 << ddir)) && td->o.min_bs[ddir] % info->sector_size)
			return complain(td, EINVAL, why);
	return 0;
}

/* In fio's main thread, before any job runs: the disk must be there for its size to be known. */
static int engine_setup(struct thread_data *td)
{
	const struct options *o = td->eo;
	struct pvr_blkfront_options wanted = {
		.queues = o->queues ? o->queues : td->o.numjobs,
		.ring_order = o->ring_order,
		.max_segments = o->segments,
		.persistent = o->persistent,
		.untrusting = o->untrusting,
	};
	struct job *job;
	char why[256];
	int rc;

	/* Jobs that are processes would each have to be a domain; none has been forked yet. */
	td->o.use_thread = 1;
	job = calloc(1, sizeof(*job));
	if (!job)
		return complain(td, ENOMEM, "no memory");
	job->unsent_tail = &job->unsent;
	td->io_ops_data = job;
	if (o->segments && o->segments < BLKIF_MAX_SEGMENTS_PER_REQUEST)
		return complain(td, EINVAL, "segments is 11 to 256: every disk takes 11");
	rc = disk_get(o->vdev, &wanted, &job->disk, why, sizeof(why));
	if (rc)
		return complain(td, -rc, why);
	if (!td->files_index) {
		add_file(td, disk_name(job->disk), 0, 0);
		td->o.nr_files = 1;
		td->o.open_files++;
	}
	if (td->o.nr_files != 1)
		return complain(
			td, EINVAL, "one disk a job: vdev= names it, filename= is not needed");
	td->files[0]->real_file_size = disk_info(job->disk)->sectors * 512;
	return check_job(td, job->disk);
}

static int engine_init(struct thread_data *td)
{
	struct job *job = td->io_ops_data;
	char why[160];

	job->queue = disk_queue_claim(job->disk);
	snprintf(why, sizeof(why),
		"%s has %u queue(s), and each job that runs needs its own: see queues=, or run fewer "
		"jobs at a time",
		disk_name(job->disk), disk_info(job->disk)->queues);
	if (!job->queue)
		return complain(td, EBUSY, why);
	job->ended = calloc(td->o.iodepth, sizeof(*job->ended));
	return job->ended ? 0 : complain(td, ENOMEM, "no memory");
}

static int engine_io_u_init(struct thread_data *td, struct io_u *io_u)
{
	struct job *job = td->io_ops_data;
	size_t segments = td_max_bs(td) / PVR_PAGE_SIZE + 2;
	size_t requests = segments / (BLKIF_MAX_SEGMENTS_PER_REQUEST - 1) + 1;
	struct io *io = calloc(1, sizeof(*io) + requests * sizeof(io->requests[0]));

	io_u->engine_data = io;
	if (!io)
		return ENOMEM;
	io->segments = calloc(segments, sizeof(*io->segments));
	if (!io->segments)
		return ENOMEM;
	io->job = job;
	io->io_u = io_u;
	return 0;
}

static void engine_io_u_free(struct thread_data *td, struct io_u *io_u)
{
	struct io *io = io_u->engine_data;

	(void)td;
	if (io)
		free(io->segments);
	free(io);
	io_u->engine_data = NULL;
}

static int engine_iomem_alloc(struct thread_data *td, size_t bytes)
{
	struct job *job = td->io_ops_data;
	char why[160];

	job->pages = (unsigned)((bytes + PVR_PAGE_SIZE - 1) / PVR_PAGE_SIZE);
	td->orig_buffer = pvr_port_pages_alloc(job->pages);
	snprintf(why, sizeof(why),
		"the domain lacks %zu KiB for buffers: give it more with pvring run --memory",
		bytes >> 10);
	return td->orig_buffer ? 0 : complain(td, ENOMEM, why);
}

/* Nothing may be in flight when the pages go, whatever made fio stop. */
static void engine_iomem_free(struct thread_data *td)
{
	struct job *job = td->io_ops_data;

	while (pvr_blkfront_inflight(job->queue) && take(job) >= 0)
		if (pvr_blkfront_inflight(job->queue))
			pvr_blkfront_wait(job->queue, UINT64_MAX);
	if (td->orig_buffer && !job->lost)
		pvr_port_pages_free(td->orig_buffer, job->pages);
	td->orig_buffer = NULL;
}

static void engine_cleanup(struct thread_data *td)
{
	struct job *job = td->io_ops_data;

	if (!job)
		return;
	if (job->queue)
		disk_queue_release(job->disk, job->queue);
	free(job->ended);
	free(job);
	td->io_ops_data = NULL;
}

/* The disk is open from setup on; fio's files are a name for it. */
static int engine_file(struct thread_data *td, struct fio_file *file)
{
	(void)td;
	(void)file;
	return 0;
}

#define OPTION(NAME, FIELD, TYPE, ...)                                                             \
	{                                                                                          \
		.name = NAME, .lname = NAME, .type = TYPE,                                         \
		.off1 = offsetof(struct options, FIELD), .category = FIO_OPT_C_ENGINE,             \
		.group = FIO_OPT_G_INVALID, __VA_ARGS__                                            \
	}

static struct fio_option options[] = {
	OPTION("vdev", vdev, FIO_OPT_STR_STORE,
		.help = "The disk: xvda to xvdz (default: the domain's first)"),
	OPTION("queues", queues, FIO_OPT_INT, .maxval = 64, .def = "0",
		.help = "Queues of the disk; each running job takes one (default: numjobs)"),
	OPTION("ring_order", ring_order, FIO_OPT_INT, .maxval = 4, .def = "0",
		.help = "A ring has 2^N pages"),
	OPTION("segments", segments, FIO_OPT_INT, .maxval = 256, .def = "0",
		.help = "Segments of a request; up to 11 are direct, 0 is the frontend's default"),
	OPTION("persistent", persistent, FIO_OPT_BOOL, .def = "0",
		.help = "Persistent grants: data is copied to pages that stay mapped"),
	OPTION("untrusting", untrusting, FIO_OPT_BOOL, .def = "0",
		.help = "The backend sees pages of the frontend only (trusted=0)"),
	{.name = NULL},
};

struct ioengine_ops ioengine = {
	.name = "pvring",
	.version = FIO_IOOPS_VERSION,
	.flags = FIO_DISKLESSIO | FIO_NOEXTEND | FIO_NODISKUTIL,
	.setup = engine_setup,
	.init = engine_init,
	.queue = engine_queue,
	.commit = engine_commit,
	.getevents = engine_getevents,
	.event = engine_event,
	.cleanup = engine_cleanup,
	.open_file = engine_file,
	.close_file = engine_file,
	.invalidate = engine_file,
	.iomem_alloc = engine_iomem_alloc,
	.iomem_free = engine_iomem_free,
	.io_u_init = engine_io_u_init,
	.io_u_free = engine_io_u_free,
	.option_struct_size = sizeof(struct options),
	.options = options,
};

/* fio says only "bad ioops version" when it is not the one that this was built against. */
static void __attribute__((constructor)) check_version(void)
{
	if (strcmp(fio_version_string, PVR_FIO_VERSION))
		log_err("fio: this pvring engine was built for %s, and this is %s: build it again "
			"with "
			"'make fio-engine'\n",
			PVR_FIO_VERSION, fio_version_string);
}
