// SPDX-License-Identifier: BSD-3-Clause
// Context files: RFC 8613 C.1 and C.3 as JSON, and every mistake in one.

#include "gw/tools/coap/context_file.h"
#include "tests/unit/dataplane/oscore/rfc8613_vectors.h"
#include "tests/unit/hex.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

static char path[] = "/tmp/postern-context-XXXXXX";

static int load(struct client_context *context, const char *json, mode_t mode, struct error *f)
{
	int fd = mkstemp(strcpy(path, "/tmp/postern-context-XXXXXX"));

	cr_assert_geq(fd, 0);
	cr_assert_eq(write(fd, json, strlen(json)), (ssize_t)strlen(json));
	cr_assert_eq(fchmod(fd, mode), 0);
	close(fd);
	int err = context_file_load(context, path, f);
	unlink(path);
	return err;
}

static void expect_key(const uint8_t *got, const char *want_hex)
{
	size_t len;
	uint8_t *want = hex_decode(want_hex, &len);

	cr_expect_arr_eq(got, want, len);
	free(want);
}

Test(client_context, keys_of_appendix_C_come_from_json)
{
	struct client_context context;
	struct error f = {.code = 0};

	cr_assert_eq(load(&context,
			     "{\"master_secret\": \"0102030405060708090a0b0c0d0e0f10\","
			     " \"master_salt\": \"9e7ca92223786340\", \"sender_id\": \"\","
			     " \"recipient_id\": \"01\"}",
			     0600, &f),
		0, "%s", f.text);
	expect_key(context.keys.sender_key, rfc8613_contexts[0].client_key);
	expect_key(context.keys.recipient_key, rfc8613_contexts[0].server_key);
	cr_expect_not(context.params.has_id_context);
	context_wipe(&context);

	cr_assert_eq(load(&context,
			     "{\"name\": \"kitchen\", \"never_used\": true, \"device_id\": \"\","
			     " \"gateway_id\": \"01\", \"id_context\": \"37CBF3210017A2D3\","
			     " \"master_secret\": \"0102030405060708090a0b0c0d0e0f10\","
			     " \"master_salt\": \"9e7ca92223786340\", \"algorithm\": 10}",
			     0640, &f),
		0, "%s", f.text);
	expect_key(context.keys.sender_key, rfc8613_contexts[2].client_key);
	cr_expect(context.group_may_read);
	context_wipe(&context);
}

#define IDS    "\"sender_id\":\"01\",\"recipient_id\":\"02\""
#define SECRET "\"master_secret\":\"0102\""

Test(client_context, algorithms_by_name_and_number)
{
	static const struct {
		const char *json;
		enum aead_alg alg;
	} cases[] = {
		{"{" SECRET "," IDS ",\"algorithm\":\"AES-CCM-16-64-128\"}",
			AEAD_AES_CCM_16_64_128},
		{"{" SECRET "," IDS ",\"algorithm\":\"aes-ccm-16-128-128\"}",
			AEAD_AES_CCM_16_128_128},
		{"{" SECRET "," IDS ",\"algorithm\":24}", AEAD_CHACHA20_POLY1305},
		{"{" SECRET "," IDS ",\"algorithm\":3}", AEAD_AES_256_GCM},
	};
	struct client_context context;
	struct error f = {.code = 0};

	for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		cr_assert_eq(load(&context, cases[i].json, 0600, &f), 0, "%s", f.text);
		cr_expect_eq(context.params.alg, cases[i].alg);
	}
}

Test(client_context, every_mistake_is_named)
{
	static const struct {
		const char *json, *words;
	} cases[] = {
		{"", ":1:"},
		{"{", ":1:"},
		{"[]", "not a JSON object"},
		{"{" SECRET "," IDS "} x", ":1:"},
		{"{" SECRET "," SECRET "," IDS "}", "duplicate"},
		{"{" IDS "}", "master_secret"},
		{"{\"master_secret\":\"\"," IDS "}", "master_secret"},
		{"{\"master_secret\":12," IDS "}", "hexadecimal"},
		{"{\"master_secret\":\"123\"," IDS "}", "hexadecimal"},
		{"{\"master_secret\":\"0x12\"," IDS "}", "hexadecimal"},
		{"{\"master_secret\":\"12\\u00004\"," IDS "}", ":1:"},
		{"{" SECRET "," IDS ",\"master_salt\":null}", "master_salt"},
		{"{" SECRET ",\"sender_id\":\"01\"}", "recipient_id"},
		{"{" SECRET "," IDS ",\"device_id\":\"01\"}", "mean the same"},
		{"{" SECRET ",\"sender_id\":\"01\",\"recipient_id\":\"01\"}", "same"},
		{"{" SECRET ",\"sender_id\":\"0102030405060708\",\"recipient_id\":\"01\"}",
			"more than 7"},
		{"{" SECRET ",\"sender_id\":\"01020304050607\",\"recipient_id\":\"01\","
		 "\"algorithm\":24}",
			"more than the 6"},
		{"{" SECRET "," IDS ",\"algorithm\":\"AES\"}", "AES-CCM-16-64-128"},
		{"{" SECRET "," IDS ",\"algorithm\":10.5}", "AES-CCM-16-64-128"},
		{"{" SECRET "," IDS ",\"algorithm\":4294967306}", "AES-CCM-16-64-128"},
		{"{" SECRET "," IDS ",\"mater_salt\":\"01\"}", "\"mater_salt\" is not known"},
	};
	struct client_context context;

	for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct error f = {.code = 0};

		cr_expect_lt(load(&context, cases[i].json, 0600, &f), 0, "%s", cases[i].json);
		cr_expect(strstr(f.text, cases[i].words), "%s: %s", cases[i].json, f.text);
		cr_expect(strstr(f.text, path), "the file is named: %s", f.text);
	}
}

Test(client_context, a_file_that_all_users_can_read_or_write_is_refused)
{
	static const mode_t modes[] = {0644, 0604, 0602, 0666};
	struct client_context context;
	struct error f;

	for (unsigned i = 0; i < sizeof(modes) / sizeof(modes[0]); i++) {
		cr_expect_eq(load(&context, "{" SECRET "," IDS "}", modes[i], &f), -EACCES);
		cr_expect(strstr(f.text, "chmod 600"));
	}
}

Test(client_context, a_file_that_is_not_there_or_endless_is_an_error)
{
	struct client_context context;
	struct error f;

	cr_expect_eq(context_file_load(&context, "/nowhere/dev.json", &f), -ENOENT);
	cr_expect_eq(context_file_load(&context, "/dev/zero", &f), -EFBIG);
	cr_expect_eq(context_file_load(&context, "/tmp", &f), -EISDIR);
}
