/* SPDX-License-Identifier: MIT */
/*
 * What the files of the kvm machine share: the one virtual machine this process is.
 *
 * Threads: one a vCPU; one for events (event channels and timers, events.c); one for the console. What is
 * changed by more than one of them is under vm->lock, except where it says otherwise.
 */
#ifndef KVM_INTERNAL_H
#define KVM_INTERNAL_H

#include <linux/kvm.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#include <pvring/hypervisor.h>
#include <pvring/kvm.h>
#include <pvring/xen/event_channel.h>
#include <pvring/xen/hvm.h>

#include "load.h"
#include "slots.h"
#include "start_info.h"
#include "stats.h"

#define KVM_HYPERCALL_PORT 0xe4
#define KVM_HYPERCALL_MSR  0x40000000u
#define KVM_PORTS          4096u

struct vm;

struct vcpu {
	struct vm *vm;
	unsigned index; /* also its APIC id and Xen's number for it */
	int fd;
	struct kvm_run *run;
	pthread_t thread;
	int started;
	pthread_mutex_t running; /* held by its thread while it is in KVM_RUN */
	_Atomic int hold;        /* somebody waits for `running` */

	/* Under vm->lock. */
	uint8_t *info;  /* its vcpu_info, in our mapping of guest memory */
	uint8_t vector; /* upcall vector, 0: none */
	evtchn_port_t timer_port;
	int timer; /* timerfd */
	int owed;  /* an upcall is due that its APIC did not take */

	/* SCHEDOP_block and _poll sleep here; written by whoever raises an event. */
	_Atomic uint32_t events;
};

struct port {
	enum pvr_hv_port_kind kind;
	int rx, tx;
	unsigned vcpu; /* whom its events go to */
	uint32_t virq;
};

struct vm {
	const struct pvr_kvm_config *config;
	char dir[108]; /* of the hypervisor's sockets */
	int control;   /* the hypervisor daemon */
	pthread_mutex_t control_lock;
	struct pvr_hv_boot boot;
	unsigned word_size;
	struct kvm_kernel kernel;

	int kvm, fd;
	uint32_t xen; /* KVM_XEN_HVM_CONFIG_*, as in use */
	int memory_fd;
	uint8_t *memory;

	pthread_mutex_t lock;
	struct kvm_slots slots;
	struct kvm_slot slot[KVM_SLOTS_MAX]; /* as KVM has them */
	struct kvm_layout layout;
	uint64_t params[HVM_NR_PARAMS];
	uint64_t ballooned; /* pages the guest has given back */
	struct port port[KVM_PORTS];
	evtchn_port_t console_port;
	uint32_t runstates; /* a bit a vCPU: KVM keeps its run state area */

	int epoll;
	int look_fd; /* eventfd: the events thread is to look at reason and at upcalls owed */
	_Atomic int reason; /* -1 while the guest lives, else SHUTDOWN_* or PVR_KVM_LEFT */
	struct vcpu vcpu[PVR_KVM_VCPUS_MAX];

	struct console *console;
	struct kvm_stats *stats;
};

