// SPDX-License-Identifier: BSD-3-Clause
// Whole handshakes of both roles with each other: every method, suite and kind of credential; and
// what becomes of them if anything is changed on the way.

#include "tests/unit/gw/edhoc/bed.h"

#include <criterion/criterion.h>
#include <sodium.h>
#include <string.h>

static struct edhoc_engine engine;
static const uint8_t secret_i[ECC_LEN] = "the secret of the initiator";
static const uint8_t secret_r[ECC_LEN] = "the secret of the responder";

static void begin(void)
{
	engine = bed_engine();
}

static void end(void)
{
	bed_engine_free(&engine);
}

TestSuite(edhoc_handshake, .init = begin, .fini = end);

static void ends_make(unsigned method, unsigned suite, enum bed_kind kind_i, enum bed_kind kind_r,
	struct bed_end *initiator, struct bed_end *responder)
{
	bed_end_make(initiator, &engine, bed_curve(method, suite, EDHOC_INITIATOR), kind_i,
		secret_i, 0x11);
	bed_end_make(responder, &engine, bed_curve(method, suite, EDHOC_RESPONDER), kind_r,
		secret_r, 0xaa);
}

static void ends_free(struct bed_end *initiator, struct bed_end *responder)
{
	bed_end_free(initiator);
	bed_end_free(responder);
}

// Both ends have the same secrets, and each the other's ids.
static void agree(const struct bed_run *run)
{
	struct osc_params i, r;
	struct osc_keys keys_i, keys_r;

	edhoc_oscore(&run->initiator_done, EDHOC_INITIATOR, &i);
	edhoc_oscore(&run->responder_done, EDHOC_RESPONDER, &r);
	cr_assert_arr_eq(i.secret, r.secret, i.secret_len);
	cr_assert_arr_eq(i.salt, r.salt, i.salt_len);
	cr_assert_eq(i.recipient_id[0], 1);
	cr_assert_eq(i.sender_id[0], 2);
	cr_assert(!osc_derive(&keys_i, &i) && !osc_derive(&keys_r, &r));
	cr_assert_arr_eq(keys_i.sender_key, keys_r.recipient_key, 16);
	cr_assert_arr_eq(keys_i.recipient_key, keys_r.sender_key, 16);
}

Test(edhoc_handshake, every_method_suite_and_kind_of_credential)
{
	static struct bed_run run;
	struct bed_end initiator, responder;

	for (unsigned method = 0; method < EDHOC_METHOD_COUNT; method++)
		for (unsigned suite = 0; suite < EDHOC_SUITE_COUNT; suite++)
			for (unsigned kinds = 0; kinds < BED_KINDS * BED_KINDS; kinds++) {
				ends_make(method, suite, kinds % BED_KINDS, kinds / BED_KINDS,
					&initiator, &responder);
				bed_run(&run, &engine, method, suite, &initiator, &responder);
				agree(&run);
				ends_free(&initiator, &responder);
			}
}

Test(edhoc_handshake, no_two_give_the_same_keys)
{
	static struct bed_run run;
	struct bed_end initiator, responder;
	struct osc_params one, other;

	ends_make(3, 0, BED_CCS_KID, BED_CCS_KID, &initiator, &responder);
	bed_run(&run, &engine, 3, 0, &initiator, &responder);
	edhoc_oscore(&run.responder_done, EDHOC_RESPONDER, &one);
	bed_run(&run, &engine, 3, 0, &initiator, &responder);
	edhoc_oscore(&run.responder_done, EDHOC_RESPONDER, &other);
	cr_assert_arr_neq(one.secret, other.secret, one.secret_len);
	ends_free(&initiator, &responder);
}

// Continues after `of` was changed. Whether the change was seen by the end of message_3 by both, so
// that no keys are used.
static bool goes_through(struct bed_run *run, unsigned of, const struct bed_end *initiator,
	const struct bed_end *responder)
{
	if (of == 1 && bed_message_2(run, &engine, responder) != EDHOC_OK)
		return false;
	if (of <= 2 && bed_message_3(run, &engine, initiator, responder) != EDHOC_OK)
		return false;
	if (of <= 3 && bed_message_4(run, &engine, initiator) != EDHOC_OK)
		return false;
	return bed_finish(run, &engine) == EDHOC_OK;
}

