// SPDX-License-Identifier: BSD-3-Clause

#include "tests/unit/gw/handshake/side_bed.h"

#include <criterion/criterion.h>
#include <sodium.h>
#include <stdlib.h>

#define RING (64 * 1024)

struct side_rings rings;
struct handshake_mailbox box;
struct connections *connections;
struct edhoc_engine engine;
struct bed_end initiator, responder;
struct edhoc_side_conf side;
struct handshake_conf conf;
struct handshake *h;
uint64_t now_ms = 600000;
struct dp_flow flow;
unsigned found;
struct bed_run run;
uint16_t mid;
struct side_datagram request, answer;
struct coap_msg said;

static uint64_t called;
static struct bed_end other;
static struct edhoc_own own;

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

void side_begin(void)
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

void side_end(void)
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

void again(enum dp_slow_kind kind)
{
	const struct dp_slow_head head = {.flow = flow, .kind = kind, .len = (uint16_t)request.len};

	cr_assert(dp_slow_put(rings.slow.lane->requests, &head, request.bytes));
	cr_assert_eq(handshake_turn(h, now_ms), 1);
}

void head_write(struct coap_writer *writer, enum coap_type type)
{
	coap_writer_init(writer, request.bytes, ROOM);
	coap_write_header(writer, type, COAP_POST, ++mid, (const uint8_t *)"tk", 2);
}

void request_make(const uint8_t *prefix, size_t prefix_len, const uint8_t *message, size_t len,
	const uint8_t *echo, size_t echo_len)
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

void send_1(void)
{
	request_make((const uint8_t *)"\xf5", 1, run.message[1].data, run.message[1].len, NULL, 0);
	again(DP_SLOW_EDHOC);
}

void send_3(const struct bed_bytes *message)
{
	uint8_t c_r[8] = {(uint8_t)(0x40 | run.initiator_done.c_r.len)};

	memcpy(c_r + 1, run.initiator_done.c_r.bytes, run.initiator_done.c_r.len);
	request_make(c_r, 1U + run.initiator_done.c_r.len, message->data, message->len, NULL, 0);
	again(DP_SLOW_EDHOC);
}

// The OSCORE ciphertext is some bytes.
void send_combined_as(const struct bed_bytes *message, unsigned options)
{
	uint8_t option[8] = {0x09, PIV}, payload[ROOM];
	struct coap_writer writer;

	memcpy(option + 2, run.initiator_done.c_r.bytes, 3);
	memcpy(payload, message->data, message->len);
	memset(payload + message->len, 0xcc, 12);
	head_write(&writer, COAP_CON);
	coap_write_option(&writer, COAP_OPT_OSCORE, option, 5);
	for (unsigned i = 0; i < options; i++)
		coap_write_option(&writer, COAP_OPT_EDHOC, NULL, 0);
	coap_write_payload(&writer, payload, message->len + 12);
	request.len = coap_writer_len(&writer);
	again(DP_SLOW_COMBINED);
}

void send_combined(const struct bed_bytes *message)
{
	send_combined_as(message, 1);
}

uint64_t side_stat(enum handshake_stat which)
{
	return handshake_stat_read(handshake_stats(h), which);
}

// The next answer; false if there is none.
bool answered(void)
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

void expect_error(uint8_t code, int64_t error_code)
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

void take_2(void)
{
	cr_assert(answered());
	cr_assert_eq(said.code, COAP_CHANGED);
	run.message[2].len = said.body.payload_len;
	memcpy(run.message[2].data, said.body.payload, said.body.payload_len);
}

// Up to a message_3 that is ready to be sent.
void run_to_3(void)
{
	cr_assert_eq(bed_message_1(&run, &engine, METHOD, SUITE), EDHOC_OK);
	send_1();
	take_2();
	cr_assert_eq(bed_message_3(&run, &engine, &initiator, &responder), EDHOC_OK);
}

struct handshake_born *born(enum handshake_kind kind)
{
	struct handshake_born *b = handshake_mailbox_take(&box);

	cr_assert_not_null(b);
	cr_assert_null(b->next);
	cr_expect_eq(b->kind, kind);
	cr_expect_eq(b->thread, 3);
	return b;
}

void expect_nothing_for_main(void)
{
	cr_expect_null(handshake_mailbox_take(&box));
}

void expect_session(const struct handshake_session *session)
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

void settle(struct handshake_born *b, bool published)
{
	b->session->published = published;
	handshake_settle(h, b);
	cr_assert_eq(handshake_turn(h, now_ms), 0);
}
