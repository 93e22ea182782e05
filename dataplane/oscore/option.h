// SPDX-License-Identifier: BSD-3-Clause
// The OSCORE option (RFC 8613 sections 2 and 6.1): flag byte, Partial IV, kid context, kid.

#ifndef POSTERN_OSCORE_OPTION_H
#define POSTERN_OSCORE_OPTION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define OSC_PIV_LEN_MAX 5                         // bytes
#define OSC_PIV_MAX     ((UINT64_C(1) << 40) - 1) // RFC 8613 section 7.2.1
#define OSC_KID_LEN_MAX 7                         // bytes: nonce length 13 minus 6
// Flag byte, PIV, length of kid context, kid context, kid.
#define OSC_OPTION_LEN_MAX (1 + OSC_PIV_LEN_MAX + 1 + 255 + OSC_KID_LEN_MAX)

enum osc_option_verdict {
	OSC_OPTION_OK = 0,
	OSC_OPTION_RESERVED,   // reserved flag bits set, or n of 6 or 7
	OSC_OPTION_TRUNCATED,  // PIV, s or kid context run past the end
	OSC_OPTION_TRAILING,   // bytes behind a value without kid, or a flag byte of 0
	OSC_OPTION_PIV_PADDED, // a leading zero byte: not in as few bytes as possible (section 5)
};

struct osc_option {
	uint64_t piv;
	const uint8_t *kid;
	const uint8_t *kid_context;
	uint8_t piv_len; // bytes; 0: there is no Partial IV (a PIV of 0 has one byte)
	uint8_t kid_len; // bytes; longer than OSC_KID_LEN_MAX is possible, no context has it
	uint8_t kid_context_len;
	bool has_kid; // a kid of no bytes is legal
	bool has_kid_context;
};

// The pointers of *option point into data. An empty value is legal and has nothing.
enum osc_option_verdict osc_option_parse(struct osc_option *option, const uint8_t *data, size_t len)
	__attribute__((warn_unused_result));
// Writes the value into buf[room]; uses has_kid, has_kid_context, and piv if piv_len is not 0.
// Returns its length in bytes (0 for the empty value), or -1 if it does not fit.
int osc_option_encode(const struct osc_option *option, uint8_t *buf, size_t room)
	__attribute__((warn_unused_result));

// Encodes a PIV in as few bytes as possible, 1 for 0 (section 6.1). Returns its length in bytes.
unsigned osc_piv_encode(uint64_t piv, uint8_t buf[OSC_PIV_LEN_MAX]);

#endif
