/* SPDX-License-Identifier: MIT */
/*
 * The worker thread. A turn: a batch from every ring, submit, reap, answer, one notification a
 * ring. When a turn finds nothing it spins for a moment, then arms every ring's event and sleeps in
 * one poll(2) on events, completions, commands and the rings' own descriptors.
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

#include <pvring/ring.h>

#define STACK_BYTES (256u * 1024)
#define FDS_OWN     2u /* of the worker itself: commands, events */

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

struct pvr_back_worker {
	pthread_t thread;
	const char *address;
	const struct pvr_back_turn_ops *ops;
	int wake_fd, first, cpu, may_spin;
	sem_t started;
	int start_error;

	int command_fd; /* eventfd: something below has changed */
	_Atomic int stop;
	_Atomic int asked;    /* a ring is to join or to leave */
	pthread_mutex_t lock; /* of `joining`, and of nothing on the data path */
	struct pvr_back_ring *joining;

	/* From here on the thread's own. */
	struct pvr_back_turn *turn;
	struct pvr_back_ring *rings;
	unsigned ring_count;
	struct pollfd *fds;         /* room for FDS_OWN, those of the turn, and one a ring */
	uint64_t spin_ns, slept_ns; /* slept_ns: 0 once it has been judged */
	unsigned empty_wakes;
};

static void signal_fd(int fd)
{
	uint64_t one = 1;

	while (write(fd, &one, sizeof(one)) < 0 && errno == EINTR)
		;
}

void pvr_back_turn_wake(struct pvr_back_turn *turn)
{
	signal_fd(turn->wake_fd);
}

static void clear_fd(int fd)
{
	uint64_t count;

	while (read(fd, &count, sizeof(count)) < 0 && errno == EINTR)
		;
}

/* ---- rings come and go ---- */

/* From here on a ring that is FAILED or GONE is the control thread's, which may free it. */
static void hand_over(struct pvr_back_worker *worker, struct pvr_back_ring *ring, int state)
{
	atomic_store_explicit(&ring->state, state, memory_order_release);
	pvr_back_turn_wake(worker->turn);
}

static int make_room(struct pvr_back_worker *worker, unsigned rings)
{
	struct pollfd *fds =
		realloc(worker->fds, (FDS_OWN + PVR_BACK_FDS + rings) * sizeof(*worker->fds));

	if (!fds)
		return -ENOMEM;
	worker->fds = fds;
	return 0;
}

static void join(struct pvr_back_worker *worker, struct pvr_back_ring *ring)
{
	ring->error = "no memory";
	if (make_room(worker, worker->ring_count + 1) || ring->ops->connect(ring, worker->turn)) {
		hand_over(worker, ring, PVR_BACK_FAILED);
		return;
	}
	ring->next = worker->rings;
	worker->rings = ring;
	worker->ring_count++;
	hand_over(worker, ring, PVR_BACK_LIVE);
}

static void take_joining(struct pvr_back_worker *worker)
{
	struct pvr_back_ring *ring;

	pthread_mutex_lock(&worker->lock);
	ring = worker->joining;
	worker->joining = NULL;
	pthread_mutex_unlock(&worker->lock);
	while (ring) {
		struct pvr_back_ring *next = ring->next;

		join(worker, ring);
		ring = next;
	}
}

static int leaving(const struct pvr_back_ring *ring)
{
	return atomic_load_explicit(&ring->leave, memory_order_relaxed);
}

static int drained(const struct pvr_back_ring *ring)
{
	return !ring->ops->drained || ring->ops->drained(ring);
}

/* Gives back what is drained; how many rings are still leaving. */
static unsigned part(struct pvr_back_worker *worker)
{
	struct pvr_back_ring **at = &worker->rings;
	unsigned left = 0;

	while (*at) {
		struct pvr_back_ring *ring = *at;

		if (!leaving(ring) || !drained(ring)) {
			left += (unsigned)leaving(ring);
			at = &ring->next;
			continue;
		}
		*at = ring->next;
		worker->ring_count--;
		ring->ops->disconnect(ring, worker->turn);
		if (worker->ops->parted)
			worker->ops->parted(worker->turn, ring, worker->rings);
		hand_over(worker, ring, PVR_BACK_GONE);
	}
	return left;
}

/* Costs a load when nothing was asked. While a ring is draining it is asked again every turn. */
static void obey(struct pvr_back_worker *worker)
{
	if (!atomic_load_explicit(&worker->asked, memory_order_relaxed))
		return;
	atomic_exchange_explicit(&worker->asked, 0, memory_order_acq_rel);
	take_joining(worker);
	if (part(worker))
		atomic_store_explicit(&worker->asked, 1, memory_order_relaxed);
}

