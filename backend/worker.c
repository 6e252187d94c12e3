/* SPDX-License-Identifier: MIT */
/*
 * The worker thread. A turn: a batch from every ring, submit, reap, answer, one notification a
 * ring. When a turn finds nothing it sleeps (sleep.h).
 */
#include "worker.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "sleep.h"

#define STACK_BYTES (256u * 1024)

struct pvr_back_worker {
	pthread_t thread;
	const char *address;
	const struct pvr_back_turn_ops *ops;
	int wake_fd, first, cpu;
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
	struct pvr_back_sleep sleep;
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

/* ---- rings come and go ---- */

/* From here on a ring that is FAILED or GONE is the control thread's, which may free it. */
static void hand_over(struct pvr_back_worker *worker, struct pvr_back_ring *ring, int state)
{
	atomic_store_explicit(&ring->state, state, memory_order_release);
	pvr_back_turn_wake(worker->turn);
}

static void join(struct pvr_back_worker *worker, struct pvr_back_ring *ring)
{
	ring->error = "no memory";
	if (pvr_back_sleep_room(&worker->sleep, worker->ring_count + 1) ||
		ring->ops->connect(ring, worker->turn)) {
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

static unsigned turn(struct pvr_back_worker *worker)
{
	unsigned work = 0;

	for (struct pvr_back_ring *ring = worker->rings; ring; ring = ring->next) {
		int taken = pvr_back_ring_is_served(ring) ? ring->ops->take(ring, worker->turn) : 0;

		if (ring->ops->go_on)
			work += ring->ops->go_on(ring, worker->turn);
		if (taken < 0)
			pvr_back_turn_wake(worker->turn);
		else
			work += (unsigned)taken;
	}
	work += pvr_back_turn_finish(worker->turn);
	for (struct pvr_back_ring *ring = worker->rings; ring; ring = ring->next)
		ring->ops->publish(ring, worker->turn);
	return work;
}

/* ---- the thread ---- */

static void close_all(struct pvr_back_worker *worker)
{
	if (worker->turn && worker->ops->close)
		worker->ops->close(worker->turn);
	if (worker->turn && worker->turn->host)
		pvr_host_close(worker->turn->host);
	free(worker->turn);
	free(worker->sleep.fds);
}

/* io_uring wants to be made by the thread that uses it, and so may a host handle. */
static int open_all(struct pvr_back_worker *worker)
{
	int result;

	worker->turn = calloc(1, worker->ops->size);
	if (!worker->turn || pvr_back_sleep_room(&worker->sleep, 0))
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
		pvr_back_sleep_judge(&worker->sleep, work);
		if (work)
			continue;
		obey(worker); /* what this turn has drained */
		pvr_back_sleep(&worker->sleep, worker->turn, worker->rings, worker->ring_count);
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
	new->sleep.command_fd = new->command_fd;
	/* The frontend may run beside us, also when this process is pinned to one CPU. */
	new->sleep.may_spin = sysconf(_SC_NPROCESSORS_ONLN) > 1;
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
