/* SPDX-License-Identifier: MIT */
/* What the queues of an interface share. See vif.h. */
#include "vif.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "ctrl.h"

struct pvr_netback_vif *pvr_netback_vif_create(const struct pvr_netback_spec *spec,
	const struct pvr_netback_facts *facts, struct pvr_netback_outside *outside,
	struct pvr_netback_stats *stats)
{
	struct pvr_netback_vif *vif = calloc(1, sizeof(*vif));

	if (!vif)
		return NULL;
	if (facts->control) {
		vif->ctrl = calloc(1, sizeof(*vif->ctrl));
		if (!vif->ctrl) {
			free(vif);
			return NULL;
		}
	}
	vif->spec = *spec;
	vif->facts = *facts;
	vif->outside = outside;
	vif->stats = stats;
	pthread_mutex_init(&vif->mcast_lock, NULL);
	atomic_store_explicit(&stats->queues, facts->queues, memory_order_relaxed);
	atomic_store_explicit(&stats->carrier, 1, memory_order_relaxed);
	return vif;
}

void pvr_netback_vif_destroy(struct pvr_netback_vif *vif)
{
	if (!vif)
		return;
	atomic_store_explicit(&vif->stats->queues, 0, memory_order_relaxed);
	atomic_store_explicit(&vif->stats->carrier, 0, memory_order_relaxed);
	pthread_mutex_destroy(&vif->mcast_lock);
	free(vif->ctrl);
	free(vif);
}

/* ---- the multicast filter, under its lock ---- */

static unsigned find(const struct pvr_netback_vif *vif, const uint8_t mac[6])
{
	unsigned i = 0;

	while (i < vif->mcast_count && memcmp(vif->mcast[i], mac, 6))
		i++;
	return i;
}

int pvr_netback_mcast_join(struct pvr_netback_vif *vif, const uint8_t mac[6])
{
	int result = 0;
	unsigned at;

	if (!(mac[0] & 1))
		return -EINVAL;
	pthread_mutex_lock(&vif->mcast_lock);
	at = find(vif, mac);
	if (at == PVR_NETBACK_MCAST_MAX)
		result = -ENOSPC;
	else if (at == vif->mcast_count)
		memcpy(vif->mcast[vif->mcast_count++], mac, 6);
	pthread_mutex_unlock(&vif->mcast_lock);
	return result;
}

/* One that is not there is as good as gone. */
int pvr_netback_mcast_leave(struct pvr_netback_vif *vif, const uint8_t mac[6])
{
	unsigned at;

	if (!(mac[0] & 1))
		return -EINVAL;
	pthread_mutex_lock(&vif->mcast_lock);
	at = find(vif, mac);
	if (at < vif->mcast_count)
		memcpy(vif->mcast[at], vif->mcast[--vif->mcast_count], 6);
	pthread_mutex_unlock(&vif->mcast_lock);
	return 0;
}

int pvr_netback_mcast_wants(struct pvr_netback_vif *vif, const uint8_t mac[6])
{
	static const uint8_t broadcast[6] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff};
	int wants;

	if (!atomic_load_explicit(&vif->multicast_control, memory_order_relaxed))
		return 1;
	if (!(mac[0] & 1) || !memcmp(mac, broadcast, 6))
		return 1;
	pthread_mutex_lock(&vif->mcast_lock);
	wants = find(vif, mac) < vif->mcast_count;
	pthread_mutex_unlock(&vif->mcast_lock);
	return wants;
}
