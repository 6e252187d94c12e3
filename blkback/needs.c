/* SPDX-License-Identifier: MIT */
/* System calls of images and of NBD servers. */
#include "needs.h"

#include <linux/fs.h>
#include <linux/io_uring.h>
#include <seccomp.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* clang-format off */
static const int calls[] = {
	/* images */
	SCMP_SYS(statx), SCMP_SYS(fstatfs), SCMP_SYS(lseek), SCMP_SYS(pread64), SCMP_SYS(pwrite64),
	SCMP_SYS(preadv), SCMP_SYS(pwritev), SCMP_SYS(preadv2), SCMP_SYS(pwritev2),
	SCMP_SYS(fdatasync), SCMP_SYS(io_uring_enter), SCMP_SYS(io_submit),
	SCMP_SYS(io_getevents), SCMP_SYS(io_destroy),
	/* NBD servers: libnbd, and the resolver it calls */
	SCMP_SYS(connect), SCMP_SYS(bind), SCMP_SYS(getsockname), SCMP_SYS(getpeername),
	SCMP_SYS(getsockopt), SCMP_SYS(setsockopt), SCMP_SYS(sendmmsg), SCMP_SYS(uname),
};
/* clang-format on */

/* Three ask a block device for its size; the resolver asks how much there is to read. */
static const unsigned long ioctls[] = {BLKGETSIZE64, BLKSSZGET, BLKPBSZGET, FIONREAD};

/* As a client only: listen and accept are not allowed. Netlink is how the resolver learns whether
 * this host has IPv6. */
static const unsigned long families[] = {AF_UNIX, AF_INET, AF_INET6, AF_NETLINK};

/* Entries of tables that a ring has had from the start (uring_fixed.h). */
static const unsigned long registers[] = {
	IORING_REGISTER_FILES_UPDATE, IORING_REGISTER_BUFFERS_UPDATE};

const struct pvr_back_needs pvr_blkback_needs = {calls, COUNT(calls), ioctls, COUNT(ioctls),
	families, COUNT(families), registers, COUNT(registers)};
