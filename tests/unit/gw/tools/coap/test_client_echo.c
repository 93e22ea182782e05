// SPDX-License-Identifier: BSD-3-Clause
// How postern-coap answers an Echo challenge that is not protected.

#include "tests/unit/gw/tools/coap/edhoc_gateway.h"

#include <criterion/criterion.h>
#include <string.h>

TestSuite(client_echo, .init = edhoc_start, .fini = edhoc_stop);

static void challenge(const struct received *q, const char *echo)
{
	responder_send(q,
		&(struct reply){.type = COAP_ACK,
			.mid = q->outer.mid,
			.plain = true,
			.code = COAP_UNAUTHORIZED,
			.format = -1,
			.echo = (const uint8_t *)echo,
			.echo_len = strlen(echo)});
}

static void expect_echo(const struct received *q, const char *echo)
{
	struct coap_option option;

	cr_assert(coap_option_find(&q->outer.body, COAP_OPT_ECHO, &option), "Echo is outside");
	cr_expect(option.len == strlen(echo) && !memcmp(option.value, echo, option.len));
}

Test(client_echo, an_echo_for_message_1_and_for_the_combined_request)
{
	struct edhoc_bytes bytes, message_3;
	struct coap_option option;

	ends_usual("");
	client_start(NULL, "get", "URI/t", EDHOC, NULL);
	edhoc_receive(&again, EDHOC_PREFIX_MESSAGE_1);
	challenge(&again, "one");
	bytes = edhoc_receive(&request, EDHOC_PREFIX_MESSAGE_1);
	expect_echo(&request, "one");
	cr_expect_eq(request.outer.body.payload_len, again.outer.body.payload_len);
	cr_expect(!memcmp(request.outer.body.payload, again.outer.body.payload,
			  again.outer.body.payload_len),
		"the same message_1");
	message_2_make(bytes, 0xf);
	edhoc_answer(&request, COAP_CHANGED, message_2.data, message_2.len);

	message_3 = combined_receive(&again);
	challenge(&again, "two");
	responder_receive_raw(&request);
	expect_echo(&request, "two");
	cr_expect(request.outer.body.payload_len > message_3.len &&
			!memcmp(request.outer.body.payload, message_3.data, message_3.len),
		"the same message_3");
	responder_open(&request, request.outer.body.payload + message_3.len,
		request.outer.body.payload_len - message_3.len);
	cr_expect_eq(request.option.piv, again.option.piv + 1);
	cr_expect_not(coap_option_find(&request.inner, COAP_OPT_ECHO, &option));
	responder_answer(&request, COAP_CONTENT, "there");
	expect_content("there");
}

Test(client_echo, challenges_come_to_an_end)
{
	ends_usual("");
	client_start(NULL, "get", "URI/t", EDHOC, NULL);
	for (unsigned i = 0; i < 4; i++) {
		edhoc_receive(&request, EDHOC_PREFIX_MESSAGE_1);
		challenge(&request, "more");
	}
	expect_failure("4.01 Unauthorized");
}

// RFC 9175 section 2.4: a challenge that only asks whether the address is real is not protected,
// and its Echo stays outside.
Test(client_echo, an_echo_for_a_protected_request)
{
	struct coap_option echo;

	client_start(NULL, "get", "URI/a", "-c", "CONTEXT", NULL);
	responder_receive(&again);
	challenge(&again, "real?");
	responder_receive(&request);
	cr_expect_eq(request.option.piv, again.option.piv + 1);
	expect_echo(&request, "real?");
	cr_expect_not(coap_option_find(&request.inner, COAP_OPT_ECHO, &echo));
	responder_answer(&request, COAP_CONTENT, "yes");
	expect_content("yes");
}

Test(client_echo, and_for_one_without_protection)
{
	client_start(NULL, "get", "URI/a", "--plain", NULL);
	responder_receive_raw(&again);
	challenge(&again, "real?");
	responder_receive_raw(&request);
	expect_echo(&request, "real?");
	responder_send(&request,
		&(struct reply){.type = COAP_ACK,
			.mid = request.outer.mid,
			.plain = true,
			.code = COAP_CONTENT,
			.format = -1,
			.payload = "yes"});
	expect_content("yes");
}

Test(client_echo, but_not_with_no_echo)
{
	client_start(NULL, "get", "URI/a", "-c", "CONTEXT", "--no-echo", NULL);
	responder_receive(&request);
	challenge(&request, "real?");
	cr_expect_eq(client_finish()->status, 6);
	cr_expect(responder_hears_nothing(0));
}
