// SPDX-License-Identifier: BSD-3-Clause

#include "dataplane/oscore/protect.h"

#include <assert.h>
#include <endian.h>
#include <stdbool.h>
#include <string.h>

// Nonce, B0 and AAD are put together in registers, as big-endian numbers, and stored once in whole
// words. Bytes that were stored in pieces and are loaded in wider ones stall the CPU until all of
// the stores are done: that took longer than the encryption of a short message.

static inline uint16_t load16(const uint8_t *p)
{
	uint16_t v;

	memcpy(&v, p, sizeof(v));
	return be16toh(v);
}

static inline uint32_t load32(const uint8_t *p)
{
	uint32_t v;

	memcpy(&v, p, sizeof(v));
	return be32toh(v);
}

static inline uint64_t load64(const uint8_t *p)
{
	uint64_t v;

	memcpy(&v, p, sizeof(v));
	return be64toh(v);
}

static inline void store64(uint8_t *p, uint64_t v)
{
	v = htobe64(v);
	memcpy(p, &v, sizeof(v));
}

// Reads an id of at most 7 bytes as a big-endian number.
static inline uint64_t load_id(const uint8_t *id, unsigned len)
{
	if (len >= 4)
		return (uint64_t)load32(id) << 8 * (len - 4) | load32(id + len - 4);
	if (len >= 2)
		return (uint64_t)load16(id) << 8 * (len - 2) | load16(id + len - 2);
	return len ? id[0] : 0;
}

static inline unsigned piv_len(uint64_t piv)
{
	return (unsigned)(64 - __builtin_clzll(piv | 1) + 7) / 8;
}

// A nonce, in 13 bytes: a zero follows one of 12.
struct nonce {
	uint64_t first; // bytes 0 to 7
	uint64_t last;  // bytes 8 to 12, below 2^40
};
#define LAST_MASK ((UINT64_C(1) << 40) - 1)

// Section 5.2: length of the id (1 byte), the id (nonce_len - 6 bytes), the PIV (5 bytes).
static inline struct nonce nonce_make(
	enum aead_alg alg, const uint8_t *common_iv, const struct osc_id_piv *made)
{
	const unsigned len = aead_algs[alg].nonce_len, up = 8 * (13 - len);
	const uint64_t piv = made->piv << up;

	assert(made->id_len <= len - 6 && made->piv <= OSC_PIV_MAX);
	assert(len == 12 || len == 13);
	return (struct nonce){
		.first = ((uint64_t)made->id_len << 56 | load_id(made->id, made->id_len) << up |
				 piv >> 40) ^
			load64(common_iv),
		.last = (piv ^ load64(common_iv + len - 8) << up) & LAST_MASK,
	};
}

void osc_nonce(uint8_t *nonce, enum aead_alg alg, const uint8_t *common_iv, const uint8_t *id,
	uint8_t id_len, uint64_t piv)
{
	const struct osc_id_piv made = {id, id_len, piv};
	const struct nonce n = nonce_make(alg, common_iv, &made);
	const unsigned len = aead_algs[alg].nonce_len;

	store64(nonce, n.first);
	store64(nonce + len - 8, n.first << 8 * (len - 8) | n.last >> 8 * (13 - len));
}

// Enc_structure = ["Encrypt0", h'', bstr .cbor [1, [alg], request_kid, request_piv, h'']] behind
// two bytes of length. Its first 16 bytes are these, but for the two lengths:
// 00 LEN 83 68 'E' 'n' 'c' 'r', 'y' 'p' 't' '0' 40 BSTR 85 01.
#define AAD_FIRST        UINT64_C(0x00008368456e6372)
#define AAD_SECOND       UINT64_C(0x7970743040408501)
#define REST_AT          16 // 81, the algorithm, and so on
#define REST_LEN_MAX     (1 + 2 + (1 + OSC_KID_LEN_MAX) + PIV_ITEM_LEN_MAX)
#define PIV_ITEM_LEN_MAX ((1 + OSC_PIV_LEN_MAX) + 1)
_Static_assert(2 + REST_LEN_MAX < 24, "the head of the byte string around the array is one byte");
_Static_assert(OSC_AAD_ROOM == 3 * 16 && REST_AT + REST_LEN_MAX <= OSC_AAD_ROOM, "three blocks");

