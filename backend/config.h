/* SPDX-License-Identifier: MIT */
/* How a backend is started: what struct pvr_blkback_config and pvr_netback_config say, which see. */
#ifndef PVR_BACKEND_CONFIG_H
#define PVR_BACKEND_CONFIG_H

struct pvr_back_config {
	const char *dir;
	const char *host;
	unsigned workers;
	const char *cpus;
	int ready_fd;
	int parent_dies;
	int quiet;
};

#endif
