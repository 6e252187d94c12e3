/* SPDX-License-Identifier: MIT */
/* The request parser as a truth table, one line a case, over both layouts. */
#include "suite.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "../../blkback/request.h"

/* clang-format off */
#define S512    {.sectors = 1000, .sector_size = 512}
#define S4096   {.sectors = 1000, .sector_size = 4096}
#define RO      {.sectors = 1000, .sector_size = 512, .readonly = 1}
#define TRIM    {.sectors = 1ull << 40, .sector_size = 512, .discard = 1}
#define SECURE  {.sectors = 1000, .sector_size = 4096, .discard = 1, .discard_secure = 1}
#define TRIM_RO {.sectors = 1000, .sector_size = 512, .readonly = 1, .discard = 1}
/* clang-format on */
#define MAX64 UINT64_MAX

struct row {
	const char *what;
	struct pvr_blkback_facts facts;
	uint8_t operation, segments;
	uint64_t sector;
	uint8_t first, last; /* of every segment */
	enum pvr_blkback_verdict verdict;
};

static const struct row rows[] = {
	{"one sector", S512, BLKIF_OP_READ, 1, 0, 0, 0, PVR_BLKBACK_GOOD},
	{"a page", S512, BLKIF_OP_WRITE, 1, 8, 0, 7, PVR_BLKBACK_GOOD},
	{"eleven pages", S512, BLKIF_OP_READ, 11, 0, 0, 7, PVR_BLKBACK_GOOD},
	{"the middle of a page", S512, BLKIF_OP_READ, 2, 0, 3, 4, PVR_BLKBACK_GOOD},
	{"the last sector", S512, BLKIF_OP_READ, 1, 999, 0, 0, PVR_BLKBACK_GOOD},
	{"one beyond the end", S512, BLKIF_OP_READ, 1, 999, 0, 1, PVR_BLKBACK_OUT_OF_DISK},
	{"at the end", S512, BLKIF_OP_READ, 1, 1000, 0, 0, PVR_BLKBACK_OUT_OF_DISK},
	{"far beyond", S512, BLKIF_OP_READ, 1, MAX64, 0, 0, PVR_BLKBACK_OUT_OF_DISK},
	{"the sum wraps", S512, BLKIF_OP_WRITE, 11, MAX64 - 87, 0, 7, PVR_BLKBACK_OUT_OF_DISK},
	{"bytes would wrap", S512, BLKIF_OP_READ, 1, 1ull << 55, 0, 7, PVR_BLKBACK_OUT_OF_DISK},
	{"no segments", S512, BLKIF_OP_READ, 0, 0, 0, 0, PVR_BLKBACK_BAD_COUNT},
	{"twelve segments", S512, BLKIF_OP_READ, 12, 0, 0, 0, PVR_BLKBACK_BAD_COUNT},
	{"255 segments", S512, BLKIF_OP_WRITE, 255, 0, 0, 0, PVR_BLKBACK_BAD_COUNT},
	{"255 to flush", S512, BLKIF_OP_FLUSH_DISKCACHE, 255, 0, 0, 0, PVR_BLKBACK_BAD_COUNT},
	{"backwards", S512, BLKIF_OP_READ, 1, 0, 5, 4, PVR_BLKBACK_BAD_SEGMENT},
	{"off the page", S512, BLKIF_OP_READ, 1, 0, 0, 8, PVR_BLKBACK_BAD_SEGMENT},
	{"255 to 255", S512, BLKIF_OP_READ, 1, 0, 255, 255, PVR_BLKBACK_BAD_SEGMENT},
	{"0 to 255", S512, BLKIF_OP_WRITE, 1, 0, 0, 255, PVR_BLKBACK_BAD_SEGMENT},
	{"a 4096 sector", S4096, BLKIF_OP_READ, 1, 8, 0, 7, PVR_BLKBACK_GOOD},
	{"512 units on 4096", S4096, BLKIF_OP_READ, 1, 1, 0, 7, PVR_BLKBACK_UNALIGNED},
	{"half a 4096 sector", S4096, BLKIF_OP_READ, 1, 8, 0, 3, PVR_BLKBACK_UNALIGNED},
	{"the other half", S4096, BLKIF_OP_WRITE, 2, 8, 4, 7, PVR_BLKBACK_UNALIGNED},
	{"read of read-only", RO, BLKIF_OP_READ, 1, 0, 0, 7, PVR_BLKBACK_GOOD},
	{"write to read-only", RO, BLKIF_OP_WRITE, 1, 0, 0, 7, PVR_BLKBACK_READ_ONLY},
	{"flush of read-only", RO, BLKIF_OP_FLUSH_DISKCACHE, 0, 0, 0, 0, PVR_BLKBACK_GOOD},
	{"data with it", RO, BLKIF_OP_FLUSH_DISKCACHE, 1, 0, 0, 0, PVR_BLKBACK_READ_ONLY},
	{"flush", S512, BLKIF_OP_FLUSH_DISKCACHE, 0, MAX64, 0, 0, PVR_BLKBACK_GOOD},
	{"flush with data", S512, BLKIF_OP_FLUSH_DISKCACHE, 1, 999, 0, 0, PVR_BLKBACK_GOOD},
	{"flush beyond", S512, BLKIF_OP_FLUSH_DISKCACHE, 1, 1000, 0, 0, PVR_BLKBACK_OUT_OF_DISK},
	{"barrier", S512, BLKIF_OP_WRITE_BARRIER, 1, 8, 0, 0, PVR_BLKBACK_GOOD},
	{"bare barrier", S512, BLKIF_OP_WRITE_BARRIER, 0, MAX64, 0, 0, PVR_BLKBACK_GOOD},
	{"twelve in a barrier", S512, BLKIF_OP_WRITE_BARRIER, 12, 0, 0, 0, PVR_BLKBACK_BAD_COUNT},
	{"barrier on read-only", RO, BLKIF_OP_WRITE_BARRIER, 1, 0, 0, 0, PVR_BLKBACK_READ_ONLY},
	{"barrier beyond", S512, BLKIF_OP_WRITE_BARRIER, 1, 1000, 0, 0, PVR_BLKBACK_OUT_OF_DISK},
	{"reserved", S512, BLKIF_OP_RESERVED_1, 0, 0, 0, 0, PVR_BLKBACK_UNKNOWN_OP},
	{"255", S512, 255, 1, 0, 0, 0, PVR_BLKBACK_UNKNOWN_OP},
};

