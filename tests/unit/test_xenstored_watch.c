/* SPDX-License-Identifier: MIT */
/*
 * Watches: who is told of what, and when not.
 */
#include "suite.h"
#include "test_xenstored.h"

static void initial_event(void)
{
	struct world w = world_make(NULL, NULL);

	SAME(watch(w.dom0, "/w", "token"), "OK");
	SAME(event(w.dom0), "/w|token");
	SAME(event(w.dom0), "");
	SAME(watch(w.dom0, "/w", "token"), "EEXIST");
	SAME(watch(w.dom0, "/w", "other"), "OK");
	SAME(event(w.dom0), "/w|other");
	SAME(ASK(w.dom0, XS_WATCH, 0, "/w"), "EINVAL");
	SAME(ASK(w.dom0, XS_WATCH, 0, "/w\0t\0-1"), "EINVAL");
	SAME(ASK(w.dom0, XS_WATCH, 0, "/w\0t\0001\000x"), "EINVAL");
	SAME(event(w.dom0), "");
	world_end(&w);
}

static void changes_below(void)
{
	struct world w = world_make(NULL, NULL);

	watch(w.dom0, "/w", "t");
	event(w.dom0);
	pvr_xs_write(w.xs, "/w/a/b", "1");
	SAME(event(w.dom0), "/w/a/b|t");
	pvr_xs_write(w.xs, "/w", "1");
	SAME(event(w.dom0), "/w|t");
	pvr_xs_mkdir_perms(w.xs, "/w/c", "n0");
	SAME(event(w.dom0), "/w/c|t");
	pvr_xs_write(w.xs, "/ww", "1"); /* a longer name, not a child */
	pvr_xs_write(w.xs, "/v", "1");
	SAME(event(w.dom0), "");
	pvr_xs_rm(w.xs, "/w/a/b");
	SAME(event(w.dom0), "/w/a/b|t");
	pvr_xs_rm(w.xs, "/w/a/b"); /* not there any more */
	SAME(event(w.dom0), "");
	mk(w.dom0, 0, "/w/c"); /* there already */
	SAME(event(w.dom0), "");
	world_end(&w);
}

/* Every watch of a path and of those above it is told, deep paths included. */
static void many_watches(void)
{
	static const char *const paths[] = {"/", "/a", "/a/b", "/a/b/c", "/a/b/c/d", "/x"};
	struct world w = world_make(NULL, NULL);
	char deep[512] = "/a/b/c", seen[6] = {0};

	for (int i = 0; i < 6; i++)
		watch(w.dom0, paths[i], (char[]){(char)('0' + i), 0});
	while (*event(w.dom0))
		;
	pvr_xs_write(w.xs, "/a/b/c", "");
	for (const char *e; *(e = event(w.dom0));)
		seen[e[strlen(e) - 1] - '0']++;
	CU_ASSERT(!memcmp(seen, "\1\1\1\1\0\0", 6));
	for (int i = 0; i < 100; i++)
		strcat(deep, "/d");
	pvr_xs_write(w.xs, deep, "");
	memset(seen, 0, sizeof(seen));
	for (const char *e; *(e = event(w.dom0));)
		seen[e[strlen(e) - 1] - '0']++;
	CU_ASSERT(!memcmp(seen, "\1\1\1\1\1\0", 6));
	world_end(&w);
}

/* The removal of something above is told by the path that is watched, if it was there. */
static void removed_above(void)
{
	struct world w = world_make(NULL, NULL);

	pvr_xs_write(w.xs, "/r/s/t", "");
	watch(w.dom0, "/r/s/t", "deep");
	watch(w.dom0, "/r/s/none", "none");
	watch(w.dom0, "/r", "top");
	while (*event(w.dom0))
		;
	pvr_xs_rm(w.xs, "/r/s");
	SAME(event(w.dom0), "/r/s|top");
	SAME(event(w.dom0), "/r/s/t|deep");
	SAME(event(w.dom0), "");
	world_end(&w);
}

static void relative_path(void)
{
	struct world w = world_make(NULL, NULL);

	SAME(watch(w.a, "data", "rel"), "OK");
	SAME(event(w.a), "data|rel");
	SAME(watch(w.a, "/local/domain/5/data", "abs"), "OK");
	SAME(event(w.a), "/local/domain/5/data|abs");
	wr(w.a, 0, "data/x", "");
	for (int i = 0; i < 2; i++) {
		const char *e = event(w.a);

		CU_ASSERT(!strcmp(e, "data/x|rel") || !strcmp(e, "/local/domain/5/data/x|abs"));
	}
	SAME(event(w.a), "");
	world_end(&w);
}

static void depth(void)
{
	struct world w = world_make(NULL, NULL);

	SAME(ASK(w.dom0, XS_WATCH, 0, "/d\0t\0001"), "OK");
	SAME(event(w.dom0), "/d|t");
	pvr_xs_write(w.xs, "/d/a/b", "");
	SAME(event(w.dom0), "");
	pvr_xs_write(w.xs, "/d/a", "");
	SAME(event(w.dom0), "/d/a|t");
	pvr_xs_write(w.xs, "/d", "");
	SAME(event(w.dom0), "/d|t");
	world_end(&w);
}

