/* SPDX-License-Identifier: MIT */
/* Hypercall instructions in a kernel's image. Pure. */
#ifndef KVM_PATCH_H
#define KVM_PATCH_H

#include "../machine/load.h"

/*
 * Rewrite the instruction vmcall or vmmcall to `out %eax, $port` in the executable segments of an
 * image, wherever a return follows. How many there were.
 */
unsigned kvm_patch_hypercalls(uint8_t *image, const struct vm_kernel *kernel, uint8_t port);

#endif
