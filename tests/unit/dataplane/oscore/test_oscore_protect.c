// SPDX-License-Identifier: BSD-3-Clause
// AAD, nonce and the protected messages: RFC 8613 sections 4, 5 and 8, appendices C.4 to C.8.

#include "crypto/aead.h"
#include "dataplane/oscore/protect.h"
#include "tests/unit/dataplane/oscore/osc_params_hex.h"
#include "tests/unit/dataplane/oscore/rfc8613_vectors.h"

#include <criterion/criterion.h>
#include <sodium.h>

static struct aead_engine *engine;

static void start_engine(void)
{
	engine = aead_engine_create(NULL);
	cr_assert_not_null(engine);
}

static void stop_engine(void)
{
	aead_engine_free(engine);
}

TestSuite(oscore_protect, .init = start_engine, .fini = stop_engine);

// Both ends of a context.
struct ends {
	struct osc_params client, server;
	struct osc_keys client_keys, server_keys;
};

static struct ends ends_of(const struct rfc8613_context *c)
{
	struct ends e = {
		.client = osc_params_hex(
			c->secret, c->salt, c->id_context, c->client_id, c->server_id),
		.server = osc_params_hex(
			c->secret, c->salt, c->id_context, c->server_id, c->client_id),
	};

	cr_assert_eq(osc_derive(&e.client_keys, &e.client), 0);
	cr_assert_eq(osc_derive(&e.server_keys, &e.server), 0);
	return e;
}

// The operation on one message of appendix C, with the key of whom the caller plays.
static void prepare(struct aead_op *op, uint8_t *aad, const struct rfc8613_message *m,
	const struct ends *e, const uint8_t *key, const uint8_t *in, uint8_t *out, uint16_t len)
{
	const struct osc_params *made_piv = m->own_piv ? &e->server : &e->client;

	const struct osc_op_input input = {
		.alg = e->client.alg,
		.key = key,
		.common_iv = e->client_keys.common_iv,
		.request = {e->client.sender_id, e->client.sender_id_len, m->request_piv},
		.nonce = {made_piv->sender_id, made_piv->sender_id_len,
			m->own_piv ? m->own : m->request_piv},
		.in = in,
		.out = out,
		.len = len,
	};

	osc_op_prepare(op, aad, &input);
}

Test(oscore_protect, appendix_C_4_to_C_8_are_sealed_by_who_sends_them)
{
	for (unsigned i = 0; i < RFC8613_MESSAGE_COUNT; i++) {
		const struct rfc8613_message *m = &rfc8613_messages[i];
		struct ends e = ends_of(&rfc8613_contexts[m->context]);
		uint8_t aad[OSC_AAD_ROOM], out[256], buf[256];
		size_t plain_len, want_len, option_len, whole_len;
		uint8_t *plain = hex_decode(m->plaintext, &plain_len);
		uint8_t *want = hex_decode(m->ciphertext, &want_len);
		uint8_t *option_value = hex_decode(m->option, &option_len);
		uint8_t *whole = hex_decode(m->protected, &whole_len);
		size_t clear_len, nonce_len;
		uint8_t *clear = hex_decode(m->clear, &clear_len);
		uint8_t *nonce = hex_decode(m->nonce, &nonce_len);
		struct aead_op op;
		struct coap_msg msg;
		struct coap_option host;
		struct coap_writer w;

		prepare(&op, aad, m, &e,
			m->response ? e.server_keys.sender_key : e.client_keys.sender_key, plain,
			out, (uint16_t)plain_len);
		cr_expect_arr_eq(op.b0 + 1, nonce, nonce_len, "nonce of %s", m->name);
		cr_assert_eq(aead_seal_batch(engine, e.client.alg, &op, 1), 1);
		cr_assert_eq(plain_len + 8, want_len);
		cr_expect_arr_eq(out, want, want_len, "ciphertext of %s", m->name);

		struct osc_option option = {
			.piv = m->own_piv ? m->own : m->request_piv,
			.piv_len = m->own_piv || !m->response,
			.has_kid = !m->response,
			.kid = e.client.sender_id,
			.kid_len = e.client.sender_id_len,
			.has_kid_context = !m->response && e.client.has_id_context,
			.kid_context = e.client.id_context,
			.kid_context_len = e.client.id_context_len,
		};
		int n = osc_option_encode(&option, buf, sizeof(buf));
		cr_assert_eq(n, (int)option_len);
		cr_expect(!n || !memcmp(buf, option_value, n), "option of %s", m->name);

		// The outer message: Uri-Host is class U and stays outside.
		uint8_t message[256];
		cr_assert_eq(coap_msg_parse(&msg, clear, clear_len), COAP_OK);
		coap_writer_init(&w, message, sizeof(message));
		coap_write_header(&w, msg.type, m->response ? COAP_CHANGED : COAP_POST, msg.mid,
			msg.token, msg.token_len);
		if (coap_option_find(&msg.body, COAP_OPT_URI_HOST, &host))
			coap_write_option(&w, host.number, host.value, host.len);
		coap_write_option(&w, COAP_OPT_OSCORE, buf, n);
		coap_write_payload(&w, out, want_len);
		cr_assert_eq(coap_writer_len(&w), whole_len);
		cr_expect_arr_eq(message, whole, whole_len, "message of %s", m->name);
		free(plain), free(want), free(option_value), free(whole), free(clear), free(nonce);
	}
}

