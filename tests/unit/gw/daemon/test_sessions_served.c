// SPDX-License-Identifier: BSD-3-Clause
// EDHOC from end to end: a device with a key pair against workers, rings, threads of handshakes and
// main's part as they are.

#include "dataplane/shared/stranger.h"
#include "dataplane/worker/slow.h"
#include "gw/daemon/handshakes.h"
#include "gw/daemon/identity.h"
#include "gw/device/reserved.h"
#include "tests/unit/dataplane/worker/dp_bed.h"
#include "tests/unit/gw/edhoc/bed.h"

#include <criterion/criterion.h>
#include <sched.h>
#include <sodium.h>

#define TURNS_MAX 100000
#define KID       0x11
#define METHOD    3
#define SUITE     2

static struct bed bed;
static struct daemon gateway;
static const uint8_t shard_key[SHARD_KEY_LEN] = {7};
static char file[] = "/identity", *files[] = {file};
static struct conf conf = {
	.handshakes = {.threads = 2,
		.rate = 1000,
		.device_rate = 1000,
		.sessions = 8,
		.keep_ms = 3600000,
		.max_age_ms = 86400000},
	.edhoc = {.identity = files, .identity_count = 1, .c_r_length = BED_SLOW_EDHOC_LEN},
};
static struct identity identity;
static struct edhoc_engine engine;
static struct bed_end initiator, responder;
static struct bed_run run;
static struct bed_device device; // with the keys of the session
static struct bed_request request;
static struct bed_answer answer;
static uint16_t mid;
static uint8_t coap[BED_MESSAGE_MAX];
static size_t coap_len;

static void credential_add(void)
{
	const struct device_settings settings = {0};
	const uint8_t kid = KID;
	const struct credential_row row = {.id = 7,
		.name = "meter",
		.settings = &settings,
		.item = bed_view(&initiator.item),
		.kid = {&kid, 1}};

	cr_assert_eq(credentials_put(gateway.credentials, &row), 0);
}

static void init(void)
{
	static const uint8_t secrets[2][ECC_LEN] = {{1}, {2}};
	const enum ecc_curve curve = bed_curve(METHOD, SUITE, EDHOC_RESPONDER);

	bed_make(&bed);
	bed_stop_clock(&bed);
	engine = bed_engine();
	bed_end_make(&initiator, &engine, curve, BED_CCS_KID, secrets[0], KID);
	bed_end_make(&responder, &engine, curve, BED_CCS_KID, secrets[1], 0x22);
	identity.count = 1;
	identity.own[0] = (struct edhoc_own){
		.item = bed_view(&responder.item), .id_cred = responder.identity.id_cred};
	memcpy(identity.own[0].secret, secrets[1], ECC_LEN);
	gateway = (struct daemon){.dp = bed.dp, .conf = &conf, .identity = &identity};
	gateway.credentials = credentials_create();
	gateway.reserved = device_reserved_new();
	conf.devices.max = BED_DEVICES;
	cr_assert_eq(registry_init(&gateway.registry, bed.dp, BED_DEVICES), 0);
	credential_add();
	cr_assert_eq(handshakes_start(&gateway, shard_key), 0);
}

static void fini(void)
{
	handshakes_stop(gateway.handshakes);
	handshakes_free(gateway.handshakes);
	credentials_free(gateway.credentials);
	device_reserved_free(gateway.reserved);
	registry_fini(&gateway.registry);
	bed_end_free(&initiator);
	bed_end_free(&responder);
	bed_engine_free(&engine);
	bed_free(&bed);
}

TestSuite(sessions_served, .init = init, .fini = fini, .timeout = 120);

static bool receive(void)
{
	for (unsigned i = 0; i < TURNS_MAX; i++) {
		handshakes_turn(gateway.handshakes);
		bed_turn(&bed);
		if (bed_receive(&bed, &answer))
			return true;
		sched_yield();
	}
	return false;
}

static void coap_send(void)
{
	bed_later(&bed, 1000); // within the rate of a network
	bed_send(&bed, &bed.flow, coap, coap_len);
	bed_turn(&bed);
}

