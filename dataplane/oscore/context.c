// SPDX-License-Identifier: BSD-3-Clause

#include "dataplane/oscore/context.h"

#include "crypto/hkdf.h"

#include <errno.h>
#include <sodium.h>
#include <string.h>

// The first bytes of CBOR items (RFC 8949).
#define CBOR_ARRAY(n) (0x80 | (n))
#define CBOR_UINT8    0x18 // a number of 24 or more follows in one byte
#define CBOR_TEXT(n)  (0x60 | (n))
#define CBOR_BYTES    0x40 // or-ed with a length below 24
#define CBOR_BYTES8   0x58 // the length follows in one byte
#define CBOR_NULL     0xf6

// Array, two byte strings, algorithm, "Key", length.
#define INFO_LEN_MAX (1 + (1 + OSC_KID_LEN_MAX) + (2 + OSC_ID_CONTEXT_LEN_MAX) + 2 + 4 + 2)

static uint8_t *put_uint(uint8_t *at, uint8_t value)
{
	if (value >= 24)
		*at++ = CBOR_UINT8;
	*at++ = value;
	return at;
}

static uint8_t *put_bytes(uint8_t *at, const uint8_t *bytes, uint8_t len)
{
	if (len < 24) {
		*at++ = CBOR_BYTES | len;
	} else {
		*at++ = CBOR_BYTES8;
		*at++ = len;
	}
	if (len)
		memcpy(at, bytes, len);
	return at + len;
}

// info = [id, id_context, alg_aead, type, L]
static int derive(uint8_t *out, uint8_t out_len, const uint8_t prk[HKDF_PRK_LEN],
	const struct osc_params *p, const uint8_t *id, uint8_t id_len, const char *type)
{
	uint8_t info[INFO_LEN_MAX];
	uint8_t *at = info;
	uint8_t type_len = (uint8_t)strlen(type);

	*at++ = CBOR_ARRAY(5);
	at = put_bytes(at, id, id_len);
	if (p->has_id_context)
		at = put_bytes(at, p->id_context, p->id_context_len);
	else
		*at++ = CBOR_NULL;
	at = put_uint(at, (uint8_t)aead_algs[p->alg].cose);
	*at++ = CBOR_TEXT(type_len);
	memcpy(at, type, type_len);
	at = put_uint(at + type_len, out_len);
	const struct hkdf_part part = {info, (size_t)(at - info)};

	return hkdf_sha256_expand(out, out_len, prk, &part, 1);
}

unsigned osc_id_len_max(enum aead_alg alg)
{
	return aead_algs[alg].nonce_len - 6u;
}

int osc_derive(struct osc_keys *keys, const struct osc_params *p)
{
	if ((unsigned)p->alg >= AEAD_ALG_COUNT || !p->secret_len ||
		p->secret_len > OSC_SECRET_LEN_MAX || p->salt_len > OSC_SECRET_LEN_MAX)
		return -EINVAL;
	if (p->sender_id_len > osc_id_len_max(p->alg) ||
		p->recipient_id_len > osc_id_len_max(p->alg))
		return -EINVAL;
	if (p->sender_id_len == p->recipient_id_len &&
		!memcmp(p->sender_id, p->recipient_id, p->sender_id_len))
		return -EINVAL;

	const struct aead_alg_info *alg = &aead_algs[p->alg];
	uint8_t prk[HKDF_PRK_LEN];

	hkdf_sha256_extract(prk, p->salt, p->salt_len, p->secret, p->secret_len);
	*keys = (struct osc_keys){0};
	int err = derive(
		keys->sender_key, alg->key_len, prk, p, p->sender_id, p->sender_id_len, "Key");
	if (!err)
		err = derive(keys->recipient_key, alg->key_len, prk, p, p->recipient_id,
			p->recipient_id_len, "Key");
	if (!err)
		err = derive(keys->common_iv, alg->nonce_len, prk, p, NULL, 0, "IV");
	sodium_memzero(prk, sizeof(prk));
	if (err)
		sodium_memzero(keys, sizeof(*keys));
	return err;
}
