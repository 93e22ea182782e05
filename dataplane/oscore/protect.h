// SPDX-License-Identifier: BSD-3-Clause
// Prepares one message for aead_open_batch() or aead_seal_batch(): nonce, AAD and struct aead_op
// (RFC 8613 sections 5.2, 5.4 and 8).

#ifndef POSTERN_DATAPLANE_OSCORE_PROTECT_H
#define POSTERN_DATAPLANE_OSCORE_PROTECT_H

#include "crypto/aead_algs.h"
#include "dataplane/coap/message.h"
#include "dataplane/oscore/context.h"
#include "dataplane/oscore/option.h"

#include <endian.h>

// Bytes for the AAD of one message in the form of struct aead_op: 2 bytes of length, an
// Enc_structure of at most 32 bytes, zeros up to a multiple of 16.
#define OSC_AAD_ROOM 48

// Writes the nonce (section 5.2), aead_algs[alg].nonce_len bytes. id is the Sender ID of the
// endpoint that generated the PIV.
void osc_nonce(uint8_t *nonce, enum aead_alg alg, const uint8_t *common_iv, const uint8_t *id,
	uint8_t id_len, uint64_t piv);

// Writes the AAD (section 5.4) with its 2 bytes of length and its padding. kid and piv are those of
// the request, for a response too. Returns the bytes of the AAD alone.
uint16_t osc_aad(uint8_t buf[OSC_AAD_ROOM], enum aead_alg alg, const uint8_t *kid, uint8_t kid_len,
	uint64_t piv);

// Returns the length of the plaintext in a ciphertext of this length, which includes the tag, or -1
// if there is no room for even a code in it.
static inline int osc_plaintext_len(enum aead_alg alg, size_t ciphertext_len)
{
	size_t tag_len = aead_algs[alg].tag_len;

	return ciphertext_len > tag_len && ciphertext_len <= UINT16_MAX
		? (int)(ciphertext_len - tag_len)
		: -1;
}

// An id, and a Partial IV that the endpoint with this id generated.
struct osc_id_piv {
	const uint8_t *id;
	uint8_t id_len; // bytes
	uint64_t piv;
};

// All that one message is opened or sealed with. The caller owns what is pointed to.
struct osc_op_input {
	enum aead_alg alg;
	const uint8_t *key, *common_iv;
	struct osc_id_piv request; // kid and PIV of the request, for the AAD
	// For the nonce: equal to `request` for a request and for the one response that may reuse
	// the request's nonce; id and PIV of the sender for every other response (section 8.3).
	struct osc_id_piv nonce;
	const uint8_t *in; // as in struct aead_op
	uint8_t *out;
	uint16_t len; // bytes of plaintext
};

// Fills in op, and writes the AAD to aad, to which op then points: the caller keeps aad, and what
// the input points to, until the batch is done. The struct itself may go.
void osc_op_prepare(
	struct aead_op *op, uint8_t aad[OSC_AAD_ROOM], const struct osc_op_input *input);

// Fills in the op of the one answer that reuses the nonce of its request (section 5.2): nonce and
// AAD are those of the request's op, whose AAD the caller keeps until the batch is done; key is the
// sender key. Both ops may be the same.
static inline void osc_op_again(struct aead_op *op, const struct aead_op *request,
	const uint8_t *key, const uint8_t *in, uint8_t *out, uint16_t len)
{
	uint64_t first, last;

	memcpy(&first, request->b0, sizeof(first));
	memcpy(&last, request->b0 + 8, sizeof(last));
	last = htobe64((be64toh(last) & ~UINT64_C(0xffff)) | len);
	op->key = key;
	op->aad = request->aad;
	op->in = in;
	op->out = out;
	op->aad_len = request->aad_len;
	op->len = len;
	op->result = AEAD_FAILED;
	memcpy(op->b0, &first, sizeof(first));
	memcpy(op->b0 + 8, &last, sizeof(last));
}

// What the answer takes from the op of its request, kept for later, or for who makes the answer. No
// secret.
struct osc_opened {
	uint64_t b0[2];
	uint8_t aad[OSC_AAD_ROOM]; // begins with its length; 0: nothing is kept
};
_Static_assert(sizeof(struct osc_opened) == 64, "a cache line");

static inline uint16_t osc_opened_aad_len(const struct osc_opened *kept)
{
	return (uint16_t)(kept->aad[0] << 8 | kept->aad[1]);
}

static inline void osc_opened_keep(struct osc_opened *kept, const struct aead_op *request)
{
	memcpy(&kept->b0[0], request->b0, 8);
	memcpy(&kept->b0[1], request->b0 + 8, 8);
	memcpy(kept->aad, request->aad, OSC_AAD_ROOM);
}

// Makes of it what osc_op_again() takes from the request's op. It points into *kept.
static inline void osc_opened_op(const struct osc_opened *kept, struct aead_op *request)
{
	memcpy(request->b0, kept->b0, sizeof(kept->b0));
	request->aad = kept->aad;
	request->aad_len = osc_opened_aad_len(kept);
}

// As osc_op_again(), from what was kept, which the caller keeps until the batch is done.
static inline void osc_op_later(struct aead_op *op, const struct osc_opened *kept,
	const uint8_t *key, const uint8_t *in, uint8_t *out, uint16_t len)
{
	uint64_t last = htobe64((be64toh(kept->b0[1]) & ~UINT64_C(0xffff)) | len);

	op->key = key;
	op->aad = kept->aad;
	op->in = in;
	op->out = out;
	op->aad_len = osc_opened_aad_len(kept);
	op->len = len;
	op->result = AEAD_FAILED;
	memcpy(op->b0, &kept->b0[0], 8);
	memcpy(op->b0 + 8, &last, 8);
}

// Where an option belongs (RFC 8613 figure 5). An unknown option is class E (section 4.1).
enum osc_option_class {
	OSC_CLASS_E = 1,  // encrypted: read from the inner message
	OSC_CLASS_U = 2,  // unprotected: read from the outer message
	OSC_CLASS_EU = 3, // either or both, with meanings of their own
};
// Returns the class of an option number.
enum osc_option_class osc_option_class(uint16_t number);

#endif
