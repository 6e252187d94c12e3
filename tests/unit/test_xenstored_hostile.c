/* SPDX-License-Identifier: MIT */
/*
 * Hostile clients. The cases are named after the Xen security advisories about the bugs they would
 * have found.
 */
#include "suite.h"
#include "test_xenstored.h"

#include <errno.h>
#include <stdlib.h>

#define LIMIT PVR_XS_QUOTA_MEMORY

static void xsa_72_payload_length(void)
{
	static const uint32_t lengths[] = {4097, 65536, 0x7fffffff, 0x80000000, UINT32_MAX};
	struct world w = world_make(NULL, NULL);
	char payload[XENSTORE_PAYLOAD_MAX];

	memset(payload, 'x', sizeof(payload));
	memcpy(payload, "/max", 5);
	SAME(ask(w.dom0, XS_WRITE, 0, payload, 4096), "OK");
	rd(w.dom0, 0, "/max");
	CU_ASSERT_EQUAL(w.dom0->len, 4096 - 5);
	for (int i = 0; i < 5; i++) {
		struct xsd_sockmsg hdr = {XS_WRITE, 1, 0, lengths[i]};
		struct client *c = client_open(w.xs, 5, 0);

		CU_ASSERT_EQUAL(pvr_xs_conn_feed(c->conn, &hdr, sizeof(hdr)), -EPROTO);
		CU_ASSERT_EQUAL(pvr_xs_conn_feed(c->conn, payload, 1), -EPROTO);
		CU_ASSERT_EQUAL(pvr_xs_conn_wants(c->conn), 0);
		CU_ASSERT_EQUAL(drain(c), 0);
		client_close(c);
	}
	world_end(&w);
}

static void xsa_115_no_events_about_others(void)
{
	struct world w = world_make(NULL, NULL);

	SAME(watch(w.a, "/", "root"), "OK");
	SAME(watch(w.a, "@introduceDomain", "in"), "OK");
	SAME(watch(w.a, "@releaseDomain", "out"), "OK");
	SAME(watch(w.a, "/local/domain/6/secret", "six"), "OK");
	while (*event(w.a))
		;
	wr(w.b, 0, "secret", "1");
	pvr_xs_write(w.xs, "/vm/1", "");
	pvr_xs_introduce(w.xs, 8);
	pvr_xs_release(w.xs, 8);
	rm(w.b, 0, "secret");
	SAME(event(w.a), "");
	wr(w.a, 0, "x", "");
	SAME(event(w.a), "/local/domain/5/x|root");
	world_end(&w);
}

static uint64_t now;

static uint64_t clock_ms(void *opaque)
{
	(void)opaque;
	return now;
}

/* A guest that changes what dom0's transaction reads, every time, as fast as it can. */
static void xsa_206_conflict_loop(void)
{
	static const struct pvr_xs_ops ops = {.now_ms = clock_ms};
	struct world w = world_make(&ops, NULL);
	int failures = 0;

	now = 1000;
	CU_ASSERT_EQUAL(pvr_xs_timeout(w.xs), -1);
	for (; failures < 100; failures++) {
		uint32_t tx = begin(w.dom0), mine;

		rd(w.dom0, tx, "/local/domain/5/state");
		if (pvr_xs_conn_wants(w.a->conn)) {
			mine = begin(w.a);
			wr(w.a, mine, "state", "x");
			SAME(commit(w.a, mine), "OK");
		}
		SAME(wr(w.b, 0, "x", "others are served"), "OK");
		if (!strcmp(commit(w.dom0, tx), "OK"))
			break;
	}
	CU_ASSERT_EQUAL(failures, PVR_XS_CONFLICT_BURST + 1);
	CU_ASSERT_EQUAL(send_only(w.a, XS_READ, 0, "x", 2), 0);
	CU_ASSERT_EQUAL(pvr_xs_timeout(w.xs), PVR_XS_CONFLICT_MS);
	w.a->ready = 0;
	pvr_xs_run(w.xs);
	CU_ASSERT_EQUAL(w.a->ready, 0);
	now += PVR_XS_CONFLICT_MS;
	pvr_xs_run(w.xs);
	CU_ASSERT_EQUAL(w.a->ready, 1);
	CU_ASSERT_EQUAL(pvr_xs_timeout(w.xs), -1);
	SAME(rd(w.a, 0, "state"), "x");
	world_end(&w);
}

