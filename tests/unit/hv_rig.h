/* SPDX-License-Identifier: MIT */
/*
 * A real hypervisor daemon for a test: in a forked child, in a directory of its own, with real
 * clients.
 */
#ifndef PVR_TEST_HV_RIG_H
#define PVR_TEST_HV_RIG_H

#include <stdint.h>
#include <sys/types.h>

#include <pvring/gnttab.h>
#include <pvring/hypervisor.h>
#include <pvring/xen/event_channel.h>

struct hv_rig {
	char dir[64];
	pid_t daemon;
	int tool; /* a connection without a role */
};

/* A domain we play, or dom0. */
struct hv_rig_client {
	int control;
	int fds[PVR_HV_FDS_MAX]; /* of the attachment: memory, store rx, tx; for dom0: maptrack */
	struct pvr_hv_boot boot;
	struct pvr_hv_dom0 dom0;
	uint8_t *memory;
	struct pvr_maptrack *maptrack;
};

void hv_rig_start(struct hv_rig *rig);
/* The exit status of the daemon, which must be 0. */
int hv_rig_stop(struct hv_rig *rig);

/* Run pvr_hypervisor_run in a child; its pid once it is ready, or its negative errno when it ends
 * first. */
int hv_rig_spawn(const char *dir, pid_t *pid);

/* 1 MiB, one vCPU, owner root. The domid or a negative errno. */
int hv_rig_create(struct hv_rig *rig, const char *name, uint32_t uid);
int hv_rig_destroy(struct hv_rig *rig, uint32_t domid);
/* 0 and its line of the list, or -ENOENT. */
int hv_rig_describe(struct hv_rig *rig, uint32_t domid, struct pvr_hv_domain *info);

int hv_rig_attach(
	struct hv_rig *rig, uint32_t domid, uint32_t word_size, struct hv_rig_client *client);
int hv_rig_dom0(struct hv_rig *rig, struct hv_rig_client *client);
void hv_rig_leave(struct hv_rig_client *client);

/* Readable within a second? Takes the event. */
int hv_rig_event(int fd);
/* Look at `fd` without waiting. */
int hv_rig_silent(int fd);
void hv_rig_kick(int fd);

/* A command with XENSTORED_PATH set, its output into out[size]; the exit status. */
int hv_rig_shell(struct hv_rig *rig, char *out, size_t size, const char *format, ...)
	__attribute__((format(printf, 4, 5)));

#endif
