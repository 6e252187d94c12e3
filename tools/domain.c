/* SPDX-License-Identifier: MIT */
/* Finding domains by name or number. */
#include "tools.h"

#include <errno.h>
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
