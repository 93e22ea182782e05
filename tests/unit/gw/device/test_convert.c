// SPDX-License-Identifier: BSD-3-Clause
// Devices as other implementations describe them become rows of an import.

#include "gw/device/convert.h"
#include "gw/device/json_write.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <string.h>

#define TEXT_MAX 4096

static char out[8 * DEVICE_JSON_MAX];
static struct error error;

static int take(void *arg, const struct device_spec *spec)
{
	size_t *len = arg;

	*len += device_json(out + *len, spec);
	out[*len] = 0;
	return 0;
}

enum from { LIBCOAP, AIOCOAP, LESHAN };

static int run(enum from from, bool server, bool never_used, const char *text, const char *sequence)
{
	static char copy[2][TEXT_MAX];
	size_t made = 0, len[CONVERT_AIOCOAP] = {strlen(text)};
	char *texts[CONVERT_AIOCOAP] = {strcpy(copy[0], text)};
	const struct convert convert = {
		.server = server, .never_used = never_used, .each = take, .arg = &made};

	out[0] = error.text[0] = 0;
	if (from == LIBCOAP)
		return convert_libcoap(&convert, copy[0], len[0], &error);
	if (from == LESHAN)
		return convert_leshan(&convert, copy[0], len[0], &error);
	if (sequence != NULL) {
		len[CONVERT_AIOCOAP_SEQUENCE] = strlen(sequence);
		texts[CONVERT_AIOCOAP_SEQUENCE] = strcpy(copy[1], sequence);
	}
	return convert_aiocoap(&convert, texts, len, &error);
}

#define EXPECT(json, ...)                                            \
	do {                                                         \
		cr_expect_eq(run(__VA_ARGS__), 0, "%s", error.text); \
		cr_expect_str_eq(out, json);                         \
	} while (0)

#define LIBCOAP_CONF                                 \
	"# a comment\n\n"                            \
	"master_secret,hex,\"0102030405060708\"\r\n" \
	"master_salt,ascii,\"salt\"\n"               \
	"sender_id,ascii,\"dev\"\n"                  \
	"replay_window,integer,32\n"                 \
	"aead_alg,text,\"AES-CCM-16-128-128\"\n"     \
	"hkdf_alg,integer,-10\n"                     \
	"rfc8613_b_2,bool,false\n"                   \
	"complex_recipient,config,'\n"               \
	"# theirs\nrecipient_id,hex,01\nsilent_server,bool,true\n'\n"
#define SECRET "\"master_secret\": \"0102030405060708\", \"master_salt\": \"73616c74\", "
#define ALG    "\"algorithm\": \"AES-CCM-16-128-128\""

Test(convert, ids_of_libcoap_are_seen_from_the_end_whose_file_it_is)
{
	EXPECT("{\"device_id\": \"646576\", \"gateway_id\": \"01\", " SECRET ALG "}\n", LIBCOAP,
		false, false, LIBCOAP_CONF, NULL);
	EXPECT("{\"device_id\": \"01\", \"gateway_id\": \"646576\", " SECRET ALG
	       ", \"never_used\": true}\n"
	       "{\"device_id\": \"02\", \"gateway_id\": \"646576\", " SECRET ALG
	       ", \"never_used\": true}\n",
		LIBCOAP, true, true, LIBCOAP_CONF "recipient_id,hex,02\n", NULL);
}

