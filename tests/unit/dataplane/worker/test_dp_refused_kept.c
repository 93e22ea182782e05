// SPDX-License-Identifier: BSD-3-Clause
// What is kept of packets that were refused: why, from where, whose, and their first bytes, but
// never anything that was decrypted; a bounded part of them, in which no reason takes the place of
// another.

#include "dataplane/port/headers.h"
#include "dataplane/refused.h"
#include "tests/unit/dataplane/worker/bed_inside.h"
#include "tests/unit/dataplane/worker/one_device.h"

#include <criterion/criterion.h>

#define FULL (DP_REFUSED_KEPT * BED_WORKERS_MAX)

static struct dp_refused_of kept[FULL];

static void setup(void)
{
	one_device_init();
	bed_device_add(&bed, &device, true);
}

TestSuite(dp_refused_kept, .init = setup, .fini = one_device_fini);

static unsigned kept_read(enum dp_stat reason)
{
	cr_assert_leq(dp_refused_most(bed.dp), FULL);
	return dp_refused_read(bed.dp, reason, kept);
}

// The only packet of this reason.
static const struct dp_refused_packet *only(enum dp_stat reason)
{
	cr_assert_eq(kept_read(reason), 1, "%s", dp_stat_infos[reason].name);
	return &kept[0].packet;
}

static void put(const uint8_t *coap, size_t len)
{
	bed_send(&bed, &bed.flow, coap, len);
	bed_turn(&bed);
}

#define PUT(...) put((const uint8_t[]){__VA_ARGS__}, sizeof((const uint8_t[]){__VA_ARGS__}))

// Each reason may be copied again.
static void shares_come(void)
{
	for (unsigned second = 0; second < 10; second++) {
		bed_later(&bed, 1000);
		bed_turn(&bed);
	}
}

static void forge(uint64_t piv)
{
	bed_seal_path(&device, &request, COAP_CON, piv, piv, COAP_POST, "echo", "a secret reading");
	request.coap[request.len - 1] ^= 1;
	bed_send_request(&bed, &request);
	bed_turn(&bed);
}

Test(dp_refused_kept, says_where_a_message_is_malformed)
{
	const struct {
		enum dp_stat reason;
		enum coap_verdict fault;
		unsigned at, len;
		uint8_t coap[24];
	} messages[] = {
		{DP_STAT_drop_coap_version, COAP_BAD_VERSION, 0, 4, {0x80, 1, 0, 1}},
		{DP_STAT_drop_coap_format, COAP_TRUNCATED, 3, 3, {0x40, 1, 0}},
		{DP_STAT_drop_coap_format, COAP_BAD_TKL, 0, 5, {0x4f, 1, 0, 1, 7}},
		{DP_STAT_drop_coap_format, COAP_TRUNCATED, 4, 6, {0x44, 1, 0, 1, 7, 7}},
		// Two good options, and one that runs past the end.
		{DP_STAT_drop_coap_format, COAP_TRUNCATED, 7, 9,
			{0x40, 1, 0, 1, 0xb1, 'a', 0x00, 0x05, 'x'}},
		{DP_STAT_drop_coap_format, COAP_BAD_OPTION_NIBBLE, 6, 8,
			{0x40, 1, 0, 1, 0xb1, 'a', 0xf1, 'x'}},
		{DP_STAT_drop_coap_format, COAP_EMPTY_PAYLOAD, 6, 7,
			{0x40, 1, 0, 1, 0xb1, 'a', 0xff}},
		{DP_STAT_drop_coap_format, COAP_BAD_EMPTY, 4, 5, {0x40, 0, 0, 1, 9}},
		{DP_STAT_drop_coap_code, COAP_OK, 1, 4, {0x40, 0x45, 0, 1}},
		// OSCORE: reserved bits, no room for the PIV, padded, no room for the kid context,
		// bytes behind a value without kid, none at all, and a second one.
		{DP_STAT_drop_oscore_option, COAP_OK, 5, 9,
			{0x40, 2, 0, 1, 0x92, 0xe9, 1, 0xff, 1}},
		{DP_STAT_drop_oscore_option, COAP_OK, 6, 9,
			{0x40, 2, 0, 1, 0x92, 0x0b, 1, 0xff, 1}},
		{DP_STAT_drop_oscore_option, COAP_OK, 6, 10,
			{0x40, 2, 0, 1, 0x93, 0x0a, 0, 1, 0xff, 1}},
		{DP_STAT_drop_oscore_option, COAP_OK, 7, 11,
			{0x40, 2, 0, 1, 0x94, 0x19, 5, 9, 1, 0xff, 1}},
		{DP_STAT_drop_oscore_option, COAP_OK, 9, 12,
			{0x40, 2, 0, 1, 0x95, 0x11, 5, 1, 7, 1, 0xff, 1}},
		{DP_STAT_drop_oscore_option, COAP_OK, 5, 7, {0x40, 2, 0, 1, 0x90, 0xff, 1}},
		{DP_STAT_drop_oscore_option, COAP_OK, 5, 12,
			{0x40, 2, 0, 1, 0x92, 9, 5, 0x02, 9, 5, 0xff, 1}},
	};

	for (unsigned i = 0; i < sizeof(messages) / sizeof(messages[0]); i++) {
		shares_come();
		put(messages[i].coap, messages[i].len);
		cr_assert_gt(kept_read(messages[i].reason), 0, "message %u", i);
		const struct dp_refused_packet *packet = &kept[0].packet;

		cr_expect_eq(
			packet->bad_at, messages[i].at, "message %u: at %u", i, packet->bad_at);
		cr_expect_eq(packet->fault, messages[i].fault, "message %u", i);
		cr_expect_eq(packet->len, messages[i].len);
		cr_assert_eq(packet->bytes_len, messages[i].len);
		cr_expect_arr_eq(packet->bytes, messages[i].coap, messages[i].len);
		cr_expect_not(packet->frame);
	}
}