// A request to /.well-known/edhoc.
static void edhoc_send(const uint8_t *prefix, size_t prefix_len, const struct bed_bytes *message)
{
	uint8_t payload[BED_MESSAGE_MAX];
	struct coap_writer writer;

	memcpy(payload, prefix, prefix_len);
	memcpy(payload + prefix_len, message->data, message->len);
	coap_writer_init(&writer, coap, sizeof(coap));
	coap_write_header(&writer, COAP_CON, COAP_POST, ++mid, (const uint8_t *)"e", 1);
	coap_write_option(&writer, COAP_OPT_URI_PATH, ".well-known", 11);
	coap_write_option(&writer, COAP_OPT_URI_PATH, "edhoc", 5);
	coap_write_payload(&writer, payload, prefix_len + message->len);
	coap_len = coap_writer_len(&writer);
	coap_send();
}

static void run_to_3(void)
{
	struct osc_params params;

	cr_assert_eq(bed_message_1(&run, &engine, METHOD, SUITE), EDHOC_OK);
	edhoc_send((const uint8_t *)"\xf5", 1, &run.message[1]);
	cr_assert(receive());
	cr_assert_eq(answer.msg.code, COAP_CHANGED);
	run.message[2].len = answer.msg.body.payload_len;
	memcpy(run.message[2].data, answer.msg.body.payload, run.message[2].len);
	cr_assert_eq(bed_message_3(&run, &engine, &initiator, &responder), EDHOC_OK);
	edhoc_oscore(&run.initiator_done, EDHOC_INITIATOR, &params);
	device = (struct bed_device){.params = params};
	cr_assert_eq(osc_derive(&device.keys, &params), 0);
}

static void message_3_send(void)
{
	uint8_t c_r[8] = {0x40 | BED_SLOW_EDHOC_LEN};

	cr_assert_eq(run.initiator_done.c_r.len, BED_SLOW_EDHOC_LEN);
	memcpy(c_r + 1, run.initiator_done.c_r.bytes, run.initiator_done.c_r.len);
	edhoc_send(c_r, 1 + BED_SLOW_EDHOC_LEN, &run.message[3]);
}

static void request_seal(uint64_t piv, const char *path)
{
	bed_seal_path(&device, &request, COAP_CON, ++mid, piv, COAP_POST, path, "x");
}

// Puts message_3 in front of the ciphertext of a request.
static void combine(const struct bed_bytes *message_3)
{
	uint8_t payload[BED_MESSAGE_MAX];
	struct coap_msg msg;
	struct coap_writer writer;

	cr_assert_eq(coap_msg_parse(&msg, request.coap, request.len), COAP_OK);
	memcpy(payload, message_3->data, message_3->len);
	memcpy(payload + message_3->len, msg.body.payload, msg.body.payload_len);
	coap_writer_init(&writer, coap, sizeof(coap));
	coap_write_header(&writer, msg.type, msg.code, msg.mid, msg.token, msg.token_len);
	coap_write_option(&writer, COAP_OPT_OSCORE, msg.body.oscore, msg.body.oscore_len);
	coap_write_option(&writer, COAP_OPT_EDHOC, NULL, 0);
	coap_write_payload(&writer, payload, message_3->len + msg.body.payload_len);
	coap_len = coap_writer_len(&writer);
	cr_assert(coap_len);
}

static void expect_served(void)
{
	cr_assert(receive());
	cr_assert(answer.protected);
	cr_assert(bed_open(&device, &request, &answer));
	cr_expect_eq(answer.plaintext[0], COAP_CHANGED);
}

static uint64_t served(void)
{
	return bed_count(&bed, DP_STAT_rx_requests);
}

static uint64_t living(void)
{
	return handshakes_sessions(gateway.handshakes)->living;
}

