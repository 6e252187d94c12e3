/* SPDX-License-Identifier: MIT */
/*
 * The hypercalls that only a PV guest makes: page tables, batches, the timer by its old name; and sleep, which
 * turns interrupts on. Arrays are taken a piece at a time, and what the guest may look at afterwards is how many were done.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <pvring/xen/sched.h>
#include <pvring/xen/vcpu.h>

#include "internal.h"

#define PIECE     64u
#define COUNT_MAX (1u << 20)
#define EXT_32    12u

/* Under a sanitizer the whole of the page tables is counted again after every call. */
#if defined(__SANITIZE_ADDRESS__) || defined(PVR_PV_CHECK)
#define CHECKED 1
#else
#define CHECKED 0
#endif

static void check(struct pv *pv)
{
	uint64_t frame = 0;
	const char *wrong = CHECKED ? mmu_check(&pv->mmu, pv->counted, &frame) : NULL;

	if (!wrong)
		return;
	fprintf(stderr, "pvring: page tables: %s (frame %#llx)\n", wrong,
		(unsigned long long)frame);
	abort();
}

static int is_foreign(const struct vcpu *v, uint64_t domid)
{
	return (uint16_t)domid != DOMID_SELF && (uint16_t)domid != v->vm->config->domid;
}

static long update_one(struct vcpu *v, const uint8_t *at)
{
	struct mmu_update update;

	memcpy(&update, at, sizeof(update));
	return mmu_update_one(&v->vm->pv->mmu, update.ptr, update.val);
}

static long extended_one(struct vcpu *v, const uint8_t *at)
{
	struct pv *pv = v->vm->pv;
	struct mmuext_op op = {0};
	uint32_t words[3];

	if (v->vm->word_size == 8) {
		memcpy(&op, at, sizeof(op));
	} else {
		memcpy(words, at, sizeof(words));
		op.cmd = words[0];
		op.arg1.mfn = words[1];
		op.arg2.src_mfn = words[2];
	}
	long result = mmu_ext_one(&pv->mmu, &op);

	if (!result && op.cmd == MMUEXT_NEW_BASEPTR)
		pv->cpu.cr3 = op.arg1.mfn * VM_PAGE;
	return result;
}

/* (array, count, where the count done goes or 0, whose frames) */
static long array_call(struct vcpu *v, const struct hypercall *call, size_t size,
	long (*one)(struct vcpu *v, const uint8_t *at))
{
	uint8_t piece[PIECE * sizeof(struct mmuext_op)];
	const uint32_t count = (uint32_t)call->arg[1];
	uint32_t done = 0;
	long result = 0;

	if (is_foreign(v, call->arg[3]) || call->arg[3] >> 16 & 0x7fff)
		return -EPERM;
	if (count > COUNT_MAX)
		return -EINVAL;
	while (done < count && !result) {
		const uint32_t now = count - done < PIECE ? count - done : PIECE;

		if (vm_guest_read(v, call->arg[0] + (uint64_t)done * size, piece, now * size)) {
			result = -EFAULT;
			break;
		}
		for (uint32_t i = 0; i < now && !result; i++) {
			result = one(v, piece + i * size);
			done += !result;
		}
	}
	mmu_flush(&v->vm->pv->mmu);
	check(v->vm->pv);
	if (call->arg[2] && vm_guest_write(v, call->arg[2], &done, sizeof(done)))
		return -EFAULT;
	return result;
}

/* (address, entry, flags), the entry two words on a 32-bit guest */
static long update_va(struct vcpu *v, const struct hypercall *call)
{
	const int wide = v->vm->word_size == 8;
	const uint64_t value = wide ? call->arg[1] : call->arg[1] | call->arg[2] << 32;
	struct mmu *mmu = &v->vm->pv->mmu;
	long result = mmu_update_va(mmu, call->arg[0], value, call->arg[wide ? 2 : 3]);

	mmu_flush(mmu);
	check(v->vm->pv);
	return result;
}

/* A batch is not interrupted, and a batch in a batch is refused, as Xen does it. */
static long multicall(struct vcpu *v, const struct hypercall *call)
{
	const unsigned word = v->vm->word_size;
	const uint32_t count = (uint32_t)call->arg[1];
	uint8_t entry[sizeof(struct multicall_entry)];

	if (count > COUNT_MAX)
		return -EINVAL;
	for (uint32_t i = 0; i < count && v->vm->reason < 0; i++) {
		const uint64_t at = call->arg[0] + (uint64_t)i * 8 * word;
		struct hypercall one = {.bits = call->bits};
		uint64_t op = 0;
		long result = -ENOSYS;

		if (vm_guest_read(v, at, entry, 8 * (size_t)word))
			return -EFAULT;
		memcpy(&op, entry, word);
		one.op = (unsigned)op;
		for (unsigned k = 0; k < 5; k++)
			memcpy(&one.arg[k], entry + (2 + k) * word, word);
		if (one.op != __HYPERVISOR_multicall)
			result = vm_hypercall(v, &one);
		if (vm_guest_write(v, at + word, &result, word))
			return -EFAULT;
	}
	return 0;
}

/* On a 32-bit guest the time is two words. */
static long timer_call(struct vcpu *v, const struct hypercall *call)
{
	return vm_timer_set(
		v, v->vm->word_size == 8 ? call->arg[0] : call->arg[0] | call->arg[1] << 32, 0);
}

long pv_call(struct vcpu *v, const struct hypercall *call, int *done)
{
	*done = 1;
	switch (call->op) {
	case __HYPERVISOR_mmu_update:
		return array_call(v, call, sizeof(struct mmu_update), update_one);
	case __HYPERVISOR_mmuext_op:
		return array_call(v, call,
			v->vm->word_size == 8 ? sizeof(struct mmuext_op) : EXT_32, extended_one);
	case __HYPERVISOR_update_va_mapping:
		return update_va(v, call);
	case __HYPERVISOR_multicall:
		return multicall(v, call);
	case __HYPERVISOR_set_timer_op:
		return timer_call(v, call);
	case __HYPERVISOR_vcpu_op:
		/* vcpu_info stays where it is: the gate looks at it without asking. */
		*done = call->arg[0] == VCPUOP_register_vcpu_info;
		return -ENOSYS;
	case __HYPERVISOR_sched_op:
		*done = call->arg[0] == SCHEDOP_block;
		if (*done)
			pv_block(v);
		return 0;
	default:
		*done = 0;
		return -ENOSYS;
	}
}

void pv_gate_hypercall(void)
{
	struct vcpu *v = pv_vcpu;
	struct emu_regs *r = &pv_gate.regs;
	const int wide = pv_gate.bits == 64;
	struct hypercall call = {
		.op = (unsigned)r->gpr[EMU_RAX],
		.bits = pv_gate.bits,
		.arg = {r->gpr[EMU_RDI], r->gpr[EMU_RSI], r->gpr[EMU_RDX], r->gpr[EMU_R10],
			r->gpr[EMU_R8]},
	};

	if (!wide) {
		for (unsigned i = 0; i < EMU_GPRS; i++)
			r->gpr[i] = (uint32_t)r->gpr[i];
		call.arg[0] = r->gpr[EMU_RBX];
		call.arg[1] = r->gpr[EMU_RCX];
		call.arg[2] = r->gpr[EMU_RDX];
		call.arg[3] = r->gpr[EMU_RSI];
		call.arg[4] = r->gpr[EMU_RDI];
	}
	pv_clock_update(v);
	long result = vm_hypercall(v, &call);

	r->gpr[EMU_RAX] = wide ? (uint64_t)result : (uint32_t)result;
}
