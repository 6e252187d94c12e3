/* SPDX-License-Identifier: MIT */
/*
 * What the guest's code does that a process may not: each fault is a signal, and is answered as the CPU, or Xen, would answer the
 * kernel. A page fault whose page the guest's tables have is a mapping that is missing here; a privileged
 * instruction is emulated; everything else is the guest's own exception and goes through its IDT. And SIGUSR1, by which other
 * threads say that there is an event or an end.
 *
 * Handlers run on a stack of their own, since the guest's stack pointer may be anything. SIGUSR1 waits meanwhile.
 */
#include <cpuid.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ucontext.h>
#include <unistd.h>

#include <pvring/xen/sched.h>

#include "internal.h"

#define STACK_SIZE (256u << 10)
#define EXIT_BUG   70 /* EX_SOFTWARE */

#define DEBUG     1
#define UNDEFINED 6
#define ALIGNMENT 17
#define GENERAL   13
#define PAGE      14
#define SYSCALL   0x80 /* int $0x80, which Linux would take for itself */

#define ERROR_PRESENT 1u
#define ERROR_WRITE   2u
#define ERROR_FETCH   16u
#define HAS_ERROR                                                                                  \
	(1u << 8 | 1u << 10 | 1u << 11 | 1u << 12 | 1u << GENERAL | 1u << PAGE | 1u << ALIGNMENT)

struct vcpu *pv_vcpu;
struct pv_gate pv_gate;

static void __attribute__((noreturn)) leave(void)
{
	siglongjmp(pv_vcpu->vm->pv->out, 1);
}

/* What SIGUSR1 may have been for, beside an upcall. */
void pv_gate_look(void)
{
	pv_gate.look = 0;
	pv_vcpu->hold = 0;
	if (pv_vcpu->vm->reason >= 0)
		leave();
	pv_timer_look(pv_vcpu);
}

void pv_broken(const struct emu_regs *regs, const char *what, uint64_t detail)
{
	const struct emu_regs *at = regs ? regs : &pv_gate.regs;

	fprintf(stderr, "pvring: the guest crashed: %s (%#llx) at %#llx, its stack at %#llx\n",
		what, (unsigned long long)detail, (unsigned long long)at->ip,
		(unsigned long long)at->gpr[EMU_RSP]);
	vm_stop(pv_vcpu->vm, SHUTDOWN_crash);
	leave();
}

void pv_block(struct vcpu *v)
{
	pv_gate.info[1] = 0;
	pv_gate.inside = 0;
	pv_timer_sleep(v);
	pv_clock_update(v);
}

static int memory_read(void *v, uint64_t va, void *to, size_t size)
{
	return vm_guest_read(v, va, to, size);
}

static int memory_write(void *v, uint64_t va, const void *from, size_t size)
{
	return vm_guest_write(v, va, from, size);
}

static struct emu_memory memory_of(struct vcpu *v)
{
	return (struct emu_memory){.read = memory_read, .write = memory_write, .arg = v};
}

/* The virtual IF is Xen's: evtchn_upcall_mask, which the guest may also write itself. */
static void interrupts_get(struct emu_cpu *cpu)
{
	cpu->interrupts = !pv_gate.info[1];
}

static void interrupts_put(const struct emu_cpu *cpu)
{
	pv_gate.info[1] = !cpu->interrupts;
}

static void deliver(struct vcpu *v, struct emu_regs *regs, unsigned vector, uint32_t error)
{
	const struct emu_memory memory = memory_of(v);
	struct emu_cpu *cpu = &v->vm->pv->cpu;
	const int has_error = vector < 32 && HAS_ERROR >> vector & 1;

	interrupts_get(cpu);
	if (!emu_deliver(cpu, regs, &memory, (uint8_t)vector, has_error, error)) {
		interrupts_put(cpu);
		return;
	}
	if (vector == PAGE)
		pv_broken(regs, "a page fault that its kernel cannot take, address", cpu->cr2);
	pv_broken(regs, "an exception that its kernel cannot take, vector", vector);
}

/* The upcall, when one is due and the guest takes interrupts. */
static void deliver_due(struct vcpu *v, struct emu_regs *regs)
{
	if (!pv_gate.due || pv_gate.info[1])
		return;
	pv_gate.due = 0;
	deliver(v, regs, v->vector, 0);
}

