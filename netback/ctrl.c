/* SPDX-License-Identifier: MIT */
/* Answers the requests of the control ring. See ctrl.h; the statuses are those of Xen's io/netif.h.
 */
#include "ctrl.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define PAGE 4096u

enum {
	OKAY = XEN_NETIF_CTRL_STATUS_SUCCESS,
	INVALID = XEN_NETIF_CTRL_STATUS_INVALID_PARAMETER,
	OVERFLOW = XEN_NETIF_CTRL_STATUS_BUFFER_OVERFLOW,
	UNKNOWN = XEN_NETIF_CTRL_STATUS_NOT_SUPPORTED
};

/* ---- hash ---- */

static uint32_t tell_queues(struct pvr_netback_vif *vif)
{
	for (unsigned i = 0; i < vif->facts.queues; i++) {
		struct pvr_netback_queue *queue = vif->queue[i];

		pthread_mutex_lock(&queue->lock);
		queue->hash = vif->ctrl->hash;
		pthread_mutex_unlock(&queue->lock);
	}
	return OKAY;
}

static uint32_t copy_in(struct pvr_netback_vif *vif, grant_ref_t ref, void *to, size_t length)
{
	struct pvr_host_copy copy = {
		.domid = vif->spec.domid, .ref = ref, .length = (uint16_t)length, .local = to};

	if (length == 0)
		return OKAY;
	return pvr_host_copy(vif->ctrl->host, &copy, 1) == 1 ? OKAY : INVALID;
}

static uint32_t set_algorithm(struct pvr_netback_vif *vif, uint32_t algorithm)
{
	if (algorithm > XEN_NETIF_CTRL_HASH_ALGORITHM_TOEPLITZ)
		return INVALID;
	vif->ctrl->hash.algorithm = (uint8_t)algorithm;
	if (algorithm == XEN_NETIF_CTRL_HASH_ALGORITHM_NONE)
		vif->ctrl->hash.types = 0;
	return tell_queues(vif);
}

static uint32_t set_flags(struct pvr_netback_vif *vif, uint32_t types)
{
	if (vif->ctrl->hash.algorithm == XEN_NETIF_CTRL_HASH_ALGORITHM_NONE)
		return UNKNOWN;
	if (types & ~(uint32_t)PVR_NETBACK_HASH_TYPES)
		return INVALID;
	vif->ctrl->hash.types = (uint8_t)types;
	return tell_queues(vif);
}

static uint32_t set_key(struct pvr_netback_vif *vif, grant_ref_t ref, uint32_t length)
{
	uint8_t key[PVR_NETBACK_HASH_KEY] = {0};
	uint32_t status;

	if (length > sizeof(key))
		return OVERFLOW;
	status = copy_in(vif, ref, key, length);
	if (status != OKAY)
		return status;
	memcpy(vif->ctrl->hash.key, key, sizeof(key));
	return tell_queues(vif);
}

static uint32_t set_mapping_size(struct pvr_netback_vif *vif, uint32_t size)
{
	if (size > PVR_NETBACK_HASH_MAP)
		return INVALID;
	vif->ctrl->hash.map_size = (uint16_t)size;
	memset(vif->ctrl->hash.map, 0, sizeof(vif->ctrl->hash.map));
	return tell_queues(vif);
}

/* Neither first + count, which may wrap, nor an entry may lead beyond what there is (XSA-270). */
static uint32_t set_mapping(
	struct pvr_netback_vif *vif, grant_ref_t ref, uint32_t count, uint32_t first)
{
	struct pvr_netback_hash *hash = &vif->ctrl->hash;
	uint32_t map[PVR_NETBACK_HASH_MAP], status;

	if (count > PVR_NETBACK_HASH_MAP)
		return OVERFLOW;
	if (first > hash->map_size || count > hash->map_size - first)
		return INVALID;
	status = copy_in(vif, ref, map, count * sizeof(map[0]));
	if (status != OKAY)
		return status;
	for (uint32_t i = 0; i < count; i++)
		if (map[i] >= vif->facts.queues)
			return INVALID;
	for (uint32_t i = 0; i < count; i++)
		hash->map[first + i] = (uint8_t)map[i];
	return tell_queues(vif);
}

/* ---- static grants ---- */

static int read_list(struct pvr_netback_vif *vif, grant_ref_t ref, uint32_t count)
{
	return count <= PVR_NETBACK_CTRL_LIST &&
	       copy_in(vif, ref, vif->ctrl->list, count * sizeof(vif->ctrl->list[0])) == OKAY;
}

