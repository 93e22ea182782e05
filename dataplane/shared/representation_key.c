// SPDX-License-Identifier: BSD-3-Clause

#include "dataplane/shared/representation_key.h"

#include "dataplane/shared/policy.h"

#define KEY_HEAD (3 * 8) // bytes in front of the options

// In the place of the number of an option. No option has it: it is reserved (RFC 7252
// section 12.2).
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

// Up to 8 bytes as a word with zeros behind them. Single bytes in memory, read as a word, would be
// waited for.
static inline uint64_t word_of(const uint8_t *bytes, unsigned len)
{
	if (len >= 8)
		return keyed_hash_read8(bytes);
	if (len >= 4)
		return keyed_hash_read4(bytes) |
			(uint64_t)keyed_hash_read4(bytes + len - 4) << 8 * (len - 4);
	if (!len)
		return 0;
	return bytes[0] | (uint64_t)bytes[len / 2] << 8 * (len / 2) |
		(uint64_t)bytes[len - 1] << 8 * (len - 1);
}

// Adds number, length and value. False: there is no room.
static inline bool part_add(
	struct dp_rep_key *key, uint16_t number, const uint8_t *value, uint16_t len)
{
	unsigned words = 1 + (len + 7u) / 8;
	uint64_t *at = key->word + key->len / 8;

	if (key->len + 8 * words > DP_REP_KEY_MAX)
		return false;
	*at++ = (uint64_t)number << 16 | len;
	for (unsigned i = 0; i < len; i += 8)
		*at++ = word_of(value + i, len - i);
	key->len += 8 * words;
	return true;
}

bool dp_rep_key_make(struct dp_rep_key *key, const struct keyed_hash *hash,
	const struct dp_rep_asker *asker, const struct coap_body *body)
{
	struct coap_option_iter iter;
	struct coap_option option;

	key->word[0] = asker->route;
	key->word[1] = asker->shared ? 0 : (uint64_t)asker->generation << 32 | asker->context;
	key->word[2] = (uint64_t)asker->code << 8 | asker->shared;
	key->len = KEY_HEAD;
	key->shaped = false;
	coap_option_iter_init(&iter, body);
	while (coap_option_next(&iter, &option)) {
		if (is_left_out(option.number)) {
			key->shaped |=
				option.number == COAP_OPT_ETAG || option.number == COAP_OPT_BLOCK2;
			continue;
		}
		if (option.number == COAP_OPT_IF_MATCH || option.number == COAP_OPT_IF_NONE_MATCH ||
			option.number == COAP_OPT_BLOCK1 ||
			!part_add(key, option.number, option.value, option.len))
			return false;
	}
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

// The part of a key at *at, and moves *at behind it.
static struct coap_option part_read(const uint8_t *key, uint16_t *at)
{
	uint64_t word;

	memcpy(&word, key + *at, sizeof(word));
	const struct coap_option option = {
		.number = word >> 16, .len = word & UINT16_MAX, .value = key + *at + 8};

	*at += 8 + (option.len + 7) / 8 * 8;
	return option;
}

uint8_t dp_rep_key_path(const uint8_t *key, uint16_t len, struct dp_path *path, uint64_t *cache_id)
{
	memcpy(cache_id, key, sizeof(*cache_id));
	path->count = 0;
	for (uint16_t at = KEY_HEAD; at < len;) {
		const struct coap_option option = part_read(key, &at);

		if (option.number == COAP_OPT_URI_PATH && !dp_path_add(path, &option))
			return 0;
	}
	return dp_rep_key_code(key);
}

uint16_t dp_rep_key_request(const uint8_t *key, uint16_t len, uint8_t *out, uint16_t room)
{
	struct coap_writer w;

	coap_writer_init(&w, out, room);
	for (uint16_t at = KEY_HEAD; at < len;) {
		const struct coap_option option = part_read(key, &at);

		if (option.number == PAYLOAD_NUMBER)
			coap_write_payload(&w, option.value, option.len);
		else
			coap_write_option(&w, option.number, option.value, option.len);
	}
	return coap_writer_len(&w);
}
