// SPDX-License-Identifier: BSD-3-Clause
// The program postern-coap against a server that the tests play.

#include "tests/unit/gw/tools/coap/responder.h"

#include <criterion/criterion.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>

TestSuite(client_program, .init = responder_start, .fini = responder_stop);

static struct received request, again;

// Options of the inner message as "11=74 12=", values in hexadecimal.
static const char *inner_options(const struct received *q)
{
	static char text[1024];
	struct coap_option_iter iter;
	struct coap_option option;
	char *at = text;

	*text = 0;
	coap_option_iter_init(&iter, &q->inner);
	while (coap_option_next(&iter, &option)) {
		at += sprintf(at, "%s%u=", at == text ? "" : " ", option.number);
		for (unsigned i = 0; i < option.len; i++)
			at += sprintf(at, "%02x", option.value[i]);
	}
	return text;
}

static void expect_payload(const struct received *q, const char *want)
{
	cr_expect_eq(q->inner.payload_len, strlen(want));
	cr_expect(!memcmp(q->inner.payload, want, strlen(want)));
}

Test(client_program, a_reading_is_posted_and_the_answer_printed)
{
	client_start(NULL, "post", "URI/t/temp?unit=C", "-c", "CONTEXT", "-d", "21.5", "--format",
		"text/plain", "-a", "json", NULL);
	responder_receive(&request);
	cr_expect_eq(request.outer.type, COAP_CON);
	cr_expect_eq(request.outer.code, COAP_POST);
	cr_expect_eq(request.outer.body.option_count, 1, "OSCORE and nothing else is outside");
	cr_expect_geq(request.outer.token_len, 4);
	cr_expect_eq(request.option.piv, 0);
	cr_expect_eq(request.code, COAP_POST);
	cr_expect_str_eq(inner_options(&request), "11=74 11=74656d70 12= 15=756e69743d43 17=32");
	expect_payload(&request, "21.5");
	responder_answer(&request, COAP_CHANGED, "taken");
	const struct outcome *o = client_finish();
	cr_expect_eq(o->status, 0, "%s", o->err);
	cr_expect_str_eq(o->out, "taken");
}

Test(client_program, every_method_goes_inside)
{
	static const char *const methods[] = {
		"get", "POST", "put", "delete", "fetch", "patch", "iPATCH"};

	for (unsigned i = 0; i < 7; i++) {
		client_start(NULL, methods[i], "URI/a", "-c", "CONTEXT", NULL);
		responder_receive(&request);
		cr_expect_eq(request.code, COAP_GET + i);
		cr_expect_eq(request.outer.code, COAP_POST);
		cr_expect_eq(request.option.piv, i, "sequence numbers go on");
		responder_answer(&request, COAP_CONTENT, "");
		cr_expect_eq(client_finish()->status, 0);
	}
}

Test(client_program, without_a_method_it_is_get_and_with_a_payload_post)
{
	client_start(NULL, "URI/a", "-c", "CONTEXT", NULL);
	responder_receive(&request);
	cr_expect_eq(request.code, COAP_GET);
	responder_answer(&request, COAP_CONTENT, "");
	client_finish();
	client_start("from standard input", "URI/a", "-c", "CONTEXT", "-d", "@-", NULL);
	responder_receive(&request);
	cr_expect_eq(request.code, COAP_POST);
	expect_payload(&request, "from standard input");
	responder_answer(&request, COAP_CHANGED, "");
	client_finish();
}

Test(client_program, over_ipv6)
{
	responder_use_ipv6();
	client_start(NULL, "get", "URI/a", "-c", "CONTEXT", NULL);
	responder_receive(&request);
	responder_answer(&request, COAP_CONTENT, "six");
	cr_expect_str_eq(client_finish()->out, "six");
}

