/* SPDX-License-Identifier: MIT */
/*
 * The worker thread. A turn: a batch from every ring, submit, reap, answer, one notification a
 * ring. When a turn finds nothing it spins for a moment, then arms every ring's event and sleeps in
 * one poll(2) on events, completions and commands.
 */
#include "worker.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#define STACK_BYTES (256u * 1024)

/*
 * The spin before a sleep. It is worth its time when the next request comes within a wake-up's
 * cost; so it doubles after a sleep that was that short and is given up after one that was not. An
 * idle worker never spins.
 */
#define SPIN_MAX_NS 50000u
#define SPIN_MIN_NS 10000u

/*
 * Events that bring no request cost their sender one write and this worker a wake-up. After a few
 * in a row it looks at its events only this often, so that a flood (XSA-332) costs a bounded part
 * of a CPU; a request of somebody else waits that long at most.
 */
#define EMPTY_WAKES_FREE 16u
#define PACE_NS          200000u

struct pvr_blkback_worker {
	pthread_t thread;
	const char *dir;
	int wake_fd, quiet, cpu, may_spin;
	sem_t started;
	int start_error;

	int command_fd; /* eventfd: something below has changed */
	_Atomic int stop;
	_Atomic int asked;    /* a ring is to join or to leave */
	pthread_mutex_t lock; /* of `joining`, and of nothing on the data path */
	struct pvr_blkback_ring *joining;

	/* From here on the thread's own. */
	struct pvr_blkback_turn turn;
	struct pvr_blkback_ring *rings;
	uint64_t spin_ns, slept_ns; /* slept_ns: 0 once it has been judged */
	unsigned empty_wakes;
};

static uint64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

static void signal_fd(int fd)
{
	uint64_t one = 1;

	while (write(fd, &one, sizeof(one)) < 0 && errno == EINTR)
		;
}

static void clear_fd(int fd)
{
	uint64_t count;

	while (read(fd, &count, sizeof(count)) < 0 && errno == EINTR)
		;
}

/* ---- rings come and go ---- */

static int state_of(const struct pvr_blkback_ring *ring)
{
	return atomic_load_explicit(&ring->state, memory_order_relaxed);
}

/* From here on a ring that is FAILED or GONE is the control thread's, which may free it. */
static void hand_over(struct pvr_blkback_worker *worker, struct pvr_blkback_ring *ring, int state)
{
	atomic_store_explicit(&ring->state, state, memory_order_release);
	signal_fd(worker->wake_fd);
}

static void join(struct pvr_blkback_worker *worker, struct pvr_blkback_ring *ring)
{
	if (pvr_blkback_ring_connect(ring, worker->turn.host)) {
		hand_over(worker, ring, PVR_BLKBACK_FAILED);
		return;
	}
	ring->next = worker->rings;
	worker->rings = ring;
	hand_over(worker, ring, PVR_BLKBACK_LIVE);
}

static void take_joining(struct pvr_blkback_worker *worker)
{
	struct pvr_blkback_ring *ring;

	pthread_mutex_lock(&worker->lock);
	ring = worker->joining;
	worker->joining = NULL;
	pthread_mutex_unlock(&worker->lock);
	while (ring) {
		struct pvr_blkback_ring *next = ring->next;

		join(worker, ring);
		ring = next;
	}
}

static int leaving(const struct pvr_blkback_ring *ring)
{
	return atomic_load_explicit(&ring->leave, memory_order_relaxed);
}

static int serves_disk(const struct pvr_blkback_worker *worker, const struct pvr_blkback_disk *disk)
{
	for (const struct pvr_blkback_ring *ring = worker->rings; ring; ring = ring->next)
		if (ring->disk == disk)
			return 1;
	return 0;
}

/* Gives back what is drained; how many rings are still leaving. */
static unsigned part(struct pvr_blkback_worker *worker)
{
	struct pvr_blkback_ring **at = &worker->rings;
	unsigned left = 0;

	while (*at) {
		struct pvr_blkback_ring *ring = *at;

		if (!leaving(ring) || ring->inflight) {
			left += (unsigned)leaving(ring);
			at = &ring->next;
			continue;
		}
		*at = ring->next;
		pvr_blkback_ring_disconnect(ring, worker->turn.host);
		if (!serves_disk(worker, ring->disk))
			pvr_blkback_engine_forget(
				worker->turn.engine[ring->disk->kind], ring->disk);
		hand_over(worker, ring, PVR_BLKBACK_GONE);
	}
	return left;
}

