// SPDX-License-Identifier: BSD-3-Clause
// postern-coap --edhoc against a Responder that the tests play.

#include "tests/unit/gw/edhoc/certs.h"
#include "tests/unit/gw/tools/coap/edhoc_gateway.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

TestSuite(client_edhoc, .init = edhoc_start, .fini = edhoc_stop);

// ---- the ways

Test(client_edhoc, all_methods_suites_and_kinds_of_credentials)
{
	static const char *const names[] = {
		[BED_CCS_KID] = ", \"id_cred\": \"kid\"",
		[BED_CCS_VALUE] = ", \"id_cred\": \"kccs\"",
		[BED_X5T] = ", \"id_cred\": \"x5t\"",
		[BED_X5CHAIN] = ", \"id_cred\": \"x5chain\"",
	};

	for (unsigned i = 0; i < EDHOC_METHOD_COUNT * EDHOC_SUITE_COUNT * BED_KINDS; i++) {
		const unsigned method = i % 4, suite = i / 4 % 4, kind = i / 16;
		char more[96];

		snprintf(more, sizeof(more), "%s, \"method\": %u, \"suites\": [%u]", names[kind],
			method, suite);
		ends_make(method, suite, kind, more);
		run_combined();
		cr_expect_eq(session.method, method);
		cr_expect_eq(session.suite, suite);
		bed_end_free(&device);
		bed_end_free(&gateway);
	}
}

Test(client_edhoc, method_and_suite_follow_from_the_keys)
{
	static const struct {
		unsigned method, suite; // whose keys; method 0 or 3 with P-256 is 3
		unsigned want_method;
	} cases[] = {{3, 2, 3}, {0, 2, 3}, {3, 0, 3}, {0, 0, 0}, {1, 0, 1}, {2, 0, 2}};

	for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		ends_make(cases[i].method, cases[i].suite, BED_CCS_KID, "");
		run_combined();
		cr_expect_eq(session.method, cases[i].want_method);
		cr_expect_eq(session.suite, cases[i].suite);
		bed_end_free(&device);
		bed_end_free(&gateway);
	}
}

Test(client_edhoc, the_context_is_kept_and_its_numbers_go_on)
{
	ends_usual("");
	run_combined();
	client_start(NULL, "get", "URI/t", EDHOC, NULL);
	responder_receive(&request);
	cr_expect_not(request.outer.body.has_edhoc);
	cr_expect_eq(request.option.piv, 1);
	responder_answer(&request, COAP_CONTENT, "kept");
	expect_content("kept");
	// Also into another context, so that none is used twice whatever is lost.
	client_start(NULL, "get", "URI/t", EDHOC, "--edhoc-new", NULL);
	message_1_answer();
	combined_receive(&request);
	cr_expect_eq(request.option.piv, 2);
	responder_answer(&request, COAP_CONTENT, "new");
	expect_content("new");
}

Test(client_edhoc, a_context_without_its_numbers_is_not_used)
{
	ends_usual("");
	run_combined();
	remove_file("dev.json.seq");
	run_combined();
}

Test(client_edhoc, nor_one_of_another_credential_of_the_gateway)
{
	uint8_t secret[ECC_LEN] = {7};

	ends_usual("");
	run_combined();
	bed_end_free(&gateway);
	bed_end_make(&gateway, &engine, ECC_P256, BED_CCS_KID, secret, 0x0a);
	gateway_write(&gateway);
	run_combined();
}

Test(client_edhoc, message_3_by_itself)
{
	ends_usual("");
	client_start(NULL, "get", "URI/t", EDHOC, "--edhoc-apart", NULL);
	message_1_answer();
	message_3_take(edhoc_receive(&request, EDHOC_PREFIX_C_R));
	responder_send(&request,
		&(struct reply){.type = COAP_ACK,
			.mid = request.outer.mid,
			.plain = true,
			.code = COAP_CHANGED,
			.format = -1});
	responder_receive(&request);
	cr_expect_not(request.outer.body.has_edhoc);
	responder_answer(&request, COAP_CONTENT, "apart");
	expect_content("apart");
}

// What answers message_3: message_4, of which a byte may be another one.
static void message_4_answer(size_t changed)
{
	uint8_t room[BED_ROOM];
	struct edhoc_writer writer = edhoc_writer(room, sizeof(room));

	message_3_take(edhoc_receive(&request, EDHOC_PREFIX_C_R));
	cr_assert_eq(
		edhoc_message_4_make(&engine, &done, (struct edhoc_bytes){0}, &writer), EDHOC_OK);
	if (changed)
		room[changed] ^= 1;
	edhoc_answer(&request, COAP_CHANGED, room, edhoc_writer_len(&writer));
}

Test(client_edhoc, message_4_is_wanted_and_verified)
{
	ends_usual(", \"message_4\": true");
	client_start(NULL, "get", "URI/t", EDHOC, NULL);
	message_1_answer();
	message_4_answer(0);
	responder_receive(&request);
	responder_answer(&request, COAP_CONTENT, "four");
	expect_content("four");
}

Test(client_edhoc, a_changed_message_4_is_refused)
{
	ends_usual("");
	client_start(NULL, "get", "URI/t", EDHOC, "--edhoc-message-4", NULL);
	message_1_answer();
	message_4_answer(3);
	expect_failure("message_4: not verified");
}

Test(client_edhoc, a_missing_message_4_is_noticed)
{
	ends_usual("");
	client_start(NULL, "get", "URI/t", EDHOC, "--edhoc-message-4", NULL);
	message_1_answer();
	message_3_take(edhoc_receive(&request, EDHOC_PREFIX_C_R));
	responder_send(&request,
		&(struct reply){.type = COAP_ACK,
			.mid = request.outer.mid,
			.plain = true,
			.code = COAP_CHANGED,
			.format = -1});
	expect_failure("there is no message_4");
}

