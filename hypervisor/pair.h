/* SPDX-License-Identifier: MIT */
/* The eventfds of event channels, counted and within a budget. */
#ifndef HV_PAIR_H
#define HV_PAIR_H

#include "evtchn.h"

/* An epoll descriptor that holds `fd` edge-triggered, out of the same budget; -1 when there is none
 * left. */
int hv_guard_new(struct hv_pair_budget *budget, int fd);
void hv_guard_close(struct hv_pair_budget *budget, int guard);

/* A pair of `descriptors` (1 or 2) eventfds with one reference; NULL when there are none left. */
struct hv_pair *hv_pair_new(struct hv_pair_budget *budget, unsigned descriptors);
void hv_pair_put(struct hv_pair *pair);

#endif