static void xsa_272_quota_at_create_write_mkdir(void)
{
	struct world w = world_make(NULL, NULL);
	struct pvr_xs_usage usage;
	char path[32], big[2100];
	int n = 0;

	for (; n < 1100; n++) {
		sprintf(path, "d%d/n%d", n / 30, n % 30);
		if (strcmp(n & 1 ? wr(w.a, 0, path, "") : mk(w.a, 0, path), "OK"))
			break;
	}
	SAME(w.a->reply, "ENOSPC");
	SAME(mk(w.a, 0, "more"), "ENOSPC");
	SAME(wr(w.a, 0, "more/and/more", ""), "ENOSPC");
	pvr_xs_usage(w.xs, 5, &usage);
	CU_ASSERT_EQUAL(usage.nodes, PVR_XS_QUOTA_NODES);
	/* Dom0 gives a node away and the count says so. */
	CU_ASSERT_EQUAL(pvr_xs_mkdir_perms(w.xs, "/given", "n5"), 0);
	pvr_xs_usage(w.xs, 5, &usage);
	CU_ASSERT_EQUAL(usage.nodes, PVR_XS_QUOTA_NODES + 1);
	SAME(mk(w.b, 0, "x"), "OK");
	memset(big, 'b', sizeof(big));
	big[2048 - 24 - 8] = '\0';
	SAME(wr(w.b, 0, "big", big), "OK");
	strcat(big, "b");
	SAME(wr(w.b, 0, "big", big), "ENOSPC");
	SAME(wr(w.b, 0, "bigger", big), "ENOSPC");
	world_end(&w);
}

static void xsa_322_417_recycled_domid(void)
{
	struct world w = world_make(NULL, NULL);
	struct client *later;
	uint32_t tx;

	wr(w.a, 0, "private", "old");
	pvr_xs_mkdir_perms(w.xs, "/shared", "n0,b5");
	wr(w.a, 0, "/shared/left", "old");
	wr(w.b, 0, "for5", "secret");
	setperms(w.b, 0, "for5", "n6,r5");
	setperms(w.dom0, 0, "@releaseDomain", "n0,r5");
	watch(w.a, "private", "t");
	tx = begin(w.dom0); /* about to grant something to the dead domain */
	setperms(w.dom0, tx, "/tool", "n0,b5");
	CU_ASSERT_EQUAL(pvr_xs_release(w.xs, 5), 0);
	CU_ASSERT_EQUAL(send_only(w.a, XS_READ, 0, "x", 2), 0);
	SAME(commit(w.dom0, tx), "EAGAIN");
	client_close(w.a);
	CU_ASSERT_EQUAL(pvr_xs_check(w.xs, stderr), 0);

	CU_ASSERT_EQUAL(pvr_xs_introduce(w.xs, 5), 0);
	later = w.a = client_open(w.xs, 5, 0);
	SAME(rd(later, 0, "private"), "EACCES");
	SAME(rd(later, 0, "/shared"), "EACCES");
	SAME(rd(later, 0, "/shared/left"), "EACCES");
	SAME(getperms(w.dom0, 0, "/shared/left"), "n0");
	SAME(rd(later, 0, "/local/domain/6/for5"), "EACCES");
	SAME(getperms(w.dom0, 0, "@releaseDomain"), "n0");
	SAME(ls(w.dom0, 0, "/local/domain"), "6");
	world_end(&w);
}

static void path_of(char *path, size_t len, const char *start)
{
	size_t at = strlen(start);

	memcpy(path, start, at);
	while (at < len) {
		path[at] = at % 200 == 0 && at + 1 < len ? '/' : 'p';
		at++;
	}
	path[len] = '\0';
}

static void xsa_323_path_lengths(void)
{
	struct world w = world_make(NULL, NULL);
	char path[XENSTORE_PAYLOAD_MAX];

	path_of(path, 3072, "/");
	SAME(wr(w.dom0, 0, path, "v"), "OK");
	SAME(watch(w.dom0, path, "t"), "OK");
	path_of(path, 3073, "/");
	SAME(wr(w.dom0, 0, path, "v"), "EINVAL");
	SAME(watch(w.dom0, path, "t"), "EINVAL");
	path_of(path, 2048, "r");
	SAME(wr(w.a, 0, path, "v"), "OK");
	path_of(path, 2049, "r");
	SAME(wr(w.a, 0, path, "v"), "EINVAL");
	SAME(rd(w.a, 0, "/local/domain/"), "EINVAL");
	SAME(wr(w.a, 0, "/local/domain/99999999999/x", ""), "EACCES");
	world_end(&w);
}

