// SPDX-License-Identifier: BSD-3-Clause
// RFC 9529 byte by byte, both roles.

#include "gw/edhoc/result.h"
#include "tests/unit/gw/edhoc/bed.h"
#include "tests/unit/gw/edhoc/traces.h"

#include <criterion/criterion.h>
#include <sodium.h>
#include <string.h>

static struct edhoc_engine engine;

static void begin(void)
{
	engine = bed_engine();
}

static void end(void)
{
	bed_engine_free(&engine);
}

TestSuite(edhoc_traces, .init = begin, .fini = end);

static void is(const uint8_t *bytes, size_t len, const char *hex)
{
	struct bed_bytes expected;

	bed_hex(&expected, hex);
	cr_assert_eq(len, expected.len, "%zu bytes, not %zu", len, expected.len);
	cr_assert_arr_eq(bytes, expected.data, len, "not %s", hex);
}

static struct edhoc_connection connection(const char *hex)
{
	struct edhoc_connection made = {0};
	struct bed_bytes bytes;

	bed_hex(&bytes, hex);
	made.len = (uint8_t)bytes.len;
	memcpy(made.bytes, bytes.data, bytes.len);
	return made;
}

static struct ecc_pair pair(enum ecc_curve curve, const char *hex)
{
	struct bed_bytes secret;
	struct ecc_pair made;

	bed_hex(&secret, hex);
	cr_assert_eq(ecc_pair_from_secret(engine.ecc, curve, secret.data, &made), 0);
	return made;
}

static void done_is(const struct edhoc_done *done, enum edhoc_role role, const struct trace *trace)
{
	struct osc_params params;

	is(done->th_4, EDHOC_HASH_LEN, trace->th_4);
	is(done->prk_4e3m, EDHOC_HASH_LEN, trace->prk_4e3m);
	is(done->prk_out, EDHOC_HASH_LEN, trace->prk_out);
	edhoc_oscore(done, role, &params);
	is(params.secret, params.secret_len, trace->secret);
	is(params.salt, params.salt_len, trace->salt);
	is(params.sender_id, params.sender_id_len,
		role == EDHOC_INITIATOR ? trace->c_r : trace->c_i);
	is(params.recipient_id, params.recipient_id_len,
		role == EDHOC_INITIATOR ? trace->c_i : trace->c_r);
	cr_assert_eq(params.alg, AEAD_AES_CCM_16_64_128);
	cr_assert_not(params.has_id_context);
}

static void responder_plays(const struct trace *trace, unsigned methods, unsigned suites)
{
	const bool x509 = trace == &trace_signatures;
	struct edhoc_message_1 parsed;
	struct bed_bytes in, out, room;
	struct edhoc_writer writer;
	struct edhoc_session session;
	struct edhoc_opened opened;
	struct edhoc_done done;
	struct bed_end own, peer;
	struct ecc_pair y;

	bed_end_take(&own, &engine, trace->sk_r, trace->cred_r, trace->id_cred_r, x509);
	bed_end_take(&peer, &engine, trace->sk_i, trace->cred_i, trace->id_cred_i, x509);
	bed_hex(&in, trace->message_1);
	cr_assert_eq(edhoc_message_1_parse(&parsed, in.data, in.len), EDHOC_OK);
	cr_assert_eq(edhoc_message_1_check(&parsed, methods, suites), EDHOC_OK);
	is(parsed.c_i.bytes, parsed.c_i.len, trace->c_i);
	is(parsed.g_x.data, parsed.g_x.len, trace->g_x);
	y = pair(edhoc_suites[parsed.suite].agreement, trace->y);
	is(y.public.x, ECC_LEN, trace->g_y);
	writer = edhoc_writer(out.data, BED_ROOM);
	cr_assert_eq(edhoc_message_2_make(&engine,
			     &(struct edhoc_message_2){.message_1 = &parsed,
				     .identity = &own.identity,
				     .c_r = connection(trace->c_r),
				     .ephemeral = &y},
			     &session, &writer),
		EDHOC_OK);
	is(out.data, edhoc_writer_len(&writer), trace->message_2);
	is(session.th, EDHOC_HASH_LEN, trace->th_3);

	bed_hex(&in, trace->message_3);
	cr_assert_eq(edhoc_message_3_open(&engine, &session, in.data, in.len, room.data, &opened),
		EDHOC_OK);
	is(opened.bytes.data, opened.bytes.len, trace->plaintext_3);
	cr_assert_eq(edhoc_message_3_verify(
			     &engine, &session, &opened, &peer.identity.credential, &done),
		EDHOC_OK);
	done_is(&done, EDHOC_RESPONDER, trace);
	writer = edhoc_writer(out.data, BED_ROOM);
	cr_assert_eq(
		edhoc_message_4_make(&engine, &done, (struct edhoc_bytes){0}, &writer), EDHOC_OK);
	is(out.data, edhoc_writer_len(&writer), trace->message_4);
	bed_end_free(&own);
	bed_end_free(&peer);
}