static void tamper(unsigned method, unsigned suite, enum bed_kind kind)
{
	static struct bed_run whole, run;
	struct bed_end initiator, responder;

	ends_make(method, suite, kind, kind, &initiator, &responder);
	memset(&whole, 0, sizeof(whole));
	cr_assert_eq(bed_message_1(&whole, &engine, method, suite), EDHOC_OK);
	for (unsigned of = 1; of <= 4; of++) {
		// The state in which message `of` arrives.
		const struct bed_bytes *message = &whole.message[of];

		for (size_t i = 0; i < message->len * 8; i += 1 + i % 3) {
			run = whole;
			run.message[of].data[i / 8] ^= (uint8_t)(1 << i % 8);
			cr_assert_not(goes_through(&run, of, &initiator, &responder),
				"method %u suite %u message_%u bit %zu", method, suite, of, i);
		}
		for (size_t len = 0; len < message->len; len += 1 + len / 8) {
			run = whole;
			run.message[of].len = len;
			cr_assert_not(goes_through(&run, of, &initiator, &responder),
				"message_%u cut to %zu", of, len);
		}
		run = whole;
		run.message[of].data[run.message[of].len++] = 0x01; // no padding, which is 0
		cr_assert_not(goes_through(&run, of, &initiator, &responder), "message_%u", of);
		if (of == 1)
			cr_assert_eq(bed_message_2(&whole, &engine, &responder), EDHOC_OK);
		else if (of == 2)
			cr_assert_eq(
				bed_message_3(&whole, &engine, &initiator, &responder), EDHOC_OK);
		else if (of == 3)
			cr_assert_eq(bed_message_4(&whole, &engine, &initiator), EDHOC_OK);
	}
	ends_free(&initiator, &responder);
}

Test(edhoc_handshake, a_change_of_any_byte_is_seen_method_3_suite_2)
{
	tamper(3, 2, BED_CCS_KID);
}

Test(edhoc_handshake, a_change_of_any_byte_is_seen_method_3_suite_0)
{
	tamper(3, 0, BED_CCS_KID);
}

Test(edhoc_handshake, a_change_of_any_byte_is_seen_method_0_suite_0)
{
	tamper(0, 0, BED_CCS_KID);
}

Test(edhoc_handshake, a_change_of_any_byte_is_seen_method_0_suite_3_by_value)
{
	tamper(0, 3, BED_CCS_VALUE);
}

Test(edhoc_handshake, a_change_of_any_byte_is_seen_method_1_suite_1)
{
	tamper(1, 1, BED_CCS_KID);
}

Test(edhoc_handshake, a_change_of_any_byte_is_seen_method_2_suite_2)
{
	tamper(2, 2, BED_CCS_KID);
}

// A message_3 that does not verify must not end the handshake: anybody can send one.
Test(edhoc_handshake, a_forged_message_3_leaves_the_session_as_it_is)
{
	static struct bed_run run;
	static struct bed_bytes good;
	struct edhoc_session before;
	struct bed_end initiator, responder;

	ends_make(3, 2, BED_CCS_KID, BED_CCS_KID, &initiator, &responder);
	cr_assert_eq(bed_message_1(&run, &engine, 3, 2), EDHOC_OK);
	cr_assert_eq(bed_message_2(&run, &engine, &responder), EDHOC_OK);
	cr_assert_eq(bed_message_3(&run, &engine, &initiator, &responder), EDHOC_OK);
	good = run.message[3];
	before = run.responder;
	for (size_t i = 0; i < good.len; i++) {
		run.message[3] = good;
		run.message[3].data[i] ^= 0x40;
		cr_assert_neq(bed_message_4(&run, &engine, &initiator), EDHOC_OK);
		cr_assert(!memcmp(&run.responder, &before, sizeof(before)));
		cr_assert(sodium_is_zero(run.responder_done.prk_out, EDHOC_HASH_LEN));
	}
	run.message[3] = good;
	cr_assert_eq(bed_message_4(&run, &engine, &initiator), EDHOC_OK);
	cr_assert_eq(bed_finish(&run, &engine), EDHOC_OK);
	ends_free(&initiator, &responder);
}