/* ---- a turn ---- */

/* Whether anything is to be taken from a ring now. */
static int serving(const struct pvr_back_ring *ring)
{
	return pvr_back_ring_state(ring) == PVR_BACK_LIVE && !leaving(ring);
}

static unsigned finish(struct pvr_back_worker *worker)
{
	return worker->ops->finish ? worker->ops->finish(worker->turn) : 0;
}

static unsigned turn(struct pvr_back_worker *worker)
{
	unsigned work = 0;

	for (struct pvr_back_ring *ring = worker->rings; ring; ring = ring->next) {
		int taken = serving(ring) ? ring->ops->take(ring, worker->turn) : 0;

		if (ring->ops->go_on)
			work += ring->ops->go_on(ring, worker->turn);
		if (taken < 0)
			pvr_back_turn_wake(worker->turn);
		else
			work += (unsigned)taken;
	}
	work += finish(worker);
	for (struct pvr_back_ring *ring = worker->rings; ring; ring = ring->next)
		ring->ops->publish(ring, worker->turn);
	return work;
}

/* ---- sleeping ---- */

static int anything_pending(struct pvr_back_worker *worker)
{
	for (struct pvr_back_ring *ring = worker->rings; ring; ring = ring->next)
		if (serving(ring) && ring->ops->pending(ring))
			return 1;
	return 0;
}

static void count(_Atomic uint64_t *counter)
{
	if (counter)
		atomic_fetch_add_explicit(counter, 1, memory_order_relaxed);
}

static void count_poll(struct pvr_back_worker *worker, int hit)
{
	for (struct pvr_back_ring *ring = worker->rings; ring; ring = ring->next)
		if (serving(ring))
			count(hit ? ring->polls_hit : ring->polls_missed);
}

/*
 * 1 when something turned up. Completions count too: finish them here rather than sleep for them.
 */
static int spin(struct pvr_back_worker *worker)
{
	uint64_t end = pvr_back_now_ns() + worker->spin_ns;
	int hit = 0;

	if (!worker->spin_ns)
		return 0;
	do {
		pvr_cpu_relax();
		hit = anything_pending(worker) || finish(worker);
	} while (!hit && pvr_back_now_ns() < end);
	count_poll(worker, hit);
	return hit;
}

/* Ask every ring for an event; 1 when one has work after all. */
static int arm(struct pvr_back_worker *worker)
{
	for (struct pvr_back_ring *ring = worker->rings; ring; ring = ring->next)
		if (serving(ring) && ring->ops->arm(ring))
			return 1;
	return 0;
}

static void count_event(struct pvr_back_worker *worker, evtchn_port_t port)
{
	for (struct pvr_back_ring *ring = worker->rings; ring; ring = ring->next)
		for (unsigned i = 0; i < PVR_BACK_PORTS; i++)
			if (ring->ports[i] == port)
				count(ring->events_in);
}

/* Clear what is pending, at most as many as there are ports: a flood must end this loop too. How
 * many. */
static unsigned drain_events(struct pvr_back_worker *worker)
{
	unsigned taken = 0;

	while (taken < worker->ring_count * PVR_BACK_PORTS) {
		int port = pvr_host_evtchn_pending(worker->turn->host);

		if (port < 0)
			break;
		count_event(worker, (evtchn_port_t)port);
		taken++;
	}
	return taken;
}

/* After the first turn that follows a sleep: was the sleep worth it? */
static void adapt_spin(struct pvr_back_worker *worker, unsigned work)
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

/* How long a sleep may be for all that no event ends. PVR_BACK_NEVER: no limit. */
static uint64_t longest(struct pvr_back_worker *worker, uint64_t now, int paced)
{
	uint64_t end = paced ? now + PACE_NS : PVR_BACK_NEVER;

	for (struct pvr_back_ring *ring = worker->rings; ring; ring = ring->next) {
		uint64_t due =
			ring->ops->due ? ring->ops->due(ring, worker->turn, now) : PVR_BACK_NEVER;

		if (due < end)
			end = due;
	}
	if (worker->ops->due) {
		uint64_t due = worker->ops->due(worker->turn, now);

		if (due < end)
			end = due;
	}
	if (end == PVR_BACK_NEVER)
		return end;
	return end > now ? end - now : 0;
}

