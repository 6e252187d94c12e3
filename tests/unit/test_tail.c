/* SPDX-License-Identifier: MIT */
/* The console's buffer: the last of what was put in comes out, in order, whatever the sizes are. */
#include "suite.h"

#include "../../tools/tail.h"

static struct tail tail;
static unsigned put, taken; /* bytes since the start; byte n is n % 251 */

static void put_bytes(size_t size)
{
	static char text[TAIL_BYTES * 3];

	for (size_t i = 0; i < size; i++)
		text[i] = (char)(put++ % 251);
	tail_put(&tail, text, size);
}

/* Up to `size` bytes, all as expected: how many. */
static size_t take_bytes(size_t size)
{
	size_t sum = 0;

	while (sum < size) {
		const char *text;
		size_t n = tail_peek(&tail, &text);

		n = n < size - sum ? n : size - sum;
		if (!n)
			break;
		for (size_t i = 0; i < n; i++)
			if (text[i] != (char)(taken++ % 251))
				return 0;
		tail_drop(&tail, n);
		sum += n;
	}
	return sum;
}

static void begin(void)
{
	tail = (struct tail){0};
	put = taken = 0;
}

static void all_is_kept_while_there_is_room(void)
{
	begin();
	CU_ASSERT_EQUAL(take_bytes(1), 0);
	for (unsigned i = 1; i < 300; i++) {
		put_bytes(i * 37);
		CU_ASSERT_EQUAL(take_bytes(i * 37), i * 37);
	}
	CU_ASSERT_EQUAL(tail.count, 0);
}

static void the_oldest_is_lost(void)
{
	begin();
	put_bytes(1000);
	CU_ASSERT_EQUAL(take_bytes(400), 400);
	put_bytes(TAIL_BYTES - 100); /* 500 too many */
	taken += 500;
	CU_ASSERT_EQUAL(tail.count, TAIL_BYTES);
	CU_ASSERT_EQUAL(take_bytes(TAIL_BYTES + 1), TAIL_BYTES);
	put_bytes(10);
	put_bytes(TAIL_BYTES * 2 + 7);
	taken = put - TAIL_BYTES;
	CU_ASSERT_EQUAL(take_bytes(TAIL_BYTES + 1), TAIL_BYTES);
}

PVR_SUITE(tail, CASE(all_is_kept_while_there_is_room), CASE(the_oldest_is_lost))
