/* SPDX-License-Identifier: MIT */
/*
 * The core of Xen's guest interface: domain ids, hypercall numbers, virtual interrupts and the
 * shared-info page.
 *
 * The headers of this directory state the wire ABI in Xen's names. Each comment names the header
 * the fact is from, as a path below xen/include/public in Xen's source (/usr/include/xen in
 * Debian's libxen-dev); tests/abi compares every size, offset and value with those headers.
 * Structures follow the guest's own width: an i386 build sees the i386 layout. The status of a
 * hypercall is 0 or a negative errno, numbered as in Linux (errno.h).
 *
 * Fields which both sides write while the other looks (evtchn_pending, evtchn_mask, grant flags,
 * ring indices) are plain integers here; the code which touches them brings the atomic access.
 */
#ifndef PVR_XEN_XEN_H
#define PVR_XEN_XEN_H

#include <stddef.h>
#include <stdint.h>

/*
 * Guest words. Arm fixes them at 64 bits, also for 32-bit guests. Source: arch-x86/xen.h,
 * arch-arm.h.
 */
#if defined(__i386__) || defined(__x86_64__)
typedef unsigned long xen_pfn_t;
typedef unsigned long xen_ulong_t;
#define XEN_LEGACY_MAX_VCPUS 32
#elif defined(__aarch64__)
typedef uint64_t xen_pfn_t;
typedef uint64_t xen_ulong_t;
#define XEN_LEGACY_MAX_VCPUS 1
#else
#error "pvring's wire headers know i386, x86_64 and aarch64"
#endif

/* A domain's number. Real domains lie below DOMID_FIRST_RESERVED. Source: xen.h. */
typedef uint16_t domid_t;

#define DOMID_FIRST_RESERVED 0x7FF0U
#define DOMID_SELF           0x7FF0U /* the caller */
#define DOMID_IO             0x7FF1U /* owner of I/O memory */
#define DOMID_XEN            0x7FF2U /* owner of pages Xen shares out */
#define DOMID_COW            0x7FF3U /* owner of copy-on-write pages */
#define DOMID_INVALID        0x7FF4U /* names no domain */
#define DOMID_IDLE           0x7FFFU
#define DOMID_MASK           0x7FFFU

/* Hypercall numbers. 11 is unused. Source: xen.h. */
#define __HYPERVISOR_set_trap_table                0
#define __HYPERVISOR_mmu_update                    1
#define __HYPERVISOR_set_gdt                       2
#define __HYPERVISOR_stack_switch                  3
#define __HYPERVISOR_set_callbacks                 4
#define __HYPERVISOR_fpu_taskswitch                5
#define __HYPERVISOR_sched_op_compat               6
#define __HYPERVISOR_platform_op                   7
#define __HYPERVISOR_set_debugreg                  8
#define __HYPERVISOR_get_debugreg                  9
#define __HYPERVISOR_update_descriptor             10
#define __HYPERVISOR_memory_op                     12
#define __HYPERVISOR_multicall                     13
#define __HYPERVISOR_update_va_mapping             14
#define __HYPERVISOR_set_timer_op                  15
#define __HYPERVISOR_event_channel_op_compat       16
#define __HYPERVISOR_xen_version                   17
#define __HYPERVISOR_console_io                    18
#define __HYPERVISOR_physdev_op_compat             19
#define __HYPERVISOR_grant_table_op                20
#define __HYPERVISOR_vm_assist                     21
#define __HYPERVISOR_update_va_mapping_otherdomain 22
#define __HYPERVISOR_iret                          23
#define __HYPERVISOR_vcpu_op                       24
#define __HYPERVISOR_set_segment_base              25
#define __HYPERVISOR_mmuext_op                     26
#define __HYPERVISOR_xsm_op                        27
#define __HYPERVISOR_nmi_op                        28
#define __HYPERVISOR_sched_op                      29
#define __HYPERVISOR_callback_op                   30
#define __HYPERVISOR_xenoprof_op                   31
#define __HYPERVISOR_event_channel_op              32
#define __HYPERVISOR_physdev_op                    33
#define __HYPERVISOR_hvm_op                        34
#define __HYPERVISOR_sysctl                        35
#define __HYPERVISOR_domctl                        36
#define __HYPERVISOR_kexec_op                      37
#define __HYPERVISOR_tmem_op                       38
#define __HYPERVISOR_argo_op                       39
#define __HYPERVISOR_xenpmu_op                     40
#define __HYPERVISOR_dm_op                         41
#define __HYPERVISOR_hypfs_op                      42

/* console_io's commands. Source: xen.h. */
#define CONSOLEIO_write 0
#define CONSOLEIO_read  1

