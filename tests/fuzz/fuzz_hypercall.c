/* SPDX-License-Identifier: MIT */
/*
 * Arbitrary requests to the daemon's control protocol, mostly hypercalls, from two guests (one of
 * 32 bits) and a dom0, against the daemon's own state without its sockets. A step is: who, what,
 * how many bytes, bytes. The guests' memory is alive: bytes of the input land in grant tables and
 * store rings.
 */
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "../../hypervisor/hv.h"

#define CLIENTS    3
#define STEPS      32
#define LENGTH_MAX 256u

struct world {
	struct hv *hv;
	struct hv_client *client[CLIENTS];
	int far[CLIENTS];
	struct hv_reply reply;
	uint8_t room[PVR_HV_DATA_MAX] __attribute__((aligned(16)));
};

static int64_t ask(struct world *w, unsigned who, uint32_t op, const void *data, size_t length)
{
	w->reply = (struct hv_reply){.data = w->room};
	int64_t result = hv_control_request(w->client[who], op, data, length, &w->reply);

	if (w->reply.length > PVR_HV_DATA_MAX || w->reply.fds_count > PVR_HV_FDS_MAX)
		abort();
	return result;
}

static void world_open(struct world *w)
{
	struct pvr_hv_config config = {.grant_frames = 1, .event_channels_max = 16};
	struct pvr_hv_create create = {.name = "a", .memory_bytes = 1 << 20, .vcpus = 1};

	w->hv = hv_core_new(&config);
	if (!w->hv || hv_core_open(w->hv))
		abort();
	if (hv_domain_create(w->hv, &create) != 1)
		abort();
	create.name[0] = 'b';
	if (hv_domain_create(w->hv, &create) != 2)
		abort();
	for (unsigned i = 0; i < CLIENTS; i++) {
		int pair[2];

		if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) ||
			hv_client_new(w->hv, pair[0]))
			abort();
		w->far[i] = pair[1];
		w->client[i] = TAILQ_LAST(&w->hv->clients, hv_clients);
	}
	struct pvr_hv_attach a = {1, 8}, b = {2, 4};

	if (ask(w, 0, PVR_HV_ATTACH, &a, sizeof(a)) || ask(w, 1, PVR_HV_ATTACH, &b, sizeof(b)) ||
		ask(w, 2, PVR_HV_DOM0, NULL, 0))
		abort();
}

/* What the loop would do next. */
static void settle(struct world *w)
{
	for (int i = 0; i < 8 && !TAILQ_EMPTY(&w->hv->laters); i++) {
		struct hv_later *later = TAILQ_FIRST(&w->hv->laters);

		hv_later_cancel(w->hv, later);
		later->run(later);
	}
}

static void step(struct world *w, unsigned what, const uint8_t *data, size_t length)
{
	unsigned who = what % CLIENTS;
	struct hv_domain *d = w->client[who]->domain;

	switch (what / CLIENTS % 8) {
	case 0: /* into the first grant entries */
		if (d->low)
			memcpy(d->low + PVR_HV_FRAME_GRANT * 4096, data, length);
		break;
	case 1: /* into the store ring: requests, or the indices behind the rings */
		if (d->low) {
			uint8_t *page = d->low + PVR_HV_FRAME_STORE * 4096;

			memcpy(page + (length > 28 ? 0 : 2 * XENSTORE_RING_SIZE), data, length);
			hv_later_queue(w->hv, &d->ring.later);
		}
		break;
	case 2: { /* any request; not the end of the world, nor of the fuzzer, which is both guests
		   */
		uint32_t op = length ? data[0] : 0;

		if (op != PVR_HV_DOMAIN_DESTROY)
			ask(w, who, op, data + !!length, length - !!length);
		break;
	}
	default: { /* a hypercall with a sound header */
		uint8_t request[sizeof(struct pvr_hv_hypercall) + LENGTH_MAX];
		struct pvr_hv_hypercall head = {0};

		if (length < 3)
			break;
		head.op = data[0] % 3 == 0   ? __HYPERVISOR_event_channel_op
			  : data[0] % 3 == 1 ? __HYPERVISOR_grant_table_op
					     : data[0] / 3;
		head.cmd = data[1] % 16;
		head.count = data[2];
		head.length = (uint32_t)length - 3;
		memcpy(request, &head, sizeof(head));
		memcpy(request + sizeof(head), data + 3, head.length);
		ask(w, who, PVR_HV_HYPERCALL, request, sizeof(head) + head.length);
	}
	}
	settle(w);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct world w;

	world_open(&w);
	for (int i = 0; i < STEPS && size >= 2; i++) {
		size_t length = data[1] < size - 2 ? data[1] : size - 2;

		step(&w, data[0], data + 2, length);
		data += 2 + length;
		size -= 2 + length;
	}
	if (pvr_xs_check(w.hv->xs, stderr))
		abort();
	hv_core_free(w.hv);
	for (unsigned i = 0; i < CLIENTS; i++)
		close(w.far[i]);
	return 0;
}