Test(client_program, payload_from_a_file_and_answer_into_a_file)
{
	char in[128], out[128], text[16] = "";

	client_start("abc", "get", "URI/a", "-c", "CONTEXT", NULL); // writes the file "stdin"
	responder_receive(&request);
	responder_answer(&request, COAP_CONTENT, "");
	client_finish();
	snprintf(in, sizeof(in), "@%s/stdin", responder_folder());
	snprintf(out, sizeof(out), "%s/out", responder_folder());
	client_start("abc", "put", "URI/a", "-c", "CONTEXT", "-d", in, "-o", out, NULL);
	responder_receive(&request);
	expect_payload(&request, "abc");
	responder_answer(&request, COAP_CHANGED, "stored");
	const struct outcome *o = client_finish();
	cr_expect_eq(o->status, 0, "%s", o->err);
	cr_expect_str_eq(o->out, "");
	FILE *file = fopen(out, "r");
	cr_assert_not_null(file);
	cr_expect_eq(fread(text, 1, sizeof(text), file), 6);
	cr_expect_str_eq(text, "stored");
	fclose(file);
}

// RFC 7252 section 4.2, and with OSCORE: the same bytes, never sealed again.
Test(client_program, a_lost_request_is_sent_again_byte_by_byte)
{
	client_start(NULL, "get", "URI/a", "-c", "CONTEXT", "--ack-timeout", "0.1", NULL);
	responder_receive(&request);
	for (unsigned i = 0; i < 3; i++) {
		responder_receive(&again);
		cr_assert_eq(again.len, request.len);
		cr_expect_arr_eq(again.data, request.data, request.len);
	}
	responder_answer(&again, COAP_CONTENT, "late");
	const struct outcome *o = client_finish();
	cr_expect_eq(o->status, 0);
	cr_expect_str_eq(o->out, "late");
}

// RFC 7252 section 4.2: waits of at least 0.1, 0.2 and 0.4 s.
Test(client_program, each_wait_is_twice_the_one_before)
{
	double times[4];

	client_start(NULL, "get", "URI/a", "-c", "CONTEXT", "--ack-timeout", "0.1", NULL);
	for (unsigned i = 0; i < 4; i++) {
		responder_receive(&request);
		times[i] = request.came_s;
	}
	responder_answer(&request, COAP_CONTENT, "");
	cr_expect_gt(times[3] - times[2], 0.3);
	cr_expect_gt(times[3] - times[0], 0.6);
	cr_expect_eq(client_finish()->status, 0);
}

Test(client_program, it_gives_up_after_the_last_retransmission)
{
	client_start(NULL, "get", "URI/a", "-c", "CONTEXT", "--ack-timeout", "0.02", "--retransmit",
		"2", NULL);
	for (unsigned i = 0; i < 3; i++)
		responder_receive(&request);
	const struct outcome *o = client_finish();
	cr_expect_eq(o->status, 3);
	cr_expect(strstr(o->err, "no answer"), "%s", o->err);
	cr_expect(strstr(o->err, "3 transmissions"), "%s", o->err);
	cr_expect(responder_hears_nothing(0));
}

Test(client_program, non_confirmable_is_sent_once)
{
	client_start(NULL, "get", "URI/a", "-c", "CONTEXT", "-N", "--ack-timeout", "0.02", "-t",
		"0.2", NULL);
	responder_receive(&request);
	cr_expect_eq(request.outer.type, COAP_NON);
	cr_expect_eq(client_finish()->status, 3);
	cr_expect(responder_hears_nothing(0));

	client_start(NULL, "get", "URI/a", "-c", "CONTEXT", "-N", NULL);
	responder_receive(&request);
	responder_send(&request,
		&(struct reply){.type = COAP_NON,
			.mid = 7,
			.code = COAP_CONTENT,
			.payload = "non",
			.format = -1});
	cr_expect_str_eq(client_finish()->out, "non");
}

// RFC 7252 section 5.2.2.
Test(client_program, a_separate_answer_is_waited_for_and_acknowledged)
{
	client_start(NULL, "get", "URI/a", "-c", "CONTEXT", "--ack-timeout", "1", NULL);
	responder_receive(&request);
	responder_send_empty(COAP_ACK, request.outer.mid);
	cr_expect(responder_hears_nothing(1600), "the acknowledgement ends retransmission");
	responder_send(&request,
		&(struct reply){.type = COAP_CON,
			.mid = 0x4242,
			.code = COAP_CONTENT,
			.payload = "separate",
			.format = -1});
	responder_receive_raw(&again);
	cr_expect_eq(again.outer.type, COAP_ACK);
	cr_expect_eq(again.outer.mid, 0x4242);
	cr_expect_eq(again.len, 4);
	cr_expect_str_eq(client_finish()->out, "separate");
}

