/* SPDX-License-Identifier: MIT */
/* pvring/port.h for the test process. */
#include "mock_port.h"

#include <pvring/xen/sched.h>

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

#define PAGES     2560u
#define FIRST_GFN 0x100u
#define PORTS     64u
#define BITS      (sizeof(xen_ulong_t) * 8)

static struct {
	uint8_t *arena;
	uint8_t used[PAGES];
	struct pvr_boot boot;
	uint8_t open[PORTS];
	_Atomic unsigned sends[PORTS];
	void (*hook[PORTS])(void *arg);
	void *hook_arg[PORTS];
	int fail_evtchn;
	unsigned lines;
	char last[256];
} m;

static pthread_mutex_t port_lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_mutex_t world = PTHREAD_MUTEX_INITIALIZER; /* all of m, and the sleepers */
static pthread_cond_t changed;
static pthread_once_t once = PTHREAD_ONCE_INIT;
static _Thread_local int locked, upcall_due;

static void init_once(void)
{
	pthread_condattr_t attr;

	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&changed, &attr);
	m.arena = mmap(NULL, PAGES * PVR_PAGE_SIZE, PROT_READ | PROT_WRITE,
		MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (m.arena == MAP_FAILED)
		abort();
}

void mock_reset(void)
{
	uint8_t *arena;

	pthread_once(&once, init_once);
	arena = m.arena;
	memset(&m, 0, sizeof(m));
	m.arena = arena;
	memset(arena, 0, PAGES * PVR_PAGE_SIZE);
	m.boot = (struct pvr_boot){
		.shared_info = pvr_port_pages_alloc(1),
		.store_ring = pvr_port_pages_alloc(1),
		.grant_table = pvr_port_pages_alloc(MOCK_FRAMES),
		.grant_frames = MOCK_FRAMES,
		.vcpus = 2,
		.store_port = MOCK_STORE_PORT,
		.domid = MOCK_DOMID,
	};
	m.open[MOCK_STORE_PORT] = 1;
}

void mock_start(void)
{
	mock_reset();
	if (pvr_init(&m.boot))
		abort();
}

struct pvr_boot *mock_boot(void)
{
	return &m.boot;
}

/* ---- pages ---- */

void *pvr_port_pages_alloc(unsigned count)
{
	void *pages = NULL;

	pthread_mutex_lock(&world);
	for (unsigned first = 0, run = 0; first + count <= PAGES; first += run + 1) {
		for (run = 0; run < count && !m.used[first + run]; run++)
			;
		if (run == count) {
			memset(m.used + first, 1, count);
			pages = m.arena + first * PVR_PAGE_SIZE;
			memset(pages, 0, count * PVR_PAGE_SIZE);
			break;
		}
	}
	pthread_mutex_unlock(&world);
	return pages;
}

void pvr_port_pages_free(void *pages, unsigned count)
{
	size_t first = (size_t)((uint8_t *)pages - m.arena) / PVR_PAGE_SIZE;

	pthread_mutex_lock(&world);
	for (unsigned i = 0; i < count; i++)
		if (!m.used[first + i]--)
			abort();
	pthread_mutex_unlock(&world);
}

uint64_t pvr_port_gfn(const void *address)
{
	size_t offset = (size_t)((const uint8_t *)address - m.arena);

	if (offset >= PAGES * PVR_PAGE_SIZE)
		abort();
	return FIRST_GFN + offset / PVR_PAGE_SIZE;
}

void *mock_port_page(uint64_t gfn)
{
	return gfn - FIRST_GFN < PAGES ? m.arena + (gfn - FIRST_GFN) * PVR_PAGE_SIZE : NULL;
}

unsigned mock_pages_used(void)
{
	unsigned used = 0;

	for (unsigned i = 0; i < PAGES; i++)
		used += m.used[i];
	return used;
}

/* ---- lock, clock, sleep ---- */

static void upcall(void)
{
	if (locked)
		upcall_due = 1;
	else
		pvr_upcall();
}

