/* SPDX-License-Identifier: MIT */
/*
 * The two halves of a ring in two threads that sleep as the drivers do: final check, then an event
 * that comes only when the other side found it wanted. A lost wake-up is a hang, which the deadline
 * turns into a failure. Under ThreadSanitizer the slots are plain memory, so a barrier that is
 * missing is a report.
 */
#include "suite.h"

#include <pvring/ring.h>

#include <errno.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdlib.h>
#include <time.h>

#define MESSAGES 200000u
#define ENTRIES  16u

struct message {
	uint32_t number;
	uint32_t check;
};

PVR_RING_TYPE(msg, struct message, struct message);

static struct pvr_sring *page;
static sem_t to_back, to_front; /* the event channel, both ways */
static unsigned notified[2];

/* 0, or -1 when nobody woke us for ten seconds: the wake-up was lost. */
static int event_wait(sem_t *event)
{
	struct timespec until;

	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += 10;
	while (sem_timedwait(event, &until))
		if (errno != EINTR)
			return -1;
	return 0;
}

static void *back_main(void *arg)
{
	struct pvr_ring ring;
	uint32_t answered = 0;
	struct message m;

	if (pvr_ring_back_attach(&ring, page, ENTRIES))
		return "attach";
	while (answered < MESSAGES) {
		int pending = pvr_ring_pending(&ring);

		if (!pending)
			pending = pvr_ring_final_check(&ring);
		if (pending < 0)
			return "back: impossible index";
		if (!pending) {
			if (event_wait(&to_back))
				return "back: lost wake-up";
			continue;
		}
		for (; pending; pending--) {
			msg_request_take(&ring, &m);
			if (m.number != answered++ || m.check != ~m.number)
				return "back: wrong message";
			m.check = m.number * 3;
			msg_response_put(&ring, &m);
		}
		if (pvr_ring_publish_notify(&ring)) {
			notified[1]++;
			sem_post(&to_front);
		}
	}
	(void)arg;
	return NULL;
}

static const char *front_main(struct pvr_ring *ring)
{
	uint32_t sent = 0, received = 0;
	struct message m;

	while (received < MESSAGES) {
		/*
		 * Batches of changing size, so that both sides sleep now and then and run now and
		 * then.
		 */
		uint32_t batch = 1 + sent % 7;
		int pending;

		for (; batch && sent < MESSAGES && pvr_ring_free(ring); batch--, sent++) {
			m = (struct message){sent, ~sent};
			msg_request_put(ring, &m);
		}
		if (pvr_ring_publish_notify(ring)) {
			notified[0]++;
			sem_post(&to_back);
		}
		pending = pvr_ring_pending(ring);
		if (!pending && (!pvr_ring_free(ring) || sent == MESSAGES))
			pending = pvr_ring_final_check(ring);
		if (pending < 0)
			return "front: impossible index";
		if (!pending && (!pvr_ring_free(ring) || sent == MESSAGES) && event_wait(&to_front))
			return "front: lost wake-up";
		for (; pending; pending--) {
			msg_response_take(ring, &m);
			if (m.number != received++ || m.check != m.number * 3)
				return "front: wrong message";
		}
	}
	return NULL;
}

static void two_threads_lose_nothing(void)
{
	struct pvr_ring ring;
	pthread_t back;
	const char *wrong;
	void *back_wrong;

	page = aligned_alloc(4096, 4096);
	sem_init(&to_back, 0, 0);
	sem_init(&to_front, 0, 0);
	pvr_ring_front_init(&ring, page, ENTRIES, UINT32_MAX - MESSAGES / 2);
	CU_ASSERT_EQUAL_FATAL(pthread_create(&back, NULL, back_main, NULL), 0);
	wrong = front_main(&ring);
	pthread_join(back, &back_wrong);
	CU_ASSERT_PTR_NULL(wrong);
	CU_ASSERT_PTR_NULL(back_wrong);
	/* Each asleep at least once, and neither notified for every message. */
	CU_ASSERT(notified[0] > 0 && notified[0] < MESSAGES);
	CU_ASSERT(notified[1] > 0 && notified[1] < MESSAGES);
	free(page);
}

PVR_SUITE(ring_threads, CASE(two_threads_lose_nothing))
