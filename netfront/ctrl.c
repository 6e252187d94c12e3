/* SPDX-License-Identifier: MIT */
/*
 * The control ring: one request at a time, each waited for. Requests and their arguments: Xen's public
 * io/netif.h ("Control requests").
 */
#include "internal.h"

#include <errno.h>
#include <string.h>

#define ANSWER_NS 1000000000ull

/* The same for a request by which pages are mapped: hundreds, on the real Xen one by one, on a host that has other work. */
#define MAPPING_NS 10000000000ull

/* How often a backend that takes its time is looked after. */
#define LOOK_NS 250000000ull

int netfront_ctrl_make(struct pvr_front *front, struct netfront_ctrl *ctrl)
{
	int r = pvr_front_pages_make(front, &ctrl->page, 1);

	if (!r)
		r = pvr_front_channel_make(front, &ctrl->port);
	if (!r)
		pvr_ring_front_init(
			&ctrl->ring, ctrl->page.at, netfront_ctrl_entries(PVR_PAGE_SIZE), 0);
	return r;
}

void netfront_ctrl_free(struct netfront_ctrl *ctrl, uint64_t deadline_ns)
{
	if (ctrl->port)
		pvr_evtchn_close(ctrl->port);
	pvr_front_pages_free(&ctrl->page, deadline_ns);
	*ctrl = (struct netfront_ctrl){0};
}

/* ---- one request ---- */

static int await_answer(struct pvr_netfront *net, uint64_t deadline_ns)
{
	struct netfront_ctrl *ctrl = &net->ctrl;

	for (;;) {
		int pending = pvr_ring_final_check(&ctrl->ring), r;
		uint64_t look = pvr_port_now_ns() + LOOK_NS;

		if (pending)
			return pending < 0 ? pending : 0;
		r = pvr_evtchn_wait(ctrl->port, look < deadline_ns ? look : deadline_ns);
		if (r == -ETIMEDOUT && look < deadline_ns &&
			pvr_xenbus_backend_state(&net->front.bus) == XenbusStateConnected)
			continue;
		if (r)
			return r;
	}
}

static uint64_t patience(uint16_t type)
{
	return type == XEN_NETIF_CTRL_TYPE_ADD_GREF_MAPPING ||
			       type == XEN_NETIF_CTRL_TYPE_DEL_GREF_MAPPING
		       ? MAPPING_NS
		       : ANSWER_NS;
}

/* 0 and the answer's data; -EIO when the backend refuses; -ETIMEDOUT; -EPROTO, and it has failed. */
static int call(struct pvr_netfront *net, const struct xen_netif_ctrl_request *what, uint32_t *data)
{
	struct netfront_ctrl *ctrl = &net->ctrl;
	struct xen_netif_ctrl_request request = *what;
	struct xen_netif_ctrl_response answer;
	int r;

	if (ctrl->broken)
		return -ETIMEDOUT;
	request.id = ctrl->id++;
	netfront_ctrl_request_put(&ctrl->ring, &request);
	if (pvr_ring_publish_notify(&ctrl->ring))
		pvr_evtchn_notify(ctrl->port);
	r = await_answer(net, pvr_port_now_ns() + patience(request.type));
	ctrl->broken = r != 0;
	if (r == -EPROTO)
		pvr_front_fail(&net->front, "more answers than requests on the control ring",
			", beyond index ", ctrl->ring.cons);
	if (r)
		return r;
	netfront_ctrl_response_take(&ctrl->ring, &answer);
	if (answer.id != request.id || answer.type != request.type) {
		pvr_front_fail(
			&net->front, "control answer to another request", ", id ", answer.id);
		return -EPROTO;
	}
	*data = answer.data;
	return answer.status == XEN_NETIF_CTRL_STATUS_SUCCESS ? 0 : -EIO;
}

static int call_plain(struct pvr_netfront *net, uint16_t type, uint32_t argument, uint32_t *data)
{
	const struct xen_netif_ctrl_request request = {.type = type, .data = {argument}};

	return call(net, &request, data);
}

/* The request's data is in a page, whose reference goes to data[at]. */
static int call_with(struct pvr_netfront *net, struct xen_netif_ctrl_request *request, unsigned at,
	const void *bytes, size_t count)
{
	struct pvr_front_pages page = {0};
	uint32_t data;
	int r = pvr_front_pages_make(&net->front, &page, 1);

	if (!r) {
		memcpy(page.at, bytes, count);
		request->data[at] = page.ref[0];
		r = call(net, request, &data);
	}
	pvr_front_pages_free(&page, pvr_port_now_ns() + PVR_FRONT_PATIENCE_NS);
	return r;
}

/* ---- static grants ---- */

static int change_grants(struct pvr_netfront *net, unsigned index, uint16_t type)
{
	const struct pvr_netfront_queue *queue = net->queue[index];
	struct xen_netif_ctrl_request request = {
		.type = type, .data = {index, 0, NETFRONT_STATIC_PAGES}};
	struct pvr_front_pages page = {0};
	struct xen_netif_gref *list;
	uint32_t data;
	int r = pvr_front_pages_make(&net->front, &page, 1);

	_Static_assert(
		NETFRONT_STATIC_PAGES * sizeof(*list) <= PVR_PAGE_SIZE, "one page lists all");
	list = page.at;
	for (unsigned i = 0; i < NETFRONT_ENTRIES && !r; i++) {
		list[i].ref = queue->tx.ref[i];
		list[i].flags = XEN_NETIF_CTRLF_GREF_readonly;
		list[NETFRONT_ENTRIES + i].ref = queue->rx.ref[i];
	}
	if (!r) {
		request.data[1] = page.ref[0];
		r = call(net, &request, &data);
	}
	pvr_front_pages_free(&page, pvr_port_now_ns() + PVR_FRONT_PATIENCE_NS);
	return r;
}