// Somebody who has the Initiator's credential, but not its private key.
Test(edhoc_handshake, who_does_not_have_the_private_key_is_refused)
{
	for (unsigned method = 0; method < EDHOC_METHOD_COUNT; method++)
		for (unsigned suite = 0; suite < EDHOC_SUITE_COUNT; suite++) {
			static struct bed_run run;
			struct bed_end initiator, responder, impostor;

			ends_make(method, suite, BED_CCS_KID, BED_CCS_KID, &initiator, &responder);
			bed_end_make(&impostor, &engine, bed_curve(method, suite, EDHOC_INITIATOR),
				BED_CCS_KID, secret_r, 0x11);
			cr_assert_eq(bed_message_1(&run, &engine, method, suite), EDHOC_OK);
			cr_assert_eq(bed_message_2(&run, &engine, &responder), EDHOC_OK);
			cr_assert_eq(bed_message_3(&run, &engine, &impostor, &responder), EDHOC_OK);
			cr_assert_eq(bed_message_4(&run, &engine, &initiator), EDHOC_FORGED);
			// The same of the Responder.
			cr_assert_eq(bed_message_1(&run, &engine, method, suite), EDHOC_OK);
			bed_end_free(&impostor);
			bed_end_make(&impostor, &engine, bed_curve(method, suite, EDHOC_RESPONDER),
				BED_CCS_KID, secret_i, 0xaa);
			cr_assert_eq(bed_message_2(&run, &engine, &impostor), EDHOC_OK);
			cr_assert_eq(
				bed_message_3(&run, &engine, &initiator, &responder), EDHOC_FORGED);
			bed_end_free(&impostor);
			ends_free(&initiator, &responder);
		}
}

// The same kid, another credential: several may have to be tried (RFC 9528 section 3.5.3).
Test(edhoc_handshake, another_credential_can_be_tried_after_a_wrong_one)
{
	static struct bed_run run;
	struct bed_end initiator, responder, other;
	struct edhoc_opened opened;
	struct edhoc_done done;
	uint8_t room[BED_ROOM];

	ends_make(3, 0, BED_CCS_KID, BED_CCS_KID, &initiator, &responder);
	bed_end_make(&other, &engine, ECC_X25519, BED_CCS_KID, secret_r, 0x11);
	cr_assert_eq(bed_message_1(&run, &engine, 3, 0), EDHOC_OK);
	cr_assert_eq(bed_message_2(&run, &engine, &responder), EDHOC_OK);
	cr_assert_eq(bed_message_3(&run, &engine, &initiator, &responder), EDHOC_OK);
	cr_assert_eq(edhoc_message_3_open(&engine, &run.responder, run.message[3].data,
			     run.message[3].len, room, &opened),
		EDHOC_OK);
	cr_assert_eq(edhoc_message_3_verify(
			     &engine, &run.responder, &opened, &other.identity.credential, &done),
		EDHOC_FORGED);
	cr_assert(sodium_is_zero((const uint8_t *)&done, sizeof(done)));
	cr_assert_eq(edhoc_message_3_verify(&engine, &run.responder, &opened,
			     &initiator.identity.credential, &done),
		EDHOC_OK);
	cr_assert_arr_eq(done.prk_out, run.initiator_done.prk_out, EDHOC_HASH_LEN);
	bed_end_free(&other);
	ends_free(&initiator, &responder);
}