Test(oscore_protect, appendix_C_4_to_C_8_are_opened_by_who_receives_them)
{
	for (unsigned i = 0; i < RFC8613_MESSAGE_COUNT; i++) {
		const struct rfc8613_message *m = &rfc8613_messages[i];
		struct ends e = ends_of(&rfc8613_contexts[m->context]);
		uint8_t aad[OSC_AAD_ROOM], out[256];
		size_t len, plain_len;
		uint8_t *data = hex_decode(m->protected, &len);
		uint8_t *plain = hex_decode(m->plaintext, &plain_len);
		struct osc_option option;
		struct coap_msg msg;
		struct aead_op op;

		cr_assert_eq(coap_msg_parse(&msg, data, len), COAP_OK);
		cr_assert_eq(msg.body.oscore_count, 1);
		cr_assert_eq(osc_option_parse(&option, msg.body.oscore, msg.body.oscore_len),
			OSC_OPTION_OK);
		cr_expect_eq(option.has_kid, !m->response);
		cr_expect_eq(option.piv_len, m->own_piv || !m->response);
		int n = osc_plaintext_len(e.client.alg, msg.body.payload_len);
		cr_assert_eq(n, (int)plain_len);
		prepare(&op, aad, m, &e,
			m->response ? e.client_keys.recipient_key : e.server_keys.recipient_key,
			msg.body.payload, out, (uint16_t)n);
		cr_assert_eq(aead_open_batch(engine, e.client.alg, &op, 1), 1, "%s", m->name);
		cr_expect_arr_eq(out, plain, plain_len, "%s", m->name);
		free(data), free(plain);
	}
}

static void expect_aad(enum aead_alg alg, const char *kid_hex, uint64_t piv, const char *want_hex)
{
	uint8_t buf[OSC_AAD_ROOM], kid[16];
	uint8_t kid_len = hex_into(kid, kid_hex);
	size_t want_len;
	uint8_t *want = hex_decode(want_hex, &want_len);

	memset(buf, 0xa5, sizeof(buf));
	uint16_t len = osc_aad(buf, alg, kid, kid_len, piv);
	cr_assert_eq(len, want_len);
	cr_expect_eq(buf[0], 0);
	cr_expect_eq(buf[1], want_len);
	cr_expect_arr_eq(buf + 2, want, want_len);
	for (unsigned i = 2 + len; i < (2 + len + 15u) / 16 * 16; i++)
		cr_expect_eq(buf[i], 0, "padding");
	free(want);
}

Test(oscore_protect, aad_of_section_5_4_and_appendix_C)
{
	expect_aad(
		AEAD_AES_CCM_16_64_128, "00", 0x25, "8368456e63727970743040498501810a4100412540");
	for (unsigned i = 0; i < RFC8613_MESSAGE_COUNT; i++) {
		const struct rfc8613_message *m = &rfc8613_messages[i];

		expect_aad(AEAD_AES_CCM_16_64_128, rfc8613_contexts[m->context].client_id,
			m->request_piv, m->aad);
	}
}

Test(oscore_protect, aad_of_the_longest_values_and_algorithm_numbers_from_24_on)
{
	expect_aad(AEAD_AES_CCM_16_128_128, "01020304050607", OSC_PIV_MAX,
		"8368456e63727970743040548501 81181e 4701020304050607 45ffffffffff 40");
	expect_aad(AEAD_CHACHA20_POLY1305, "010203040506", 256,
		"8368456e63727970743040508501 811818 46010203040506 420100 40");
	expect_aad(AEAD_AES_256_GCM, "", 0, "8368456e6372797074304048850181034041 0040");
}

