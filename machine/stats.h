/* SPDX-License-Identifier: MIT */
/*
 * How often and why a guest's vCPUs left it, in a file of the hypervisor's directory that anybody who may read it
 * maps: stats/guest-DOMID. Each vCPU thread adds to its own column, so nothing is locked.
 */
#ifndef MACHINE_STATS_H
#define MACHINE_STATS_H

#include <stdatomic.h>
#include <stdint.h>

#define VM_STATS_MAGIC 0x6b767031u

enum vm_exit {
	VM_EXITS_HYPERCALL, /* any; the kinds below are part of it */
	VM_EXITS_SEND,
	VM_EXITS_TIMER,
	VM_EXITS_OTHER_EVENT,
	VM_EXITS_GRANT,
	VM_EXITS_IO,
	VM_EXITS_MMIO,
	VM_EXITS_MSR,
	VM_EXITS_SIGNAL, /* we asked it to leave */
	VM_EXITS_OTHER,
	/* of a PV guest */
	VM_EXITS_TABLES, /* hypercalls about page tables */
	VM_EXITS_FAULT,  /* page faults; the two below are what accepted changes of tables became */
	VM_EXITS_MMAP,
	VM_EXITS_MAPPED,
	VM_EXITS_EMULATED_INTERRUPT, /* cli, sti, hlt, iret */
	VM_EXITS_EMULATED_SEGMENT,   /* descriptor tables, selectors, far transfers */
	VM_EXITS_EMULATED_CONTROL,   /* control and debug registers and the rest */
	VM_EXITS_KINDS,
};

/* A column. */
struct vm_exits {
	_Alignas(64) _Atomic uint64_t count[VM_EXITS_KINDS];
};

struct vm_stats {
	uint32_t magic, vcpus;
	char mode[120];              /* the line that said how hypercalls come */
	_Atomic uint64_t interrupts; /* upcalls that user space injected */
	_Atomic uint64_t ballooned;  /* pages */
	struct vm_exits vcpu[32];
};

extern const char *const vm_exit_names[VM_EXITS_KINDS];

/* Make the file for domain `domid`, mapped; without one, memory of our own. */
struct vm_stats *vm_stats_new(const char *dir, uint32_t domid);
void vm_stats_free(struct vm_stats *stats, const char *dir, uint32_t domid);
/* For whoever started the guest's process, which may have been killed, or confined too well to do it itself. */
void vm_stats_remove(const char *dir, uint32_t domid);

#endif