Test(edhoc_handshake, a_credential_of_another_kind_of_key_is_refused)
{
	static struct bed_run run;
	struct bed_end initiator, responder, other;
	struct edhoc_shared shared;

	ends_make(3, 0, BED_CCS_KID, BED_CCS_KID, &initiator, &responder);
	cr_assert_eq(bed_message_1(&run, &engine, 3, 0), EDHOC_OK);
	cr_assert_eq(bed_message_2(&run, &engine, &responder), EDHOC_OK);
	for (enum ecc_curve curve = ECC_P256; curve <= ECC_ED25519; curve += ECC_ED25519) {
		bed_end_make(&other, &engine, curve, BED_CCS_KID, secret_i, 0x11);
		cr_assert_eq(
			edhoc_message_3_begin(&run.responder, &other.identity.credential, &shared),
			EDHOC_CREDENTIAL);
		bed_end_free(&other);
	}
	ends_free(&initiator, &responder);
}

// A G_X that is refused: of small order, or no x of a point.
static void spoil(struct bed_bytes *message_1, enum ecc_curve curve, unsigned i)
{
	uint8_t *g_x = message_1->data + 4;
	struct ecc_public public;

	memset(g_x, curve == ECC_P256 && i == 4 ? 0xff : 0, ECC_LEN);
	while (curve == ECC_P256 && !ecc_public_from_x(engine.ecc, g_x, &public))
		g_x[ECC_LEN - 1]++;
}

// Handshakes whose ECDH is done together give what they give alone.
static void batch_agrees(unsigned suite)
{
	enum { N = 19 };
	static struct bed_run run[N];
	static struct edhoc_message_1 parsed[N];
	static struct edhoc_message_2 input[N];
	static struct edhoc_shared shared[N];
	static struct ecc_pair ephemeral[N];
	const enum ecc_curve curve = edhoc_suites[suite].agreement;
	struct bed_end initiator, responder;

	ends_make(3, suite, BED_CCS_KID, BED_CCS_KID, &initiator, &responder);
	for (unsigned i = 0; i < N; i++) {
		cr_assert_eq(bed_message_1(&run[i], &engine, 3, suite), EDHOC_OK);
		if (i % 7 == 4)
			spoil(&run[i].message[1], curve, i);
		cr_assert_eq(edhoc_message_1_parse(
				     &parsed[i], run[i].message[1].data, run[i].message[1].len),
			EDHOC_OK);
		cr_assert_eq(ecc_pair_make(engine.ecc, curve, &ephemeral[i]), 0);
		input[i] = (struct edhoc_message_2){
			&parsed[i], &responder.identity, {1, {2}}, &ephemeral[i], {0}};
		cr_assert_eq(edhoc_message_2_begin(&input[i], &shared[i]), EDHOC_OK);
	}
	edhoc_shared_run(&engine, shared, N);
	for (unsigned i = 0; i < N; i++) {
		struct edhoc_writer writer = edhoc_writer(run[i].message[2].data, BED_ROOM);

		cr_assert_eq(
			edhoc_message_2_finish(&input[i], &shared[i], &run[i].responder, &writer),
			i % 7 == 4 ? EDHOC_KEY : EDHOC_OK);
		cr_assert(sodium_is_zero((const uint8_t *)&shared[i], sizeof(shared[i])));
		cr_assert(sodium_is_zero((const uint8_t *)&ephemeral[i], sizeof(ephemeral[i])));
		run[i].message[2].len = edhoc_writer_len(&writer);
		if (i % 7 == 4)
			continue;
		cr_assert_eq(bed_message_3(&run[i], &engine, &initiator, &responder), EDHOC_OK);
		cr_assert_eq(bed_message_4(&run[i], &engine, &initiator), EDHOC_OK);
		agree(&run[i]);
	}
	ends_free(&initiator, &responder);
}

Test(edhoc_handshake, a_batch_is_what_its_handshakes_are_alone)
{
	struct ecc_engine *best = engine.ecc;

	for (const char *const *isa = ecc_isa_names(); *isa; isa++) {
		engine.ecc = ecc_engine_create(*isa);
		for (unsigned suite = 0; engine.ecc && suite < EDHOC_SUITE_COUNT; suite++)
			batch_agrees(suite);
		ecc_engine_free(engine.ecc);
	}
	engine.ecc = best;
}
