/* SPDX-License-Identifier: MIT */
/* A virtual CPU: its first state, as PVH defines it, and the loop that runs it and answers its exits. */
#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <pvring/xen/sched.h>

#include "internal.h"

#define PAGE_ENTRY        32u
#define MSR_MTRR_DEF_TYPE 0x2ffu
#define MTRR_WRITE_BACK   0x806u /* on, everything is ordinary memory */
#define CR0_PE            0x1u
#define CR0_ET            0x10u
#define EFER_LMA          (1u << 10)

static void count(struct vcpu *v, enum vm_exit kind)
{
	atomic_fetch_add_explicit(
		&v->vm->stats->vcpu[v->index].count[kind], 1, memory_order_relaxed);
}

/* 32-bit protected mode, flat, paging off, EBX names start_info. Source: Xen's docs/misc/pvh.pandoc. */
static int boot_state(struct vcpu *v)
{
	struct kvm_regs regs = {.rip = v->vm->kernel.entry, .rbx = KVM_BOOT_AREA, .rflags = 2};
	struct kvm_sregs s;

	if (ioctl(v->kvm->fd, KVM_GET_SREGS, &s))
		return -errno;
	struct kvm_segment flat = {.limit = UINT32_MAX, .db = 1, .s = 1, .g = 1, .present = 1};

	s.cs = s.ds = flat;
	s.cs.type = 0xb;
	s.cs.selector = 0x8;
	s.ds.type = 0x3;
	s.ds.selector = 0x10;
	s.es = s.fs = s.gs = s.ss = s.ds;
	s.tr = (struct kvm_segment){.limit = 0x67, .type = 0xb, .present = 1, .selector = 0x18};
	s.cr0 = CR0_PE | CR0_ET;
	s.cr3 = s.cr4 = s.efer = 0;
	if (ioctl(v->kvm->fd, KVM_SET_SREGS, &s) || ioctl(v->kvm->fd, KVM_SET_REGS, &regs))
		return -errno;
	return 0;
}

static int msrs_set(struct vcpu *v)
{
	struct {
		struct kvm_msrs head;
		struct kvm_msr_entry entry[1];
	} msrs = {
		.head.nmsrs = 1, .entry = {{.index = MSR_MTRR_DEF_TYPE, .data = MTRR_WRITE_BACK}}};

	return ioctl(v->kvm->fd, KVM_SET_MSRS, &msrs) < 0 ? -errno : 0;
}

int kvm_vcpu_create(struct vcpu *v, struct why *why)
{
	int size = ioctl(v->vm->kvm->dev, KVM_GET_VCPU_MMAP_SIZE, 0), err;

	v->kvm->fd = ioctl(v->vm->kvm->fd, KVM_CREATE_VCPU, v->index);
	if (v->kvm->fd < 0 || size < 0)
		return vm_fail(why, -errno, "KVM makes no CPU %u: %s", v->index, strerror(errno));
	v->kvm->run = mmap(NULL, (size_t)size, PROT_READ | PROT_WRITE, MAP_SHARED, v->kvm->fd, 0);
	if (v->kvm->run == MAP_FAILED)
		return vm_fail(why, -errno, "KVM's page of CPU %u: %s", v->index, strerror(errno));
	v->kvm->run->kvm_valid_regs = KVM_SYNC_X86_REGS | KVM_SYNC_X86_SREGS;
	err = kvm_cpuid_set(v);
	if (!err)
		err = msrs_set(v);
	if (!err && v->index == 0)
		err = boot_state(v); /* the others wait for the first to start them, as CPUs do */
	if (!err)
		err = kvm_xen_vcpu_id(v);
	return err ? vm_fail(why, err, "KVM refuses the state of CPU %u: %s", v->index,
			     strerror(-err))
		   : 0;
}

void kvm_vcpu_kick(struct vcpu *v)
{
	if (!v->started)
		return;
	__atomic_store_n(&v->kvm->run->immediate_exit, 1, __ATOMIC_SEQ_CST);
	pthread_kill(v->thread, SIGUSR1);
	vm_vcpu_wake(v);
}

void kvm_vcpu_hold(struct vcpu *v)
{
	if (v->started && !pthread_equal(pthread_self(), v->thread)) {
		v->hold = 1;
		kvm_vcpu_kick(v);
	}
	pthread_mutex_lock(&v->running);
}

void kvm_vcpu_go(struct vcpu *v)
{
	v->hold = 0;
	__atomic_store_n(&v->kvm->run->immediate_exit, 0, __ATOMIC_SEQ_CST);
	if (v->vm->reason >= 0)
		kvm_vcpu_kick(v); /* that of vm_stop may just have been undone */
	pthread_mutex_unlock(&v->running);
}

/* The registers of a caller are its arguments: Linux's asm/xen/hypercall.h has them for both modes. */
static void hypercall_exit(struct vcpu *v)
{
	struct kvm_regs *r = &v->kvm->run->s.regs.regs;
	const struct kvm_sregs *s = &v->kvm->run->s.regs.sregs;
	const int is_64 = (s->efer & EFER_LMA) && s->cs.l;
	struct hypercall call = {
		.op = (unsigned)r->rax,
		.bits = is_64 ? 64 : 32,
		.arg = {r->rdi, r->rsi, r->rdx, r->r10, r->r8},
	};

	if (!is_64) {
		const uint64_t args[] = {r->rbx, r->rcx, r->rdx, r->rsi, r->rdi};

		for (int i = 0; i < 5; i++)
			call.arg[i] = (uint32_t)args[i];
	}
	/* A process with the right to use ports is not the kernel. The privilege level is that of the stack. */
	long result = s->ss.dpl ? -EPERM : vm_hypercall(v, &call);

	r->rax = is_64 ? (uint64_t)result : (uint32_t)result;
	v->kvm->run->kvm_dirty_regs = KVM_SYNC_X86_REGS;
}

