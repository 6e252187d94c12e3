/* SPDX-License-Identifier: MIT */
/*
 * A whole backend on the mock host: what its kinds' tests have in common. Who includes this has
 * defined BACK, the backend's directory of one device, and KIND; each test file has its own rig.
 */
#ifndef PVR_TEST_BACKEND_RIG_H
#define PVR_TEST_BACKEND_RIG_H

#include "suite.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include <pvring/xen/xenbus.h>

#include "../../backend/control.h"
#include "mock_host.h"

static struct pvr_back_control *control;
static pthread_t thread;
static int stop_fd;

static void *run(void *opaque)
{
	(void)opaque;
	return (void *)(intptr_t)pvr_back_control_run(control, stop_fd);
}

/* The backend alone; everything else is as it was. */
static inline void start_backend(const char *directory)
{
	stop_fd = eventfd(0, 0);
	CU_ASSERT_FATAL(
		pvr_back_control_create(KIND,
			&(struct pvr_back_config){.dir = directory, .workers = 2}, &control) == 0);
	CU_ASSERT_FATAL(pthread_create(&thread, NULL, run, NULL) == 0);
}

static inline void stop(void)
{
	uint64_t one = 1;
	void *result = (void *)1;

	CU_ASSERT(write(stop_fd, &one, sizeof(one)) == sizeof(one));
	pthread_join(thread, &result);
	CU_ASSERT_PTR_NULL(result);
	pvr_back_control_destroy(control);
	close(stop_fd);
	CU_ASSERT_EQUAL(mock_host_held(), 0);
}

static inline void pause_ms(unsigned ms)
{
	struct timespec ts = {.tv_nsec = (long)ms * 1000000};

	nanosleep(&ts, NULL);
}

static inline unsigned state_of(const char *path)
{
	char value[16];

	return mock_store_read(path, value, sizeof(value)) < 0 ? 0 : (unsigned)atoi(value);
}

/* Waits up to twenty seconds for the backend's state. */
static inline int becomes(unsigned state)
{
	for (unsigned i = 0; i < 20000; i++) {
		if (state_of(BACK "/state") == state)
			return 1;
		pause_ms(1);
	}
	fprintf(stderr, "backend: state %u, not %u\n", state_of(BACK "/state"), state);
	return 0;
}

static inline int node_is(const char *path, const char *expect)
{
	char value[256];

	if (mock_store_read(path, value, sizeof(value)) < 0)
		return 0;
	return !strcmp(value, expect);
}

/* The same within twenty seconds. */
static inline int node_becomes(const char *path, const char *expect)
{
	for (unsigned i = 0; i < 20000 && !node_is(path, expect); i++)
		pause_ms(1);
	return node_is(path, expect);
}

#endif
