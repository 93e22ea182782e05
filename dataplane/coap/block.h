// SPDX-License-Identifier: BSD-3-Clause
// The value of Block1 and Block2 (RFC 7959 section 2.2): which block of a body, of what size, and
// whether more follow.

#ifndef POSTERN_DATAPLANE_COAP_BLOCK_H
#define POSTERN_DATAPLANE_COAP_BLOCK_H

#include "dataplane/coap/message.h"

#define COAP_SZX_MAX        6 // blocks of 1024 bytes
#define COAP_SZX_RESERVED   7
#define COAP_BLOCK_NUM_MAX  0xfffff
#define COAP_BLOCK_SIZE_MIN 16

struct coap_block {
	uint32_t num;
	uint8_t szx; // COAP_SZX_RESERVED is read, too
	bool more;
};

static inline uint32_t coap_block_size(unsigned szx)
{
	return COAP_BLOCK_SIZE_MIN << szx;
}

// Where the block begins in its body.
static inline uint64_t coap_block_offset(const struct coap_block *block)
{
	return (uint64_t)block->num << (block->szx + 4);
}

// Reads an option's value. false if it has more than three bytes.
bool coap_block_read(struct coap_block *block, const struct coap_option *option)
	__attribute__((warn_unused_result));
// The uint to write, for coap_write_option_uint().
uint32_t coap_block_value(const struct coap_block *block);

// The largest SZX whose blocks have at most so many bytes; -1 if even the smallest are larger.
int coap_szx_within(size_t bytes);

#endif