// Section 5.2: the id fills N - 6 bytes, so a shorter nonce moves it.
Test(oscore_protect, nonce_of_every_algorithm)
{
	static const uint8_t iv[AEAD_NONCE_MAX], id[] = {0xa1, 0xa2, 0xa3};
	uint8_t nonce[AEAD_NONCE_MAX];

	osc_nonce(nonce, AEAD_AES_CCM_16_64_128, iv, id, 3, 0x0102030405);
	cr_expect_arr_eq(nonce, "\x03\0\0\0\0\xa1\xa2\xa3\x01\x02\x03\x04\x05", 13);
	osc_nonce(nonce, AEAD_CHACHA20_POLY1305, iv, id, 3, 0x0102030405);
	cr_expect_arr_eq(nonce, "\x03\0\0\0\xa1\xa2\xa3\x01\x02\x03\x04\x05", 12);
	osc_nonce(nonce, AEAD_AES_CCM_16_64_128, iv, (const uint8_t *)"1234567", 7, OSC_PIV_MAX);
	cr_expect_arr_eq(nonce,
		"\x07"
		"1234567\xff\xff\xff\xff\xff",
		13);
}

// The nonce as section 5.2 describes it, byte by byte.
static void model_nonce(uint8_t *nonce, unsigned len, const uint8_t *iv, const uint8_t *id,
	unsigned id_len, uint64_t piv)
{
	memset(nonce, 0, len);
	nonce[0] = (uint8_t)id_len;
	memcpy(nonce + len - 5 - id_len, id, id_len);
	for (unsigned i = 0; i < 5; i++)
		nonce[len - 1 - i] = (uint8_t)(piv >> 8 * i);
	for (unsigned i = 0; i < len; i++)
		nonce[i] ^= iv[i];
}

Test(oscore_protect, nonces_of_all_id_lengths_as_section_5_2_describes_them)
{
	static const uint64_t pivs[] = {0, 1, 255, 256, UINT32_MAX, OSC_PIV_MAX};
	static const uint8_t iv[AEAD_NONCE_MAX] =
		"\x46\x22\xd4\xdd\x6d\x94\x41\x68\xee\xfb\x54\x98";
	static const uint8_t id[OSC_KID_LEN_MAX] = {0x91, 0xa2, 0xb3, 0xc4, 0xd5, 0xe6, 0xf7};
	uint8_t got[AEAD_NONCE_MAX], want[AEAD_NONCE_MAX];

	for (int alg = 0; alg < AEAD_ALG_COUNT; alg++) {
		unsigned len = aead_algs[alg].nonce_len;

		for (uint8_t id_len = 0; id_len <= len - 6; id_len++) {
			for (unsigned i = 0; i < sizeof(pivs) / sizeof(pivs[0]); i++) {
				uint8_t *id_copy = malloc(id_len); // of exactly this size
				memcpy(id_copy, id, id_len);
				osc_nonce(got, (enum aead_alg)alg, iv, id_copy, id_len, pivs[i]);
				model_nonce(want, len, iv, id, id_len, pivs[i]);
				cr_expect_arr_eq(got, want, len, "alg %d, id of %u", alg, id_len);
				free(id_copy);
			}
		}
	}
}

// The AAD with ids and PIVs of all lengths.
Test(oscore_protect, aads_of_all_id_and_piv_lengths)
{
	static const uint8_t kid[OSC_KID_LEN_MAX] = {0x91, 0xa2, 0xb3, 0xc4, 0xd5, 0xe6, 0xf7};

	for (uint8_t kid_len = 0; kid_len <= OSC_KID_LEN_MAX; kid_len++) {
		for (unsigned piv_len = 1; piv_len <= OSC_PIV_LEN_MAX; piv_len++) {
			uint64_t piv = UINT64_C(0x8182838485) >> 8 * (OSC_PIV_LEN_MAX - piv_len);
			char want[128], *at = want;

			at += sprintf(at, "8368456e637279707430 40 %02x 8501810a %02x",
				0x40 + 7 + kid_len + piv_len, 0x40 + kid_len);
			for (unsigned i = 0; i < kid_len; i++)
				at += sprintf(at, "%02x", kid[i]);
			at += sprintf(at, "%02x", 0x40 + piv_len);
			for (unsigned i = 0; i < piv_len; i++)
				at += sprintf(at, "%02x", 0x81 + i);
			sprintf(at, "40");
			char kid_hex[2 * OSC_KID_LEN_MAX + 1] = "91a2b3c4d5e6f7";
			kid_hex[2 * kid_len] = 0;
			expect_aad(AEAD_AES_CCM_16_64_128, kid_hex, piv, want);
		}
	}
}