/* The same request in either layout. */
#define FILL(request)                                                                              \
	do {                                                                                       \
		(request)->operation = row->operation;                                             \
		(request)->nr_segments = row->segments;                                            \
		(request)->id = 0x1122334455667788;                                                \
		(request)->sector_number = row->sector;                                            \
		for (unsigned i = 0; i < BLKIF_MAX_SEGMENTS_PER_REQUEST; i++)                      \
			(request)->seg[i] =                                                        \
				(struct blkif_request_segment){50 + i, row->first, row->last};     \
	} while (0)

static void check_row(const struct row *row, enum pvr_blkback_abi abi)
{
	union pvr_blkback_slot slot;
	struct pvr_blkback_request request;
	enum pvr_blkback_verdict verdict;
	uint32_t bytes = (uint32_t)(row->last - row->first + 1) * 512;

	memset(&slot, 0xa5, sizeof(slot));
	memset(&request, 0xa5, sizeof(request));
	if (abi == PVR_BLKBACK_ABI_X86_32)
		FILL(&slot.x86_32);
	else
		FILL(&slot.x86_64);
	verdict = pvr_blkback_request_parse(&slot, abi, &row->facts, &request);
	if (verdict != row->verdict)
		fprintf(stderr, "request: %s: verdict %d\n", row->what, verdict);
	CU_ASSERT_EQUAL(verdict, row->verdict);
	CU_ASSERT_EQUAL(request.id, 0x1122334455667788);
	CU_ASSERT_EQUAL(request.operation, row->operation);
	if (verdict != PVR_BLKBACK_GOOD)
		return;
	CU_ASSERT_EQUAL(request.segments, row->segments);
	CU_ASSERT_EQUAL(request.bytes, row->segments * bytes);
	CU_ASSERT_EQUAL(request.offset, row->segments ? row->sector * 512 : 0);
	for (unsigned i = 0; i < request.segments; i++) {
		CU_ASSERT_EQUAL(request.segment[i].ref, 50 + i);
		CU_ASSERT_EQUAL(request.segment[i].offset, row->first * 512);
		CU_ASSERT_EQUAL(request.segment[i].length, bytes);
	}
}

