/* SPDX-License-Identifier: MIT */
/* Bytes in a stretch of time. See credit.h. */
#include "credit.h"

void pvr_netback_credit_init(struct pvr_netback_credit *credit, uint32_t bytes, uint32_t us)
{
	*credit = (struct pvr_netback_credit){.bytes = us ? bytes : 0, .ns = us * 1000ull};
}

/*
 * What was not used is lost with its stretch, so that no burst is saved up. A debt is paid by as
 * many stretches as it takes, but never more than have gone by.
 */
static void refill(struct pvr_netback_credit *credit, uint64_t now)
{
	uint64_t stretches = (now - credit->next) / credit->ns + 1;
	int64_t add = INT64_MAX;

	if (stretches <= (uint64_t)INT32_MAX)
		add = (int64_t)stretches * credit->bytes;
	credit->left = credit->left < (int64_t)credit->bytes - add ? credit->left + add
								   : (int64_t)credit->bytes;
	credit->next += stretches * credit->ns;
}

uint64_t pvr_netback_credit_wait(struct pvr_netback_credit *credit, uint64_t now_ns)
{
	if (!credit->bytes)
		return 0;
	if (now_ns >= credit->next)
		refill(credit, now_ns);
	return credit->left > 0 ? 0 : credit->next;
}

void pvr_netback_credit_charge(struct pvr_netback_credit *credit, uint32_t bytes)
{
	if (credit->bytes)
		credit->left -= bytes;
}
