/* SPDX-License-Identifier: MIT */
/*
 * A ring whose backend dies is served on by the next one: every request is answered, and none
 * twice, at whatever instant it dies. The frontend does nothing but what it always does.
 */
#include "suite.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "blkback_rig.h"

#define JOURNAL "inflight/vbd-7-51712-0"

static char directory[] = "/tmp/pvring-test-XXXXXX", path[64];

static void begin_directory(void)
{
	strcpy(directory + strlen(directory) - 6, "XXXXXX");
	CU_ASSERT_FATAL(mkdtemp(directory) != NULL);
	snprintf(path, sizeof(path), "%s/" JOURNAL, directory);
	journal_of = (struct pvr_blkback_journal_of){
		.dir = directory, .serving = 0x1234567890abcdef, .devid = 51712};
}

static void end_directory(void)
{
	char inflight[64];

	snprintf(inflight, sizeof(inflight), "%s/inflight", directory);
	CU_ASSERT_EQUAL(rmdir(inflight), 0); /* the journal itself went with the ring */
	CU_ASSERT_EQUAL(rmdir(directory), 0);
	journal_of = (struct pvr_blkback_journal_of){0};
}

/* ---- a backend that stops anywhere ---- */

/* The engines that are not used stay, for the kernel takes its time to end one. */
static void renew_turn(void)
{
	struct pvr_blkback_engine **engine = &turn->engine[PVR_BLKBACK_MEM];

	pvr_blkback_engine_destroy(*engine);
	CU_ASSERT_FATAL(pvr_blkback_engine_create(PVR_BLKBACK_MEM, engine) == 0);
	pvr_host_close(turn->base.host);
	CU_ASSERT_FATAL(pvr_host_open(NULL, &turn->base.host) == 0);
	turn->done = NULL;
	turn->done_end = &turn->done;
	memset(&turn->pages, 0, sizeof(turn->pages));
}

static void die(void)
{
	mock_host_die();
	atomic_store(&ring->base.state, PVR_BACK_LIVE);
	pvr_blkback_ring_destroy(ring);
	ring = NULL;
	renew_turn();
}

static void succeed(enum pvr_blkback_abi abi)
{
	journal_of.again = 1;
	CU_ASSERT_EQUAL_FATAL(connect_ring(abi), 0);
	CU_ASSERT(mock_port_events(front.port, 0) >= 1);
}

static void set_up_here(void)
{
	begin_directory();
	set_up();
}

/* The nth thing that a worker does in its turns; after a spin it takes before it publishes. */
static void do_step(unsigned n)
{
	switch (n % 7) {
	case 0:
	case 3:
		CU_ASSERT(pvr_blkback_ring_take(ring, turn) >= 0);
		break;
	case 1:
	case 4:
		pvr_blkback_ring_barrier(ring, turn);
		break;
	case 2:
	case 5:
		pvr_blkback_turn_finish(turn);
		break;
	default:
		pvr_blkback_ring_publish(ring, turn->base.host);
	}
}

/* ---- the frontend ---- */

#define ASKED 150u

static unsigned asked, answered[ASKED];

/* Writes, each of its own page and place; now and then what makes an order. */
static void fill_ring(void)
{
	for (; asked < ASKED && pvr_ring_free(&front.ring); asked++) {
		uint8_t operation = asked % 13 == 7   ? BLKIF_OP_WRITE_BARRIER
				    : asked % 11 == 3 ? BLKIF_OP_FLUSH_DISKCACHE
						      : BLKIF_OP_WRITE;

		front_put(&front, front_request(&front, operation, asked, asked * 8, asked, 1));
	}
	pvr_ring_publish(&front.ring);
}

static unsigned take_answers(void)
{
	struct blkif_x86_64_response response;
	int pending = pvr_ring_pending(&front.ring);

	CU_ASSERT_FATAL(pending >= 0);
	for (int i = 0; i < pending; i++) {
		front_response_take(&front.ring, &response);
		CU_ASSERT_FATAL(response.id < ASKED);
		CU_ASSERT_EQUAL(response.status, BLKIF_RSP_OKAY);
		answered[response.id]++;
	}
	return (unsigned)pending;
}

