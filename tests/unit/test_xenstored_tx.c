/* SPDX-License-Identifier: MIT */
/*
 * Transactions: isolation, commit and abort, and what is a conflict.
 */
#include "suite.h"
#include "test_xenstored.h"

static void isolation(void)
{
	struct world w = world_make(NULL, NULL);
	uint32_t tx;

	pvr_xs_write(w.xs, "/t/x", "old");
	tx = begin(w.dom0);
	CU_ASSERT(tx != 0);
	pvr_xs_write(w.xs, "/t/x", "new");
	pvr_xs_write(w.xs, "/t/y", "new");
	pvr_xs_rm(w.xs, "/tool");
	SAME(rd(w.dom0, tx, "/t/x"), "old");
	SAME(ls(w.dom0, tx, "/t"), "x");
	SAME(ls(w.dom0, tx, "/tool"), "xenstored");
	SAME(wr(w.dom0, tx, "/t/z", "mine"), "OK");
	SAME(rd(w.dom0, tx, "/t/z"), "mine");
	SAME(rd(w.dom0, 0, "/t/z"), "ENOENT");
	SAME(ls(w.dom0, 0, "/t"), "x y");
	SAME(rollback(w.dom0, tx), "OK");
	SAME(rd(w.dom0, 0, "/t/z"), "ENOENT");
	SAME(rd(w.dom0, tx, "/t/x"), "ENOENT"); /* that transaction is over */
	world_end(&w);
}

static void commits(void)
{
	struct world w = world_make(NULL, NULL);
	uint32_t tx = begin(w.dom0), other = begin(w.dom0);

	CU_ASSERT_NOT_EQUAL(tx, other);
	SAME(wr(w.dom0, tx, "/t/a/b", "1"), "OK");
	SAME(setperms(w.dom0, tx, "/t/a", "n5"), "OK");
	SAME(mk(w.dom0, tx, "/t/c"), "OK");
	SAME(rm(w.dom0, tx, "/tool"), "OK");
	SAME(commit(w.dom0, tx), "OK");
	SAME(rd(w.dom0, 0, "/t/a/b"), "1");
	SAME(getperms(w.dom0, 0, "/t/a"), "n5");
	SAME(ls(w.dom0, 0, "/"), "local t");
	SAME(wr(w.dom0, other, "/u", "1"), "OK"); /* has nothing to do with the first */
	SAME(commit(w.dom0, other), "OK");
	SAME(ls(w.dom0, 0, "/"), "local t u");
	SAME(commit(w.dom0, other), "ENOENT");
	world_end(&w);
}

/* What one commit after another, both ways of getting there, leaves behind. */
static void removed_and_made_again(void)
{
	struct world w = world_make(NULL, NULL);

	for (int meanwhile = 0; meanwhile < 2; meanwhile++) {
		uint32_t tx;

		pvr_xs_write(w.xs, "/t/a/b/c", "1");
		pvr_xs_write(w.xs, "/t/a-z", "1");
		tx = begin(w.dom0);
		wr(w.dom0, tx, "/t/a/b/new", "2");
		SAME(rm(w.dom0, tx, "/t/a"), "OK");
		SAME(rm(w.dom0, tx, "/t/a"), "OK");
		rm(w.dom0, tx, "/t/a-z"); /* by the bytes between /t/a and what is below it */
		wr(w.dom0, tx, "/t/a-z", "2");
		wr(w.dom0, tx, "/t/a/b/c", "2");
		wr(w.dom0, tx, "/t/a/d", "2");
		wr(w.dom0, tx, "/t/gone/x", "2");
		rm(w.dom0, tx, "/t/gone");
		if (meanwhile)
			pvr_xs_write(w.xs, "/elsewhere", "");
		SAME(commit(w.dom0, tx), "OK");
		SAME(ls(w.dom0, 0, "/t"), "a a-z");
		SAME(ls(w.dom0, 0, "/t/a"), "b d");
		SAME(ls(w.dom0, 0, "/t/a/b"), "c");
		SAME(rd(w.dom0, 0, "/t/a-z"), "2");
		CU_ASSERT_EQUAL(pvr_xs_check(w.xs, stderr), 0);
	}
	world_end(&w);
}

/* One line a case: what the transaction does, what happens meanwhile, what the commit says. */
static void conflicts(void)
{
	static const struct {
		uint32_t mine;
		const char *my_path;
		int remove;
		const char *their_path, *expected;
	} rows[] = {
		{XS_READ, "/t/a", 0, "/t/a", "EAGAIN"},
		{XS_READ, "/t/a", 0, "/t/a/below", "OK"},
		{XS_READ, "/t/a", 0, "/t/b", "OK"},
		{XS_READ, "/t/a", 1, "/t/a", "EAGAIN"},
		{XS_READ, "/t/a", 1, "/t", "EAGAIN"},
		{XS_READ, "/t/none", 0, "/t/none", "EAGAIN"},
		{XS_READ, "/t/none", 0, "/t/other", "OK"},
		{XS_DIRECTORY, "/t", 0, "/t/new", "EAGAIN"},
		{XS_DIRECTORY, "/t", 1, "/t/a", "EAGAIN"},
		{XS_DIRECTORY, "/t", 0, "/t/a", "OK"},
		{XS_DIRECTORY, "/t", 0, "/t/a/new", "OK"},
		{XS_WRITE, "/t/a", 0, "/t/a", "EAGAIN"},
		{XS_WRITE, "/t/a", 1, "/t/a", "EAGAIN"},
		{XS_WRITE, "/t/a", 1, "/t", "EAGAIN"},
		{XS_WRITE, "/t/a", 0, "/t/b", "OK"},
		{XS_WRITE, "/t/n1", 0, "/t/n2", "OK"},
		{XS_WRITE, "/t/n1", 0, "/t/n1", "EAGAIN"},
		{XS_RM, "/t/a", 0, "/t/a", "EAGAIN"},
		{XS_RM, "/t/a", 0, "/t/a/leaf", "EAGAIN"},
		{XS_RM, "/t/a", 0, "/t/b", "OK"},
		{XS_RM, "/t/none", 0, "/t/none", "EAGAIN"},
		{XS_MKDIR, "/t/n1", 0, "/t/n1", "EAGAIN"},
		{XS_GET_PERMS, "/t/a", 0, "/t/a", "EAGAIN"},
	};
	struct world w = world_make(NULL, NULL);

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		uint32_t tx;

		pvr_xs_rm(w.xs, "/t");
		pvr_xs_write(w.xs, "/t/a/leaf", "1");
		pvr_xs_write(w.xs, "/t/b", "1");
		tx = begin(w.dom0);
		ask(w.dom0, rows[i].mine, tx, rows[i].my_path,
			(uint32_t)strlen(rows[i].my_path) + 1);
		if (rows[i].remove)
			pvr_xs_rm(w.xs, rows[i].their_path);
		else
			pvr_xs_write(w.xs, rows[i].their_path, "2");
		if (strcmp(commit(w.dom0, tx), rows[i].expected))
			fprintf(stderr, "conflicts: row %zu\n", i);
		SAME(w.dom0->reply, rows[i].expected);
	}
	world_end(&w);
}