Test(client_program, an_answer_with_a_partial_iv_of_its_own_is_opened)
{
	client_start(NULL, "get", "URI/a", "-c", "CONTEXT", NULL);
	responder_receive(&request);
	responder_send(&request,
		&(struct reply){.type = COAP_ACK,
			.mid = request.outer.mid,
			.code = COAP_CONTENT,
			.payload = "own",
			.has_own_piv = true,
			.own_piv = UINT64_C(1) << 32,
			.format = -1});
	cr_expect_str_eq(client_finish()->out, "own");
}

// RFC 8613 appendix B.1.2.
Test(client_program, an_echo_challenge_is_answered_with_a_new_partial_iv)
{
	client_start(NULL, "put", "URI/a", "-c", "CONTEXT", "-d", "on", NULL);
	responder_receive(&request);
	responder_send(&request,
		&(struct reply){.type = COAP_ACK,
			.mid = request.outer.mid,
			.code = COAP_UNAUTHORIZED,
			.has_own_piv = true,
			.own_piv = 9,
			.echo = (const uint8_t *)"fresh!",
			.echo_len = 6,
			.format = -1});
	responder_receive(&again);
	cr_expect_eq(again.option.piv, request.option.piv + 1);
	cr_expect_neq(again.outer.mid, request.outer.mid);
	cr_expect_eq(again.code, COAP_PUT);
	cr_expect_str_eq(inner_options(&again), "11=61 252=667265736821");
	expect_payload(&again, "on");
	cr_expect_eq(again.outer.body.option_count, 1, "Echo is inside");
	responder_answer(&again, COAP_CHANGED, "done");
	const struct outcome *o = client_finish();
	cr_expect_eq(o->status, 0);
	cr_expect_str_eq(o->out, "done");
}

Test(client_program, endless_challenges_end)
{
	client_start(NULL, "get", "URI/a", "-c", "CONTEXT", NULL);
	for (unsigned i = 0; i < 4; i++) {
		responder_receive(&request);
		responder_send(&request,
			&(struct reply){.type = COAP_ACK,
				.mid = request.outer.mid,
				.code = COAP_UNAUTHORIZED,
				.has_own_piv = true,
				.own_piv = i,
				.echo = (const uint8_t *)"x",
				.echo_len = 1,
				.format = -1});
	}
	cr_expect_eq(client_finish()->status, 4);
}

Test(client_program, a_challenge_is_not_answered_if_not_wanted)
{
	client_start(NULL, "get", "URI/a", "-c", "CONTEXT", "--no-echo", NULL);
	responder_receive(&request);
	responder_send(&request,
		&(struct reply){.type = COAP_ACK,
			.mid = request.outer.mid,
			.code = COAP_UNAUTHORIZED,
			.has_own_piv = true,
			.echo = (const uint8_t *)"x",
			.echo_len = 1,
			.format = -1});
	cr_expect_eq(client_finish()->status, 4);
}

Test(client_program, errors_have_their_exit_status_and_their_words)
{
	client_start(NULL, "get", "URI/a", "-c", "CONTEXT", NULL);
	responder_receive(&request);
	responder_answer(&request, COAP_NOT_FOUND, "no such thing");
	const struct outcome *o = client_finish();
	cr_expect_eq(o->status, 4);
	cr_expect_str_eq(o->err + strlen(o->err) - strlen("4.04 Not Found\n"), "4.04 Not Found\n");
	cr_expect_str_eq(o->out, "no such thing");

	client_start(NULL, "get", "URI/a", "-c", "CONTEXT", NULL);
	responder_receive(&request);
	responder_answer(&request, COAP_SERVICE_UNAVAILABLE, "");
	cr_expect_eq(client_finish()->status, 5);
}

