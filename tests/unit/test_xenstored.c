/* SPDX-License-Identifier: MIT */
/*
 * The store's requests: data, permissions, paths, domains.
 */
#include "suite.h"
#include "test_xenstored.h"

#include <errno.h>

static void read_write(void)
{
	struct world w = world_make(NULL, NULL);

	SAME(wr(w.dom0, 0, "/a/b/c", "value"), "OK");
	SAME(rd(w.dom0, 0, "/a/b/c"), "value");
	SAME(rd(w.dom0, 0, "/a/b"), "");
	CU_ASSERT_EQUAL(w.dom0->type, XS_READ);
	SAME(wr(w.dom0, 0, "/a/b/c", ""), "OK");
	SAME(rd(w.dom0, 0, "/a/b/c"), "");
	SAME(ask(w.dom0, XS_WRITE, 0, "/bin\0a\0b", 8), "OK");
	rd(w.dom0, 0, "/bin");
	CU_ASSERT_EQUAL(w.dom0->len, 3);
	CU_ASSERT(!memcmp(w.dom0->reply, "a\0b", 3));
	SAME(rd(w.dom0, 0, "/none"), "ENOENT");
	SAME(ask(w.dom0, XS_READ, 0, "/a", 2), "EINVAL");    /* no nul */
	SAME(ask(w.dom0, XS_READ, 0, "/a\0b", 5), "EINVAL"); /* two strings */
	SAME(ask(w.dom0, XS_READ, 0, "", 0), "EINVAL");
	SAME(ask(w.dom0, XS_WRITE, 0, "/a", 2), "EINVAL");
	SAME(ask(w.dom0, XS_WRITE, 0, "", 0), "EINVAL");
	world_end(&w);
}

static void unknown_types(void)
{
	static const uint32_t types[] = {
		XS_WATCH_EVENT, XS_ERROR, 20, XS_TYPE_COUNT, 0xffff, UINT32_MAX};
	struct world w = world_make(NULL, NULL);

	for (size_t i = 0; i < sizeof(types) / sizeof(*types); i++) {
		CU_ASSERT(send_only(w.a, types[i], 0, "", 1) > 0);
		CU_ASSERT_EQUAL(drain(w.a), 1);
		SAME(w.a->reply, "ENOSYS");
		CU_ASSERT_EQUAL(w.a->type, XS_ERROR);
	}
	world_end(&w);
}

static void directory(void)
{
	struct world w = world_make(NULL, NULL);

	SAME(ls(w.dom0, 0, "/"), "local tool");
	SAME(mk(w.dom0, 0, "/d"), "OK");
	SAME(ls(w.dom0, 0, "/d"), "");
	CU_ASSERT_EQUAL(w.dom0->len, 0);
	wr(w.dom0, 0, "/d/two", "");
	wr(w.dom0, 0, "/d/one", "");
	wr(w.dom0, 0, "/d/onetwo", "");
	SAME(ls(w.dom0, 0, "/d"), "one onetwo two");
	SAME(ls(w.dom0, 0, "/e"), "ENOENT");
	SAME(ls(w.a, 0, "/e"), "EACCES");
	SAME(rm(w.dom0, 0, "/d/one"), "OK");
	SAME(ls(w.dom0, 0, "/d"), "onetwo two");
	world_end(&w);
}

