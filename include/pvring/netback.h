/* SPDX-License-Identifier: MIT */
/*
 * The network backend: serves every interface under backend/vif of its xenstore, in one process, as pvring/blkback.h
 * serves disks: a control thread, workers, no locks on the data path.
 *
 * An interface is described by nodes of its backend directory that the toolstack writes:
 *   mac      of the frontend, "02:00:00:00:00:01"
 *   type     the outside (ours; missing, or libxl's "vif": "tap"):
 *            "tap"   a TAP device, named by vifname; made if it is not there, gone with the interface then
 *            "passt" a Unix stream socket that speaks passt's framing (a length of four bytes, most significant first,
 *                    before each packet); params is its path
 *            "null"  swallows what is sent; params: bytes of packets that it sends as fast as there are buffers,
 *                    missing or "0": none
 *            "loop"  gives back what is sent
 *   vifname  of the TAP, default vif<domid>.<devid>;  bridge  which it joins (missing: none)
 *   mtu      68 to 65521, default 1500
 *   rate     "BYTES,MICROSECONDS": what the frontend may send in each such time, per queue (libxl's)
 *   queues   the frontend may have, 1 to 16 (ours; missing: one a worker)
 *   features "0x.." bits PVR_NETBACK_NO_* that are not to be offered (ours)
 *   frontend, frontend-id, online, state, handle, script   as libxl writes them
 * and this backend answers with the features it has, with multi-queue-max-queues and hotplug-status, before the
 * frontend offers its rings, and with `carrier` (ours; "0" while a frontend posts no buffers).
 *
 * A frontend that breaks the protocol loses its interface, and nobody else's suffers: what is broken is said in one line,
 * in the log and in node `error`.
 */
#ifndef PVR_NETBACK_H
#define PVR_NETBACK_H

#include <stdatomic.h>
#include <stdint.h>

#include <pvring/backend.h>

/* Bits of node `features`. */
enum {
	PVR_NETBACK_NO_SG = 1,
	PVR_NETBACK_NO_GSO = 2,
	PVR_NETBACK_NO_CSUM = 4,
	PVR_NETBACK_NO_SPLIT = 8,
	PVR_NETBACK_NO_CONTROL = 16, /* no control ring: no hash, no static grants */
	PVR_NETBACK_NO_MULTICAST = 32,
};

/*
 * Serve until SIGTERM or SIGINT, or until the hypervisor is gone. Confines itself with seccomp once set up.
 * Returns 0 or a negative errno, having written one line that says what and where to stderr.
 */
int pvr_netback_run(const struct pvr_back_config *config);

/* Why a packet was not passed on. */
enum pvr_netback_drop {
	PVR_NETBACK_DROP_GRANT, /* a page could not be mapped, or copied to or from */
	PVR_NETBACK_DROP_MALFORMED, /* from the guest: too short, an impossible header, GSO or checksum */
	PVR_NETBACK_DROP_OUTSIDE,   /* the outside did not take it */
	PVR_NETBACK_DROP_NO_BUFFER, /* to the guest: too few buffers */
	PVR_NETBACK_DROP_FILTERED,  /* to the guest: multicast it did not join */
	PVR_NETBACK_DROP_TOO_BIG,   /* to the guest: more than it can take without sg or GSO */
	PVR_NETBACK_DROPS,
};

/*
 * Counters of one interface, in a file `vif-<domid>-<devid>` below "stats" of the directory, as those of disks are. tx and
 * rx are the frontend's: tx is what the guest sends.
 */
#define PVR_NETBACK_STATS_MAGIC 0x326e7376u /* "vsn2" */

struct pvr_netback_stats {
	uint32_t magic;
	uint32_t size; /* of this structure */
	uint32_t domid, devid;
	_Atomic uint64_t tx_packets, tx_bytes, tx_gso;
	_Atomic uint64_t rx_packets, rx_bytes, rx_gso;
	_Atomic uint64_t tx_dropped[PVR_NETBACK_DROPS], rx_dropped[PVR_NETBACK_DROPS];
	_Atomic uint64_t grants_mapped; /* pages mapped, in all */
	_Atomic uint64_t grants_copied; /* pages the hypervisor copied to or from instead */
	_Atomic uint64_t grants_static; /* pages used that are mapped for all time */
	_Atomic uint64_t copied; /* bytes this process copied itself: headers, hashed packets */
	_Atomic uint64_t events_in, events_out;
	_Atomic uint64_t polls_hit,
		polls_missed;             /* spins before sleep that found work, and that did not */
	_Atomic uint64_t limited;         /* times the rate kept packets waiting */
	_Atomic uint64_t stalls;          /* times the carrier went for want of buffers */
	_Atomic uint64_t queues, carrier; /* now */
};

#endif
