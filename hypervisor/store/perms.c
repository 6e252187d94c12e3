/* SPDX-License-Identifier: MIT */
/*
 * Permission lists. The first entry names the owner, who may everything, and what domains without
 * an entry of their own may; the others name one domain each.
 */
#include "store.h"

static int letter_bits(char letter)
{
	switch (letter) {
	case 'n':
		return XS_PERM_NONE;
	case 'r':
		return XS_PERM_READ;
	case 'w':
		return XS_PERM_WRITE;
	case 'b':
		return XS_PERM_READ | XS_PERM_WRITE;
	default:
		return -EINVAL;
	}
}

/* "r12", up to the separator or the end. */
static int parse_one(const char *s, size_t len, struct xs_perm *perm)
{
	unsigned domid = 0;
	int bits;

	if (len < 2 || len > 6)
		return -EINVAL;
	bits = letter_bits(s[0]);
	for (size_t i = 1; i < len; i++) {
		if (s[i] < '0' || s[i] > '9')
			return -EINVAL;
		domid = domid * 10 + (unsigned)(s[i] - '0');
	}
	if (bits < 0 || domid > UINT16_MAX)
		return -EINVAL;
	perm->domid = (uint16_t)domid;
	perm->bits = (uint16_t)bits;
	return 0;
}

/* Every entry ends with the separator; -ENOSPC when there are more than max. */
int xs_perms_parse(const char *strings, size_t len, char separator, struct xs_perm *perms,
	uint32_t max, uint32_t *count)
{
	const char *end = strings + len, *stop;

	for (*count = 0; strings < end; strings = stop + 1) {
		stop = memchr(strings, separator, (size_t)(end - strings));
		if (!stop)
			return -EINVAL;
		if (*count == max)
			return -ENOSPC;
		if (parse_one(strings, (size_t)(stop - strings), &perms[*count]))
			return -EINVAL;
		++*count;
	}
	return *count ? 0 : -EINVAL;
}

/* One nul-terminated string an entry; XS_PERMS_MAX entries fit into 8 bytes each. */
size_t xs_perms_format(const struct xs_perm *perms, uint32_t nperms, char *out, size_t size)
{
	size_t len = 0;

	for (uint32_t i = 0; i < nperms && len + 8 <= size; i++)
		len += (size_t)sprintf(
			       out + len, "%c%u", "nrwb"[perms[i].bits & 3], perms[i].domid) +
		       1;
	return len;
}

static bool is_me(const struct xs_dom *dom, uint16_t domid)
{
	return dom->domid == domid || (dom->has_target && dom->target == domid);
}

unsigned xs_perms_for(const struct pvr_xs_conn *conn, const struct xs_perm *perms, uint32_t nperms)
{
	if (conn->privileged || is_me(conn->dom, perms[0].domid))
		return XS_PERM_READ | XS_PERM_WRITE | XS_PERM_OWNER;
	for (uint32_t i = 1; i < nperms; i++)
		if (is_me(conn->dom, perms[i].domid))
			return perms[i].bits;
	return perms[0].bits;
}

bool xs_perms_mention(const struct xs_perm *perms, uint32_t nperms, uint16_t domid)
{
	for (uint32_t i = 0; i < nperms; i++)
		if (perms[i].domid == domid)
			return true;
	return false;
}

void xs_perms_scrub(struct xs_perm *perms, uint32_t *nperms, uint16_t domid)
{
	uint32_t kept = 1;

	/* What the owner let everybody do was the owner's word; it goes with the owner. */
	if (perms[0].domid == domid)
		perms[0] = (struct xs_perm){.domid = 0, .bits = XS_PERM_NONE};
	for (uint32_t i = 1; i < *nperms; i++)
		if (perms[i].domid != domid)
			perms[kept++] = perms[i];
	*nperms = kept;
}