void pvr_port_lock(void)
{
	if (locked)
		abort();
	pthread_mutex_lock(&port_lock);
	locked = 1;
}

void pvr_port_unlock(void)
{
	int due = upcall_due;

	upcall_due = 0;
	locked = 0;
	pthread_mutex_unlock(&port_lock);
	if (due)
		pvr_upcall();
}

unsigned pvr_port_vcpu(void)
{
	return 0;
}

uint64_t pvr_port_now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

/* With `world` held. Nonzero at the deadline. */
static int sleep_until(uint64_t deadline_ns)
{
	struct timespec at = {
		(time_t)(deadline_ns / 1000000000u), (long)(deadline_ns % 1000000000u)};

	if (deadline_ns == UINT64_MAX)
		return pthread_cond_wait(&changed, &world);
	return pthread_cond_timedwait(&changed, &world, &at);
}

void pvr_port_wait(const _Atomic uint32_t *word, uint32_t seen, uint64_t deadline_ns)
{
	int late = 0;

	if (locked)
		abort();
	pthread_mutex_lock(&world);
	while (!late && *word == seen)
		late = sleep_until(deadline_ns);
	pthread_mutex_unlock(&world);
}

void pvr_port_wake(const _Atomic uint32_t *word)
{
	(void)word;
	pthread_mutex_lock(&world);
	pthread_cond_broadcast(&changed);
	pthread_mutex_unlock(&world);
}

void pvr_port_log(const char *line)
{
	pthread_mutex_lock(&world);
	m.lines++;
	snprintf(m.last, sizeof(m.last), "%s", line);
	pthread_mutex_unlock(&world);
}

void pvr_port_panic(const char *line)
{
	fprintf(stderr, "panic: %s\n", line);
	abort();
}

unsigned mock_log_lines(void)
{
	return m.lines;
}

const char *mock_log_last(void)
{
	return m.last;
}

/* ---- events ---- */

static xen_ulong_t bit(evtchn_port_t port)
{
	return (xen_ulong_t)1 << port % BITS;
}

static int is_set(const xen_ulong_t *words, evtchn_port_t port)
{
	return (__atomic_load_n(&words[port / BITS], __ATOMIC_SEQ_CST) & bit(port)) != 0;
}

static void deliver(evtchn_port_t port)
{
	struct vcpu_info *vcpu = &m.boot.shared_info->vcpu_info[0];

	__atomic_fetch_or(
		&vcpu->evtchn_pending_sel, (xen_ulong_t)1 << port / BITS, __ATOMIC_SEQ_CST);
	__atomic_store_n(&vcpu->evtchn_upcall_pending, 1, __ATOMIC_SEQ_CST);
	upcall();
}

void mock_raise(evtchn_port_t port)
{
	struct shared_info *shared = m.boot.shared_info;

	__atomic_fetch_or(&shared->evtchn_pending[port / BITS], bit(port), __ATOMIC_SEQ_CST);
	if (!is_set(shared->evtchn_mask, port))
		deliver(port);
	pvr_port_wake(NULL);
}

void mock_on_send(evtchn_port_t port, void (*hook)(void *arg), void *arg)
{
	m.hook[port] = hook;
	m.hook_arg[port] = arg;
}

unsigned mock_sends(evtchn_port_t port)
{
	return m.sends[port];
}

void mock_fail_evtchn(int error)
{
	m.fail_evtchn = error;
}

int mock_port_open(evtchn_port_t port)
{
	int open;

	pthread_mutex_lock(&world);
	open = port < PORTS && m.open[port];
	pthread_mutex_unlock(&world);
	return open;
}

static void close_port(evtchn_port_t port)
{
	pthread_mutex_lock(&world);
	m.open[port] = 0;
	pthread_mutex_unlock(&world);
}

