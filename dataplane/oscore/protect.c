// SPDX-License-Identifier: BSD-3-Clause

#include "dataplane/oscore/protect.h"

#include <assert.h>
#include <endian.h>
#include <string.h>

// The ids and PIVs are moved as big-endian numbers in registers, with a few wide stores that
// overlap: byte by byte, nonce and AAD took 30 ns, more than the encryption of a short message.

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

// Writes a CBOR byte string of len <= 7 bytes, and zeros up to 9 bytes. Returns the end of the
// string.
static inline uint8_t *put_bytes(uint8_t *at, uint64_t number, unsigned len)
{
	*at++ = (uint8_t)(0x40 | len);
	store64(at, number << 8 << 8 * (7 - len));
	return at + len;
}

void osc_nonce(uint8_t *nonce, enum aead_alg alg, const uint8_t *common_iv, const uint8_t *id,
	uint8_t id_len, uint64_t piv)
{
	const unsigned len = aead_algs[alg].nonce_len;

	assert(id_len <= len - 6 && piv <= OSC_PIV_MAX);
	assert(len == 12 || len == 13);
	// Length of the id (1 byte), the id (nonce_len - 6 bytes), the PIV (5 bytes).
	uint64_t number = load_id(id, id_len);
	uint64_t first = (uint64_t)id_len << 56 | (len == 13 ? number : number << 8 | piv >> 32);
	uint64_t last = number << 40 | piv;
	first ^= load64(common_iv);
	last ^= load64(common_iv + len - 8);
	store64(nonce, first);
	store64(nonce + len - 8, last);
}

// Enc_structure = ["Encrypt0", h'', bstr .cbor [1, [alg], request_kid, request_piv, h'']], up to
// the algorithm, behind two bytes of length; zeros behind it.
static const uint8_t aad_start[OSC_AAD_ROOM] = {0, 0, 0x83, 0x68, 'E', 'n', 'c', 'r', 'y', 'p', 't',
	'0', 0x40, 0 /* bstr: its length */, 0x85, 0x01 /* oscore_version */, 0x81};
#define ARRAY_AT      14 // the array, in the above
#define ARRAY_LEN_MAX (1 + 1 + 1 + 2 + (1 + OSC_KID_LEN_MAX) + (1 + OSC_PIV_LEN_MAX) + 1)
_Static_assert(ARRAY_LEN_MAX < 24, "the head of the byte string around the array is one byte");
_Static_assert(ARRAY_AT + ARRAY_LEN_MAX + 8 <= OSC_AAD_ROOM,
	"room for the AAD, and for the zeros that a wide store writes behind a value");
_Static_assert(OSC_AAD_ROOM % 16 == 0, "zeroed up to a multiple of 16");

uint16_t osc_aad(uint8_t buf[OSC_AAD_ROOM], enum aead_alg alg, const uint8_t *kid, uint8_t kid_len,
	uint64_t piv)
{
	uint8_t *const array = buf + ARRAY_AT;
	uint8_t *at = array + 3;
	const uint8_t cose = (uint8_t)aead_algs[alg].cose;

	assert(kid_len <= OSC_KID_LEN_MAX && piv <= OSC_PIV_MAX);
	memcpy(buf, aad_start, OSC_AAD_ROOM);
	if (cose >= 24)
		*at++ = 0x18;
	*at++ = cose;
	at = put_bytes(at, load_id(kid, kid_len), kid_len);
	at = put_bytes(at, piv, piv_len(piv));
	*at++ = 0x40; // no class I options exist
	array[-1] = (uint8_t)(0x40 | (at - array));
	buf[1] = (uint8_t)(at - buf - 2);
	return buf[1];
}

void osc_op_prepare(struct aead_op *op, uint8_t aad[OSC_AAD_ROOM], const struct osc_op_input *input)
{
	const struct osc_id_piv *request = &input->request, *made = &input->nonce;
	uint8_t nonce[AEAD_NONCE_MAX];

	op->key = input->key;
	op->aad = aad;
	op->in = input->in;
	op->out = input->out;
	op->aad_len = osc_aad(aad, input->alg, request->id, request->id_len, request->piv);
	op->len = input->len;
	op->result = AEAD_FAILED;
	osc_nonce(nonce, input->alg, input->common_iv, made->id, made->id_len, made->piv);
	aead_op_nonce(op, input->alg, nonce);
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