static void truth_table_x86_64(void)
{
	for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		check_row(&rows[i], PVR_BLKBACK_ABI_X86_64);
}

static void truth_table_x86_32(void)
{
	for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		check_row(&rows[i], PVR_BLKBACK_ABI_X86_32);
}

/* Discards and indirect requests, whose slots have other fields. */
struct other {
	const char *what;
	struct pvr_blkback_facts facts;
	uint8_t inner; /* indirect_op or flag */
	uint64_t sector, count;
	enum pvr_blkback_verdict verdict;
};

#define TERA (1ull << 40)

static const struct other discards[] = {
	{"a sector", TRIM, 0, 7, 1, PVR_BLKBACK_GOOD},
	{"all", TRIM, 0, 0, TERA, PVR_BLKBACK_GOOD},
	{"one too many", TRIM, 0, 1, TERA, PVR_BLKBACK_OUT_OF_DISK},
	{"the sum wraps", TRIM, 0, 8, MAX64 - 6, PVR_BLKBACK_OUT_OF_DISK},
	{"bytes wrap", TRIM, 0, 0, 1ull << 55, PVR_BLKBACK_OUT_OF_DISK},
	{"from the end on", TRIM, 0, TERA, 1, PVR_BLKBACK_OUT_OF_DISK},
	{"nothing", TRIM, 0, 0, 0, PVR_BLKBACK_BAD_COUNT},
	{"secure where it is not", TRIM, 1, 0, 8, PVR_BLKBACK_UNKNOWN_OP},
	{"secure", SECURE, 1, 8, 16, PVR_BLKBACK_GOOD},
	{"unaligned start", SECURE, 1, 1, 8, PVR_BLKBACK_UNALIGNED},
	{"unaligned length", SECURE, 0, 8, 9, PVR_BLKBACK_UNALIGNED},
	{"where there is none", S512, 0, 0, 8, PVR_BLKBACK_UNKNOWN_OP},
	{"read-only", TRIM_RO, 0, 0, 8, PVR_BLKBACK_READ_ONLY},
};

static const struct other indirects[] = {
	{"one segment", S512, BLKIF_OP_READ, 0, 1, PVR_BLKBACK_GOOD},
	{"256", S512, BLKIF_OP_WRITE, 0, 256, PVR_BLKBACK_GOOD},
	{"257", S512, BLKIF_OP_WRITE, 0, 257, PVR_BLKBACK_BAD_COUNT},
	{"65535", S512, BLKIF_OP_READ, 0, 65535, PVR_BLKBACK_BAD_COUNT},
	{"none", S512, BLKIF_OP_READ, 0, 0, PVR_BLKBACK_BAD_COUNT},
	{"write to read-only", RO, BLKIF_OP_WRITE, 0, 16, PVR_BLKBACK_READ_ONLY},
	{"a flush", S512, BLKIF_OP_FLUSH_DISKCACHE, 0, 1, PVR_BLKBACK_BAD_INDIRECT},
	{"a barrier", S512, BLKIF_OP_WRITE_BARRIER, 0, 1, PVR_BLKBACK_BAD_INDIRECT},
	{"itself", S512, BLKIF_OP_INDIRECT, 0, 1, PVR_BLKBACK_BAD_INDIRECT},
	{"255", S512, 255, 0, 1, PVR_BLKBACK_BAD_INDIRECT},
};