// The AAD of struct aead_op as section 5.4 describes it, byte by byte. Returns its length.
static unsigned model_aad(
	uint8_t buf[OSC_AAD_ROOM], int cose, const uint8_t *kid, unsigned kid_len, uint64_t piv)
{
	uint8_t array[32], *at = array, piv_bytes[OSC_PIV_LEN_MAX];
	unsigned piv_len = osc_piv_encode(piv, piv_bytes);

	*at++ = 0x85, *at++ = 1, *at++ = 0x81;
	if (cose >= 24)
		*at++ = 0x18;
	*at++ = (uint8_t)cose;
	*at++ = (uint8_t)(0x40 + kid_len);
	for (unsigned i = 0; i < kid_len; i++)
		*at++ = kid[i];
	*at++ = (uint8_t)(0x40 + piv_len);
	for (unsigned i = 0; i < piv_len; i++)
		*at++ = piv_bytes[i];
	*at++ = 0x40;
	memset(buf, 0, OSC_AAD_ROOM);
	memcpy(buf + 2,
		"\x83\x68"
		"Encrypt0"
		"\x40",
		11);
	buf[13] = (uint8_t)(0x40 + (at - array));
	memcpy(buf + 14, array, at - array);
	buf[1] = (uint8_t)(12 + (at - array));
	return buf[1];
}

// A random number of exactly so many bytes; 0 is one byte too.
static uint64_t random_piv(unsigned len)
{
	uint64_t piv;

	randombytes_buf(&piv, sizeof(piv));
	piv = piv >> 8 * (8 - len) | UINT64_C(1) << 8 * (len - 1);
	return len == 1 && piv & 1 ? piv - 1 : piv;
}

static void *random_copy(size_t len) // of exactly this size
{
	void *copy = malloc(len);

	randombytes_buf(copy, len);
	return copy;
}

// The op for this input against the models, and the one of an answer that reuses its nonce.
static void expect_op(const struct osc_op_input *input)
{
	const struct aead_alg_info *info = &aead_algs[input->alg];
	uint8_t aad[OSC_AAD_ROOM], want_aad[OSC_AAD_ROOM], want_nonce[AEAD_NONCE_MAX];
	const uint8_t *key = (const uint8_t *)"key", *in = (const uint8_t *)"in";
	struct aead_op op, want, answer;
	struct osc_opened kept;
	uint8_t out[1];

	memset(aad, 0xa5, sizeof(aad));
	memset(&op, 0x5a, sizeof(op));
	memset(&want, 0x5a, sizeof(want));
	want.key = input->key, want.aad = aad, want.in = input->in, want.out = input->out;
	want.aad_len = model_aad(
		want_aad, info->cose, input->request.id, input->request.id_len, input->request.piv);
	want.len = input->len, want.result = AEAD_FAILED;
	model_nonce(want_nonce, info->nonce_len, input->common_iv, input->nonce.id,
		input->nonce.id_len, input->nonce.piv);
	aead_op_nonce(&want, input->alg, want_nonce);
	osc_op_prepare(&op, aad, input);
	cr_assert_arr_eq(aad, want_aad, OSC_AAD_ROOM, "%s, kid of %u, PIV %llx", info->name,
		input->request.id_len, (unsigned long long)input->request.piv);
	cr_assert_arr_eq(&op, &want, sizeof(op), "%s, id of %u, PIV %llx", info->name,
		input->nonce.id_len, (unsigned long long)input->nonce.piv);

	want.key = key, want.in = in, want.out = out, want.len = (uint16_t)randombytes_random();
	aead_op_nonce(&want, input->alg, want_nonce);
	answer = op;
	memset(answer.b0, 0, sizeof(answer.b0));
	osc_op_again(&answer, &op, key, in, out, want.len);
	cr_assert_arr_eq(&answer, &want, sizeof(answer));
	osc_opened_keep(&kept, &op);
	memset(answer.b0, 0, sizeof(answer.b0));
	osc_op_later(&answer, &kept, key, in, out, want.len);
	cr_assert_arr_eq(answer.aad, want_aad, OSC_AAD_ROOM);
	answer.aad = want.aad;
	cr_assert_arr_eq(&answer, &want, sizeof(answer));
	osc_op_again(&op, &op, key, in, out, want.len);
	cr_assert_arr_eq(&op, &want, sizeof(op));
}

