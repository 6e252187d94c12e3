/* SPDX-License-Identifier: MIT */
/*
 * Event channels in a process. What the hypervisor does between two virtual machines is done here
 * by the receiver: an event is a write to an eventfd, and whoever of this process learns of it sets
 * the bits in shared_info as the two-level ABI says (Xen's event_channel.h and xen.h).
 *
 * A port is listened to in one of two places. A thread in SCHEDOP_poll sleeps on the descriptor
 * itself. The upcall thread sleeps on an epoll set of the ports that have been unmasked; one that
 * turns out to be masked is taken out of the set when its next event comes (disarmed), so a masked
 * port costs one wake-up at most, and mask and unmask without an event between them cost no system
 * call.
 *
 * The descriptor is itself an epoll set, which holds the peer's eventfd edge-triggered
 * (pvring/hypervisor.h). The upcall thread's set holds it edge-triggered too, so one epoll_wait
 * takes an event and nothing is read.
 */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include <pvring/process.h>

#include "internal.h"

#define PORTS     ((uint32_t)EVTCHN_2L_NR_CHANNELS)
#define POLL_MAX  128u /* as Xen: sched_op refuses more */
#define BATCH     64
#define WORD_BITS ((uint32_t)(8 * sizeof(xen_ulong_t)))

/* What an epoll event is about, where it is no port. */
#define EVENT_KICK    (PORTS + 0)
#define EVENT_CONTROL (PORTS + 1)

struct port {
	pthread_mutex_t lock; /* the descriptors stay open while it is held */
	enum port_kind kind;
	int armed; /* in the upcall thread's set */
	int rx, tx;
};

static struct port ports[EVTCHN_2L_NR_CHANNELS];
static pthread_t thread;
static int set = -1;  /* the upcall thread's */
static int kick = -1; /* eventfd that wakes it */
static _Atomic int stop;
static _Atomic uint32_t upcalls; /* delivered so far */

static int bit_test(const xen_ulong_t *words, uint32_t bit)
{
	return (int)(__atomic_load_n(&words[bit / WORD_BITS], __ATOMIC_SEQ_CST) >> bit % WORD_BITS &
		     1);
}

static int bit_test_and_set(xen_ulong_t *words, uint32_t bit)
{
	xen_ulong_t mask = (xen_ulong_t)1 << bit % WORD_BITS;

	return (__atomic_fetch_or(&words[bit / WORD_BITS], mask, __ATOMIC_SEQ_CST) & mask) != 0;
}

static void bit_clear(xen_ulong_t *words, uint32_t bit)
{
	__atomic_fetch_and(
		&words[bit / WORD_BITS], ~((xen_ulong_t)1 << bit % WORD_BITS), __ATOMIC_SEQ_CST);
}

/* Second and third level of a pending, unmasked port. */
static void vcpu_mark(evtchn_port_t port)
{
	struct vcpu_info *vcpu = &pvr_process.info->vcpu_info[0];

	if (!bit_test_and_set(&vcpu->evtchn_pending_sel, port / WORD_BITS))
		__atomic_store_n(&vcpu->evtchn_upcall_pending, 1, __ATOMIC_SEQ_CST);
}

/* An event came for `port`. Nonzero when an upcall is due. */
static int port_raise(evtchn_port_t port)
{
	if (bit_test_and_set(pvr_process.info->evtchn_pending, port))
		return 0;
	if (bit_test(pvr_process.info->evtchn_mask, port))
		return 0;
	vcpu_mark(port);
	return 1;
}

static void thread_kick(void)
{
	uint64_t one = 1;
	ssize_t n = write(kick, &one, sizeof(one));

	(void)n; /* full is kicked */
}

static void kick_drain(void)
{
	uint64_t count;
	ssize_t n = read(kick, &count, sizeof(count));

	(void)n;
}

static void port_listen(evtchn_port_t port, struct port *p)
{
	struct epoll_event event = {.events = EPOLLIN | EPOLLET, .data.u32 = port};

	if (!p->armed)
		p->armed = epoll_ctl(set, EPOLL_CTL_ADD, p->rx, &event) == 0;
}

/*
 * The port is masked and had an event: leave the set. What came is taken from the descriptor first
 * and becomes the pending bit, so that listening again does not report it twice; what comes later
 * stays for that.
 */
