/* SPDX-License-Identifier: MIT */
/* System calls of TAP devices and of passt's socket. */
#include "needs.h"

#include <linux/if_tun.h>
#include <linux/sockios.h>
#include <seccomp.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static const int calls[] = {SCMP_SYS(connect)};

/* A TAP is made and described, gets its MTU, joins its bridge and comes up. */
static const unsigned long ioctls[] = {TUNSETIFF, TUNSETVNETHDRSZ, TUNSETQUEUE, TUNSETOFFLOAD,
	SIOCGIFFLAGS, SIOCSIFFLAGS, SIOCSIFMTU, SIOCSIFHWADDR, SIOCGIFINDEX, SIOCBRADDIF};

/* A client of passt, and what to ask of an interface by its name. */
static const unsigned long families[] = {AF_UNIX, AF_INET};

const struct pvr_back_needs pvr_netback_needs = {
	.calls = calls,
	.call_count = COUNT(calls),
	.ioctls = ioctls,
	.ioctl_count = COUNT(ioctls),
	.families = families,
	.family_count = COUNT(families),
};
