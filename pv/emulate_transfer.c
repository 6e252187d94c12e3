/* SPDX-License-Identifier: MIT */
/*
 * Transfers of control: iret, far jumps, calls and returns within ring 0, and delivery of
 * interrupts by the guest's IDT. CS changes only in the virtual state; the real one stays what the
 * machine gave it. No task gates, no call gates, no other ring. Source: volume 2, IRET, JMP, CALL,
 * RET; volume 3, 6.12 to 6.14.
 */
#include <errno.h>
#include <string.h>

#include "emulate_op.h"

#define GATE_PRESENT   0x80u
#define GATE_TYPE      0x1fu /* with S, which is 0 */
#define GATE_INTERRUPT 0xeu
#define GATE_TRAP      0xfu
#define TSS_IST        0x24u /* of IST 1, in a 64-bit TSS */

static int target_check(struct emu_op *op, uint16_t selector, uint64_t ip)
{
	if (emu_code_check(op, selector))
		return EMU_RAISED;
	if (op->cpu->bits == 64 && !emu_canonical(ip))
		return emu_raise_error(op, EMU_GP, 0);
	return 0;
}

/* ip, cs, flags; in 64-bit mode always rsp and ss too. */
int emu_iret(struct emu_op *op)
{
	unsigned width = op->insn.operand_width, count = op->cpu->bits == 64 ? 5 : 3;
	uint64_t word[5], real = emu_low(EMU_FLAGS_REAL, width);

	if (op->regs.flags & EMU_FLAG_NT) /* a return to another task */
		return emu_raise_error(op, EMU_GP, 0);
	if (emu_peek(op, word, count, width))
		return EMU_RAISED;
	if (op->cpu->bits == 32 && (word[2] & EMU_FLAG_VM))
		return emu_raise_error(op, EMU_GP, 0);
	if (target_check(op, (uint16_t)word[1], word[0]))
		return EMU_RAISED;
	if (count == 5 && emu_stack_check(op, (uint16_t)word[4]))
		return EMU_RAISED;
	op->regs.ip = word[0];
	op->regs.flags = (op->regs.flags & ~real) | (word[2] & real) | EMU_FLAG_ONE;
	op->cpu->cs = (uint16_t)word[1];
	op->cpu->interrupts = !!(word[2] & EMU_FLAG_IF);
	if (count == 5) {
		op->cpu->ss = (uint16_t)word[4];
		op->regs.gpr[EMU_RSP] = word[3];
	} else {
		emu_stack_move(op, count * width / 8);
	}
	return 0;
}

int emu_ret_far(struct emu_op *op)
{
	unsigned width = op->insn.operand_width;
	uint64_t word[2], more = 0;

	if (op->insn.meta.branch_type != ZYDIS_BRANCH_TYPE_FAR)
		return emu_unknown(op);
	if (op->operand[0].type == ZYDIS_OPERAND_TYPE_IMMEDIATE)
		more = op->operand[0].imm.value.u & UINT16_MAX;
	if (emu_peek(op, word, 2, width) || target_check(op, (uint16_t)word[1], word[0]))
		return EMU_RAISED;
	op->regs.ip = word[0];
	op->cpu->cs = (uint16_t)word[1];
	emu_stack_move(op, (int64_t)(2 * width / 8 + more));
	return 0;
}

/* The operand of a far jump or call: in the instruction, or in memory with the offset first. */
static int far_target(struct emu_op *op, uint16_t *selector, uint64_t *ip)
{
	const ZydisDecodedOperand *operand = &op->operand[0];
	size_t width = op->insn.operand_width / 8;
	uint8_t bytes[10];

	*ip = 0;
	if (op->insn.meta.branch_type != ZYDIS_BRANCH_TYPE_FAR)
		return emu_unknown(op);
	if (operand->type == ZYDIS_OPERAND_TYPE_POINTER) {
		*selector = operand->ptr.segment;
		*ip = emu_low(operand->ptr.offset, op->insn.operand_width);
	} else {
		if (emu_read(op, emu_address(op, operand), bytes, width + 2))
			return EMU_RAISED;
		memcpy(ip, bytes, width);
		memcpy(selector, bytes + width, 2);
	}
	return target_check(op, *selector, *ip);
}

