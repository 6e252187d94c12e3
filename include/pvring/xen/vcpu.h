/* SPDX-License-Identifier: MIT */
/* The vCPU hypercall: run state, timers, place of vcpu_info. Source of everything here: vcpu.h. */
#ifndef PVR_XEN_VCPU_H
#define PVR_XEN_VCPU_H

#include "pvring/xen/xen.h"

/* Commands of vcpu_op(cmd, vcpu, arg). */
#define VCPUOP_initialise                     0
#define VCPUOP_up                             1
#define VCPUOP_down                           2
#define VCPUOP_is_up                          3
#define VCPUOP_get_runstate_info              4  /* vcpu_runstate_info */
#define VCPUOP_register_runstate_memory_area  5  /* vcpu_register_runstate_memory_area */
#define VCPUOP_set_periodic_timer             6  /* vcpu_set_periodic_timer */
#define VCPUOP_stop_periodic_timer            7  /* no argument */
#define VCPUOP_set_singleshot_timer           8  /* vcpu_set_singleshot_timer */
#define VCPUOP_stop_singleshot_timer          9  /* no argument */
#define VCPUOP_register_vcpu_info             10 /* vcpu_register_vcpu_info */
#define VCPUOP_send_nmi                       11
#define VCPUOP_get_physid                     12
#define VCPUOP_register_vcpu_time_memory_area 13 /* vcpu_register_time_memory_area */

/* Times in ns of system time; time[] is indexed by RUNSTATE_*. */
struct vcpu_runstate_info {
	int state;
	uint64_t state_entry_time;
	uint64_t time[4];
};

/* Set in state_entry_time while Xen writes, for a guest which asked for it by vm_assist. */
#define XEN_RUNSTATE_UPDATE (1ULL << 63)

#define RUNSTATE_running  0
#define RUNSTATE_runnable 1 /* wants to run, another vCPU has the CPU */
#define RUNSTATE_blocked  2
#define RUNSTATE_offline  3

/* Xen keeps a copy at this guest address from now on. */
struct vcpu_register_runstate_memory_area {
	union {
		struct vcpu_runstate_info *v;
		uint64_t p;
	} addr;
};

struct vcpu_register_time_memory_area {
	union {
		struct vcpu_time_info *v;
		uint64_t p;
	} addr;
};

/* VIRQ_TIMER every period_ns. */
struct vcpu_set_periodic_timer {
	uint64_t period_ns;
};

/* VIRQ_TIMER once, at a moment in ns of system time. */
struct vcpu_set_singleshot_timer {
	uint64_t timeout_abs_ns;
	uint32_t flags; /* VCPU_SSHOTTMR_* */
};

#define _VCPU_SSHOTTMR_future 0
#define VCPU_SSHOTTMR_future  (1U << _VCPU_SSHOTTMR_future) /* -ETIME when it is already past */

/* Move vcpu_info out of shared_info to offset in frame mfn; once, and within one page. */
struct vcpu_register_vcpu_info {
	uint64_t mfn;
	uint32_t offset;
	uint32_t rsvd;
};

#endif