/* What to sleep on, behind the worker's own; how many in all. */
static nfds_t gather_fds(struct pvr_back_worker *worker)
{
	int turn_fds[PVR_BACK_FDS];
	unsigned turn_count = worker->ops->fds ? worker->ops->fds(worker->turn, turn_fds) : 0;
	nfds_t count_all = FDS_OWN;

	for (unsigned i = 0; i < turn_count; i++)
		worker->fds[count_all++] = (struct pollfd){.fd = turn_fds[i], .events = POLLIN};
	for (struct pvr_back_ring *ring = worker->rings; ring; ring = ring->next) {
		short events = 0;
		int fd = ring->ops->fd && serving(ring) ? ring->ops->fd(ring, &events) : -1;

		if (fd >= 0)
			worker->fds[count_all++] = (struct pollfd){.fd = fd, .events = events};
	}
	return count_all;
}

static void sleep_on(struct pvr_back_worker *worker)
{
	int paced = worker->empty_wakes > EMPTY_WAKES_FREE;
	uint64_t before = pvr_back_now_ns(), limit = longest(worker, before, paced);
	struct timespec timeout = {
		.tv_sec = (time_t)(limit / 1000000000u), .tv_nsec = (long)(limit % 1000000000u)};
	struct pollfd *fds = worker->fds;

	fds[0] = (struct pollfd){.fd = worker->command_fd, .events = POLLIN};
	fds[1] = (struct pollfd){
		.fd = paced ? -1 : pvr_host_evtchn_fd(worker->turn->host), .events = POLLIN};
	if (ppoll(fds, gather_fds(worker), limit == PVR_BACK_NEVER ? NULL : &timeout, NULL) < 0)
		return;
	worker->slept_ns = pvr_back_now_ns() - before;
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

static void close_all(struct pvr_back_worker *worker)
{
	if (worker->turn && worker->ops->close)
		worker->ops->close(worker->turn);
	if (worker->turn && worker->turn->host)
		pvr_host_close(worker->turn->host);
	free(worker->turn);
	free(worker->fds);
}

/* io_uring wants to be made by the thread that uses it, and so may a host handle. */
static int open_all(struct pvr_back_worker *worker)
{
	int result;

	worker->turn = calloc(1, worker->ops->size);
	if (!worker->turn || make_room(worker, 0))
		return -ENOMEM;
	worker->turn->ops = worker->ops;
	worker->turn->wake_fd = worker->wake_fd;
	result = pvr_host_open(worker->address, &worker->turn->host);
	if (!result && worker->ops->open)
		result = worker->ops->open(worker->turn, worker->first);
	return result;
}

static void serve(struct pvr_back_worker *worker)
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
	struct pvr_back_worker *worker = opaque;
	int result = open_all(worker);

	worker->start_error = result;
	sem_post(&worker->started);
	if (!result)
		serve(worker);
	close_all(worker);
	return NULL;
}

/* The thread gets no signals: they are the control thread's. */
static int spawn(struct pvr_back_worker *worker)
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

static void worker_free(struct pvr_back_worker *worker)
{
	close(worker->command_fd);
	pthread_mutex_destroy(&worker->lock);
	sem_destroy(&worker->started);
	free(worker);
}

int pvr_back_worker_start(const struct pvr_back_turn_ops *ops, const char *address, int wake_fd,
	int first, int cpu, struct pvr_back_worker **worker)
{
	struct pvr_back_worker *new = calloc(1, sizeof(*new));
	int result;

	if (!new)
		return -ENOMEM;
	new->command_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (new->command_fd < 0) {
		result = -errno;
		free(new);
		return result;
	}
	new->ops = ops;
	new->address = address;
	new->wake_fd = wake_fd;
	new->first = first;
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

void pvr_back_worker_stop(struct pvr_back_worker *worker)
{
	if (!worker)
		return;
	atomic_store_explicit(&worker->stop, 1, memory_order_release);
	signal_fd(worker->command_fd);
	pthread_join(worker->thread, NULL);
	worker_free(worker);
}

/* The flag before the eventfd: a worker that is woken finds it. */
static void ask(struct pvr_back_worker *worker)
{
	atomic_store_explicit(&worker->asked, 1, memory_order_release);
	signal_fd(worker->command_fd);
}

void pvr_back_worker_add(struct pvr_back_worker *worker, struct pvr_back_ring *ring)
{
	pthread_mutex_lock(&worker->lock);
	ring->next = worker->joining;
	worker->joining = ring;
	pthread_mutex_unlock(&worker->lock);
	ask(worker);
}

void pvr_back_worker_remove(struct pvr_back_worker *worker, struct pvr_back_ring *ring)
{
	atomic_store_explicit(&ring->leave, 1, memory_order_relaxed);
	ask(worker);
}
