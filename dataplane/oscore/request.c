// SPDX-License-Identifier: BSD-3-Clause

#include "dataplane/oscore/request.h"

#include "dataplane/coap/wire.h"

#include <string.h>

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "the first byte of a word is its lowest");

#define HEADER_LEN 4

// Reads an option's value, behind which OSC_USUAL_CIPHER_MIN bytes and more may be read. False if
// osc_option_parse() is to look at it.
static inline bool option_usual(struct osc_option *option, const uint8_t *value, size_t len)
{
	const uint8_t flags = value[0];
	const unsigned piv_len = flags & OSC_FLAG_PIV_LEN;
	size_t kid_at = 1 + piv_len;
	uint64_t word;

	// A PIV of several bytes does not begin with 0.
	if ((flags & (OSC_FLAG_RESERVED | OSC_FLAG_KID)) != OSC_FLAG_KID || !piv_len ||
		piv_len > OSC_PIV_LEN_MAX || (piv_len > 1 && !value[1]))
		return false;
	*option = (struct osc_option){.piv_len = (uint8_t)piv_len, .has_kid = true};
	if (flags & OSC_FLAG_KID_CONTEXT) {
		option->has_kid_context = true;
		option->kid_context_len = value[kid_at];
		option->kid_context = value + kid_at + 1;
		kid_at += 1u + option->kid_context_len;
	}
	if (len < kid_at || len > kid_at + OSC_KID_LEN_MAX)
		return false;
	memcpy(&word, value + 1, sizeof(word));
	option->piv = __builtin_bswap64(word) >> (64 - 8 * piv_len);
	option->kid = value + kid_at;
	option->kid_len = (uint8_t)(len - kid_at);
	return true;
}

bool osc_request_usual(
	struct coap_msg *msg, struct osc_option *option, const uint8_t *data, size_t len)
{
	uint32_t head;

	// Header, token, and two bytes of an option.
	if (len < HEADER_LEN + OSC_USUAL_TOKEN_MAX + 2 || len > UINT16_MAX)
		return false;
	memcpy(&head, data, sizeof(head));
	const unsigned token_len = head & 0xf;
	const uint8_t code = (uint8_t)(head >> 8);

	// The version, and of the type the bit that ACK and RST have.
	if ((head & 0xe0) != COAP_VERSION << 6 || token_len > OSC_USUAL_TOKEN_MAX || !code ||
		COAP_CODE_CLASS(code))
		return false;
	const uint8_t *at = data + HEADER_LEN + token_len, *value = at + 1;
	size_t value_len = at[0] & 0xf;

	if (value_len == WIRE_EXT8)
		value_len = WIRE_EXT8_MIN + (size_t)*value++;
	else if (value_len > WIRE_EXT8)
		return false;
	const size_t before = (size_t)(value - data) + value_len + 1; // of the payload

	if (at[0] >> 4 != COAP_OPT_OSCORE || len < before + OSC_USUAL_CIPHER_MIN ||
		value[value_len] != COAP_PAYLOAD_MARK || !option_usual(option, value, value_len))
		return false;
	*msg = (struct coap_msg){
		.type = head >> 4 & 1,
		.code = code,
		.mid = __builtin_bswap16((uint16_t)(head >> 16)),
		.token_len = (uint16_t)token_len,
		.token = data + HEADER_LEN,
		.body =
			{
				.options = at,
				.payload = data + before,
				.options_len = (uint16_t)(value + value_len - at),
				.payload_len = (uint16_t)(len - before),
				.option_count = 1,
				.oscore_len = (uint16_t)value_len,
				.oscore = value,
				.oscore_count = 1,
			},
	};
	return true;
}