// Anybody can send it, so it is no answer, and its payload is not printed as one.
Test(client_program, an_unprotected_answer_is_told_apart)
{
	client_start(NULL, "get", "URI/a", "-c", "CONTEXT", NULL);
	responder_receive(&request);
	responder_send(&request,
		&(struct reply){.type = COAP_ACK,
			.mid = request.outer.mid,
			.code = COAP_UNAUTHORIZED,
			.plain = true,
			.payload = "Security context not found",
			.format = -1});
	const struct outcome *o = client_finish();
	cr_expect_eq(o->status, 6);
	cr_expect_str_eq(o->out, "");
	cr_expect(strstr(o->err, "4.01 Unauthorized \"Security context not found\""), "%s", o->err);

	client_start(NULL, "get", "URI/a", "-c", "CONTEXT", NULL);
	responder_receive(&request);
	responder_send(&request,
		&(struct reply){.type = COAP_ACK,
			.mid = request.outer.mid,
			.code = COAP_CONTENT,
			.plain = true,
			.payload = "forged",
			.format = -1});
	o = client_finish();
	cr_expect_eq(o->status, 6);
	cr_expect_str_eq(o->out, "");
}

Test(client_program, an_answer_that_does_not_verify_is_not_taken)
{
	struct reply forged = {.type = COAP_ACK,
		.code = COAP_CONTENT,
		.payload = "no",
		.tampered = true,
		.format = -1};

	client_start(NULL, "get", "URI/a", "-c", "CONTEXT", NULL);
	responder_receive(&request);
	forged.mid = request.outer.mid;
	responder_send(&request, &forged);
	responder_answer(&request, COAP_CONTENT, "yes");
	const struct outcome *o = client_finish();
	cr_expect_eq(o->status, 0);
	cr_expect_str_eq(o->out, "yes");

	client_start(NULL, "get", "URI/a", "-c", "CONTEXT", "-t", "2", NULL);
	responder_receive(&request);
	forged.mid = request.outer.mid;
	responder_send(&request, &forged);
	o = client_finish();
	cr_expect_eq(o->status, 7);
	cr_expect_str_eq(o->out, "");
}

// RFC 8613 section 7.1: the answer to another request does not verify, whatever its token.
Test(client_program, the_answer_to_another_request_is_not_taken)
{
	client_start(NULL, "get", "URI/a", "-c", "CONTEXT", NULL);
	responder_receive(&request);
	request.option.piv++;
	responder_answer(&request, COAP_CONTENT, "other");
	request.option.piv--;
	responder_answer(&request, COAP_CONTENT, "mine");
	cr_expect_str_eq(client_finish()->out, "mine");
}

// RFC 8613 section 8.4 and 4.1.3.7.
Test(client_program, a_foreign_kid_and_a_nested_oscore_option_are_not_taken)
{
	struct reply reply = {
		.type = COAP_ACK, .code = COAP_CONTENT, .payload = "no", .format = -1};

	client_start(NULL, "get", "URI/a", "-c", "CONTEXT", NULL);
	responder_receive(&request);
	reply.mid = request.outer.mid;
	reply.kid = "\x02";
	responder_send(&request, &reply);
	reply.kid = NULL;
	reply.inner_oscore = true;
	responder_send(&request, &reply);
	reply.inner_oscore = false;
	reply.kid = "\x01"; // the gateway's own, which it need not send
	reply.payload = "yes";
	responder_send(&request, &reply);
	cr_expect_str_eq(client_finish()->out, "yes");
}

Test(client_program, messages_that_are_not_ours_are_rejected_or_ignored)
{
	client_start(NULL, "get", "URI/a", "-c", "CONTEXT", NULL);
	responder_receive(&request);
	responder_send_raw("\x40", 1);
	responder_send_raw("\x4f\x45\x00\x01", 4); // a malformed confirmable one
	responder_receive_raw(&again);
	cr_expect_arr_eq(again.data, "\x70\x00\x00\x01", 4, "Reset");
	responder_send(&request,
		&(struct reply){.type = COAP_CON,
			.mid = 0x1111,
			.code = COAP_CONTENT,
			.payload = "no",
			.format = -1,
			.token = (const uint8_t *)"wrong",
			.token_len = 5});
	responder_receive_raw(&again);
	cr_expect_arr_eq(again.data, "\x70\x00\x11\x11", 4, "Reset");
	responder_send_empty(COAP_RST, (uint16_t)(request.outer.mid + 1));
	responder_send(&request,
		&(struct reply){.type = COAP_ACK,
			.code = COAP_CONTENT,
			.mid = (uint16_t)(request.outer.mid + 1),
			.payload = "no",
			.format = -1});
	responder_answer(&request, COAP_CONTENT, "yes");
	cr_expect_str_eq(client_finish()->out, "yes");
}