static void begin_work(void)
{
	asked = 0;
	memset(answered, 0, sizeof(answered));
	for (unsigned i = 0; i < ASKED; i++)
		memset(data(i), (int)(i + 1), 4096);
}

static void check_work(void)
{
	unsigned good = 0;

	for (unsigned i = 0; i < ASKED; i++)
		good += answered[i] == 1;
	CU_ASSERT_EQUAL(good, ASKED);
	CU_ASSERT_EQUAL(ring->inflight, 0);
	for (unsigned i = 0; i < ASKED; i++) {
		CU_ASSERT_EQUAL(ask_pages(BLKIF_OP_READ, i * 8, 200, 1), BLKIF_RSP_OKAY);
		CU_ASSERT_EQUAL_FATAL(data(200)[0], i + 1);
		CU_ASSERT_EQUAL_FATAL(data(200)[4095], i + 1);
	}
}

/* ---- death between what a worker does ---- */

static void dies_after_each_step(void)
{
	for (unsigned first = 1; first < 40; first++) {
		unsigned left = ASKED, deaths = 0;

		set_up_here();
		begin_work();
		for (unsigned n = 0; left && n < 2000; n++) {
			fill_ring();
			do_step(n);
			left -= take_answers();
			/* Again and again, but not so soon that nothing is ever done. */
			if (n + 1 == first || (n > first && n % 11 == first % 11)) {
				die();
				succeed(PVR_BLKBACK_ABI_X86_64);
				deaths++;
			}
		}
		CU_ASSERT_EQUAL(left, 0);
		CU_ASSERT(deaths > 0);
		check_work();
		journal_of.again = 0;
		tear_down();
		end_directory();
	}
}

/* The oldest stays open while the ring goes round many times. */
static void the_oldest_is_not_forgotten(void)
{
	struct blkif_x86_64_response response;

	set_up_here();
	begin_work();
	front_put(&front, front_request(&front, BLKIF_OP_WRITE, 77, 0, 77, 1));
	pvr_ring_publish(&front.ring);
	CU_ASSERT_EQUAL(pvr_blkback_ring_take(ring, turn), 1);
	turn->done = NULL; /* its I/O never ends */
	turn->done_end = &turn->done;
	CU_ASSERT(pvr_blkback_engine_reap(turn->engine[PVR_BLKBACK_MEM]) != NULL);
	for (unsigned i = 0; i < 200; i++) {
		front_put(&front, front_request(&front, BLKIF_OP_READ, i, 0, 200, 1));
		pvr_ring_publish(&front.ring);
		for (unsigned n = 0; n < 7; n++)
			do_step(n);
		CU_ASSERT_EQUAL_FATAL(pvr_ring_pending(&front.ring), 1);
		front_response_take(&front.ring, &response);
	}
	for (unsigned deaths = 0; deaths < 3; deaths++) {
		die();
		succeed(PVR_BLKBACK_ABI_X86_64);
		CU_ASSERT_EQUAL(
			ring->base.rewound, deaths == 0); /* later it is a request not taken */
	}
	serve();
	CU_ASSERT_EQUAL_FATAL(pvr_ring_pending(&front.ring), 1);
	front_response_take(&front.ring, &response);
	CU_ASSERT_EQUAL(response.id, 77);
	journal_of.again = 0;
	tear_down();
	end_directory();
}

/* ---- death between two stores ---- */

/* The journal of a ring that begins shortly before its indices wrap, with `open` requests taken. */
static struct pvr_blkback_journal *new_journal(unsigned taken)
{
	struct pvr_blkback_offer offer = {.pages = 1, .refs = {9}, .port = 3};
	struct pvr_blkback_journal_of none = {0};
	struct pvr_blkback_journal *journal = pvr_blkback_journal_open(&none, &offer, 0, 32);