static void port_disarm(struct port *p)
{
	struct epoll_event taken;

	if (!p->armed)
		return;
	epoll_ctl(set, EPOLL_CTL_DEL, p->rx, NULL);
	p->armed = 0;
	epoll_wait(p->rx, &taken, 1, 0);
}

static void port_event(evtchn_port_t port)
{
	struct port *p = &ports[port];

	/* The lock, partner events_unmask: it sees either the mask bit or the port in the set. */
	pthread_mutex_lock(&p->lock);
	if (p->kind != PORT_CLOSED) {
		if (bit_test(pvr_process.info->evtchn_mask, port))
			port_disarm(p);
		port_raise(port);
	}
	pthread_mutex_unlock(&p->lock);
}

static void *upcall_thread(void *arg)
{
	uint8_t *pending = &pvr_process.info->vcpu_info[0].evtchn_upcall_pending;
	struct epoll_event events[BATCH];

	(void)arg;
	while (!stop) {
		int n = epoll_wait(set, events, BATCH, -1);

		for (int i = 0; i < n; i++) {
			if (events[i].data.u32 == EVENT_CONTROL)
				process_lost();
			else if (events[i].data.u32 == EVENT_KICK)
				kick_drain();
			else
				port_event(events[i].data.u32);
		}
		if (!__atomic_load_n(pending, __ATOMIC_SEQ_CST) || stop)
			continue;
		pvr_upcall();
		upcalls++;
		pvr_port_wake(&upcalls);
	}
	return NULL;
}

static int listen_to(int fd, uint32_t events, uint32_t what)
{
	struct epoll_event event = {.events = events, .data.u32 = what};

	return epoll_ctl(set, EPOLL_CTL_ADD, fd, &event) ? -errno : 0;
}

/* Signals are for the program's own threads. */
static int thread_start(void)
{
	sigset_t all, before;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	int err = pthread_create(&thread, NULL, upcall_thread, NULL);

	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return -err;
}

int events_init(void)
{
	int err;

	stop = 0;
	set = epoll_create1(EPOLL_CLOEXEC);
	kick = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (set < 0 || kick < 0)
		err = -errno;
	else
		err = listen_to(kick, EPOLLIN, EVENT_KICK);
	if (!err) /* hang-up only: replies are read by whoever called */
		err = listen_to(pvr_process.control, EPOLLRDHUP | EPOLLET, EVENT_CONTROL);
	if (!err)
		err = thread_start();
	if (!err)
		return 0;
	if (set >= 0)
		close(set);
	if (kick >= 0)
		close(kick);
	return err;
}

void events_fini(void)
{
	stop = 1;
	thread_kick();
	pthread_join(thread, NULL);
	events_reset();
	close(set);
	close(kick);
}

int events_port_open(evtchn_port_t port, enum port_kind kind, int rx, int tx)
{
	if (port >= PORTS)
		return -EPROTO;
	pthread_mutex_lock(&ports[port].lock);
	ports[port].kind = kind;
	ports[port].rx = rx;
	ports[port].tx = tx;
	ports[port].armed = 0;
	pthread_mutex_unlock(&ports[port].lock);
	return 0;
}

void events_port_close(evtchn_port_t port)
{
	if (port >= PORTS)
		return;
	struct port *p = &ports[port];

	pthread_mutex_lock(&p->lock);
	if (p->kind != PORT_CLOSED) {
		if (p->armed)
			epoll_ctl(set, EPOLL_CTL_DEL, p->rx, NULL);
		close(p->rx);
		close(p->tx);
		p->kind = PORT_CLOSED;
		bit_clear(pvr_process.info->evtchn_pending, port);
	}
	pthread_mutex_unlock(&p->lock);
}

void events_reset(void)
{
	for (evtchn_port_t port = 0; port < PORTS; port++)
		events_port_close(port);
}

/* A full counter needs nothing more: the peer has not looked since. */
long events_send(evtchn_port_t port)
{
	uint64_t one = 1;
	long result = -EINVAL;

	if (port >= PORTS)
		return -EINVAL;
	/* The other end of the store's channel is the daemon itself; backends may well be alive. */
	if (port == pvr_process.store_port && pvr_process.lost)
		return -ECONNRESET;
	pthread_mutex_lock(&ports[port].lock);
	if (ports[port].kind == PORT_SENDS) {
		ssize_t n = write(ports[port].tx, &one, sizeof(one));

		(void)n;
		result = 0;
	}
	pthread_mutex_unlock(&ports[port].lock);
	return result;
}

