// SPDX-License-Identifier: BSD-3-Clause
// When a sender of message_1 must show first that it receives at its address (RFC 9175
// section 2.4), where nothing is configured: before that nothing is computed for it.

#include "gw/handshake/edhoc_side.h"
#include "gw/handshake/reach.h"
#include "tests/unit/gw/edhoc/bed.h"

#include <criterion/criterion.h>
#include <endian.h>
#include <limits.h>
#include <stdlib.h>

#define RING      (64 * 1024)
#define ROOM      1024
#define WATERMARK 8192 // handshakes that wait
#define MORE      100
#define SUITE     2

static struct {
	struct dp_slow slow;
	struct dp_slow_lane lane[1];
} rings;
static uint64_t called;
static struct handshake_mailbox box;
static struct handshake_stats stats;
static struct connections *connections;
static struct edhoc_engine engine;
static struct bed_end responder;
static struct edhoc_own own;
static struct edhoc_side_conf conf;
static struct edhoc_side *side;
static struct bed_run run;
static struct {
	struct dp_slow_head head;
	uint8_t coap[ROOM];
} request;

static unsigned find(struct credentials *credentials, struct edhoc_engine *of,
	const struct edhoc_id_cred *id_cred, int64_t now_s,
	struct edhoc_candidate candidates[EDHOC_CANDIDATES_MAX], enum edhoc_result *result)
{
	*result = EDHOC_UNKNOWN;
	return 0;
}

// A side with a credential of this kind, for one method, and a message_1 for it.
static void begin(enum bed_kind kind, unsigned method)
{
	static const uint8_t secret[ECC_LEN] = {3};
	struct dp_slow_lane *lane = rings.slow.lane;
	struct coap_writer writer;

	engine = bed_engine();
	bed_end_make(
		&responder, &engine, bed_curve(method, SUITE, EDHOC_RESPONDER), kind, secret, 0x22);
	rings.slow.count = 1;
	lane->requests = dp_copy_ring_create(RING);
	lane->answers = dp_copy_ring_create(RING);
	lane->called = &called;
	connections = calloc(1, sizeof(*connections));
	cr_assert(lane->requests && lane->answers && connections);
	cr_assert_eq(handshake_mailbox_init(&box), 0);
	connections_init(connections);
	for (unsigned i = 0; i < WATERMARK + MORE; i++)
		connections_put(connections,
			&(struct edhoc_connection){3, {7, (uint8_t)(i >> 8), (uint8_t)i}});
	own = (struct edhoc_own){
		.item = bed_view(&responder.item), .id_cred = responder.identity.id_cred};
	memcpy(own.secret, secret, ECC_LEN);
	conf = (struct edhoc_side_conf){.connections = connections,
		.own = &own,
		.own_count = 1,
		.methods = 1U << method,
		.suites = UINT_MAX,
		.echo = EDHOC_ECHO_AUTO,
		.find = find};
	side = edhoc_side_create(&conf, &(const struct edhoc_side_of){&rings.slow, &box, &stats});
	cr_assert_not_null(side);
	cr_assert_eq(bed_message_1(&run, &engine, method, SUITE), EDHOC_OK);
	memmove(run.message[1].data + 1, run.message[1].data, run.message[1].len);
	run.message[1].data[0] = 0xf5;
	coap_writer_init(&writer, request.coap, ROOM);
	coap_write_header(&writer, COAP_CON, COAP_POST, 1, (const uint8_t *)"tk", 2);
	coap_write_option(&writer, COAP_OPT_URI_PATH, ".well-known", 11);
	coap_write_option(&writer, COAP_OPT_URI_PATH, "edhoc", 5);
	coap_write_option_uint(&writer, COAP_OPT_CONTENT_FORMAT, 65);
	coap_write_payload(&writer, run.message[1].data, run.message[1].len + 1);
	request.head = (struct dp_slow_head){.kind = DP_SLOW_EDHOC,
		.len = (uint16_t)coap_writer_len(&writer),
		.flow = {.remote_addr = {192, 0, 2, 7}, .remote_port = 7, .family = 4}};
}

