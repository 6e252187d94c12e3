/* SPDX-License-Identifier: MIT */
/* What lasts: floods, fields that change while they are read, and a guest that takes nothing. */
#include <stdlib.h>
#include <stdio.h>
#include <string.h>
#include <pthread.h>

#include <pvring/evtchn.h>

#include "attacks.h"

#define SECOND 1000000000ull

/* To nobody, by a protocol that nobody has. */
static void frame(uint8_t *at)
{
	static const uint8_t head[14] = {2, 0xee, [6] = 2, 0xee, [11] = 1, 0x88, 0xb5};

	memcpy(at, head, sizeof(head));
}

/* A full ring of small packets at all times, and an event with each look at it. */
int attack_flood(const struct attack *attack, enum outcome opened)
{
	uint64_t deadline = pvr_port_now_ns() + 5 * SECOND, sent = 0, events = 0;

	if (opened != OKAY)
		return attack_fails(attack, "does not connect", (int)opened);
	frame(rig.page[0]);
	while (pvr_port_now_ns() < deadline) {
		struct netif_tx_response response;
		int pending = pvr_ring_pending(&rig.tx);

		if (pending < 0)
			return attack_fails(attack, "responses", pending);
		while (pending--)
			tx_response_take(&rig.tx, &response);
		for (; pvr_ring_free(&rig.tx); sent++)
			rig_request(0, 0, 60, 0);
		pvr_ring_publish(&rig.tx);
		for (unsigned i = 0; i < 16; i++, events++)
			pvr_evtchn_notify(i & 1 ? rig.rx_port : rig.tx_port);
	}
	printf("%s: %llu packets, %llu events\n", attack->name, (unsigned long long)sent,
		(unsigned long long)events);
	return rig_flush() == OKAY ? 0 : attack_fails(attack, "the last of them", 0);
}

/* ---- fields that change ---- */

static _Atomic int stop;

/*
 * At each moment a slot is valid, and so is one that was copied once; of two copies, one's size with the other's offset is not.
 * The packet's own bytes change too.
 */
static void *flip(void *unused)
{
	union tx_slot *slot = (union tx_slot *)(void *)rig.tx.slots;
	unsigned n = 0;

	while (!atomic_load_explicit(&stop, memory_order_relaxed)) {
		volatile struct netif_tx_request *request = &slot[++n % 256].request;
		volatile uint8_t *ip = rig.page[0] + 14;

		request->size = 64;
		request->offset = 4032;
		request->gref = rig.ref[n % 2];
		request->flags = n & NETTXF_csum_blank;
		ip[0] = n & 4 ? 0x4f : 0x45;
		ip[9] = n & 8 ? 6 : 17;
		request->offset = 0;
		request->size = 4096;
		ip[0] = 0x60;
		ip[-2] = n & 16 ? 0x86 : 0x08;
	}
	return unused;
}

/*
 * XSA-155. A copy is not made at one moment, so that a rare one is a mixture, and then it reaches beyond the page: the
 * interface may end for that, and for nothing else.
 */
int attack_flip(const struct attack *attack, enum outcome opened)
{
	uint64_t deadline = pvr_port_now_ns() + 2 * SECOND, packets = 0;
	enum outcome outcome = opened;
	pthread_t thread;

	frame(rig.page[0]);
	rig.page[0][12] = 8;
	if (pthread_create(&thread, NULL, flip, NULL))
		return attack_fails(attack, "a thread", 0);
	while (outcome <= DROPPED && pvr_port_now_ns() < deadline) {
		for (unsigned i = 0; i < 64; i++)
			rig_request(i % 2, 0, 4096, NETTXF_csum_blank);
		outcome = rig_flush();
		packets += 64;
	}
	atomic_store(&stop, 1);
	pthread_join(thread, NULL);
	printf("%s: %llu packets\n", attack->name, (unsigned long long)packets);
	if (outcome == BROKEN && !strstr(rig.error, "beyond its page"))
		return attack_fails(attack, "another reason", 0);
	return outcome == SILENT ? attack_fails(attack, "silence", 0) : 0;
}

