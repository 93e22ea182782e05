// SPDX-License-Identifier: BSD-3-Clause
// Answers from what is stored: the whole representation, a block of it, or that the one that the
// device has is valid (RFC 7252 section 5.6).

#ifndef POSTERN_DATAPLANE_SHARED_REPRESENTATION_ANSWER_H
#define POSTERN_DATAPLANE_SHARED_REPRESENTATION_ANSWER_H

#include "base/bytes.h"
#include "dataplane/shared/representation.h"

#include <stddef.h>
#include <stdint.h>

// What an answer may be: so many bytes of plaintext, so many of them payload.
struct dp_rep_room {
	uint16_t plaintext;
	uint16_t payload;
};

// Writes the plaintext of the answer to a request whose key the representation has: code, ETag,
// Content-Format, Max-Age (the whole seconds that are left of its freshness; unsaid if it is 60, as
// RFC 7252 section 5.10.5 has it), Block2 and Size2 if need be, payload. 2.03 and no payload if the
// request has its ETag. Returns the length, at most room->plaintext, which is at least 64; never 0.
uint16_t dp_rep_answer_write(const struct dp_representation *rep, const struct coap_body *request,
	uint64_t now_ms, const struct dp_rep_room *room, uint8_t *out);

// ---- the usual answer: whole, to a request that is not `shaped` (representation_key.h)

#define DP_REP_MAX_AGE_DEFAULT 60 // seconds that a missing Max-Age means
#define DP_REP_WHOLE_OVER      16 // bytes that dp_rep_whole_write() may write behind the plaintext

// The whole seconds of freshness that are left.
static inline uint32_t dp_rep_max_age(const struct dp_representation *rep, uint64_t now_ms)
{
	if (rep->fresh_ms == UINT64_MAX)
		return rep->max_age_s;
	uint64_t left = rep->fresh_ms > now_ms ? (rep->fresh_ms - now_ms) / 1000 : 0;

	return left < UINT32_MAX ? (uint32_t)left : UINT32_MAX;
}

// Bytes of a uint option's value (RFC 7252 section 3.2).
static inline unsigned dp_rep_uint_len(uint32_t value)
{
	return value ? 4 - __builtin_clz(value) / 8 : 0;
}

// Its length, however large; `age` is dp_rep_max_age().
static inline uint32_t dp_rep_whole_len(const struct dp_representation *rep, uint32_t age)
{
	unsigned option =
		age == DP_REP_MAX_AGE_DEFAULT ? 0 : 1 + !rep->head_number + dp_rep_uint_len(age);

	return rep->head_len + option + (rep->payload_len ? 1 + rep->payload_len : 0);
}

// Writes what dp_rep_answer_write() writes of it.
static inline void dp_rep_whole_write(
	const struct dp_representation *rep, uint32_t age, uint8_t *out)
{
	unsigned len = dp_rep_uint_len(age);

	memcpy(out, rep->head, DP_REP_HEAD_MAX);
	out += rep->head_len;
	if (age != DP_REP_MAX_AGE_DEFAULT) {
		uint32_t value = __builtin_bswap32(age << 8 * (4 - len) % 32);
		unsigned delta = COAP_OPT_MAX_AGE - rep->head_number;

		if (delta > COAP_OPT_NIBBLE_PLAIN) {
			*out++ = 13 << 4 | len;
			*out++ = delta - 13;
		} else {
			*out++ = delta << 4 | len;
		}
		memcpy(out, &value, 4);
		out += len;
	}
	if (!rep->payload_len)
		return;
	*out++ = COAP_PAYLOAD_MARK;
	memcpy(out, dp_rep_payload(rep), rep->payload_len);
}

// The least that struct dp_rep_room may say of a plaintext.
#define DP_REP_ROOM_LEAST 64

// The same for a notification (RFC 7641 section 4.2): with an empty Observe and this Max-Age, in
// blocks of up to szx, 7 if the device did not say; of one larger than the room, the first block.
uint16_t dp_rep_notification_write(const struct dp_representation *rep, uint8_t szx,
	uint32_t max_age, const struct dp_rep_room *room, uint8_t *out);

#endif