	CU_ASSERT_FATAL(journal != NULL);
	pvr_blkback_journal_begin(journal, UINT32_MAX - 2);
	for (unsigned i = 0; i < taken; i++) {
		pvr_blkback_journal_claim(journal, 31 - i)->x86_64.id = i;
		pvr_blkback_journal_taken(journal);
	}
	return journal;
}

static const struct pvr_blkback_entry *found[32];

static int find(struct pvr_blkback_journal *journal, uint32_t published)
{
	return pvr_blkback_journal_find(journal, 32, UINT32_MAX - 2 + published, found);
}

static void dies_between_two_stores(void)
{
	struct pvr_blkback_journal *journal = new_journal(6);

	CU_ASSERT_EQUAL(find(journal, 0), 6);
	for (unsigned i = 0; i < 6; i++)
		CU_ASSERT_EQUAL(found[i]->slot.x86_64.id, i);
	/* Two answers are in the ring, and not out. */
	pvr_blkback_journal_answered(journal, 31 - 3, UINT32_MAX - 2);
	pvr_blkback_journal_answered(journal, 31 - 0, UINT32_MAX - 1);
	CU_ASSERT_EQUAL(find(journal, 0), 6);
	/* They are out. */
	CU_ASSERT_EQUAL(find(journal, 2), 4);
	CU_ASSERT_EQUAL(found[0]->slot.x86_64.id, 1);
	CU_ASSERT_EQUAL(found[1]->slot.x86_64.id, 2);
	CU_ASSERT_EQUAL(found[2]->slot.x86_64.id, 4);
	/* The entry of one of them is claimed: before, amidst and after its content. */
	pvr_blkback_journal_claim(journal, 31);
	CU_ASSERT_EQUAL(find(journal, 2), 4);
	journal->entry[31].slot.x86_64.id = 99;
	CU_ASSERT_EQUAL(find(journal, 2), 4);
	pvr_blkback_journal_taken(journal);
	CU_ASSERT_EQUAL(find(journal, 2), 5);
	CU_ASSERT_EQUAL(found[4]->slot.x86_64.id, 99);
	/* All are back in the ring, and it dies between the last two stores. */
	pvr_blkback_journal_rewound(journal, UINT32_MAX);
	CU_ASSERT_EQUAL(find(journal, 2), 0);
	journal->cons = (1ull << 32) + UINT32_MAX - 2 + 7;
	CU_ASSERT_EQUAL(find(journal, 2), 0);
	CU_ASSERT_EQUAL((uint32_t)journal->cons, UINT32_MAX);
	pvr_blkback_journal_close(journal, NULL, 0);
}

static void what_cannot_be_is_refused(void)
{
	struct pvr_blkback_journal *journal = new_journal(6);

	pvr_blkback_journal_answered(journal, 31, UINT32_MAX - 2);
	CU_ASSERT_EQUAL(find(journal, 1), 5);
	CU_ASSERT_EQUAL(find(journal, 2), -ESTALE); /* an answer that nobody gave */
	CU_ASSERT_EQUAL(find(journal, 7), -ESTALE); /* and more than there were requests */
	CU_ASSERT_EQUAL(find(journal, UINT32_MAX - 40), -ESTALE);
	CU_ASSERT_EQUAL(find(journal, 1u << 31), -ESTALE);
	journal->cons++; /* a request that nobody took */
	CU_ASSERT_EQUAL(find(journal, 1), -ESTALE);
	journal->cons = UINT64_MAX;
	CU_ASSERT_EQUAL(find(journal, 1), -ESTALE);
	memset((char *)journal + sizeof(journal->key), 0, sizeof(*journal) - sizeof(journal->key));
	CU_ASSERT_EQUAL(find(journal, 0), -ESTALE);
	CU_ASSERT_EQUAL(pvr_blkback_journal_find(journal, 32, 0, found), -ESTALE);
	pvr_blkback_journal_close(journal, NULL, 0);
}

/* ---- whose journal it is ---- */

