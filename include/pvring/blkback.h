/* SPDX-License-Identifier: MIT */
/*
 * The block backend: serves every disk under backend/vbd of its xenstore, in one process. The control thread
 * watches xenstore and runs the handshakes; each ring belongs to one worker thread, which owns one I/O engine
 * instance and one host handle; the rings of a disk are spread over the workers. No locks on the data path.
 *
 * A disk is described by nodes of its backend directory that the toolstack writes:
 *   params   what to serve: an absolute path (type file), a URI (nbd), or a size in bytes (mem, null)
 *   type     "file" (also "phy", libxl's, whose params may be an NBD URI too), "nbd", "mem", "null"
 *   mode     "w" or "r"
 *   direct   "1": O_DIRECT (ours)
 *   fixed    "0": with direct, the guest's memory is not registered with io_uring (ours)
 *   engine   "uring", "aio" or "sync" (ours; missing: the first of them that the system allows)
 *   sector   "512" or "4096": the sector size told to the frontend (ours); discard-enable "0" (libxl's)
 *   queues   rings the frontend may have, 1 to 16 (ours; missing: one a worker)
 *   iops, bps   requests and bytes a second that all of its rings let through (ours; missing or 0: no limit)
 *   resize   written at any time: the image has another length now; the node is removed when it was looked at (ours)
 *   frontend, frontend-id, online, state, device-type   as libxl writes them
 * and this backend answers with max-ring-page-order, multi-queue-max-queues and hotplug-status ("connected" or
 * "error", then with hotplug-error, one line for the operator) before the frontend offers its rings, and with
 * sectors, sector-size, physical-sector-size, info and the features (blkback/features.c) when it is connected.
 */
#ifndef PVR_BLKBACK_H
#define PVR_BLKBACK_H

#include <stdatomic.h>
#include <stdint.h>

#include <pvring/backend.h>

/*
 * Serve until SIGTERM or SIGINT, or until the hypervisor is gone. Confines itself with seccomp once set up.
 * Returns 0 or a negative errno, having written one line that says what and where to stderr.
 */
int pvr_blkback_run(const struct pvr_back_config *config);

/*
 * Counters of one disk, in a file `vbd-<domid>-<devid>` below "stats" of the directory, which the backend maps
 * and anybody may read at any time (`pvring stats`). The rings of the disk add to them once a turn, before the
 * answers are published: each is exact, but they are not one snapshot.
 */
#define PVR_BLKBACK_STATS_MAGIC   0x33747376u /* "vst3" */
#define PVR_BLKBACK_STATS_BUCKETS 64u

struct pvr_blkback_stats {
	uint32_t magic;
	uint32_t size; /* of this structure */
	uint32_t domid, devid;
	_Atomic uint64_t reads, writes, flushes, others; /* requests */
	_Atomic uint64_t sectors_read, sectors_written;  /* of 512 bytes */
	_Atomic uint64_t errors;         /* answered with an error */
	_Atomic uint64_t invalid;        /* of these: refused before any I/O */
	_Atomic uint64_t inflight;
	_Atomic uint64_t grants_mapped;  /* pages mapped, in all */
	_Atomic uint64_t events_in;      /* wake-ups by the frontend */
	_Atomic uint64_t events_out;     /* notifications sent */
	_Atomic uint64_t polls_hit, polls_missed; /* spins before sleep that found work, and that did not */
	_Atomic uint64_t submits;        /* engine submissions (batches) */
	_Atomic uint64_t inlined;        /* I/Os done at once, without a submission */
	_Atomic uint64_t fixed;          /* I/Os in memory that is registered with the kernel */
	_Atomic uint64_t indirect;       /* of the reads and writes: with segments in a page of their own */
	_Atomic uint64_t barriers;       /* of the flushes */
	_Atomic uint64_t discards;       /* requests */
	_Atomic uint64_t merges;         /* segments that continued the one before them */
	_Atomic uint64_t grants_reused;  /* pages that were still mapped from an earlier request */
	_Atomic uint64_t limited;        /* times a limit kept requests waiting */
	/* Latency from taking a request to answering it: bucket i counts [2^(i/2)) ns steps, see blkback/stats.c. */
	_Atomic uint64_t latency[PVR_BLKBACK_STATS_BUCKETS];
};

/* The bucket for a latency, and the upper bound of a bucket, in ns; two buckets an octave. */
unsigned pvr_blkback_stats_bucket(uint64_t ns);
uint64_t pvr_blkback_stats_bound(unsigned bucket);

#endif
