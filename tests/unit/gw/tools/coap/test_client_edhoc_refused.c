// SPDX-License-Identifier: BSD-3-Clause
// postern-coap --edhoc among strangers, and with a gateway that refuses or forgets.

#include "tests/unit/gw/tools/coap/edhoc_gateway.h"

#include <criterion/criterion.h>
#include <string.h>

TestSuite(client_edhoc_refused, .init = edhoc_start, .fini = edhoc_stop);

// ---- what a stranger may send

Test(client_edhoc_refused, no_message_3_follows_a_changed_message_2)
{
	ends_usual("");
	for (unsigned at = 2; at < 60; at += 3) {
		client_start(NULL, "get", "URI/t", EDHOC, NULL);
		message_2_make(edhoc_receive(&request, EDHOC_PREFIX_MESSAGE_1), 0xf);
		message_2.data[at < message_2.len ? at : message_2.len - 1] ^= 0x10;
		edhoc_answer(&request, COAP_CHANGED, message_2.data, message_2.len);
		expect_failure("message_2: ");
	}
}

Test(client_edhoc_refused, a_gateway_with_another_key_is_refused)
{
	static struct bed_end other;
	uint8_t secret[ECC_LEN] = {1};

	ends_usual("");
	// Under the same kid.
	bed_end_make(&other, &engine, ECC_P256, BED_CCS_KID, secret, 0x0a);
	gateway_write(&other);
	client_start(NULL, "get", "URI/t", EDHOC, NULL);
	message_1_answer();
	expect_failure("message_2: not verified");
	// Under a kid that the device does not know.
	bed_end_free(&other);
	bed_end_make(&other, &engine, ECC_P256, BED_CCS_KID, secret, 0x0b);
	gateway_write(&other);
	client_start(NULL, "get", "URI/t", EDHOC, NULL);
	message_1_answer();
	expect_failure("message_2: unknown credential");
	bed_end_free(&other);
}

Test(client_edhoc_refused, error_messages_are_told)
{
	static const uint8_t unspecified[] = "\x01\x64\x57hy\x1b", unknown[] = "\x03\xf5",
			     malformed[] = "\x01";

	ends_usual("");
	client_start(NULL, "get", "URI/t", EDHOC, NULL);
	edhoc_receive(&request, EDHOC_PREFIX_MESSAGE_1);
	edhoc_answer(&request, COAP_BAD_REQUEST, unspecified, sizeof(unspecified) - 1);
	expect_failure("error 1: Why?");
	client_start(NULL, "get", "URI/t", EDHOC, NULL);
	message_1_answer();
	combined_receive(&request);
	edhoc_answer(&request, COAP_BAD_REQUEST, unknown, sizeof(unknown) - 1);
	expect_failure("error 3: it does not know the device's credential");
	client_start(NULL, "get", "URI/t", EDHOC, NULL);
	edhoc_receive(&request, EDHOC_PREFIX_MESSAGE_1);
	edhoc_answer(&request, COAP_BAD_REQUEST, malformed, sizeof(malformed) - 1);
	expect_failure("malformed");
	client_start(NULL, "get", "URI/t", EDHOC, NULL);
	edhoc_receive(&request, EDHOC_PREFIX_MESSAGE_1);
	responder_send(&request,
		&(struct reply){.type = COAP_ACK,
			.mid = request.outer.mid,
			.plain = true,
			.code = COAP_NOT_FOUND,
			.format = -1});
	expect_failure("message_1 is answered with 4.04 Not Found");
}

// ---- cipher suites

static void suites_refuse(unsigned suites)
{
	uint8_t error[EDHOC_ERROR_MAX];
	const size_t len = edhoc_error_write(EDHOC_SUITE, suites, false, error);

	edhoc_answer(&request, COAP_BAD_REQUEST, error, len);
}

// RFC 9528 section 6.3: the list goes up to the selected one, which is the best that both have.
Test(client_edhoc_refused, another_suite_after_a_refusal)
{
	struct edhoc_message_1 parsed;
	struct edhoc_bytes bytes;

	ends_usual(", \"suites\": [3, 2]");
	client_start(NULL, "get", "URI/t", EDHOC, NULL);
	bytes = edhoc_receive(&request, EDHOC_PREFIX_MESSAGE_1);
	cr_assert_eq(edhoc_message_1_parse(&parsed, bytes.data, bytes.len), EDHOC_OK);
	cr_expect_eq(parsed.n_suites, 1);
	cr_expect_eq(parsed.suite, 3);
	suites_refuse(1 << 0 | 1 << 2);
	bytes = edhoc_receive(&again, EDHOC_PREFIX_MESSAGE_1);
	cr_assert_eq(edhoc_message_1_parse(&parsed, bytes.data, bytes.len), EDHOC_OK);
	cr_expect_eq(parsed.n_suites, 2);
	cr_expect_eq(parsed.suite, 2);
	cr_expect(!memcmp(parsed.suites.data, "\x03\x02", 2));
	message_2_make(bytes, 1 << 0 | 1 << 2);
	edhoc_answer(&again, COAP_CHANGED, message_2.data, message_2.len);
	combined_receive(&request);
	responder_answer(&request, COAP_CONTENT, "2");
	expect_content("2");
}