/* An event that does not fit into a payload is told as one of the watched path. */
static void xsa_324_event_length(void)
{
	struct world w = world_make(NULL, NULL);
	char token[3000], path[2000];

	memset(token, 't', sizeof(token) - 1);
	token[sizeof(token) - 1] = '\0';
	path_of(path, sizeof(path) - 1, "/w/");
	SAME(watch(w.dom0, "/w", token), "OK");
	CU_ASSERT(!strncmp(event(w.dom0), "/w|ttt", 6));
	pvr_xs_write(w.xs, path, "");
	CU_ASSERT(!strncmp(event(w.dom0), "", 1));
	rd(w.dom0, 0, "/w");
	CU_ASSERT(!strncmp(event(w.dom0), "/w|ttt", 6));
	SAME(event(w.dom0), "");
	world_end(&w);
}

/* 1536 levels, made, listed, committed, removed: nothing recurses. */
static void xsa_418_depth_bomb(void)
{
	struct world w = world_make(NULL, NULL);
	char path[3073];
	uint32_t tx;

	for (size_t i = 0; i < 3072; i += 2)
		memcpy(path + i, "/d", 3);
	SAME(wr(w.dom0, 0, path, "bottom"), "OK");
	tx = begin(w.dom0);
	SAME(wr(w.dom0, tx, path, "changed"), "OK");
	pvr_xs_write(w.xs, "/else", "");
	SAME(commit(w.dom0, tx), "OK");
	SAME(rd(w.dom0, 0, path), "changed");
	CU_ASSERT_EQUAL(pvr_xs_check(w.xs, stderr), 0);
	SAME(rm(w.dom0, 0, "/d"), "OK");
	SAME(rd(w.dom0, 0, path), "ENOENT");
	for (size_t i = 0; i < 2048; i += 2)
		memcpy(path + i, "d/", 3);
	path[2047] = '\0';
	SAME(wr(w.a, 0, path, ""), "ENOSPC"); /* over the node quota, and nothing stays */
	SAME(ls(w.a, 0, "/local/domain/5"), "");
	world_end(&w);
}

static void xsa_420_transaction_ids(void)
{
	static const uint32_t ids[] = {1, 0x7fffffff, 0x80000000, UINT32_MAX};
	struct world w = world_make(NULL, NULL);

	for (int i = 0; i < 4; i++) {
		SAME(rd(w.a, ids[i], "x"), "ENOENT");
		SAME(commit(w.a, ids[i]), "ENOENT");
	}
	world_end(&w);
}

/* Killed, or all reset, in the middle of a transaction, the reset by a request of the transaction
 * itself. */
static void xsa_325_reset_in_transaction(void)
{
	struct world w = world_make(NULL, NULL);
	struct client *c = client_open(w.xs, 6, 0);
	struct pvr_xs_usage usage;
	uint32_t tx = begin(w.a);

	wr(w.a, tx, "x", "1");
	SAME(ASK(w.a, XS_RESET_WATCHES, tx, ""), "OK");
	SAME(wr(w.a, tx, "y", "1"), "ENOENT");
	SAME(rd(w.a, 0, "x"), "ENOENT");
	tx = begin(c);
	wr(c, tx, "x", "1");
	watch(c, "x", "t");
	CU_ASSERT(send_only(c, XS_WRITE, tx, "y", 2) > 0); /* a reply left, too */
	client_close(c);
	pvr_xs_usage(w.xs, 6, &usage);
	CU_ASSERT(usage.transactions == 0 && usage.watches == 0);
	SAME(rd(w.b, 0, "x"), "ENOENT");
	world_end(&w);
}