Test(convert, libcoap_names_the_line_that_is_refused)
{
	static const struct {
		const char *more, *why;
	} cases[] = {
		{"aead_alg,integer,11\n", "line 15: aead_alg: algorithm: no AEAD algorithm"},
		{"hkdf_alg,integer,-11\n", "line 15: hkdf_alg: keys are derived with HKDF"},
		{"rfc8613_b_2,bool,true\n", "line 15: rfc8613_b_2: must be false"},
		{"break_sender_key,bool,true\n", "line 15: break_sender_key: must be false"},
		{"recipient_id,hex,02\n", "line 15: recipient_id: is there twice"},
		{"sender_id,hex,02\n", "line 15: sender_id: is there twice"},
		{"master_secret,hex,02\n", "line 15: master_secret: is there twice"},
		{"id_context,hex,0\n", "line 15: id_context: not hex"},
		{"id_context,integer,0\n", "line 15: id_context: must be hex or ascii"},
		{"\n5ecre7,hex,02\n", "line 16: the keyword: is not known"},
		{"5ecre7\n", "line 15: the line: must be keyword,encoding,value"},
	};
	char text[TEXT_MAX];

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		strcat(strcpy(text, LIBCOAP_CONF), cases[i].more);
		cr_expect_eq(run(LIBCOAP, false, false, text, NULL), -EINVAL);
		cr_expect_eq(strncmp(error.text, cases[i].why, strlen(cases[i].why)), 0,
			"%s, not %s", error.text, cases[i].why);
		cr_expect_null(strstr(error.text, "5ecre7"), "a secret in a complaint");
		cr_expect_str_empty(out);
	}
	cr_expect_eq(run(LIBCOAP, false, false, "sender_id,hex,01\n", NULL), -EINVAL);
	cr_expect_str_eq(error.text, "master_secret: missing");
	cr_expect_eq(run(LIBCOAP, false, false,
			     "master_secret,hex,01\nsender_id,hex,01\nrecipient_id,hex,01\n", NULL),
		-EINVAL);
	cr_expect_str_eq(error.text, "device_id and gateway_id are the same");
}

#define AIOCOAP_SETTINGS                                                                \
	"{\"sender-id_hex\": \"0a\", \"recipient-id_ascii\": \"gw\",\n\"window\": 32, " \
	"\"secret_hex\": \"0102030405060708\", \"salt_ascii\": \"salt\", "              \
	"\"algorithm\": \"AES-CCM-16-128-128\", \"kdf-hashfun\": \"sha256\""

Test(convert, a_context_of_aiocoap)
{
	static const struct {
		const char *more, *why;
	} cases[] = {
		{"\"kdf-hashfun\": \"sha256\"}",
			"settings.json, line 2: kdf-hashfun: is there twice"},
		{"\n\"surprise\": 1}", "settings.json, line 3: a name is not known"},
		{"\"id-context\": \"\"}", "settings.json, line 2: a name is not known"},
		{"\"id-context_hex\": \"0\"}",
			"settings.json, line 2: id-context: id_context: not hex"},
		{"\"id-context_hex\": 7}", "settings.json, line 2: id-context: not the right kind"},
		{"\"id-context_hex\": \"07\"", "settings.json, line 2: a comma or the end"},
		{"\"id-context_hex\": \"07\"} {}", "settings.json, line 2: something is behind"},
	};
	char text[TEXT_MAX];

	EXPECT("{\"device_id\": \"0a\", \"gateway_id\": \"6777\", " SECRET ALG "}\n", AIOCOAP,
		false, false, AIOCOAP_SETTINGS "}",
		"{\"next-to-send\": 42, \"received\": \"unknown\"}");
	EXPECT("{\"device_id\": \"6777\", \"gateway_id\": \"0a\", " SECRET
	       "\"id_context\": \"07\", " ALG ", \"gateway_seq\": 42}\n",
		AIOCOAP, true, false, AIOCOAP_SETTINGS ", \"id-context_hex\": \"07\"}",
		"{\"received\": {\"index\": 1, \"bitfield\": 0}, \"next-to-send\": 42}");
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		strcat(strcpy(text, AIOCOAP_SETTINGS ", "), cases[i].more);
		cr_expect_eq(run(AIOCOAP, false, false, text, NULL), -EINVAL, "%s", cases[i].more);
		cr_expect_eq(strncmp(error.text, cases[i].why, strlen(cases[i].why)), 0,
			"%s, not %s", error.text, cases[i].why);
	}
	cr_expect_eq(run(AIOCOAP, false, false, "{\"secret_hex\": \"01\"}", NULL), -EINVAL);
	cr_expect_str_eq(error.text, "sender-id_hex: missing");
	cr_expect_eq(run(AIOCOAP, false, false,
			     "{\"kdf-hashfun\": \"sha512\", \"secret_hex\": \"01\"}", NULL),
		-EINVAL);
	cr_expect_not_null(strstr(error.text, "SHA-256 only"), "%s", error.text);
	cr_expect_eq(run(AIOCOAP, true, false, AIOCOAP_SETTINGS "}", "{}"), -EINVAL);
	cr_expect_not_null(strstr(error.text, "sequence.json, line 1: next-to-send"));
}

