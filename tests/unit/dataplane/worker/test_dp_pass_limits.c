// SPDX-License-Identifier: BSD-3-Clause
// What strangers can have of what passes messages through: places, rates, copies, and bytes.

#include "tests/unit/dataplane/worker/pass_bed.h"

#include <criterion/criterion.h>

TestSuite(dp_pass_limits, .init = pass_bed_init, .fini = pass_bed_fini);

static void from_network(struct dp_flow *flow, unsigned network)
{
	*flow = bed.flow;
	flow->remote_addr[0] = 198;
	flow->remote_addr[2] = (uint8_t)network;
}

Test(dp_pass_limits, one_network_takes_no_places_of_another)
{
	dp_handle handle[EXCHANGES];
	struct dp_flow flow;
	unsigned n = 0;

	show(&bed.flow);
	for (unsigned i = 0; i < 3 * MAX_IN_FLIGHT; i++) {
		ask(COAP_NON);
		if (bed_upstream_take(&bed, &handle[n]))
			n++;
		bed_later(&bed, 20);
	}
	cr_expect_eq(n, MAX_IN_FLIGHT / 4);
	cr_expect_eq(bed_count(&bed, DP_STAT_drop_pass_full), 3 * MAX_IN_FLIGHT - n);
	for (unsigned i = 1; i < 4; i++) {
		from_network(&flow, i);
		while (bed_receive(&bed, &answer))
			;
		show(&flow);
		for (unsigned k = 0; k < MAX_IN_FLIGHT / 4; k++) {
			ask_from(&flow, COAP_NON, NULL, "x");
			(void)taken(&handle[n++]);
		}
	}
	cr_expect_eq(n, MAX_IN_FLIGHT, "all places of the kid are taken");
	from_network(&flow, 5);
	while (bed_receive(&bed, &answer))
		;
	uint8_t echo[DP_ECHO_LEN];

	ask_from(&flow, COAP_NON, NULL, "x");
	memcpy(echo, expect_unprotected(COAP_UNAUTHORIZED), sizeof(echo));
	ask_from(&flow, COAP_NON, echo, "x");
	expect_nothing_passed();
	cr_expect_null(expect_unprotected(COAP_SERVICE_UNAVAILABLE));
	// They come back with the answers.
	for (unsigned i = 0; i < n; i++)
		bed_upstream_answer(&bed, handle[i], protected, sizeof(protected));
	bed_turn(&bed);
	while (bed_receive(&bed, &answer))
		;
	cr_expect_eq(bed_exchanges(&bed, 0)->free_count, EXCHANGES);
	ask_from(&flow, COAP_NON, NULL, "x");
	serve(protected, sizeof(protected));
}

Test(dp_pass_limits, who_may_not_be_there_leaves_half_of_the_room)
{
	dp_handle handle[EXCHANGES], last;
	struct dp_flow flow;
	unsigned n = 0;

	show(&bed.flow);
	bed_device_make(&device, KID_LARGE, AEAD_AES_CCM_16_64_128);
	for (unsigned i = 1; i < 100; i++) {
		from_network(&flow, i);
		ask_from(&flow, COAP_NON, NULL, "x");
		if (bed_upstream_take(&bed, &handle[n]))
			n++;
		bed_later(&bed, 20);
	}
	cr_expect_eq(n, MAX_IN_FLIGHT / 2);
	while (bed_receive(&bed, &answer))
		;
	ask(COAP_NON);
	(void)taken(&last);
	bed_upstream_answer(&bed, last, protected, sizeof(protected));
	while (n)
		bed_upstream_answer(&bed, handle[--n], protected, sizeof(protected));
	bed_turn(&bed);
}

Test(dp_pass_limits, rates_are_of_a_network_first)
{
	struct dp_flow flow;
	dp_handle handle;
	unsigned passed = 0;

	show(&bed.flow);
	for (unsigned i = 0; i < 300; i++) {
		ask(COAP_NON);
		if (!bed_upstream_take(&bed, &handle))
			continue;
		bed_upstream_answer(&bed, handle, protected, sizeof(protected));
		passed++;
	}
	cr_expect_eq(passed, 50 - 2, "prefix.fill, less two of show()");
	cr_expect_eq(bed_count(&bed, DP_STAT_drop_pass_rate), 300 - passed);
	while (bed_receive(&bed, &answer))
		;
	from_network(&flow, 1);
	show(&flow);
	bed_later(&bed, 1000);
	ask(COAP_NON);
	serve(protected, sizeof(protected));
}

