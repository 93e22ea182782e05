// SPDX-License-Identifier: BSD-3-Clause

#include "dataplane/shared/representation_key.h"

// Of two options with the same bits none is a prefix of the other, and neither is the payload's.
#define PAYLOAD_NUMBER UINT16_MAX

// Whether an option is no part of the key. Size1, Size2 and Echo are NoCacheKey by their numbers.
static inline bool is_left_out(uint16_t number)
{
	if ((number & 0x1e) == 0x1c) // RFC 7252 section 5.4.6
		return true;
	return number == COAP_OPT_ETAG || number == COAP_OPT_OBSERVE || number == COAP_OPT_BLOCK2 ||
		number == COAP_OPT_NO_RESPONSE || number == COAP_OPT_HOP_LIMIT;
}

uint64_t dp_rep_hash(const struct keyed_hash *hash, const uint8_t *bytes, size_t len)
{
	uint64_t sum = keyed_hash(hash, bytes, len); // of the first KEYED_HASH_MAX

	for (size_t at = KEYED_HASH_MAX; at < len; at += KEYED_HASH_MAX)
		sum = keyed_hash_words(hash, sum, keyed_hash(hash, bytes + at, len - at));
	return sum;
}

// Adds number, length and value. False: there is no room.
static inline bool part_add(
	struct dp_rep_key *key, uint16_t number, const uint8_t *value, uint16_t len)
{
	uint8_t *at = key->bytes + key->len;

	if (key->len + 4u + len > DP_REP_KEY_MAX)
		return false;
	at[0] = number >> 8;
	at[1] = number & 0xff;
	at[2] = len >> 8;
	at[3] = len & 0xff;
	memcpy(at + 4, value, len);
	key->len += 4 + len;
	return true;
}

bool dp_rep_key_make(struct dp_rep_key *key, const struct keyed_hash *hash,
	const struct dp_rep_asker *asker, const struct coap_body *body)
{
	struct coap_option_iter iter;
	struct coap_option option;
	uint64_t device = asker->shared ? 0 : (uint64_t)asker->generation << 32 | asker->context;

	memcpy(key->bytes, &asker->route, sizeof(asker->route));
	memcpy(key->bytes + 8, &device, sizeof(device));
	key->bytes[16] = asker->code;
	key->bytes[17] = asker->shared;
	key->len = 18;
	coap_option_iter_init(&iter, body);
	while (coap_option_next(&iter, &option))
		if (!is_left_out(option.number) &&
			!part_add(key, option.number, option.value, option.len))
			return false;
	if (asker->code == COAP_FETCH && body->payload &&
		!part_add(key, PAYLOAD_NUMBER, body->payload, body->payload_len))
		return false;
	key->hash = dp_rep_hash(hash, key->bytes, key->len);
	return true;
}

uint64_t dp_rep_path_hash(const struct keyed_hash *hash, const struct coap_body *body)
{
	struct coap_option_iter iter;
	struct coap_option option;
	uint64_t sum = 0;

	coap_option_iter_init(&iter, body);
	while (coap_option_next(&iter, &option))
		if (option.number == COAP_OPT_URI_PATH)
			sum = keyed_hash_words(
				hash, sum, dp_rep_hash(hash, option.value, option.len));
	return sum;
}
