/* SPDX-License-Identifier: MIT */
/*
 * The facts of a PVH guest: the hypervisor's pages appear where the guest places them, right behind its memory, and the
 * hypercall page is filled in by an MSR. Source: Xen's arch-x86/cpuid.h, memory.h, hvm/params.h.
 */
#include <pvring/xen/hvm.h>
#include <pvring/xen/memory.h>

#include "guest/kernel.h"
#include "guest/lapic.h"
#include "guest/xen.h"
#include "ports/x86/x86.h"

#define FRAME_INFO  1u /* places behind the memory, in pages */
#define FRAME_GRANT 4u

static void place(unsigned space, unsigned long index, unsigned frame)
{
	struct xen_add_to_physmap add = {.domid = DOMID_SELF,
		.space = space,
		.idx = index,
		.gpfn = machine.memory_end / PVR_PAGE_SIZE + frame};

	xen_must(xen_op(__HYPERVISOR_memory_op, XENMEM_add_to_physmap, &add),
		"a page of the hypervisor's cannot be placed");
}

static uint64_t parameter(uint32_t index)
{
	struct xen_hvm_param param = {.domid = DOMID_SELF, .index = index};

	xen_must(xen_op(__HYPERVISOR_hvm_op, HVMOP_get_param, &param), "a parameter is not said");
	return param.value;
}

void only_pvh_init(uint32_t leaves)
{
	uint32_t words[4];
	evtchn_port_t port;

	cpu_cpuid(leaves + 2, words);
	cpu_wrmsr(words[1], (unsigned long)hypercall_page);
	place(XENMAPSPACE_shared_info, 0, FRAME_INFO);
	for (unsigned i = 0; i < pvr_boot.grant_frames; i++)
		place(XENMAPSPACE_grant_table, i, FRAME_GRANT + i);
	pvr_boot.shared_info = (void *)(machine.memory_end + FRAME_INFO * PVR_PAGE_SIZE);
	pvr_boot.grant_table = (void *)(machine.memory_end + FRAME_GRANT * PVR_PAGE_SIZE);
	pvr_boot.store_ring =
		(void *)((unsigned long)parameter(HVM_PARAM_STORE_PFN) * PVR_PAGE_SIZE);
	pvr_boot.store_port = (evtchn_port_t)parameter(HVM_PARAM_STORE_EVTCHN);
	port = (evtchn_port_t)parameter(HVM_PARAM_CONSOLE_EVTCHN);
	if (port)
		xen_console_init(
			(void *)((unsigned long)parameter(HVM_PARAM_CONSOLE_PFN) * PVR_PAGE_SIZE),
			port);
	lapic_init();
}
