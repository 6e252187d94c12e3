/* SPDX-License-Identifier: MIT */
/*
 * The process beside a kernel that `pvring create` started: it starts it again when it reboots, has its console, and ends
 * the domain with it. It ends when the hypervisor does.
 */
#ifndef PVR_TOOLS_KEEPER_H
#define PVR_TOOLS_KEEPER_H

#include <stddef.h>
#include <stdint.h>

#include "run_kvm.h"

struct keeper_config {
	const char *dir; /* of the hypervisor's sockets */
	uint32_t domid;
	const char *name;
	const struct run_kvm *kvm;
	int reboots_end; /* a reboot ends the domain */
};

/* Start it in the background, in a session of its own. Returns when the guest runs: 0; or a sysexits status, said. */
int keeper_start(const struct keeper_config *config);

/*
 * Where the console of a domain is: a stream socket in the hypervisor's directory. Who connects gets one of these bytes, and then what
 * the guest prints; what he sends is typed. 0 or -ENAMETOOLONG.
 */
#define KEEPER_YOURS '+'
#define KEEPER_BUSY  '-' /* somebody else has it */
int keeper_console_path(const char *dir, uint32_t domid, char *path, size_t size);

#endif
