/* SPDX-License-Identifier: MIT */
/* Devices of a domain as the toolstack has them: two directories in xenstore, alike for every class. */
#ifndef PVR_TOOLS_DEVICE_H
#define PVR_TOOLS_DEVICE_H

#include <jansson.h>

#include "tools.h"

struct device;

/* What one class of devices has of its own. The texts of verbs are argp's. */
struct device_class {
	const char *name;    /* in xenstore: "vbd" */
	const char *noun;    /* for people: "disk" */
	const char *verb;    /* before -attach, -detach and -list: "block" */
	const char *server;  /* the daemon that serves it: "pvring blkback" */
	const char *names;   /* how its devices are called: "xvda to xvdz" */
	const char *operand; /* one of them in a usage: "VDEV" */
	const char *attach_doc, *attach_help, *detach_doc, *list_doc, *list_heading;

	/* A device's name to its number (0 or -EINVAL) and back; the n-th there may be (0 or -ENOSPC). */
	int (*number)(const char *name, uint32_t *devid);
	const char *(*name_of)(uint32_t devid, char out[16]);
	int (*nth)(unsigned n, uint32_t *devid);

	/* A SPEC as text to one that free() takes, or NULL with one line in why[size]. */
	void *(*parse)(const char *text, char *why, size_t size);
	/* The number it names, or DEVICE_ANY. */
	uint32_t (*wanted)(const void *spec);
	/* Writes its nodes by device_put, but for those that all classes have. */
	void (*write)(struct device *device, const void *spec);
	/* A line of the listing, or its object into `list` when that is not NULL. */
	void (*row)(struct device *device, json_t *list);
};

#define DEVICE_ANY UINT32_MAX

struct device {
	const struct device_class *class;
	struct pvr_host *host;
	pvr_host_tx tx;
	uint32_t domid, devid;
	char front[64], back[64];
	int error; /* the first that failed, so that a row of writes needs one check */
};

void device_init(struct device *device, const struct device_class *class, struct pvr_host *host,
	uint32_t domid, uint32_t devid);

/* In the device's transaction, if it has one. Does nothing after an error. */
void device_put(struct device *device, const char *dir, const char *name, const char *format, ...)
	__attribute__((format(printf, 4, 5)));

/* A node of the backend's directory, "" when it is missing. */
void device_read(struct device *device, const char *name, char *value, size_t size);

/*
 * Create both directories in one transaction, then wait until the backend has opened it. device->devid is
 * the number wanted or DEVICE_ANY for the first free one, which is then there. 0, or a negative errno with
 * one line in why[size].
 */
int device_attach(struct device *device, const void *spec, char *why, size_t size);

/* Ask the backend to close, wait for it (force: do not), remove both directories. As above. */
int device_detach(struct device *device, int force, char *why, size_t size);

/* -ENOENT and the line that says it when the backend's directory is not there. */
int device_check(struct device *device, char *why, size_t size);

/* Asks `is_over` again and again until it is not 0, ten seconds: its last word, or -ETIMEDOUT. */
int device_wait(struct device *device, int (*is_over)(struct device *device));

/* ---- disks (disk.c) ---- */

extern const struct device_class disk_class;
extern const struct device_class vif_class; /* vif.c */

/* Tell the backend that the image has another length now; wait until it has looked. As device_attach. */
int disk_resize(struct device *device, char *why, size_t size);

/* ---- the verbs of a class (verb_device.c) ---- */

int device_verb_attach(const struct device_class *class, int argc, char **argv);
int device_verb_detach(const struct device_class *class, int argc, char **argv);
int device_verb_list(const struct device_class *class, int argc, char **argv);

#endif