/* A list longer than one payload: DIRECTORY refuses, DIRECTORY_PART gives it in parts. */
static void directory_part(void)
{
	struct world w = world_make(NULL, NULL);
	char path[64], gen[32] = "";
	unsigned names = 0;
	size_t offset = 0;
	int end = 0;

	for (int i = 0; i < 500; i++) {
		sprintf(path, "/many/a-name-of-some-length-%d", i);
		CU_ASSERT_EQUAL(pvr_xs_write(w.xs, path, ""), 0);
	}
	SAME(ls(w.dom0, 0, "/many"), "E2BIG");
	while (!end && names <= 500) {
		int len = sprintf(path, "/many%c%zu", 0, offset) + 1;
		const char *p = ask(w.dom0, XS_DIRECTORY_PART, 0, path, (uint32_t)len);
		const char *stop = p + w.dom0->len;

		CU_ASSERT_EQUAL(w.dom0->type, XS_DIRECTORY_PART);
		if (*gen)
			SAME(p, gen);
		strcpy(gen, p);
		for (p += strlen(p) + 1; p < stop && *p; p += strlen(p) + 1, names++)
			offset += strlen(p) + 1;
		end = p < stop;
	}
	CU_ASSERT_EQUAL(names, 500);
	pvr_xs_rm(w.xs, "/many/a-name-of-some-length-7");
	ASK(w.dom0, XS_DIRECTORY_PART, 0,
		"/many\0"
		"999999");
	CU_ASSERT_STRING_NOT_EQUAL(w.dom0->reply, gen);
	CU_ASSERT_EQUAL(w.dom0->len, strlen(w.dom0->reply) + 2);
	SAME(ASK(w.dom0, XS_DIRECTORY_PART, 0, "/many"), "EINVAL");
	/* A directory that shrinks and grows again. */
	for (int round = 0; round < 2; round++)
		for (int i = 0; i < 495; i++) {
			sprintf(path, "/many/a-name-of-some-length-%d", i);
			CU_ASSERT_EQUAL(
				round ? pvr_xs_write(w.xs, path, "") : pvr_xs_rm(w.xs, path), 0);
		}
	CU_ASSERT_EQUAL(pvr_xs_check(w.xs, stderr), 0);
	world_end(&w);
}

static void mkdir_rm(void)
{
	struct world w = world_make(NULL, NULL);

	SAME(mk(w.dom0, 0, "/m/n/o"), "OK");
	SAME(wr(w.dom0, 0, "/m/n", "kept"), "OK");
	SAME(mk(w.dom0, 0, "/m/n"), "OK");
	SAME(rd(w.dom0, 0, "/m/n"), "kept");
	SAME(rm(w.dom0, 0, "/m"), "OK");
	SAME(rd(w.dom0, 0, "/m/n/o"), "ENOENT");
	SAME(rm(w.dom0, 0, "/m"), "OK");       /* missing, its parent is there */
	SAME(rm(w.dom0, 0, "/m/n"), "ENOENT"); /* missing, its parent too */
	SAME(rm(w.dom0, 0, "/"), "EINVAL");
	SAME(rm(w.a, 0, "/"), "EACCES");
	world_end(&w);
}

static void paths(void)
{
	static const char *const bad[] = {
		"//", "/a/", "/a//b", "", "/a b", "/a\x80", "/a.b", "@x", "a/", "/a/b/"};
	struct world w = world_make(NULL, NULL);

	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		SAME(rd(w.dom0, 0, bad[i]), "EINVAL");
		SAME(wr(w.dom0, 0, bad[i], "x"), "EINVAL");
		SAME(mk(w.dom0, 0, bad[i]), "EINVAL");
		SAME(rm(w.dom0, 0, bad[i]), "EINVAL");
		SAME(ls(w.dom0, 0, bad[i]), "EINVAL");
	}
	SAME(wr(w.dom0, 0, "/A-z_0/@9", "x"), "OK");
	SAME(watch(w.dom0, "/a/", "t"), "EINVAL");
	SAME(watch(w.dom0, "@/", "t"), "EINVAL");
	SAME(getperms(w.dom0, 0, "@none"), "ENOENT");
	world_end(&w);
}

static void relative_paths(void)
{
	struct world w = world_make(NULL, NULL);

	SAME(wr(w.a, 0, "data/x", "1"), "OK");
	SAME(rd(w.dom0, 0, "/local/domain/5/data/x"), "1");
	SAME(rd(w.a, 0, "/local/domain/5/data/x"), "1");
	SAME(rd(w.b, 0, "data/x"), "ENOENT");
	SAME(ls(w.a, 0, "data"), "x");
	SAME(rm(w.a, 0, "data"), "OK");
	SAME(rd(w.a, 0, "data"), "ENOENT");
	world_end(&w);
}

