// SPDX-License-Identifier: BSD-3-Clause
// The OSCORE option (RFC 8613 sections 2 and 6.1): flag byte, Partial IV, kid context, kid.

#ifndef POSTERN_DATAPLANE_OSCORE_OPTION_H
#define POSTERN_DATAPLANE_OSCORE_OPTION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define OSC_PIV_LEN_MAX 5                         // bytes
#define OSC_PIV_MAX     ((UINT64_C(1) << 40) - 1) // RFC 8613 section 7.2.1
#define OSC_KID_LEN_MAX 7                         // bytes: nonce length 13 minus 6
// Flag byte, PIV, length of kid context, kid context, kid.
#define OSC_OPTION_LEN_MAX (1 + OSC_PIV_LEN_MAX + 1 + 255 + OSC_KID_LEN_MAX)

// The flag byte (RFC 8613 section 6.1): 0 0 0 h k n n n.
#define OSC_FLAG_RESERVED    0xe0
#define OSC_FLAG_KID_CONTEXT 0x10
#define OSC_FLAG_KID         0x08
#define OSC_FLAG_PIV_LEN     0x07

enum osc_option_verdict {
	OSC_OPTION_OK = 0,
	OSC_OPTION_RESERVED,  // reserved flag bits set, or n of 6 or 7
	OSC_OPTION_TRUNCATED, // PIV, s or kid context run past the end
	OSC_OPTION_TRAILING,  // bytes behind a value without kid; a flag byte of 0; above 255 bytes
	OSC_OPTION_PIV_PADDED, // the PIV begins with a needless zero byte (section 5)
};

struct osc_option {
	uint64_t piv;
	const uint8_t *kid;
	const uint8_t *kid_context;
	uint8_t piv_len;         // bytes; 0: there is no Partial IV (the PIV 0 has one byte)
	uint8_t kid_len;         // bytes; may exceed OSC_KID_LEN_MAX, and then no context matches
	uint8_t kid_context_len; // bytes
	bool has_kid;            // a kid of 0 bytes is legal, and not the same as no kid
	bool has_kid_context;
};

// Parses an option value; the pointers of *option point into data. An empty value is legal: it has
// neither PIV nor kid.
enum osc_option_verdict osc_option_parse(struct osc_option *option, const uint8_t *data, size_t len)
	__attribute__((warn_unused_result));
// Where a value is malformed that osc_option_parse() refused: the offset of the field that is wrong
// or runs past the end.
size_t osc_option_bad_at(const uint8_t *data, size_t len);
// Writes an option value into buf, which has `room` bytes: the PIV unless piv_len is 0, the kid if
// has_kid, the kid context if has_kid_context. Returns its length in bytes (0 for the empty value),
// or -1 if it does not fit.
int osc_option_encode(const struct osc_option *option, uint8_t *buf, size_t room)
	__attribute__((warn_unused_result));

// Writes a PIV in as few bytes as possible, at least 1 (section 6.1). Returns how many.
unsigned osc_piv_encode(uint64_t piv, uint8_t buf[OSC_PIV_LEN_MAX]);

#endif
