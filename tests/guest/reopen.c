/* SPDX-License-Identifier: MIT */
/* Devices that are opened again as soon as they are closed, whatever their backends are about. */
#include "reopen.h"

#include <stdio.h>
#include <string.h>

#include <pvring/blkfront.h>
#include <pvring/netfront.h>
#include <pvring/port.h>
#include <pvring/process.h>

#define SECONDS  1000000000ull
#define PATIENCE (30 * SECONDS)

static void received(
	void *user, struct pvr_netfront_queue *queue, const struct pvr_net_packet *packet)
{
	(void)user;
	(void)queue;
	(void)packet;
}

static void sent(void *user, struct pvr_netfront_queue *queue, void *token, int error)
{
	(void)user;
	(void)queue;
	(void)token;
	(void)error;
}

static int reopen_disk(void)
{
	struct pvr_blkfront *disk;
	int rc = pvr_blkfront_open("device/vbd/51712", NULL, pvr_port_now_ns() + PATIENCE, &disk);

	if (!rc)
		pvr_blkfront_close(disk);
	return rc;
}

static int reopen_net(void)
{
	const struct pvr_netfront_calls calls = {.received = received, .sent = sent};
	struct pvr_netfront *net;
	int rc = pvr_netfront_open(
		"device/vif/0", NULL, &calls, pvr_port_now_ns() + PATIENCE, &net);

	if (!rc)
		pvr_netfront_close(net);
	return rc;
}

int reopen_check(unsigned seconds)
{
	uint64_t until = pvr_port_now_ns() + seconds * SECONDS, total, before, after;
	unsigned times = 0;
	int rc;

	/* What is allocated once and stays, is allocated by the first. */
	rc = reopen_disk();
	if (!rc)
		rc = reopen_net();
	pvr_process_memory(&total, &before);
	for (; !rc && pvr_port_now_ns() < until; times++) {
		rc = reopen_disk();
		if (rc) {
			fprintf(stderr, "guest: disk, open %u: %s\n", times, strerror(-rc));
			break;
		}
		rc = reopen_net();
		if (rc)
			fprintf(stderr, "guest: interface, open %u: %s\n", times, strerror(-rc));
	}
	pvr_process_memory(&total, &after);
	printf("opened %u times\n", times);
	if (!rc && after != before) {
		fprintf(stderr, "guest: %llu bytes are kept\n", (unsigned long long)(before - after));
		rc = -1;
	}
	return rc != 0;
}