Test(client_program, a_reset_ends_it)
{
	client_start(NULL, "get", "URI/a", "-c", "CONTEXT", NULL);
	responder_receive(&request);
	responder_send_empty(COAP_RST, request.outer.mid);
	cr_expect_eq(client_finish()->status, 8);
}

Test(client_program, a_closed_port_ends_it)
{
	client_start(NULL, "get", "coap://127.0.0.1:1/a", "-c", "CONTEXT", NULL);
	const struct outcome *o = client_finish();
	cr_expect_eq(o->status, 3);
	cr_expect(strstr(o->err, "nothing listens"), "%s", o->err);
}

Test(client_program, the_result_as_json)
{
	json_error_t error;
	const char *code, *payload, *format, *datagram;
	int protected, piv, max_age, transmissions;

	client_start(NULL, "get", "URI/a", "-c", "CONTEXT", "--json", NULL);
	responder_receive(&request);
	responder_send(&request,
		&(struct reply){.type = COAP_ACK,
			.mid = request.outer.mid,
			.code = COAP_CONTENT,
			.payload = "{\"t\":21.5}\xc2\x9b",
			.max_age = 5,
			.format = 50});
	const struct outcome *o = client_finish();
	cr_expect_eq(o->status, 0);
	json_t *root = json_loads(o->out, JSON_REJECT_DUPLICATES, &error);
	cr_assert_not_null(root, "%s", o->out);
	cr_assert_eq(
		json_unpack(root, "{s:s, s:s, s:s, s:b, s:[{s:i}, {s:i}], s:{s:{s:i}, s:s, s:i}}",
			"code", &code, "payload", &payload, "format", &format, "protected",
			&protected, "options", "value", &max_age, "value", &max_age, "request",
			"oscore", "partial_iv", &piv, "datagram", &datagram, "transmissions",
			&transmissions),
		0, "%s", o->out);
	cr_expect_str_eq(code, "2.05");
	cr_expect_str_eq(payload, "{\"t\":21.5}\xc2\x9b");
	for (const char *c = o->out; *c; c++)
		cr_assert_geq(*c, '\n', "ASCII: no control of a terminal");
	cr_expect_str_eq(format, "application/json");
	cr_expect(protected);
	cr_expect_eq(max_age, 5);
	cr_expect_eq(piv, 0);
	cr_expect_eq(transmissions, 1);
	cr_expect_eq(strlen(datagram), 2 * request.len);
	json_decref(root);

	client_start(NULL, "get", "URI/a", "-c", "CONTEXT", "--json", "-t", "0.1", NULL);
	responder_receive(&request);
	o = client_finish();
	cr_expect_eq(o->status, 3);
	root = json_loads(o->out, JSON_REJECT_DUPLICATES, &error);
	cr_assert_not_null(root, "%s", o->out);
	cr_expect_str_eq(json_string_value(json_object_get(root, "error")), "timeout");
	json_decref(root);

	client_start(NULL, "get", "URI/a", "-c", "/nowhere/dev.json", "--json", NULL);
	o = client_finish();
	cr_expect_eq(o->status, 1);
	root = json_loads(o->out, JSON_REJECT_DUPLICATES, &error);
	cr_assert_not_null(root, "%s", o->out);
	cr_expect_str_eq(json_string_value(json_object_get(root, "error")), "failed");
	cr_expect(strstr(json_string_value(json_object_get(root, "message")), "/nowhere"));
	json_decref(root);
}