/* Into the queue's table, all of them; or none, and then they are the caller's to unmap. */
static int add_all(struct pvr_netback_queue *queue, const struct pvr_host_map *map, uint32_t count)
{
	struct pvr_host_map gone;
	int result = 0;

	pthread_mutex_lock(&queue->lock);
	for (uint32_t i = 0; !result && i < count; i++) {
		result = pvr_netback_statics_add(&queue->statics, &map[i]);
		if (!result)
			continue;
		while (i-- > 0)
			pvr_netback_statics_remove(&queue->statics, map[i].ref, &gone);
		break;
	}
	pthread_mutex_unlock(&queue->lock);
	return result;
}

static void unmap_okay(struct pvr_netback_ctrl *ctrl, uint32_t count)
{
	for (uint32_t i = 0; i < count; i++)
		if (ctrl->map[i].status == GNTST_okay)
			pvr_host_unmap(ctrl->host, &ctrl->map[i], 1);
}

static uint32_t add_grefs(struct pvr_netback_vif *vif, struct pvr_netback_queue *queue,
	grant_ref_t ref, uint32_t count)
{
	struct pvr_netback_ctrl *ctrl = vif->ctrl;

	if (!read_list(vif, ref, count))
		return INVALID;
	for (uint32_t i = 0; i < count; i++) {
		uint16_t flags = ctrl->list[i].flags;

		if (flags & ~XEN_NETIF_CTRLF_GREF_readonly)
			return INVALID;
		ctrl->map[i] = (struct pvr_host_map){.domid = vif->spec.domid,
			.readonly = flags & XEN_NETIF_CTRLF_GREF_readonly,
			.ref = ctrl->list[i].ref};
	}
	if (count == 0)
		return OKAY;
	if (pvr_host_map(ctrl->host, ctrl->map, count) == count &&
		!add_all(queue, ctrl->map, count))
		return OKAY;
	unmap_okay(ctrl, count);
	return INVALID;
}

/* One that a waiting buffer uses stays, with its status saying so. */
static uint32_t del_grefs(struct pvr_netback_vif *vif, struct pvr_netback_queue *queue,
	grant_ref_t ref, uint32_t count, uint32_t *removed)
{
	struct pvr_netback_ctrl *ctrl = vif->ctrl;
	struct pvr_host_copy copy = {.domid = vif->spec.domid,
		.to_guest = 1,
		.ref = ref,
		.length = (uint16_t)(count * sizeof(ctrl->list[0])),
		.local = ctrl->list};

	if (!read_list(vif, ref, count))
		return INVALID;
	if (count == 0)
		return OKAY;
	pthread_mutex_lock(&queue->lock);
	for (uint32_t i = 0; i < count; i++) {
		int gone = !pvr_netback_statics_remove(
			&queue->statics, ctrl->list[i].ref, &ctrl->map[*removed]);

		ctrl->list[i].status = gone ? OKAY : INVALID;
		*removed += (uint32_t)gone;
	}
	pthread_mutex_unlock(&queue->lock);
	pvr_host_unmap(ctrl->host, ctrl->map, *removed);
	return pvr_host_copy(ctrl->host, &copy, 1) == 1 ? OKAY : INVALID;
}

static void static_request(struct pvr_netback_vif *vif,
	const struct xen_netif_ctrl_request *request, struct xen_netif_ctrl_response *response)
{
	struct pvr_netback_queue *queue;

	response->status = INVALID;
	if (request->data[0] >= vif->facts.queues)
		return;
	queue = vif->queue[request->data[0]];
	if (request->type == XEN_NETIF_CTRL_TYPE_ADD_GREF_MAPPING) {
		response->status = add_grefs(vif, queue, request->data[1], request->data[2]);
	} else if (request->type == XEN_NETIF_CTRL_TYPE_DEL_GREF_MAPPING) {
		response->status =
			del_grefs(vif, queue, request->data[1], request->data[2], &response->data);
	} else {
		response->status = OKAY;
		response->data = PVR_NETBACK_STATICS_MAX;
	}
}

/* ---- requests ---- */