/* Whether the backend keeps as many mappings as each queue has pages. */
static int has_room(struct pvr_netfront *net)
{
	for (unsigned i = 0; i < net->queues; i++) {
		uint32_t size;

		if (call_plain(net, XEN_NETIF_CTRL_TYPE_GET_GREF_MAPPING_SIZE, i, &size) ||
			size < NETFRONT_STATIC_PAGES)
			return 0;
	}
	return 1;
}

int netfront_ctrl_static(struct pvr_netfront *net)
{
	int r = net->info.control && has_room(net) ? 0 : -EOPNOTSUPP;
	unsigned added = 0;

	while (!r && added < net->queues) {
		r = change_grants(net, added, XEN_NETIF_CTRL_TYPE_ADD_GREF_MAPPING);
		added += !r;
	}
	for (; r && added; added--)
		change_grants(net, added - 1, XEN_NETIF_CTRL_TYPE_DEL_GREF_MAPPING);
	return r;
}

/* ---- hash ---- */

static int set_key(struct pvr_netfront *net)
{
	struct xen_netif_ctrl_request request = {
		.type = XEN_NETIF_CTRL_TYPE_SET_HASH_KEY, .data = {0, PVR_NET_HASH_KEY}};

	return call_with(net, &request, 0, net->hash.key, PVR_NET_HASH_KEY);
}

static int set_map(struct pvr_netfront *net)
{
	struct xen_netif_ctrl_request request = {
		.type = XEN_NETIF_CTRL_TYPE_SET_HASH_MAPPING, .data = {0, net->hash.map_count, 0}};
	uint32_t data;
	int r = call_plain(
		net, XEN_NETIF_CTRL_TYPE_SET_HASH_MAPPING_SIZE, net->hash.map_count, &data);

	return r ? r
		 : call_with(net, &request, 0, net->hash.map,
			   net->hash.map_count * sizeof(net->hash.map[0]));
}

/* What is hashed comes last: until then the backend chooses queues as it likes. */
int netfront_ctrl_hash(struct pvr_netfront *net)
{
	uint32_t data, most = 0;
	int r;

	if (!net->info.control)
		return -EOPNOTSUPP;
	if (!net->hash.types)
		return call_plain(net, XEN_NETIF_CTRL_TYPE_SET_HASH_ALGORITHM,
			XEN_NETIF_CTRL_HASH_ALGORITHM_NONE, &data);
	r = call_plain(net, XEN_NETIF_CTRL_TYPE_SET_HASH_ALGORITHM,
		XEN_NETIF_CTRL_HASH_ALGORITHM_TOEPLITZ, &data);
	if (!r)
		r = call_plain(net, XEN_NETIF_CTRL_TYPE_GET_HASH_MAPPING_SIZE, 0, &most);
	if (!r && most < net->hash.map_count)
		r = -EIO;
	if (!r)
		r = set_key(net);
	if (!r)
		r = set_map(net);
	if (!r)
		r = call_plain(net, XEN_NETIF_CTRL_TYPE_SET_HASH_FLAGS, net->hash.types, &data);
	return r;
}

static int check_hash(
	const struct pvr_netfront *net, uint32_t types, const uint32_t *map, unsigned map_count)
{
	const uint32_t all = XEN_NETIF_CTRL_HASH_TYPE_IPV4 | XEN_NETIF_CTRL_HASH_TYPE_IPV4_TCP |
			     XEN_NETIF_CTRL_HASH_TYPE_IPV6 | XEN_NETIF_CTRL_HASH_TYPE_IPV6_TCP;

	if (types & ~all || (types && map_count - 1 >= PVR_NET_HASH_MAP_MAX))
		return -EINVAL;
	for (unsigned i = 0; types && i < map_count; i++)
		if (map[i] >= net->queues)
			return -EINVAL;
	return 0;
}

int pvr_netfront_hash(struct pvr_netfront *net, uint32_t types, const uint8_t key[PVR_NET_HASH_KEY],
	const uint32_t *map, unsigned map_count)
{
	int r = check_hash(net, types, map, map_count);

	if (r)
		return r;
	pvr_mutex_lock(&net->front.control);
	net->hash.types = types;
	net->hash.map_count = map_count ? map_count : 1;
	if (types) {
		memcpy(net->hash.key, key, PVR_NET_HASH_KEY);
		memcpy(net->hash.map, map, map_count * sizeof(*map));
	}
	/* To a backend that is not there it is said when it comes. */
	if (pvr_front_is_dead(&net->front))
		r = -ENODEV;
	else if (pvr_front_life(&net->front) == PVR_FRONT_LIVE)
		r = netfront_ctrl_hash(net);
	pvr_mutex_unlock(&net->front.control);
	return r;
}