long events_unmask(evtchn_port_t port)
{
	struct shared_info *info = pvr_process.info;
	long result = -EINVAL;

	if (port >= PORTS)
		return -EINVAL;
	pthread_mutex_lock(&ports[port].lock);
	if (ports[port].kind != PORT_CLOSED) {
		result = 0;
		bit_clear(info->evtchn_mask, port);
		port_listen(port, &ports[port]);
		if (bit_test(info->evtchn_pending, port)) {
			vcpu_mark(port);
			thread_kick();
		}
	}
	pthread_mutex_unlock(&ports[port].lock);
	return result;
}

/*
 * The time from now to `deadline` (0: none) for a system call that wants a duration; NULL for none.
 */
static struct timespec *time_left(uint64_t deadline, struct timespec *left)
{
	uint64_t now = pvr_port_now_ns();
	uint64_t ns = deadline > now ? deadline - now : 0;

	if (!deadline)
		return NULL;
	*left = (struct timespec){
		.tv_sec = (time_t)(ns / 1000000000), .tv_nsec = (long)(ns % 1000000000)};
	return left;
}

/* Take what waits on the descriptor of `port`, sleeping for it up to the deadline. */
static void port_take(evtchn_port_t port, int rx, const struct timespec *left)
{
	struct epoll_event event;

	if (epoll_pwait2(rx, &event, 1, left, NULL) == 1 && port_raise(port))
		thread_kick();
}

/* The descriptor to sleep on for `port`; -EINVAL: no such port. It is the caller's not to close it
 * meanwhile. */
static int port_rx(evtchn_port_t port)
{
	int rx = -EINVAL;

	if (port >= PORTS)
		return -EINVAL;
	pthread_mutex_lock(&ports[port].lock);
	if (ports[port].kind != PORT_CLOSED)
		rx = ports[port].rx;
	pthread_mutex_unlock(&ports[port].lock);
	return rx;
}

long events_poll(const struct sched_poll *poll)
{
	static const struct timespec none;
	struct pollfd fds[POLL_MAX];
	struct timespec left;

	if (poll->nr_ports > POLL_MAX)
		return -EINVAL;
	for (unsigned i = 0; i < poll->nr_ports; i++) {
		int rx = port_rx(poll->ports[i]);

		if (rx < 0)
			return rx;
		if (bit_test(pvr_process.info->evtchn_pending, poll->ports[i]))
			return 0;
		fds[i] = (struct pollfd){.fd = rx, .events = POLLIN};
	}
	if (poll->nr_ports == 1) {
		port_take(poll->ports[0], fds[0].fd, time_left(poll->timeout, &left));
		return 0;
	}
	ppoll(fds, poll->nr_ports, time_left(poll->timeout, &left), NULL);
	for (unsigned i = 0; i < poll->nr_ports; i++)
		if (fds[i].revents & POLLIN)
			port_take(poll->ports[i], fds[i].fd, &none);
	return 0;
}

/* Out of the upcall thread's set, which would take what the caller sleeps for. */
int pvr_process_evtchn_fd(evtchn_port_t port)
{
	int rx = -EINVAL;

	if (port >= PORTS)
		return -EINVAL;
	pthread_mutex_lock(&ports[port].lock);
	if (ports[port].kind != PORT_CLOSED) {
		port_disarm(&ports[port]);
		rx = ports[port].rx;
	}
	pthread_mutex_unlock(&ports[port].lock);
	return rx;
}

void pvr_process_evtchn_drain(evtchn_port_t port)
{
	struct epoll_event taken;

	if (port >= PORTS)
		return;
	pthread_mutex_lock(&ports[port].lock);
	if (ports[port].kind != PORT_CLOSED) {
		epoll_wait(ports[port].rx, &taken, 1, 0);
		bit_clear(pvr_process.info->evtchn_pending, port);
	}
	pthread_mutex_unlock(&ports[port].lock);
}

/*
 * Sleep until an upcall ran that the calling thread has not slept for yet. A thread of a process
 * cannot keep upcalls off between its last look and this call, so one that ran meanwhile has to end
 * the sleep.
 */
long events_block(void)
{
	static _Thread_local uint32_t seen;

	if (upcalls == seen)
		pvr_port_wait(&upcalls, seen, UINT64_MAX);
	seen = upcalls;
	return 0;
}
