/* SPDX-License-Identifier: MIT */
/*
 * The HVM hypercall and parameters, as a PVH guest uses them. Source: hvm/hvm_op.h and
 * hvm/params.h.
 */
#ifndef PVR_XEN_HVM_H
#define PVR_XEN_HVM_H

#include "pvring/xen/xen.h"

/* Commands of hvm_op(cmd, arg). Source: hvm/hvm_op.h. */
#define HVMOP_set_param  0
#define HVMOP_get_param  1
#define HVMOP_flush_tlbs 5
#define HVMOP_get_time   10
#if defined(__i386__) || defined(__x86_64__)
#define HVMOP_set_evtchn_upcall_vector 23
#endif

/* One parameter of domid. */
struct xen_hvm_param {
	domid_t domid;
	uint16_t pad;
	uint32_t index; /* HVM_PARAM_* */
	uint64_t value;
};

struct xen_hvm_get_time {
	uint64_t now; /* ns of system time */
};

#if defined(__i386__) || defined(__x86_64__)
/* Deliver vcpu's events by this local APIC vector, 0x10 and up. */
struct xen_hvm_evtchn_upcall_vector {
	uint32_t vcpu;
	uint8_t vector;
};
#endif

/* Parameters. Source: hvm/params.h. */
#define HVM_PARAM_CALLBACK_IRQ          0 /* how to interrupt: the type in bits 56 to 63 */
#define HVM_PARAM_STORE_PFN             1 /* frame of xenstore_domain_interface */
#define HVM_PARAM_STORE_EVTCHN          2
#define HVM_PARAM_TIMER_MODE            10
#define HVM_PARAM_CONSOLE_PFN           17 /* frame of xencons_interface */
#define HVM_PARAM_CONSOLE_EVTCHN        18
#define HVM_PARAM_TRIPLE_FAULT_REASON   31 /* SHUTDOWN_* */
#define HVM_PARAM_VM_GENERATION_ID_ADDR 34
#define HVM_NR_PARAMS                   39

#define HVM_PARAM_CALLBACK_IRQ_TYPE_MASK 0xFF00000000000000ULL
#define HVM_PARAM_CALLBACK_TYPE_GSI      0
#define HVM_PARAM_CALLBACK_TYPE_PCI_INTX 1
#if defined(__i386__) || defined(__x86_64__)
#define HVM_PARAM_CALLBACK_TYPE_VECTOR 2 /* the vector in bits 0 to 7 */
#else
#define HVM_PARAM_CALLBACK_TYPE_PPI 2
#endif

#endif