#define FILL_DISCARD(request)                                                                      \
	do {                                                                                       \
		(request)->operation = BLKIF_OP_DISCARD;                                           \
		(request)->flag = row->inner;                                                      \
		(request)->id = 0x1122334455667788;                                                \
		(request)->sector_number = row->sector;                                            \
		(request)->nr_sectors = row->count;                                                \
	} while (0)

#define FILL_INDIRECT(request)                                                                     \
	do {                                                                                       \
		(request)->operation = BLKIF_OP_INDIRECT;                                          \
		(request)->indirect_op = row->inner;                                               \
		(request)->nr_segments = (uint16_t)row->count;                                     \
		(request)->id = 0x1122334455667788;                                                \
		(request)->sector_number = row->sector;                                            \
		(request)->indirect_grefs[0] = 77;                                                 \
	} while (0)

static enum pvr_blkback_verdict parse_other(const struct other *row,
	const union pvr_blkback_slot *slot, enum pvr_blkback_abi abi,
	struct pvr_blkback_request *request)
{
	enum pvr_blkback_verdict verdict;

	memset(request, 0xa5, sizeof(*request));
	verdict = pvr_blkback_request_parse(slot, abi, &row->facts, request);
	if (verdict != row->verdict)
		fprintf(stderr, "request: %s: verdict %d\n", row->what, verdict);
	CU_ASSERT_EQUAL(verdict, row->verdict);
	CU_ASSERT_EQUAL(request->id, 0x1122334455667788);
	return verdict;
}

static void discard_table(void)
{
	for (unsigned i = 0; i < 2 * sizeof(discards) / sizeof(discards[0]); i++) {
		const struct other *row = &discards[i / 2];
		struct pvr_blkback_request request;
		union pvr_blkback_slot slot;

		memset(&slot, 0xa5, sizeof(slot));
		if (i % 2)
			FILL_DISCARD(&slot.x86_32_discard);
		else
			FILL_DISCARD(&slot.x86_64_discard);
		if (parse_other(row, &slot, i % 2 ? PVR_BLKBACK_ABI_X86_32 : PVR_BLKBACK_ABI_X86_64,
			    &request) != PVR_BLKBACK_GOOD)
			continue;
		CU_ASSERT_EQUAL(
			request.op, row->inner ? PVR_BLKBACK_DISCARD_SECURE : PVR_BLKBACK_DISCARD);
		CU_ASSERT_EQUAL(request.segments, 0);
		CU_ASSERT_EQUAL(request.offset, row->sector * 512);
		CU_ASSERT_EQUAL(request.bytes, row->count * 512);
		CU_ASSERT_EQUAL(request.operation, BLKIF_OP_DISCARD);
	}
}

static void indirect_table(void)
{
	for (unsigned i = 0; i < 2 * sizeof(indirects) / sizeof(indirects[0]); i++) {
		const struct other *row = &indirects[i / 2];
		struct pvr_blkback_request request;
		union pvr_blkback_slot slot;

		memset(&slot, 0xa5, sizeof(slot));
		if (i % 2)
			FILL_INDIRECT(&slot.x86_32_indirect);
		else
			FILL_INDIRECT(&slot.x86_64_indirect);
		if (parse_other(row, &slot, i % 2 ? PVR_BLKBACK_ABI_X86_32 : PVR_BLKBACK_ABI_X86_64,
			    &request) == PVR_BLKBACK_GOOD) {
			CU_ASSERT_EQUAL(request.op, row->inner == BLKIF_OP_READ ? PVR_BLKBACK_READ
										: PVR_BLKBACK_WRITE);
			CU_ASSERT_EQUAL(request.segments, row->count);
			CU_ASSERT_EQUAL(request.list, 77);
			CU_ASSERT_TRUE(request.indirect);
		}
		CU_ASSERT_EQUAL(request.operation, row->inner);
	}
}

