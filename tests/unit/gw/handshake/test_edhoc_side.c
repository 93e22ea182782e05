// SPDX-License-Identifier: BSD-3-Clause
// What a thread of handshakes does as Responder of EDHOC. The test is in the place of the workers,
// of main and of the devices.

#include "gw/handshake/handshake.h"
#include "tests/unit/gw/edhoc/bed.h"

#include <criterion/criterion.h>
#include <sodium.h>
#include <stdlib.h>

#define RING   (64 * 1024)
#define ROOM   2048
#define PIV    5
#define METHOD 3
#define SUITE  2

static struct {
	struct dp_slow slow;
	struct dp_slow_lane lane[1];
} rings;
static uint64_t called;
static struct handshake_mailbox box;
static struct connections *connections;
static struct edhoc_engine engine;
static struct bed_end initiator, other, responder;
static struct edhoc_own own;
static struct edhoc_side_conf side;
static struct handshake_conf conf;
static struct handshake *h;
static uint64_t now_ms = 600000;
static struct dp_flow flow;
static unsigned found; // how often a credential was looked for

static struct bed_run run;
static uint16_t mid;
static struct {
	size_t len;
	uint8_t bytes[ROOM];
} request, answer;
static struct coap_msg said; // in answer

static bool b2_find(void *arg, const uint8_t *kid, uint8_t kid_len, struct b2_device *device)
{
	return false;
}

// The kid is of two: `other` comes first.
static unsigned find(struct credentials *credentials, struct edhoc_engine *of,
	const struct edhoc_id_cred *id_cred, int64_t now_s,
	struct edhoc_candidate candidates[EDHOC_CANDIDATES_MAX], enum edhoc_result *result)
{
	const struct bed_end *const ends[] = {&other, &initiator};

	found++;
	*result = EDHOC_UNKNOWN;
	if (id_cred->kind != EDHOC_ID_KID || id_cred->value.len != 1 ||
		*id_cred->value.data != 0x11)
		return 0;
	for (unsigned i = 0; i < 2; i++) {
		struct edhoc_candidate *candidate = &candidates[i];

		memset(candidate, 0, sizeof(*candidate));
		candidate->owner = (struct credential_owner){
			.id = 70 + i, .not_after = INT64_MAX, .not_before = INT64_MIN};
		strcpy(candidate->owner.name, i ? "device" : "other");
		candidate->credential = ends[i]->identity.credential;
	}
	return 2;
}

static void begin(void)
{
	static const uint8_t secrets[3][ECC_LEN] = {{1}, {2}, {3}};
	struct dp_slow_lane *lane = rings.slow.lane;
	const enum ecc_curve curve = bed_curve(METHOD, SUITE, EDHOC_RESPONDER);

	engine = bed_engine();
	bed_end_make(&initiator, &engine, curve, BED_CCS_KID, secrets[0], 0x11);
	bed_end_make(&other, &engine, curve, BED_CCS_KID, secrets[1], 0x11);
	bed_end_make(&responder, &engine, curve, BED_CCS_KID, secrets[2], 0x22);
	rings.slow.count = 1;
	rings.slow.thread = 3;
	lane->requests = dp_copy_ring_create(RING);
	lane->answers = dp_copy_ring_create(RING);
	lane->called = &called;
	cr_assert(lane->requests && lane->answers && !dp_doorbell_init(&rings.slow.bell));
	cr_assert_eq(handshake_mailbox_init(&box), 0);
	connections = calloc(1, sizeof(*connections));
	connections_init(connections);
	for (uint8_t i = 0; i < 40; i++)
		connections_put(connections, &(struct edhoc_connection){3, {7, 7, i}});
	own = (struct edhoc_own){
		.item = bed_view(&responder.item), .id_cred = responder.identity.id_cred};
	memcpy(own.secret, secrets[2], ECC_LEN);
	side = (struct edhoc_side_conf){.connections = connections,
		.own = &own,
		.own_count = 1,
		.methods = 1 << METHOD,
		.suites = UINT_MAX,
		.find = find};
	conf = (struct handshake_conf){
		.slow = &rings.slow,
		.mailbox = &box,
		.devices = 10,
		.rate = 1000,
		.device_rate = 4,
		.find = b2_find,
		.edhoc = &side,
	};
	h = handshake_make(&conf);
	cr_assert_not_null(h);
	flow = (struct dp_flow){.remote_addr = {192, 0, 2, 7}, .remote_port = 7, .family = 4};
	mid = 0;
	found = 0;
}