/* All fields of all slots of all rings, without end: the interface ends, for whatever reason. */
static void *noise(void *unused)
{
	uint32_t *ring[] = {(uint32_t *)(void *)rig.tx_shared, (uint32_t *)(void *)rig.rx_shared,
		(uint32_t *)(void *)rig.ctrl_shared};
	unsigned seed = (unsigned)pvr_port_now_ns();

	while (!atomic_load_explicit(&stop, memory_order_relaxed)) {
		uint32_t *word = ring[rand_r(&seed) % 3];

		*(volatile uint32_t *)&word[16 + (unsigned)rand_r(&seed) % 1008] =
			(uint32_t)rand_r(&seed) & (uint32_t)rand_r(&seed) & 0x00ff07ff;
	}
	return unused;
}

int attack_noise(const struct attack *attack, enum outcome opened)
{
	enum outcome outcome = opened;
	pthread_t thread;

	if (pthread_create(&thread, NULL, noise, NULL))
		return attack_fails(attack, "a thread", 0);
	for (unsigned i = 0; i < 1000 && outcome <= DROPPED; i++) {
		rig.ctrl.prod += 3;
		pvr_ring_publish(&rig.ctrl);
		pvr_evtchn_notify(rig.ctrl_port);
		rig.tx.prod += 16;
		outcome = rig_flush();
		rig.ctrl.cons = rig.ctrl.prod;
	}
	atomic_store(&stop, 1);
	pthread_join(thread, NULL);
	return outcome == BROKEN ? 0 : attack_fails(attack, "the interface goes on", (int)outcome);
}

/* The same with values that could be meant: short packets, long chains, references that are there or nearly. */
static void *murmur(void *unused)
{
	uint32_t *slots = (uint32_t *)(void *)rig.tx.slots;
	unsigned seed = (unsigned)pvr_port_now_ns();

	while (!atomic_load_explicit(&stop, memory_order_relaxed)) {
		volatile uint32_t *slot = slots + 3 * ((unsigned)rand_r(&seed) % 256);
		uint32_t flags = (uint32_t)rand_r(&seed) % 8;

		slot[0] = rig.ref[0] + (uint32_t)rand_r(&seed) % (PAGES + 8);
		slot[1] = flags << 16 | ((uint32_t)rand_r(&seed) & 2047);
		slot[2] = ((uint32_t)rand_r(&seed) & 2047) << 16;
	}
	return unused;
}

int attack_murmur(const struct attack *attack, enum outcome opened)
{
	uint64_t deadline = pvr_port_now_ns() + 2 * SECOND, packets = 0;
	enum outcome outcome = opened;
	pthread_t thread;

	if (pthread_create(&thread, NULL, murmur, NULL))
		return attack_fails(attack, "a thread", 0);
	while (outcome <= DROPPED && pvr_port_now_ns() < deadline) {
		rig.tx.prod += 200;
		rig_request(0, 0, 60, 0);
		outcome = rig_flush();
		packets += 201;
	}
	atomic_store(&stop, 1);
	pthread_join(thread, NULL);
	printf("%s: %llu slots\n", attack->name, (unsigned long long)packets);
	return outcome == SILENT ? attack_fails(attack, "silence", 0) : 0;
}

/* ---- nothing taken ---- */

static int carrier_is(const char *value, unsigned seconds)
{
	uint64_t deadline = pvr_port_now_ns() + seconds * SECOND;
	const _Atomic uint32_t never = 0;

	while (strcmp(rig_backend_node("carrier"), value)) {
		if (pvr_port_now_ns() > deadline)
			return 0;
		pvr_port_wait(&never, 0, pvr_port_now_ns() + SECOND / 2);
	}
	return 1;
}

/* XSA-392: no buffers. The carrier goes after a minute, and comes with the buffers; packets that came meanwhile are lost. */
int attack_starve(const struct attack *attack, enum outcome opened)
{
	static struct packet packet;

	if (opened != OKAY || !carrier_is("1", 1))
		return attack_fails(attack, "does not connect", (int)opened);
	if (!carrier_is("0", 75))
		return attack_fails(attack, "the carrier stays", 0);
	rig_post();
	if (!carrier_is("1", 5))
		return attack_fails(attack, "the carrier stays away", 0);
	for (unsigned tries = 0; tries < 20; tries++)
		if (!rig_receive(&packet))
			return 0;
	return attack_fails(attack, "no packet comes", 0);
}
