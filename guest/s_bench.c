/* SPDX-License-Identifier: MIT */
/*
 * `bench=timer`, `bench=mmu`, `bench=trap`, `bench=boot`: lines `bench: WHAT name=number ...`, for who runs the kernel
 * to read.
 */
#include <pvring/blkfront.h>
#include <pvring/xen/sched.h>
#include <pvring/xen/version.h>

#include "guest/hot.h"
#include "guest/kernel.h"
#include "guest/measure.h"
#include "guest/paging.h"
#include "ports/x86/x86.h"

#define SLEEPS    200u
#define UPDATES   4096u
#define BATCH_MAX 512u
#define DISK      "device/vbd/51712"
#define PATIENCE  (10 * S)

/* ---- how late the timer wakes ---- */

static int bench_timer(void)
{
	static const uint32_t lengths[] = {
		100000, 200000, 500000, 1000000, 2000000, 3000000, 5000000, 10000000};
	struct wake_errors e;

	measure_wakes(SLEEPS, lengths, sizeof(lengths) / sizeof(lengths[0]), &e);
	say("bench: timer count=%u p50_ns=%u p99_ns=%u", e.count, e.p50, e.p99);
	return 0;
}

/* ---- page-table updates a second ---- */

/* All updates of the range, in turn to one and to the other: how many a second, 0: refused. */
static uint64_t updates_a_second(struct mmu_update updates[2][BATCH_MAX], unsigned batch)
{
	uint64_t start = pvr_port_now_ns();

	for (unsigned done = 0; done < UPDATES; done += batch) {
		if (hot.write(&updates[done / BATCH_MAX % 2][done % BATCH_MAX], batch))
			return 0;
		hot.flush(0);
	}
	return divide((uint64_t)UPDATES * S, pvr_port_now_ns() - start);
}

/* The same, each by the operation that names an address and needs no flush. */
static uint64_t settings_a_second(struct mmu_update updates[2][BATCH_MAX])
{
	uint64_t start = pvr_port_now_ns();

	for (unsigned done = 0; done < UPDATES; done++) {
		const struct mmu_update *u = &updates[done / BATCH_MAX % 2][done % BATCH_MAX];

		if (hot.set((uint64_t *)(unsigned long)u->ptr,
			    PAGING_AREA + done % BATCH_MAX * PVR_PAGE_SIZE, u->val))
			return 0;
	}
	return divide((uint64_t)UPDATES * S, pvr_port_now_ns() - start);
}

/* A range of adjacent frames, from one entry on and then from another. */
static int bench_updates(const char *what, uint64_t one, uint64_t other)
{
	static struct mmu_update updates[2][BATCH_MAX];

	for (unsigned i = 0; i < BATCH_MAX; i++) {
		uint64_t *entry = paging_entry(PAGING_AREA + i * PVR_PAGE_SIZE, 1);

		if (!entry)
			return failed("no table for the range");
		updates[0][i] = (struct mmu_update){(unsigned long)entry, one + i * PVR_PAGE_SIZE};
		updates[1][i] =
			(struct mmu_update){(unsigned long)entry, other + i * PVR_PAGE_SIZE};
	}
	uint64_t set = settings_a_second(updates), single = updates_a_second(updates, 1);
	uint64_t of_32 = updates_a_second(updates, 32), of_512 = updates_a_second(updates, 512);

	if (!set || !single || !of_32 || !of_512)
		return failed("an update is refused");
	say("bench: %s set_per_s=%llu batch1_per_s=%llu batch32_per_s=%llu batch512_per_s=%llu",
		what, (unsigned long long)set, (unsigned long long)single,
		(unsigned long long)of_32, (unsigned long long)of_512);
	return 0;
}

/* Mapped anew a frame further, and then made read-only and writable. */
static int bench_mmu(void)
{
	static const uint64_t nothing_there[BATCH_MAX];
	void *pages = pvr_port_pages_alloc(BATCH_MAX + 1);
	const uint64_t entry = (unsigned long)pages | _PAGE_PRESENT | _PAGE_RW;

	if (!pages)
		return failed("no pages");
	if (bench_updates("remap", entry, entry + PVR_PAGE_SIZE) ||
		bench_updates("protect", entry, entry ^ _PAGE_RW))
		return -1;
	if (paging_set_many(PAGING_AREA, nothing_there, BATCH_MAX))
		return failed("the range cannot be emptied");
	pvr_port_pages_free(pages, BATCH_MAX + 1);
	return 0;
}

/* ---- from the entry to the first answer of a disk ---- */

static uint64_t since_entry(void)
{
	return clock_ns_of(cpu_rdtsc() - machine.entry_tsc);
}

static int bench_boot(void)
{
	const uint64_t start = since_entry();
	void *buffer = pvr_port_pages_alloc(1);
	struct pvr_blkfront *disk;
	int error;

	if (!machine.xen_version || !buffer)
		return failed("no Xen, or no page");
	error = pvr_blkfront_open(DISK, NULL, pvr_port_now_ns() + PATIENCE, &disk);
	if (error)
		return failed("open: error %u", (unsigned)-error);
	const uint64_t connected = since_entry();

	error = pvr_blkfront_read(disk, 0, buffer, pvr_blkfront_info(disk)->sector_size);
	if (error)
		return failed("the first read: error %u", (unsigned)-error);
	say("bench: boot entry_tsc=%llu start_ns=%llu connected_ns=%llu answered_ns=%llu",
		(unsigned long long)machine.entry_tsc, (unsigned long long)start,
		(unsigned long long)connected, (unsigned long long)since_entry());
	pvr_blkfront_close(disk);
	pvr_port_pages_free(buffer, 1);
	return 0;
}

int bench_scenario(const char *args)
{
	if (word_is(args, "timer"))
		return bench_timer();
	if (word_is(args, "mmu"))
		return bench_mmu();
	if (word_is(args, "trap"))
		return bench_trap();
	if (word_is(args, "boot"))
		return bench_boot();
	return failed("timer, mmu, trap or boot");
}