/* Costs a load when nothing was asked. While a ring is draining it is asked again every turn. */
static void obey(struct pvr_blkback_worker *worker)
{
	if (!atomic_load_explicit(&worker->asked, memory_order_relaxed))
		return;
	atomic_exchange_explicit(&worker->asked, 0, memory_order_acq_rel);
	take_joining(worker);
	if (part(worker))
		atomic_store_explicit(&worker->asked, 1, memory_order_relaxed);
}

/* ---- a turn ---- */

/* Whether requests are to be taken from a ring now. */
static int serving(const struct pvr_blkback_ring *ring)
{
	return state_of(ring) == PVR_BLKBACK_LIVE && !leaving(ring) && !ring->barrier &&
	       !ring->wait_until;
}

static unsigned turn(struct pvr_blkback_worker *worker)
{
	unsigned work = 0;

	for (struct pvr_blkback_ring *ring = worker->rings; ring; ring = ring->next) {
		int taken;

		if (ring->wait_until && now_ns() >= ring->wait_until)
			ring->wait_until = 0;
		taken = serving(ring) ? pvr_blkback_ring_take(ring, &worker->turn) : 0;

		/* A barrier that was taken is done even where nothing more is. */
		work += (unsigned)pvr_blkback_ring_barrier(ring, &worker->turn);
		if (taken < 0)
			signal_fd(worker->wake_fd);
		else
			work += (unsigned)taken;
	}
	work += pvr_blkback_turn_finish(&worker->turn);
	for (struct pvr_blkback_ring *ring = worker->rings; ring; ring = ring->next)
		pvr_blkback_ring_publish(ring, worker->turn.host);
	return work;
}

/* ---- sleeping ---- */

static int anything_pending(struct pvr_blkback_worker *worker)
{
	for (struct pvr_blkback_ring *ring = worker->rings; ring; ring = ring->next)
		if (serving(ring) && pvr_ring_pending(&ring->ring))
			return 1;
	return 0;
}

static void count_poll(struct pvr_blkback_worker *worker, int hit)
{
	for (struct pvr_blkback_ring *ring = worker->rings; ring; ring = ring->next)
		if (serving(ring))
			pvr_blkback_count_shared(
				hit ? &ring->stats->polls_hit : &ring->stats->polls_missed, 1);
}

/*
 * 1 when something turned up. Completions count too: finish them here rather than sleep for them.
 */
static int spin(struct pvr_blkback_worker *worker)
{
	uint64_t end = now_ns() + worker->spin_ns;
	int hit = 0;

	if (!worker->spin_ns)
		return 0;
	do {
		pvr_cpu_relax();
		hit = anything_pending(worker) || pvr_blkback_turn_finish(&worker->turn);
	} while (!hit && now_ns() < end);
	count_poll(worker, hit);
	return hit;
}

/* Ask every ring for an event; 1 when one has work after all. */
static int arm(struct pvr_blkback_worker *worker)
{
	for (struct pvr_blkback_ring *ring = worker->rings; ring; ring = ring->next)
		if (serving(ring) && pvr_ring_final_check(&ring->ring))
			return 1;
	return 0;
}

static int has_unsent(const struct pvr_blkback_worker *worker)
{
	for (unsigned kind = 0; kind < PVR_BLKBACK_KINDS; kind++)
		if (worker->turn.engine[kind]->unsent)
			return 1;
	return 0;
}

/* Clear what is pending, at most as many as there are rings: a flood must end this loop too. How
 * many. */
static unsigned drain_events(struct pvr_blkback_worker *worker)
{
	unsigned count = 0;

	for (struct pvr_blkback_ring *at = worker->rings; at; at = at->next, count++) {
		int port = pvr_host_evtchn_pending(worker->turn.host);

		if (port < 0)
			break;
		for (struct pvr_blkback_ring *ring = worker->rings; ring; ring = ring->next)
			if (ring->port == (evtchn_port_t)port)
				pvr_blkback_count_shared(&ring->stats->events_in, 1);
	}
	return count;
}

