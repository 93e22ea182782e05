// SPDX-License-Identifier: BSD-3-Clause
// The kid context of RFC 8613 appendix B.2: a CBOR byte string around an ID Context, or around a
// part of one.

#ifndef POSTERN_DATAPLANE_OSCORE_KID_CONTEXT_H
#define POSTERN_DATAPLANE_OSCORE_KID_CONTEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define OSC_BSTR_HEAD_MAX 2 // bytes in front of at most 255

// Finds what is in the byte string that all of `data` is; *bytes points into data. False if it is
// no byte string, is not written the shortest way (RFC 8949 section 4.2.1), or has bytes behind it.
bool osc_bstr_read(const uint8_t *data, size_t len, const uint8_t **bytes, uint8_t *bytes_len)
	__attribute__((warn_unused_result));
// Writes the head of a byte string of so many bytes. Returns its length, 1 or 2.
unsigned osc_bstr_head(uint8_t head[OSC_BSTR_HEAD_MAX], uint8_t len);

#endif
