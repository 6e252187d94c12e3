/* SPDX-License-Identifier: MIT */
/* What the files of the process port share: the one domain this process is. */
#ifndef PVR_PROCESS_INTERNAL_H
#define PVR_PROCESS_INTERNAL_H

#include <pthread.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#include <pvring/hypervisor.h>
#include <pvring/port.h>
#include <pvring/xen/sched.h>

struct process {
	char *memory; /* the whole domain, frame f at byte f * 4096 */
	size_t bytes;
	struct shared_info *info;
	uint32_t domid;
	int control;
	pthread_mutex_t control_lock; /* one call at a time on the control socket */
	_Atomic int attached;
	_Atomic int lost; /* the daemon is gone; said once */
	evtchn_port_t store_port;
};

extern struct process pvr_process __attribute__((visibility("hidden")));

/* pages.c: take over the frames from `first` to the end of memory. 0 or -ENOMEM. */
int pages_init(uint32_t first);
void pages_fini(void);
void pages_count(uint64_t *total, uint64_t *available);

/* events.c. A port's descriptors belong to events.c once events_port_open has them. */
enum port_kind { PORT_CLOSED = 0, PORT_SENDS = 1, PORT_RECEIVES = 2 };

int events_init(void);
void events_fini(void);
int events_port_open(evtchn_port_t port, enum port_kind kind, int rx, int tx);
void events_port_close(evtchn_port_t port);
void events_reset(void);
long events_send(evtchn_port_t port);
long events_unmask(evtchn_port_t port);
long events_poll(const struct sched_poll *poll);
long events_block(void);

/* hypercall.c: note that the daemon does not answer any more. */
void process_lost(void);

#endif
