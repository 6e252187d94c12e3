/* SPDX-License-Identifier: MIT */
/*
 * A deprivileged guest: its facts from start_info, and the hot operations that would otherwise be a fault each, by
 * hypercalls. Source: Xen's public xen.h.
 */
#include <pvring/xen/grant_table.h>
#include <pvring/xen/sched.h>
#include <pvring/xen/start_info.h>

#include "guest/hot.h"
#include "guest/kernel.h"
#include "guest/paging.h"
#include "guest/xen.h"
#include "ports/x86/x86.h"

/* The mask is the virtual IF: block clears it and sleeps in one, and returns at once when something is pending. */
static void pv_idle(const _Atomic uint32_t *word, uint32_t seen)
{
	struct vcpu_info *vcpu = &pvr_boot.shared_info->vcpu_info[0];

	__atomic_store_n(&vcpu->evtchn_upcall_mask, 1, __ATOMIC_SEQ_CST);
	if (atomic_load_explicit(word, memory_order_seq_cst) == seen) {
		pvr_port_hypercall(__HYPERVISOR_sched_op, SCHEDOP_block, 0, 0);
		return;
	}
	__atomic_store_n(&vcpu->evtchn_upcall_mask, 0, __ATOMIC_SEQ_CST);
	if (__atomic_load_n(&vcpu->evtchn_upcall_pending, __ATOMIC_SEQ_CST))
		port_upcall();
}

static void pv_acknowledge(void)
{
}

static int pv_write(struct mmu_update *updates, unsigned count)
{
	return (int)cpu_hypercall(
		__HYPERVISOR_mmu_update, (unsigned long)updates, count, 0, DOMID_SELF);
}

static int pv_set(uint64_t *entry, unsigned long address, uint64_t value)
{
	(void)entry;
	return (int)CPU_HYPERCALL_ENTRY(
		__HYPERVISOR_update_va_mapping, address, value, UVMF_INVLPG);
}

static int extended(struct mmuext_op op)
{
	return (int)cpu_hypercall(__HYPERVISOR_mmuext_op, (unsigned long)&op, 1, 0, DOMID_SELF);
}

static void pv_flush(unsigned long address)
{
	extended((struct mmuext_op){.cmd = address ? MMUEXT_INVLPG_LOCAL : MMUEXT_TLB_FLUSH_LOCAL,
		.arg1.linear_addr = address});
}

static int pv_table(void *page, int is_table)
{
	unsigned long address = (unsigned long)page;

	return pv_set(NULL, address, address | _PAGE_PRESENT | (is_table ? 0 : _PAGE_RW));
}

static int pv_pin(void *table, unsigned level)
{
	return extended((struct mmuext_op){
		.cmd = level ? MMUEXT_PIN_L1_TABLE + level - 1 : MMUEXT_UNPIN_TABLE,
		.arg1.mfn = (unsigned long)table / PVR_PAGE_SIZE});
}

static int pv_root(void *table)
{
	return extended((struct mmuext_op){
		.cmd = MMUEXT_NEW_BASEPTR, .arg1.mfn = (unsigned long)table / PVR_PAGE_SIZE});
}

static const struct hot hot_pv = {
	.idle = pv_idle,
	.acknowledge = pv_acknowledge,
	.write = pv_write,
	.set = pv_set,
	.flush = pv_flush,
	.table = pv_table,
	.pin = pv_pin,
	.root = pv_root,
	.guards = 1,
};

/* Everything is mapped by the builder, the hypervisor's frames behind the last of the memory. */
void only_pv_init(const struct start_info *info)
{
	const unsigned long tables = info->pt_base, list = info->mfn_list;
	xen_pfn_t frames[XEN_GRANT_FRAMES];
	struct gnttab_setup_table setup = {
		.dom = DOMID_SELF, .nr_frames = XEN_GRANT_FRAMES, .frame_list = frames};

	machine.way = "PV";
	machine.memory_end = info->nr_pages * PVR_PAGE_SIZE;
	machine.command_line = (const char *)info->cmd_line;
	pages_init((unsigned long)kernel_end, machine.memory_end);
	pages_reserve(tables, tables + info->nr_pt_frames * PVR_PAGE_SIZE);
	pages_reserve(list, list + info->nr_pages * sizeof(xen_pfn_t));
	pages_reserve((unsigned long)info, (unsigned long)info + sizeof(*info));
	pages_reserve(info->mod_start, info->mod_start + info->mod_len);
	paging_init((void *)tables);
	hot = hot_pv;
	xen_must(xen_op(__HYPERVISOR_grant_table_op, GNTTABOP_setup_table, &setup) | setup.status,
		"no grant table");
	pvr_boot.shared_info = (void *)(machine.memory_end + info->shared_info);
	pvr_boot.store_ring = (void *)(machine.memory_end + info->store_mfn * PVR_PAGE_SIZE);
	pvr_boot.grant_table = (void *)(machine.memory_end + frames[0] * PVR_PAGE_SIZE);
	pvr_boot.store_port = info->store_evtchn;
}
