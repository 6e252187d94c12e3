/* SPDX-License-Identifier: MIT */
/* Why the guests of the kvm machine left it: their files in the hypervisor's directory. */
#ifndef PVR_TOOLS_STATS_KVM_H
#define PVR_TOOLS_STATS_KVM_H

#include <jansson.h>
#include <stdio.h>

/* A line for each guest below `dir`, nothing when there is none. */
void stats_kvm_print(FILE *to, const char *dir);

/* An object for each, behind those in `array`. */
void stats_kvm_json(json_t *array, const char *dir);

#endif