int emu_jmp_far(struct emu_op *op)
{
	uint16_t selector;
	uint64_t ip;

	if (far_target(op, &selector, &ip))
		return EMU_RAISED;
	op->regs.ip = ip;
	op->cpu->cs = selector;
	return 0;
}

int emu_call_far(struct emu_op *op)
{
	uint64_t back[2] = {op->regs.ip, op->cpu->cs}, ip;
	uint16_t selector;

	if (far_target(op, &selector, &ip) || emu_push(op, back, 2, op->insn.operand_width))
		return EMU_RAISED;
	op->regs.ip = ip;
	op->cpu->cs = selector;
	return 0;
}

int emu_int(struct emu_op *op)
{
	op->effect.kind = EMU_INTERRUPT;
	op->effect.vector = (uint8_t)op->operand[0].imm.value.u;
	return 0;
}

struct gate {
	uint16_t selector;
	uint64_t ip;
	unsigned ist;
	int trap;
};

static int gate_get(struct emu_op *op, uint8_t vector, struct gate *gate)
{
	size_t size = op->cpu->bits / 4; /* 8 or 16 bytes */
	uint8_t raw[16] = {0};
	unsigned type;

	if (vector * size + size - 1 > op->cpu->idt.limit)
		return EMU_RAISED;
	if (emu_read(op, op->cpu->idt.base + vector * size, raw, size))
		return EMU_RAISED;
	type = raw[5] & GATE_TYPE;
	if (!(raw[5] & GATE_PRESENT) || (type != GATE_INTERRUPT && type != GATE_TRAP))
		return EMU_RAISED;
	gate->trap = type == GATE_TRAP;
	gate->ist = op->cpu->bits == 64 ? raw[4] & 7 : 0;
	gate->ip = 0;
	memcpy(&gate->ip, raw, 2);
	memcpy(&gate->selector, raw + 2, 2);
	memcpy((uint8_t *)&gate->ip + 2, raw + 6, 2);
	memcpy((uint8_t *)&gate->ip + 4, raw + 8, 4);
	/* The processor ignores the RPL of a gate's selector: CS gets the current ring. */
	gate->selector &= (uint16_t)~3u;
	return target_check(op, gate->selector, gate->ip);
}

/* Where a 64-bit frame begins: aligned to 16, on the stack there is or the one the gate names. */
static int stack_choose(struct emu_op *op, unsigned ist)
{
	uint64_t top = op->regs.gpr[EMU_RSP];

	if (ist) {
		uint32_t at = TSS_IST + (ist - 1) * 8;

		if (at + 7 > op->cpu->tss.limit ||
			emu_read(op, op->cpu->tss.base + at, &top, sizeof(top)))
			return EMU_RAISED;
	}
	op->regs.gpr[EMU_RSP] = top & ~15ull;
	return 0;
}

int emu_deliver(struct emu_cpu *cpu, struct emu_regs *regs, const struct emu_memory *memory,
	uint8_t vector, int has_error, uint32_t error)
{
	struct emu_op op = {.cpu = cpu, .regs = *regs, .memory = memory};
	uint64_t flags = (regs->flags & ~(uint64_t)EMU_FLAG_IF) | EMU_FLAG_ONE;
	uint64_t word[6] = {error};
	unsigned count = 1;
	struct gate gate;

	if (gate_get(&op, vector, &gate))
		return -EFAULT;
	word[count++] = regs->ip;
	word[count++] = cpu->cs;
	word[count++] = flags | (cpu->interrupts ? EMU_FLAG_IF : 0);
	if (cpu->bits == 64) {
		word[count++] = regs->gpr[EMU_RSP];
		word[count++] = cpu->ss;
		if (stack_choose(&op, gate.ist))
			return -EFAULT;
	}
	if (emu_push(&op, word + !has_error, count - !has_error, cpu->bits))
		return -EFAULT;
	op.regs.ip = gate.ip;
	op.regs.flags = flags & ~(uint64_t)(EMU_FLAG_TF | EMU_FLAG_NT | EMU_FLAG_RF | EMU_FLAG_VM);
	*regs = op.regs;
	cpu->cs = gate.selector;
	if (!gate.trap)
		cpu->interrupts = 0;
	return 0;
}
