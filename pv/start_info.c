/* SPDX-License-Identifier: MIT */
/* Xen's PV start_info for a guest of either word size. Pure. Source: xen.h, as pvring/xen/start_info.h has it. */
#include <string.h>

#include <pvring/xen/start_info.h>

#include "internal.h"

/* Fields in their order, each aligned to its size, as both ABIs have it. */
struct cursor {
	uint8_t *page;
	size_t at;
};

static void put(struct cursor *c, uint64_t value, size_t size)
{
	c->at = (c->at + size - 1) / size * size;
	memcpy(c->page + c->at, &value, size);
	c->at += size;
}

void pv_start_info(uint8_t *page, unsigned word, const struct pv_start *start)
{
	struct cursor c = {.page = page, .at = 32};

	strcpy((char *)page, word == 8 ? "xen-3.0-x86_64" : "xen-3.0-x86_32p");
	put(&c, start->nr_pages, word);
	put(&c, start->shared_info, word);
	put(&c, 0, 4); /* flags */
	put(&c, start->store_mfn, word);
	put(&c, start->store_evtchn, 4);
	put(&c, start->console_mfn, word);
	put(&c, start->console_evtchn, 4);
	put(&c, start->pt_base, word);
	put(&c, start->nr_pt_frames, word);
	put(&c, start->mfn_list, word);
	put(&c, start->mod_start, word);
	put(&c, start->mod_len, word);
	strncpy((char *)page + c.at, start->cmdline, MAX_GUEST_CMDLINE - 1);
}