/* Sends and never reads. */
static void xsa_326_unread_replies(void)
{
	struct world w = world_make(NULL, NULL);
	struct pvr_xs_usage usage;
	unsigned sent = 0;

	while (sent < 1000 && send_only(w.a, XS_READ, 0, "x", 2) > 0)
		sent++;
	CU_ASSERT_EQUAL(sent, PVR_XS_QUOTA_OUTSTANDING);
	CU_ASSERT_EQUAL(pvr_xs_conn_wants(w.a->conn), 0);
	SAME(rd(w.b, 0, "/local/domain/6"), "");
	w.a->ready = 0;
	CU_ASSERT_EQUAL(drain(w.a), PVR_XS_QUOTA_OUTSTANDING);
	CU_ASSERT_EQUAL(w.a->ready, 1);
	SAME(rd(w.a, 0, "x"), "ENOENT");
	pvr_xs_usage(w.xs, 5, &usage);
	CU_ASSERT(usage.memory < 4096);
	world_end(&w);
}

/*
 * Watches everything, never reads, while it and others write. Nothing it may know is lost for good.
 */
static void xsa_326_unread_events(void)
{
	struct world w = world_make(NULL, NULL);
	struct client *writer = client_open(w.xs, 5, 0);
	struct pvr_xs_usage usage;
	char path[64];
	int again = 0;

	SAME(watch(w.a, "", "t"), "EINVAL");
	SAME(watch(w.a, "/local/domain/5", "t"), "OK");
	for (int i = 0; i < 3000; i++) {
		/* The removals keep it under the node quota, every path is another event. */
		sprintf(path, "n%d", i);
		SAME(wr(writer, 0, path, ""), "OK");
		SAME(rm(writer, 0, path), "OK");
	}
	pvr_xs_usage(w.xs, 5, &usage);
	CU_ASSERT(usage.memory < LIMIT);
	for (int i = 0; i < 3; i++) {
		const void *bytes;
		size_t n;

		while ((n = pvr_xs_conn_output(w.a->conn, &bytes))) {
			const char *payload = (const char *)bytes + sizeof(struct xsd_sockmsg);

			again += !memcmp(payload, "/local/domain/5\0t", 18);
			pvr_xs_conn_consume(w.a->conn, n);
		}
	}
	CU_ASSERT_EQUAL(
		again, 1); /* after the events it had room for; the initial one went with watch() */
	client_close(writer);
	world_end(&w);
}

static void xsa_349_one_path_flood(void)
{
	struct world w = world_make(NULL, NULL);
	struct pvr_xs_usage before, after;

	SAME(watch(w.a, "state", "t"), "OK");
	event(w.a);
	wr(w.a, 0, "state", "0");
	event(w.a);
	pvr_xs_usage(w.xs, 5, &before);
	for (int i = 0; i < 100000; i++)
		CU_ASSERT_EQUAL_FATAL(pvr_xs_write(w.xs, "/local/domain/5/state", "1"), 0);
	pvr_xs_usage(w.xs, 5, &after);
	CU_ASSERT(after.memory < before.memory + 512);
	SAME(event(w.a), "state|t");
	SAME(event(w.a), "");
	world_end(&w);
}

static void xsa_421_transaction_nodes(void)
{
	struct world w = world_make(NULL, NULL);
	struct pvr_xs_usage usage;
	char path[32];
	uint32_t tx, open[PVR_XS_QUOTA_TRANSACTIONS + 1];
	int n = 0;

	for (size_t i = 0; i <= PVR_XS_QUOTA_TRANSACTIONS; i++)
		open[i] = begin(w.a);
	CU_ASSERT_EQUAL(open[PVR_XS_QUOTA_TRANSACTIONS], 0);
	SAME(w.a->reply, "ENOSPC");
	tx = open[0];
	for (; n < 2000; n++) {
		sprintf(path, "none%d", n);
		if (!strcmp(rd(w.a, tx, path), "ENOSPC"))
			break;
	}
	CU_ASSERT_EQUAL(n, PVR_XS_QUOTA_TRANSACTION_NODES - 1); /* and the home itself */
	pvr_xs_usage(w.xs, 5, &usage);
	CU_ASSERT(usage.memory < LIMIT);
	world_end(&w);
}

static void watch_quota(void)
{
	struct world w = world_make(NULL, NULL);
	struct pvr_xs_usage usage;
	char token[16];
	unsigned n = 0;

	for (; n < 1000; n++) {
		sprintf(token, "%u", n);
		if (strcmp(watch(w.a, "x", token), "OK"))
			break;
		event(w.a);
	}
	SAME(w.a->reply, "E2BIG");
	CU_ASSERT_EQUAL(n, PVR_XS_QUOTA_WATCHES);
	pvr_xs_usage(w.xs, 5, &usage);
	CU_ASSERT_EQUAL(usage.watches, PVR_XS_QUOTA_WATCHES);
	world_end(&w);
}

