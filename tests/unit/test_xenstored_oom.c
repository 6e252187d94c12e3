/* SPDX-License-Identifier: MIT */
/*
 * Every allocation of every request fails once: the client gets ENOMEM or loses its connection, and
 * the store is as it was.
 */
#include "suite.h"
#include "test_xenstored.h"

#include "../../hypervisor/store/store.h"

static const struct {
	uint32_t type;
	int in_tx;
	const char *payload;
	uint32_t len;
} requests[] = {
#define REQUEST(type, in_tx, literal)                                                              \
	{                                                                                          \
		type, in_tx, literal, sizeof(literal)                                              \
	}
	REQUEST(XS_WRITE, 0, "/t/a\0a longer value"),
	REQUEST(XS_WRITE, 0, "/t/new/and/deep\0value"),
	REQUEST(XS_MKDIR, 0, "/t/m/n"),
	REQUEST(XS_RM, 0, "/t/a"),
	REQUEST(XS_SET_PERMS, 0, "/t/a\0n7\0r6"),
	REQUEST(XS_SET_PERMS, 0, "@releaseDomain\0n0\0r6"),
	REQUEST(XS_WATCH, 0, "/t/w\0token"),
	REQUEST(XS_READ, 0, "/t/a"),
	REQUEST(XS_DIRECTORY, 0, "/t"),
	REQUEST(XS_TRANSACTION_START, 0, ""),
	REQUEST(XS_READ, 1, "/t/a/b"),
	REQUEST(XS_WRITE, 1, "/t/a\0another value"),
	REQUEST(XS_WRITE, 1, "/t/y/z\0value"),
	REQUEST(XS_RM, 1, "/t/a"),
	REQUEST(XS_SET_PERMS, 1, "/t/a\0n7\0r6"),
};

/*
 * A transaction that wrote, and others that changed the tree since, so that everything is shared.
 */
static uint32_t prepare(struct world *w)
{
	uint32_t tx;

	pvr_xs_write(w->xs, "/t/a/b", "value");
	pvr_xs_write(w->xs, "/t/c", "value");
	tx = begin(w->dom0);
	wr(w->dom0, tx, "/t/mine/x", "1");
	rm(w->dom0, tx, "/t/c");
	begin(w->dom0);
	pvr_xs_write(w->xs, "/t/d", "value");
	begin(w->dom0);
	return tx;
}

/* Runs one request with the n-th allocation failing; returns whether it came to that. */
static int fails(struct world *w, size_t i, unsigned n, uint32_t tx)
{
	ssize_t taken;
	int failed;

	w->dom0->type = XS_INVALID;
	xs_alloc_countdown = n;
	taken = send_only(w->dom0, requests[i].type, requests[i].in_tx ? tx : 0,
		requests[i].payload, requests[i].len);
	failed = xs_alloc_countdown == 0;
	xs_alloc_countdown = 0;
	if (taken > 0)
		drain(w->dom0);
	if (failed && taken < 0)
		CU_ASSERT_EQUAL(taken, -ENOMEM);
	if (failed && taken > 0 && w->dom0->type == XS_ERROR)
		SAME(w->dom0->reply, "ENOMEM");
	return failed;
}

static void requests_fail(void)
{
	for (size_t i = 0; i < sizeof(requests) / sizeof(*requests); i++) {
		unsigned n = 0;

		for (int more = 1; more && n < 200;) {
			struct world w = world_make(NULL, NULL);
			uint32_t tx = prepare(&w);

			more = fails(&w, i, ++n, tx);
			world_end(&w);
		}
		CU_ASSERT(n > 1 && n < 200);
	}
}

static void commit_fails(void)
{
	unsigned n = 0;

	for (int more = 1; more && n < 200;) {
		struct world w = world_make(NULL, NULL);
		uint32_t tx = prepare(&w);
		const char *answer;

		xs_alloc_countdown = ++n;
		send_only(w.dom0, XS_TRANSACTION_END, tx, "T", 2);
		more = xs_alloc_countdown == 0;
		xs_alloc_countdown = 0;
		drain(w.dom0);
		answer = w.dom0->reply;
		/* All or nothing, whatever the client was told. */
		CU_ASSERT(pvr_xs_conn_feed(w.dom0->conn, "", 0) == -ENOMEM || !more ||
			  !strcmp(answer, "ENOMEM"));
		CU_ASSERT_EQUAL(pvr_xs_read(w.xs, "/t/mine/x", (char[8]){0}, 8) == 1,
			pvr_xs_read(w.xs, "/t/c", (char[8]){0}, 8) == -ENOENT);
		world_end(&w);
	}
	CU_ASSERT(n > 5 && n < 200);
}

/* The end of a domain must not fail: without memory the transactions give up their snapshots. */
static void release_does_not_fail(void)
{
	unsigned n = 0;

	for (int more = 1; more && n < 200;) {
		struct world w = world_make(NULL, NULL);

		setperms(w.dom0, 0, "/tool", "n0,b5");
		wr(w.a, 0, "x", "");
		prepare(&w);
		xs_alloc_countdown = ++n;
		CU_ASSERT_EQUAL(pvr_xs_release(w.xs, 5), 0);
		more = xs_alloc_countdown == 0;
		xs_alloc_countdown = 0;
		SAME(getperms(w.dom0, 0, "/tool"), "n0");
		SAME(ls(w.dom0, 0, "/local/domain"), "6");
		world_end(&w);
	}
	CU_ASSERT(n > 2 && n < 200);
}

/* An event that finds no memory is made up for. */
static void event_fails(void)
{
	struct world w = world_make(NULL, NULL);
	int told = 0;

	watch(w.dom0, "/t", "t");
	event(w.dom0);
	for (int n = 1; n < 12; n++) {
		xs_alloc_countdown = (unsigned)n;
		if (pvr_xs_writef(w.xs, "/t/x", "%d", n) == 0 && xs_alloc_countdown == 0) {
			xs_alloc_countdown = 0;
			rd(w.dom0, 0, "/t");
			SAME(event(w.dom0), "/t|t");
			told++;
		}
		xs_alloc_countdown = 0;
		while (*event(w.dom0))
			;
	}
	CU_ASSERT(told > 0);
	world_end(&w);
}

static void creation_fails(void)
{
	unsigned n = 0;

	for (int more = 1; more && n < 200;) {
		struct pvr_xs *xs;

		xs_alloc_countdown = ++n;
		xs = pvr_xs_create(NULL, NULL, NULL);
		more = xs_alloc_countdown == 0;
		xs_alloc_countdown = 0;
		CU_ASSERT(more ? !xs : xs != NULL);
		pvr_xs_destroy(xs);
	}
	CU_ASSERT(n > 10 && n < 200);
}

PVR_SUITE(xenstored_oom, CASE(requests_fail), CASE(commit_fails), CASE(release_does_not_fail),
	CASE(event_fails), CASE(creation_fails))
