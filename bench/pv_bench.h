/* SPDX-License-Identifier: MIT */
/*
 * What the benchmarks of a kernel in the process machine share: which kernels, one life of one, and the figures that it
 * prints as lines `bench: WHAT name=number ...` (guest/s_bench.c).
 */
#ifndef PVR_PV_BENCH_H
#define PVR_PV_BENCH_H

#include "bench.h"

#define PV_KERNELS_MAX 2u
#define PV_MEMORY      (64u << 20)

/* The options of such a benchmark. */
/* clang-format off */
#define PV_OPTIONS \
	{"kernel", 'k', "FILE", 0, \
		"the guest kernel (default: guest-x86_64 and guest-i386 beside this program)", 0}, \
	BENCH_OPTIONS, \
	{0}
/* clang-format on */

struct pv_bench {
	struct bench_args args;
	const char *kernel; /* --kernel, or NULL */
	struct {
		char path[4096];
		char name[24]; /* "x86_64" */
	} kernels[PV_KERNELS_MAX];
	unsigned count;
};

extern const struct argp_option pv_options[];
error_t pv_bench_parse(int key, char *arg, struct argp_state *state);

/* Parse, and find the kernels: 0, or a sysexits status, said. `doc` is what --help says. */
int pv_bench_begin(struct pv_bench *b, const char *doc, int argc, char **argv);

/* What a guest said, and when. */
struct pv_life {
	char said[8192];
	size_t size;
	uint64_t
		prepared_ns; /* the hypervisor, a backend if there is a disk, the domain: how long they took */
	uint64_t fork_ns;    /* bench_now_ns() as the domain's process began */
	double ticks_per_ns; /* of the TSC, over the life */
	uint64_t fork_tsc;
};

/*
 * A system of its own, and in it the kernel until it powers off, with a disk in memory when disk_bytes is not 0. If `heard` is
 * not NULL it is called after each line with the process and the hypervisor's. 0, or a sysexits status, said.
 */
struct pv_watch {
	void (*heard)(void *arg, const struct pv_life *life, const char *line, pid_t guest,
		pid_t hypervisor);
	void *arg;
};
int pv_life_run(const char *kernel, const char *command_line, uint64_t disk_bytes,
	const struct pv_watch *watch, struct pv_life *life);

/* The number that the guest said in a line of WHAT under a name. Ends the program with a message if it did not. */
double pv_figure(const struct pv_life *life, const char *what, const char *name);

/* CPU seconds of a process that lives; 0 if it does not. */
double pv_cpu_of(pid_t pid);

/* Name a row and begin it; add a round to it. */
void pv_row_add(struct bench_row *row, double value);

/* What the guest is measured beside. */

/* timer_peer.c: `count` sleeps as the guest does them, by read(2) of a timerfd or by clock_nanosleep: ns late. */
struct pv_late {
	double p50, p99;
};
int timer_peer(int by_timerfd, struct pv_late *late);

/* mmu_peer.c: pages a second, by one call for each `batch` of them. */
int mmu_peer(unsigned batch, int protect, double *per_second);

/* trap_peer.c: ns of a system call that does nothing, and of a fault that a handler skips. */
double trap_peer_syscall(void);
double trap_peer_fault(void);

#endif