Test(client_program, verbose_shows_messages_and_never_a_key)
{
	static const char *const secrets[] = {"0102030405060708090a0b0c0d0e0f10",
		"f0910ed7295e6ad4b54fc793154302ff", "ffb14e093c94c9cac9471648b4f98710",
		"9e7ca92223786340", "4622d4dd6d944168eefb54987c\0"};

	client_start(NULL, "get", "URI/a", "-c", "CONTEXT", NULL); // PIV 0 has the IV as its nonce
	responder_receive(&request);
	responder_answer(&request, COAP_CONTENT, "x");
	client_finish();
	client_start(NULL, "get", "URI/a", "-c", "CONTEXT", "-vv", "-i", NULL);
	responder_receive(&request);
	responder_send(&request,
		&(struct reply){.type = COAP_ACK,
			.mid = request.outer.mid,
			.code = COAP_CONTENT,
			.payload = "x",
			.max_age = 9,
			.format = 60});
	const struct outcome *o = client_finish();
	cr_expect_eq(o->status, 0);
	cr_expect(strstr(o->err, "Partial IV 1, nonce 4622d4dd6d944168eefb54987d"), "%s", o->err);
	cr_expect(strstr(o->err, ">   Uri-Path: \"a\""), "%s", o->err);
	cr_expect(strstr(o->err, "<   Content-Format: 60 (application/cbor)"), "%s", o->err);
	cr_expect_str_eq(
		o->out, "2.05 Content\nContent-Format: 60 (application/cbor)\nMax-Age: 9\n\nx");
	for (unsigned i = 0; i < sizeof(secrets) / sizeof(secrets[0]); i++)
		cr_expect(!strstr(o->err, secrets[i]) && !strstr(o->out, secrets[i]));
}

Test(client_program, wrong_usage_is_said_and_sends_nothing)
{
	static const char *const wrong[][6] = {
		{NULL},
		{"get"},
		{"get", "URI/a"},
		{"head", "URI/a", "-c", "CONTEXT"},
		{"get", "URI/a", "URI/b", "-c", "CONTEXT"},
		{"get", "URI/a", "-c", "CONTEXT", "--plain"},
		{"get", "URI/a", "-c", "CONTEXT", "--no-such"},
		{"get", "URI/a", "-c", "CONTEXT", "-tx"},
		{"get", "URI/a", "-c", "CONTEXT", "-fnone"},
		{"get", "URI/a", "-c", "CONTEXT", "-x0"},
		{"get", "coaps://127.0.0.1/a", "-c", "CONTEXT"},
	};

	for (unsigned i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		client_start(NULL, wrong[i][0], wrong[i][1], wrong[i][2], wrong[i][3], wrong[i][4],
			wrong[i][5], NULL);
		const struct outcome *o = client_finish();
		cr_expect_eq(o->status, 2, "%u: %s", i, o->err);
		cr_expect(!strncmp(o->err, "postern-coap: ", 14), "%s", o->err);
		cr_expect_str_eq(o->out, "");
	}
	cr_expect(responder_hears_nothing(0));
}

Test(client_program, help_and_version)
{
	client_start(NULL, "--help", NULL);
	const struct outcome *o = client_finish();
	cr_expect_eq(o->status, 0);
	cr_expect(strstr(o->out, "usage: postern-coap"));
	client_start(NULL, "--version", NULL);
	cr_expect_eq(client_finish()->status, 0);
	client_start(NULL, "--formats", NULL);
	o = client_finish();
	cr_expect(strstr(o->out, "   50  application/json\n"));
}

Test(client_program, plain_requests_have_no_oscore)
{
	client_start(NULL, "get", "URI/a", "--plain", NULL);
	responder_receive_raw(&request);
	cr_expect_eq(request.outer.code, COAP_GET);
	cr_expect_eq(request.outer.body.oscore_count, 0);
	responder_send(&request,
		&(struct reply){.type = COAP_ACK,
			.mid = request.outer.mid,
			.code = COAP_CONTENT,
			.plain = true,
			.payload = "clear",
			.format = -1});
	const struct outcome *o = client_finish();
	cr_expect_eq(o->status, 0);
	cr_expect_str_eq(o->out, "clear");
}

Test(client_program, tokens_of_any_length_can_be_asked_for)
{
	client_start(NULL, "get", "URI/a", "-c", "CONTEXT", "--token",
		"000102030405060708090a0b0c0d0e0f", NULL);
	responder_receive(&request);
	cr_expect_eq(request.outer.token_len, 16);
	responder_answer(&request, COAP_CONTENT, "");
	cr_expect_eq(client_finish()->status, 0);
	client_start(NULL, "get", "URI/a", "-c", "CONTEXT", "--token", "", NULL);
	responder_receive(&request);
	cr_expect_eq(request.outer.token_len, 0);
	responder_answer(&request, COAP_CONTENT, "");
	cr_expect_eq(client_finish()->status, 0);
}
