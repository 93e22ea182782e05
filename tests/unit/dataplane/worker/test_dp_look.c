// SPDX-License-Identifier: BSD-3-Clause
// What main sees when it looks: frames as they are, or messages opened, of whom it asked for.

#include "dataplane/look.h"
#include "tests/unit/dataplane/worker/bed_inside.h"

#include <criterion/criterion.h>

#define SECRET "what nobody else may read"

static struct bed bed;
static struct bed_device device, other;
static struct bed_request request;
static struct bed_answer answer;

static void init(void)
{
	bed_make(&bed);
	bed_device_make(&device, 2, AEAD_AES_CCM_16_64_128);
	bed_device_add(&bed, &device, true);
	bed_device_make(&other, 3, AEAD_AES_CCM_16_64_128);
	bed_device_add(&bed, &other, true);
}

static void fini(void)
{
	bed_free(&bed);
}

TestSuite(dp_look, .init = init, .fini = fini);

static void begin(struct dp_look_conf conf)
{
	if (!conf.generation)
		conf.context = DP_INDEX_NONE;
	cr_assert_eq(dp_look_begin(bed.dp, DP_LOOK_CAPTURE, &conf), 0);
}

static struct dp_look_conf of_device(bool plain)
{
	return (struct dp_look_conf){
		.plain = plain, .context = device.context, .generation = device.generation};
}

static void ask(const struct bed_device *of, uint64_t piv, const char *path)
{
	bed_seal_path(of, &request, COAP_CON, piv, piv, COAP_POST, path, SECRET);
	bed_send_request(&bed, &request);
	bed_turn(&bed);
}

// The next copy must be of this kind. It is valid until the one after it is asked for.
static const struct dp_copy *next(enum dp_copy_kind kind)
{
	static _Alignas(struct dp_copy) uint8_t kept[4096];
	const struct dp_copy *copy = dp_look_peek(bed.dp);

	cr_assert_not_null(copy, "no copy of kind %d", kind);
	cr_assert_eq(copy->kind, kind, "kind %d in the place of %d", copy->kind, kind);
	memcpy(kept, copy, sizeof(*copy) + copy->len);
	dp_look_pop(bed.dp);
	return (const struct dp_copy *)kept;
}

static void no_more(void)
{
	cr_assert_null(dp_look_peek(bed.dp));
}

static bool holds(const struct dp_copy *copy, const void *bytes, size_t len)
{
	return memmem(copy->bytes, copy->len, bytes, len) != NULL;
}

Test(dp_look, frames_are_copied_as_they_come_and_go_and_nothing_in_them_is_opened)
{
	begin((struct dp_look_conf){0});
	ask(&device, 1, "echo");
	cr_assert(bed_receive(&bed, &answer));
	const struct dp_copy *copy = next(DP_COPY_FRAME_IN);

	cr_expect_eq(copy->wire_len, copy->len);
	cr_expect_eq(copy->len, 14 + 20 + 8 + request.len);
	cr_expect_arr_eq(copy->bytes + 42, request.coap, request.len);
	copy = next(DP_COPY_FRAME_OUT);
	cr_expect_eq(copy->len, 14 + 20 + 8 + answer.len);
	cr_expect_arr_eq(copy->bytes + 42, answer.coap, answer.len);
	cr_expect_not(holds(copy, SECRET, strlen(SECRET)));
	no_more();
	// What ends early is copied too.
	request.coap[request.len - 1] ^= 1;
	request.coap[3] ^= 1;
	bed_send_request(&bed, &request);
	bed_send(&bed, &bed.flow, (const uint8_t *)"junk", 4);
	bed_turn(&bed);
	copy = next(DP_COPY_FRAME_IN);
	cr_expect(holds(copy, request.coap, request.len));
	copy = next(DP_COPY_FRAME_IN);
	cr_expect(holds(copy, "junk", 4));
	no_more();
	cr_expect_eq(dp_look_lost(bed.dp, DP_LOOK_CAPTURE), 0);
}