static inline unsigned aad_write(
	uint8_t *buf, enum aead_alg alg, const uint8_t *kid, unsigned kid_len, uint64_t piv)
{
	const uint32_t cose = (uint32_t)aead_algs[alg].cose;
	const bool long_cose = cose >= 24;
	const unsigned n = piv_len(piv), kid_at = long_cose ? 4 : 3, piv_at = kid_at + kid_len;
	const unsigned rest_len = piv_at + 1 + n + 1, aad_len = REST_AT - 2 + rest_len;

	assert(kid_len <= OSC_KID_LEN_MAX && piv <= OSC_PIV_MAX);
	// The array of one algorithm and the head of the kid; the kid; the PIV and the empty string
	// of class I options. Each begins at the top of its number, and is then shifted to its
	// place.
	const uint32_t head = long_cose ? 0x81180040 | cose << 8 | kid_len
					: 0x81004000 | cose << 16 | kid_len << 8;
	const uint64_t id = load_id(kid, kid_len) << 8 << 8 * (7 - kid_len);
	const uint64_t last =
		(UINT64_C(0x40) | n) << 56 | piv << 8 * (7 - n) | UINT64_C(0x40) << 8 * (6 - n);
	const unsigned __int128 rest = (unsigned __int128)head << 96 |
		(unsigned __int128)id << 64 >> 8 * kid_at |
		(unsigned __int128)last << 64 >> 8 * piv_at;

	store64(buf, AAD_FIRST | (uint64_t)aad_len << 48);
	store64(buf + 8, AAD_SECOND | (uint64_t)(2 + rest_len) << 16);
	store64(buf + 16, (uint64_t)(rest >> 64));
	store64(buf + 24, (uint64_t)rest);
	// A kid of 7 bytes, or of 6 with a long algorithm number, leaves no room for a long PIV.
	store64(buf + 32, rest_len > 16 ? last << 8 * (16 - piv_at) : 0);
	store64(buf + 40, 0);
	return aad_len;
}

uint16_t osc_aad(uint8_t buf[OSC_AAD_ROOM], enum aead_alg alg, const uint8_t *kid, uint8_t kid_len,
	uint64_t piv)
{
	return (uint16_t)aad_write(buf, alg, kid, kid_len, piv);
}

void osc_op_prepare(struct aead_op *op, uint8_t aad[OSC_AAD_ROOM], const struct osc_op_input *input)
{
	const enum aead_alg alg = input->alg;
	const struct osc_id_piv *request = &input->request;
	const struct nonce nonce = nonce_make(alg, input->common_iv, &input->nonce);
	// There is always an AAD, and L is 2 (RFC 3610 section 2.2).
	const uint64_t flags = 0x40 | (aead_algs[alg].tag_len - 2u) / 2 << 3 | 1;
	const uint16_t len = input->len;

	op->key = input->key;
	op->aad = aad;
	op->in = input->in;
	op->out = input->out;
	op->aad_len = (uint16_t)aad_write(aad, alg, request->id, request->id_len, request->piv);
	op->len = len;
	op->result = AEAD_FAILED;
	store64(op->b0, flags << 56 | nonce.first >> 8);
	store64(op->b0 + 8, nonce.first << 56 | nonce.last << 16 | len);
}

// RFC 8613 figure 5, and the RFCs of later options. All others are class E.
enum osc_option_class osc_option_class(uint16_t number)
{
	switch (number) {
	case COAP_OPT_URI_HOST:
	case COAP_OPT_URI_PORT:
	case COAP_OPT_OSCORE:
	case COAP_OPT_EDHOC: // RFC 9668 section 3.1
	case COAP_OPT_PROXY_URI:
	case COAP_OPT_PROXY_SCHEME:
		return OSC_CLASS_U;
	case COAP_OPT_OBSERVE:
	case COAP_OPT_MAX_AGE:
	case COAP_OPT_HOP_LIMIT: // RFC 8768 names no class: clients put it inside, proxies outside
	case COAP_OPT_Q_BLOCK1:  // RFC 9177 section 4.1
	case COAP_OPT_BLOCK2:
	case COAP_OPT_BLOCK1:
	case COAP_OPT_SIZE2:
	case COAP_OPT_Q_BLOCK2:
	case COAP_OPT_SIZE1:
	case COAP_OPT_ECHO: // RFC 9175 section 2.2.1
	case COAP_OPT_NO_RESPONSE:
	case COAP_OPT_REQUEST_TAG: // RFC 9175 section 3.2.1
		return OSC_CLASS_EU;
	default:
		return OSC_CLASS_E;
	}
}
