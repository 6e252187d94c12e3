/* SPDX-License-Identifier: MIT */
/* What a guest's configuration file says, for `pvring create FILE`. The keys are xl.cfg(5)'s. */
#ifndef PVR_TOOLS_XL_CONFIG_H
#define PVR_TOOLS_XL_CONFIG_H

#include "net.h"
#include "tools.h"

#define XL_DISKS_MAX 26u

struct xl_config {
	char name[PVR_HV_NAME_MAX];
	const char *kernel, *ramdisk; /* within the text; ramdisk may be NULL */
	char cmdline[2048];           /* "": none was given */
	uint64_t memory;              /* bytes */
	uint32_t vcpus;
	struct disk_spec disks[XL_DISKS_MAX];
	unsigned disks_count;
	struct net_spec nets[NETS_MAX];
	unsigned nets_count;
	int pv;            /* type="pv": on the process machine */
	int reboots_end;   /* on_reboot="destroy" */
	char ignored[256]; /* keys that are not known here, with commas; "": none */
};

/* For --help: what a file may say. */
extern const char xl_config_help[];

/*
 * Read a file's text, which is written to and has to stay as long as the result. Looks at no other file. 0, or -EINVAL with one line
 * in why[size].
 */
int xl_config_parse(char *text, struct xl_config *config, char *why, size_t size);

/* An entry of disk=[] in xl's spellings (xl-disk-configuration(5)) or as a SPEC of ours; one of vif=[] likewise. 0 or -EINVAL. */
int xl_disk_parse(const char *text, struct disk_spec *disk, char *why, size_t size);
int xl_vif_parse(const char *text, struct net_spec *net, char *why, size_t size);

#endif