void pv_gate_sleep(void)
{
	pv_block(pv_vcpu);
}

void pv_gate_deliver(void)
{
	deliver_due(pv_vcpu, &pv_gate.regs);
}

/* The guest's tables decide. The processor has said only what this process's mappings have. */
static void page_fault(struct vcpu *v, struct emu_regs *regs, uint64_t va, uint32_t error)
{
	static uint64_t last_va, last_ip;
	struct pv *pv = v->vm->pv;
	const uint64_t entry = va < PVR_PV_WINDOW ? mmu_entry(&pv->mmu, va) : 0;
	const int present = (entry & _PAGE_PRESENT) != 0;
	const int refused = (error & ERROR_WRITE && !(entry & _PAGE_RW)) ||
			    (error & ERROR_FETCH && entry & _PAGE_NX);

	pv_count(v, VM_EXITS_FAULT, 1);
	if (present && !refused && va >= PV_WINDOW_START &&
		(va != last_va || regs->ip != last_ip)) {
		last_va = va;
		last_ip = regs->ip;
		pv_mapping_changed(v->vm, va / VM_PAGE * VM_PAGE,
			(entry & pv->mmu.geometry->frame_mask) / VM_PAGE, 1, entry);
		return;
	}
	last_va = last_ip = 0;
	pv->cpu.cr2 = va;
	deliver(v, regs, PAGE,
		(error & (ERROR_WRITE | ERROR_FETCH)) | (present ? ERROR_PRESENT : 0));
}

/* Which row of the statistics an instruction belongs to, by its opcode. */
static enum vm_exit class_of(const uint8_t *code, size_t size)
{
	size_t at = 0;

	while (at + 1 < size && (code[at] == 0x66 || code[at] == 0xf2 || code[at] == 0xf3 ||
					(pv_gate.bits == 64 && code[at] >> 4 == 4)))
		at++;
	const uint8_t op = code[at], next = at + 1 < size ? code[at + 1] : 0;

	if (op == 0xfa || op == 0xfb || op == 0xf4 || op == 0xcf)
		return VM_EXITS_EMULATED_INTERRUPT;
	if ((op & 0xf6) == 0xe4 || (op & 0xfc) == 0x6c)
		return VM_EXITS_IO;
	if (op != 0x0f)
		return VM_EXITS_EMULATED_SEGMENT;
	if (next >= 0x30 && next <= 0x33)
		return VM_EXITS_MSR;
	return next <= 0x01 ? VM_EXITS_EMULATED_SEGMENT : VM_EXITS_EMULATED_CONTROL;
}

/* What goes beyond the CPU. Nonzero: the guest sleeps. */
static int carry_out(struct vcpu *v, struct emu_regs *regs, const struct emu_effect *effect)
{
	const struct emu_memory memory = memory_of(v);
	struct pv *pv = v->vm->pv;
	uint32_t words[4];

	switch (effect->kind) {
	case EMU_HALT:
		if (pv_gate.info[1])
			pv_broken(regs, "it halted with interrupts off", 0);
		return 1;
	case EMU_CR3:
		if (mmu_root_set(&pv->mmu, effect->value / VM_PAGE))
			deliver(v, regs, GENERAL, 0);
		else
			pv->cpu.cr3 = effect->value;
		mmu_flush(&pv->mmu);
		break;
	case EMU_IN:
		if (emu_in_done(regs, &memory, effect, pv_port_in(effect->port, effect->size)))
			pv_broken(regs, "the memory of an input is gone, port", effect->port);
		break;
	case EMU_OUT:
		pv_port_out(v->vm, effect->port, effect->value);
		break;
	case EMU_CPUID:
		__cpuid_count(regs->gpr[EMU_RAX], regs->gpr[EMU_RCX], words[0], words[1], words[2],
			words[3]);
		emu_cpuid_done(regs, words);
		break;
	case EMU_INTERRUPT:
		deliver(v, regs, effect->vector, 0);
		break;
	case EMU_DONE:
	case EMU_FLUSH: /* a change of tables is a change of mappings at once */
	default:
		break;
	}
	return 0;
}