static void end(void)
{
	handshake_stop(h);
	handshake_free(h);
	handshake_mailbox_fini(&box);
	connections_fini(connections);
	free(connections);
	dp_copy_ring_free(rings.slow.lane->requests);
	dp_copy_ring_free(rings.slow.lane->answers);
	dp_doorbell_close(&rings.slow.bell);
	bed_end_free(&initiator);
	bed_end_free(&other);
	bed_end_free(&responder);
	bed_engine_free(&engine);
}

TestSuite(edhoc_side, .init = begin, .fini = end);

static void again(enum dp_slow_kind kind)
{
	const struct dp_slow_head head = {.flow = flow, .kind = kind, .len = (uint16_t)request.len};

	cr_assert(dp_slow_put(rings.slow.lane->requests, &head, request.bytes));
	cr_assert_eq(handshake_turn(h, now_ms), 1);
}

static void head_write(struct coap_writer *writer, enum coap_type type)
{
	coap_writer_init(writer, request.bytes, ROOM);
	coap_write_header(writer, type, COAP_POST, ++mid, (const uint8_t *)"tk", 2);
}

static void request_make(const uint8_t *prefix, size_t prefix_len, const uint8_t *message,
	size_t len, const uint8_t *echo, size_t echo_len)
{
	struct coap_writer writer;
	uint8_t payload[ROOM];

	memcpy(payload, prefix, prefix_len);
	memcpy(payload + prefix_len, message, len);
	head_write(&writer, COAP_CON);
	coap_write_option(&writer, COAP_OPT_URI_PATH, ".well-known", 11);
	coap_write_option(&writer, COAP_OPT_URI_PATH, "edhoc", 5);
	coap_write_option_uint(&writer, COAP_OPT_CONTENT_FORMAT, 65);
	if (echo)
		coap_write_option(&writer, COAP_OPT_ECHO, echo, echo_len);
	coap_write_payload(&writer, payload, prefix_len + len);
	request.len = coap_writer_len(&writer);
	cr_assert(request.len);
}

static void send_1(void)
{
	request_make((const uint8_t *)"\xf5", 1, run.message[1].data, run.message[1].len, NULL, 0);
	again(DP_SLOW_EDHOC);
}

static void send_3(const struct bed_bytes *message)
{
	uint8_t c_r[8] = {(uint8_t)(0x40 | run.initiator_done.c_r.len)};

	memcpy(c_r + 1, run.initiator_done.c_r.bytes, run.initiator_done.c_r.len);
	request_make(c_r, 1U + run.initiator_done.c_r.len, message->data, message->len, NULL, 0);
	again(DP_SLOW_EDHOC);
}

// A combined request; the OSCORE ciphertext is some bytes.
static void send_combined(const struct bed_bytes *message)
{
	uint8_t option[8] = {0x09, PIV}, payload[ROOM];
	struct coap_writer writer;

	memcpy(option + 2, run.initiator_done.c_r.bytes, 3);
	memcpy(payload, message->data, message->len);
	memset(payload + message->len, 0xcc, 12);
	head_write(&writer, COAP_CON);
	coap_write_option(&writer, COAP_OPT_OSCORE, option, 5);
	coap_write_option(&writer, COAP_OPT_EDHOC, NULL, 0);
	coap_write_payload(&writer, payload, message->len + 12);
	request.len = coap_writer_len(&writer);
	again(DP_SLOW_COMBINED);
}

