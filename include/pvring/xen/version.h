/* SPDX-License-Identifier: MIT */
/* The version hypercall. Source of everything here: version.h. */
#ifndef PVR_XEN_VERSION_H
#define PVR_XEN_VERSION_H

#include "pvring/xen/features.h"
#include "pvring/xen/xen.h"

/* Commands of xen_version(cmd, arg). Strings end with a NUL in their array. */
#define XENVER_version             0 /* no argument; returns major << 16 | minor */
#define XENVER_extraversion        1 /* xen_extraversion_t */
#define XENVER_compile_info        2 /* xen_compile_info */
#define XENVER_capabilities        3 /* xen_capabilities_info_t */
#define XENVER_changeset           4 /* xen_changeset_info_t */
#define XENVER_platform_parameters 5 /* xen_platform_parameters */
#define XENVER_get_features        6 /* xen_feature_info */
#define XENVER_pagesize            7 /* no argument; returns bytes */
#define XENVER_guest_handle        8 /* xen_domain_handle_t */
#define XENVER_commandline         9 /* xen_commandline_t */
#define XENVER_build_id            10

typedef char xen_extraversion_t[16];
typedef char xen_capabilities_info_t[1024];
typedef char xen_changeset_info_t[64];
typedef char xen_commandline_t[1024];

#define XEN_EXTRAVERSION_LEN      (sizeof(xen_extraversion_t))
#define XEN_CAPABILITIES_INFO_LEN (sizeof(xen_capabilities_info_t))
#define XEN_CHANGESET_INFO_LEN    (sizeof(xen_changeset_info_t))

struct xen_compile_info {
	char compiler[64];
	char compile_by[16];
	char compile_domain[32];
	char compile_date[32];
};

/* Where Xen begins in a PV guest's address space. */
struct xen_platform_parameters {
	xen_ulong_t virt_start;
};

/* Word submap_idx of the features, answered in submap: bit n of word i is XENFEAT_* 32 * i + n. */
struct xen_feature_info {
	unsigned int submap_idx;
	uint32_t submap;
};

#endif
