/* SPDX-License-Identifier: MIT */
/* What `pvring bench blk` shares with the ways of doing I/O that it compares. */
#ifndef PVR_BLK_BENCH_H
#define PVR_BLK_BENCH_H

#include <stdint.h>

#include "../tools/tools.h"

struct pvr_blkfront;

/* What to do: the same for everybody. */
struct blk_job {
	uint64_t span;   /* bytes of the disk or file that are used */
	uint64_t ns;     /* how long */
	uint64_t think;  /* ns between an answer and the next request, spinning */
	uint32_t size;   /* bytes a request */
	uint32_t depth;  /* requests in flight */
	int write, sequential;
};

/* What came of it. */
struct blk_result {
	uint64_t requests, ns;
	uint64_t notifies, events; /* notifications both ways; pvring only */
	struct hist latency;       /* ns */
	int error;                 /* negative errno of the first that failed */
};

/* Where the next request goes: a multiple of job->size. */
struct blk_cursor {
	uint64_t state, at;
};
uint64_t blk_next(struct blk_cursor *cursor, const struct blk_job *job);

void blk_run_pvring(struct pvr_blkfront *disk, const struct blk_job *job, struct blk_result *result);
void blk_run_psync(const char *path, const struct blk_job *job, struct blk_result *result);
void blk_run_uring(const char *path, const struct blk_job *job, struct blk_result *result);

#endif
