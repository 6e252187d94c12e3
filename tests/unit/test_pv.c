/* SPDX-License-Identifier: MIT */
/* The parts of the PV machine that need no guest: start_info, the clock's page, the process's confinement. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <pvring/xen/start_info.h>

#include "../../pv/internal.h"
#include "suite.h"

static const struct pv_start start = {
	.nr_pages = 0x4000,
	.shared_info = 0x1000,
	.store_mfn = 2,
	.store_evtchn = 7,
	.console_mfn = 3,
	.console_evtchn = 9,
	.pt_base = 0x300000,
	.nr_pt_frames = 36,
	.mfn_list = 0x280000,
	.mod_start = 0x240000,
	.mod_len = 12345,
	.cmdline = "boot blk=verify",
};

static void info_64(void)
{
	_Alignas(8) uint8_t page[4096] = {0};
	const struct start_info *info = (const void *)page;

	pv_start_info(page, 8, &start);
	CU_ASSERT_STRING_EQUAL(info->magic, "xen-3.0-x86_64");
	CU_ASSERT_EQUAL(info->nr_pages, 0x4000);
	CU_ASSERT_EQUAL(info->shared_info, 0x1000);
	CU_ASSERT_EQUAL(info->flags, 0);
	CU_ASSERT_EQUAL(info->store_mfn, 2);
	CU_ASSERT_EQUAL(info->store_evtchn, 7);
	CU_ASSERT_EQUAL(info->console.domU.mfn, 3);
	CU_ASSERT_EQUAL(info->console.domU.evtchn, 9);
	CU_ASSERT_EQUAL(info->pt_base, 0x300000);
	CU_ASSERT_EQUAL(info->nr_pt_frames, 36);
	CU_ASSERT_EQUAL(info->mfn_list, 0x280000);
	CU_ASSERT_EQUAL(info->mod_start, 0x240000);
	CU_ASSERT_EQUAL(info->mod_len, 12345);
	CU_ASSERT_STRING_EQUAL((const char *)info->cmd_line, "boot blk=verify");
}

/* As xen.h's structure is laid out for i386: twelve words and a magic before the command line. */
static void info_32(void)
{
	const uint32_t words[] = {
		0x4000, 0x1000, 0, 2, 7, 3, 9, 0x300000, 36, 0x280000, 0x240000, 12345};
	uint8_t page[4096] = {0};

	pv_start_info(page, 4, &start);
	CU_ASSERT_STRING_EQUAL((const char *)page, "xen-3.0-x86_32p");
	CU_ASSERT(!memcmp(page + 32, words, sizeof(words)));
	CU_ASSERT_STRING_EQUAL((const char *)page + 80, "boot blk=verify");
}

/* ---- the clock ---- */

static uint64_t page_ns(const struct vcpu_time_info *t, uint64_t tsc)
{
	uint64_t ticks = tsc - t->tsc_timestamp;

	ticks = t->tsc_shift < 0 ? ticks >> -t->tsc_shift : ticks << t->tsc_shift;
	return t->system_time + (uint64_t)((unsigned __int128)ticks * t->tsc_to_system_mul >> 32);
}

/* Whoever reads by the page and the TSC, page after page, never sees time go back, nor the page between two versions. */
static void clock_forward(void)
{
	static struct vm vm;
	static struct pv pv;
	_Alignas(8) uint8_t info[64] = {0};
	const struct vcpu_time_info *t = (const void *)(info + 32);
	uint64_t last = 0;
	int back = 0, pages = 0;
	uint32_t odd = 0;

	vm.pv = &pv;
	vm.vcpu[0] = (struct vcpu){.vm = &vm, .info = info};
	pv_clock_start(&pv.clock);
	for (int i = 0; i < 200000; i++) {
		const uint32_t version = t->version;

		pv.clock.next = i % 100 ? UINT64_MAX : 0;
		pv_clock_update(&vm.vcpu[0]);
		pages += (int)(t->version != version);
		odd += t->version & 1;
		const uint64_t now = page_ns(t, __builtin_ia32_rdtsc());

		back += now < last;
		last = now;
	}
	CU_ASSERT_EQUAL(back, 0);
	CU_ASSERT_EQUAL(odd, 0);
	CU_ASSERT_EQUAL(pages, 2000);
	CU_ASSERT(last > 0);
}

/* ---- confinement ---- */

#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
enum attempt { NOTHING, OPEN, SOCKET, FORK, OTHER, SHARED, CODE, OWN_CODE, MEMORY, UNLINK, MUCH };

static int try(enum attempt what, int memory)
{
	switch (what) {
	case OPEN:
		return open("/dev/null", O_RDONLY) < 0;
	case SOCKET:
		return socket(AF_UNIX, SOCK_STREAM, 0) < 0;
	case FORK:
		return (int)syscall(SYS_fork) < 0;
	case OTHER:
		return (int)syscall(SYS_tgkill, getppid(), getppid(), SIGUSR2) < 0;
	case SHARED:
		return mmap(NULL, 4096, PROT_READ, MAP_SHARED | MAP_ANONYMOUS, memory, 0) ==
		       MAP_FAILED;
	case CODE:
		return mmap(NULL, 4096, PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) ==
		       MAP_FAILED;
	case OWN_CODE:
		return mprotect((void *)((uintptr_t)try & ~4095ul), 4096, PROT_READ | PROT_EXEC) !=
		       0;
	case MEMORY:
		return mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_SHARED, memory, 0) == MAP_FAILED;
	case UNLINK:
		return unlink("/nonexistent/file") != -1 || errno != EPERM;
	case MUCH: /* more memory than its own share */
		return mmap(NULL, 64 << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1,
			       0) != MAP_FAILED;
	default:
		return 0;
	}
}

/* How a confined child of ours ends that tries it. */
static int child(enum attempt what)
{
	static struct vm vm;
	int status = -1;
	const pid_t pid = fork();

	if (!pid) {
		vm.memory_fd = memfd_create("test", MFD_CLOEXEC);
		if (vm.memory_fd < 0 || ftruncate(vm.memory_fd, 4096) || pv_confine(&vm))
			_exit(2);
		_exit(try(what, vm.memory_fd));
	}
	waitpid(pid, &status, 0);
	return status;
}

static int killed(enum attempt what)
{
	const int status = child(what);

	return WIFSIGNALED(status) && WTERMSIG(status) == SIGSYS;
}

static void confined(void)
{
	CU_ASSERT_EQUAL(child(NOTHING), 0);
	CU_ASSERT_EQUAL(child(MEMORY), 0);
	CU_ASSERT_EQUAL(child(UNLINK), 0);
	CU_ASSERT_EQUAL(child(MUCH), 0);
	CU_ASSERT(killed(OPEN));
	CU_ASSERT(killed(SOCKET));
	CU_ASSERT(killed(FORK));
	CU_ASSERT(killed(OTHER));
	CU_ASSERT(killed(SHARED));
	CU_ASSERT(killed(CODE));
	CU_ASSERT(killed(OWN_CODE));
}
#else
static void confined(void)
{
	CU_ASSERT_EQUAL(pv_confine(NULL), 0); /* a sanitizer needs more than it allows */
}
#endif

PVR_SUITE(pv, CASE(info_64), CASE(info_32), CASE(clock_forward), CASE(confined))