static uint64_t stat(enum handshake_stat which)
{
	return handshake_stat_read(handshake_stats(h), which);
}

// The next answer; false if there is none.
static bool answered(void)
{
	const struct dp_slow_head *head = dp_slow_peek(rings.slow.lane->answers);

	if (!head)
		return false;
	cr_expect(dp_flow_same_endpoint(&head->flow, &flow));
	answer.len = head->len;
	memcpy(answer.bytes, head->coap, head->len);
	dp_copy_ring_pop(rings.slow.lane->answers);
	cr_assert_eq(coap_msg_parse(&said, answer.bytes, answer.len), COAP_OK);
	cr_expect_eq(said.type, COAP_ACK);
	cr_expect_eq(said.mid, mid);
	cr_expect_eq(said.token_len, 2);
	return true;
}

static void expect_error(uint8_t code, int64_t error_code)
{
	struct coap_option format;
	struct edhoc_error error;
	uint32_t number;

	cr_assert(answered());
	cr_expect_eq(said.code, code);
	cr_assert(coap_option_find(&said.body, COAP_OPT_CONTENT_FORMAT, &format));
	cr_expect(coap_option_uint(&format, &number) && number == 64);
	cr_assert(edhoc_error_parse(&error, said.body.payload, said.body.payload_len));
	cr_expect_eq(error.code, error_code);
}

static void take_2(void)
{
	cr_assert(answered());
	cr_assert_eq(said.code, COAP_CHANGED);
	run.message[2].len = said.body.payload_len;
	memcpy(run.message[2].data, said.body.payload, said.body.payload_len);
}

// Up to a message_3 that is ready to be sent.
static void run_to_3(void)
{
	cr_assert_eq(bed_message_1(&run, &engine, METHOD, SUITE), EDHOC_OK);
	send_1();
	take_2();
	cr_assert_eq(bed_message_3(&run, &engine, &initiator, &responder), EDHOC_OK);
}

static struct handshake_born *born(enum handshake_kind kind)
{
	struct handshake_born *b = handshake_mailbox_take(&box);

	cr_assert_not_null(b);
	cr_assert_null(b->next);
	cr_expect_eq(b->kind, kind);
	cr_expect_eq(b->thread, 3);
	return b;
}

static void expect_nothing_for_main(void)
{
	cr_expect_null(handshake_mailbox_take(&box));
}

static void expect_session(const struct handshake_session *session)
{
	struct osc_params params;
	struct osc_keys keys;

	edhoc_oscore(&run.initiator_done, EDHOC_INITIATOR, &params);
	cr_assert_eq(osc_derive(&keys, &params), 0);
	cr_expect_arr_eq(session->keys.recipient_key, keys.sender_key, 16);
	cr_expect_arr_eq(session->keys.sender_key, keys.recipient_key, 16);
	cr_expect_arr_eq(session->keys.common_iv, keys.common_iv, 13);
	cr_expect(edhoc_connection_equal(&session->c_r, &run.initiator_done.c_r));
	cr_expect_str_eq(session->owner.name, "device");
	cr_expect_eq(session->owner.id, 71);
	cr_expect_neq(session->fingerprint, 0);
}

static void settle(struct handshake_born *b, bool published)
{
	b->session->published = published;
	handshake_settle(h, b);
	cr_assert_eq(handshake_turn(h, now_ms), 0);
}

Test(edhoc_side, a_device_that_proves_its_key_gets_a_session)
{
	run_to_3();
	expect_nothing_for_main();
	send_3(&run.message[3]);
	struct handshake_born *b = born(HANDSHAKE_AGREED);

	expect_session(b->session);
	cr_expect_not(b->session->combined);
	cr_expect_not(answered(), "its context is not published yet");
	settle(b, true);
	cr_assert(answered());
	cr_expect_eq(said.code, COAP_CHANGED);
	cr_expect_null(said.body.payload);
	cr_expect_eq(stat(HANDSHAKE_STAT_edhoc_answered), 1);
	cr_expect_eq(stat(HANDSHAKE_STAT_edhoc_agreed), 1);
}