Test(sessions_served, a_request_after_message_3)
{
	char name[DEVICE_NAME_MAX + 1];

	run_to_3();
	message_3_send();
	cr_assert(receive());
	cr_expect_eq(answer.msg.code, COAP_CHANGED);
	cr_expect_null(answer.msg.body.payload);
	cr_expect_eq(living(), 1);
	request_seal(0, "echo");
	bed_send_request(&bed, &request);
	expect_served();
	cr_expect_eq(served(), 1);
	// The device has the name of its credential.
	const uint32_t at = registry_next(&gateway.registry, 0);

	cr_expect(registry_name(
		&gateway.registry, at, gateway.registry.entry[at].generation, name, sizeof(name)));
	cr_expect_str_eq(name, "meter");
	cr_expect(gateway.registry.entry[at].id & REGISTRY_SESSION);
}

Test(sessions_served, a_combined_request)
{
	uint8_t first[BED_MESSAGE_MAX];

	run_to_3();
	cr_expect_eq(living(), 0);
	request_seal(0, "echo");
	combine(&run.message[3]);
	coap_send();
	expect_served();
	cr_expect_eq(served(), 1);
	cr_expect_eq(living(), 1);
	const size_t len = answer.len;

	memcpy(first, answer.coap, len);
	// A copy gets the same bytes, and is not performed again.
	coap_send();
	cr_assert(receive());
	cr_assert_eq(answer.len, len);
	cr_expect_arr_eq(answer.coap, first, len);
	cr_expect_eq(served(), 1);
	// Another request that was sent at the same time, with the same message_3.
	request_seal(1, "echo");
	combine(&run.message[3]);
	coap_send();
	expect_served();
	// And one as usual.
	request_seal(2, "echo");
	bed_send_request(&bed, &request);
	expect_served();
	cr_expect_eq(served(), 3);
	cr_expect_eq(handshakes_sessions(gateway.handshakes)->begun, 1);
}

Test(sessions_served, nothing_is_published_before_message_3_verified)
{
	struct bed_bytes forged;
	unsigned told = 0;

	run_to_3();
	forged = run.message[3];
	forged.data[forged.len - 1] ^= 1;
	request_seal(0, "echo");
	combine(&forged);
	coap_send();
	cr_assert(receive());
	cr_expect_eq(answer.msg.code, COAP_BAD_REQUEST);
	cr_expect_not(answer.protected);
	bed_send_request(&bed, &request);
	bed_turn(&bed);
	cr_expect_eq(bed_count(&bed, DP_STAT_drop_unknown_context), 1);
	cr_assert(receive());
	cr_expect_eq(
		answer.msg.code, COAP_UNAUTHORIZED, "a device must know that it has no session");
	cr_expect_not(answer.protected);
	for (unsigned i = 0; i < 4 * DP_SLOW_TELL_RATE; i++) {
		bed_send_request(&bed, &request);
		bed_turn(&bed);
		told += bed_receive(&bed, &answer);
	}
	cr_expect_lt(told, 2 * DP_SLOW_TELL_RATE, "so many a second");
	cr_expect_eq(living(), 0);
	cr_expect_eq(served(), 0);
	combine(&run.message[3]);
	coap_send();
	expect_served();
}

Test(sessions_served, a_credential_that_has_gone_gets_no_session)
{
	run_to_3();
	credentials_take(gateway.credentials, 7);
	message_3_send();
	cr_assert(receive());
	cr_expect_eq(answer.msg.code, COAP_BAD_REQUEST);
	cr_expect_eq(living(), 0);
}

