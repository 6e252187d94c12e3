/* SPDX-License-Identifier: MIT */
/* A frontend in hostile hands: a sane store, and everything else random. */
#ifndef HOSTILE_DEVICE_H
#define HOSTILE_DEVICE_H

#include <pvring/ring.h>
#include <pvring/xenbus.h>

#define DEVICE_PAGES 48u
#define RINGS_MAX    3u

struct device {
	const char *path;
	struct pvr_xenbus_dev bus;
	uint8_t *page[DEVICE_PAGES]; /* the first are rings */
	grant_ref_t ref[DEVICE_PAGES];
	evtchn_port_t port[RINGS_MAX];
	unsigned rings;
	const char *const *optional; /* nodes that a round begins without, up to NULL */
	/* What this kind of device writes into its directory, all right but for what device_value makes of it. */
	void (*offer)(struct device *d);
	/* One thing put on a ring, at that slot. */
	void (*put)(struct device *d, unsigned ring, uint32_t slot);
};

void device_part(struct device *d, unsigned rounds);

/* A node of the device: the number, or once in a while something else. */
void device_node(struct device *d, const char *name, uint64_t number);
/* A reference of the device's, or nearly. */
grant_ref_t device_ref(const struct device *d);

#endif
