/* SPDX-License-Identifier: MIT */
/*
 * A line to the console of a guest of Xen. console_io is for dom0, and for every domain where the hypervisor was built for
 * debugging or is ours; another's lines go into its console page, which xenconsoled reads. Source of the page: Xen's
 * public io/console.h.
 */
#include <stddef.h>

#include <pvring/evtchn.h>
#include <pvring/xen/console.h>
#include <pvring/xen/sched.h>

#include "kernel.h"
#include "xen.h"

#define PATIENCE (1 * S) /* with a reader that does not read */

static struct xencons_interface *page;
static evtchn_port_t page_port;
static int refused;

void xen_console_init(struct xencons_interface *console, evtchn_port_t port)
{
	page = console;
	page_port = port;
	refused = 0;
}

/* What waits for the reader, or the whole page where its index cannot be. */
static uint32_t waiting(void)
{
	/* OUT-FREE (acquire), partner: xenconsoled's store of out_cons; else we overwrite what it still copies. */
	uint32_t count = page->out_prod - __atomic_load_n(&page->out_cons, __ATOMIC_ACQUIRE);

	return count < sizeof(page->out) ? count : (uint32_t)sizeof(page->out);
}

/* Let others run until no more than `most` bytes wait: 0, or -1 when that takes too long. */
static int await(uint32_t most)
{
	const uint64_t deadline = pvr_port_now_ns() + PATIENCE;

	while (waiting() > most) {
		if (pvr_port_now_ns() >= deadline)
			return -1;
		pvr_port_hypercall(__HYPERVISOR_sched_op, SCHEDOP_yield, 0, 0);
	}
	return 0;
}

int xen_console_write(const char *bytes, size_t size)
{
	if (!refused && pvr_port_hypercall(__HYPERVISOR_console_io, CONSOLEIO_write, size,
				(unsigned long)bytes) >= 0)
		return 0;
	refused = 1;
	/* A line is written whole or not at all. */
	if (!page || size > sizeof(page->out) || await((uint32_t)(sizeof(page->out) - size)))
		return -1;

	uint32_t prod = page->out_prod;

	for (size_t i = 0; i < size; i++)
		page->out[MASK_XENCONS_IDX(prod++, page->out)] = bytes[i];
	/* OUT-PUBLISH (release), partner: xenconsoled's load of out_prod; else it copies bytes not yet written. */
	__atomic_store_n(&page->out_prod, prod, __ATOMIC_RELEASE);
	pvr_evtchn_notify(page_port);
	return 0;
}

void xen_console_drain(void)
{
	if (refused && page)
		await(0);
}
