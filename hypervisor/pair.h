/* SPDX-License-Identifier: MIT */
/* The eventfds of event channels, counted and within a budget. */
#ifndef HV_PAIR_H
#define HV_PAIR_H

#include "evtchn.h"

/* A pair of `descriptors` (1 or 2) eventfds with one reference; NULL when there are none left. */
struct hv_pair *hv_pair_new(struct hv_pair_budget *budget, unsigned descriptors);
void hv_pair_put(struct hv_pair *pair);

#endif
