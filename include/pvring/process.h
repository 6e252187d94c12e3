/* SPDX-License-Identifier: MIT */
/*
 * The process port: a Linux process that plays a guest kernel. It implements pvring/port.h over the
 * hypervisor daemon; this is what an ordinary program calls to become the domain. On a 32-bit machine the port and
 * the program are built with -D_TIME_BITS=64 -D_FILE_OFFSET_BITS=64.
 */
#ifndef PVR_PROCESS_H
#define PVR_PROCESS_H

#include <stdint.h>

#include <pvring/xen/event_channel.h>

/*
 * Attach the calling process to domain `domid` of the hypervisor in `dir` (NULL: $PVRING_DIR; domid 0:
 * $PVRING_DOMID) and call pvr_init. Starts one thread for upcalls, which sleeps unless an event with a
 * handler comes. Once a process; after a fork the child has nothing of it and must not use it. Errors:
 * -ENOENT no hypervisor or no domain there, -EBUSY another process is attached, -EACCES, -ENOMEM,
 * -EINVAL neither argument nor environment says where.
 */
int pvr_process_attach(const char *dir, uint32_t domid);

/* Leave: the domain is down afterwards. Devices are closed before. */
void pvr_process_detach(void);

/* The domain's memory, for programs that want to know: bytes in all and bytes free. */
void pvr_process_memory(uint64_t *total, uint64_t *available);

/*
 * To sleep on a masked port with poll(2), among other descriptors: readable once an event came for it, until
 * pvr_process_evtchn_drain. Events that came before this call may have been taken, so look at the ring after it. The
 * descriptor stays the port's own, which closes it. -EINVAL for a port that is not open. Thread context.
 */
int pvr_process_evtchn_fd(evtchn_port_t port);

/* Take the events that came: the descriptor is not readable, the port not pending. Look at the ring after it. */
void pvr_process_evtchn_drain(evtchn_port_t port);

#endif