Test(oscore_protect, ops_of_all_algorithms_and_lengths_as_the_models_say)
{
	static const uint8_t key[1], in[1];
	static uint8_t out[1];

	for (int alg = 0; alg < AEAD_ALG_COUNT; alg++) {
		const unsigned id_len_max = osc_id_len_max((enum aead_alg)alg);

		// Every length of both ids and both PIVs, and 16 times random values.
		for (unsigned i = 0; i < (id_len_max + 1) * (id_len_max + 1) * 25 * 16; i++) {
			unsigned n = i / 16, own_len = n / 25 % (id_len_max + 1);
			unsigned kid_len = n / 25 / (id_len_max + 1);
			uint8_t *kid = random_copy(kid_len), *own = random_copy(own_len);
			uint8_t *iv = random_copy(aead_algs[alg].nonce_len);
			const struct osc_op_input input = {
				.alg = (enum aead_alg)alg,
				.key = key,
				.common_iv = iv,
				.request = {kid, (uint8_t)kid_len, random_piv(1 + n % 5)},
				.nonce = {own, (uint8_t)own_len, random_piv(1 + n / 5 % 5)},
				.in = in,
				.out = out,
				.len = (uint16_t)randombytes_random(),
			};

			expect_op(&input);
			free(kid), free(own), free(iv);
		}
	}
}

Test(oscore_protect, ids_that_differ_in_leading_zeros_have_different_nonces)
{
	static const uint8_t iv[AEAD_NONCE_MAX], zeros[7];
	uint8_t a[AEAD_NONCE_MAX], b[AEAD_NONCE_MAX];

	for (uint8_t len = 0; len < 7; len++) {
		osc_nonce(a, AEAD_AES_CCM_16_64_128, iv, zeros, len, 1);
		osc_nonce(b, AEAD_AES_CCM_16_64_128, iv, zeros, len + 1, 1);
		cr_expect_arr_neq(a, b, 13);
	}
}

// A ciphertext that cannot hold a code and a tag is seen before anything is subtracted.
Test(oscore_protect, ciphertext_shorter_than_code_and_tag_has_no_plaintext)
{
	for (int alg = 0; alg < AEAD_ALG_COUNT; alg++) {
		int tag = aead_algs[alg].tag_len;

		for (int len = 0; len <= tag; len++)
			cr_expect_eq(osc_plaintext_len((enum aead_alg)alg, len), -1);
		cr_expect_eq(osc_plaintext_len((enum aead_alg)alg, tag + 1), 1);
		cr_expect_eq(osc_plaintext_len((enum aead_alg)alg, UINT16_MAX), UINT16_MAX - tag);
		cr_expect_eq(osc_plaintext_len((enum aead_alg)alg, UINT16_MAX + 1), -1);
	}
}

// Opens the request of C.4 as the server, with what an attacker may have changed.
static unsigned open_c4(
	const uint8_t *ciphertext, uint16_t len, const uint8_t *kid, uint8_t kid_len, uint64_t piv)
{
	struct ends e = ends_of(&rfc8613_contexts[0]);
	uint8_t aad[OSC_AAD_ROOM], out[64];
	struct aead_op op;

	const struct osc_id_piv request = {kid, kid_len, piv};
	const struct osc_op_input input = {
		.alg = e.server.alg,
		.key = e.server_keys.recipient_key,
		.common_iv = e.server_keys.common_iv,
		.request = request,
		.nonce = request,
		.in = ciphertext,
		.out = out,
		.len = len - 8,
	};

	osc_op_prepare(&op, aad, &input);
	return aead_open_batch(engine, e.server.alg, &op, 1);
}