Test(dp_look, opened_messages_are_plain_coap_and_none_is_of_what_did_not_verify)
{
	uint8_t headers[DP_LOOK_HEADERS];
	struct coap_msg msg;

	begin((struct dp_look_conf){.plain = true});
	ask(&device, 1, "echo");
	request.coap[request.len - 1] ^= 1;
	bed_send_request(&bed, &request);
	bed_turn(&bed);
	const struct dp_copy *copy = next(DP_COPY_PLAIN_IN);

	cr_assert_eq(coap_msg_parse(&msg, copy->bytes, copy->len), COAP_OK);
	cr_expect_eq(msg.code, COAP_POST);
	cr_expect_eq(msg.mid, request.mid);
	cr_expect_eq(msg.token_len, request.token_len);
	cr_expect_arr_eq(msg.token, request.token, request.token_len);
	cr_expect_eq(msg.body.oscore_count, 0);
	cr_assert_eq(msg.body.payload_len, strlen(SECRET));
	cr_expect_arr_eq(msg.body.payload, SECRET, strlen(SECRET));
	cr_assert_eq(dp_look_headers(copy, headers), 28);
	cr_expect_arr_eq(headers + 12, bed.flow.remote_addr, 4);
	cr_expect_arr_eq(headers + 16, bed.flow.local_addr, 4);
	cr_expect_arr_eq(headers + 22, &bed.flow.local_port, 2);
	copy = next(DP_COPY_PLAIN_OUT);
	cr_assert_eq(coap_msg_parse(&msg, copy->bytes, copy->len), COAP_OK);
	cr_expect_eq(msg.code, COAP_CHANGED);
	cr_expect_eq(msg.type, COAP_ACK);
	cr_expect_arr_eq(msg.token, request.token, request.token_len);
	cr_assert_eq(msg.body.payload_len, strlen(SECRET));
	cr_expect_arr_eq(msg.body.payload, SECRET, strlen(SECRET));
	cr_assert_eq(dp_look_headers(copy, headers), 28);
	cr_expect_arr_eq(headers + 12, bed.flow.local_addr, 4);
	cr_expect_arr_eq(headers + 20, &bed.flow.local_port, 2);
	no_more();
}

Test(dp_look, what_verifies_and_is_not_accepted_is_not_copied)
{
	begin((struct dp_look_conf){.plain = true});
	// Both pass the window, as neither has moved it yet.
	bed_seal_path(&device, &request, COAP_NON, 1, 1, COAP_POST, "echo", SECRET);
	bed_send_request(&bed, &request);
	request.coap[3] ^= 1;
	bed_send_request(&bed, &request);
	bed_turn(&bed);
	cr_assert_eq(bed_count(&bed, DP_STAT_rx_requests), 1);
	next(DP_COPY_PLAIN_IN);
	next(DP_COPY_PLAIN_OUT);
	no_more();
}

Test(dp_look, an_answer_of_an_upstream_is_copied_when_it_is_sealed)
{
	static const uint8_t plaintext[] = {COAP_CONTENT, COAP_PAYLOAD_MARK, 'h', 'i'};
	struct coap_msg msg;
	dp_handle handle;

	begin(of_device(true));
	ask(&device, 1, "tv1");
	next(DP_COPY_PLAIN_IN);
	no_more();
	cr_assert_not_null(bed_upstream_take(&bed, &handle));
	bed_upstream_answer(&bed, handle, plaintext, sizeof(plaintext));
	bed_turn(&bed);
	const struct dp_copy *copy = next(DP_COPY_PLAIN_OUT);

	cr_assert_eq(coap_msg_parse(&msg, copy->bytes, copy->len), COAP_OK);
	cr_expect_eq(msg.code, COAP_CONTENT);
	cr_expect_eq(msg.mid, request.mid);
	cr_assert_eq(msg.body.payload_len, 2);
	no_more();
}

Test(dp_look, of_one_device_nothing_of_another_is_copied)
{
	begin(of_device(false));
	bed.flow.remote_port ^= 0x100;
	ask(&other, 1, "echo");
	no_more();
	bed.flow.remote_port ^= 0x100;
	ask(&device, 1, "echo");
	next(DP_COPY_FRAME_IN);
	next(DP_COPY_FRAME_OUT);
	// A forger who names the device is seen, but what goes to its address is not taken for the
	// device's.
	bed_seal_path(&device, &request, COAP_CON, 2, 2, COAP_POST, "echo", SECRET);
	request.coap[request.len - 1] ^= 1;
	bed.flow.remote_port ^= 0x200;
	bed_send_request(&bed, &request);
	bed_turn(&bed);
	next(DP_COPY_FRAME_IN);
	ask(&other, 2, "echo");
	no_more();
	bed.flow.remote_port ^= 0x200;
	dp_look_end(bed.dp, DP_LOOK_CAPTURE);
	begin(of_device(true));
	ask(&other, 3, "echo");
	no_more();
	ask(&device, 2, "echo");
	next(DP_COPY_PLAIN_IN);
	next(DP_COPY_PLAIN_OUT);
	no_more();
}

Test(dp_look, one_look_at_a_time_and_what_a_full_ring_loses_is_counted)
{
	const struct dp_look_conf all = {.context = DP_INDEX_NONE};
	unsigned copies = 0;

	begin(all);
	cr_assert_eq(dp_look_begin(bed.dp, DP_LOOK_CAPTURE, &all), -EBUSY);
	for (uint64_t piv = 1; !dp_look_lost(bed.dp, DP_LOOK_CAPTURE); piv++) {
		ask(&device, piv, "echo");
		cr_assert(bed_receive(&bed, &answer), "whoever looks, requests are answered");
		copies += 2;
	}
	uint64_t lost = dp_look_lost(bed.dp, DP_LOOK_CAPTURE);

	for (unsigned i = 0; i < copies - lost; i++) {
		cr_assert_not_null(dp_look_peek(bed.dp));
		dp_look_pop(bed.dp);
	}
	no_more();
	dp_look_end(bed.dp, DP_LOOK_CAPTURE);
	cr_assert_not(dp_look_turn(bed.dp), "freed, as no worker runs");
	begin(all);
}