/* After the first turn that follows a sleep: was the sleep worth it? */
static void adapt_spin(struct pvr_blkback_worker *worker, unsigned work)
{
	uint64_t idle = worker->spin_ns + worker->slept_ns, twice = worker->spin_ns * 2;

	if (!worker->slept_ns)
		return;
	worker->slept_ns = 0;
	if (!worker->may_spin || !work || idle > SPIN_MAX_NS)
		worker->spin_ns = 0;
	else if (twice < SPIN_MIN_NS)
		worker->spin_ns = SPIN_MIN_NS;
	else
		worker->spin_ns = twice < SPIN_MAX_NS ? twice : SPIN_MAX_NS;
}

/*
 * How long a sleep may be for all that no event ends: requests that a limit keeps waiting, and
 * grants that persist, which are looked at when they may have been unused for long enough.
 * UINT64_MAX: no limit.
 */
static uint64_t longest(struct pvr_blkback_worker *worker, uint64_t now)
{
	uint64_t end = UINT64_MAX;

	for (struct pvr_blkback_ring *ring = worker->rings; ring; ring = ring->next) {
		uint64_t due = ring->wait_until ? ring->wait_until : UINT64_MAX;

		if (ring->grants && ring->grants->count) {
			pvr_blkback_grants_prune(ring->grants, worker->turn.host, now);
			if (due > now + PVR_BLKBACK_GRANTS_IDLE_NS)
				due = now + PVR_BLKBACK_GRANTS_IDLE_NS;
		}
		if (due < end)
			end = due;
	}
	if (end == UINT64_MAX)
		return end;
	return end > now ? end - now : 0;
}

static void sleep_on(struct pvr_blkback_worker *worker)
{
	int paced = worker->empty_wakes > EMPTY_WAKES_FREE;
	struct pollfd fds[2 + PVR_BLKBACK_KINDS] = {
		{.fd = worker->command_fd, .events = POLLIN},
		{.fd = paced ? -1 : pvr_host_evtchn_fd(worker->turn.host), .events = POLLIN},
	};
	uint64_t before = now_ns(),
		 limit = paced || has_unsent(worker) ? PACE_NS : longest(worker, before);
	struct timespec timeout = {
		.tv_sec = (time_t)(limit / 1000000000u), .tv_nsec = (long)(limit % 1000000000u)};

	for (unsigned kind = 0; kind < PVR_BLKBACK_KINDS; kind++)
		fds[2 + kind] = (struct pollfd){
			.fd = pvr_blkback_engine_fd(worker->turn.engine[kind]), .events = POLLIN};
	if (ppoll(fds, 2 + PVR_BLKBACK_KINDS, limit == UINT64_MAX ? NULL : &timeout, NULL) < 0)
		return;
	worker->slept_ns = now_ns() - before;
	if (fds[0].revents)
		clear_fd(worker->command_fd);
	if (fds[1].revents) {
		drain_events(worker);
		worker->empty_wakes++;
	} else if (paced && drain_events(worker) == 0) {
		worker->empty_wakes = EMPTY_WAKES_FREE; /* the flood is over, or draws breath */
	}
}

/* ---- the thread ---- */

static int open_engines(struct pvr_blkback_worker *worker)
{
	struct pvr_blkback_engine **engine = worker->turn.engine;
	int result = 0;

	for (unsigned kind = 0; !result && kind < PVR_BLKBACK_KINDS; kind++)
		result = pvr_blkback_engine_create(kind, &engine[kind]);
	if (!result && engine[PVR_BLKBACK_URING]->refused && !worker->quiet)
		fprintf(stderr,
			"pvring blkback: io_uring is refused (%s): files are served by %s, "
			"more slowly\n",
			strerror(-engine[PVR_BLKBACK_URING]->refused),
			engine[PVR_BLKBACK_URING]->ops->name);
	return result;
}

static void close_all(struct pvr_blkback_worker *worker)
{
	for (unsigned kind = 0; kind < PVR_BLKBACK_KINDS; kind++)
		pvr_blkback_engine_destroy(worker->turn.engine[kind]);
	if (worker->turn.host)
		pvr_host_close(worker->turn.host);
}