/* Virtual interrupts. "vcpu": each vCPU has its own; the others are the domain's. Source: xen.h. */
#define VIRQ_TIMER      0  /* vcpu: the one-shot or periodic timer fired */
#define VIRQ_DEBUG      1  /* vcpu: the guest is asked to dump its state */
#define VIRQ_CONSOLE    2  /* dom0: bytes from the emergency console */
#define VIRQ_DOM_EXC    3  /* dom0: something happened to a domain */
#define VIRQ_TBUF       4  /* dom0: trace buffer has records */
#define VIRQ_DEBUGGER   6  /* dom0: a domain paused for its debugger */
#define VIRQ_XENOPROF   7  /* vcpu: profiler has samples */
#define VIRQ_CON_RING   8  /* dom0: Xen's console has output */
#define VIRQ_PCPU_STATE 9  /* dom0: a physical CPU changed state */
#define VIRQ_MEM_EVENT  10 /* dom0: memory event */
#define VIRQ_ARGO       11 /* Argo message */
#define VIRQ_ENOMEM     12 /* dom0: Xen is short of heap */
#define VIRQ_XENPMU     13 /* vcpu: performance counter interrupt */
#define VIRQ_ARCH_0     16 /* 16 to 23 are the architecture's */
#define VIRQ_ARCH_7     23
#define NR_VIRQS        24

/* One hypercall of a batch; result is filled in by Xen. Source: xen.h. */
struct multicall_entry {
	xen_ulong_t op, result;
	xen_ulong_t args[6];
};

/*
 * The paravirtual clock of one vCPU. version is odd while Xen writes; a reader takes the fields
 * between two equal even reads. Now, in ns since boot: system_time + (((tsc - tsc_timestamp)
 * shifted left by tsc_shift, right if negative) * mul >> 32). Source: xen.h.
 */
struct vcpu_time_info {
	uint32_t version;
	uint32_t pad0;
	uint64_t tsc_timestamp;
	uint64_t system_time;
	uint32_t tsc_to_system_mul;
	int8_t tsc_shift;
	uint8_t flags;
	uint8_t pad1[2];
};

#define XEN_PVCLOCK_TSC_STABLE_BIT (1 << 0) /* comparable between vCPUs */
#define XEN_PVCLOCK_GUEST_STOPPED  (1 << 1) /* paused from outside; no soft lockup */

/* What an architecture adds. Source: arch-x86/xen-x86_{32,64}.h, arch-x86/xen.h, arch-arm.h. */
#if defined(__i386__) || defined(__x86_64__)
struct arch_vcpu_info {
	unsigned long cr2; /* PV guests: address of the last page fault */
#if defined(__i386__)
	unsigned long pad[5];
#else
	unsigned long pad;
#endif
};

struct arch_shared_info {
	unsigned long max_pfn;
	xen_pfn_t pfn_to_mfn_frame_list_list;
	unsigned long nmi_reason;
	unsigned long p2m_cr3;
	unsigned long p2m_vaddr;
	unsigned long p2m_generation;
#if defined(__i386__)
	uint32_t wc_sec_hi; /* only i386 keeps the high half here; see shared_info */
#endif
};
#else
/* Arm adds nothing; a GNU C structure without members has size 0, as Xen's. */
struct arch_vcpu_info {
};

struct arch_shared_info {
};
#endif

/*
 * One vCPU's part of the shared page, 64 bytes on x86. To deliver an event Xen sets the port's bit
 * in evtchn_pending, then the word's bit in evtchn_pending_sel, then evtchn_upcall_pending; the
 * guest clears in the opposite order. Source: xen.h. The second byte is the PV upcall mask; Arm
 * calls it pad0.
 */
struct vcpu_info {
	uint8_t evtchn_upcall_pending;
	uint8_t evtchn_upcall_mask;
	xen_ulong_t evtchn_pending_sel;
	struct arch_vcpu_info arch;
	struct vcpu_time_info time;
};

/*
 * The page Xen shares with a whole domain. A two-level port is bit (port mod word) of word (port
 * div word) in both bitmaps; a masked port keeps its pending bit but makes no upcall. wc_* is the
 * wall clock at boot under wc_version, which works as vcpu_time_info's version. Source: xen.h.
 */
struct shared_info {
	struct vcpu_info vcpu_info[XEN_LEGACY_MAX_VCPUS];
	xen_ulong_t evtchn_pending[sizeof(xen_ulong_t) * 8];
	xen_ulong_t evtchn_mask[sizeof(xen_ulong_t) * 8];
	uint32_t wc_version;
	uint32_t wc_sec;
	uint32_t wc_nsec;
#if !defined(__i386__)
	uint32_t wc_sec_hi;
#endif
	struct arch_shared_info arch;
};

/* Name of a domain that outlives its number. Source: xen.h. */
typedef uint8_t xen_domain_handle_t[16];

#endif