/* Every letter against every way in, for the owner, one named domain and the others. */
static void permission_matrix(void)
{
	static const struct {
		char letter;
		const char *read, *write;
	} rows[] = {{'n', "EACCES", "EACCES"}, {'r', "v", "EACCES"}, {'w', "EACCES", "OK"},
		{'b', "v", "OK"}};
	struct world w = world_make(NULL, NULL);
	char perms[16];

	wr(w.dom0, 0, "/p", "v");
	for (int i = 0; i < 4; i++) {
		sprintf(perms, "n0,%c5", rows[i].letter);
		SAME(setperms(w.dom0, 0, "/p", perms), "OK");
		SAME(getperms(w.dom0, 0, "/p"), perms);
		SAME(rd(w.a, 0, "/p"), rows[i].read);
		SAME(wr(w.a, 0, "/p", "v"), rows[i].write);
		SAME(rd(w.b, 0, "/p"), "EACCES");
		sprintf(perms, "%c0,n5", rows[i].letter);
		SAME(setperms(w.dom0, 0, "/p", perms), "OK");
		SAME(rd(w.b, 0, "/p"), rows[i].read);
		SAME(wr(w.b, 0, "/p", "v"), rows[i].write);
		SAME(rd(w.a, 0, "/p"), "EACCES");
		/* The missing child of a node is hidden like the node. */
		SAME(rd(w.b, 0, "/p/q"), i & 1 ? "ENOENT" : "EACCES");
		SAME(setperms(w.b, 0, "/p", "b6"), "EACCES");
	}
	SAME(rd(w.dom0, 0, "/p"), "v");
	world_end(&w);
}

static void set_perms(void)
{
	static const char *const bad[] = {"x0", "r", "r-1", "r70000", "r5,", "5", "rr5", "r5 "};
	struct world w = world_make(NULL, NULL);

	wr(w.a, 0, "mine", "v");
	SAME(getperms(w.a, 0, "mine"), "n5");
	SAME(setperms(w.a, 0, "mine", "n5,r6"), "OK");
	SAME(rd(w.b, 0, "/local/domain/5/mine"), "v");
	SAME(setperms(w.a, 0, "mine", "n6"), "EPERM");
	SAME(setperms(w.a, 0, "mine", "n5,r1,r2,r3,r4"), "OK");
	SAME(setperms(w.a, 0, "mine", "n5,r1,r2,r3,r4,r6"), "ENOSPC");
	SAME(setperms(w.dom0, 0, "/local/domain/5/mine", "n5,r1,r2,r3,r4,r6"), "OK");
	SAME(setperms(w.dom0, 0, "/nowhere", "n5"), "ENOENT");
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
		SAME(setperms(w.a, 0, "mine", bad[i]), "EINVAL");
	SAME(ASK(w.a, XS_SET_PERMS, 0, "mine"), "EINVAL");
	world_end(&w);
}

static void inheritance(void)
{
	struct world w = world_make(NULL, NULL);

	wr(w.dom0, 0, "/shared", "");
	setperms(w.dom0, 0, "/shared", "n0,b5,r6");
	SAME(wr(w.a, 0, "/shared/x/y", "v"), "OK");
	SAME(getperms(w.dom0, 0, "/shared/x"), "n5,b5,r6");
	SAME(getperms(w.dom0, 0, "/shared/x/y"), "n5,b5,r6");
	SAME(rd(w.b, 0, "/shared/x/y"), "v");
	SAME(wr(w.dom0, 0, "/shared/z", "v"), "OK");
	SAME(getperms(w.dom0, 0, "/shared/z"), "n0,b5,r6");
	world_end(&w);
}

static void set_target(void)
{
	struct world w = world_make(NULL, NULL);

	wr(w.a, 0, "x", "v");
	SAME(rd(w.b, 0, "/local/domain/5/x"), "EACCES");
	SAME(ASK(w.b, XS_SET_TARGET, 0,
		     "6\0"
		     "5"),
		"EACCES");
	SAME(ASK(w.dom0, XS_SET_TARGET, 0,
		     "6\0"
		     "9"),
		"ENOENT");
	SAME(ASK(w.dom0, XS_SET_TARGET, 0,
		     "6\0"
		     "5"),
		"OK");
	SAME(rd(w.b, 0, "/local/domain/5/x"), "v");
	SAME(wr(w.b, 0, "/local/domain/5/y", "v"), "OK");
	pvr_xs_release(w.xs, 5);
	pvr_xs_mkdir_perms(w.xs, "/local/domain/5", "n5");
	SAME(rd(w.b, 0, "/local/domain/5"), "EACCES");
	world_end(&w);
}

