/* SPDX-License-Identifier: MIT */
/* In place of the rest of this directory where libxen-dev is not installed. */
#include <errno.h>

#include "../host/internal.h"

int xen_open(struct pvr_host **host)
{
	(void)host;
	return -ENOSYS;
}
