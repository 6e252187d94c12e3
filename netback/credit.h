/* SPDX-License-Identifier: MIT */
/*
 * What a queue's frontend may send: so many bytes in each stretch of time (`rate`). Pure arithmetic
 * on CLOCK_MONOTONIC in ns. A packet may take more than there is left; the debt is paid before the
 * next one goes.
 */
#ifndef PVR_NETBACK_CREDIT_H
#define PVR_NETBACK_CREDIT_H

#include <stdint.h>

struct pvr_netback_credit {
	uint32_t bytes; /* in each `ns`; 0: no limit */
	uint64_t ns;
	int64_t left;
	uint64_t next; /* when there are `bytes` more */
};

/* us 0: no limit either. */
void pvr_netback_credit_init(struct pvr_netback_credit *credit, uint32_t bytes, uint32_t us);
/* 0: a packet may be taken; otherwise when to ask again. */
uint64_t pvr_netback_credit_wait(struct pvr_netback_credit *credit, uint64_t now_ns);
void pvr_netback_credit_charge(struct pvr_netback_credit *credit, uint32_t bytes);

#endif
