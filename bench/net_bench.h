/* SPDX-License-Identifier: MIT */
/* What `pvring bench net` shares with the ways of moving packets that it compares. */
#ifndef PVR_NET_BENCH_H
#define PVR_NET_BENCH_H

#include <stdint.h>

#include <pvring/netfront.h>

/* What to do: the same for everybody. */
struct net_job {
	uint64_t ns;    /* how long */
	uint32_t bytes; /* of a packet, with its Ethernet header */
	int to_guest;   /* else from it */
};

/* What came of it, from the guest's side. */
struct net_result {
	uint64_t packets, ns;
	int error;
};

/* A queue at work. An interface is opened with net_runner_calls, whose `user` is an array of these by index. */
struct net_runner {
	struct pvr_netfront *net;
	const struct net_job *job;
	uint64_t packets;
	uint64_t seen; /* of what was received, so that somebody reads it */
	unsigned index;
	int error;
};
extern const struct pvr_netfront_calls net_runner_calls;

/* On every queue of the interface, a thread each. */
void net_run_pvring(struct pvr_netfront *net, struct net_runner *runners, const struct net_job *job,
	struct net_result *result);

/* A ring of 256 slots between two processes on two CPUs, one memcpy into it and none out of it: nothing but the moving. */
void net_run_floor(const struct net_job *job, struct net_result *result);

#endif
