/* SPDX-License-Identifier: MIT */
/*
 * What a guest sees of its CPU: the host's, as far as KVM can give it, as a plain row of cores, with Xen's
 * leaves in place of KVM's. Source of the leaves: Xen's arch-x86/cpuid.h.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>

#include "internal.h"

#define ENTRIES_MAX 256u
#define XEN_BASE    0x40000000u
#define XEN_LEAVES  5u
#define XEN_VERSION (4u << 16 | 17u)

/* Leaf 4, EAX: what an HVM guest may count on. */
#define HVM_VCPU_ID       (1u << 3)
#define HVM_DOMID         (1u << 4)
#define HVM_UPCALL_VECTOR (1u << 6)

#define FEATURE_MONITOR    (1u << 3)
#define FEATURE_HYPERVISOR (1u << 31)

static void xen_leaf(
	const struct vcpu *v, unsigned leaf, uint32_t tsc_khz, struct kvm_cpuid_entry2 *e)
{
	*e = (struct kvm_cpuid_entry2){.function = XEN_BASE + leaf};
	switch (leaf) {
	case 0:
		e->eax = XEN_BASE + XEN_LEAVES - 1;
		memcpy(&e->ebx, "XenV", 4);
		memcpy(&e->ecx, "MMXe", 4);
		memcpy(&e->edx, "nVMM", 4);
		break;
	case 1:
		e->eax = XEN_VERSION;
		break;
	case 2:
		e->eax = 1; /* one hypercall page */
		e->ebx = KVM_HYPERCALL_MSR;
		break;
	case 3:
		e->flags = KVM_CPUID_FLAG_SIGNIFCANT_INDEX;
		e->ecx = tsc_khz;
		break;
	default:
		e->eax = HVM_VCPU_ID | HVM_DOMID | HVM_UPCALL_VECTOR;
		e->ebx = v->index;
		e->ecx = v->vm->config->domid;
		break;
	}
}

static void host_leaf(const struct vcpu *v, struct kvm_cpuid_entry2 *e)
{
	const uint32_t vcpus = v->vm->boot.vcpus;

	switch (e->function) {
	case 1:
		e->ebx = (e->ebx & 0xff00u) | v->index << 24 | vcpus << 16;
		e->ecx = (e->ecx & ~FEATURE_MONITOR) | FEATURE_HYPERVISOR;
		break;
	case 4: /* caches are nobody else's, a package has all cores */
		e->eax = (e->eax & 0x3fffu) | (vcpus - 1) << 26;
		break;
	case 0xb:
	case 0x1f: /* no topology: legacy leaves say enough */
		e->eax = e->ebx = e->ecx = 0;
		e->edx = v->index;
		break;
	case 0x80000008:
		e->ecx = (e->ecx & ~0xf0ffu) | (vcpus - 1);
		break;
	case 0x8000001e:
		e->eax = v->index;
		e->ebx = v->index;
		e->ecx = 0;
		break;
	}
}

int kvm_cpuid_set(struct vcpu *v)
{
	size_t size = sizeof(struct kvm_cpuid2) +
		      (ENTRIES_MAX + XEN_LEAVES) * sizeof(struct kvm_cpuid_entry2);
	struct kvm_cpuid2 *c = calloc(1, size);
	unsigned kept = 0;
	int khz = ioctl(v->kvm->fd, KVM_GET_TSC_KHZ, 0);
	int err = 0;

	if (!c)
		return -ENOMEM;
	c->nent = ENTRIES_MAX;
	if (ioctl(v->vm->kvm->dev, KVM_GET_SUPPORTED_CPUID, c)) {
		err = -errno;
		goto out;
	}
	for (unsigned i = 0; i < c->nent; i++) {
		if (c->entries[i].function >> 16 == XEN_BASE >> 16)
			continue;
		c->entries[kept] = c->entries[i];
		host_leaf(v, &c->entries[kept++]);
	}
	for (unsigned i = 0; i < XEN_LEAVES; i++)
		xen_leaf(v, i, khz > 0 ? (uint32_t)khz : 0, &c->entries[kept++]);
	c->nent = kept;
	if (ioctl(v->kvm->fd, KVM_SET_CPUID2, c))
		err = -errno;
out:
	free(c);
	return err;
}
