// SPDX-License-Identifier: BSD-3-Clause
// Requests as a server opens them, from the datagram to the inner options. The mutator changes the
// plaintext of what verifies and seals it again, or hardly any input would come behind the tag.

#include "crypto/aead.h"
#include "dataplane/oscore/protect.h"
#include "tests/fuzz/fuzz.h"

#include <string.h>

#define ROOM 65536

// The server of RFC 8613 appendix C.1.
static const struct osc_params params = {
	.alg = AEAD_AES_CCM_16_64_128,
	.secret_len = 16,
	.secret = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16},
	.salt_len = 8,
	.salt = {0x9e, 0x7c, 0xa9, 0x22, 0x23, 0x78, 0x63, 0x40},
	.sender_id_len = 1,
	.sender_id = {1},
};

static struct aead_engine *engine;
static struct osc_keys keys;

static void start_once(void)
{
	if (engine)
		return;
	engine = aead_engine_create(NULL);
	FUZZ_CHECK(engine && !osc_derive(&keys, &params));
}

struct opened {
	struct coap_msg outer;
	struct osc_option option;
	uint8_t plaintext[ROOM];
	uint16_t len;
};

static void prepare(struct aead_op *op, uint8_t *aad, const struct osc_option *option,
	const uint8_t *in, uint8_t *out, uint16_t len)
{
	const struct osc_id_piv request = {option->kid, option->kid_len, option->piv};
	const struct osc_op_input input = {
		.alg = params.alg,
		.key = keys.recipient_key,
		.common_iv = keys.common_iv,
		.request = request,
		.nonce = request,
		.in = in,
		.out = out,
		.len = len,
	};

	osc_op_prepare(op, aad, &input);
}

static bool request_open(struct opened *o, const uint8_t *data, size_t len)
{
	uint8_t aad[OSC_AAD_ROOM];
	struct aead_op op;

	if (coap_msg_parse(&o->outer, data, len) != COAP_OK || o->outer.body.oscore_count != 1)
		return false;
	if (osc_option_parse(&o->option, o->outer.body.oscore, o->outer.body.oscore_len))
		return false;
	if (!o->option.piv_len || !o->option.has_kid || o->option.kid_len > OSC_KID_LEN_MAX)
		return false;
	int n = osc_plaintext_len(params.alg, o->outer.body.payload_len);
	if (n < 0)
		return false;
	o->len = (uint16_t)n;
	prepare(&op, aad, &o->option, o->outer.body.payload, o->plaintext, o->len);
	return aead_open_batch(engine, params.alg, &op, 1) == 1;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static struct opened opened;
	struct coap_option_iter iter;
	struct coap_option option;
	struct coap_body inner;
	struct coap_writer w;

	start_once();
	if (!request_open(&opened, data, len))
		return 0;
	// An exact copy, so that a sanitizer sees one byte too many.
	uint8_t *plain = malloc(opened.len), *copy = malloc(opened.len);
	memcpy(plain, opened.plaintext, opened.len);
	if (coap_body_parse(&inner, plain + 1, opened.len - 1) == COAP_OK) {
		coap_writer_init(&w, copy, opened.len);
		coap_write_code(&w, plain[0]);
		coap_option_iter_init(&iter, &inner);
		while (coap_option_next(&iter, &option))
			coap_write_option(&w, option.number, option.value, option.len);
		coap_write_payload(&w, inner.payload, inner.payload_len);
		FUZZ_CHECK(coap_writer_len(&w) == opened.len);
		FUZZ_CHECK(!memcmp(copy, plain, opened.len));
	}
	free(plain);
	free(copy);
	return 0;
}

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t len, size_t max, unsigned seed)
{
	static struct opened opened;
	uint8_t aad[OSC_AAD_ROOM];
	struct aead_op op;
	const size_t tag_len = aead_algs[params.alg].tag_len;

	start_once();
	if (seed % 4 == 0 || !request_open(&opened, data, len))
		return LLVMFuzzerMutate(data, len, max);
	size_t before = (size_t)(opened.outer.body.payload - data);
	if (max > UINT16_MAX)
		max = UINT16_MAX;
	if (max < before + 1 + tag_len)
		return LLVMFuzzerMutate(data, len, max);
	size_t n = LLVMFuzzerMutate(opened.plaintext, opened.len, max - before - tag_len);
	if (!n)
		return len;
	prepare(&op, aad, &opened.option, opened.plaintext, data + before, (uint16_t)n);
	FUZZ_CHECK(aead_seal_batch(engine, params.alg, &op, 1) == 1);
	return before + n + tag_len;
}