static void two_writers(void)
{
	struct world w = world_make(NULL, NULL);
	uint32_t one, two;

	wr(w.a, 0, "n", "0");
	one = begin(w.a);
	two = begin(w.a);
	rd(w.a, one, "n");
	rd(w.a, two, "n");
	wr(w.a, one, "n", "1");
	wr(w.a, two, "n", "2");
	SAME(commit(w.a, one), "OK");
	SAME(commit(w.a, two), "EAGAIN");
	SAME(rd(w.a, 0, "n"), "1");
	world_end(&w);
}

static void wrong_use(void)
{
	struct world w = world_make(NULL, NULL);
	uint32_t tx = begin(w.a);

	SAME(ASK(w.a, XS_TRANSACTION_START, tx, ""), "EBUSY");
	SAME(ASK(w.a, XS_TRANSACTION_END, tx, "X"), "EINVAL");
	SAME(ASK(w.a, XS_TRANSACTION_END, 0, "T"), "ENOENT");
	SAME(rd(w.b, tx + 1, "x"), "ENOENT");
	SAME(commit(w.dom0, tx), "ENOENT"); /* somebody else's */
	SAME(commit(w.a, tx), "OK");
	/* Requests that have nothing to do with transactions ignore the number. */
	SAME(ASK(w.a, XS_WATCH, 77, "x\0t"), "OK");
	SAME(ASK(w.a, XS_GET_DOMAIN_PATH, 77, "5"), "/local/domain/5");
	world_end(&w);
}

/* Failed requests leave the transaction and the store as they were. */
static void failure_inside(void)
{
	struct world w = world_make(NULL, NULL);
	uint32_t tx = begin(w.a);

	SAME(wr(w.a, tx, "ok", "1"), "OK");
	SAME(wr(w.a, tx, "/local/domain/6/x", "1"), "EACCES");
	SAME(setperms(w.a, tx, "ok", "n6"), "EPERM");
	SAME(rm(w.a, tx, "a/b"), "ENOENT");
	SAME(commit(w.a, tx), "OK");
	SAME(rd(w.a, 0, "ok"), "1");
	world_end(&w);
}

/* Makes up to count nodes, thirty a directory; returns how many it got. */
static int fill(struct client *client, uint32_t tx, const char *prefix, int count)
{
	char path[32];

	for (int made = 0; made < count; made++) {
		sprintf(path, "%s%d/n%d", prefix, made / 30, made % 30);
		if (strcmp(wr(client, tx, path, ""), "OK"))
			return made;
	}
	return count;
}

static void quotas_inside(void)
{
	struct world w = world_make(NULL, NULL);
	struct pvr_xs_usage usage;
	uint32_t tx = begin(w.a), one, two;

	/* The domain's home, 33 directories, 966 nodes. */
	CU_ASSERT_EQUAL(fill(w.a, tx, "d", 1100), 966);
	SAME(w.a->reply, "ENOSPC");
	SAME(commit(w.a, tx), "OK");
	pvr_xs_usage(w.xs, 5, &usage);
	CU_ASSERT_EQUAL(usage.nodes, PVR_XS_QUOTA_NODES);
	CU_ASSERT_EQUAL(pvr_xs_check(w.xs, stderr), 0);

	/* Two transactions that fit one by one but not both. */
	SAME(rm(w.a, 0, "d0"), "OK");
	one = begin(w.a);
	two = begin(w.a);
	CU_ASSERT_EQUAL(fill(w.a, one, "x", 20), 20);
	CU_ASSERT_EQUAL(fill(w.a, two, "y", 20), 20);
	SAME(commit(w.a, one), "OK");
	SAME(commit(w.a, two), "ENOSPC");
	SAME(rd(w.a, 0, "y0"), "ENOENT");

	/* What a transaction takes away makes room in it. */
	tx = begin(w.a);
	SAME(rm(w.a, tx, "d1"), "OK");
	CU_ASSERT_EQUAL(fill(w.a, tx, "z", 30), 30);
	SAME(commit(w.a, tx), "OK");
	world_end(&w);
}

PVR_SUITE(xenstored_tx, CASE(isolation), CASE(commits), CASE(removed_and_made_again),
	CASE(conflicts), CASE(two_writers), CASE(wrong_use), CASE(failure_inside),
	CASE(quotas_inside))