static int alloc_port(evtchn_port_t *port)
{
	pthread_mutex_lock(&world);
	for (*port = MOCK_STORE_PORT + 1; *port < PORTS && m.open[*port]; ++*port)
		;
	if (*port < PORTS)
		m.open[*port] = 1;
	pthread_mutex_unlock(&world);
	return *port < PORTS ? 0 : -ENOSPC;
}

static long event_op(unsigned long command, void *arg)
{
	struct evtchn_bind_interdomain *bind = arg;
	evtchn_port_t port = *(evtchn_port_t *)arg; /* close, send and unmask have nothing else */

	if (m.fail_evtchn)
		return m.fail_evtchn;
	switch (command) {
	case EVTCHNOP_alloc_unbound:
		return alloc_port(&((struct evtchn_alloc_unbound *)arg)->port);
	case EVTCHNOP_bind_virq:
		return alloc_port(&((struct evtchn_bind_virq *)arg)->port);
	case EVTCHNOP_bind_interdomain:
		if (alloc_port(&bind->local_port))
			return -ENOSPC;
		mock_raise(bind->local_port);
		return 0;
	case EVTCHNOP_close:
		close_port(port);
		return 0;
	case EVTCHNOP_send:
		if (!mock_port_open(port))
			return -EINVAL;
		m.sends[port]++;
		if (m.hook[port])
			m.hook[port](m.hook_arg[port]);
		return 0;
	case EVTCHNOP_unmask:
		__atomic_fetch_and(&m.boot.shared_info->evtchn_mask[port / BITS], ~bit(port),
			__ATOMIC_SEQ_CST);
		if (is_set(m.boot.shared_info->evtchn_pending, port))
			deliver(port);
		return 0;
	default:
		return -ENOSYS;
	}
}

static int any_pending(const struct sched_poll *poll)
{
	for (unsigned i = 0; i < poll->nr_ports; i++)
		if (is_set(m.boot.shared_info->evtchn_pending, poll->ports[i]))
			return 1;
	return 0;
}

static long poll_op(const struct sched_poll *poll)
{
	uint64_t deadline = poll->timeout ? poll->timeout : UINT64_MAX;
	int late = 0;

	pthread_mutex_lock(&world);
	while (!late && !any_pending(poll))
		late = sleep_until(deadline);
	pthread_mutex_unlock(&world);
	return 0;
}

long pvr_port_hypercall(unsigned op, unsigned long a1, unsigned long a2, unsigned long a3)
{
	(void)a3;
	if (op == __HYPERVISOR_event_channel_op)
		return event_op(a1, (void *)a2);
	if (op == __HYPERVISOR_sched_op && a1 == SCHEDOP_poll)
		return poll_op((const void *)a2);
	return -ENOSYS;
}

/* ---- grants ---- */

void *mock_grant_map(grant_ref_t ref, domid_t peer, int write)
{
	struct grant_entry_v1 *entry = &m.boot.grant_table[ref];
	uint16_t flags = __atomic_load_n(&entry->flags, __ATOMIC_ACQUIRE);
	uint16_t use = (uint16_t)(GTF_reading | (write ? GTF_writing : 0));

	do {
		if ((flags & GTF_type_mask) != GTF_permit_access ||
			__atomic_load_n(&entry->domid, __ATOMIC_RELAXED) != peer ||
			(write && flags & GTF_readonly))
			return NULL;
	} while (!__atomic_compare_exchange_n(&entry->flags, &flags, (uint16_t)(flags | use), 0,
		__ATOMIC_SEQ_CST, __ATOMIC_ACQUIRE));
	return mock_port_page(__atomic_load_n(&entry->frame, __ATOMIC_RELAXED));
}

void mock_grant_unmap(grant_ref_t ref)
{
	__atomic_fetch_and(&m.boot.grant_table[ref].flags, (uint16_t) ~(GTF_reading | GTF_writing),
		__ATOMIC_SEQ_CST);
}

uint16_t mock_grant_flags(grant_ref_t ref)
{
	return __atomic_load_n(&m.boot.grant_table[ref].flags, __ATOMIC_SEQ_CST);
}