static void initiator_plays(
	const struct trace *trace, unsigned method, const int64_t *suites, unsigned n)
{
	const bool x509 = trace == &trace_signatures;
	struct ecc_pair x = pair(edhoc_suites[suites[n - 1]].agreement, trace->x);
	struct bed_bytes in, out, room;
	struct edhoc_writer writer = edhoc_writer(out.data, BED_ROOM);
	struct edhoc_session session;
	struct edhoc_opened opened;
	struct edhoc_bytes ead;
	struct edhoc_done done;
	struct bed_end own, peer;

	bed_end_take(&own, &engine, trace->sk_i, trace->cred_i, trace->id_cred_i, x509);
	bed_end_take(&peer, &engine, trace->sk_r, trace->cred_r, trace->id_cred_r, x509);
	cr_assert_eq(edhoc_message_1_make(&(struct edhoc_start){.method = method,
						  .suites = suites,
						  .n_suites = n,
						  .c_i = connection(trace->c_i),
						  .ephemeral = &x},
			     &session, &writer),
		EDHOC_OK);
	is(out.data, edhoc_writer_len(&writer), trace->message_1);

	bed_hex(&in, trace->message_2);
	cr_assert_not(edhoc_is_error(in.data, in.len));
	cr_assert_eq(edhoc_message_2_open(&engine, &session, in.data, in.len, room.data, &opened),
		EDHOC_OK);
	is(opened.th, EDHOC_HASH_LEN, trace->th_2);
	is(opened.bytes.data, opened.bytes.len, trace->plaintext_2);
	cr_assert_eq(edhoc_message_2_verify(&engine, &session, &opened, &peer.identity.credential),
		EDHOC_OK);
	writer = edhoc_writer(out.data, BED_ROOM);
	cr_assert_eq(edhoc_message_3_make(&engine, &session, &own.identity, (struct edhoc_bytes){0},
			     &writer, &done),
		EDHOC_OK);
	is(out.data, edhoc_writer_len(&writer), trace->message_3);
	cr_assert(sodium_is_zero((const uint8_t *)&session, sizeof(session)));
	done_is(&done, EDHOC_INITIATOR, trace);

	bed_hex(&in, trace->message_4);
	cr_assert_eq(
		edhoc_message_4_open(&engine, &done, in.data, in.len, room.data, &ead), EDHOC_OK);
	cr_assert_eq(ead.len, 0);
	bed_end_free(&own);
	bed_end_free(&peer);
}

Test(edhoc_traces, section_2_signatures_and_x5t_as_responder)
{
	responder_plays(&trace_signatures, 1 << 0, 1 << 0);
}

Test(edhoc_traces, section_2_signatures_and_x5t_as_initiator)
{
	initiator_plays(&trace_signatures, 0, (const int64_t[]){0}, 1);
}

Test(edhoc_traces, section_3_static_dh_and_kid_as_responder)
{
	responder_plays(&trace_static_dh, 1 << 3, 1 << 2);
}

Test(edhoc_traces, section_3_static_dh_and_kid_as_initiator)
{
	initiator_plays(&trace_static_dh, 3, (const int64_t[]){6, 2}, 2);
}

