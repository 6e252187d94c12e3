/* SPDX-License-Identifier: MIT */
/* Packets through the frontend, as fast as they go: a batch sent and kicked at a time, or polled for. */
#include "net_bench.h"

#include <errno.h>
#include <pthread.h>
#include <string.h>

#include <pvring/port.h>
#include <pvring/ring.h>

#include "bench.h"

#define BATCH     64u
#define SPINS     2000u /* without anything to do, before sleeping */
#define SLEEP_NS  100000000ull
#define PLAIN_MAX 1514u /* longer ones are cut into segments by whoever is outside */
#define HEADERS   54u   /* Ethernet, IPv4, TCP */

/* What every packet starts with. A long one is TCP without its checksum, as a kernel sends it. */
static void headers_write(uint8_t *to, uint32_t bytes)
{
	static const uint8_t headers[HEADERS] = {2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1, 8, 0, 0x45, 0,
		0, 0, 0, 0, 0x40, 0, 64, 6, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2, 0x12, 0x34, 0x56, 0x78,
		0, 0, 0, 1, 0, 0, 0, 1, 0x50, 0x10, 0xff, 0xff};

	memcpy(to, headers, sizeof(headers));
	to[16] = (uint8_t)((bytes - 14) >> 8);
	to[17] = (uint8_t)(bytes - 14);
}

static void sent(void *user, struct pvr_netfront_queue *queue, void *token, int error)
{
	struct net_runner *r = (struct net_runner *)user + pvr_netfront_queue_index(queue);
	uint8_t *page = token;

	if (error != -EBUSY)
		pvr_netfront_page_put(queue, page);
	r->packets += !error;
	if (error && !r->error)
		r->error = error;
}

static void received(
	void *user, struct pvr_netfront_queue *queue, const struct pvr_net_packet *packet)
{
	struct net_runner *r = (struct net_runner *)user + pvr_netfront_queue_index(queue);
	uint64_t first;

	memcpy(&first, packet->slice[0].address, sizeof(first));
	r->seen += first;
	r->packets += packet->bytes == r->job->bytes;
}

const struct pvr_netfront_calls net_runner_calls = {.received = received, .sent = sent};

/*
 * One page is the whole of a packet: longer ones send it again and again, so that what is measured is the way and not
 * the making. 0: no room now.
 */
static int send_one(struct pvr_netfront_queue *queue, uint32_t bytes)
{
	uint8_t *page = pvr_netfront_page_get(queue);
	struct pvr_net_packet packet = {.bytes = bytes, .token = page};
	int rc;

	if (!page)
		return 0;
	headers_write(page, bytes);
	for (uint32_t left = bytes; left; packet.count++) {
		uint32_t part = left < PVR_PAGE_SIZE ? left : PVR_PAGE_SIZE;

		packet.slice[packet.count] = (struct pvr_net_slice){page, part};
		left -= part;
	}
	if (bytes > PLAIN_MAX) {
		packet.flags = PVR_NET_CSUM_BLANK;
		packet.gso_type = XEN_NETIF_GSO_TYPE_TCPV4;
		packet.gso_size = 1460;
	}
	rc = pvr_netfront_send(queue, &packet);
	if (rc <= 0)
		pvr_netfront_page_put(queue, page);
	return rc;
}

/*
 * A whole batch or nothing: a sender that fills each slot as soon as it is free, and a backend that answers what
 * little it finds, end up passing the line of the indices to and fro for a few packets at a time.
 */
static int send_batch(struct pvr_netfront_queue *queue, const struct net_job *job)
{
	int done = 0, rc = 1;

	if (job->bytes <= PVR_PAGE_SIZE && pvr_netfront_free(queue) < BATCH)
		return 0;
	while (done < (int)BATCH && rc > 0) {
		rc = send_one(queue, job->bytes);
		done += rc > 0;
	}
	pvr_netfront_kick(queue);
	return rc < 0 ? rc : done;
}

static void *run_queue(void *argument)
{
	struct net_runner *r = argument;
	struct pvr_netfront_queue *queue = pvr_netfront_queue(r->net, r->index);
	uint64_t end = bench_now_ns() + r->job->ns;
	unsigned idle = 0;

	while (!r->error && bench_now_ns() < end) {
		int work = r->job->to_guest ? 0 : send_batch(queue, r->job);
		int polled = work < 0 ? work : pvr_netfront_poll(queue, BATCH);

		if (polled < 0) {
			r->error = polled;
			break;
		}
		idle = work || polled ? 0 : idle + 1;
		if (idle)
			pvr_cpu_relax();
		if (idle > SPINS)
			pvr_netfront_wait(queue, pvr_port_now_ns() + SLEEP_NS);
	}
	return NULL;
}

void net_run_pvring(struct pvr_netfront *net, struct net_runner *runners, const struct net_job *job,
	struct net_result *result)
{
	unsigned queues = pvr_netfront_info(net)->queues;
	pthread_t thread[PVR_NETFRONT_QUEUES_MAX];
	uint64_t begin = bench_now_ns();

	*result = (struct net_result){0};
	for (unsigned i = 0; i < queues; i++)
		runners[i] = (struct net_runner){.net = net, .job = job, .index = i};
	for (unsigned i = 1; i < queues; i++)
		if (pthread_create(&thread[i], NULL, run_queue, &runners[i]))
			queues = i;
	run_queue(&runners[0]);
	for (unsigned i = 0; i < queues; i++) {
		if (i)
			pthread_join(thread[i], NULL);
		result->packets += runners[i].packets;
		result->error = result->error ? result->error : runners[i].error;
	}
	result->ns = bench_now_ns() - begin;
}
