/* SPDX-License-Identifier: MIT */
/* `boot`: what the kernel found. `flat`: it runs without paging, as boot.c has seen to. */
#include "guest/kernel.h"
#include "ports/x86/x86.h"

int boot_scenario(const char *args)
{
	(void)args;
	say("boot: %u bits, %s, Xen %u.%u, %lu MiB, %u pages free, up after %llu us",
		8 * (unsigned)sizeof(long), machine.way, machine.xen_version >> 16,
		machine.xen_version & 0xffff, machine.memory_end >> 20, pages_free_count(),
		(unsigned long long)divide(clock_ns_of(cpu_rdtsc() - machine.entry_tsc), 1000));
	return 0;
}

int flat_scenario(const char *args)
{
	(void)args;
	return cpu_has_paging()
		       ? failed("paging is on: only i386 can do without, not as a PV guest")
		       : 0;
}
