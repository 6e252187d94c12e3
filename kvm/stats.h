/* SPDX-License-Identifier: MIT */
/*
 * How often and why a guest's vCPUs left it, in a file of the hypervisor's directory that anybody who may read it
 * maps: stats/kvm-DOMID. Each vCPU thread adds to its own column, so nothing is locked.
 */
#ifndef KVM_STATS_H
#define KVM_STATS_H

#include <stdatomic.h>
#include <stdint.h>

#define KVM_STATS_MAGIC 0x6b767031u

enum kvm_exit {
	KVM_EXITS_HYPERCALL, /* any; the kinds below are part of it */
	KVM_EXITS_SEND,
	KVM_EXITS_TIMER,
	KVM_EXITS_OTHER_EVENT,
	KVM_EXITS_GRANT,
	KVM_EXITS_IO,
	KVM_EXITS_MMIO,
	KVM_EXITS_MSR,
	KVM_EXITS_SIGNAL, /* we asked it to leave */
	KVM_EXITS_OTHER,
	KVM_EXITS_KINDS,
};

/* A column. */
struct kvm_exits {
	_Alignas(64) _Atomic uint64_t count[KVM_EXITS_KINDS];
};

struct kvm_stats {
	uint32_t magic, vcpus;
	char mode[120];              /* the line that said how hypercalls come */
	_Atomic uint64_t interrupts; /* upcalls that user space injected */
	_Atomic uint64_t ballooned;  /* pages */
	struct kvm_exits vcpu[32];
};

extern const char *const kvm_exit_names[KVM_EXITS_KINDS];

/* Make the file for domain `domid`, mapped; without one, memory of our own. */
struct kvm_stats *kvm_stats_new(const char *dir, uint32_t domid);
void kvm_stats_free(struct kvm_stats *stats, const char *dir, uint32_t domid);

#endif
