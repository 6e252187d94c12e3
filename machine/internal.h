/* SPDX-License-Identifier: MIT */
/*
 * What the two machines share, and the waist between it and them: the one virtual machine this process is.
 *
 * Threads: one a vCPU; one for events (event channels and timers, events.c); one for the console. What is
 * changed by more than one of them is under vm->lock, except where it says otherwise.
 */
#ifndef MACHINE_INTERNAL_H
#define MACHINE_INTERNAL_H

#include <pthread.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#include <pvring/hypervisor.h>
#include <pvring/machine.h>
#include <pvring/xen/event_channel.h>
#include <pvring/xen/hvm.h>

#include "load.h"
#include "stats.h"

#define VM_PORTS      4096u
#define VM_VECTOR_MIN 0x10 /* below are the CPU's own exceptions, as Xen's rule has it */

struct vm;
struct kvm;
struct kvm_cpu;
struct pv;

struct vcpu {
	struct vm *vm;
	unsigned index; /* also its APIC id and Xen's number for it */
	pthread_t thread;
	int started;
	pthread_mutex_t running; /* held by its thread while the guest's code runs */
	_Atomic int hold;        /* somebody waits for `running` */

	/* Under vm->lock. */
	uint8_t *info;  /* its vcpu_info, in our mapping of guest memory */
	uint8_t vector; /* upcall vector, 0: none */
	evtchn_port_t timer_port;
	int timer; /* timerfd */
	int owed;  /* an upcall is due that its APIC did not take */

	/* SCHEDOP_block and _poll sleep here; written by whoever raises an event. */
	_Atomic uint32_t events;

	struct kvm_cpu *kvm; /* on the kvm machine */
};

struct port {
	enum pvr_hv_port_kind kind;
	int rx, tx;
	unsigned vcpu; /* whom its events go to */
	uint32_t virq;
};

struct vm {
	const struct machine *machine;
	union { /* its own */
		struct kvm *kvm;
		struct pv *pv;
	};
	const struct pvr_machine_config *config;
	char dir[108]; /* of the hypervisor's sockets */
	int control;   /* the hypervisor daemon */
	pthread_mutex_t control_lock;
	struct pvr_hv_boot boot;
	unsigned word_size;
	struct vm_kernel kernel;

	int memory_fd;
	uint8_t *memory;
	uint64_t
		sleep_slice; /* SCHEDOP_block and _poll look again after so many ns; 0: never without an event */

	pthread_mutex_t lock;
	uint64_t params[HVM_NR_PARAMS];
	struct port port[VM_PORTS];
	evtchn_port_t console_port;

	int epoll;
	int look_fd; /* eventfd: the events thread is to look at reason and at upcalls owed */
	_Atomic int reason; /* -1 while the guest lives, else SHUTDOWN_* or PVR_MACHINE_LEFT */
	struct vcpu vcpu[PVR_MACHINE_VCPUS_MAX];

	_Atomic long version; /* XENVER_version once it was asked for */
	struct console *console;
	struct vm_stats *stats;
};

