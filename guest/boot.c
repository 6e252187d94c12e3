/* SPDX-License-Identifier: MIT */
/*
 * From the entry to a kernel that can do everything: what it runs on and where its memory is. Linear addresses are frames
 * throughout.
 */
#include <string.h>

#include <pvring/xen/sched.h>
#include <pvring/xen/start_info.h>

#include "guest/hot.h"
#include "guest/kernel.h"
#include "guest/paging.h"
#include "guest/xen.h"
#include "ports/x86/x86.h"
#include "rings/text.h"

#define XEN_LEAVES     0x40000000u
#define XEN_LEAVES_END 0x40010000u
#define MEMORY_MOST    (256ul << 20) /* more is left alone */
#define PORT_EXIT      0xf4          /* QEMU's isa-debug-exit */

struct machine machine;
struct pvr_boot pvr_boot;

void kernel_end_run(int crash)
{
	struct sched_shutdown how = {.reason = crash ? SHUTDOWN_crash : SHUTDOWN_poweroff};

	if (machine.xen_version) {
		xen_console_drain();
		xen_op(__HYPERVISOR_sched_op, SCHEDOP_shutdown, &how);
	} else {
		cpu_out8(PORT_EXIT, (uint8_t)crash);
	}
	cpu_cli();
	for (;;)
		__asm__ volatile("hlt");
}

static void keep(uint64_t first, uint64_t bytes)
{
	pages_reserve((unsigned long)first, (unsigned long)(first + bytes));
}

/* What the loader left for us may be anywhere: Xen's tools put it right behind the kernel, where our pages begin. */
static void keep_boot(const struct hvm_start_info *info)
{
	const struct hvm_modlist_entry *module = (void *)(unsigned long)info->modlist_paddr;

	keep((unsigned long)info, sizeof(*info));
	keep(info->memmap_paddr, info->memmap_entries * sizeof(struct hvm_memmap_table_entry));
	keep(info->modlist_paddr, info->nr_modules * sizeof(*module));
	for (uint32_t i = 0; i < info->nr_modules; i++)
		keep(module[i].paddr, module[i].size);
	keep((unsigned long)machine.command_line, pvr_text_length(machine.command_line) + 1);
}

static void memory_pvh(const struct hvm_start_info *info)
{
	const struct hvm_memmap_table_entry *map = (void *)(unsigned long)info->memmap_paddr;
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
	machine.command_line =
		info->cmdline_paddr ? (const char *)(unsigned long)info->cmdline_paddr : "";
	keep_boot(info);
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

/* Entered by PVH's protocol, which QEMU has without Xen, too. */
static void start_pvh(const struct hvm_start_info *info)
{
	uint32_t leaves;

	memory_pvh(info);
	/* Before the first instruction that a hypervisor may want to look at. */
	if (!line_has(machine.command_line, "flat"))
		cpu_paging_on(boot_root);
	leaves = xen_leaves();
	machine.way = leaves ? "PVH" : "native";
	paging_init(boot_root);
	if (leaves)
		only_pvh_init(leaves);
	else
		only_native_init();
}

void kernel_start(unsigned long pv, const void *info);
void kernel_main(void);

void kernel_start(unsigned long pv, const void *info)
{
	machine.entry_tsc = cpu_rdtsc();
	cpu_init();
	tasks_init();
	pvr_boot = (struct pvr_boot){
		.grant_frames = XEN_GRANT_FRAMES, .vcpus = 1, .domid = DOMID_SELF};
	if (pv)
		only_pv_init(info);
	else
		start_pvh(info);
	if (pvr_boot.shared_info)
		xen_start();
	else
		cpu_sti();
	kernel_main();
}