Test(dp_pass_limits, who_may_not_be_there_leaves_half_of_the_rate_of_his_network)
{
	struct dp_flow neighbour = bed.flow;
	uint8_t echo[DP_ECHO_LEN];
	struct coap_option found;

	show(&bed.flow);
	bed_later(&bed, 1000);
	neighbour.remote_addr[3] ^= 1;
	for (unsigned i = 0; i < 300; i++)
		ask_from(&neighbour, COAP_NON, NULL, "x");
	cr_expect_eq(bed_count(&bed, DP_STAT_rx_pass_challenges), 1 + 25);
	cr_assert(bed_receive(&bed, &answer));
	cr_assert(coap_option_find(&answer.msg.body, COAP_OPT_ECHO, &found));
	memcpy(echo, found.value, sizeof(echo));
	while (bed_receive(&bed, &answer))
		;
	ask(COAP_NON);
	serve(protected, sizeof(protected));
	expect_protected(COAP_NON, protected, sizeof(protected));
	ask_from(&neighbour, COAP_NON, echo, "x");
	serve(protected, sizeof(protected));
}

Test(dp_pass_limits, challenges_have_a_rate_of_their_own)
{
	struct dp_flow flow = bed.flow;

	for (unsigned i = 0; i < 1000; i++) {
		flow.remote_addr[0] = (uint8_t)(1 + i / 250);
		flow.remote_addr[2] = (uint8_t)(i % 250);
		ask_from(&flow, COAP_NON, NULL, "x");
		while (bed_receive(&bed, &answer))
			;
	}
	cr_expect_eq(bed_count(&bed, DP_STAT_rx_pass_challenges), 250);
	cr_expect_eq(bed_count(&bed, DP_STAT_drop_pass_rate), 750);
	expect_nothing_passed();
}

// The tag of a message stands for all of it: what is short must not fetch what a long one did.
Test(dp_pass_limits, a_copy_that_is_shorter_fetches_no_large_answer)
{
	static char long_payload[300];
	uint8_t large[700] = {COAP_CHANGED, 0x90, COAP_PAYLOAD_MARK};
	uint8_t coap[BED_MESSAGE_MAX];
	struct coap_writer writer;
	struct coap_msg msg;

	memset(long_payload, 'x', sizeof(long_payload) - 1);
	bed_device_make(&device, KID_LARGE, AEAD_AES_CCM_16_64_128);
	ask_from(&bed.flow, COAP_CON, NULL, long_payload);
	serve(large, sizeof(large));
	expect_protected(COAP_ACK, large, sizeof(large));
	// The same message id, token and tag.
	cr_assert_eq(coap_msg_parse(&msg, request.coap, request.len), COAP_OK);
	coap_writer_init(&writer, coap, sizeof(coap));
	coap_write_header(&writer, COAP_CON, msg.code, msg.mid, request.token, request.token_len);
	coap_write_option(&writer, COAP_OPT_OSCORE, msg.body.oscore, msg.body.oscore_len);
	coap_write_payload(&writer, msg.body.payload + msg.body.payload_len - 9, 9);
	for (unsigned i = 0; i < 3; i++) {
		bed_later(&bed, 1000);
		bed_send(&bed, &bed.flow, coap, (uint16_t)coap_writer_len(&writer));
		bed_turn(&bed);
		expect_silence();
	}
	expect_nothing_passed();
	bed_later(&bed, 1000);
	// A copy is answered.
	bed_send_request(&bed, &request);
	bed_turn(&bed);
	expect_protected(COAP_ACK, large, sizeof(large));
}