/* io_uring wants to be made by the thread that uses it, and so may a host handle. */
static int open_all(struct pvr_blkback_worker *worker)
{
	int result = pvr_host_open(worker->dir, &worker->turn.host);

	if (result)
		return result;
	worker->turn.done_end = &worker->turn.done;
	return open_engines(worker);
}

static void serve(struct pvr_blkback_worker *worker)
{
	while (!atomic_load_explicit(&worker->stop, memory_order_acquire)) {
		unsigned work;

		obey(worker);
		work = turn(worker);
		adapt_spin(worker, work);
		if (work) {
			worker->empty_wakes = 0;
			continue;
		}
		obey(worker); /* what this turn has drained */
		if (spin(worker) || arm(worker))
			continue;
		sleep_on(worker);
	}
}

static void *thread_main(void *opaque)
{
	struct pvr_blkback_worker *worker = opaque;
	int result = open_all(worker);

	worker->start_error = result;
	sem_post(&worker->started);
	if (!result)
		serve(worker);
	close_all(worker);
	return NULL;
}

/* The thread gets no signals: they are the control thread's. */
static int spawn(struct pvr_blkback_worker *worker)
{
	pthread_attr_t attr;
	sigset_t all, old;
	int result;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, STACK_BYTES);
	if (worker->cpu >= 0) {
		cpu_set_t cpus;

		CPU_ZERO(&cpus);
		CPU_SET((unsigned)worker->cpu, &cpus);
		pthread_attr_setaffinity_np(&attr, sizeof(cpus), &cpus);
	}
	result = pthread_create(&worker->thread, &attr, thread_main, worker);
	pthread_attr_destroy(&attr);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	return -result;
}

static void worker_free(struct pvr_blkback_worker *worker)
{
	close(worker->command_fd);
	pthread_mutex_destroy(&worker->lock);
	sem_destroy(&worker->started);
	free(worker);
}

int pvr_blkback_worker_start(
	const char *dir, int wake_fd, int quiet, int cpu, struct pvr_blkback_worker **worker)
{
	struct pvr_blkback_worker *new = calloc(1, sizeof(*new));
	int result;

	if (!new)
		return -ENOMEM;
	new->command_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (new->command_fd < 0) {
		result = -errno;
		free(new);
		return result;
	}
	new->dir = dir;
	new->wake_fd = wake_fd;
	new->quiet = quiet;
	new->cpu = cpu;
	/* The frontend may run beside us, also when this process is pinned to one CPU. */
	new->may_spin = sysconf(_SC_NPROCESSORS_ONLN) > 1;
	pthread_mutex_init(&new->lock, NULL);
	sem_init(&new->started, 0, 0);
	result = spawn(new);
	if (!result) {
		while (sem_wait(&new->started))
			;
		result = new->start_error;
		if (result)
			pthread_join(new->thread, NULL);
	}
	if (result) {
		worker_free(new);
		return result;
	}
	*worker = new;
	return 0;
}

void pvr_blkback_worker_stop(struct pvr_blkback_worker *worker)
{
	if (!worker)
		return;
	atomic_store_explicit(&worker->stop, 1, memory_order_release);
	signal_fd(worker->command_fd);
	pthread_join(worker->thread, NULL);
	worker_free(worker);
}

/* The flag before the eventfd: a worker that is woken finds it. */
static void ask(struct pvr_blkback_worker *worker)
{
	atomic_store_explicit(&worker->asked, 1, memory_order_release);
	signal_fd(worker->command_fd);
}

void pvr_blkback_worker_add(struct pvr_blkback_worker *worker, struct pvr_blkback_ring *ring)
{
	pthread_mutex_lock(&worker->lock);
	ring->next = worker->joining;
	worker->joining = ring;
	pthread_mutex_unlock(&worker->lock);
	ask(worker);
}

void pvr_blkback_worker_remove(struct pvr_blkback_worker *worker, struct pvr_blkback_ring *ring)
{
	atomic_store_explicit(&ring->leave, 1, memory_order_relaxed);
	ask(worker);
}