static int note_introduce(void *opaque, uint16_t domid, uint64_t gfn, uint32_t port)
{
	sprintf(opaque, "introduce %u %llu %u", domid, (unsigned long long)gfn, port);
	return domid == 9 ? -EBUSY : 0;
}

static int note_release(void *opaque, uint16_t domid)
{
	sprintf(opaque, "release %u", domid);
	return 0;
}

static int note_resume(void *opaque, uint16_t domid)
{
	sprintf(opaque, "resume %u", domid);
	return 0;
}

static void note_print(void *opaque, const char *text)
{
	sprintf(opaque, "print %s", text);
}

static void domains(void)
{
	static const struct pvr_xs_ops ops = {.introduce = note_introduce,
		.release = note_release,
		.resume = note_resume,
		.print = note_print};
	char note[64] = "";
	struct world w = world_make(&ops, note);

	SAME(ASK(w.dom0, XS_IS_DOMAIN_INTRODUCED, 0, "7"), "F");
	SAME(ASK(w.dom0, XS_INTRODUCE, 0, "7\0004660\0003"), "OK");
	SAME(note, "introduce 7 4660 3");
	SAME(ASK(w.dom0, XS_IS_DOMAIN_INTRODUCED, 0, "7"), "T");
	SAME(ASK(w.dom0, XS_IS_DOMAIN_INTRODUCED, 0, "0"), "T");
	SAME(ASK(w.dom0, XS_INTRODUCE, 0, "9\0001\0003"), "EBUSY");
	SAME(ASK(w.dom0, XS_IS_DOMAIN_INTRODUCED, 0, "9"), "F");
	SAME(ASK(w.dom0, XS_INTRODUCE, 0, "0\0001\0003"), "EINVAL");
	SAME(ASK(w.dom0, XS_INTRODUCE, 0, "32752\0001\0003"), "EINVAL");
	SAME(ASK(w.dom0, XS_INTRODUCE, 0, "8\0-1\0003"), "EINVAL");
	SAME(ASK(w.dom0, XS_INTRODUCE, 0, "8\0001"), "EINVAL");
	SAME(ASK(w.dom0, XS_RESUME, 0, "7"), "OK");
	SAME(note, "resume 7");
	SAME(ASK(w.dom0, XS_RELEASE, 0, "7"), "OK");
	SAME(note, "release 7");
	SAME(ASK(w.dom0, XS_IS_DOMAIN_INTRODUCED, 0, "7"), "F");
	SAME(ASK(w.dom0, XS_RELEASE, 0, "7"), "ENOENT");
	SAME(ASK(w.dom0, XS_RELEASE, 0, "0"), "EINVAL");
	SAME(ASK(w.dom0, XS_RESUME, 0, "7"), "ENOENT");
	SAME(ASK(w.dom0, XS_GET_DOMAIN_PATH, 0, "007"), "/local/domain/7");
	SAME(ASK(w.a, XS_GET_DOMAIN_PATH, 0, "x"), "EINVAL");
	SAME(ASK(w.dom0, XS_CONTROL, 0, "print\0hello"), "OK");
	SAME(note, "print hello");
	world_end(&w);
}

static void control(void)
{
	struct world w = world_make(NULL, NULL);

	SAME(ASK(w.dom0, XS_CONTROL, 0, "check"), "OK");
	CU_ASSERT_PTR_NOT_NULL(strstr(ASK(w.dom0, XS_CONTROL, 0, "help"), "check"));
	CU_ASSERT_PTR_NOT_NULL(strstr(ASK(w.dom0, XS_CONTROL, 0, "quota"), "nodes: 1000\n"));
	SAME(ASK(w.dom0, XS_CONTROL, 0, "nonsense"), "EINVAL");
	SAME(ASK(w.dom0, XS_CONTROL, 0, "print"), "EINVAL");
	SAME(ASK(w.dom0, XS_INTRODUCE, 0, "7\0001\0003"), "ENOSYS");
	SAME(ASK(w.a, XS_CONTROL, 0, "check"), "EACCES");
	SAME(ASK(w.a, XS_INTRODUCE, 0, "7\0001\0003"), "EACCES");
	SAME(ASK(w.a, XS_RELEASE, 0, "6"), "EACCES");
	SAME(ASK(w.a, XS_RESUME, 0, "6"), "EACCES");
	world_end(&w);
}

