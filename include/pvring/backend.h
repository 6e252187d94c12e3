/* SPDX-License-Identifier: MIT */
/* How a backend is started, whatever it serves: pvring/blkback.h, pvring/netback.h. */
#ifndef PVR_BACKEND_H
#define PVR_BACKEND_H

struct pvr_back_config {
	const char *dir;  /* of the hypervisor's sockets, of the statistics and of the journals */
	const char *host; /* which hypervisor, as for pvr_host_open; NULL: the one in dir */
	unsigned workers; /* threads; 0: one of each of cpus, or one a CPU and at most 4 */
	const char *cpus; /* that they run on, in turn: "0-3,6"; NULL: any. -EINVAL when it is no such list */
	int ready_fd;    /* one byte is written when backend/<type> is watched; -1: none */
	int parent_dies; /* end when the parent process ends */
	int quiet; /* what hotplug-error says is not repeated on stderr: the toolstack reads it */
};

/* 0 when `text` is such a list, short enough for the workers there may be; or -EINVAL. */
int pvr_back_cpus_check(const char *text);

#endif