static int fits(const struct pvr_blkback_offer *offer, uint64_t serving, unsigned entries)
{
	struct pvr_blkback_journal_of of = journal_of;
	struct pvr_blkback_journal *journal;

	of.again = 1;
	of.serving = serving;
	journal = pvr_blkback_journal_open(&of, offer, 0, entries);
	pvr_blkback_journal_close(journal, directory, 1);
	return journal != NULL;
}

static void only_the_journal_of_these_rings(void)
{
	const struct pvr_blkback_offer mine = {.domid = 7, .pages = 2, .refs = {9, 10}, .port = 3};
	struct pvr_blkback_offer offer = mine;
	struct pvr_blkback_journal *journal;

	begin_directory();
	CU_ASSERT(!fits(&mine, journal_of.serving, 64));
	journal = pvr_blkback_journal_open(&journal_of, &mine, 0, 64);
	CU_ASSERT_FATAL(journal != NULL);
	CU_ASSERT(fits(&mine, journal_of.serving, 64));
	CU_ASSERT(!fits(&mine, journal_of.serving + 1, 64)); /* another handshake */
	CU_ASSERT(!fits(&mine, journal_of.serving, 32));
	offer.refs[1]++;
	CU_ASSERT(!fits(&offer, journal_of.serving, 64));
	offer = mine;
	offer.port++;
	CU_ASSERT(!fits(&offer, journal_of.serving, 64));
	offer = mine;
	offer.abi = PVR_BLKBACK_ABI_X86_32;
	CU_ASSERT(!fits(&offer, journal_of.serving, 64));
	CU_ASSERT(fits(&mine, journal_of.serving, 64));
	CU_ASSERT_EQUAL(truncate(path, 4096), 0);
	CU_ASSERT(!fits(&mine, journal_of.serving, 64));
	CU_ASSERT_EQUAL(unlink(path), 0);
	CU_ASSERT_EQUAL(symlink("/dev/zero", path), 0);
	CU_ASSERT(!fits(&mine, journal_of.serving, 64));
	munmap(journal, journal->key.size); /* whose file is cut off */
	CU_ASSERT_EQUAL(unlink(path), 0);
	end_directory();
}

/* The frontend has written into the backend's index: it is refused, and holds nothing. */
static void scribbled_index_is_refused(void)
{
	set_up_here();
	begin_work();
	fill_ring();
	CU_ASSERT(pvr_blkback_ring_take(ring, turn) > 0);
	die();
	front.shared->rsp_prod++;
	journal_of.again = 1;
	CU_ASSERT_EQUAL(connect_ring(PVR_BLKBACK_ABI_X86_64), -ESTALE);
	CU_ASSERT_EQUAL(mock_host_mapped(), 0);
	pvr_blkback_ring_destroy(ring);
	front.shared->rsp_prod--;
	journal_of.again = 0;
	CU_ASSERT_EQUAL_FATAL(
		connect_ring(PVR_BLKBACK_ABI_X86_64), 0); /* as a new one: all is as ever */
	serve();
	tear_down();
	end_directory();
}

/* ---- kill -9 ---- */

#define KILLS 150u

/* A child that serves until it is killed. */
static pid_t spawn(const char *image)
{
	struct pvr_blkback_spec spec = {.type = "file", .params = image};
	char error[PVR_BLKBACK_LINE];
	pid_t pid = fork();

	if (pid)
		return pid;
	turn = calloc(1, sizeof(*turn));
	turn->done_end = &turn->done;
	pvr_host_open(NULL, &turn->base.host);
	stats = pvr_blkback_stats_open(NULL, MOCK_DOMID, 51712);
	if (pvr_blkback_disk_open(&spec, &disk, error) ||
		pvr_blkback_engine_create(disk->kind, &turn->engine[disk->kind]))
		_exit(1);
	if (connect_ring(PVR_BLKBACK_ABI_X86_64))
		_exit(1);
	for (;;)
		serve();
}

