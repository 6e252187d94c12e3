/* SPDX-License-Identifier: MIT */
/* The request parser as a truth table, one line a case, over both layouts. */
#include "suite.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "../../blkback/request.h"

#define S512                                                                                       \
	{                                                                                          \
		1000, 512, 0                                                                       \
	}
#define S4096                                                                                      \
	{                                                                                          \
		1000, 4096, 0                                                                      \
	}
#define RO                                                                                         \
	{                                                                                          \
		1000, 512, 1                                                                       \
	}
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
	{"barrier", S512, BLKIF_OP_WRITE_BARRIER, 1, 0, 0, 0, PVR_BLKBACK_UNKNOWN_OP},
	{"reserved", S512, BLKIF_OP_RESERVED_1, 0, 0, 0, 0, PVR_BLKBACK_UNKNOWN_OP},
	{"discard", S512, BLKIF_OP_DISCARD, 0, 0, 0, 0, PVR_BLKBACK_UNKNOWN_OP},
	{"indirect", S512, BLKIF_OP_INDIRECT, 0, 0, 0, 0, PVR_BLKBACK_UNKNOWN_OP},
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
	CASE(only_an_unknown_op_is_not_supported), CASE(abi_names))
