// SPDX-License-Identifier: BSD-3-Clause
// A read position in a range of bytes, which never passes its end. The parsers of CoAP and OSCORE
// read through it, so that the checks of bounds stand here and nowhere else.

#ifndef POSTERN_DATAPLANE_COAP_CURSOR_H
#define POSTERN_DATAPLANE_COAP_CURSOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct coap_cursor {
	const uint8_t *at;  // next byte to read
	const uint8_t *end; // behind the last byte
};

// Starts at the first of len bytes; data may be NULL if len is 0.
static inline void cursor_init(struct coap_cursor *c, const uint8_t *data, size_t len)
{
	c->at = data;
	c->end = len ? data + len : data;
}

// Returns how many bytes are still to be read.
static inline size_t cursor_left(const struct coap_cursor *c)
{
	return (size_t)(c->end - c->at);
}

// These read one byte, two bytes in network order, or a pointer to len bytes, and advance behind
// it. They return false and do not advance if fewer bytes are left.
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
