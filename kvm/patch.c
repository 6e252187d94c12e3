/* SPDX-License-Identifier: MIT */
/*
 * Hypercall instructions of a guest that never reach user space. Linux calls the hypervisor by vmcall or
 * vmmcall, which a KVM built without CONFIG_KVM_XEN answers itself; an `out` of the same three bytes comes to
 * us, with the call's number in eax and its arguments where they were. It is rewritten where a return
 * follows: ret, int3, or the jump to a return thunk; kernels hold the instruction nowhere else as code that
 * is meant for Xen, and data is not touched.
 */
#include "patch.h"

#define RET    0xc3
#define INT3   0xcc
#define JMP    0xe9
#define OUT_IB 0xe7 /* out %eax, imm8 */
#define NOP    0x90

static int is_hypercall(const uint8_t *at)
{
	if (at[0] != 0x0f || at[1] != 0x01 || (at[2] != 0xc1 && at[2] != 0xd9))
		return 0;
	return at[3] == RET || at[3] == INT3 || at[3] == JMP;
}

unsigned kvm_patch_hypercalls(uint8_t *image, const struct vm_kernel *kernel, uint8_t port)
{
	unsigned found = 0;

	for (unsigned i = 0; i < kernel->segments; i++) {
		const struct vm_part *s = &kernel->segment[i];

		if (!s->executable)
			continue;
		for (uint64_t at = 0; at + 4 <= s->filesz; at++) {
			uint8_t *code = image + s->offset + at;

			if (!is_hypercall(code))
				continue;
			code[0] = OUT_IB;
			code[1] = port;
			code[2] = NOP;
			found++;
		}
	}
	return found;
}
