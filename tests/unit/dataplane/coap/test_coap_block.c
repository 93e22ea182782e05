// SPDX-License-Identifier: BSD-3-Clause

#include "dataplane/coap/block.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>

static bool read_value(struct coap_block *block, uint32_t value)
{
	uint8_t bytes[8];
	struct coap_writer w;
	struct coap_body body;
	struct coap_option option;

	coap_writer_init(&w, bytes, sizeof(bytes));
	coap_write_option_uint(&w, COAP_OPT_BLOCK1, value);
	cr_assert(eq(int, coap_body_parse(&body, bytes, coap_writer_len(&w)), COAP_OK));
	cr_assert(coap_option_find(&body, COAP_OPT_BLOCK1, &option));
	return coap_block_read(block, &option);
}

// RFC 7959 section 2.2, and the examples of section 3.
Test(coap_block, values_are_read_and_written)
{
	static const struct {
		uint32_t value, num;
		bool more;
		uint8_t szx;
		uint64_t offset;
	} rows[] = {
		{0, 0, false, 0, 0},
		{33, 2, false, 1, 64}, // 2/0/32
		{59, 3, true, 3, 384}, // 3/1/128
		{8, 0, true, 0, 0},
		{7, 0, false, 7, 0},
		{0xffffff, 0xfffff, true, 7, (uint64_t)0xfffff << 11},
		{0xfffffe, 0xfffff, true, 6, (uint64_t)0xfffff << 10},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct coap_block block;

		cr_assert(read_value(&block, rows[i].value));
		cr_assert(eq(u32, block.num, rows[i].num));
		cr_assert(eq(int, block.more, rows[i].more));
		cr_assert(eq(u8, block.szx, rows[i].szx));
		cr_assert(eq(u64, coap_block_offset(&block), rows[i].offset));
		cr_assert(eq(u32, coap_block_value(&block), rows[i].value));
	}
}

Test(coap_block, more_than_three_bytes_are_none)
{
	struct coap_block block;

	cr_assert(not(read_value(&block, 0x1000000)));
}

Test(coap_block, the_largest_size_within)
{
	for (size_t bytes = 0; bytes < 3000; bytes++) {
		int szx = coap_szx_within(bytes);

		cr_assert(szx >= -1 && szx <= COAP_SZX_MAX);
		cr_assert(szx < 0 || coap_block_size((unsigned)szx) <= bytes);
		cr_assert(szx == COAP_SZX_MAX || coap_block_size((unsigned)szx + 1) > bytes);
	}
}