Test(edhoc_traces, section_3_the_first_message_1_is_answered_with_suite_2)
{
	uint8_t error[EDHOC_ERROR_MAX];
	struct edhoc_message_1 parsed;
	struct edhoc_error read;
	struct bed_bytes in;

	bed_hex(&in, TRACE_FIRST_MESSAGE_1);
	cr_assert_eq(edhoc_message_1_parse(&parsed, in.data, in.len), EDHOC_OK);
	cr_assert_eq(edhoc_message_1_check(&parsed, 1 << 3, 1 << 2), EDHOC_SUITE);
	const size_t len = edhoc_error_write(EDHOC_SUITE, 1 << 2, false, error);

	is(error, len, TRACE_ERROR);
	cr_assert(edhoc_is_error(error, len) && edhoc_error_parse(&read, error, len));
	cr_assert_eq(read.code, EDHOC_ERROR_SUITE);
	cr_assert_eq(read.n_suites, 1);
	cr_assert_eq(read.suites[0], 2);
}

// The Responder's answer to a message_1.
static enum edhoc_result answer(const struct bed_bytes *in)
{
	struct edhoc_message_1 parsed;
	struct edhoc_session session;
	struct bed_bytes out;
	struct edhoc_writer writer = edhoc_writer(out.data, BED_ROOM);
	uint8_t secret[ECC_LEN] = {1, 2, 3};
	struct bed_end own;
	struct ecc_pair y;
	enum edhoc_result result = edhoc_message_1_parse(&parsed, in->data, in->len);

	if (result == EDHOC_OK)
		result = edhoc_message_1_check(&parsed, 0xf, 0xf);
	if (result != EDHOC_OK)
		return result;
	const enum ecc_curve curve = edhoc_suites[parsed.suite].agreement;

	bed_end_make(&own, &engine, curve, BED_CCS_KID, secret, 7);
	cr_assert_eq(ecc_pair_make(engine.ecc, curve, &y), 0);
	result = edhoc_message_2_make(&engine,
		&(struct edhoc_message_2){.message_1 = &parsed,
			.identity = &own.identity,
			.c_r = {2, {8, 8}},
			.ephemeral = &y},
		&session, &writer);
	bed_end_free(&own);
	return result;
}

Test(edhoc_traces, section_4_invalid_messages_1_are_refused)
{
	for (size_t i = 0; i < sizeof(traces_message_1) / sizeof(*traces_message_1); i++) {
		struct bed_bytes in;

		bed_hex(&in, traces_message_1[i].message_1);
		cr_assert_eq(answer(&in), traces_message_1[i].result, "%s: %s",
			traces_message_1[i].title, edhoc_result_text(answer(&in)));
	}
}

Test(edhoc_traces, section_4_a_message_2_of_two_items_is_refused)
{
	struct ecc_pair x = pair(ECC_P256, trace_static_dh.x);
	struct bed_bytes in, room;
	struct edhoc_session session;
	struct edhoc_opened opened;
	struct edhoc_writer writer = edhoc_writer(room.data, BED_ROOM);

	cr_assert_eq(edhoc_message_1_make(&(struct edhoc_start){.method = 3,
						  .suites = (const int64_t[]){2},
						  .n_suites = 1,
						  .ephemeral = &x},
			     &session, &writer),
		EDHOC_OK);
	bed_hex(&in, TRACE_MESSAGE_2_OF_TWO);
	cr_assert_eq(edhoc_message_2_open(&engine, &session, in.data, in.len, room.data, &opened),
		EDHOC_MALFORMED);
}

Test(edhoc_traces, section_4_invalid_plaintexts_2_are_refused)
{
	for (size_t i = 0; i < sizeof(traces_plaintext_2) / sizeof(*traces_plaintext_2); i++) {
		struct edhoc_plaintext plaintext;
		struct bed_bytes in;

		bed_hex(&in, traces_plaintext_2[i]);
		cr_assert_eq(
			edhoc_plaintext_parse(&plaintext, bed_view(&in), EDHOC_RESPONDER, 3, 2),
			EDHOC_MALFORMED, "%s", traces_plaintext_2[i]);
	}
}