static void unwatch_and_reset(void)
{
	struct world w = world_make(NULL, NULL);
	struct pvr_xs_usage usage;

	watch(w.a, "data", "1");
	watch(w.a, "data", "2");
	SAME(ASK(w.a, XS_UNWATCH, 0, "data\0x"), "ENOENT");
	SAME(ASK(w.a, XS_UNWATCH, 0, "none\0001"), "ENOENT");
	SAME(ASK(w.a, XS_UNWATCH, 0, "data"), "EINVAL");
	SAME(ASK(w.a, XS_UNWATCH, 0, "data\0001"), "OK");
	while (*event(w.a))
		;
	wr(w.a, 0, "data", "");
	SAME(event(w.a), "data|2");
	SAME(event(w.a), "");
	CU_ASSERT(begin(w.a) != 0);
	SAME(ASK(w.a, XS_RESET_WATCHES, 0, ""), "OK");
	wr(w.a, 0, "data", "");
	SAME(event(w.a), "");
	pvr_xs_usage(w.xs, 5, &usage);
	CU_ASSERT(usage.watches == 0 && usage.transactions == 0);
	world_end(&w);
}

static void special(void)
{
	struct world w = world_make(NULL, NULL);

	watch(w.dom0, "@introduceDomain", "i");
	watch(w.dom0, "@releaseDomain", "r");
	while (*event(w.dom0))
		;
	pvr_xs_introduce(w.xs, 7);
	SAME(event(w.dom0), "@introduceDomain|i");
	SAME(event(w.dom0), "");
	pvr_xs_shutdown(w.xs, 7);
	SAME(event(w.dom0), "@releaseDomain|r");
	pvr_xs_shutdown(w.xs, 7);
	SAME(event(w.dom0), "");
	pvr_xs_resume(w.xs, 7);
	pvr_xs_shutdown(w.xs, 7);
	SAME(event(w.dom0), "@releaseDomain|r");
	pvr_xs_release(w.xs, 7);
	SAME(event(w.dom0), "@releaseDomain|r");
	SAME(event(w.dom0), "");
	SAME(rd(w.dom0, 0, "@releaseDomain"), "EINVAL");
	SAME(wr(w.dom0, 0, "@releaseDomain", ""), "EINVAL");
	world_end(&w);
}

/* A guest may be given the special events by the permissions of the special path. */
static void special_permissions(void)
{
	struct world w = world_make(NULL, NULL);

	SAME(getperms(w.dom0, 0, "@releaseDomain"), "n0");
	SAME(getperms(w.a, 0, "@releaseDomain"), "EACCES");
	SAME(setperms(w.a, 0, "@releaseDomain", "n5"), "EACCES");
	SAME(setperms(w.dom0, 0, "@releaseDomain", "n0,r5"), "OK");
	SAME(getperms(w.a, 0, "@releaseDomain"), "n0,r5");
	watch(w.a, "@releaseDomain", "r");
	watch(w.b, "@releaseDomain", "r");
	event(w.a);
	event(w.b);
	pvr_xs_introduce(w.xs, 7);
	pvr_xs_release(w.xs, 7);
	SAME(event(w.a), "@releaseDomain|r");
	SAME(event(w.b), "");
	world_end(&w);
}

/* Whoever loses the right to read is told that, and nothing after it. */
static void permissions_change(void)
{
	struct world w = world_make(NULL, NULL);

	wr(w.a, 0, "x", "");
	setperms(w.a, 0, "x", "n5,r6");
	watch(w.b, "/local/domain/5/x", "t");
	event(w.b);
	wr(w.a, 0, "x", "1");
	SAME(event(w.b), "/local/domain/5/x|t");
	setperms(w.a, 0, "x", "n5");
	SAME(event(w.b), "/local/domain/5/x|t");
	wr(w.a, 0, "x", "2");
	SAME(event(w.b), "");
	setperms(w.a, 0, "x", "n5,r6");
	SAME(event(w.b), "/local/domain/5/x|t");
	SAME(event(w.b), "");
	world_end(&w);
}

static void in_transactions(void)
{
	struct world w = world_make(NULL, NULL);
	uint32_t tx;

	pvr_xs_write(w.xs, "/t/old/leaf", "");
	watch(w.dom0, "/t", "t");
	watch(w.dom0, "/t/old/leaf", "leaf");
	while (*event(w.dom0))
		;
	tx = begin(w.dom0);
	wr(w.dom0, tx, "/t/a", "1");
	wr(w.dom0, tx, "/t/a", "2");
	rm(w.dom0, tx, "/t/old");
	SAME(event(w.dom0), "");
	SAME(commit(w.dom0, tx), "OK");
	SAME(event(w.dom0), "/t/a|t");
	SAME(event(w.dom0), "/t/old|t");
	SAME(event(w.dom0), "/t/old/leaf|leaf");
	SAME(event(w.dom0), "");
	tx = begin(w.dom0);
	wr(w.dom0, tx, "/t/a", "3");
	SAME(rollback(w.dom0, tx), "OK");
	SAME(event(w.dom0), "");
	world_end(&w);
}

PVR_SUITE(xenstored_watch, CASE(initial_event), CASE(changes_below), CASE(many_watches),
	CASE(removed_above), CASE(relative_path), CASE(depth), CASE(unwatch_and_reset),
	CASE(special), CASE(special_permissions), CASE(permissions_change), CASE(in_transactions))
