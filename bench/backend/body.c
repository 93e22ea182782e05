// SPDX-License-Identifier: BSD-3-Clause

#include "bench/backend/body.h"

#define DIGITS_MAX 15
#define EXTRA_MAX  4096

void be_body_start(struct be_body *body, bool chunked, uint64_t length)
{
	*body = (struct be_body){
		.state = chunked ? BE_BODY_SIZE
			: length ? BE_BODY_LENGTH
				 : BE_BODY_DONE,
		.left = chunked ? 0 : length,
	};
}

static int hex(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static bool is_control(char c)
{
	return ((unsigned char)c < ' ' && c != '\t') || c == 0x7f;
}

// Takes one byte of the size of a chunk. false: malformed.
static bool take_size(struct be_body *b, char c)
{
	if (hex(c) >= 0) {
		b->left = b->left << 4 | (unsigned)hex(c);
		return ++b->digits <= DIGITS_MAX;
	}
	b->state = c == '\r' ? BE_BODY_SIZE_END : BE_BODY_EXTENSION;
	return b->digits && (c == '\r' || c == ';');
}

// Takes one byte between the contents of chunks. false: malformed.
static bool take(struct be_body *b, char c)
{
	switch (b->state) {
	case BE_BODY_SIZE:
		return take_size(b, c);
	case BE_BODY_EXTENSION:
		if (c == '\r')
			b->state = BE_BODY_SIZE_END;
		return (c == '\r' || !is_control(c)) && ++b->extra <= EXTRA_MAX;
	case BE_BODY_SIZE_END:
		b->state = b->left ? BE_BODY_CHUNK : BE_BODY_TRAILER;
		b->digits = 0;
		return c == '\n';
	case BE_BODY_CHUNK_CR:
		b->state = BE_BODY_CHUNK_END;
		return c == '\r';
	case BE_BODY_CHUNK_END:
		b->state = BE_BODY_SIZE;
		return c == '\n';
	case BE_BODY_TRAILER:
		b->state = c == '\r' ? BE_BODY_TRAILER_END : BE_BODY_FIELD;
		return c == '\r' || (!is_control(c) && c != ' ' && c != '\t' && c != ':');
	case BE_BODY_FIELD:
		if (c == '\r')
			b->state = BE_BODY_FIELD_END;
		return (c == '\r' || !is_control(c)) && ++b->extra <= EXTRA_MAX;
	case BE_BODY_FIELD_END:
		b->state = BE_BODY_TRAILER;
		return c == '\n';
	default: // BE_BODY_TRAILER_END
		b->state = BE_BODY_DONE;
		return c == '\n';
	}
}

ssize_t be_body_take(
	struct be_body *b, const char *buf, size_t len, const char **data, size_t *data_len)
{
	*data_len = 0;
	if (b->state == BE_BODY_LENGTH || b->state == BE_BODY_CHUNK) {
		*data = buf;
		*data_len = len < b->left ? len : (size_t)b->left;
		b->left -= *data_len;
		if (!b->left)
			b->state = b->state == BE_BODY_LENGTH ? BE_BODY_DONE : BE_BODY_CHUNK_CR;
		return (ssize_t)*data_len;
	}
	size_t used = 0;
	while (used < len && b->state != BE_BODY_DONE && b->state != BE_BODY_CHUNK)
		if (!take(b, buf[used++]))
			return -400;
	return (ssize_t)used;
}
