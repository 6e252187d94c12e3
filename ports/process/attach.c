/* SPDX-License-Identifier: MIT */
/* Becoming a domain and leaving it. */
#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include <pvring/process.h>

#include "internal.h"

struct process pvr_process = {.control = -1, .control_lock = PTHREAD_MUTEX_INITIALIZER};

/* A child has neither the memory (MADV_DONTFORK) nor the upcall thread; the connection must not
 * outlive us in it. */
static void forked(void)
{
	if (!pvr_process.attached)
		return;
	close(pvr_process.control);
	pvr_process.control = -1;
	pvr_process.lost = 1;
}

static int domid_find(uint32_t domid, uint32_t *found)
{
	const char *text = getenv(PVR_HV_ENV_DOMID);
	unsigned long n = domid;
	char *end = NULL;

	if (!domid) {
		if (!text || *text < '0' || *text > '9')
			return -EINVAL;
		n = strtoul(text, &end, 10);
		if (*end || !n)
			return -EINVAL;
	}
	if (n >= DOMID_FIRST_RESERVED)
		return -EINVAL;
	*found = (uint32_t)n;
	return 0;
}

static int memory_map(int fd, const struct pvr_hv_boot *boot)
{
	struct process *p = &pvr_process;

	if (boot->memory_bytes > SIZE_MAX / 2)
		return -ENOMEM;
	p->bytes = (size_t)boot->memory_bytes;
	p->memory = mmap(NULL, p->bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (p->memory == MAP_FAILED)
		return -ENOMEM;
	madvise(p->memory, p->bytes, MADV_DONTFORK);
	p->info = (struct shared_info *)(p->memory + PVR_HV_FRAME_SHARED_INFO * PVR_PAGE_SIZE);
	return 0;
}

/*
 * The machine's CPUs, not those the program is pinned to. Upcalls are all on virtual CPU 0; but whoever
 * waits for a peer wants to know whether the peer can run meanwhile.
 */
static uint32_t cpus(void)
{
	long count = sysconf(_SC_NPROCESSORS_ONLN);

	if (count < 1)
		return 1;
	return count < XEN_LEGACY_MAX_VCPUS ? (uint32_t)count : XEN_LEGACY_MAX_VCPUS;
}

/* The memory is mapped and the store's descriptors are ours: allocator, events, library. */
static int domain_start(const struct pvr_hv_boot *hv, int store_rx, int store_tx)
{
	char *memory = pvr_process.memory;
	struct pvr_boot boot = {
		.shared_info = pvr_process.info,
		.store_ring = (void *)(memory + PVR_HV_FRAME_STORE * PVR_PAGE_SIZE),
		.grant_table = (void *)(memory + PVR_HV_FRAME_GRANT * PVR_PAGE_SIZE),
		.grant_frames = hv->grant_frames,
		.vcpus = cpus(),
		.store_port = hv->store_port,
		.domid = (domid_t)hv->domid,
	};
	int err = pages_init(PVR_HV_FRAME_GRANT + hv->grant_frames);

	if (err)
		goto fail_store;
	err = events_init();
	if (err)
		goto fail_pages;
	pvr_process.store_port = hv->store_port;
	err = events_port_open(hv->store_port, PORT_SENDS, store_rx, store_tx);
	if (err)
		goto fail_port;
	err = pvr_init(&boot);
	if (!err)
		return 0;
	events_fini();
	pages_fini();
	return err;
fail_port:
	events_fini();
fail_pages:
	pages_fini();
fail_store:
	close(store_rx);
	close(store_tx);
	return err;
}

static int domain_attach(uint32_t domid)
{
	struct pvr_hv_attach attach = {.domid = domid, .word_size = sizeof(long)};
	struct pvr_hv_boot boot;
	size_t length = sizeof(boot);
	unsigned count = 3;
	int fds[3];
	int err = (int)pvr_hv_call(pvr_process.control, PVR_HV_ATTACH, &attach, sizeof(attach),
		&boot, &length, fds, &count);

	if (!err && (length != sizeof(boot) || count != 3))
		err = -EPROTO;
	if (!err)
		err = memory_map(fds[0], &boot);
	if (err) {
		while (count)
			close(fds[--count]);
		return err;
	}
	close(fds[0]);
	pvr_process.domid = domid;
	pvr_process.lost = 0;
	err = domain_start(&boot, fds[1], fds[2]);
	if (err)
		munmap(pvr_process.memory, pvr_process.bytes);
	return err;
}

int pvr_process_attach(const char *dir, uint32_t domid)
{
	static _Atomic int fork_handler;
	int err = domid_find(domid, &domid);

	if (err)
		return err;
	if (!dir && !getenv(PVR_HV_ENV_DIR))
		return -EINVAL;
	if (atomic_exchange(&pvr_process.attached, 1))
		return -EBUSY;
	if (!atomic_exchange(&fork_handler, 1))
		pthread_atfork(NULL, NULL, forked);
	pvr_process.control = pvr_hv_connect(dir);
	err = pvr_process.control < 0 ? pvr_process.control : domain_attach(domid);
	if (!err)
		return 0;
	if (pvr_process.control >= 0)
		close(pvr_process.control);
	pvr_process.control = -1;
	pvr_process.attached = 0;
	return err == -ECONNREFUSED ? -ENOENT : err;
}

void pvr_process_detach(void)
{
	if (!pvr_process.attached || pvr_process.control < 0)
		return;
	events_fini();
	pages_fini();
	close(pvr_process.control);
	pvr_process.control = -1;
	munmap(pvr_process.memory, pvr_process.bytes);
	pvr_process.attached = 0;
}

void pvr_process_memory(uint64_t *total, uint64_t *available)
{
	pages_count(total, available);
}