static void daemon_access(void)
{
	struct world w = world_make(NULL, NULL);
	char buf[4], names[11];

	CU_ASSERT_EQUAL(pvr_xs_list(w.xs, "/", names, sizeof(names)), 11);
	CU_ASSERT(!memcmp(names, "local\0tool", 11));
	CU_ASSERT_EQUAL(pvr_xs_list(w.xs, "/", names, 10), -ERANGE);
	CU_ASSERT_EQUAL(pvr_xs_list(w.xs, "/none", names, 10), -ENOENT);
	CU_ASSERT_EQUAL(pvr_xs_list(w.xs, "none", names, 10), -EINVAL);

	CU_ASSERT_EQUAL(pvr_xs_writef(w.xs, "/x", "%d", 123), 0);
	CU_ASSERT_EQUAL(pvr_xs_read(w.xs, "/x", buf, sizeof(buf)), 3);
	SAME(buf, "123");
	CU_ASSERT_EQUAL(pvr_xs_read(w.xs, "/x", buf, 3), -ERANGE);
	CU_ASSERT_EQUAL(pvr_xs_read(w.xs, "/y", buf, 3), -ENOENT);
	CU_ASSERT_EQUAL(pvr_xs_read(w.xs, "y", buf, 3), -EINVAL);
	CU_ASSERT_EQUAL(pvr_xs_write(w.xs, "/x/", ""), -EINVAL);
	CU_ASSERT_EQUAL(pvr_xs_mkdir_perms(w.xs, "/x", "n5,r6"), 0);
	SAME(getperms(w.dom0, 0, "/x"), "n5,r6");
	CU_ASSERT_EQUAL(pvr_xs_mkdir_perms(w.xs, "/x", "n5,"), -EINVAL);
	CU_ASSERT_EQUAL(pvr_xs_rm(w.xs, "/x"), 0);
	CU_ASSERT_EQUAL(pvr_xs_rm(w.xs, "/x"), 0);
	CU_ASSERT_EQUAL(pvr_xs_rm(w.xs, "/x/y"), -ENOENT);
	CU_ASSERT_EQUAL(pvr_xs_introduce(w.xs, 5), -EEXIST);
	CU_ASSERT_EQUAL(pvr_xs_release(w.xs, 99), -ENOENT);
	CU_ASSERT_EQUAL(pvr_xs_release(w.xs, 0), -EINVAL);
	world_end(&w);
}

/* Cut after every byte, and many in one piece. */
static void partial_feeds(void)
{
	static const struct {
		struct xsd_sockmsg hdr;
		char payload[8];
	} message = {{XS_WRITE, 7, 0, 8}, "/k\0value"};
	struct world w = world_make(NULL, NULL);
	char many[3 * sizeof(message)];

	for (size_t i = 0; i < sizeof(message); i++) {
		size_t wants = i < 16 ? 16 - i : 24 - i;

		CU_ASSERT_EQUAL(pvr_xs_conn_wants(w.dom0->conn), wants);
		CU_ASSERT_EQUAL(drain(w.dom0), 0);
		CU_ASSERT_EQUAL(pvr_xs_conn_feed(w.dom0->conn, (const char *)&message + i, 1), 1);
	}
	CU_ASSERT_EQUAL(drain(w.dom0), 1);
	SAME(w.dom0->reply, "OK");
	SAME(rd(w.dom0, 0, "/k"), "value");
	for (int i = 0; i < 3; i++)
		memcpy(many + (size_t)i * sizeof(message), &message, sizeof(message));
	w.dom0->ready = 0;
	CU_ASSERT_EQUAL(pvr_xs_conn_feed(w.dom0->conn, many, sizeof(many)), (ssize_t)sizeof(many));
	CU_ASSERT_EQUAL(w.dom0->ready, 1);
	CU_ASSERT_EQUAL(drain(w.dom0), 3);
	world_end(&w);
}

PVR_SUITE(xenstored, CASE(read_write), CASE(unknown_types), CASE(directory), CASE(directory_part),
	CASE(mkdir_rm), CASE(paths), CASE(relative_paths), CASE(permission_matrix), CASE(set_perms),
	CASE(inheritance), CASE(set_target), CASE(domains), CASE(control), CASE(daemon_access),
	CASE(partial_feeds))
