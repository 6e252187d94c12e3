/* SPDX-License-Identifier: MIT */
/* The scheduler hypercall: yield, block, poll, shut down. Source of everything here: sched.h. */
#ifndef PVR_XEN_SCHED_H
#define PVR_XEN_SCHED_H

#include "pvring/xen/event_channel.h"

/* Commands of sched_op(cmd, arg). */
#define SCHEDOP_yield           0 /* no argument */
#define SCHEDOP_block           1 /* no argument; allows upcalls, sleeps until an event */
#define SCHEDOP_shutdown        2 /* sched_shutdown */
#define SCHEDOP_poll            3 /* sched_poll */
#define SCHEDOP_remote_shutdown 4 /* sched_remote_shutdown */
#define SCHEDOP_shutdown_code   5 /* sched_shutdown: latch the reason, go on running */
#define SCHEDOP_watchdog        6 /* sched_watchdog */
#define SCHEDOP_pin_override    7 /* sched_pin_override */

struct sched_shutdown {
	unsigned int reason; /* SHUTDOWN_* */
};

/*
 * Sleep with upcalls off until one of ports is pending, or until timeout, in ns of system time; 0
 * waits for ever.
 */
struct sched_poll {
	evtchn_port_t *ports; /* guest pointer */
	unsigned int nr_ports;
	uint64_t timeout;
};

struct sched_remote_shutdown {
	domid_t domain_id;
	unsigned int reason; /* SHUTDOWN_* */
};

/* id 0 makes a watchdog and returns its id; timeout is in seconds, 0 ends it. */
struct sched_watchdog {
	uint32_t id;
	uint32_t timeout;
};

/* Pin the caller's vCPU; a negative number goes back. */
struct sched_pin_override {
	int32_t pcpu;
};

#define SHUTDOWN_poweroff   0
#define SHUTDOWN_reboot     1
#define SHUTDOWN_suspend    2
#define SHUTDOWN_crash      3
#define SHUTDOWN_watchdog   4
#define SHUTDOWN_soft_reset 5
#define SHUTDOWN_MAX        5

#endif
