/* SPDX-License-Identifier: MIT */
/* The headers under test: pvring's, or with PVR_ABI_XEN those of libxen-dev. */
#ifdef PVR_ABI_XEN

/* Without this the headers show the oldest interface they can. */
#define __XEN_INTERFACE_VERSION__ __XEN_LATEST_INTERFACE_VERSION__

#include <errno.h>
#include <stddef.h>
#include <stdint.h>
#include <xen/xen.h>
#include <xen/event_channel.h>
#include <xen/features.h>
#include <xen/elfnote.h>
#include <xen/grant_table.h>
#include <xen/memory.h>
#include <xen/sched.h>
#include <xen/vcpu.h>
#include <xen/version.h>
#include <xen/arch-x86/hvm/start_info.h>
#include <xen/hvm/hvm_op.h>
#include <xen/hvm/params.h>
#include <xen/io/blkif.h>
#include <xen/io/console.h>
#include <xen/io/netif.h>
#include <xen/io/protocols.h>
#include <xen/io/xenbus.h>
#include <xen/io/xs_wire.h>

#else

#include <errno.h>
#include "pvring/xen/blkif.h"
#include "pvring/xen/console.h"
#include "pvring/xen/elfnote.h"
#include "pvring/xen/event_channel.h"
#include "pvring/xen/features.h"
#include "pvring/xen/grant_table.h"
#include "pvring/xen/hvm.h"
#include "pvring/xen/memory.h"
#include "pvring/xen/mmu.h"
#include "pvring/xen/netif.h"
#include "pvring/xen/sched.h"
#include "pvring/xen/start_info.h"
#include "pvring/xen/vcpu.h"
#include "pvring/xen/version.h"
#include "pvring/xen/xen.h"
#include "pvring/xen/xenbus.h"
#include "pvring/xen/xs_wire.h"

/* libxen's header makes this table by itself. */
#define XSD_ENTRY(e) {e, #e},
static const struct {
	int errnum;
	const char *errstring;
} xsd_errors[] = {XSD_ERRORS(XSD_ENTRY)};

#endif
