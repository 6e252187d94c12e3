/* SPDX-License-Identifier: MIT */
/*
 * From the entry to a kernel that can do everything: what it runs on, where its memory is, and on Xen the facts of
 * pvring/port.h. Linear addresses are frames throughout; the hypervisor's own pages are where `xen_base` puts them.
 */
#include <string.h>

#include <pvring/xen/grant_table.h>
#include <pvring/xen/hvm.h>
#include <pvring/xen/memory.h>
#include <pvring/xen/sched.h>
#include <pvring/xen/start_info.h>
#include <pvring/xen/version.h>

#include "guest/hot.h"
#include "guest/kernel.h"
#include "guest/paging.h"
#include "ports/x86/x86.h"

#define XEN_LEAVES     0x40000000u
#define XEN_LEAVES_END 0x40010000u
#define MEMORY_MOST    (256ul << 20) /* more is left alone */
#define GRANT_FRAMES   8u            /* 4096 references: two disks and an interface */
#define FRAME_INFO     1u            /* places behind the memory, in pages */
#define FRAME_GRANT    4u
#define PORT_EXIT      0xf4 /* QEMU's isa-debug-exit */

struct machine machine;
struct pvr_boot pvr_boot;
const struct hot *hot = &hot_native;

static long op(unsigned number, unsigned long command, void *arg)
{
	return pvr_port_hypercall(number, command, (unsigned long)arg, 0);
}

void kernel_end_run(int crash)
{
	struct sched_shutdown how = {.reason = crash ? SHUTDOWN_crash : SHUTDOWN_poweroff};

	if (machine.xen_version)
		op(__HYPERVISOR_sched_op, SCHEDOP_shutdown, &how);
	else
		cpu_out8(PORT_EXIT, (uint8_t)crash);
	cpu_cli();
	for (;;)
		__asm__ volatile("hlt");
}

static void must(long result, const char *what)
{
	if (result < 0)
		pvr_port_panic(what);
}

/* ---- PVH, also without Xen ---- */

static void memory_pvh(const struct hvm_start_info *info)
{
	const struct hvm_memmap_table_entry *map = (void *)(unsigned long)info->memmap_paddr;
	const struct hvm_modlist_entry *module = (void *)(unsigned long)info->modlist_paddr;
	const unsigned long first = (unsigned long)kernel_end;

	for (uint32_t i = 0; i < info->memmap_entries; i++)
		if (map[i].type == XEN_HVM_MEMMAP_TYPE_RAM && map[i].addr <= first &&
			map[i].addr + map[i].size > first)
			machine.memory_end = map[i].addr + map[i].size < MEMORY_MOST
						     ? (unsigned long)(map[i].addr + map[i].size)
						     : MEMORY_MOST;
	if (!machine.memory_end)
		pvr_port_panic("no memory behind the kernel");
	pages_init(first, machine.memory_end);
	for (uint32_t i = 0; i < info->nr_modules; i++)
		pages_reserve((unsigned long)module[i].paddr,
			(unsigned long)(module[i].paddr + module[i].size));
	machine.command_line = (const char *)(unsigned long)info->cmdline_paddr;
}

/* The first of Xen's CPUID leaves, 0 without Xen. */
static uint32_t xen_leaves(void)
{
	uint32_t words[4];

	for (uint32_t leaf = XEN_LEAVES; leaf < XEN_LEAVES_END; leaf += 0x100) {
		cpu_cpuid(leaf, words);
		if (!memcmp(&words[1], "XenVMMXenVMM", 12))
			return leaf;
	}
	return 0;
}

static void place(unsigned space, unsigned long index, unsigned frame)
{
	struct xen_add_to_physmap add = {.domid = DOMID_SELF,
		.space = space,
		.idx = index,
		.gpfn = machine.memory_end / PVR_PAGE_SIZE + frame};

	must(op(__HYPERVISOR_memory_op, XENMEM_add_to_physmap, &add),
		"a page of the hypervisor's cannot be placed");
}

