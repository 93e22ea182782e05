// SPDX-License-Identifier: BSD-3-Clause
// The program postern-coap sends and receives bodies of several blocks: what goes over the wire,
// and what its user sees. Which block is next is tested in test_client_transfer.c.

#include "tests/unit/gw/tools/coap/responder.h"

#include <criterion/criterion.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

TestSuite(client_bodies, .init = responder_start, .fini = responder_stop);

static struct received request, again;

static char *letters(size_t len)
{
	char *text = malloc(len + 1);

	for (size_t i = 0; i < len; i++)
		text[i] = (char)('a' + (i / 7 + i) % 26);
	text[len] = 0;
	return text;
}

static bool block_of(const struct received *q, uint16_t number, struct coap_block *block)
{
	struct coap_option option;

	return coap_option_find(&q->inner, number, &option) && coap_block_read(block, &option);
}

static void expect_block(uint16_t number, uint32_t num, bool more, unsigned szx)
{
	struct coap_block block;

	cr_assert(block_of(&request, number, &block), "option %u", number);
	cr_expect_eq(block.num, num, "%u, not %u", block.num, num);
	cr_expect_eq(block.more, more);
	cr_expect_eq(block.szx, szx);
}

static void answer(uint8_t code, const struct coap_block *block1, const struct coap_block *block2,
	const char *etag, const char *payload)
{
	responder_send(&request,
		&(struct reply){.type = COAP_ACK,
			.mid = request.outer.mid,
			.code = code,
			.payload = payload,
			.etag = etag,
			.block1 = block1,
			.block2 = block2,
			.format = -1});
}

// Answers blocks of the payload with 2.31 until the last of `len` bytes has come.
static void take_all(const char *want, size_t len, unsigned szx)
{
	struct coap_block block;
	size_t at = 0;

	for (;;) {
		responder_receive(&request);
		cr_assert(block_of(&request, COAP_OPT_BLOCK1, &block));
		cr_assert_eq(block.szx, szx);
		cr_assert_eq(coap_block_offset(&block), at);
		cr_assert_eq(block.more, at + coap_block_size(szx) < len);
		cr_assert(!memcmp(request.inner.payload, want + at, request.inner.payload_len));
		at += request.inner.payload_len;
		if (!block.more)
			break;
		answer(COAP_CONTINUE, &block, NULL, NULL, NULL);
	}
	cr_assert_eq(at, len);
}

Test(client_bodies, up_and_down_in_one_run)
{
	char *text = letters(3000), part[1025] = "";
	json_error_t error;
	int sent, received, bytes_sent, bytes_received;
	const char *payload;

	client_start(text, "post", "URI/a", "-c", "CONTEXT", "-d", "@-", "-b", "5", "--json", NULL);
	take_all(text, 3000, 5);
	expect_block(COAP_OPT_BLOCK1, 5, false, 5);
	expect_block(COAP_OPT_BLOCK2, 0, false, 5);
	memcpy(part, text, 512);
	answer(COAP_CHANGED, &(struct coap_block){.num = 5, .szx = 5},
		&(struct coap_block){.szx = 5, .more = true}, "e", part);
	responder_receive(&request);
	cr_expect_eq(request.code, COAP_POST);
	cr_expect_eq(request.inner.payload_len, 0);
	expect_block(COAP_OPT_BLOCK2, 1, false, 5);
	answer(COAP_CHANGED, NULL, &(struct coap_block){.num = 1, .szx = 5}, "e", "end");
	const struct outcome *o = client_finish();
	cr_expect_eq(o->status, 0, "%s", o->err);
	json_t *root = json_loads(o->out, 0, &error);
	cr_assert_not_null(root, "%s", o->out);
	cr_assert_eq(json_unpack(root, "{s:s, s:{s:i, s:i, s:i, s:i}}", "payload", &payload,
			     "blocks", "sent", &sent, "bytes_sent", &bytes_sent, "received",
			     &received, "bytes_received", &bytes_received),
		0, "%s", o->out);
	cr_expect_eq(sent, 6);
	cr_expect_eq(bytes_sent, 3000);
	cr_expect_eq(received, 2);
	cr_expect_eq(bytes_received, 515);
	cr_expect_eq(strlen(payload), 515);
	cr_expect(!strncmp(payload, text, 512) && !strcmp(payload + 512, "end"));
	json_decref(root);
	free(text);
}

Test(client_bodies, code_and_options_are_those_of_the_first_block)
{
	char *text = letters(16);

	client_start(NULL, "get", "URI/a", "-c", "CONTEXT", "-i", NULL);
	responder_receive(&request);
	responder_send(&request,
		&(struct reply){.type = COAP_ACK,
			.mid = request.outer.mid,
			.code = COAP_CONTENT,
			.payload = text,
			.format = 60,
			.etag = "e",
			.size2 = 19,
			.block2 = &(struct coap_block){.szx = 0, .more = true}});
	responder_receive(&request);
	expect_block(COAP_OPT_BLOCK2, 1, false, 0);
	answer(COAP_CONTENT, NULL, &(struct coap_block){.num = 1, .szx = 0}, "e", "end");
	const struct outcome *o = client_finish();
	cr_expect_eq(o->status, 0, "%s", o->err);
	cr_expect(strstr(o->out, "Content-Format: 60 (application/cbor)\n"), "%s", o->out);
	cr_expect(strstr(o->out, "Size2: 19\n\nabcdefgij"), "%s", o->out);
	cr_expect_str_eq(o->out + strlen(o->out) - 3, "end");
	cr_expect_str_eq(strchr(o->err, '\n') + 1, "", "no progress but on a terminal: %s", o->err);
	free(text);
}