/* run.c: say why in one line; returns err. */
struct why {
	char *text;
	size_t size;
};
int kvm_fail(struct why *why, int err, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* vm.c: the daemon's half and KVM's half of a domain. */
int kvm_vm_attach(struct vm *vm, struct why *why);
int kvm_vm_create(struct vm *vm, struct why *why);
void kvm_vm_free(struct vm *vm);
/* The guest's life is over, first reason wins. Any thread. */
void kvm_vm_stop(struct vm *vm, int reason);

/* boot.c: read the files and put them, the tables and start_info into guest memory. */
struct kvm_files {
	uint8_t *image;
	size_t image_size;
	uint8_t *initrd;
	size_t initrd_size;
};
int kvm_files_read(struct vm *vm, struct kvm_files *files, struct why *why);
void kvm_files_free(struct kvm_files *files);
int kvm_boot_load(struct vm *vm, struct kvm_files *files, struct why *why);

/* memory.c. Under vm->lock where it says so. */
int kvm_memory_update(struct vm *vm, struct vcpu *self); /* slots to KVM; lock held */
/* Our mapping of guest address gpa, good to the end of its page; NULL: the guest has nothing there. Lock held. */
uint8_t *kvm_memory_at(struct vm *vm, uint64_t gpa);
/* Between guest virtual memory and ours, as its vCPU sees it now. 0 or -EFAULT. Not under the lock. */
int kvm_guest_read(struct vcpu *v, uint64_t address, void *to, size_t size);
int kvm_guest_write(struct vcpu *v, uint64_t address, const void *from, size_t size);

/* cpuid.c, vcpu.c */
int kvm_cpuid_set(struct vcpu *v);
int kvm_vcpu_create(struct vcpu *v, struct why *why);
void *kvm_vcpu_thread(void *vcpu);
/* Keep a vCPU out of the guest until _go; when the caller is its own thread that is it already. */
void kvm_vcpu_hold(struct vcpu *v);
void kvm_vcpu_go(struct vcpu *v);
/* Make its thread look at vm->reason. */
void kvm_vcpu_kick(struct vcpu *v);
/* An event came that SCHEDOP_block or _poll may be waiting for. */
void kvm_vcpu_wake(struct vcpu *v);

/* hypercall.c */
struct hypercall {
	unsigned op;
	unsigned bits; /* 32 or 64: mode of the caller */
	uint64_t arg[5];
};
long kvm_hypercall(struct vcpu *v, const struct hypercall *call);
/* The page a guest of ours calls through. */
void kvm_hypercall_page(struct vcpu *v, uint64_t gpa);
/* One call to the daemon. */
long kvm_daemon_call(struct vm *vm, uint32_t op, uint32_t cmd, void *argument, size_t size,
	uint32_t count, int *fds, unsigned *fds_count);

/* calls.c: what is answered here. -ENOSYS and *done 0: it is the daemon's. */
long kvm_call_local(struct vcpu *v, const struct hypercall *call, int *done);
/* sched.c */
long kvm_call_sched(struct vcpu *v, const struct hypercall *call, int *done);

/* events.c */
int kvm_events_open(struct vm *vm);
void kvm_events_run(struct vm *vm); /* until vm->reason is set */
void kvm_events_close(struct vm *vm);
int kvm_port_open(struct vm *vm, evtchn_port_t port, const struct port *content);
void kvm_port_close(struct vm *vm, evtchn_port_t port);
void kvm_ports_reset(struct vm *vm);
/* An event for the guest on `port`. Any thread, not under the lock. */
void kvm_port_raise(struct vm *vm, evtchn_port_t port);
long kvm_port_send(struct vm *vm, evtchn_port_t port);
long kvm_port_unmask(struct vm *vm, evtchn_port_t port);
void kvm_port_bind(struct vm *vm, evtchn_port_t port, unsigned vcpu);
/* Interrupt a vCPU by its upcall vector. Lock held. */
void kvm_upcall(struct vcpu *v);

/* timer.c */
int kvm_timer_open(struct vcpu *v);
uint64_t kvm_now(struct vm *vm); /* the guest's system time, ns */
long kvm_timer_set(struct vcpu *v, uint64_t deadline, int must_be_future);
void kvm_timer_fired(struct vcpu *v);
/* Let the clock page of the vCPU be in its vcpu_info at guest address gpa. Lock held. */
int kvm_clock_place(struct vcpu *v, uint64_t vcpu_info_gpa);
void kvm_wall_clock(struct vm *vm);

/* xen.c: what Linux's KVM does itself when it was built with CONFIG_KVM_XEN; all may be called without. */
int kvm_xen_start(struct vm *vm);
int kvm_xen_events(const struct vm *vm); /* KVM delivers events, sends and timers */
int kvm_xen_shared_info(struct vm *vm, uint64_t gfn);
int kvm_xen_vcpu_id(struct vcpu *v);
int kvm_xen_vcpu_info(struct vcpu *v, uint64_t gpa);
int kvm_xen_runstate(struct vcpu *v, uint64_t gpa);
int kvm_xen_vector(struct vcpu *v, uint8_t vector);
int kvm_xen_callback(struct vm *vm, uint8_t vector);
void kvm_xen_timer(struct vcpu *v, evtchn_port_t port);
void kvm_xen_port_open(struct vm *vm, evtchn_port_t port, const struct port *content);
void kvm_xen_port_move(struct vm *vm, evtchn_port_t port, const struct port *content);
void kvm_xen_port_close(struct vm *vm, evtchn_port_t port);
void kvm_xen_raise(struct vm *vm, evtchn_port_t port, unsigned vcpu);

/* io.c: a guest's access to a port; `data` is `size` bytes to write or to fill in. */
void kvm_io(struct vcpu *v, int out, uint16_t port, uint8_t *data, unsigned size);

/* console.c */
int kvm_console_open(struct vm *vm, struct why *why);
void kvm_console_close(struct vm *vm);
void kvm_console_kick(struct vm *vm); /* the guest has sent an event */
/* Text of the guest that came by another way than its console page. */
void kvm_console_text(struct vm *vm, const char *text, size_t size);

/* confine.c */
int kvm_confine(void);

#endif