Test(sessions_served, a_c_r_that_a_device_got_meanwhile_is_not_given_out_again)
{
	struct device_keyed stored = {.id = 5,
		.name = "stored",
		.alg = AEAD_AES_CCM_16_64_128,
		.window_known = true,
		.device_id_len = BED_SLOW_EDHOC_LEN,
		.gateway_id_len = 2};

	run_to_3();
	memcpy(stored.device_id, run.initiator_done.c_r.bytes, BED_SLOW_EDHOC_LEN);
	cr_assert(device_reserved_lent(gateway.reserved, stored.device_id, BED_SLOW_EDHOC_LEN));
	// As if the store had asked just before it was.
	cr_assert_eq(registry_add(&gateway.registry, &stored), 0);
	message_3_send();
	cr_assert(receive());
	cr_expect_eq(answer.msg.code, COAP_SERVICE_UNAVAILABLE);
	cr_expect_eq(living(), 0);
	cr_expect_not(device_reserved_lent(gateway.reserved, stored.device_id, BED_SLOW_EDHOC_LEN));
	// The next one is served.
	run_to_3();
	message_3_send();
	cr_assert(receive());
	cr_expect_eq(answer.msg.code, COAP_CHANGED);
	cr_expect_eq(living(), 1);
}

Test(sessions_served, own_partial_ivs_are_a_counter)
{
	run_to_3();
	message_3_send();
	cr_assert(receive());
	const uint32_t at = registry_next(&gateway.registry, 0);

	cr_expect(dp_contexts(bed.dp)->context[at].flags & DP_CONTEXT_OWN_PIV_PLAIN);
	cr_expect_eq(dp_contexts(bed.dp)->context[at].state, DP_CONTEXT_ACTIVE);
	// Who made the handshake is no stranger (dataplane/shared/stranger.h).
	cr_expect(dp_stranger_knows(&dp_contexts(bed.dp)->context[at],
		dp_stranger_endpoint(dp_contexts(bed.dp), &bed.flow)));
}

// Gives the threads another key pair, as a reload does, and waits until none has the former one.
static void rotate(struct bed_end *next)
{
	static const uint8_t secret[ECC_LEN] = {4};
	struct edhoc_identities *set[DP_SLOW_THREADS_MAX];
	static struct identity another;

	bed_end_make(next, &engine, bed_curve(METHOD, SUITE, EDHOC_RESPONDER), BED_CCS_KID, secret,
		0x33);
	another.count = 1;
	another.own[0] = (struct edhoc_own){
		.item = bed_view(&next->item), .id_cred = next->identity.id_cred};
	memcpy(another.own[0].secret, secret, ECC_LEN);
	for (unsigned i = 0; i < handshakes_threads(gateway.handshakes); i++) {
		set[i] = identity_of_thread(&another, &conf.edhoc);
		cr_assert_not_null(set[i]);
	}
	handshakes_identify(gateway.handshakes, set);
	while (!handshakes_identified(gateway.handshakes))
		sched_yield();
	cr_expect(handshakes_identified(gateway.handshakes));
}

Test(sessions_served, a_handshake_ends_with_the_identity_with_which_it_began)
{
	struct bed_end next;
	struct bed_bytes message_2;

	run_to_3();
	message_2 = run.message[2];
	rotate(&next);
	edhoc_send((const uint8_t *)"\xf5", 1, &run.message[1]);
	cr_assert(receive(), "a copy of message_1");
	cr_assert_eq(answer.msg.body.payload_len, message_2.len);
	cr_expect_arr_eq(answer.msg.body.payload, message_2.data, message_2.len);
	message_3_send();
	cr_assert(receive());
	cr_expect_eq(answer.msg.code, COAP_CHANGED);
	cr_expect_eq(living(), 1);
	request_seal(0, "echo");
	bed_send_request(&bed, &request);
	expect_served();
	bed_end_free(&next);
}

Test(sessions_served, a_handshake_that_begins_has_the_new_identity)
{
	struct bed_end next;

	rotate(&next);
	cr_assert_eq(bed_message_1(&run, &engine, METHOD, SUITE), EDHOC_OK);
	edhoc_send((const uint8_t *)"\xf5", 1, &run.message[1]);
	cr_assert(receive());
	run.message[2].len = answer.msg.body.payload_len;
	memcpy(run.message[2].data, answer.msg.body.payload, run.message[2].len);
	cr_assert_eq(bed_message_3(&run, &engine, &initiator, &next), EDHOC_OK);
	message_3_send();
	cr_assert(receive());
	cr_expect_eq(living(), 1);
	bed_end_free(&next);
}