// The numbers of requests go on without a gap, and the next run takes the next one.
Test(client_bodies, no_sequence_number_is_used_twice_or_lost)
{
	uint64_t next = 0;

	for (unsigned run = 0; run < 2; run++) {
		client_start(NULL, "get", "URI/a", "-c", "CONTEXT", NULL);
		for (uint32_t num = 0; num < 100; num++) {
			responder_receive(&request);
			cr_expect_eq(request.option.piv, next++);
			answer(COAP_CONTENT, NULL,
				&(struct coap_block){.num = num, .szx = 0, .more = num < 99}, "e",
				"0123456789abcdef");
		}
		cr_expect_eq(client_finish()->status, 0);
	}
}

Test(client_bodies, a_block_without_an_answer_is_sent_again_under_a_new_number)
{
	char *text = letters(1500);

	client_start(text, "put", "URI/a", "-c", "CONTEXT", "-d", "@-", "--ack-timeout", "0.02",
		"--retransmit", "1", NULL);
	responder_receive(&request);
	answer(COAP_CONTINUE, &(struct coap_block){.szx = 6, .more = true}, NULL, NULL, NULL);
	responder_receive(&request);
	responder_receive(&again);
	cr_expect_eq(again.len, request.len, "the same bytes");
	cr_expect_arr_eq(again.data, request.data, request.len);
	responder_receive(&again);
	cr_expect_gt(again.option.piv, request.option.piv);
	cr_expect_eq(again.inner.payload_len, request.inner.payload_len);
	request = again; // and points into it
	expect_block(COAP_OPT_BLOCK1, 1, false, 6);
	answer(COAP_CHANGED, &(struct coap_block){.num = 1, .szx = 6}, NULL, NULL, "done");
	const struct outcome *o = client_finish();
	cr_expect_eq(o->status, 0, "%s", o->err);
	cr_expect_str_eq(o->out, "done");
	cr_expect(strstr(o->err, "once more"), "%s", o->err);
	free(text);
}

Test(client_bodies, a_challenge_in_the_middle_is_answered_for_its_block_only)
{
	char *text = letters(2500);
	struct coap_option option;

	client_start(text, "put", "URI/a", "-c", "CONTEXT", "-d", "@-", NULL);
	for (unsigned i = 0; i < 3; i++) {
		for (unsigned challenge = 0; challenge < 2; challenge++) {
			responder_receive(&request);
			expect_block(COAP_OPT_BLOCK1, i, i < 2, 6);
			cr_expect_eq(coap_option_find(&request.inner, COAP_OPT_ECHO, &option),
				challenge);
			if (!challenge)
				responder_send(&request,
					&(struct reply){.type = COAP_ACK,
						.mid = request.outer.mid,
						.code = COAP_UNAUTHORIZED,
						.has_own_piv = true,
						.own_piv = i,
						.echo = (const uint8_t *)"fresh",
						.echo_len = 5,
						.format = -1});
		}
		answer(i < 2 ? COAP_CONTINUE : COAP_CHANGED,
			&(struct coap_block){.num = i, .szx = 6, .more = i < 2}, NULL, NULL, NULL);
	}
	cr_expect_eq(client_finish()->status, 0);
	free(text);
}

Test(client_bodies, refusals_are_said_in_a_line)
{
	char *text = letters(3000);

	client_start(text, "post", "URI/a", "-c", "CONTEXT", "-d", "@-", NULL);
	responder_receive(&request);
	responder_send(&request,
		&(struct reply){.type = COAP_ACK,
			.mid = request.outer.mid,
			.code = COAP_REQUEST_ENTITY_TOO_LARGE,
			.size1 = 2000,
			.block1 = &(struct coap_block){.szx = 6},
			.format = -1});
	const struct outcome *o = client_finish();
	cr_expect_eq(o->status, 4);
	cr_expect(strstr(o->err,
			  "4.13 Request Entity Too Large\n"
			  "* the server takes at most 2000 bytes (Size1), and the payload "
			  "has 3000\n"),
		"%s", o->err);

	client_start(text, "post", "URI/a", "-c", "CONTEXT", "-d", "@-", NULL);
	for (unsigned i = 0; i < 8; i++) {
		responder_receive(&request);
		expect_block(COAP_OPT_BLOCK1, i % 2, true, 6);
		answer(i % 2 ? COAP_REQUEST_ENTITY_INCOMPLETE : COAP_CONTINUE,
			&(struct coap_block){.num = i % 2, .szx = 6, .more = true}, NULL, NULL,
			NULL);
	}
	o = client_finish();
	cr_expect_eq(o->status, 4);
	cr_expect(strstr(o->err, "* again from the start: the server has lost the first 1024"),
		"%s", o->err);
	cr_expect(strstr(o->err, "4.08 Request Entity Incomplete\n"), "%s", o->err);
	free(text);
}

