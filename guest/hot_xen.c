/* SPDX-License-Identifier: MIT */
/*
 * The hot operations on Xen. A PVH guest has the processor's own hlt and page tables; a PV guest asks for both. The timer
 * is the same.
 */
#include <pvring/evtchn.h>
#include <pvring/xen/sched.h>
#include <pvring/xen/vcpu.h>

#include "guest/hot.h"
#include "guest/kernel.h"
#include "ports/x86/x86.h"

static volatile uint64_t armed; /* the deadline that the hypervisor has; 0: none */

static void fired(evtchn_port_t port, void *arg)
{
	(void)port;
	(void)arg;
	armed = 0;
}

void xen_timer_init(void)
{
	int port = pvr_evtchn_bind_virq(VIRQ_TIMER, 0);

	if (port < 0)
		pvr_port_panic("no port for the timer");
	pvr_evtchn_handler_set((evtchn_port_t)port, fired, NULL);
	pvr_evtchn_unmask((evtchn_port_t)port);
}

static void xen_timer(uint64_t deadline_ns)
{
	struct vcpu_set_singleshot_timer once = {.timeout_abs_ns = deadline_ns};

	/* One that is armed and no longer wanted does no harm. */
	if (deadline_ns == UINT64_MAX || deadline_ns == armed)
		return;
	armed = deadline_ns;
	pvr_port_hypercall(
		__HYPERVISOR_vcpu_op, VCPUOP_set_singleshot_timer, 0, (unsigned long)&once);
}

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

const struct hot hot_pvh = {
	.idle = native_idle,
	.timer = xen_timer,
	.acknowledge = lapic_acknowledge,
	.write = native_write,
	.set = native_set,
	.flush = native_flush,
	.table = native_table,
	.pin = native_pin,
	.root = native_root,
};

const struct hot hot_pv = {
	.idle = pv_idle,
	.timer = xen_timer,
	.acknowledge = pv_acknowledge,
	.write = pv_write,
	.set = pv_set,
	.flush = pv_flush,
	.table = pv_table,
	.pin = pv_pin,
	.root = pv_root,
	.guards = 1,
};