static int privileged(struct vcpu *v, struct emu_regs *regs, unsigned vector, uint32_t error)
{
	const struct emu_memory memory = memory_of(v);
	struct emu_cpu *cpu = &v->vm->pv->cpu;
	uint8_t code[EMU_INSN_MAX];
	size_t size = sizeof(code);

	if (vm_guest_read(v, regs->ip, code, size)) {
		size = VM_PAGE - regs->ip % VM_PAGE; /* it may end with its page */
		size = size < sizeof(code) ? size : 0;
		if (!size || vm_guest_read(v, regs->ip, code, size))
			pv_broken(regs, "its code is not where it runs, vector", vector);
	}
	interrupts_get(cpu);
	const struct emu_effect effect = emulate(cpu, regs, &memory, code, size);

	interrupts_put(cpu);
	if (effect.kind == EMU_UNKNOWN) {
		deliver(v, regs, vector, error);
	} else if (effect.kind == EMU_EXCEPTION) {
		deliver(v, regs, effect.vector, effect.error);
	} else {
		pv_count(v, class_of(code, size), 1);
		return carry_out(v, regs, &effect);
	}
	return 0;
}

/* ---- signals ---- */

static const int gregs[EMU_GPRS] = {REG_RAX, REG_RCX, REG_RDX, REG_RBX, REG_RSP, REG_RBP, REG_RSI,
	REG_RDI, REG_R8, REG_R9, REG_R10, REG_R11, REG_R12, REG_R13, REG_R14, REG_R15};

static void regs_get(const ucontext_t *context, struct emu_regs *regs)
{
	const uint64_t mask = pv_gate.bits == 64 ? UINT64_MAX : UINT32_MAX;

	for (unsigned i = 0; i < EMU_GPRS; i++)
		regs->gpr[i] = (uint64_t)context->uc_mcontext.gregs[gregs[i]] & mask;
	regs->ip = (uint64_t)context->uc_mcontext.gregs[REG_RIP] & mask;
	regs->flags = (uint64_t)context->uc_mcontext.gregs[REG_EFL];
}

static void regs_put(ucontext_t *context, const struct emu_regs *regs)
{
	for (unsigned i = 0; i < EMU_GPRS; i++)
		context->uc_mcontext.gregs[gregs[i]] = (greg_t)regs->gpr[i];
	context->uc_mcontext.gregs[REG_RIP] = (greg_t)regs->ip;
	context->uc_mcontext.gregs[REG_EFL] = (greg_t)regs->flags;
}

/* A system call is none of Linux's: a trap to the guest's vector, or an instruction it does not have. */
static void foreign_call(struct vcpu *v, struct emu_regs *regs, const siginfo_t *info)
{
	uint8_t code[2] = {0};

	if (regs->ip < 2 || vm_guest_read(v, regs->ip - 2, code, sizeof(code)) ||
		(code[0] != 0xcd && code[0] != 0x0f))
		pv_broken(regs, "a system call by sysenter", (uint64_t)info->si_syscall);
	if (code[0] == 0xcd) {
		deliver(v, regs, SYSCALL, 0);
		return;
	}
	regs->ip -= 2;
	deliver(v, regs, UNDEFINED, 0);
}

/* Nonzero: the guest sleeps. */
static int fault(struct vcpu *v, struct emu_regs *regs, int number, const siginfo_t *info,
	const ucontext_t *context)
{
	const unsigned vector = (unsigned)context->uc_mcontext.gregs[REG_TRAPNO];
	const uint32_t error = (uint32_t)context->uc_mcontext.gregs[REG_ERR];
	const int cs = (int)(context->uc_mcontext.gregs[REG_CSGSFS] & 0xffff);

	if (cs != (pv_gate.bits == 64 ? PV_CS_64 : PV_CS_32))
		pv_broken(regs, "code of another mode than its kernel's, vector", vector);
	if (number == SIGSYS)
		foreign_call(v, regs, info);
	else if (number == SIGBUS)
		pv_broken(regs, "no memory behind a page of its own", (uint64_t)info->si_addr);
	else if (vector == PAGE)
		page_fault(v, regs, (uint64_t)context->uc_mcontext.gregs[REG_CR2], error);
	else if (vector == GENERAL || vector == UNDEFINED)
		return privileged(v, regs, vector, error);
	else
		deliver(v, regs, vector, error);
	return 0;
}