/* The second half of an indirect request: its list, checked like segments in a slot. */
static void indirect_lists(void)
{
	static const struct {
		uint64_t sector;
		unsigned bad; /* which of them is 5..4 */
		uint8_t last;
		enum pvr_blkback_verdict verdict;
	} lists[] = {
		{0, 256, 7, PVR_BLKBACK_GOOD},
		{2048, 256, 7, PVR_BLKBACK_GOOD},
		{2049, 256, 7, PVR_BLKBACK_OUT_OF_DISK},
		{MAX64 - 2047, 256, 7, PVR_BLKBACK_OUT_OF_DISK},
		{0, 256, 8, PVR_BLKBACK_BAD_SEGMENT},
		{0, 256, 255, PVR_BLKBACK_BAD_SEGMENT},
		{0, 255, 7, PVR_BLKBACK_BAD_SEGMENT},
		{0, 0, 7, PVR_BLKBACK_BAD_SEGMENT},
	};
	const struct pvr_blkback_facts facts = {.sectors = 4096, .sector_size = 512};
	struct blkif_request_segment list[PVR_BLKBACK_SEGMENTS_MAX];
	struct pvr_blkback_segment segment[PVR_BLKBACK_SEGMENTS_MAX];

	for (unsigned i = 0; i < sizeof(lists) / sizeof(lists[0]); i++) {
		struct pvr_blkback_request request = {.segments = 256, .sector = lists[i].sector};

		for (unsigned at = 0; at < 256; at++)
			list[at] = (struct blkif_request_segment){at, 0, lists[i].last};
		if (lists[i].bad < 256)
			list[lists[i].bad] = (struct blkif_request_segment){1, 5, 4};
		CU_ASSERT_EQUAL(pvr_blkback_request_segments(list, &facts, &request, segment),
			lists[i].verdict);
		if (lists[i].verdict != PVR_BLKBACK_GOOD)
			continue;
		CU_ASSERT_EQUAL(request.bytes, 1048576);
		CU_ASSERT_EQUAL(request.offset, lists[i].sector * 512);
		CU_ASSERT_EQUAL(segment[255].ref, 255);
		CU_ASSERT_EQUAL(segment[255].length, 4096);
	}
}

static void only_an_unknown_op_is_not_supported(void)
{
	for (int v = PVR_BLKBACK_GOOD; v <= PVR_BLKBACK_OUT_OF_DISK; v++) {
		int16_t expect = BLKIF_RSP_ERROR;

		if (v == PVR_BLKBACK_GOOD)
			expect = BLKIF_RSP_OKAY;
		if (v == PVR_BLKBACK_UNKNOWN_OP)
			expect = BLKIF_RSP_EOPNOTSUPP;
		CU_ASSERT_EQUAL(pvr_blkback_verdict_status((enum pvr_blkback_verdict)v), expect);
	}
}

static void abi_names(void)
{
	enum pvr_blkback_abi abi = PVR_BLKBACK_ABI_X86_64;

	CU_ASSERT_EQUAL(pvr_blkback_abi_by_name("x86_32-abi", &abi), 0);
	CU_ASSERT_EQUAL(abi, PVR_BLKBACK_ABI_X86_32);
	CU_ASSERT_EQUAL(pvr_blkback_abi_by_name("x86_64-abi", &abi), 0);
	CU_ASSERT_EQUAL(abi, PVR_BLKBACK_ABI_X86_64);
	CU_ASSERT_EQUAL(pvr_blkback_abi_by_name("arm-abi", &abi), 0);
	CU_ASSERT_EQUAL(abi, PVR_BLKBACK_ABI_X86_64);
	CU_ASSERT_EQUAL(pvr_blkback_abi_by_name(NULL, &abi), 0);
	CU_ASSERT_EQUAL(pvr_blkback_abi_by_name("", &abi), -EINVAL);
	CU_ASSERT_EQUAL(pvr_blkback_abi_by_name("x86_64-abi2", &abi), -EINVAL);
}

PVR_SUITE(blkback_request, CASE(truth_table_x86_64), CASE(truth_table_x86_32),
	CASE(discard_table),
	CASE(indirect_table), CASE(indirect_lists), CASE(only_an_unknown_op_is_not_supported), CASE(abi_names))