/* Old snapshots of others' nodes have a bound for all together, and who hoards them pays. */
static void xsa_512_snapshots(void)
{
	struct world w = world_make(NULL, NULL);
	char path[64], value[2001];
	uint32_t hoard[9], honest;

	memset(value, 'v', 2000);
	value[2000] = '\0';
	for (int i = 0; i < 9; i++) {
		for (int n = 0; n < 900; n++) {
			sprintf(path, "d%d/n%d", n / 30, n % 30);
			SAME(wr(w.a, 0, path, value), "OK");
		}
		hoard[i] = begin(w.a);
		CU_ASSERT(hoard[i] != 0);
		if (i == 7)
			honest = begin(w.b);
	}
	for (int n = 0; n < 900; n++) {
		sprintf(path, "d%d/n%d", n / 30, n % 30);
		SAME(wr(w.a, 0, path, value), "OK");
	}
	SAME(rd(w.a, hoard[0], "d0"), "EAGAIN");
	SAME(commit(w.a, hoard[0]), "EAGAIN");
	SAME(wr(w.b, honest, "x", "1"), "OK");
	SAME(commit(w.b, honest), "OK");
	world_end(&w);
}

/* Two guests with rights in each other's trees, at random, in and out of transactions; then the
 * walk. */
static void xsa_415_419_fsck_after_random(void)
{
	static const struct pvr_xs_ops ops = {.now_ms = clock_ms};
	struct world w = world_make(&ops, NULL);
	struct client *clients[3] = {w.dom0, w.a, w.b};
	uint32_t tx[3] = {0};

	srandom(415);
	pvr_xs_mkdir_perms(w.xs, "/common", "b0");
	for (int i = 0; i < 30000; i++) {
		int who = (int)(random() % 3);
		struct client *c = clients[who];
		uint32_t id = random() % 2 ? tx[who] : 0;
		char path[64], perms[16];

		now += PVR_XS_CONFLICT_MS; /* or they would be held up for their conflicts */
		sprintf(path, "/common/%ld/%ld%s%ld", random() % 3, random() % 4,
			random() % 2 ? "/" : "", random() % 3);
		sprintf(perms, "%c%ld,%c%ld", "nrwb"[random() % 4], 5 + random() % 2,
			"nrwb"[random() % 4], random() % 8);
		switch (random() % 9) {
		case 0:
		case 1:
		case 2:
			wr(c, id, path, "some value" + random() % 10);
			break;
		case 3:
			rm(c, id, path);
			break;
		case 4:
			setperms(c, id, path, perms);
			break;
		case 5:
			ls(c, id, path);
			break;
		case 6:
			mk(c, id, path);
			break;
		case 7:
			tx[who] = tx[who] ? tx[who] : begin(c);
			break;
		default:
			if (tx[who])
				ASK(c, XS_TRANSACTION_END, tx[who], "T");
			tx[who] = 0;
		}
		if (i % 50 == 0)
			CU_ASSERT_EQUAL_FATAL(pvr_xs_check(w.xs, stderr), 0);
		if (i % 3000 == 2999)
			rm(w.dom0, 0, "/common/1");
	}
	world_end(&w);
}

PVR_SUITE(xenstored_hostile, CASE(xsa_72_payload_length), CASE(xsa_115_no_events_about_others),
	CASE(xsa_206_conflict_loop), CASE(xsa_272_quota_at_create_write_mkdir),
	CASE(xsa_322_417_recycled_domid), CASE(xsa_323_path_lengths), CASE(xsa_324_event_length),
	CASE(xsa_325_reset_in_transaction), CASE(xsa_326_unread_replies),
	CASE(xsa_326_unread_events), CASE(xsa_349_one_path_flood), CASE(xsa_418_depth_bomb),
	CASE(xsa_420_transaction_ids), CASE(xsa_421_transaction_nodes), CASE(xsa_512_snapshots),
	CASE(xsa_415_419_fsck_after_random), CASE(watch_quota))
