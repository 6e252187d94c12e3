/* SPDX-License-Identifier: MIT */
/* See device.h: connect, a storm on the rings, jumps of states, and again. */
#include "device.h"

#include <string.h>

#include <pvring/evtchn.h>
#include <pvring/grant.h>

#include "hostile.h"
#include "rings/text.h"

#define STORM    150u
#define PATIENCE (300 * MS)

static const char *const garbage[] = {"", "0", "-1", "4294967295", "18446744073709551616", "7x",
	"x86_32-abi", "x86_64-abi", "../../..", "/local/domain/0/backend/vbd/1/51712",
	"999999999999999999999999999999", " 8", "%s%n", "3.5"};

grant_ref_t device_ref(const struct device *d)
{
	if (random_once(16))
		return random_word();
	return d->ref[random_below(DEVICE_PAGES)];
}

void device_node(struct device *d, const char *name, uint64_t number)
{
	if (random_once(80))
		pvr_xenbus_write(&d->bus, 0, name,
			garbage[random_below(sizeof(garbage) / sizeof(garbage[0]))]);
	else if (random_once(80))
		pvr_xenbus_write_u64(&d->bus, 0, name, random_word());
	else
		pvr_xenbus_write_u64(&d->bus, 0, name, number);
}

static int resources(struct device *d)
{
	if (pvr_grant_alloc(d->ref, DEVICE_PAGES))
		return -1;
	for (unsigned i = 0; i < DEVICE_PAGES; i++)
		d->page[i] = pvr_port_pages_alloc(1);
	for (unsigned i = 0; i < RINGS_MAX; i++)
		d->port[i] = (evtchn_port_t)pvr_evtchn_alloc_unbound(d->bus.backend_id);
	return 0;
}

/* A round begins with grants that are right and rings that are empty. */
static void renew(struct device *d)
{
	for (unsigned i = 0; i < DEVICE_PAGES; i++)
		pvr_grant_access(d->ref[i], d->bus.backend_id, pvr_port_gfn(d->page[i]), 0);
	for (unsigned i = 0; i < RINGS_MAX; i++) {
		struct pvr_ring ring;

		pvr_ring_front_init(&ring, (void *)d->page[i], 1,
			random_once(2) ? 0 : UINT32_MAX - random_below(100));
	}
}

static int comes_to(struct device *d, enum xenbus_state wanted)
{
	const uint64_t deadline = pvr_port_now_ns() + PATIENCE;

	for (;;) {
		const uint32_t seen = atomic_load(&d->bus.watch.fired);

		if (pvr_xenbus_backend_state(&d->bus) == wanted)
			return 1;
		if (pvr_store_wait(&d->bus.watch, seen, deadline))
			return 0;
	}
}

static void node_remove(const struct device *d, const char *name)
{
	char path[96];

	if (!pvr_text_path(d->path, name, path, sizeof(path)))
		pvr_store_rm(0, path);
}

static void jump(struct device *d)
{
	if (random_once(6))
		pvr_xenbus_write(&d->bus, 0, "state",
			garbage[random_below(sizeof(garbage) / sizeof(garbage[0]))]);
	else
		pvr_xenbus_switch(&d->bus, 0, (enum xenbus_state)random_below(10));
}

/* What the backend may read while it reads it. */
static void scribble(struct device *d)
{
	const unsigned i = random_below(DEVICE_PAGES);

	switch (random_below(8)) {
	case 0: {
		volatile struct grant_entry_v1 *entry = &pvr_boot.grant_table[d->ref[i]];

		entry->flags = (uint16_t)random_below(32);
		if (random_once(2))
			entry->frame = (uint32_t)random_frame();
		break;
	}
	case 1:
		pvr_grant_access(d->ref[i], d->bus.backend_id, pvr_port_gfn(d->page[i]), 0);
		break;
	case 2:
		call_harmless();
		break;
	case 3:
		*(volatile uint32_t *)(void *)(d->page[random_below(d->rings)] +
					       (random_once(64) ? 4 * random_below(16)
								: 64 + 4 * random_below(1000))) =
			random_word();
		break;
	default:
		*(volatile uint32_t *)(void *)(d->page[i < d->rings ? d->rings : i] +
					       4 * random_below(1024)) = random_word();
		break;
	}
}

static void storm(struct device *d)
{
	for (unsigned n = 0; n < STORM && !part_over(); n++) {
		const unsigned r = random_below(d->rings);
		struct pvr_sring *shared = (void *)d->page[r];
		uint32_t prod = atomic_load(&shared->req_prod);
		const unsigned more = 1 + random_below(8);

		for (unsigned i = 0; i < more; i++)
			d->put(d, r, prod++);
		atomic_store(&shared->req_prod, random_once(100) ? random_word() : prod);
		pvr_evtchn_notify(random_once(50) ? random_word() : d->port[r]);
		for (unsigned i = random_below(4); i; i--)
			scribble(d);
		/* Slots are used again before they are answered, if nobody waits here. */
		if (random_once(4))
			pvr_evtchn_wait(d->port[r], pvr_port_now_ns() + MS);
		if (random_once(40) && pvr_xenbus_backend_state(&d->bus) != XenbusStateConnected)
			return;
	}
}

static void round_run(struct device *d, unsigned *connected)
{
	pvr_xenbus_switch(&d->bus, 0, XenbusStateInitialising);
	comes_to(d, XenbusStateInitWait);
	renew(d);
	for (unsigned i = 0; d->optional[i]; i++)
		node_remove(d, d->optional[i]);
	d->offer(d);
	pvr_xenbus_switch(
		&d->bus, 0, random_once(2) ? XenbusStateInitialised : XenbusStateConnected);
	if (comes_to(d, XenbusStateConnected)) {
		++*connected;
		pvr_xenbus_switch(&d->bus, 0, XenbusStateConnected);
	}
	storm(d);
	for (unsigned i = random_below(5); i; i--) {
		jump(d);
		if (random_once(2))
			storm(d);
	}
	pvr_xenbus_switch(&d->bus, 0, XenbusStateClosing);
	comes_to(d, XenbusStateClosed);
	pvr_xenbus_switch(&d->bus, 0, XenbusStateClosed);
}

void device_part(struct device *d, unsigned rounds)
{
	unsigned connected = 0, tried = 0;

	if (pvr_xenbus_open(&d->bus, d->path) || resources(d)) {
		say("hostile: no %s", d->path);
		return;
	}
	for (; tried < rounds && !part_over(); tried++)
		round_run(d, &connected);
	say("hostile: %s: connected %u times of %u", d->path, connected, tried);
}
