// SPDX-License-Identifier: BSD-3-Clause
// Numbers written as a nibble and 0 to 2 extension bytes: option deltas and option lengths (RFC
// 7252 section 3.1), and token lengths (RFC 8974 section 2.1).

#ifndef POSTERN_DATAPLANE_COAP_WIRE_H
#define POSTERN_DATAPLANE_COAP_WIRE_H

#include "dataplane/coap/cursor.h"

#define WIRE_EXT8      13 // nibble: one more byte
#define WIRE_EXT16     14 // nibble: two more bytes
#define WIRE_RESERVED  15
#define WIRE_EXT8_MIN  13  // the value of an extension byte 0
#define WIRE_EXT16_MIN 269 // the value of two extension bytes 0
#define WIRE_FIELD_MAX (WIRE_EXT16_MIN + UINT16_MAX)

// Reads the extension bytes of a nibble below WIRE_RESERVED and sets *value. False if bytes are
// missing.
__attribute__((warn_unused_result)) static inline bool wire_field_read(
	struct coap_cursor *c, unsigned nibble, uint32_t *value)
{
	uint16_t ext16;
	uint8_t ext8;

	if (nibble < WIRE_EXT8) {
		*value = nibble;
		return true;
	}
	if (nibble == WIRE_EXT8) {
		if (!cursor_u8(c, &ext8))
			return false;
		*value = WIRE_EXT8_MIN + ext8;
		return true;
	}
	if (!cursor_u16(c, &ext16))
		return false;
	*value = WIRE_EXT16_MIN + (uint32_t)ext16;
	return true;
}

// Returns the nibble for a value of at most WIRE_FIELD_MAX.
static inline unsigned wire_field_nibble(uint32_t value)
{
	if (value < WIRE_EXT8_MIN)
		return value;
	return value < WIRE_EXT16_MIN ? WIRE_EXT8 : WIRE_EXT16;
}

// Writes the extension bytes of a value of at most WIRE_FIELD_MAX. Returns how many, 0 to 2.
static inline unsigned wire_field_ext(uint32_t value, uint8_t ext[2])
{
	if (value < WIRE_EXT8_MIN)
		return 0;
	if (value < WIRE_EXT16_MIN) {
		ext[0] = (uint8_t)(value - WIRE_EXT8_MIN);
		return 1;
	}
	ext[0] = (uint8_t)((value - WIRE_EXT16_MIN) >> 8);
	ext[1] = (uint8_t)(value - WIRE_EXT16_MIN);
	return 2;
}

#endif
