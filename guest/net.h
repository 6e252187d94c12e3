/* SPDX-License-Identifier: MIT */
/* The scenario `net=`: an interface of the guest, with what is above it. */
#ifndef GUEST_NET_H
#define GUEST_NET_H

/* `args` is what stands behind "net=". 0, or failed() of kernel.h. Runs in a task; may start others and wait. */
int net_scenario(const char *args) __attribute__((weak));

#endif