Test(client_edhoc_refused, no_suite_in_common)
{
	ends_usual("");
	client_start(NULL, "get", "URI/t", EDHOC, NULL);
	edhoc_receive(&request, EDHOC_PREFIX_MESSAGE_1);
	suites_refuse(1 << 0 | 1 << 1);
	expect_failure("no cipher suite that the device has");
}

Test(client_edhoc_refused, refusals_come_to_an_end)
{
	ends_usual("");
	client_start(NULL, "get", "URI/t", EDHOC, NULL);
	edhoc_receive(&request, EDHOC_PREFIX_MESSAGE_1);
	suites_refuse(1 << 2 | 1 << 3); // the one that was selected, too
	expect_failure("refuses suite 2");
}

// ---- a network that loses, and a gateway that forgets

Test(client_edhoc_refused, a_lost_message_is_sent_again_byte_by_byte)
{
	ends_usual("");
	client_start(NULL, "get", "URI/t", EDHOC, "--ack-timeout", "0.1", NULL);
	responder_receive_raw(&again);
	message_2_make(edhoc_receive(&request, EDHOC_PREFIX_MESSAGE_1), 0xf);
	cr_expect(request.len == again.len && !memcmp(request.data, again.data, again.len));
	edhoc_answer(&request, COAP_CHANGED, message_2.data, message_2.len);
	do // copies of message_1 that were under way
		responder_receive_raw(&again);
	while (!again.outer.body.has_edhoc);
	do
		responder_receive_raw(&request);
	while (!request.outer.body.has_edhoc);
	cr_expect(request.len == again.len && !memcmp(request.data, again.data, again.len));
	struct edhoc_bytes message_3, ciphertext;

	cr_assert(edhoc_combined_split(request.outer.body.payload, request.outer.body.payload_len,
		&message_3, &ciphertext));
	message_3_take(message_3);
	responder_open(&request, ciphertext.data, ciphertext.len);
	responder_answer(&request, COAP_CONTENT, "lossy");
	expect_content("lossy");
}

static void unknown_answer(const struct received *q)
{
	responder_send(q,
		&(struct reply){.type = COAP_ACK,
			.mid = q->outer.mid,
			.plain = true,
			.code = COAP_UNAUTHORIZED,
			.format = -1});
}

Test(client_edhoc_refused, a_gateway_that_forgot_the_context_gets_a_new_handshake)
{
	ends_usual("");
	run_combined();
	client_start(NULL, "get", "URI/t", EDHOC, NULL);
	responder_receive(&request);
	unknown_answer(&request);
	message_1_answer();
	combined_receive(&request);
	cr_expect_eq(request.option.piv, 2);
	responder_answer(&request, COAP_CONTENT, "again");
	expect_content("again");
}

Test(client_edhoc_refused, but_not_without_end)
{
	ends_usual("");
	client_start(NULL, "get", "URI/t", EDHOC, NULL);
	for (unsigned i = 0; i < 2; i++) {
		message_1_answer();
		combined_receive(&request);
		unknown_answer(&request);
	}
	expect_failure("message_3 is answered with 4.01 Unauthorized");
}

// An answer without protection may be anybody's: the context that is kept stays until another one
// has shown itself.
Test(client_edhoc_refused, a_failed_handshake_leaves_the_context_that_is_kept)
{
	struct osc_params params;

	ends_usual("");
	run_combined();
	edhoc_oscore(&done, EDHOC_RESPONDER, &params);
	client_start(NULL, "get", "URI/t", EDHOC, NULL);
	responder_receive(&request);
	unknown_answer(&request);
	message_1_answer();
	responder_receive_raw(&request);
	edhoc_answer(&request, COAP_BAD_REQUEST, (const uint8_t *)"\x03\xf5", 2);
	expect_failure("error 3");
	responder_use(&params);
	client_start(NULL, "get", "URI/t", EDHOC, NULL);
	responder_receive(&request);
	responder_answer(&request, COAP_CONTENT, "still");
	expect_content("still");
}