static uint64_t parameter(uint32_t index)
{
	struct xen_hvm_param param = {.domid = DOMID_SELF, .index = index};

	must(op(__HYPERVISOR_hvm_op, HVMOP_get_param, &param), "a parameter is not said");
	return param.value;
}

static void facts_pvh(uint32_t leaves)
{
	uint32_t words[4];

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
	lapic_init();
}

static void start_pvh(const struct hvm_start_info *info)
{
	uint32_t leaves = xen_leaves();

	memory_pvh(info);
	machine.way = leaves ? "PVH" : "native";
	paging_init(boot_root);
	if (leaves) {
		hot = &hot_pvh;
		facts_pvh(leaves);
	}
}

/* ---- PV ---- */

/* Everything is mapped by the builder, the hypervisor's frames behind the last of the memory. */
static void start_pv(const struct start_info *info)
{
	const unsigned long tables = info->pt_base, list = info->mfn_list;
	xen_pfn_t frames[GRANT_FRAMES];
	struct gnttab_setup_table setup = {
		.dom = DOMID_SELF, .nr_frames = GRANT_FRAMES, .frame_list = frames};

	machine.way = "PV";
	machine.memory_end = info->nr_pages * PVR_PAGE_SIZE;
	machine.command_line = (const char *)info->cmd_line;
	pages_init((unsigned long)kernel_end, machine.memory_end);
	pages_reserve(tables, tables + info->nr_pt_frames * PVR_PAGE_SIZE);
	pages_reserve(list, list + info->nr_pages * sizeof(xen_pfn_t));
	pages_reserve((unsigned long)info, (unsigned long)info + sizeof(*info));
	pages_reserve(info->mod_start, info->mod_start + info->mod_len);
	paging_init((void *)tables);
	hot = &hot_pv;
	must(op(__HYPERVISOR_grant_table_op, GNTTABOP_setup_table, &setup), "no grant table");
	pvr_boot.shared_info = (void *)(machine.memory_end + info->shared_info);
	pvr_boot.store_ring = (void *)(machine.memory_end + info->store_mfn * PVR_PAGE_SIZE);
	pvr_boot.grant_table = (void *)(machine.memory_end + frames[0] * PVR_PAGE_SIZE);
	pvr_boot.store_port = info->store_evtchn;
}

/* ---- both ---- */

static void event_interrupt(void)
{
	hot->acknowledge();
	port_upcall();
}

static void start_xen(void)
{
	struct xen_hvm_evtchn_upcall_vector vector = {.vector = VECTOR_UPCALL};

	machine.xen_version = (uint32_t)op(__HYPERVISOR_xen_version, XENVER_version, NULL);
	clock_init(&pvr_boot.shared_info->vcpu_info[0].time);
	must(pvr_init(&pvr_boot), "the library does not start");
	cpu_vector_set(VECTOR_UPCALL, event_interrupt);
	must(op(__HYPERVISOR_hvm_op, HVMOP_set_evtchn_upcall_vector, &vector),
		"no interrupt for events");
	cpu_sti();
	/* One that came before there was a vector makes no interrupt. */
	if (__atomic_load_n(
		    &pvr_boot.shared_info->vcpu_info[0].evtchn_upcall_pending, __ATOMIC_SEQ_CST))
		port_upcall();
	xen_timer_init();
}

void kernel_start(unsigned long pv, const void *info);
void kernel_main(void);

void kernel_start(unsigned long pv, const void *info)
{
	machine.entry_tsc = cpu_rdtsc();
	cpu_init();
	tasks_init();
	pvr_boot = (struct pvr_boot){.grant_frames = GRANT_FRAMES, .vcpus = 1, .domid = DOMID_SELF};
	if (pv)
		start_pv(info);
	else
		start_pvh(info);
	if (hot == &hot_native) {
		native_init();
		cpu_sti();
	} else {
		start_xen();
	}
	kernel_main();
}