Test(edhoc_side, a_combined_request_is_given_to_main_without_message_3)
{
	struct coap_msg msg;

	run_to_3();
	send_combined(&run.message[3]);
	struct handshake_born *b = born(HANDSHAKE_AGREED);

	expect_session(b->session);
	cr_expect(b->session->combined);
	cr_assert_eq(coap_msg_parse(&msg, b->coap, b->len), COAP_OK);
	cr_expect_eq(msg.mid, mid);
	cr_expect_not(msg.body.has_edhoc);
	cr_expect_eq(msg.body.oscore_count, 1);
	cr_assert_eq(msg.body.payload_len, 12);
	cr_expect_eq(msg.body.payload[0], 0xcc);
	settle(b, true);
	cr_expect_not(answered(), "the request is");

	// A copy, and another request with the same message_3.
	again(DP_SLOW_COMBINED);
	b = born(HANDSHAKE_AGAIN);
	cr_expect_null(b->session);
	cr_assert_eq(coap_msg_parse(&msg, b->coap, b->len), COAP_OK);
	cr_expect_eq(msg.body.payload_len, 12);
	handshake_born_free(b);
	send_combined(&run.message[3]);
	handshake_born_free(born(HANDSHAKE_AGAIN));
	cr_expect_eq(stat(HANDSHAKE_STAT_edhoc_agreed), 1);
	cr_expect_eq(stat(HANDSHAKE_STAT_edhoc_again), 2);
}

Test(edhoc_side, a_copy_of_message_1_gets_the_same_bytes)
{
	uint8_t first[ROOM];

	cr_assert_eq(bed_message_1(&run, &engine, METHOD, SUITE), EDHOC_OK);
	send_1();
	cr_assert(answered());
	const size_t len = answer.len;

	memcpy(first, answer.bytes, len);
	now_ms += 90000;
	again(DP_SLOW_EDHOC);
	cr_assert(answered());
	cr_assert_eq(answer.len, len);
	cr_expect_arr_eq(answer.bytes, first, len);
	cr_expect_eq(stat(HANDSHAKE_STAT_edhoc_answered), 1);
	cr_expect_eq(stat(HANDSHAKE_STAT_edhoc_copies), 1);
	// Of another address it is another handshake.
	flow.remote_port++;
	again(DP_SLOW_EDHOC);
	cr_assert(answered());
	cr_expect_eq(stat(HANDSHAKE_STAT_edhoc_answered), 2);
	cr_expect(answer.len != len || memcmp(answer.bytes, first, len));
}

Test(edhoc_side, copies_of_one_burst_are_one_handshake)
{
	const struct dp_slow_head head = {.flow = flow, .kind = DP_SLOW_EDHOC};
	struct dp_slow_head one = head;

	cr_assert_eq(bed_message_1(&run, &engine, METHOD, SUITE), EDHOC_OK);
	request_make((const uint8_t *)"\xf5", 1, run.message[1].data, run.message[1].len, NULL, 0);
	one.len = (uint16_t)request.len;
	for (unsigned i = 0; i < 3; i++)
		cr_assert(dp_slow_put(rings.slow.lane->requests, &one, request.bytes));
	cr_assert_eq(handshake_turn(h, now_ms), 3);
	take_2();
	cr_expect_not(answered());
	cr_assert_eq(bed_message_3(&run, &engine, &initiator, &responder), EDHOC_OK);
	send_3(&run.message[3]);
	for (unsigned i = 0; i < 2; i++) {
		one.len = (uint16_t)request.len;
		cr_assert(dp_slow_put(rings.slow.lane->requests, &one, request.bytes));
	}
	handshake_turn(h, now_ms);
	handshake_born_free(born(HANDSHAKE_AGREED));
	cr_expect_eq(stat(HANDSHAKE_STAT_edhoc_answered), 1);
	cr_expect_eq(stat(HANDSHAKE_STAT_edhoc_agreed), 1);
}