static void end(void)
{
	edhoc_side_free(side);
	handshake_mailbox_fini(&box);
	connections_fini(connections);
	free(connections);
	dp_copy_ring_free(rings.slow.lane->requests);
	dp_copy_ring_free(rings.slow.lane->answers);
	bed_end_free(&responder);
	bed_engine_free(&engine);
}

static uint64_t stat(enum handshake_stat which)
{
	return handshake_stat_read(&stats, which);
}

// The code of the answer to a message_1 of this sender, whose network is one of 256.
static uint8_t code_for(unsigned sender)
{
	struct coap_msg msg;

	request.head.flow.remote_addr[2] = (uint8_t)(sender >> 8);
	request.head.flow.remote_port = (uint16_t)(sender + 1);
	edhoc_side_take(side, &request.head, 1000);
	edhoc_side_flush(side, 1000);
	const struct dp_slow_head *head = dp_slow_peek(rings.slow.lane->answers);

	cr_assert(head && coap_msg_parse(&msg, head->coap, head->len) == COAP_OK);
	dp_copy_ring_pop(rings.slow.lane->answers);
	return msg.code;
}

Test(edhoc_reach, from_the_watermark_on_nothing_is_computed_before_an_address_is_shown)
{
	begin(BED_CCS_KID, 3);
	for (unsigned i = 0; i < WATERMARK; i++)
		cr_assert_eq(code_for(i), COAP_CHANGED, "%u", i);
	for (unsigned i = 0; i < MORE; i++)
		cr_assert_eq(code_for(WATERMARK + i), COAP_UNAUTHORIZED, "%u", i);
	cr_expect_eq(stat(HANDSHAKE_STAT_edhoc_answered), WATERMARK);
	cr_expect_eq(stat(HANDSHAKE_STAT_edhoc_echo), MORE);
	cr_expect_eq(connections_count(connections), MORE, "nothing was begun for them");
	end();
}

Test(edhoc_reach, an_answer_that_could_be_three_times_as_long_waits_for_it)
{
	begin(BED_CCS_VALUE, 0); // a credential and a signature
	cr_expect_eq(code_for(0), COAP_UNAUTHORIZED);
	cr_expect_eq(stat(HANDSHAKE_STAT_edhoc_answered), 0);
	cr_expect_eq(stat(HANDSHAKE_STAT_edhoc_echo), 1);
	end();
	begin(BED_CCS_VALUE, 3); // a MAC of 8 bytes
	cr_expect_eq(code_for(0), COAP_CHANGED);
	end();
}

// RFC 9175 section 6.
Test(edhoc_reach, a_value_does_not_say_since_when_the_machine_runs)
{
	static const uint8_t keys[2][REACH_KEY_LEN] = {{1}, {2}};
	const uint64_t now_s = 100000;
	const struct dp_flow flow = {.remote_port = 5683};
	uint8_t value[2][REACH_LEN];
	uint32_t shown[2];

	for (unsigned i = 0; i < 2; i++) {
		reach_make(keys[i], &flow, now_s, value[i]);
		memcpy(&shown[i], value[i], sizeof(shown[i]));
		cr_expect_neq(be32toh(shown[i]), now_s);
		cr_expect(reach_good(keys[i], &flow, now_s, value[i], REACH_LEN));
		cr_expect(reach_good(keys[i], &flow, now_s + REACH_S - 1, value[i], REACH_LEN));
		cr_expect_not(reach_good(keys[i], &flow, now_s + REACH_S, value[i], REACH_LEN));
		cr_expect_not(reach_good(keys[i], &flow, now_s - 1, value[i], REACH_LEN));
	}
	cr_expect_neq(shown[0], shown[1], "another start begins at another second");
}
