/* SPDX-License-Identifier: MIT */
/* What the verbs of the pvring command share: numbers, errors, disks, and the parts they are made
 * of. */
#ifndef PVR_TOOLS_H
#define PVR_TOOLS_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include <pvring/host.h>
#include <pvring/hypervisor.h>

/* ---- numbers and errors (util.c) ---- */

/* A decimal number from lowest to highest, and nothing behind it: 0 or -EINVAL. */
int tool_number(const char *text, uint64_t lowest, uint64_t highest, uint64_t *value);

/* A size in bytes with an optional suffix k, M, G, T (powers of 1024): 0 or -EINVAL. */
int tool_size(const char *text, uint64_t *bytes);

/* "64M", "1.5G" for people, in out[16]. */
const char *tool_size_text(uint64_t bytes, char out[16]);

/* "pvring VERB: message" on stderr; returns `status` (sysexits) so that a verb can end with it. */
int tool_error(int status, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Prints one line into why[size] and returns `error`. */
int tool_say(char *why, size_t size, int error, const char *format, ...)
	__attribute__((format(printf, 4, 5)));

/* The sysexits status for a negative errno. */
int tool_status(long error);

/* What a negative errno means for a connection to the hypervisor in `dir`: prints the line, returns
 * the status. */
int tool_no_hypervisor(const char *dir, long error);

/* The verb now running, for tool_error. */
extern const char *tool_verb;

/* ---- disks (spec.c) ---- */

#define DISK_QUEUES_MAX 16u /* the backend's bound */

enum disk_type { DISK_FILE, DISK_MEM, DISK_NULL, DISK_NBD };

struct disk_spec {
	enum disk_type type;
	char path[1024]; /* absolute, for DISK_FILE; a URI, for DISK_NBD */
	uint64_t bytes;  /* for the others */
	char vdev[16];   /* "" until one is chosen */
	char engine[16]; /* "" for the backend's default */
	uint64_t iops, bps; /* 0: no limit */
	unsigned queues; /* 0: the backend's default */
	unsigned sector; /* bytes; 0: what the image needs */
	int readonly, direct, no_fixed, no_discard;
};

/* For --help: what a SPEC is. */
extern const char disk_spec_help[];

/*
 * Read a SPEC: a path, or file=PATH|nbd=URI|mem=SIZE|null=SIZE followed by ,key=value... Does not look at
 * the image. 0, or -EINVAL with one line in why[size].
 */
int disk_spec_parse(const char *text, struct disk_spec *spec, char *why, size_t size);

/* "xvda" to its device number 51712 and back (Xen's docs/man/xen-vbd-interface): 0 or -EINVAL. */
int disk_vdev_number(const char *vdev, uint32_t *number);
const char *disk_vdev_name(uint32_t number, char out[16]);

/*
 * Give a domain a disk (disk.c): returns once its backend has opened it, or says in why[size] why not. Takes
 * the first free xvdX when spec->vdev is empty. 0 or a negative errno.
 */
int disk_attach(struct pvr_host *host, uint32_t domid, const struct disk_spec *spec, char *why,
	size_t size);

/* ---- domains ---- */

/* By name or number: its description, or -ENOENT. */
int domain_find(int control, const char *name, struct pvr_hv_domain *domain);

/* End it, and remove its devices: 0, -ENOENT, or another negative errno. */
int domain_destroy(const char *dir, int control, uint32_t domid);

/* The domains of the daemon, ascending; a malloc()ed array, its length in *count. 0 or a negative
 * errno. */
int domain_list(int control, struct pvr_hv_domain **domains, unsigned *count);

/* ---- starting again what died (supervise.c) ------------------------------------------------------------ */

/* How often it died lately; all zero at first. */
struct restart {
	uint64_t last_ns;
	unsigned fast;
};

/*
 * A daemon ended with `status` (of waitpid): says so on stderr when it did not end in order. Nonzero when it is
 * to be started again, after a pause that grows while it keeps dying young.
 */
int restart_wanted(struct restart *restart, const char *what, int status);

/* Run body(argument) in a child, again whenever it dies; SIGTERM and SIGINT end both. Its exit status. */
int supervise(const char *what, int (*body)(void *argument), void *argument);

/* ---- an ephemeral system (system.c) ---- */

#define PASST_SOCKET "passt.sock" /* in its directory */
#define PASST_LOG    "passt.log"

struct ephemeral {
	char dir[128];
	pid_t hypervisor, blkback;
	volatile pid_t guest; /* the process of a kvm machine, while there is one */
	pid_t netback, pump, passt; /* net_system.c */
	uint32_t domid, net_domid;
	struct restart restart, net_restart;
	const char *net_cpus; /* that netback's workers run on; NULL: any */
};

/*
 * A daemon of an ephemeral system: a child in a session of its own that ends with its parent. Its main function gets a
 * descriptor on which to write one byte when it is ready, whose other end goes to *ready (NULL: nobody reads it). Its pid or -1.
 */
pid_t daemon_spawn(int (*daemon_main)(void *argument, int ready_fd), void *argument, int *ready);
/* The same, and wait until it is ready: 0, or a sysexits status, said. */
int daemon_start(pid_t *pid, const char *what, int (*daemon_main)(void *argument, int ready_fd),
	void *argument);
/* Whether it has ended by itself; *pid is 0 then. */
int daemon_ended(pid_t *pid);

/* Create a domain of so many vCPUs (0: the machine's): 0 with its number in *domid, or a sysexits status, said. */
int ephemeral_domain(struct ephemeral *system, const char *name, uint64_t memory, uint32_t vcpus,
	uint32_t *domid);

/*
 * Start a hypervisor and, when there are disks, a backend, in a new private directory; create a
 * domain of so many vCPUs (0: the machine's) and attach the disks. 0, or a sysexits status with the reason on stderr and nothing left
 * behind. Sets the environment that guest programs need (PVRING_DIR, PVRING_DOMID, XENSTORED_PATH).
 */
int ephemeral_start(
	struct ephemeral *system, struct disk_spec *disks, unsigned count, uint64_t memory, uint32_t vcpus);
void ephemeral_stop(struct ephemeral *system);

/*
 * Wait for `child` to end and look after the daemons meanwhile: a backend that died is started again, and the
 * guest's frontends connect to the new one. Returns the child's status as waitpid has it, or -1 with errno.
 */
int ephemeral_wait(struct ephemeral *system, pid_t child);

/* ---- latency histogram (hist.c) ---- */

#define HIST_BUCKETS 1024u

/* 32 linear steps to each octave: every value within 3.2 %. */
struct hist {
	uint64_t count, max;
	uint32_t bucket[HIST_BUCKETS];
};

void hist_add(struct hist *hist, uint64_t value);
/* The value that `fraction` (0 to 1) of all values do not exceed; 0 when there are none. */
uint64_t hist_at(const struct hist *hist, double fraction);

/* ---- verbs ---- */

int verb_run(int argc, char **argv);
int verb_hypervisor(int argc, char **argv);
int verb_blkback(int argc, char **argv);
int verb_netback(int argc, char **argv);
int verb_create(int argc, char **argv);
int verb_console(int argc, char **argv);
int verb_destroy(int argc, char **argv);
int verb_list(int argc, char **argv);
int verb_shutdown(int argc, char **argv);
int verb_reboot(int argc, char **argv);
int verb_block_attach(int argc, char **argv);
int verb_block_detach(int argc, char **argv);
int verb_block_resize(int argc, char **argv);
int verb_block_list(int argc, char **argv);
int verb_network_attach(int argc, char **argv);
int verb_network_detach(int argc, char **argv);
int verb_network_list(int argc, char **argv);
int verb_stats(int argc, char **argv);
int verb_top(int argc, char **argv);
int verb_blk(int argc, char **argv);
int verb_bench(int argc, char **argv);

int bench_ring(int argc, char **argv);
int bench_evtchn(int argc, char **argv);
int bench_blk(int argc, char **argv);
int bench_net(int argc, char **argv);
int bench_taps(int argc, char **argv);
int bench_timer(int argc, char **argv);
int bench_mmu(int argc, char **argv);
int bench_trap(int argc, char **argv);
int bench_boot(int argc, char **argv);
int bench_idle(int argc, char **argv);

#endif
