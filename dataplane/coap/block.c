// SPDX-License-Identifier: BSD-3-Clause

#include "dataplane/coap/block.h"

bool coap_block_read(struct coap_block *block, const struct coap_option *option)
{
	uint32_t value;

	if (option->len > 3 || !coap_option_uint(option, &value))
		return false;
	block->num = value >> 4;
	block->more = value & 8;
	block->szx = value & 7;
	return true;
}

uint32_t coap_block_value(const struct coap_block *block)
{
	return block->num << 4 | (block->more ? 8 : 0) | block->szx;
}

int coap_szx_within(size_t bytes)
{
	int szx = COAP_SZX_MAX;

	while (szx >= 0 && coap_block_size((unsigned)szx) > bytes)
		szx--;
	return szx;
}