Test(oscore_protect, a_request_changed_in_any_bit_kid_or_partial_iv_does_not_open)
{
	size_t len;
	uint8_t *ciphertext = hex_decode(rfc8613_messages[0].ciphertext, &len);

	cr_assert_eq(open_c4(ciphertext, (uint16_t)len, NULL, 0, 20), 1);
	for (size_t bit = 0; bit < len * 8; bit++) {
		ciphertext[bit / 8] ^= 1 << bit % 8;
		cr_expect_eq(open_c4(ciphertext, (uint16_t)len, NULL, 0, 20), 0, "bit %zu", bit);
		ciphertext[bit / 8] ^= 1 << bit % 8;
	}
	for (size_t cut = 9; cut < len; cut++)
		cr_expect_eq(open_c4(ciphertext, (uint16_t)cut, NULL, 0, 20), 0, "cut %zu", cut);
	for (unsigned bit = 0; bit < 40; bit++)
		cr_expect_eq(
			open_c4(ciphertext, (uint16_t)len, NULL, 0, 20 ^ UINT64_C(1) << bit), 0);
	cr_expect_eq(open_c4(ciphertext, (uint16_t)len, (const uint8_t *)"\0", 1, 20), 0);
	free(ciphertext);
}

// Section 7.1: request_kid and request_piv are in the AAD of the response.
Test(oscore_protect, a_response_opens_for_its_own_request_only)
{
	static const char *const responses[] = {
		"dbaad1e9a7e7b2a813d3c31524378303cdafae119106",
		"4d4c13669384b67354b2b6175ff4b8658c666a6cf88e",
	};
	struct ends e = ends_of(&rfc8613_contexts[0]);
	uint8_t aad[OSC_AAD_ROOM], out[64];
	struct aead_op op;

	for (unsigned own_piv = 0; own_piv < 2; own_piv++) {
		size_t len;
		uint8_t *ciphertext = hex_decode(responses[own_piv], &len);

		for (uint64_t request_piv = 19; request_piv <= 21; request_piv++) {
			const struct osc_params *made_piv = own_piv ? &e.server : &e.client;

			const struct osc_op_input input = {
				.alg = e.client.alg,
				.key = e.client_keys.recipient_key,
				.common_iv = e.client_keys.common_iv,
				.request = {e.client.sender_id, e.client.sender_id_len,
					request_piv},
				.nonce = {made_piv->sender_id, made_piv->sender_id_len,
					own_piv ? 0 : request_piv},
				.in = ciphertext,
				.out = out,
				.len = (uint16_t)len - 8,
			};

			osc_op_prepare(&op, aad, &input);
			cr_expect_eq(
				aead_open_batch(engine, e.client.alg, &op, 1), request_piv == 20);
		}
		free(ciphertext);
	}
}

// Figure 5, and section 4.1: what is not known is class E.
Test(oscore_protect, option_classes_of_figure_5)
{
	static const struct {
		uint16_t number;
		enum osc_option_class class;
	} table[] = {
		{1, OSC_CLASS_E},
		{3, OSC_CLASS_U},
		{4, OSC_CLASS_E},
		{5, OSC_CLASS_E},
		{6, OSC_CLASS_EU},
		{7, OSC_CLASS_U},
		{8, OSC_CLASS_E},
		{9, OSC_CLASS_U},
		{11, OSC_CLASS_E},
		{12, OSC_CLASS_E},
		{14, OSC_CLASS_EU},
		{15, OSC_CLASS_E},
		{17, OSC_CLASS_E},
		{20, OSC_CLASS_E},
		{23, OSC_CLASS_EU},
		{27, OSC_CLASS_EU},
		{28, OSC_CLASS_EU},
		{35, OSC_CLASS_U},
		{39, OSC_CLASS_U},
		{60, OSC_CLASS_EU},
		{258, OSC_CLASS_EU},
		// Later documents: Hop-Limit, Q-Block, EDHOC, Echo, Request-Tag.
		{16, OSC_CLASS_EU},
		{19, OSC_CLASS_EU},
		{31, OSC_CLASS_EU},
		{21, OSC_CLASS_U},
		{252, OSC_CLASS_EU},
		{292, OSC_CLASS_EU},
		{10, OSC_CLASS_E},
		{2049, OSC_CLASS_E},
		{65535, OSC_CLASS_E},
	};

	for (unsigned i = 0; i < sizeof(table) / sizeof(table[0]); i++)
		cr_expect_eq(
			osc_option_class(table[i].number), table[i].class, "%u", table[i].number);
}
