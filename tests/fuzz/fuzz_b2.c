// SPDX-License-Identifier: BSD-3-Clause
// Messages of RFC 8613 appendix B.2 as a thread of handshakes takes them. The mutator makes a new
// message with what it changed, sealed under the keys of its ID Context, or hardly any input would
// come behind the tag.

#include "dataplane/oscore/kid_context.h"
#include "dataplane/oscore/protect.h"
#include "gw/handshake/b2.h"
#include "tests/fuzz/fuzz.h"

#include <sodium.h>
#include <string.h>

#define NOW_S 6007

static const uint8_t r2_nonce[B2_NONCE_LEN] = "a nonce";
static struct b2 b2;
static struct b2_device device = {
	.id = 7,
	.count = 3,
	.params =
		{
			.alg = AEAD_AES_CCM_16_64_128,
			.secret_len = 16,
			.secret = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16},
			.salt_len = 2,
			.salt = {1, 2},
			.sender_id_len = 1,
			.sender_id = {1},
			.recipient_id_len = 1,
			.recipient_id = {2},
		},
};
static uint8_t good_r2[B2_R2_LEN];

static void start_once(void)
{
	const uint64_t words[] = {htobe64(7), htobe64(3), htobe64(NOW_S / B2_SLOT_S)};
	uint8_t input[B2_NONCE_LEN + sizeof(words)], mac[crypto_auth_hmacsha256_BYTES];

	if (b2.engine)
		return;
	FUZZ_CHECK(sodium_init() >= 0);
	b2.engine = aead_engine_create(NULL);
	FUZZ_CHECK(b2.engine);
	memcpy(input, r2_nonce, sizeof(r2_nonce));
	memcpy(input + B2_NONCE_LEN, words, sizeof(words));
	crypto_auth_hmacsha256(mac, input, sizeof(input), b2.mac_key);
	memcpy(good_r2, r2_nonce, B2_NONCE_LEN);
	memcpy(good_r2 + B2_NONCE_LEN, mac, B2_MAC_LEN);
	FUZZ_CHECK(b2_r2_good(&b2, &device, NOW_S, good_r2));
}

// What a response #1 must be, whatever the request was.
static void respond(const struct b2_request *request, const struct b2_id *id)
{
	uint8_t out[B2_RESPONSE_MAX];
	const size_t len = b2_respond(&b2, &device, request, id, good_r2, out);
	struct osc_option option;
	struct coap_msg msg;

	FUZZ_CHECK(!len == (id->len > B2_ID1_MAX));
	if (!len)
		return;
	FUZZ_CHECK(coap_msg_parse(&msg, out, len) == COAP_OK);
	FUZZ_CHECK(msg.token_len == request->msg.token_len);
	FUZZ_CHECK(!memcmp(msg.token, request->msg.token, msg.token_len));
	FUZZ_CHECK(
		osc_option_parse(&option, msg.body.oscore, msg.body.oscore_len) == OSC_OPTION_OK);
	FUZZ_CHECK(option.piv == 0 && option.piv_len == 1 && option.has_kid_context);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct b2_request request;
	struct osc_keys keys = {0};
	struct b2_id id = {0};

	start_once();
	if (!len)
		return 0;
	// Exact copies, so that a sanitizer sees one byte too many.
	uint8_t *copy = malloc(len), *room = malloc(len);

	memcpy(copy, data, len);
	if (b2_parse(&request, copy, len)) {
		const enum b2_kind kind = b2_kind(&b2, &device, &request, NOW_S, &id);

		if (kind == B2_REQUEST_1 || kind == B2_REQUEST_2) {
			FUZZ_CHECK(id.len && id.len <= B2_ID_MAX);
			FUZZ_CHECK(kind != B2_REQUEST_2 ||
				(id.len > B2_R2_LEN && b2_r2_good(&b2, &device, NOW_S, id.bytes)));
			if (b2_verify(&b2, &device, &request, &id, room, &keys))
				respond(&request, &id);
		}
	}
	free(copy);
	free(room);
	return 0;
}

// Writes a request with this ID Context and plaintext. Returns its length, 0 if there is no room.
static size_t request_make(uint8_t *out, size_t max, const uint8_t *id, uint8_t id_len,
	const uint8_t *plain, uint16_t plain_len, unsigned seed)
{
	const struct osc_id_piv of = {device.params.recipient_id, 1, seed % 300};
	uint8_t value[OSC_OPTION_LEN_MAX] = {0}, aad[OSC_AAD_ROOM];
	uint8_t kid_context[OSC_BSTR_HEAD_MAX + 255];
	unsigned head = osc_bstr_head(kid_context, id_len);
	struct osc_params params = device.params;
	uint8_t *sealed = malloc(plain_len + AEAD_TAG_MAX);
	struct coap_writer writer;
	struct osc_keys keys;
	struct aead_op op;

	memcpy(kid_context + head, id, id_len);
	params.has_id_context = true;
	params.id_context_len = id_len;
	memcpy(params.id_context, id, id_len);
	FUZZ_CHECK(sealed && !osc_derive(&keys, &params));
	osc_op_prepare(&op, aad,
		&(struct osc_op_input){.alg = params.alg,
			.key = keys.recipient_key,
			.common_iv = keys.common_iv,
			.request = of,
			.nonce = of,
			.in = plain,
			.out = sealed,
			.len = plain_len});
	FUZZ_CHECK(aead_seal_batch(b2.engine, params.alg, &op, 1) == 1);
	const struct osc_option option = {
		.piv = of.piv,
		.piv_len = of.piv < 256 ? 1 : 2,
		.kid = of.id,
		.kid_len = 1,
		.has_kid = true,
		.kid_context = kid_context,
		.kid_context_len = (uint8_t)(head + id_len),
		.has_kid_context = true,
	};
	const int value_len = osc_option_encode(&option, value, sizeof(value));

	coap_writer_init(&writer, out, max);
	coap_write_header(&writer, seed & 1 ? COAP_CON : COAP_NON, COAP_POST, (uint16_t)seed, value,
		seed % 9);
	coap_write_option(&writer, COAP_OPT_OSCORE, value, value_len < 0 ? 0 : (size_t)value_len);
	coap_write_payload(&writer, sealed, (size_t)plain_len + aead_algs[params.alg].tag_len);
	free(sealed);
	return value_len < 0 ? 0 : coap_writer_len(&writer);
}

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t len, size_t max, unsigned seed)
{
	uint8_t id[250], plain[512];
	uint8_t id_len = (uint8_t)(seed >> 8) % 70;
	uint16_t plain_len;

	start_once();
	len = LLVMFuzzerMutate(data, len, max);
	if (seed % 4 == 0 || len < 2)
		return len;
	plain_len = (uint16_t)(len < sizeof(plain) ? len : sizeof(plain));
	memcpy(plain, data, plain_len);
	memset(id, data[0], sizeof(id));
	if (seed % 4 == 1)
		memcpy(id, good_r2, sizeof(good_r2));
	const size_t made = request_make(data, max, id, id_len, plain, plain_len, seed >> 16);

	return made ? made : len;
}
