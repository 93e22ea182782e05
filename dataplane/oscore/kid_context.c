// SPDX-License-Identifier: BSD-3-Clause

#include "dataplane/oscore/kid_context.h"

// RFC 8949 section 3: the major type of byte strings, whose low bits are a length below 24, or say
// that it follows in one byte.
#define BYTES      0x40
#define BYTES_MASK 0xe0
#define SHORT_MAX  23
#define IN_A_BYTE  24

bool osc_bstr_read(const uint8_t *data, size_t len, const uint8_t **bytes, uint8_t *bytes_len)
{
	if (!len || (data[0] & BYTES_MASK) != BYTES)
		return false;
	unsigned said = data[0] & ~BYTES_MASK, head = 1;

	if (said == IN_A_BYTE) {
		if (len < 2 || data[1] <= SHORT_MAX)
			return false;
		said = data[1];
		head = 2;
	} else if (said > SHORT_MAX) {
		return false;
	}
	if (len - head != said)
		return false;
	*bytes = data + head;
	*bytes_len = (uint8_t)said;
	return true;
}

unsigned osc_bstr_head(uint8_t head[OSC_BSTR_HEAD_MAX], uint8_t len)
{
	if (len <= SHORT_MAX) {
		head[0] = BYTES | len;
		return 1;
	}
	head[0] = BYTES | IN_A_BYTE;
	head[1] = len;
	return 2;
}