/* Asleep the vCPU is within the gate and not in a handler, where SIGUSR1 would wait. */
static void halt(ucontext_t *context, const struct emu_regs *regs)
{
	greg_t *selectors = &context->uc_mcontext.gregs[REG_CSGSFS];

	pv_gate.regs = *regs;
	context->uc_mcontext.gregs[REG_RIP] = (greg_t)(uintptr_t)pv_gate_halt;
	*selectors = (*selectors & ~(greg_t)0xffff) | PV_CS_64;
}

/* A fault in our own code. Written without stdio, whose locks may be held. */
static void bug(int number, uint64_t ip)
{
	char line[96];
	int size = snprintf(line, sizeof(line),
		"pvring: signal %d in the monitor's own code at %#llx\n", number,
		(unsigned long long)ip);

	if (write(STDERR_FILENO, line, (size_t)size) < 0)
		_exit(EXIT_BUG + 1);
	_exit(EXIT_BUG);
}

/* Where a signal found the vCPU. */
static int in_range(uint64_t ip, const char *from, const char *to)
{
	return ip >= (uint64_t)(uintptr_t)from && ip < (uint64_t)(uintptr_t)to;
}

/*
 * Beyond the window the guest's are 32-bit code, a call that the filter trapped, and an address to which it jumped and where
 * nothing can be run.
 */
static int is_guests(int number, const ucontext_t *context, uint64_t ip)
{
	const greg_t *regs = context->uc_mcontext.gregs;

	if ((regs[REG_CSGSFS] & 0xffff) == PV_CS_32 || number == SIGSYS)
		return 1;
	return number == SIGSEGV && regs[REG_TRAPNO] == PAGE && (uint64_t)regs[REG_CR2] == ip;
}

static void in_monitor(int number, ucontext_t *context, uint64_t ip)
{
	if (number == SIGUSR1) {
		/* Before the gate's last look this will be seen; behind it, look again. A sleep ends. */
		pv_gate.look = 1;
		pv_vcpu->hold = 1;
		pv_vcpu->events++;
		if (in_range(ip, pv_gate_leave, pv_gate_left))
			context->uc_mcontext.gregs[REG_RIP] = (greg_t)(uintptr_t)pv_gate_leave;
		return;
	}
	if (!in_range(ip, pv_gate_begin, pv_gate_end))
		bug(number, ip);
	/* The gate takes the return address from the guest's stack, and jumps where the guest said. */
	pv_broken(NULL, "a hypercall without a way back, stack", pv_gate.regs.gpr[EMU_RSP]);
}

void pv_signal(int number, siginfo_t *info, void *arg)
{
	ucontext_t *context = arg;
	const uint64_t ip = (uint64_t)context->uc_mcontext.gregs[REG_RIP];
	struct vcpu *v = pv_vcpu;
	struct emu_regs regs;

	if (ip >= PVR_PV_WINDOW && !is_guests(number, context, ip)) {
		in_monitor(number, context, ip);
		return;
	}
	regs_get(context, &regs);
	pv_clock_update(v);
	/* Who has an event from now on sends SIGUSR1, which comes as soon as this handler has returned. */
	if (number == SIGUSR1) {
		pv_gate_look();
	} else if (fault(v, &regs, number, info, context)) {
		halt(context, &regs);
		return;
	}
	deliver_due(v, &regs);
	regs_put(context, &regs);
}

int pv_signals_take(struct pv *pv)
{
	static const int taken[] = {SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGTRAP, SIGSYS, SIGUSR1};
	/* A fault within a handler must still be seen for what it is. */
	struct sigaction action = {.sa_sigaction = pv_gate_signal,
		.sa_flags = SA_SIGINFO | SA_ONSTACK | SA_RESTART | SA_NODEFER};

	sigemptyset(&action.sa_mask);
	sigaddset(&action.sa_mask, SIGUSR1);
	for (size_t i = 0; i < sizeof(taken) / sizeof(taken[0]); i++)
		if (sigaction(taken[i], &action, NULL))
			return -errno;
	pv->stack = malloc(STACK_SIZE);
	return pv->stack ? 0 : -ENOMEM;
}

void pv_stack_use(struct pv *pv)
{
	const stack_t stack = {.ss_sp = pv->stack, .ss_size = STACK_SIZE};

	sigaltstack(&stack, &pv->stack_before);
}

void pv_stack_leave(struct pv *pv)
{
	sigaltstack(&pv->stack_before, NULL);
}
