/* SPDX-License-Identifier: MIT */
/*
 * What changes of a guest's page tables become, without the guest: mmap(MAP_FIXED) of other pages of a memfd and
 * mprotect, over the same range and in the same order as guest/s_bench.c, in a process with as many threads.
 */
#include "pv_bench.h"

#include <errno.h>
#include <pthread.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define PAGE    4096u
#define RANGE   512u
#define UPDATES 4096u

/* Beside the vCPU a guest's process has a thread for events and one for its console, which sleep. */
#define OTHERS 2u

struct range {
	uint8_t *at;
	int fd;
};

static int change(const struct range *r, unsigned first, unsigned pages, unsigned turn, int protect)
{
	uint8_t *at = r->at + (size_t)first * PAGE;
	const int all = PROT_READ | PROT_WRITE | PROT_EXEC;

	if (protect)
		return mprotect(at, (size_t)pages * PAGE, turn ? all & ~PROT_WRITE : all);
	return mmap(at, (size_t)pages * PAGE, all, MAP_SHARED | MAP_NORESERVE | MAP_FIXED, r->fd,
		       (off_t)(first + turn) * PAGE) == MAP_FAILED;
}

static int measure(const struct range *r, unsigned batch, int protect, double *per_second)
{
	if (change(r, 0, RANGE, 0, 0))
		return -errno;
	uint64_t begin = bench_now_ns();

	for (unsigned done = 0; done < UPDATES; done += batch)
		if (change(r, done % RANGE, batch, done / RANGE % 2, protect))
			return -errno;
	*per_second = UPDATES * 1e9 / (double)(bench_now_ns() - begin);
	return 0;
}

static void *asleep(void *gate)
{
	pthread_mutex_lock(gate);
	pthread_mutex_unlock(gate);
	return NULL;
}

int mmu_peer(unsigned batch, int protect, double *per_second)
{
	pthread_mutex_t gate = PTHREAD_MUTEX_INITIALIZER;
	pthread_t threads[OTHERS];
	struct range r = {.fd = memfd_create("range", MFD_CLOEXEC)};
	unsigned started = 0;
	int err = 0;

	pthread_mutex_lock(&gate);
	while (started < OTHERS && !pthread_create(&threads[started], NULL, asleep, &gate))
		started++;
	r.at = mmap(NULL, (size_t)RANGE * PAGE, PROT_NONE,
		MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (r.fd < 0 || r.at == MAP_FAILED || ftruncate(r.fd, (off_t)PV_MEMORY))
		err = -errno;
	if (!err)
		err = measure(&r, batch, protect, per_second);
	if (r.at != MAP_FAILED)
		munmap(r.at, (size_t)RANGE * PAGE);
	if (r.fd >= 0)
		close(r.fd);
	pthread_mutex_unlock(&gate);
	while (started)
		pthread_join(threads[--started], NULL);
	return err;
}
