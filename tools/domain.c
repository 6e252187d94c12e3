/* SPDX-License-Identifier: MIT */
/* Finding domains by name or number, and their end. */
#include "tools.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DOMAINS_MAX 65536u

int domain_list(int control, struct pvr_hv_domain **domains, unsigned *count)
{
	struct pvr_hv_domain *all = NULL;
	unsigned used = 0;
	uint32_t first = 0;

	for (;;) {
		struct pvr_hv_domain *more = realloc(all, used * sizeof(*all) + PVR_HV_DATA_MAX);
		size_t length = PVR_HV_DATA_MAX;
		long rc = more ? 0 : -ENOMEM;

		if (more) {
			all = more;
			rc = pvr_hv_call(control, PVR_HV_DOMAIN_LIST, &first, sizeof(first),
				all + used, &length, NULL, NULL);
		}
		if (rc < 0) {
			free(all);
			return (int)rc;
		}
		used += (unsigned)(length / sizeof(*all));
		if (!length || used >= DOMAINS_MAX)
			break;
		first = all[used - 1].domid + 1;
	}
	*domains = all;
	*count = used;
	return 0;
}

int domain_find(int control, const char *name, struct pvr_hv_domain *domain)
{
	struct pvr_hv_domain *all;
	unsigned count;
	uint64_t number;
	int is_number = !tool_number(name, 0, UINT32_MAX, &number);
	int rc = domain_list(control, &all, &count);

	if (rc)
		return rc;
	rc = -ENOENT;
	for (unsigned i = 0; i < count; i++)
		if (is_number ? all[i].domid == number : !strcmp(all[i].name, name)) {
			*domain = all[i];
			rc = 0;
		}
	free(all);
	return rc;
}

/* What the toolstack wrote for the backends goes with the domain; they let go of images and TAPs then. */
static int remove_backends(const char *dir, uint32_t domid)
{
	static const char *const classes[] = {"vbd", "vif"};
	struct pvr_host *host;
	char path[64];
	int rc = pvr_host_open(dir, &host);

	if (rc)
		return rc;
	for (unsigned i = 0; i < sizeof(classes) / sizeof(classes[0]); i++) {
		int gone;

		snprintf(path, sizeof(path), "/local/domain/0/backend/%s/%" PRIu32, classes[i],
			domid);
		gone = pvr_host_store_rm(host, 0, path);
		if (gone && gone != -ENOENT)
			rc = gone;
	}
	pvr_host_close(host);
	return rc;
}

int domain_destroy(const char *dir, int control, uint32_t domid)
{
	long rc = pvr_hv_call(control, PVR_HV_DOMAIN_DESTROY, &domid, sizeof(domid), NULL, NULL, NULL,
		NULL);

	return rc < 0 ? (int)rc : remove_backends(dir, domid);
}