Test(edhoc_side, a_message_3_that_does_not_verify_ends_nothing)
{
	struct bed_bytes forged;

	run_to_3();
	for (size_t i = 1; i < run.message[3].len; i++) {
		forged = run.message[3];
		forged.data[i] ^= 1;
		send_3(&forged);
		expect_error(COAP_BAD_REQUEST, EDHOC_ERROR_UNSPECIFIED);
		send_combined(&forged);
		expect_error(COAP_BAD_REQUEST, EDHOC_ERROR_UNSPECIFIED);
	}
	cr_expect_eq(found, 0, "nothing behind the tag is looked at");
	expect_nothing_for_main();
	send_3(&run.message[3]);
	struct handshake_born *b = born(HANDSHAKE_AGREED);

	expect_session(b->session);
	handshake_born_free(b);
}

Test(edhoc_side, who_has_the_session_and_not_the_key_gets_none)
{
	static const uint8_t secret[ECC_LEN] = {9};
	struct bed_end thief;

	// It knows the kid of the device, and has a key of its own.
	bed_end_make(&thief, &engine, bed_curve(METHOD, SUITE, EDHOC_INITIATOR), BED_CCS_KID,
		secret, 0x11);
	cr_assert_eq(bed_message_1(&run, &engine, METHOD, SUITE), EDHOC_OK);
	send_1();
	take_2();
	cr_assert_eq(bed_message_3(&run, &engine, &thief, &responder), EDHOC_OK);
	send_combined(&run.message[3]);
	expect_error(COAP_BAD_REQUEST, EDHOC_ERROR_UNSPECIFIED);
	expect_nothing_for_main();
	cr_expect_eq(stat(HANDSHAKE_STAT_edhoc_forged), 1);
	bed_end_free(&thief);
}

Test(edhoc_side, a_session_is_made_once_of_a_message_3)
{
	run_to_3();
	send_3(&run.message[3]);
	struct handshake_born *b = born(HANDSHAKE_AGREED);

	again(DP_SLOW_EDHOC);
	cr_expect_not(answered(), "main has it");
	expect_nothing_for_main();
	settle(b, true);
	cr_assert(answered());
	again(DP_SLOW_EDHOC);
	cr_assert(answered());
	cr_expect_eq(said.code, COAP_CHANGED);
	now_ms += 200000;
	again(DP_SLOW_EDHOC);
	cr_assert(answered());
	expect_nothing_for_main();
	// Another one for the same session.
	run.message[3].data[5] ^= 1;
	send_3(&run.message[3]);
	expect_error(COAP_BAD_REQUEST, EDHOC_ERROR_UNSPECIFIED);
	send_combined(&run.message[3]);
	expect_error(COAP_BAD_REQUEST, EDHOC_ERROR_UNSPECIFIED);
	expect_nothing_for_main();
	cr_expect_eq(stat(HANDSHAKE_STAT_edhoc_agreed), 1);
}

Test(edhoc_side, a_session_that_main_refuses_is_5_03_and_its_c_r_comes_back)
{
	run_to_3();
	const uint32_t left = connections_count(connections);

	send_3(&run.message[3]);
	settle(born(HANDSHAKE_AGREED), false);
	cr_assert(answered());
	cr_expect_eq(said.code, COAP_SERVICE_UNAVAILABLE);
	cr_expect_eq(connections_count(connections), left + 1);
	again(DP_SLOW_EDHOC);
	cr_assert(answered());
	cr_expect_eq(said.code, COAP_SERVICE_UNAVAILABLE);
	expect_nothing_for_main();
}

