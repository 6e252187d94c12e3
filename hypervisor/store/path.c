/* SPDX-License-Identifier: MIT */
/*
 * Paths: absolute, relative to a domain's home, and special. Source of the rules: Xen's
 * docs/misc/xenstore.txt.
 */
#include "store.h"

static const char *const special_names[XS_SPECIALS] = {
	[XS_SPECIAL_INTRODUCE] = "@introduceDomain",
	[XS_SPECIAL_RELEASE] = "@releaseDomain",
};

size_t xs_home(uint16_t domid, char *out)
{
	return (size_t)sprintf(out, "/local/domain/%u", domid);
}

const char *xs_special_name(int which)
{
	return special_names[which];
}

int xs_path_special(const char *path)
{
	for (int i = 0; i < XS_SPECIALS; i++)
		if (!strcmp(path, special_names[i]))
			return i;
	return -ENOENT;
}

/* An absolute path in its only spelling: no doubled and no trailing slash. */
bool xs_path_valid(const char *path)
{
	size_t len = strlen(path);

	if (path[0] != '/' || (len > 1 && path[len - 1] == '/') || strstr(path, "//"))
		return false;
	return strspn(path, "abcdefghijklmnopqrstuvwxyz"
			    "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
			    "0123456789-/_@") == len;
}

int xs_path_canonical(const struct pvr_xs_conn *conn, const char *in, bool special, char *out)
{
	const struct pvr_xs_quota *quota = &conn->xs->quota;
	size_t len = strlen(in), home = 0;

	if (len == 0 || len > XENSTORE_PAYLOAD_MAX || (in[0] == '@' && !special))
		return -EINVAL;
	if (in[0] != '/' && in[0] != '@') {
		if (len > quota->path_rel)
			return -EINVAL;
		home = xs_home(conn->dom->domid, out);
		out[home++] = '/';
	}
	if (home + len > quota->path_abs)
		return -EINVAL;
	memcpy(out + home, in, len + 1);
	if (out[0] == '@') {
		/* A watch may name any special path; the rules for the rest are those of other
		 * paths. */
		char last = out[len - 1];

		out[0] = '/';
		if (last == '/' || !xs_path_valid(out))
			return -EINVAL;
		out[0] = '@';
		return 0;
	}
	return xs_path_valid(out) ? 0 : -EINVAL;
}

bool xs_path_below(const char *path, const char *above)
{
	size_t len = strlen(above);

	if (len == 1 && above[0] == '/')
		return true;
	return !strncmp(path, above, len) && (path[len] == '/' || path[len] == '\0');
}

size_t xs_path_parent(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash > path ? (size_t)(slash - path) : 1;
}