// Many tokens under one message id: a copy is known among them, and no list grows with them.
Test(dp_pass_limits, copies_are_known_among_many_with_one_message_id)
{
	struct bed_request first;
	dp_handle handle[32];
	uint8_t token[8] = "tokens";
	struct coap_msg msg;

	most_from_one_network();
	show(&bed.flow);
	for (unsigned i = 0; i < 24; i++) {
		uint8_t coap[BED_MESSAGE_MAX];
		struct coap_writer writer;

		bed_seal_path(&device, &request, COAP_CON, 99, piv++, COAP_POST, "up", "x");
		cr_assert_eq(coap_msg_parse(&msg, request.coap, request.len), COAP_OK);
		token[7] = (uint8_t)i;
		coap_writer_init(&writer, coap, sizeof(coap));
		coap_write_header(&writer, COAP_CON, msg.code, 99, token, sizeof(token));
		coap_write_option(&writer, COAP_OPT_OSCORE, msg.body.oscore, msg.body.oscore_len);
		coap_write_payload(&writer, msg.body.payload, msg.body.payload_len);
		request.len = (uint16_t)coap_writer_len(&writer);
		memcpy(request.coap, coap, request.len);
		if (!i)
			first = request;
		bed_send_request(&bed, &request);
		bed_turn(&bed);
		(void)taken(&handle[i]);
	}
	bed_send_request(&bed, &first);
	bed_turn(&bed);
	expect_nothing_passed();
	for (unsigned i = 0; i < 24; i++)
		bed_upstream_answer(&bed, handle[i], protected, sizeof(protected));
	bed_turn(&bed);
}

// A token of any length that a datagram has.
Test(dp_pass_limits, nothing_is_larger_than_a_datagram)
{
	uint8_t coap[BED_MESSAGE_MAX], token[1500] = {0};
	struct coap_writer writer;
	struct coap_msg msg;
	dp_handle handle;

	for (unsigned i = 0; i < 2; i++) {
		bed_device_make(&device, i ? KID : KID_LARGE, AEAD_AES_CCM_16_64_128);
		for (uint16_t len = 1400; len < 1472; len++) {
			bed_seal_path(
				&device, &request, COAP_CON, mid++, piv++, COAP_POST, "up", "");
			cr_assert_eq(coap_msg_parse(&msg, request.coap, request.len), COAP_OK);
			coap_writer_init(&writer, coap, sizeof(coap));
			coap_write_header(&writer, COAP_CON, msg.code, msg.mid, token, len);
			coap_write_option(
				&writer, COAP_OPT_OSCORE, msg.body.oscore, msg.body.oscore_len);
			coap_write_payload(&writer, msg.body.payload, 9);
			if (coap_writer_len(&writer) > 1472)
				break;
			bed_send(&bed, &bed.flow, coap, (uint16_t)coap_writer_len(&writer));
			bed_turn(&bed);
			if (bed_upstream_take(&bed, &handle)) {
				bed_upstream_answer(&bed, handle, protected, sizeof(protected));
				bed_turn(&bed);
			}
			while (bed_receive(&bed, &answer))
				cr_expect_leq(answer.len, 1472, "%u: %u", len, answer.len);
			bed_later(&bed, 100);
		}
	}
}

// Who claims to be a device takes none of the message ids of its confirmable answers.
Test(dp_pass_limits, who_has_not_shown_its_address_takes_no_message_ids)
{
	dp_handle handle;

	bed_device_make(&device, KID_LARGE, AEAD_AES_CCM_16_64_128);
	for (unsigned i = 0; i < 60000; i++) {
		ask_from(&bed.flow, COAP_CON, NULL, "x");
		(void)taken(&handle);
		bed_send_request(&bed, &request);
		bed_turn(&bed);
		cr_assert(bed_receive(&bed, &answer), "%u", i);
		cr_assert_eq(answer.msg.code, COAP_EMPTY);
		bed_upstream_answer(&bed, handle, protected, sizeof(protected));
		bed_turn(&bed);
		cr_assert(bed_receive(&bed, &answer));
		bed_later(&bed, 10);
	}
	cr_expect_eq(bed_count(&bed, DP_STAT_acks_no_mid), 0);
}