// Takes the next event; it must be of this step of this packet, counted down.
static struct dp_trace_event event_next(uint32_t number, enum dp_trace_step step)
{
	const struct dp_trace_event *next = dp_look_trace_peek(bed.dp);

	cr_assert_not_null(next);
	struct dp_trace_event event = *next;

	cr_assert_eq(event.number, number);
	cr_assert_eq(event.step, step, "step %d in the place of %d", event.step, step);
	dp_look_trace_pop(bed.dp);
	return event;
}

static void stages_next(uint32_t number, enum dp_stage last, bool passed)
{
	for (unsigned stage = DP_STAGE_parse; stage <= last; stage++) {
		if (stage == DP_STAGE_inner)
			event_next(number, DP_TRACE_ROUTED);
		struct dp_trace_event event = event_next(number, DP_TRACE_STAGE);

		cr_assert_eq(event.stage, stage);
		cr_assert_eq(event.passed, stage < last || passed);
		cr_assert_eq(event.last, stage == last && !passed);
	}
}

// Of a burst with others between them, and each is served as it would be without a trace.
Test(dp_look, packets_that_are_traced_are_told_of_stage_by_stage)
{
	const struct dp_look_conf conf = {
		.context = device.context, .generation = device.generation, .packets = 2};
	unsigned answers = 0;

	cr_assert_eq(dp_look_begin(bed.dp, DP_LOOK_TRACE, &conf), 0);
	for (uint64_t piv = 1; piv <= 3; piv++) {
		bed_seal_path(&other, &request, COAP_CON, 10 + piv, piv, COAP_POST, "echo", SECRET);
		bed_send_request(&bed, &request);
		bed_seal_path(&device, &request, COAP_CON, piv, piv, COAP_POST, "echo", SECRET);
		request.coap[request.len - 1] ^= piv == 2;
		bed_send_request(&bed, &request);
	}
	bed_turn(&bed);
	while (bed_receive(&bed, &answer))
		answers++;
	cr_expect_eq(answers, 5);
	cr_expect_eq(bed_count(&bed, DP_STAT_rx_requests), 5);
	cr_expect_eq(bed_ends(&bed), 6);
	struct dp_trace_event event = event_next(2, DP_TRACE_RECEIVED);

	cr_expect_arr_eq(event.endpoint, &bed.flow, DP_ENDPOINT_LEN);
	stages_next(2, DP_STAGE_inner, true);
	event = event_next(2, DP_TRACE_ANSWERED);
	cr_expect_eq(event.code, COAP_CHANGED);
	cr_expect(event.last);
	event_next(1, DP_TRACE_RECEIVED);
	stages_next(1, DP_STAGE_open, false);
	cr_expect_null(dp_look_trace_peek(bed.dp), "two were asked for");
}

Test(dp_look, what_an_upstream_did_is_told_of_a_traced_request_only)
{
	static const uint8_t plaintext[] = {COAP_CONTENT};
	struct dp_look_conf conf = {.context = DP_INDEX_NONE, .packets = 1, .source_family = 4};
	struct dp_trace_upstream upstream = {.status = 200};
	dp_handle handle;

	memcpy(conf.source, bed.flow.remote_addr, sizeof(conf.source));
	cr_assert_eq(dp_look_begin(bed.dp, DP_LOOK_TRACE, &conf), 0);
	ask(&device, 1, "tv1");
	struct dp_shared *shared = bed_upstream_take(&bed, &handle);

	cr_assert(shared->request.traced);
	memcpy(dp_shared_request_buf(shared) + shared->request.token_len, &upstream,
		sizeof(upstream));
	shared->response.told = true;
	event_next(1, DP_TRACE_RECEIVED);
	for (unsigned i = 0; i < 6; i++)
		cr_assert_not(event_next(1, DP_TRACE_STAGE + (i == 5)).last);
	cr_assert_not(event_next(1, DP_TRACE_STAGE).last);
	bed_upstream_answer(&bed, handle, plaintext, sizeof(plaintext));
	bed_turn(&bed);
	struct dp_trace_event event = event_next(0, DP_TRACE_RETURNED);

	cr_expect_eq(event.upstream.status, 200);
	cr_expect_eq(event.context, device.context);
	cr_expect_eq(event.piv, 1);
	event = event_next(0, DP_TRACE_ANSWERED);
	cr_expect_eq(event.piv, 1);
	cr_expect(event.last);
	ask(&device, 2, "tv1");
	shared = bed_upstream_take(&bed, &handle);
	cr_assert_not(shared->request.traced, "one was asked for");
	bed_upstream_answer(&bed, handle, plaintext, sizeof(plaintext));
	bed_turn(&bed);
	cr_expect_null(dp_look_trace_peek(bed.dp));
}