void pvr_netback_ctrl_request(struct pvr_netback_vif *vif,
	const struct xen_netif_ctrl_request *request, struct xen_netif_ctrl_response *response)
{
	const uint32_t *data = request->data;

	memset(response, 0, sizeof(*response));
	response->id = request->id;
	response->type = request->type;
	response->status = OKAY;
	switch (request->type) {
	case XEN_NETIF_CTRL_TYPE_GET_HASH_FLAGS:
		if (vif->ctrl->hash.algorithm == XEN_NETIF_CTRL_HASH_ALGORITHM_NONE)
			response->status = UNKNOWN;
		else
			response->data = PVR_NETBACK_HASH_TYPES;
		break;
	case XEN_NETIF_CTRL_TYPE_SET_HASH_FLAGS:
		response->status = set_flags(vif, data[0]);
		break;
	case XEN_NETIF_CTRL_TYPE_SET_HASH_KEY:
		response->status = set_key(vif, data[0], data[1]);
		break;
	case XEN_NETIF_CTRL_TYPE_GET_HASH_MAPPING_SIZE:
		response->data = PVR_NETBACK_HASH_MAP;
		break;
	case XEN_NETIF_CTRL_TYPE_SET_HASH_MAPPING_SIZE:
		response->status = set_mapping_size(vif, data[0]);
		break;
	case XEN_NETIF_CTRL_TYPE_SET_HASH_MAPPING:
		response->status = set_mapping(vif, data[0], data[1], data[2]);
		break;
	case XEN_NETIF_CTRL_TYPE_SET_HASH_ALGORITHM:
		response->status = set_algorithm(vif, data[0]);
		break;
	case XEN_NETIF_CTRL_TYPE_GET_GREF_MAPPING_SIZE:
	case XEN_NETIF_CTRL_TYPE_ADD_GREF_MAPPING:
	case XEN_NETIF_CTRL_TYPE_DEL_GREF_MAPPING:
		static_request(vif, request, response);
		break;
	default:
		response->status = UNKNOWN;
	}
}

int pvr_netback_ctrl_turn(struct pvr_netback_queue *queue)
{
	struct pvr_ring *ring = &queue->vif->ctrl->ring;
	int pending = pvr_ring_pending(ring), count = 0;

	if (pending < 0)
		return pvr_netback_queue_break(queue, "control ring: an impossible index");
	for (; count < pending && count < (int)PVR_NETBACK_CTRL_BATCH; count++) {
		struct xen_netif_ctrl_request request;
		struct xen_netif_ctrl_response response;

		pvr_netback_ctrl_request_take(ring, &request);
		pvr_netback_ctrl_request(queue->vif, &request, &response);
		pvr_netback_ctrl_response_put(ring, &response);
	}
	if (count && pvr_ring_publish_notify(ring)) {
		pvr_netback_count(queue, &queue->counts.events_out, 1);
		pvr_host_evtchn_notify(queue->host, queue->ports[2]);
	}
	return count;
}

/* ---- it comes and goes ---- */

int pvr_netback_ctrl_connect(
	struct pvr_netback_queue *queue, struct pvr_host *host, evtchn_port_t *port)
{
	struct pvr_netback_vif *vif = queue->vif;
	const struct pvr_netback_facts *facts = &vif->facts;
	struct pvr_netback_ctrl *ctrl = vif->ctrl;
	int16_t status;
	int result;

	result = pvr_host_map_area(
		host, vif->spec.domid, &facts->control_ref, 1, &ctrl->area, &status);
	if (result) {
		queue->error = "cannot map the control ring: ctrl-ring-ref is not granted";
		return result;
	}
	result = pvr_ring_back_attach(
		&ctrl->ring, ctrl->area.address, pvr_netback_ctrl_entries(PAGE));
	if (result)
		queue->error = "the control ring's indices are impossible";
	else
		result = pvr_host_evtchn_bind(host, vif->spec.domid, facts->control_port);
	if (result >= 0) {
		*port = (evtchn_port_t)result;
		ctrl->host = host;
		return 0;
	}
	if (!queue->error)
		queue->error = "cannot bind event-channel-ctrl";
	pvr_host_unmap_area(host, &ctrl->area);
	return result;
}

/*
 * Every queue's pages go, used by a waiting buffer or not: whoever takes a queue's lock after this
 * sees that the interface is closing, and touches no page any more.
 */
void pvr_netback_ctrl_disconnect(struct pvr_netback_queue *queue)
{
	struct pvr_netback_vif *vif = queue->vif;
	struct pvr_netback_ctrl *ctrl = vif->ctrl;

	for (unsigned i = 0; i < vif->facts.queues; i++) {
		struct pvr_netback_statics *statics = &vif->queue[i]->statics;

		pthread_mutex_lock(&vif->queue[i]->lock);
		for (unsigned j = 0; j < PVR_NETBACK_STATICS_BUCKETS; j++)
			for (unsigned at = statics->bucket[j]; at; at = statics->entry[at - 1].next)
				pvr_host_unmap(ctrl->host, &statics->entry[at - 1].map, 1);
		memset(statics->bucket, 0, sizeof(statics->bucket));
		statics->count = 0;
		pthread_mutex_unlock(&vif->queue[i]->lock);
	}
	pvr_host_unmap_area(ctrl->host, &ctrl->area);
}
