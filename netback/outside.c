/* SPDX-License-Identifier: MIT */
/* Chooses an outside by its name. See outside.h. */
#include "outside.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static const struct pvr_netback_outside_ops *const all[] = {&pvr_netback_outside_tap,
	&pvr_netback_outside_passt, &pvr_netback_outside_null, &pvr_netback_outside_loop};

int pvr_netback_outside_open(const struct pvr_netback_spec *spec,
	struct pvr_netback_outside **outside, char error[PVR_NETBACK_LINE])
{
	const char *type = spec->type ? spec->type : "tap";

	for (unsigned i = 0; i < sizeof(all) / sizeof(all[0]); i++)
		if (!strcmp(all[i]->type, type))
			return all[i]->open(spec, outside, error);
	snprintf(
		error, PVR_NETBACK_LINE, "type: \"%.32s\" is none of tap, passt, null, loop", type);
	return -EINVAL;
}

void pvr_netback_outside_close(struct pvr_netback_outside *outside)
{
	if (outside)
		outside->ops->close(outside);
}

int pvr_netback_outside_connect(
	struct pvr_netback_outside *outside, const struct pvr_netback_facts *facts)
{
	unsigned gives = 0;

	if (facts->queues < 1 || facts->queues > outside->queues_max)
		return -EINVAL;
	/* A checksum of IPv6 that the frontend cannot take is completed on its way (deliver.c). */
	if (facts->csum4)
		gives |= PVR_NETBACK_CSUM;
	if (facts->sg && facts->gso4 && facts->csum4)
		gives |= PVR_NETBACK_GSO4;
	if (facts->sg && facts->gso6 && facts->csum4 && facts->csum6)
		gives |= PVR_NETBACK_GSO6;
	return outside->ops->connect(outside, facts->queues, gives);
}

void pvr_netback_outside_disconnect(struct pvr_netback_outside *outside)
{
	outside->ops->disconnect(outside);
}