// Objects are seen from the device, the security information of a server from the server.
Test(convert, the_json_of_leshan)
{
	EXPECT("{\"name\": \"ep\", \"device_id\": \"0a\", \"gateway_id\": \"\", \"master_secret\": "
	       "\"01fdff\", \"algorithm\": \"AES-CCM-16-64-128\"}\n"
	       "{\"name\": \"ep.1\", \"device_id\": \"0b\", \"gateway_id\": \"01\", " SECRET ALG
	       "}\n",
		LESHAN, false, false,
		"{\"ep\": {\"servers\": {\"0\": {\"shortId\": 1, \"binding\": [\"U\"]}},\n"
		" \"security\": {\"0\": {\"oscoreSecurityMode\": 0, \"uri\": \"coap://\"}},\n"
		" \"oscore\": {\"0\": {\"oscoreMasterSecret\": [1, -3, 255], \"oscoreSenderId\":\n"
		" \"0a\", \"oscoreRecipientId\": [], \"oscoreAeadAlgorithm\": 10,\n"
		" \"oscoreHmacAlgorithm\": -10, \"oscoreIdContext\": []},\n"
		" \"1\": {\"oscoreMasterSecret\": \"0102030405060708\", \"oscoreSenderId\": "
		"\"0b\",\n"
		" \"oscoreMasterSalt\": \"73616c74\", \"oscoreRecipientId\": \"01\",\n"
		" \"oscoreAeadAlgorithm\": 30}}}}",
		NULL);
	EXPECT("{\"name\": \"urn:x\", \"device_id\": \"0a\", \"gateway_id\": \"01\", "
	       "\"master_secret\": "
	       "\"02\", \"algorithm\": \"AES-CCM-16-64-128\"}\n"
	       "{\"device_id\": \"0b\", \"gateway_id\": \"01\", \"master_secret\": \"03\", "
	       "\"algorithm\": \"AES-CCM-16-64-128\", \"note\": \"a \\\"b\\\"\"}\n",
		LESHAN, false, false,
		"[{\"oscore\": {\"rid\": \"0a\", \"sid\": \"01\", \"msec\": \"02\"}, \"endpoint\": "
		"\"urn:x\"}, {\"endpoint\": \"a \\\"b\\\"\", \"oscore\": {\"sid\": \"01\", "
		"\"rid\": "
		"\"0b\", \"msec\": \"03\"}}, {\"endpoint\": \"psk\", \"psk\": {\"key\": \"00\"}}]",
		NULL);
}

Test(convert, leshan_names_the_line_that_is_refused)
{
	static const struct {
		const char *text, *why;
	} cases[] = {
		{"{}", "there is no OSCORE object in it"},
		{"{\"a\":\n{\"oscoreSenderId\": \"0\"}}",
			"line 2: oscoreSenderId: neither hex nor"},
		{"{\"a\":\n{\"oscoreSenderId\": [256]}}",
			"line 2: oscoreSenderId: neither hex nor"},
		{"{\"oscoreSenderId\": \"01\"\n}", "line 2: a secret or an id is missing"},
		{"{\"oscoreHmacAlgorithm\": -11}", "line 1: oscoreHmacAlgorithm: keys are derived"},
		{"{\"oscoreAeadAlgorithm\": 99}",
			"line 1: oscoreAeadAlgorithm: algorithm: no AEAD"},
		{"{\"oscoreSurprise\": 1}", "line 1: a member of an OSCORE object is not known"},
		{"{\"oscore\": {\"kdf\": 1, \"sid\": \"01\", \"rid\": \"02\", \"msec\": \"03\"}}",
			"line 1: the security information has a member that is not known"},
		{"[[[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]]]", "line 1: objects are nested too deep"},
		{"{\"a\": 1} 2", "line 1: something is behind the end"},
		{"{\"a\": 1", "line 1: a comma or the end of an object is missing"},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		cr_expect_eq(run(LESHAN, false, false, cases[i].text, NULL), -EINVAL, "%s",
			cases[i].text);
		cr_expect_eq(strncmp(error.text, cases[i].why, strlen(cases[i].why)), 0,
			"%s, not %s", error.text, cases[i].why);
		cr_expect_str_empty(out);
	}
}