static uint32_t next_random(void)
{
	static uint64_t seed = 12345;

	seed = seed * 6364136223846793005u + 1442695040888963407u;
	return (uint32_t)(seed >> 33);
}

static void pause_us(unsigned us)
{
	struct timespec ts = {.tv_nsec = (long)us * 1000};

	nanosleep(&ts, NULL);
}

static struct {
	int busy;
	uint8_t operation, seed;
} lane[30];

/* Each lane writes its place with new bytes, then reads it into another page, over and over. */
static void run_lanes(int more)
{
	for (unsigned i = 0; more && i < 30; i++) {
		int writes = lane[i].operation != BLKIF_OP_WRITE;

		if (lane[i].busy)
			continue;
		lane[i].busy = 1;
		lane[i].operation = writes ? BLKIF_OP_WRITE : BLKIF_OP_READ;
		if (writes)
			memset(data(i), ++lane[i].seed, 4096);
		front_put(&front, front_request(&front, lane[i].operation, i, i * 8,
					  writes ? i : 100 + i, 1));
	}
	pvr_ring_publish(&front.ring);
}

static unsigned end_lanes(void)
{
	struct blkif_x86_64_response response;
	unsigned count = 0;

	for (int left = pvr_ring_pending(&front.ring); left > 0; left--, count++) {
		front_response_take(&front.ring, &response);
		CU_ASSERT_FATAL(response.id < 30 && lane[response.id].busy);
		CU_ASSERT_EQUAL(response.status, BLKIF_RSP_OKAY);
		CU_ASSERT_EQUAL(response.operation, lane[response.id].operation);
		lane[response.id].busy = 0;
		if (response.operation == BLKIF_OP_READ) {
			CU_ASSERT_EQUAL_FATAL(
				data(100 + (unsigned)response.id)[0], lane[response.id].seed);
			CU_ASSERT_EQUAL_FATAL(
				data(100 + (unsigned)response.id)[4095], lane[response.id].seed);
		}
	}
	return count;
}

static unsigned busy_lanes(void)
{
	unsigned busy = 0;

	for (unsigned i = 0; i < 30; i++)
		busy += (unsigned)lane[i].busy;
	return busy;
}

static void killed_at_any_instant(void)
{
	char image[] = "/var/tmp/pvring-test-XXXXXX";
	int fd = mkstemp(image), status;
	unsigned done = 0;

	CU_ASSERT_FATAL(fd >= 0 && ftruncate(fd, 1 << 20) == 0);
	begin_directory();
	mock_host_reset();
	front_init(&front);
	memset(lane, 0, sizeof(lane));
	for (unsigned kills = 0; kills <= KILLS; kills++) {
		pid_t pid = spawn(image);
		uint64_t end = pvr_back_now_ns() + next_random() % 8000000;
		unsigned before = done;
		int waits;

		CU_ASSERT_FATAL(pid > 0);
		/*
		 * The first is waited for: without it there is no journal; and then every third,
		 * however slow the machine. The last ends the work.
		 */
		do {
			run_lanes(kills < KILLS);
			done += end_lanes();
			pause_us(20);
			waits = kills == KILLS ? busy_lanes() > 0
					       : kills % 3 == 0 && done == before;
		} while (waits || (kills < KILLS && pvr_back_now_ns() < end));
		CU_ASSERT_EQUAL(waitpid(pid, &status, WNOHANG), 0);
		kill(pid, SIGKILL);
		waitpid(pid, &status, 0);
		journal_of.again = 1;
	}
	CU_ASSERT_EQUAL(busy_lanes(), 0);
	CU_ASSERT(done > KILLS / 3);
	CU_ASSERT_EQUAL(unlink(path), 0);
	close(fd);
	unlink(image);
	end_directory();
}

PVR_SUITE(blkback_journal, CASE(dies_after_each_step), CASE(the_oldest_is_not_forgotten),
	CASE(dies_between_two_stores), CASE(what_cannot_be_is_refused),
	CASE(only_the_journal_of_these_rings), CASE(scribbled_index_is_refused),
	CASE(killed_at_any_instant))
