/* SPDX-License-Identifier: MIT */
/* Random bytes in every page that is shared with somebody, and calls and events that make them look. */
#include <string.h>

#include "hostile.h"
#include "ports/x86/x86.h"

#define GRANT_ENTRIES 512u

static void grants_scatter(void)
{
	struct grant_entry_v1 *table = hypervisor_page(4 + random_below(8));

	for (unsigned i = 0; i < 64; i++) {
		struct grant_entry_v1 *entry = &table[random_below(GRANT_ENTRIES)];

		entry->domid = random_once(4) ? (domid_t)random_bits() : 0;
		entry->frame = (uint32_t)random_frame();
		__atomic_store_n(&entry->flags,
			(uint16_t)(random_once(8) ? random_bits() : random_below(8)),
			__ATOMIC_SEQ_CST);
	}
}

/* A page of shared_info, store, console or grants: a stretch of it. */
static void page_scatter(void)
{
	const unsigned bytes = 4 + random_below(64);
	unsigned at = random_below(PVR_PAGE_SIZE - bytes);
	uint8_t *page = hypervisor_page(1 + random_below(8));

	if (random_once(2))
		at &= ~3u;
	/* The first vcpu_info has the clock, which says when a part is over. */
	if (at < sizeof(struct vcpu_info))
		random_words(page, 16);
	else
		random_words(page + at, bytes);
}

/* The indices of the store and of the console: jumps, and steps. */
static void indices_scatter(void)
{
	struct xenstore_domain_interface *store = hypervisor_page(2);
	uint32_t *console = (uint32_t *)hypervisor_page(3) + (1024 + 2048) / 4;

	if (random_once(2))
		store->req_prod += random_once(4) ? random_word() : random_below(40);
	if (random_once(4))
		store->rsp_cons = random_once(4) ? random_word() : store->rsp_prod;
	if (random_once(4))
		store->connection = random_below(3);
	console[random_below(4)] += random_once(4) ? random_word() : random_below(40);
}

static void events_send(void)
{
	for (unsigned i = 0; i < 16; i++) {
		const uint32_t port = random_once(2) ? 1 + random_below(16) : random_word();
		const unsigned long args[5] = {EVTCHNOP_send, (unsigned long)&port};

		calls_made++;
		calls_done += !hypercall(__HYPERVISOR_event_channel_op, args);
	}
}

void noise_part(unsigned rounds)
{
	while (rounds-- && !part_over()) {
		grants_scatter();
		for (unsigned i = 0; i < 8; i++)
			page_scatter();
		indices_scatter();
		cpu_cli();
		events_send();
		for (unsigned i = 0; i < 4; i++)
			call_random();
	}
}
