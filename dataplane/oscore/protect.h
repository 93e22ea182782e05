// SPDX-License-Identifier: BSD-3-Clause
// Nonce, AAD and the AEAD operation of one message (RFC 8613 sections 5.2, 5.4 and 8), so that
// many of them make a batch for aead_open_batch() or aead_seal_batch().

#ifndef POSTERN_OSCORE_PROTECT_H
#define POSTERN_OSCORE_PROTECT_H

#include "crypto/aead_algs.h"
#include "dataplane/coap/message.h"
#include "dataplane/oscore/context.h"
#include "dataplane/oscore/option.h"

// Room for the AAD of one message as struct aead_op wants it: 2-byte prefix, Enc_structure of at
// most 32 bytes, zeros up to a multiple of 16.
#define OSC_AAD_ROOM 48

// Section 5.2. nonce has aead_algs[alg].nonce_len bytes. id is the id of who made the PIV.
void osc_nonce(uint8_t *nonce, enum aead_alg alg, const uint8_t *common_iv, const uint8_t *id,
	uint8_t id_len, uint64_t piv);

// Section 5.4, with prefix and padding. kid and piv are the request's, in a response too. piv_len
// is the length of the PIV in the request, which is minimal. Returns bytes of AAD without prefix
// and padding.
uint16_t osc_aad(uint8_t buf[OSC_AAD_ROOM], enum aead_alg alg, const uint8_t *kid, uint8_t kid_len,
	uint64_t piv);

// Length of the plaintext in a ciphertext of this length, or -1 if it cannot hold a code and a
// tag.
static inline int osc_plaintext_len(enum aead_alg alg, size_t ciphertext_len)
{
	size_t tag_len = aead_algs[alg].tag_len;

	return ciphertext_len > tag_len && ciphertext_len <= UINT16_MAX
		? (int)(ciphertext_len - tag_len)
		: -1;
}

// An id, and a Partial IV of its sequence numbers.
struct osc_id_piv {
	const uint8_t *id;
	uint8_t id_len; // bytes
	uint64_t piv;
};

// What one message is sealed or opened with; all pointers stay the caller's.
struct osc_op_input {
	enum aead_alg alg;
	const uint8_t *key, *common_iv;
	struct osc_id_piv request; // kid and PIV of the request, which the AAD names
	// What the nonce is made of: the same as request for a request and for the one response
	// that uses its nonce again, id and PIV of the sender for any other response (section 8.3).
	struct osc_id_piv nonce;
	const uint8_t *in; // as in struct aead_op
	uint8_t *out;
	uint16_t len; // bytes of plaintext
};

// Fills op from the input. aad is the room for the AAD, which must live as long as op; the input
// need not.
void osc_op_prepare(
	struct aead_op *op, uint8_t aad[OSC_AAD_ROOM], const struct osc_op_input *input);

// Whether an option of this number may stand in the inner message, in the outer, or both
// (RFC 8613 figure 5). An unknown option is class E (section 4.1).
enum osc_option_class {
	OSC_CLASS_E = 1,  // encrypted: read from the inner message
	OSC_CLASS_U = 2,  // unprotected: read from the outer message
	OSC_CLASS_EU = 3, // either or both, with meanings of their own
};
enum osc_option_class osc_option_class(uint16_t number);

#endif