static void io_exit(struct vcpu *v)
{
	struct kvm_run *run = v->kvm->run;
	uint8_t *data = (uint8_t *)run + run->io.data_offset;
	const int out = run->io.direction == KVM_EXIT_IO_OUT;

	if (out && run->io.port == KVM_HYPERCALL_PORT && run->io.size == 4 &&
		!(v->vm->kvm->xen & KVM_XEN_HVM_CONFIG_INTERCEPT_HCALL)) {
		hypercall_exit(v);
		return;
	}
	count(v, VM_EXITS_IO);
	for (uint32_t i = 0; i < run->io.count; i++)
		kvm_io(v, out, run->io.port, data + i * run->io.size, run->io.size);
}

static void xen_exit(struct vcpu *v)
{
	struct kvm_xen_exit *exit = &v->kvm->run->xen;
	struct hypercall call = {
		.op = (unsigned)exit->u.hcall.input,
		.bits = exit->u.hcall.longmode ? 64 : 32,
	};

	memcpy(call.arg, exit->u.hcall.params, sizeof(call.arg));
	exit->u.hcall.result = (uint64_t)vm_hypercall(v, &call);
}

/* Nothing is there: reads are all ones, as on a bus without an answer. */
static void mmio_exit(struct vcpu *v)
{
	count(v, VM_EXITS_MMIO);
	if (!v->kvm->run->mmio.is_write)
		memset(v->kvm->run->mmio.data, 0xff, sizeof(v->kvm->run->mmio.data));
}

/* The page a guest of ours calls through: mov $number, %eax; out %eax, $port; ret. */
static void hypercall_page(struct vcpu *v, uint64_t gpa)
{
	pthread_mutex_lock(&v->vm->lock);
	uint8_t *page = kvm_memory_at(v->vm, gpa);

	for (uint8_t number = 0; page && number < VM_PAGE / PAGE_ENTRY; number++) {
		const uint8_t code[] = {
			0xb8, number, 0, 0, 0, 0xe7, KVM_HYPERCALL_PORT, 0x90, 0xc3};

		memcpy(page + number * PAGE_ENTRY, code, sizeof(code));
	}
	pthread_mutex_unlock(&v->vm->lock);
}

static void msr_exit(struct vcpu *v)
{
	count(v, VM_EXITS_MSR);
	v->kvm->run->msr.error = 0;
	if (v->kvm->run->msr.index == KVM_HYPERCALL_MSR)
		hypercall_page(v, v->kvm->run->msr.data & ~(uint64_t)(VM_PAGE - 1));
}

static void gone_wrong(struct vcpu *v, const char *what, uint64_t detail)
{
	struct kvm_regs regs = {0};

	ioctl(v->kvm->fd, KVM_GET_REGS, &regs);
	fprintf(stderr, "pvring: guest CPU %u: %s (%#llx) at %#llx\n", v->index, what,
		(unsigned long long)detail, (unsigned long long)regs.rip);
	vm_stop(v->vm, SHUTDOWN_crash);
}

static void exit_handle(struct vcpu *v)
{
	struct kvm_run *run = v->kvm->run;

	switch (run->exit_reason) {
	case KVM_EXIT_IO:
		io_exit(v);
		break;
	case KVM_EXIT_XEN:
		xen_exit(v);
		break;
	case KVM_EXIT_MMIO:
		mmio_exit(v);
		break;
	case KVM_EXIT_X86_WRMSR:
	case KVM_EXIT_X86_RDMSR:
		msr_exit(v);
		break;
	case KVM_EXIT_INTR:
	case KVM_EXIT_IRQ_WINDOW_OPEN:
		count(v, VM_EXITS_SIGNAL);
		break;
	case KVM_EXIT_IOAPIC_EOI:
		break;
	case KVM_EXIT_SHUTDOWN:
		gone_wrong(v, "triple fault", 0);
		break;
	case KVM_EXIT_FAIL_ENTRY:
		gone_wrong(v, "the CPU does not enter the guest",
			run->fail_entry.hardware_entry_failure_reason);
		break;
	case KVM_EXIT_INTERNAL_ERROR:
		gone_wrong(v, "KVM gave up on an instruction", run->internal.suberror);
		break;
	default:
		gone_wrong(v, "an exit nobody knows", run->exit_reason);
		break;
	}
}

void *kvm_vcpu_thread(void *arg)
{
	struct vcpu *v = arg;

	while (v->vm->reason < 0) {
		pthread_mutex_lock(&v->running);
		int err = ioctl(v->kvm->fd, KVM_RUN, 0) ? errno : 0;

		pthread_mutex_unlock(&v->running);
		v->kvm->run->kvm_dirty_regs = 0;
		if (!err) {
			exit_handle(v);
		} else if (err == EINTR || err == EAGAIN) {
			count(v, VM_EXITS_SIGNAL);
			if (v->hold)
				sched_yield();
		} else {
			gone_wrong(v, strerror(err), (uint64_t)err);
		}
	}
	return NULL;
}
