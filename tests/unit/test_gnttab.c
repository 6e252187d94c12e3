/* SPDX-License-Identifier: MIT */
/*
 * The hypervisor's grant table against a guest that rewrites its entries at any moment, against
 * several dom0 clients at once, and against clients that die anywhere. Cases named xsa_* are the
 * advisories whose bug they would catch.
 */
#include "suite.h"

#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <pvring/gnttab.h>
#include <pvring/ring.h>

#define ENTRIES 64u
#define TRACKS  32u
#define FIRST   70u
#define LAST    200u
#define DAEMON  9u
#define CLIENTS 3u

/* Everything the parties share, in memory that survives a fork. */
struct world {
	struct grant_entry_v1 shared[ENTRIES];
	struct pvr_grant_book books[ENTRIES];
	struct pvr_maptrack tracks[CLIENTS][TRACKS];
	_Atomic uint32_t taken;
	_Atomic uint32_t stop;
};

static struct world *world_new(void)
{
	struct world *w =
		mmap(NULL, sizeof(*w), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	if (w == MAP_FAILED)
		abort();
	return w;
}

static void world_free(struct world *w)
{
	munmap(w, sizeof(*w));
}

static struct pvr_gnttab seen_by(struct world *w, uint32_t client)
{
	return (struct pvr_gnttab){.shared = w->shared,
		.books = w->books,
		.entries = ENTRIES,
		.first_frame = FIRST,
		.last_frame = LAST,
		.domid = 1,
		.generation = 7,
		.client = client};
}

static void grant(struct world *w, grant_ref_t ref, domid_t to, uint32_t frame, uint32_t flags)
{
	__atomic_store_n(&w->shared[ref].domid, to, __ATOMIC_RELAXED);
	__atomic_store_n(&w->shared[ref].frame, frame, __ATOMIC_RELAXED);
	__atomic_store_n(&w->shared[ref].flags, (uint16_t)flags, __ATOMIC_RELEASE);
}

static uint16_t flags_of(struct world *w, grant_ref_t ref)
{
	return __atomic_load_n(&w->shared[ref].flags, __ATOMIC_ACQUIRE);
}

/* The guest's end of a grant, as Xen's header prescribes it; nonzero when the page is the guest's
 * again. */
static int grant_end(struct world *w, grant_ref_t ref)
{
	uint16_t flags = flags_of(w, ref);

	if (flags & (GTF_reading | GTF_writing))
		return 0;
	return __atomic_compare_exchange_n(
		&w->shared[ref].flags, &flags, 0, 0, __ATOMIC_SEQ_CST, __ATOMIC_RELAXED);
}

static int16_t map_as(struct world *w, uint32_t client, grant_ref_t ref, int readonly,
	unsigned slot, uint32_t *frame)
{
	struct pvr_gnttab t = seen_by(w, client);

	return pvr_gnttab_map(&t, 0, ref, readonly, &w->tracks[client - 1][slot], frame);
}

static int16_t unmap_as(struct world *w, uint32_t client, unsigned slot)
{
	struct pvr_gnttab t = seen_by(w, client);

	return pvr_gnttab_unmap(&t, &w->tracks[client - 1][slot]);
}

static unsigned recover(struct world *w, uint32_t dead)
{
	struct pvr_gnttab t = seen_by(w, DAEMON);
	struct pvr_maptrack *const tables[CLIENTS] = {w->tracks[0], w->tracks[1], w->tracks[2]};

	return pvr_gnttab_recover(&t, dead, w->tracks[dead - 1], tables, CLIENTS, TRACKS);
}

static int tracks_free(struct world *w, uint32_t client)
{
	for (unsigned i = 0; i < TRACKS; i++)
		if (w->tracks[client - 1][i].state != PVR_MAPTRACK_FREE)
			return 0;
	return 1;
}

static void map_and_unmap(void)
{
	struct world *w = world_new();
	struct pvr_gnttab t = seen_by(w, 1);
	uint32_t frame = 0;

	grant(w, 9, 0, 100, GTF_permit_access);
	CU_ASSERT_EQUAL(map_as(w, 1, 9, 0, 0, &frame), GNTST_okay);
	CU_ASSERT_EQUAL(frame, 100);
	CU_ASSERT_EQUAL(flags_of(w, 9), GTF_permit_access | GTF_reading | GTF_writing);
	CU_ASSERT_EQUAL(w->tracks[0][0].state, PVR_MAPTRACK_WRITE);
	CU_ASSERT_EQUAL(pvr_gnttab_mapped(&t), 1);
	CU_ASSERT_FALSE(grant_end(w, 9));
	CU_ASSERT_EQUAL(unmap_as(w, 1, 0), GNTST_okay);
	CU_ASSERT_EQUAL(flags_of(w, 9), GTF_permit_access);
	CU_ASSERT_EQUAL(pvr_gnttab_mapped(&t), 0);
	CU_ASSERT_EQUAL(unmap_as(w, 1, 0), GNTST_bad_handle);
	CU_ASSERT_TRUE(grant_end(w, 9));
	world_free(w);
}

static void refusals_leave_no_trace(void)
{
	static const struct {
		grant_ref_t ref;
		domid_t to;
		uint32_t frame;
		uint32_t flags;
		int readonly;
		int16_t status;
	} rows[] = {
		{ENTRIES, 0, 100, GTF_permit_access, 1, GNTST_bad_gntref},
		{UINT32_MAX, 0, 100, GTF_permit_access, 1, GNTST_bad_gntref},
		{9, 0, 100, GTF_invalid, 1, GNTST_bad_gntref},
		{9, 0, 100, GTF_accept_transfer, 1, GNTST_bad_gntref},
		{9, 0, 100, GTF_transitive, 1, GNTST_bad_gntref},
		{9, 0, 100, GTF_permit_access | GTF_sub_page, 1, GNTST_bad_gntref},
		{9, 5, 100, GTF_permit_access, 1, GNTST_permission_denied},
		{9, 0, 100, GTF_permit_access | GTF_readonly, 0, GNTST_permission_denied},
		{9, 0, 0, GTF_permit_access, 0, GNTST_bad_page},
		{9, 0, FIRST - 1, GTF_permit_access, 0, GNTST_bad_page},
		{9, 0, LAST, GTF_permit_access, 1, GNTST_bad_page},
		{9, 0, UINT32_MAX, GTF_permit_access, 1, GNTST_bad_page},
		{9, 0, FIRST, GTF_permit_access, 0, GNTST_okay},
		{9, 0, LAST - 1, GTF_permit_access | GTF_readonly, 1, GNTST_okay},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct world *w = world_new();
		struct pvr_gnttab t = seen_by(w, 1);
		uint32_t frame = 0;

		if (rows[i].ref < ENTRIES)
			grant(w, rows[i].ref, rows[i].to, rows[i].frame, rows[i].flags);
		CU_ASSERT_EQUAL(
			map_as(w, 1, rows[i].ref, rows[i].readonly, 0, &frame), rows[i].status);
		if (rows[i].status != GNTST_okay) {
			CU_ASSERT_EQUAL(pvr_gnttab_mapped(&t), 0);
			CU_ASSERT_TRUE(tracks_free(w, 1));
			CU_ASSERT_EQUAL(flags_of(w, 9) & (GTF_reading | GTF_writing), 0);
		}
		CU_ASSERT_EQUAL(w->books[9].lock, 0);
		world_free(w);
	}
}

static void full_counter_is_no_space(void)
{
	struct world *w = world_new();
	uint32_t frame;

	grant(w, 9, 0, 100, GTF_permit_access);
	w->books[9].frame = 100;
	w->books[9].readers = UINT32_MAX;
	CU_ASSERT_EQUAL(map_as(w, 1, 9, 1, 0, &frame), GNTST_no_space);
	CU_ASSERT_EQUAL(map_as(w, 1, 9, 0, 0, &frame), GNTST_okay);
	w->books[9].writers = UINT32_MAX;
	CU_ASSERT_EQUAL(map_as(w, 1, 9, 0, 1, &frame), GNTST_no_space);
	world_free(w);
}

static void locked_entry_is_eagain(void)
{
	struct world *w = world_new();
	uint32_t frame;

	grant(w, 9, 0, 100, GTF_permit_access);
	w->books[9].lock = 2;
	CU_ASSERT_EQUAL(map_as(w, 1, 9, 1, 0, &frame), GNTST_eagain);
	CU_ASSERT_TRUE(tracks_free(w, 1));
	CU_ASSERT_EQUAL(w->books[9].lock, 2);
	world_free(w);
}

static void handle_of_another_table_is_bad(void)
{
	struct world *w = world_new();
	struct pvr_gnttab t = seen_by(w, 1);
	uint32_t frame;

	grant(w, 9, 0, 100, GTF_permit_access);
	CU_ASSERT_EQUAL(map_as(w, 1, 9, 1, 0, &frame), GNTST_okay);
	t.generation++;
	CU_ASSERT_EQUAL(pvr_gnttab_unmap(&t, &w->tracks[0][0]), GNTST_bad_handle);
	t.generation--;
	t.domid++;
	CU_ASSERT_EQUAL(pvr_gnttab_unmap(&t, &w->tracks[0][0]), GNTST_bad_handle);
	CU_ASSERT_EQUAL(unmap_as(w, 1, 0), GNTST_okay);
	world_free(w);
}

/* The marks go with the last pin of their kind and not before. */
static void xsa_224_394_counts(void)
{
	struct world *w = world_new();
	uint32_t frame;

	grant(w, 9, 0, 100, GTF_permit_access);
	CU_ASSERT_EQUAL(map_as(w, 1, 9, 1, 0, &frame), GNTST_okay);
	CU_ASSERT_EQUAL(flags_of(w, 9), GTF_permit_access | GTF_reading);
	CU_ASSERT_EQUAL(map_as(w, 2, 9, 0, 0, &frame), GNTST_okay);
	CU_ASSERT_EQUAL(map_as(w, 1, 9, 0, 1, &frame), GNTST_okay);
	CU_ASSERT_EQUAL(w->books[9].readers, 1);
	CU_ASSERT_EQUAL(w->books[9].writers, 2);
	CU_ASSERT_EQUAL(unmap_as(w, 1, 0), GNTST_okay);
	CU_ASSERT_EQUAL(flags_of(w, 9), GTF_permit_access | GTF_reading | GTF_writing);
	CU_ASSERT_EQUAL(map_as(w, 1, 9, 1, 0, &frame), GNTST_okay);
	CU_ASSERT_EQUAL(unmap_as(w, 2, 0), GNTST_okay);
	CU_ASSERT_EQUAL(flags_of(w, 9), GTF_permit_access | GTF_reading | GTF_writing);
	CU_ASSERT_EQUAL(unmap_as(w, 1, 1), GNTST_okay);
	CU_ASSERT_EQUAL(flags_of(w, 9), GTF_permit_access | GTF_reading);
	CU_ASSERT_EQUAL(unmap_as(w, 1, 0), GNTST_okay);
	CU_ASSERT_EQUAL(flags_of(w, 9), GTF_permit_access);
	CU_ASSERT_EQUAL(w->books[9].readers + w->books[9].writers, 0);
	world_free(w);
}

/* A frame that was not checked is never handed out, whatever the entry says while it is pinned. */
static void xsa_500_523_frame_used_is_frame_checked(void)
{
	struct world *w = world_new();
	uint32_t frame = 0;

	grant(w, 9, 0, 100, GTF_permit_access);
	CU_ASSERT_EQUAL(map_as(w, 1, 9, 1, 0, &frame), GNTST_okay);
	w->shared[9].frame = 3;
	CU_ASSERT_EQUAL(map_as(w, 2, 9, 0, 0, &frame), GNTST_okay);
	CU_ASSERT_EQUAL(frame, 100);
	w->shared[9].domid = 5;
	CU_ASSERT_EQUAL(map_as(w, 2, 9, 1, 1, &frame), GNTST_permission_denied);
	CU_ASSERT_EQUAL(unmap_as(w, 1, 0), GNTST_okay);
	CU_ASSERT_EQUAL(unmap_as(w, 2, 0), GNTST_okay);
	w->shared[9].domid = 0;
	CU_ASSERT_EQUAL(map_as(w, 1, 9, 1, 0, &frame), GNTST_bad_page);
	world_free(w);
}

/* Stay in a state for a time of different lengths, so that two sides meet at every point of each
 * other. */
static void linger(unsigned i)
{
	for (unsigned spin = 0; spin < i % 128; spin++)
		pvr_cpu_relax();
}

static void *guest_flips(void *arg)
{
	struct world *w = arg;

	for (uint32_t i = 0; !w->stop; i++) {
		linger(i * 7);
		union {
			struct {
				uint16_t flags;
				domid_t domid;
			} part;
			uint32_t word;
		} u = {.part.flags = GTF_permit_access | (uint16_t)((i & 3) << 2)};

		u.part.domid = i & 8 ? 5 : 0;
		__atomic_store_n(&w->shared[9].frame, i & 4 ? 100 : 1, __ATOMIC_RELAXED);
		__atomic_store_n((uint32_t *)(void *)&w->shared[9], u.word, __ATOMIC_RELEASE);
	}
	return NULL;
}

/*
 * The entry changes all the time: every call returns, and what is okay is a frame that was checked.
 */
static void xsa_230_295_flipping_guest_cannot_hang_us(void)
{
	struct world *w = world_new();
	struct pvr_gnttab t = seen_by(w, 1);
	pthread_t guest;
	unsigned okay = 0;

	CU_ASSERT_FATAL(!pthread_create(&guest, NULL, guest_flips, w));
	for (unsigned i = 0; i < 100000 || (!okay && i < 10000000); i++) {
		uint32_t frame = 0;

		if (map_as(w, 1, 9, i & 1, 0, &frame) != GNTST_okay)
			continue;
		okay++;
		if (frame != 100)
			CU_FAIL("a frame that is not the guest's");
		if (unmap_as(w, 1, 0) != GNTST_okay)
			CU_FAIL("a live handle does not unmap");
	}
	w->stop = 1;
	pthread_join(guest, NULL);
	CU_ASSERT(okay > 0);
	CU_ASSERT_EQUAL(pvr_gnttab_mapped(&t), 0);
	CU_ASSERT_EQUAL(w->books[9].lock, 0);
	world_free(w);
}

struct racer {
	struct world *w;
	pthread_barrier_t *barrier;
	unsigned won;
};

#define ROUNDS 500u

static void *unmap_racer(void *arg)
{
	struct racer *r = arg;

	for (unsigned i = 0; i < ROUNDS; i++) {
		pthread_barrier_wait(r->barrier);
		r->won += unmap_as(r->w, 1, 0) == GNTST_okay;
		pthread_barrier_wait(r->barrier);
	}
	return NULL;
}

/*
 * While client 2 keeps its own pin, which a second unmap would take away. Client 3 holds the lock
 * for a moment, so that both are past their first look at the handle when they get it.
 */
static void xsa_218_228_one_unmap_of_two_succeeds(void)
{
	struct world *w = world_new();
	pthread_barrier_t barrier;
	struct racer r[2] = {{w, &barrier, 0}, {w, &barrier, 0}};
	pthread_t thread[2];
	uint32_t frame;

	pthread_barrier_init(&barrier, NULL, 3);
	grant(w, 9, 0, 100, GTF_permit_access);
	CU_ASSERT_EQUAL(map_as(w, 2, 9, 1, 0, &frame), GNTST_okay);
	for (int i = 0; i < 2; i++)
		CU_ASSERT_FATAL(!pthread_create(&thread[i], NULL, unmap_racer, &r[i]));
	for (unsigned i = 0; i < ROUNDS; i++) {
		if (map_as(w, 1, 9, 0, 0, &frame) != GNTST_okay)
			CU_FAIL("map");
		w->books[9].lock = 3;
		pthread_barrier_wait(&barrier);
		nanosleep(&(struct timespec){.tv_nsec = 100000}, NULL);
		w->books[9].lock = 0;
		pthread_barrier_wait(&barrier);
	}
	for (int i = 0; i < 2; i++)
		pthread_join(thread[i], NULL);
	CU_ASSERT_EQUAL(r[0].won + r[1].won, ROUNDS);
	CU_ASSERT_EQUAL(w->books[9].writers, 0);
	CU_ASSERT_EQUAL(w->books[9].readers, 1);
	CU_ASSERT_EQUAL(unmap_as(w, 2, 0), GNTST_okay);
	CU_ASSERT_EQUAL(flags_of(w, 9), GTF_permit_access);
	pthread_barrier_destroy(&barrier);
	world_free(w);
}

struct mapper {
	struct world *w;
	uint32_t client;
	unsigned okay;
	unsigned bad;
};

static void *mapper(void *arg)
{
	struct mapper *m = arg;

	for (unsigned i = 0; i < 40000 || (!m->okay && i < 10000000); i++) {
		uint32_t frame = 0;

		if (map_as(m->w, m->client, 9, i & 1, i % TRACKS, &frame) != GNTST_okay)
			continue;
		m->okay++;
		m->bad += m->w->taken != 0;
		m->bad += !(flags_of(m->w, 9) & GTF_reading);
		m->bad += unmap_as(m->w, m->client, i % TRACKS) != GNTST_okay;
	}
	return NULL;
}

static void *revoker(void *arg)
{
	struct world *w = arg;

	for (unsigned i = 0; !w->stop; i++) {
		linger(i);
		if (!grant_end(w, 9))
			continue;
		w->taken = 1;
		w->taken = 0;
		grant(w, 9, 0, 100, GTF_permit_access);
	}
	return NULL;
}

/* Two clients map while the guest takes its page back: never both at once. */
static void xsa_236_map_against_revoke(void)
{
	struct world *w = world_new();
	struct pvr_gnttab t = seen_by(w, 1);
	struct mapper m[2] = {{w, 1, 0, 0}, {w, 2, 0, 0}};
	pthread_t guest, thread[2];

	grant(w, 9, 0, 100, GTF_permit_access);
	CU_ASSERT_FATAL(!pthread_create(&guest, NULL, revoker, w));
	for (int i = 0; i < 2; i++)
		CU_ASSERT_FATAL(!pthread_create(&thread[i], NULL, mapper, &m[i]));
	for (int i = 0; i < 2; i++)
		pthread_join(thread[i], NULL);
	w->stop = 1;
	pthread_join(guest, NULL);
	CU_ASSERT(m[0].okay + m[1].okay > 0);
	CU_ASSERT_EQUAL(m[0].bad + m[1].bad, 0);
	CU_ASSERT_EQUAL(pvr_gnttab_mapped(&t), 0);
	CU_ASSERT_EQUAL(flags_of(w, 9) & (GTF_reading | GTF_writing), 0);
	world_free(w);
}

/*
 * What client 1 can have left behind at each point of a map or an unmap, beside a reader of
 * client 2. The recovery must leave exactly client 2's pin.
 */
static void client_dead_at_every_step(void)
{
	static const struct {
		uint16_t marks;
		uint32_t track, writers;
	} left[] = {
		{GTF_reading, PVR_MAPTRACK_FREE, 0},
		{GTF_reading | GTF_writing, PVR_MAPTRACK_FREE, 0},
		{GTF_reading | GTF_writing, PVR_MAPTRACK_WRITE, 0},
		{GTF_reading | GTF_writing, PVR_MAPTRACK_WRITE, 1},
		{GTF_reading | GTF_writing, PVR_MAPTRACK_FREE, 1},
		{GTF_reading, PVR_MAPTRACK_WRITE, 0},
	};

	for (size_t i = 0; i < sizeof(left) / sizeof(left[0]); i++) {
		struct world *w = world_new();
		uint32_t frame;

		grant(w, 9, 0, 100, GTF_permit_access);
		CU_ASSERT_EQUAL(map_as(w, 2, 9, 1, 3, &frame), GNTST_okay);
		w->books[9].lock = 1;
		w->books[9].writers = left[i].writers;
		w->shared[9].flags = (uint16_t)(GTF_permit_access | left[i].marks);
		w->tracks[0][5] = (struct pvr_maptrack){left[i].track, 9, 1, 7};
		CU_ASSERT_EQUAL(recover(w, 1), 0);
		CU_ASSERT_EQUAL(w->books[9].lock, 0);
		CU_ASSERT_EQUAL(w->books[9].readers, 1);
		CU_ASSERT_EQUAL(w->books[9].writers, 0);
		CU_ASSERT_EQUAL(flags_of(w, 9), GTF_permit_access | GTF_reading);
		CU_ASSERT_TRUE(tracks_free(w, 1));
		CU_ASSERT_EQUAL(unmap_as(w, 2, 3), GNTST_okay);
		CU_ASSERT_EQUAL(flags_of(w, 9), GTF_permit_access);
		world_free(w);
	}
}

/*
 * Client 1 is recovered while client 2, dead too, holds the lock: nothing is lost, in either order.
 */
static void two_dead_clients(void)
{
	struct world *w = world_new();
	struct pvr_gnttab t = seen_by(w, 1);
	uint32_t frame;

	grant(w, 9, 0, 100, GTF_permit_access);
	CU_ASSERT_EQUAL(map_as(w, 1, 9, 0, 0, &frame), GNTST_okay);
	CU_ASSERT_EQUAL(map_as(w, 2, 9, 1, 0, &frame), GNTST_okay);
	w->books[9].lock = 2;
	CU_ASSERT_EQUAL(recover(w, 1), 1);
	CU_ASSERT_EQUAL(recover(w, 2), 0);
	CU_ASSERT_EQUAL(w->books[9].writers, 1);
	CU_ASSERT_EQUAL(recover(w, 1), 0);
	CU_ASSERT_EQUAL(pvr_gnttab_mapped(&t), 0);
	CU_ASSERT_EQUAL(flags_of(w, 9), GTF_permit_access);
	world_free(w);
}

/* A real process, killed wherever it happens to be. */
static void client_killed_anywhere(void)
{
	struct world *w = world_new();
	struct pvr_gnttab t = seen_by(w, 2);
	unsigned locked = 0;
	uint32_t frame;

	for (grant_ref_t ref = 8; ref < 12; ref++)
		grant(w, ref, 0, 90 + ref, GTF_permit_access);
	CU_ASSERT_EQUAL(map_as(w, 2, 9, 1, 0, &frame), GNTST_okay);
	for (unsigned round = 0; round < 100 || (!locked && round < 5000); round++) {
		pid_t pid = fork();

		if (pid == 0)
			for (unsigned i = 0;; i++) {
				unmap_as(w, 1, i % TRACKS);
				map_as(w, 1, 8 + i % 4, i & 4, i % TRACKS, &frame);
			}
		CU_ASSERT_FATAL(pid > 0);
		nanosleep(&(struct timespec){.tv_nsec = 500000 + 7919 * (long)(round % 100)}, NULL);
		kill(pid, SIGKILL);
		waitpid(pid, NULL, 0);
		for (grant_ref_t ref = 8; ref < 12; ref++)
			locked += w->books[ref].lock == 1;
		if (recover(w, 1) || !tracks_free(w, 1) || pvr_gnttab_mapped(&t) != 1 ||
			w->books[9].readers != 1 || w->books[9].writers ||
			flags_of(w, 8) != GTF_permit_access ||
			flags_of(w, 9) != (GTF_permit_access | GTF_reading))
			CU_FAIL("pins of a dead client remain");
	}
	CU_ASSERT(locked > 0);
	world_free(w);
}

PVR_SUITE(gnttab, CASE(map_and_unmap), CASE(refusals_leave_no_trace),
	CASE(full_counter_is_no_space), CASE(locked_entry_is_eagain),
	CASE(handle_of_another_table_is_bad), CASE(xsa_224_394_counts),
	CASE(xsa_500_523_frame_used_is_frame_checked),
	CASE(xsa_230_295_flipping_guest_cannot_hang_us),
	CASE(xsa_218_228_one_unmap_of_two_succeeds), CASE(xsa_236_map_against_revoke),
	CASE(client_dead_at_every_step), CASE(two_dead_clients), CASE(client_killed_anywhere))