Test(dp_refused_kept, says_whose_and_from_where)
{
	const struct dp_refused_packet *packet;

	bed_seal_path(&device, &request, COAP_CON, 1, 7, COAP_POST, "echo", "x");
	request.coap[request.len - 1] ^= 1;
	bed_send_request(&bed, &request);
	bed_turn(&bed);
	packet = only(DP_STAT_drop_tag);
	cr_expect_eq(packet->context, device.context);
	cr_expect_eq(packet->generation, device.generation);
	cr_expect(packet->has_kid && packet->has_piv);
	cr_expect_eq(packet->piv, 7);
	cr_expect_eq(packet->source_family, bed.flow.family);
	cr_expect_eq(packet->source_port, bed.flow.remote_port);
	cr_expect_arr_eq(packet->source, bed.flow.remote_addr, sizeof(packet->source));
	cr_expect_eq(packet->port_id, bed.flow.port_id);
	cr_expect_eq(packet->ms, bed_now_ms(&bed));
	cr_expect_eq(kept[0].worker, 0);

	// PIV 1, kid context 0102, a kid that nobody has.
	PUT(0x40, 2, 0, 1, 0x97, 0x19, 1, 2, 1, 2, 0xaa, 0xbb, 0xff, 1, 2, 3, 4, 5, 6, 7, 8, 9);
	packet = only(DP_STAT_drop_unknown_context);
	cr_expect_eq(packet->context, DP_INDEX_NONE);
	cr_expect_eq(packet->kid_len, 2);
	cr_expect_arr_eq(packet->kid, "\xaa\xbb", 2);
	cr_expect(packet->has_kid_context);
	cr_expect_eq(packet->kid_context_len, 2);
	cr_expect_arr_eq(packet->kid_context, "\1\2", 2);
	cr_expect_eq(packet->bad_at, DP_REFUSED_NOWHERE);
	cr_expect_eq(packet->bytes_len, 22, "nothing of it was decrypted");
}

// A kid and a kid context may have nearly 255 bytes: they are cut.
Test(dp_refused_kept, long_names_are_cut)
{
	uint8_t coap[600] = {0x40, 2, 0, 1, 0x9e}, *at = coap + 7;
	const unsigned context_len = 255, kid_len = 40;
	const unsigned value_len = 1 + 1 + 1 + context_len + kid_len;

	store_be16(coap + 5, value_len - 269);
	*at++ = 0x19;
	*at++ = 1;
	*at++ = context_len;
	memset(at, 0xcc, context_len);
	memset(at + context_len, 0xdd, kid_len);
	at += context_len + kid_len;
	*at++ = 0xff;
	memset(at, 1, 20);
	put(coap, at + 20 - coap);
	const struct dp_refused_packet *packet = only(DP_STAT_drop_unknown_context);

	cr_expect_eq(packet->kid_len, kid_len);
	cr_expect_eq(packet->kid_context_len, context_len);
	cr_expect_eq(packet->kid[DP_REFUSED_KID - 1], 0xdd);
	cr_expect_eq(packet->kid_context[DP_REFUSED_KID_CONTEXT - 1], 0xcc);
	cr_expect_eq(packet->bytes_len, DP_REFUSED_BYTES);
}

// Of what was opened, in place, only what stands in front of the ciphertext: it is followed by a
// plaintext, or by what a wrong key made of it, which tells the key stream.
static void expect_only_head(enum dp_stat reason)
{
	static const uint8_t nothing[DP_REFUSED_BYTES];
	struct coap_msg msg;

	cr_assert_gt(kept_read(reason), 0, "%s", dp_stat_infos[reason].name);
	const struct dp_refused_packet *packet = &kept[0].packet;

	cr_assert_eq(coap_msg_parse(&msg, request.coap, request.len), COAP_OK);
	const unsigned head = msg.body.payload - request.coap;

	cr_expect(packet->opened);
	cr_expect_eq(packet->bytes_len, head);
	cr_expect_arr_eq(packet->bytes, request.coap, head);
	cr_expect_arr_eq(packet->bytes + head, nothing, sizeof(nothing) - head);
}