// ---- long messages

// RFC 7959 and RFC 9175 section 3: blocks of one message_3 have one Request-Tag.
Test(client_edhoc, a_long_message_3_goes_apart_in_blocks)
{
	struct certs_ca *ca = certs_ca_make("authority", NULL);
	uint8_t room[BED_ROOM], body[BED_ROOM];
	struct edhoc_writer writer = edhoc_writer(room, sizeof(room));
	struct coap_option option, tag = {0};
	struct coap_block block = {.more = true};
	struct edhoc_connection c_r;
	struct edhoc_bytes message;
	char more[2 * BED_ROOM], *at = more;
	size_t len = 0;

	certs_ca_item(&writer, ca);
	at += sprintf(at, ", \"id_cred\": \"x5chain\", \"chain\": [");
	for (unsigned copy = 0; copy < 2; copy++) {
		at += sprintf(at, "%s\"", copy ? ", " : "");
		for (size_t i = 0; i < edhoc_writer_len(&writer); i++)
			at += sprintf(at, "%02x", room[i]);
		at += sprintf(at, "\"");
	}
	sprintf(at, "]");
	ends_make(3, 2, BED_X5CHAIN, more);
	client_start(NULL, "get", "URI/t", EDHOC, "-b", "3", NULL);
	message_1_answer();
	while (block.more) {
		responder_receive_raw(&request);
		cr_assert(coap_option_find(&request.outer.body, COAP_OPT_BLOCK1, &option) &&
			coap_block_read(&block, &option));
		cr_assert_eq(coap_block_offset(&block), len);
		memcpy(body + len, request.outer.body.payload, request.outer.body.payload_len);
		len += request.outer.body.payload_len;
		cr_assert(coap_option_find(&request.outer.body, COAP_OPT_REQUEST_TAG, &option));
		if (tag.len)
			cr_expect(
				tag.len == option.len && !memcmp(tag.value, option.value, tag.len));
		again = request;
		cr_assert_eq(coap_msg_parse(&again.outer, again.data, again.len), COAP_OK);
		cr_assert(coap_option_find(&again.outer.body, COAP_OPT_REQUEST_TAG, &tag));
		responder_send(&request,
			&(struct reply){.type = COAP_ACK,
				.mid = request.outer.mid,
				.plain = true,
				.code = block.more ? COAP_CONTINUE : COAP_CHANGED,
				.format = -1,
				.block1 = &block});
	}
	cr_assert_eq(edhoc_payload_split(body, len, &c_r, &message), EDHOC_PREFIX_C_R);
	message_3_take(message);
	responder_receive(&request);
	responder_answer(&request, COAP_CONTENT, "long");
	expect_content("long");
	certs_ca_free(ca);
}

// ---- files

Test(client_edhoc, a_key_pair_is_made_and_shown_without_its_secret)
{
	char path[128], text[4096] = "", *secret;
	const struct outcome *o;
	struct stat st;

	remove_file("dev.json");
	client_start(
		NULL, "--edhoc-make", "CONTEXT", "--edhoc-name", "lamp", "--edhoc-kid", "2b", NULL);
	o = client_finish();
	cr_expect_eq(o->status, 0, "%s", o->err);
	cr_expect(
		strstr(o->out, "{\"name\":\"lamp\",\"credential\":\"a202646c616d70"), "%s", o->out);
	snprintf(path, sizeof(path), "%s/dev.json", responder_folder());
	cr_assert_eq(stat(path, &st), 0);
	cr_expect_eq(st.st_mode & 0777, 0600);
	FILE *file = fopen(path, "r");

	cr_assert_gt(fread(text, 1, sizeof(text) - 1, file), 0);
	fclose(file);
	secret = strstr(text, "\"private_key\": \"");
	cr_assert_not_null(secret);
	secret[strlen("\"private_key\": \"") + 64] = 0;
	cr_expect_null(strstr(o->out, secret + strlen("\"private_key\": \"")));
	client_start(NULL, "--edhoc-make", "CONTEXT", NULL);
	o = client_finish();
	cr_expect_eq(o->status, 1, "no file is overwritten");
}

Test(client_edhoc, files_that_are_wrong_are_told_in_words)
{
	static const struct {
		const char *more, *words;
	} cases[] = {
		{", \"metod\": 3", "\"metod\" is not known"},
		{", \"method\": 4", "\"method\" is none of 0 to 3"},
		{", \"suites\": []", "\"suites\" is not a list of 0 to 3"},
		{", \"suites\": [0]", "the device's key is not for method 3 with suite 0"},
		{", \"id_cred\": \"x5t\"", "\"id_cred\" is not for this credential"},
		{", \"id_cred\": \"name\"", "\"id_cred\" is none of"},
		{", \"chain\": [\"00\"]", "\"chain\" is a list"},
		{", \"message_4\": 1", "\"message_4\" is not true or false"},
		{", \"c_i\": \"0011223344556677\"", "\"c_i\" has more than 7 bytes"},
	};

	ends_usual("");
	for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		device_write(cases[i].more);
		client_start(NULL, "get", "URI/t", EDHOC, NULL);
		const struct outcome *o = client_finish();

		cr_expect_eq(o->status, 1);
		cr_expect(strstr(o->err, cases[i].words), "%s", o->err);
	}
	device.identity.pair.secret[5] ^= 1;
	device_write("");
	client_start(NULL, "get", "URI/t", EDHOC, NULL);
	cr_expect(strstr(client_finish()->err, "\"private_key\" is not that of the credential"));
}
