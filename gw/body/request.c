// SPDX-License-Identifier: BSD-3-Clause

#include "gw/body/request.h"

#include <sodium.h>
#include <string.h>

_Static_assert(BODY_KEY_LEN == crypto_shorthash_siphashx24_BYTES, "a key is a SipHash-2-4-128");
_Static_assert(BODY_SECRET_LEN == crypto_shorthash_siphashx24_KEYBYTES, "keyed by the secret");

// A keyed hash over pieces, of which the room takes many before it is hashed.
struct mix {
	const uint8_t *secret;
	size_t len;
	uint8_t room[1024];
};

static void mix_hash(struct mix *mix)
{
	uint8_t hash[BODY_KEY_LEN];

	crypto_shorthash_siphashx24(hash, mix->room, mix->len, mix->secret);
	memcpy(mix->room, hash, sizeof(hash));
	mix->len = sizeof(hash);
}

static void mix_add(struct mix *mix, const uint8_t *bytes, size_t len)
{
	while (len) {
		size_t n = sizeof(mix->room) - mix->len;

		n = n < len ? n : len;
		memcpy(mix->room + mix->len, bytes, n);
		mix->len += n;
		bytes += n;
		len -= n;
		if (mix->len == sizeof(mix->room))
			mix_hash(mix);
	}
}

// Options that differ between the blocks of one body, or that are not the body's (RFC 7959 section
// 2, RFC 9175 section 3.3). If-None-Match is sent with the first block only (section 2.10), so the
// body remembers it.
static bool in_key(uint16_t number)
{
	switch (number) {
	case COAP_OPT_BLOCK1:
	case COAP_OPT_BLOCK2:
	case COAP_OPT_SIZE1:
	case COAP_OPT_SIZE2:
	case COAP_OPT_ETAG:
	case COAP_OPT_OBSERVE:
	case COAP_OPT_CONTENT_FORMAT:
	case COAP_OPT_NO_RESPONSE:
	case COAP_OPT_HOP_LIMIT:
	case COAP_OPT_ECHO:
	case COAP_OPT_IF_NONE_MATCH:
		return false;
	default:
		return true;
	}
}

void body_digest(uint8_t digest[BODY_KEY_LEN], const uint8_t secret[BODY_SECRET_LEN],
	uint32_t content_format, const uint8_t *payload, size_t len)
{
	uint8_t both[BODY_KEY_LEN + sizeof(content_format)];

	crypto_shorthash_siphashx24(both, payload, len, secret);
	memcpy(both + BODY_KEY_LEN, &content_format, sizeof(content_format));
	crypto_shorthash_siphashx24(digest, both, sizeof(both), secret);
}

void body_request_name(struct body_request *r, const uint8_t secret[BODY_SECRET_LEN])
{
	struct mix mix = {.secret = secret};
	struct coap_option_iter iter;
	struct coap_option option;

	mix_add(&mix, &r->code, 1);
	coap_option_iter_init(&iter, r->message);
	while (coap_option_next(&iter, &option)) {
		const uint8_t head[] = {(uint8_t)(option.number >> 8), (uint8_t)option.number,
			(uint8_t)(option.len >> 8), (uint8_t)option.len};

		if (!in_key(option.number))
			continue;
		mix_add(&mix, head, sizeof(head));
		mix_add(&mix, option.value, option.len);
	}
	mix_hash(&mix);
	memcpy(r->key, mix.room, sizeof(r->key));
	memset(r->digest, 0, sizeof(r->digest));
	if (r->code == COAP_FETCH && r->message->payload &&
		!(r->has_block1 && (r->block1.num || r->block1.more)))
		body_digest(r->digest, secret, r->content_format, r->message->payload,
			r->message->payload_len);
}

bool body_options_whole(const struct coap_body *message, uint8_t *out, size_t room, uint16_t *len)
{
	struct coap_option_iter iter;
	struct coap_option option;
	struct coap_writer w;

	coap_writer_init(&w, out, room);
	coap_option_iter_init(&iter, message);
	while (coap_option_next(&iter, &option)) {
		switch (option.number) {
		case COAP_OPT_BLOCK1:
		case COAP_OPT_BLOCK2:
		case COAP_OPT_SIZE1:
		case COAP_OPT_SIZE2:
		case COAP_OPT_REQUEST_TAG:
			break;
		default:
			coap_write_option(&w, option.number, option.value, option.len);
		}
	}
	*len = (uint16_t)coap_writer_len(&w);
	return !w.failed;
}

// Options of a wrong length and repeated ones were refused if they are critical; others are as if
// they were not there (RFC 7252 section 5.4.3).
static bool option_take(struct body_request *r, const struct coap_option *option)
{
	switch (option->number) {
	case COAP_OPT_BLOCK1:
		r->has_block1 = true;
		return coap_block_read(&r->block1, option) && r->block1.szx != COAP_SZX_RESERVED;
	case COAP_OPT_BLOCK2:
		r->has_block2 = true;
		return coap_block_read(&r->block2, option) && r->block2.szx != COAP_SZX_RESERVED;
	case COAP_OPT_SIZE1:
		if (!r->has_size1)
			r->has_size1 = coap_option_uint(option, &r->size1);
		break;
	case COAP_OPT_IF_NONE_MATCH:
		r->if_none_match = true;
		break;
	case COAP_OPT_CONTENT_FORMAT:
		if (option->len <= 2 && r->content_format == BODY_NO_FORMAT)
			(void)coap_option_uint(option, &r->content_format);
		break;
	default:
		break;
	}
	return true;
}

bool body_request_read(struct body_request *r, const uint8_t secret[BODY_SECRET_LEN], uint8_t code,
	const struct coap_body *message)
{
	struct coap_option_iter iter;
	struct coap_option option;
	bool ok = true;

	*r = (struct body_request){
		.code = code,
		.content_format = BODY_NO_FORMAT,
		.message = message,
	};
	coap_option_iter_init(&iter, message);
	while (coap_option_next(&iter, &option))
		ok &= option_take(r, &option);
	if (r->has_block1 && (code == COAP_GET || code == COAP_DELETE))
		return false;
	if (r->has_block1 && r->has_block2 && r->block2.num)
		return false;
	if (ok && (r->has_block1 || body_request_is_part(r)))
		body_request_name(r, secret);
	return ok;
}