Test(client_bodies, a_changed_answer_begins_again_and_is_not_mixed)
{
	client_start(NULL, "get", "URI/a", "-c", "CONTEXT", NULL);
	for (unsigned i = 0; i < 4; i++) {
		responder_receive(&request);
		cr_expect_eq(i % 2, block_of(&request, COAP_OPT_BLOCK2, &(struct coap_block){0}));
		answer(COAP_CONTENT, NULL,
			&(struct coap_block){.num = i % 2, .szx = 0, .more = i % 2 == 0},
			i ? "new" : "old", i ? "fedcba9876543210" : "0123456789abcdef");
	}
	const struct outcome *o = client_finish();
	cr_expect_eq(o->status, 0, "%s", o->err);
	cr_expect_str_eq(o->out, "fedcba9876543210fedcba9876543210");
	cr_expect(strstr(o->err, "again from the start: the answer has changed"), "%s", o->err);
}

Test(client_bodies, blocks_by_hand_and_none_at_all)
{
	char *text = letters(1500);

	client_start(NULL, "get", "URI/a", "-c", "CONTEXT", "-O", "block2=3/0/16", NULL);
	responder_receive(&request);
	expect_block(COAP_OPT_BLOCK2, 3, false, 0);
	answer(COAP_CONTENT, NULL, &(struct coap_block){.num = 3, .szx = 0, .more = true}, "e",
		"0123456789abcdef");
	const struct outcome *o = client_finish();
	cr_expect_eq(o->status, 0, "%s", o->err);
	cr_expect_str_eq(o->out, "0123456789abcdef");
	cr_expect(strstr(o->err, "this is block 3; more follow"), "%s", o->err);

	client_start(text, "post", "URI/a", "-c", "CONTEXT", "-d", "@-", "--no-blocks", NULL);
	responder_receive(&request);
	cr_expect_eq(request.inner.payload_len, 1500);
	cr_expect_not(block_of(&request, COAP_OPT_BLOCK1, &(struct coap_block){0}));
	responder_answer(&request, COAP_CHANGED, "");
	cr_expect_eq(client_finish()->status, 0);
	free(text);
}

Test(client_bodies, bodies_have_a_bound)
{
	char *text = letters(3000);

	client_start(text, "post", "URI/a", "-c", "CONTEXT", "--max-body", "2k", "-d", "@-", NULL);
	const struct outcome *o = client_finish();
	cr_expect_eq(o->status, 2);
	cr_expect(strstr(o->err, "more than 2048 bytes"), "%s", o->err);

	client_start(NULL, "get", "URI/a", "-c", "CONTEXT", "--max-body", "31", NULL);
	for (unsigned i = 0; i < 2; i++) {
		responder_receive(&request);
		answer(COAP_CONTENT, NULL, &(struct coap_block){.num = i, .szx = 0, .more = true},
			"e", "0123456789abcdef");
	}
	o = client_finish();
	cr_expect_eq(o->status, 1);
	cr_expect_str_eq(o->out, "");
	cr_expect(strstr(o->err, "more than 31 bytes (--max-body)"), "%s", o->err);
	free(text);
}

Test(client_bodies, wrong_sizes_are_wrong_usage)
{
	static const char *const wrong[][2] = {{"-b", "7"}, {"-b", "10.0.0.1"}, {"-b", ""},
		{"--max-body", "1025M"}, {"--max-body", "M"}, {"--max-body", "-1"},
		{"--max-body", "99999999999999999"}};

	for (unsigned i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		client_start(NULL, "get", "URI/a", "-c", "CONTEXT", wrong[i][0], wrong[i][1], NULL);
		const struct outcome *o = client_finish();
		cr_expect_eq(o->status, 2, "%u: %s", i, o->err);
	}
	client_start(NULL, "get", "URI/a", "-c", "CONTEXT", "-b", "2", "--no-blocks", NULL);
	cr_expect_eq(client_finish()->status, 2);
	cr_expect(responder_hears_nothing(0));
}

static const char *text_of(const char *path)
{
	static char text[65536];
	FILE *file = fopen(path, "r");

	cr_assert_not_null(file, "%s", path);
	text[fread(text, 1, sizeof(text) - 1, file)] = 0;
	fclose(file);
	return text;
}

Test(client_bodies, manual_and_completion_know_all_options_of_help)
{
	client_start(NULL, "--help", NULL);
	const char *at = client_finish()->out;
	unsigned count = 0;
	char word[32];

	for (; (at = strstr(at, "--")); at += 2) {
		cr_assert_eq(sscanf(at, "%31[a-z-]", word), 1);
		cr_expect(strstr(text_of(MANUAL), word), "the manual has no %s", word);
		cr_expect(strstr(text_of(COMPLETION), word), "the completion has no %s", word);
		count++;
	}
	cr_expect_gt(count, 20);
}