Test(dp_refused_kept, nothing_that_was_opened_is_kept)
{
	forge(1);
	expect_only_head(DP_STAT_drop_tag);

	// Two of one number in one burst: the second is opened before it is refused.
	bed_seal_path(&device, &request, COAP_NON, 2, 2, COAP_POST, "echo", "a secret reading");
	bed_send_request(&bed, &request);
	bed_send_request(&bed, &request);
	bed_turn(&bed);
	cr_assert(bed_receive(&bed, &answer));
	expect_only_head(DP_STAT_drop_seen_non);

	// A device whose window is not known, before there is a run to challenge it in.
	struct bed_device other;

	bed_device_make(&other, 3, AEAD_CHACHA20_POLY1305);
	bed_device_add(&bed, &other, false);
	bed_seal_path(&other, &request, COAP_CON, 3, 3, COAP_POST, "echo", "a secret reading");
	bed_send_request(&bed, &request);
	bed_turn(&bed);
	expect_only_head(DP_STAT_drop_no_run);
}

// A replay of what was accepted is seen before it is opened: all of it is as it came.
Test(dp_refused_kept, what_was_not_opened_is_whole)
{
	bed_seal_path(&device, &request, COAP_NON, 2, 2, COAP_POST, "echo", "a secret reading");
	bed_send_request(&bed, &request);
	bed_turn(&bed);
	bed_send_request(&bed, &request);
	bed_turn(&bed);
	const struct dp_refused_packet *packet = only(DP_STAT_drop_seen_non);

	cr_expect_not(packet->opened);
	cr_assert_eq(packet->bytes_len, RTE_MIN(request.len, DP_REFUSED_BYTES));
	cr_expect_arr_eq(packet->bytes, request.coap, packet->bytes_len);
}

static unsigned kept_of_all(void)
{
	unsigned sum = 0;

	for (unsigned i = 0; i < DP_REFUSED_REASONS; i++)
		sum += kept_read(DP_REFUSED_FIRST + i);
	return sum;
}

static void flood(unsigned n)
{
	while (n--) {
		PUT(0x80, 1, 0, 1);                                        // drop_coap_version
		PUT(0x40, 1, 0);                                           // drop_coap_format
		PUT(0x40, 0x45, 0, 1);                                     // drop_coap_code
		PUT(0x40, 1, 0, 1);                                        // drop_no_oscore
		PUT(0x60, 0, 0xff, 0xff);                                  // drop_coap_ack
		PUT(0x40, 2, 0, 1, 0x92, 0xe9, 1, 0xff, 1);                // drop_oscore_option
		PUT(0x40, 2, 0, 1, 0x93, 9, 1, 0xaa, 0xff, 1, 2, 3, 4, 5); // drop_unknown_context
	}
}

Test(dp_refused_kept, a_second_brings_ten_at_most)
{
	flood(50);
	cr_expect_eq(kept_of_all(), DP_REFUSED_A_SECOND);
	flood(50);
	cr_expect_eq(kept_of_all(), DP_REFUSED_A_SECOND, "the clock stands");
	cr_expect_eq(bed_count(&bed, DP_STAT_drop_coap_version), 100, "all are counted");
	bed_later(&bed, 1000);
	flood(50);
	cr_expect_eq(kept_of_all(), 2 * DP_REFUSED_A_SECOND);
}

// Seven reasons are flooded without end; what is seldom is kept, and stays.
Test(dp_refused_kept, no_flood_takes_the_place_of_what_is_seldom)
{
	for (unsigned second = 0; second < 30; second++) {
		flood(5);
		bed_later(&bed, 1000);
	}
	for (uint64_t piv = 1; piv <= 3; piv++) {
		flood(5);
		forge(piv);
		flood(5);
		bed_later(&bed, 1000);
		cr_assert_eq(kept_read(DP_STAT_drop_tag), piv);
		cr_expect_eq(kept[0].packet.piv, piv, "the newest comes first");
	}
	for (unsigned second = 0; second < 30; second++) {
		flood(5);
		bed_later(&bed, 1000);
	}
	cr_expect_eq(kept_read(DP_STAT_drop_tag), 3);
	cr_expect_eq(
		kept_read(DP_STAT_drop_coap_version), DP_REFUSED_KEPT, "as many as there is room");
}

Test(dp_refused_kept, frames_are_kept_as_they_came)
{
	struct dp_flow flow = bed.flow;
	uint8_t zero[16] = {0};

	// From an address that cannot be answered.
	memcpy(flow.remote_addr, zero, sizeof(zero));
	bed_send(&bed, &flow, (const uint8_t *)"\x40\1\0\1", 4);
	bed_turn(&bed);
	const struct dp_refused_packet *packet = only(DP_STAT_drop_source);

	cr_expect(packet->frame);
	cr_expect(packet->has_source);
	cr_expect_not(packet->has_kid);
	cr_expect_eq(packet->source_family, flow.family);
	cr_expect_arr_eq(packet->source, zero, sizeof(zero));
	cr_expect_eq(packet->len, dp_frame_overhead(&flow) + 4);
	cr_expect_arr_eq(packet->bytes, flow.local_mac, 6);
	cr_expect_eq(packet->bytes_len, RTE_MIN(packet->len, DP_REFUSED_BYTES));
}
