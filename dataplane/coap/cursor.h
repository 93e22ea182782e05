// SPDX-License-Identifier: BSD-3-Clause
// Reads bytes from front to back and never past the end. Every parser of CoAP and OSCORE goes
// through here, so that none of them does arithmetic on pointers.

#ifndef POSTERN_COAP_CURSOR_H
#define POSTERN_COAP_CURSOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct coap_cursor {
	const uint8_t *at;
	const uint8_t *end;
};

static inline void cursor_init(struct coap_cursor *c, const uint8_t *data, size_t len)
{
	c->at = data;
	c->end = len ? data + len : data;
}

// Bytes not read yet.
static inline size_t cursor_left(const struct coap_cursor *c)
{
	return (size_t)(c->end - c->at);
}

// Each takes what it names and moves behind it, or returns false and moves nothing.
__attribute__((warn_unused_result)) static inline bool cursor_u8(
	struct coap_cursor *c, uint8_t *value)
{
	if (c->at == c->end)
		return false;
	*value = *c->at++;
	return true;
}

__attribute__((warn_unused_result)) static inline bool cursor_u16(
	struct coap_cursor *c, uint16_t *value)
{
	if (cursor_left(c) < 2)
		return false;
	*value = (uint16_t)(c->at[0] << 8 | c->at[1]);
	c->at += 2;
	return true;
}

__attribute__((warn_unused_result)) static inline bool cursor_take(
	struct coap_cursor *c, size_t len, const uint8_t **bytes)
{
	if (cursor_left(c) < len)
		return false;
	*bytes = c->at;
	c->at += len;
	return true;
}

#endif