Test(edhoc_side, a_handshake_ends_after_its_time_and_gives_its_c_r_back)
{
	const uint32_t left = connections_count(connections);

	run_to_3();
	cr_expect_eq(connections_count(connections), left - 1);
	now_ms += 99999;
	handshake_turn(h, now_ms);
	cr_expect_eq(connections_count(connections), left - 1);
	now_ms++;
	handshake_turn(h, now_ms);
	cr_expect_eq(connections_count(connections), left);
	send_3(&run.message[3]);
	expect_error(COAP_BAD_REQUEST, EDHOC_ERROR_UNSPECIFIED);
	expect_nothing_for_main();
}

Test(edhoc_side, c_r_is_not_c_i_and_none_is_given_twice)
{
	// The first one that is ready is the C_I of the device.
	struct edhoc_connection c_r, c_i = {1, {1}};
	bool low;

	for (unsigned i = 0; i < 40; i++)
		cr_assert(connections_take(connections, &c_i, &c_r, &low));
	connections_put(connections, &c_i);
	cr_assert_eq(bed_message_1(&run, &engine, METHOD, SUITE), EDHOC_OK);
	send_1();
	cr_assert(answered());
	cr_expect_eq(said.code, COAP_SERVICE_UNAVAILABLE, "there is no other one");
	connections_put(connections, &c_r);
	again(DP_SLOW_EDHOC);
	take_2();
	cr_assert_eq(bed_message_3(&run, &engine, &initiator, &responder), EDHOC_OK);
	cr_expect(edhoc_connection_equal(&run.initiator_done.c_r, &c_r));
	// It is in use now.
	flow.remote_port++;
	again(DP_SLOW_EDHOC);
	cr_assert(!answered() || said.code == COAP_SERVICE_UNAVAILABLE);
}

Test(edhoc_side, refusals_are_told)
{
	cr_assert_eq(bed_message_1(&run, &engine, METHOD, 0), EDHOC_OK);
	send_1();
	expect_error(COAP_BAD_REQUEST, EDHOC_ERROR_SUITE);
	cr_assert_eq(bed_message_1(&run, &engine, 0, SUITE), EDHOC_OK);
	send_1();
	expect_error(COAP_BAD_REQUEST, EDHOC_ERROR_UNSPECIFIED);
	cr_expect_eq(stat(HANDSHAKE_STAT_edhoc_refused), 2);
	cr_expect_eq(connections_count(connections), 40);
}

Test(edhoc_side, an_address_must_be_shown_if_that_is_wanted)
{
	struct coap_option echo;
	uint8_t value[16];

	handshake_free(h);
	side.echo = EDHOC_ECHO_ALWAYS;
	h = handshake_make(&conf);
	cr_assert_eq(bed_message_1(&run, &engine, METHOD, SUITE), EDHOC_OK);
	send_1();
	cr_assert(answered());
	cr_expect_eq(said.code, COAP_UNAUTHORIZED);
	cr_expect_leq(answer.len, 3 * request.len);
	cr_assert(coap_option_find(&said.body, COAP_OPT_ECHO, &echo));
	const size_t len = echo.len;

	cr_assert_leq(len, sizeof(value));
	memcpy(value, echo.value, len);
	cr_expect_eq(connections_count(connections), 40, "nothing was begun");
	// Of another address it shows nothing, and neither does a changed one.
	for (unsigned i = 0; i < 2; i++) {
		flow.remote_port ^= i == 0;
		value[5] ^= i;
		request_make((const uint8_t *)"\xf5", 1, run.message[1].data, run.message[1].len,
			value, len);
		again(DP_SLOW_EDHOC);
		cr_assert(answered());
		cr_expect_eq(said.code, COAP_UNAUTHORIZED);
		flow.remote_port ^= i == 0;
		value[5] ^= i;
	}
	request_make(
		(const uint8_t *)"\xf5", 1, run.message[1].data, run.message[1].len, value, len);
	again(DP_SLOW_EDHOC);
	take_2();
	cr_expect_eq(stat(HANDSHAKE_STAT_edhoc_echo), 3);
	cr_expect_eq(stat(HANDSHAKE_STAT_edhoc_answered), 1);
}