/* Say why in one line; returns err. */
struct why {
	char *text;
	size_t size;
};
int vm_fail(struct why *why, int err, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

struct vm_files {
	uint8_t *image;
	size_t image_size;
	uint8_t *initrd;
	size_t initrd_size;
};

struct hypercall {
	unsigned op;
	unsigned bits; /* 32 or 64: mode of the caller */
	uint64_t arg[5];
};

/*
 * The waist: what a machine does in its own way. Those that return int return 0 or a negative errno; the steps of a start
 * also say why, and come in this order.
 */
struct machine {
	const char *(*bootable)(const struct vm_kernel *kernel); /* NULL, or what it lacks */
	int (*open)(struct vm *vm, struct why *why);             /* before anything is attached */
	int (*load)(struct vm *vm, struct vm_files *files, struct why *why); /* memory and vCPUs */
	int (*confine)(struct vm *vm); /* this process, before the guest's first instruction */
	void *(*run)(void *vcpu);      /* the thread of a vCPU, until vm->reason */
	void (*close)(struct vm *vm);  /* whatever of it was opened */

	void (*kick)(struct vcpu *v); /* make its thread look at vm->reason */
	int (*interrupt)(
		struct vcpu *v); /* its upcall vector; more than 0: it got through. Lock held */
	uint64_t (*now)(struct vm *vm); /* the guest's system time, ns */
	/* The vCPU's one-shot timer, 0: stop it; by its own thread. NULL: a timerfd does. */
	int (*timer)(struct vcpu *v, uint64_t deadline);

	/*
	 * Our mapping of a linear address, as the vCPU sees it now, for reading or for writing: good to the end of its
	 * page and until linear_done, which may be NULL. Or NULL. Not under the lock, which may be held in between.
	 */
	uint8_t *(*linear)(struct vcpu *v, uint64_t address, int write);
	void (*linear_done)(struct vcpu *v);
	/* Our mapping of guest-physical address gpa, good to the end of its page, or NULL. Lock held. */
	uint8_t *(*at)(struct vm *vm, uint64_t gpa);
	/* vcpu_info is at guest-physical address gpa: the clock is to be there. Lock held. */
	int (*info_placed)(struct vcpu *v, uint64_t gpa);

	/* Calls of this machine alone, looked at first. *done 0: not one of them. */
	long (*call)(struct vcpu *v, const struct hypercall *call, int *done);

	/* Of a machine that may deliver events itself; NULL where none does. All may be called when it does not. */
	const struct machine_events *events;
};

struct machine_events {
	int (*own)(const struct vm *vm); /* it delivers events, sends and timers now */
	int (*vector)(struct vcpu *v, uint8_t vector);
	int (*callback)(struct vm *vm, uint8_t vector);
	void (*timer)(struct vcpu *v, evtchn_port_t port);
	void (*port_open)(struct vm *vm, evtchn_port_t port, const struct port *content);
	void (*port_move)(struct vm *vm, evtchn_port_t port, const struct port *content);
	void (*port_close)(struct vm *vm, evtchn_port_t port);
	void (*raise)(struct vm *vm, evtchn_port_t port, unsigned vcpu);
};

/* run.c: a guest from its files to its end, as pvr_kvm_run and pvr_pv_run have it. */
int vm_run(const struct machine *machine, const struct pvr_machine_config *config, char *text,
	size_t size);
/* How the guest runs, in a line for the user and for stats. */
void vm_mode_say(struct vm *vm, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* vm.c */
int vm_attach(struct vm *vm, struct why *why);
void vm_free(struct vm *vm);
/* The guest's life is over, first reason wins. Any thread. */
void vm_stop(struct vm *vm, int reason);

/* files.c */
int vm_files_read(struct vm *vm, struct vm_files *files, struct why *why);
void vm_files_free(struct vm_files *files);
/* The segments of the kernel to where they want to be. */
void vm_segments_copy(struct vm *vm, const struct vm_files *files);
/* -ENOMEM: kernel and initrd need `needed` bytes. */
int vm_memory_too_little(struct vm *vm, struct why *why, uint64_t needed);

/* guest.c: between the guest's linear addresses and our memory: 0 or -EFAULT. Not under the lock. */
int vm_guest_read(struct vcpu *v, uint64_t address, void *to, size_t size);
int vm_guest_write(struct vcpu *v, uint64_t address, const void *from, size_t size);

/* sched.c: an event came that SCHEDOP_block or _poll may be waiting for. */
void vm_vcpu_wake(struct vcpu *v);
/* SCHEDOP_block, until `deadline` of the guest's time at the latest; 0: without one. */
void vm_block(struct vcpu *v, uint64_t deadline);
long vm_call_sched(struct vcpu *v, const struct hypercall *call, int *done);

/* hypercall.c */
long vm_hypercall(struct vcpu *v, const struct hypercall *call);
/* One call to the daemon. */
long vm_daemon_call(struct vm *vm, uint32_t op, uint32_t cmd, void *argument, size_t size,
	uint32_t count, int *fds, unsigned *fds_count);

/* calls.c: what is answered here. -ENOSYS and *done 0: it is the daemon's. */
long vm_call_local(struct vcpu *v, const struct hypercall *call, int *done);

/* events.c */
int vm_events_own(const struct vm *vm);
int vm_events_open(struct vm *vm);
void vm_events_run(struct vm *vm); /* until vm->reason is set */
void vm_events_close(struct vm *vm);
int vm_port_open(struct vm *vm, evtchn_port_t port, const struct port *content);
void vm_port_close(struct vm *vm, evtchn_port_t port);
void vm_ports_reset(struct vm *vm);
/* An event for the guest on `port`. Any thread, not under the lock. */
void vm_port_raise(struct vm *vm, evtchn_port_t port);
long vm_port_send(struct vm *vm, evtchn_port_t port);
long vm_port_unmask(struct vm *vm, evtchn_port_t port);
void vm_port_bind(struct vm *vm, evtchn_port_t port, unsigned vcpu);
/* Interrupt a vCPU by its upcall vector. Lock held. */
void vm_upcall(struct vcpu *v);

/* timer.c */
int vm_timer_open(struct vcpu *v);
uint64_t vm_now(struct vm *vm);
long vm_timer_set(struct vcpu *v, uint64_t deadline, int must_be_future);
void vm_timer_fired(struct vcpu *v);
void vm_wall_clock(struct vm *vm);

/* console.c */
int vm_console_open(struct vm *vm, struct why *why);
void vm_console_close(struct vm *vm);
void vm_console_kick(struct vm *vm); /* the guest has sent an event */
/* Text of the guest that came by another way than its console page. */
void vm_console_text(struct vm *vm, const char *text, size_t size);

#endif
