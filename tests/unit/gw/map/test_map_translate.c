// SPDX-License-Identifier: BSD-3-Clause
// What a route with `translate: cbor-json` changes, by the rows of docs/http.md.

#include "gw/map/media.h"
#include "gw/map/translate.h"
#include "tests/unit/gw/map/bed.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#define CBOR_V1 "\xa1\x61v\x01"    // {"v":1}
#define PACK_V1 "\x81\xa1\x02\x01" // [{"v":1}]

static const struct conf_route translating = {
	.prefix = "", .fetch = CONF_FETCH_QUERY, .translate = CONF_TRANSLATE_CBOR_JSON};

static struct http_request req;

// "METHOD|Header: value|...#body" of a request, or the error's name; without Accept-Encoding.
static const char *request(
	const struct conf_route *route, struct map_etags *etags, const char *line)
{
	static uint8_t body[TEXT_BODY_MAX], json[MAP_JSON_ROOM];
	static char out[2 * TEXT_BODY_MAX];
	struct map_request msg;
	uint8_t code;
	size_t len = text_request(line, &code, body);
	enum http_error error = map_request_parse(&msg, route, code, body, len);

	if (!error)
		error = map_request_translate(&msg, json, sizeof(json));
	if (!error)
		error = map_request_build(&req, &msg, etags);
	if (error)
		return http_error_name(error);
	int at = sprintf(out, "%s", req.method);
	for (unsigned i = 0; i < req.header_count; i++)
		if (strncmp(req.header[i].line, "Accept-Encoding: ", 17))
			at += sprintf(out + at, "|%s", req.header[i].line);
	if (req.has_body)
		sprintf(out + at, "#%.*s", (int)req.body_len, (const char *)req.body);
	return out;
}

Test(map_translate, requests)
{
	static const struct {
		const char *coap, *http;
	} rows[] = {
		{"POST cf=60 |" CBOR_V1, "POST|Content-Type: application/json#{\"v\":1}"},
		{"PUT cf=60 |" CBOR_V1, "PUT|Content-Type: application/json#{\"v\":1}"},
		{"PATCH cf=60 |" CBOR_V1, "PATCH|Content-Type: application/json#{\"v\":1}"},
		{"FETCH cf=60 |" CBOR_V1, "QUERY|Content-Type: application/json#{\"v\":1}"},
		{"POST cf=112 |" PACK_V1, "POST|Content-Type: application/senml+json#[{\"v\":1}]"},
		{"POST cf=113 |" PACK_V1, "POST|Content-Type: application/sensml+json#[{\"v\":1}]"},
		{"POST cf=60", "POST|Content-Type: application/json#"},
		{"POST cf=60 accept=60 |\x01",
			"POST|Content-Type: application/json|Accept: application/json#1"},
		{"GET accept=60", "GET|Accept: application/json"},
		{"GET accept=112", "GET|Accept: application/senml+json"},
		{"GET accept=113", "GET|Accept: application/sensml+json"},
		// Labels are SenML's alone.
		{"POST cf=60 |" PACK_V1, "bad_cbor"},
		{"POST cf=60 |\x01\x01", "bad_cbor"},
		{"POST cf=60 |\xf7", "bad_cbor"},
		// All else is untouched.
		{"POST cf=50 |{\"v\":1}", "POST|Content-Type: application/json#{\"v\":1}"},
		{"POST cf=0 |" CBOR_V1, "POST|Content-Type: text/plain; charset=utf-8#" CBOR_V1},
		{"POST cf=63 |" CBOR_V1, "POST|Content-Type: application/cbor-seq#" CBOR_V1},
		{"POST cf=11060 |" CBOR_V1,
			"POST|Content-Type: application/cbor|Content-Encoding: deflate#" CBOR_V1},
		{"POST |" CBOR_V1, "POST#" CBOR_V1},
		{"GET cf=60 |" CBOR_V1, "GET"},
		{"DELETE cf=60 |\xf7", "DELETE"},
		{"GET accept=50", "GET|Accept: application/json"},
		{"GET accept=63", "GET|Accept: application/cbor-seq"},
	};
	struct map_etags *etags = map_etags_create(map_bed_etag_key);

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const char *http = request(&translating, etags, rows[i].coap);

		cr_expect_str_eq(
			http, rows[i].http, "%s: %s, not %s", rows[i].coap, http, rows[i].http);
	}
	cr_expect_str_eq(request(&map_bed_route, etags, "POST cf=60 accept=60 |" CBOR_V1),
		"POST|Content-Type: application/cbor|Accept: application/cbor#" CBOR_V1);
	map_etags_free(etags);
}

Test(map_translate, answers)
{
	static const struct map_bed_row rows[] = {
		{"GET accept=60", "200|Content-Type: application/json#{\"v\":1}",
			"2.05 cf=60 max-age=0 |" CBOR_V1},
		{"GET accept=60", "200|Content-Type: application/json; charset=utf-8#{\"v\":1}",
			"2.05 cf=60 max-age=0 |" CBOR_V1},
		{"GET accept=112", "200|Content-Type: application/senml+json#[{\"v\":1}]",
			"2.05 cf=112 max-age=0 |" PACK_V1},
		{"GET accept=113", "200|Content-Type: application/sensml+json#[{\"v\":1}]",
			"2.05 cf=113 max-age=0 |" PACK_V1},
		{"FETCH cf=60 |\x01", "200|Content-Type: application/json#[1]",
			"2.05 cf=60 max-age=0 |\x81\x01"},
		{"FETCH cf=60 |\x01", "200|Content-Type: application/senml+json#[{\"v\":1}]",
			"2.05 cf=112 max-age=0 |" PACK_V1},
		{"POST cf=112 |" PACK_V1, "200|Content-Type: application/json#[1]",
			"2.04 cf=60 |\x81\x01"},
		{"POST cf=60 accept=60 |\x01", "201|Content-Type: application/json#1",
			"2.01 cf=60 |\x01"},
		// Who asks for JSON, or said nothing, gets it.
		{"GET", "200|Content-Type: application/json#[1]", "2.05 cf=50 max-age=0 |[1]"},
		{"GET accept=50", "200|Content-Type: application/json#[1]",
			"2.05 cf=50 max-age=0 |[1]"},
		{"POST cf=60 accept=50 |\x01", "200|Content-Type: application/json#[1]",
			"2.04 cf=50 |[1]"},
		{"POST cf=50 |[1]", "200|Content-Type: application/json#[1]", "2.04 cf=50 |[1]"},
		// A backend may have CBOR of its own, and others' formats stay.
		{"GET accept=60", "200|Content-Type: application/cbor#\x81\x01",
			"2.05 cf=60 max-age=0 |\x81\x01"},
		{"POST cf=60 |\x01", "200|Content-Type: text/plain#x", "2.04 cf=0 |x"},
		{"POST cf=60 |\x01", "200#x", "2.04 |x"},
		{"GET accept=60", "200|Content-Type: text/plain#x",
			"4.06 max-age=0 |no such format"},
		{"GET accept=112", "200|Content-Type: application/json#[]",
			"4.06 max-age=0 |no such format"},
		{"GET accept=60", "200|Content-Type: application/senml+json#[]",
			"4.06 max-age=0 |no such format"},
		{"GET accept=60", "204|Content-Type: application/json", "2.05 max-age=0"},
		// What has no CBOR is the backend's fault, and does not deny what was performed.
		{"GET accept=60", "200|Content-Type: application/json#{\"a\":[9007199254740993]}",
			"5.02 max-age=0 |no CBOR for the backend's JSON: an integer beyond 2^53 at "
			"/a/0"},
		{"GET accept=60", "200|Content-Type: application/json#[1,",
			"5.02 max-age=0 |no CBOR for the backend's JSON: the body ends inside a "
			"value at byte 3"},
		{"GET accept=112", "200|Content-Type: application/senml+json#[{\"vd\":\"/\"}]",
			"5.02 max-age=0 |no CBOR for the backend's JSON: no base64url at /0/vd"},
		{"POST cf=60 |\x01", "200|Content-Type: application/json#nonsense", "2.04"},
		{"PUT cf=60 |\x01", "201|Content-Type: application/json#1e999", "2.01"},
		// Errors are diagnostics, which are text.
		{"GET accept=60", "404|Content-Type: application/json#{\"e\":1}",
			"4.04 max-age=0 |{\"e\":1}"},
		// The device's own fault.
		{"POST cf=60 |\x82\x01\xa1\x61v\xf7", "200",
			"4.00 max-age=0 |no JSON for the payload: undefined at /1/v"},
		{"POST cf=60 |\x82\x01", "200",
			"4.00 max-age=0 |no JSON for the payload: the payload ends inside an item "
			"at byte 2"},
	};
	struct map_bed bed = map_bed_create();

	bed.route = &translating;
	map_bed_check(bed, rows, sizeof(rows) / sizeof(rows[0]));
}

// An answer is measured as what it becomes, and may be smaller or larger than what came.
Test(map_translate, sizes)
{
	struct map_bed bed = map_bed_create();
	char http[2048];

	bed.route = &translating;
	bed.room = 32;
	snprintf(http, sizeof(http), "200|Content-Type: application/json#[%*s1]", 1000, "");
	EXPECT("GET accept=60", http, "2.05 cf=60 max-age=0 |\x81\x01");
	// 1 + 3 + 1 + 1 + 1 bytes are in front of the 25.
	EXPECT("POST cf=60 |\x01",
		"200|Content-Type: application/json#\"0123456789012345678901234\"",
		"2.04 cf=60 |\x78\x19"
		"0123456789012345678901234");
	EXPECT("POST cf=60 |\x01",
		"200|Content-Type: application/json#\"012345678901234567890123456\"", "2.04");
	cr_expect(bed.body_dropped);
	EXPECT("FETCH cf=60 |\x01",
		"200|Content-Type: application/json#\"012345678901234567890123456\"",
		"5.00 max-age=0 |answer too large");
	map_etags_free(bed.etags);

	struct map_request msg = {.cbor = MAP_FORMAT_NONE};

	cr_expect_eq(map_reply_keep(&msg, 1024), 1024);
	msg.cbor = 60;
	cr_expect_eq(map_reply_keep(&msg, 1024), 1024);
	msg.cbor = MAP_CBOR_ANY;
	cr_expect_eq(map_reply_keep(&msg, 1 << 20), MAP_JSON_KEEP_MAX);
}

// A payload that needs more than all the room is refused as too large.
Test(map_translate, too_large_as_json)
{
	static uint8_t body[TEXT_BODY_MAX], json[16];
	struct map_request msg;
	uint8_t code;
	size_t len = text_request("POST cf=60 |\x70"
				  "0123456789012345",
		&code, body);

	cr_assert_eq(map_request_parse(&msg, &translating, code, body, len), HTTP_ERR_none);
	cr_expect_eq(map_request_translate(&msg, json, sizeof(json)), HTTP_ERR_too_large);
}

// The ETag of what was translated is another than that of the JSON and of other formats, and comes
// back as the backend's own.
static const char *etag_for(struct map_bed *bed, const char *coap, const char *http)
{
	static char text[17];
	const char *found = strstr(map_bed_answer(bed, coap, http), "etag=");

	cr_assert(found);
	snprintf(text, sizeof(text), "%.*s", (int)strspn(found + 5, "0123456789abcdef"), found + 5);
	return text;
}

#define JSON_2B "200|ETag: \"2b\"|Content-Type: application/json#[]"
#define PACK_2B "200|ETag: \"2b\"|Content-Type: application/senml+json#[]"

Test(map_translate, etags)
{
	struct map_bed bed = map_bed_create();
	char cbor[17], pack[17], line[128], want[128];

	bed.route = &translating;
	cr_expect_str_eq(etag_for(&bed, "GET", JSON_2B), "2b");
	strcpy(cbor, etag_for(&bed, "GET accept=60", JSON_2B));
	strcpy(pack, etag_for(&bed, "GET accept=112", PACK_2B));
	cr_expect(strlen(cbor) == 16 && strlen(pack) == 16 && strcmp(cbor, pack));
	cr_expect_str_eq(etag_for(&bed, "GET accept=60", JSON_2B), cbor);
	cr_expect_str_eq(etag_for(&bed, "FETCH cf=60 |\x01", JSON_2B), cbor);
	cr_expect_str_eq(etag_for(&bed, "PUT cf=60 |\x01", "204|ETag: \"2b\""), cbor);
	cr_expect_str_eq(etag_for(&bed, "PUT cf=112 |\x80", "204|ETag: \"2b\""), pack);
	cr_expect_str_eq(etag_for(&bed, "PUT cf=60 accept=112 |\x01", "204|ETag: \"2b\""), pack);
	cr_expect_str_eq(etag_for(&bed, "PUT cf=50 |1", "204|ETag: \"2b\""), "2b");
	cr_expect_str_eq(etag_for(&bed, "GET accept=60",
				 "200|ETag: \"2b\"|Content-Type: application/cbor#\x01"),
		"2b");

	static const struct {
		const char *coap; // with %s for cbor, then for pack
		const char *http;
	} rows[] = {
		{"GET accept=60 etag=%s etag=%s",
			"GET|Accept: application/json|If-None-Match: \"2b\""},
		{"GET accept=112 etag=%s etag=%s",
			"GET|Accept: application/senml+json|If-None-Match: \"2b\""},
		{"GET accept=113 etag=%s etag=%s", "GET|Accept: application/sensml+json"},
		{"GET accept=60 etag=2b", "GET|Accept: application/json"},
		{"GET accept=60 etag=0102030405060708", "GET|Accept: application/json"},
		{"GET etag=%s etag=%s", "GET"},
		{"GET etag=2b etag=%s", "GET|If-None-Match: \"2b\""},
		{"GET accept=50 etag=%s", "GET|Accept: application/json"},
		{"PUT cf=60 if-match=%s |\x01",
			"PUT|Content-Type: application/json|If-Match: \"2b\"#1"},
		{"DELETE if-match=%s", "DELETE|If-Match: \"2b\""},
		{"DELETE if-match=2b", "DELETE|If-Match: \"2b\""},
	};
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		snprintf(line, sizeof(line), rows[i].coap, cbor, pack);
		const char *http = request(&translating, bed.etags, line);

		cr_expect_str_eq(http, rows[i].http, "%s: %s, not %s", line, http, rows[i].http);
	}

	// 2.03 has the ETag that the device knows the representation by, whoever validates.
	snprintf(want, sizeof(want), "2.03 etag=%s max-age=0", cbor);
	snprintf(line, sizeof(line), "GET accept=60 etag=%s etag=%s", pack, cbor);
	EXPECT(line, "304|ETag: \"2b\"", want);
	EXPECT(line, "304|ETag: W/\"2b\"", want);
	EXPECT(line, JSON_2B, want);
	EXPECT(line, "304|ETag: \"2c\"", "5.02 max-age=0 |backend answer not expected");
	snprintf(line, sizeof(line), "GET accept=60 etag=%s", cbor);
	EXPECT(line, "304", want);
	snprintf(line, sizeof(line), "FETCH cf=60 etag=%s |\x01", cbor);
	EXPECT(line, "304|ETag: \"2b\"", want);
	// What was not asked for is not believed.
	EXPECT("GET accept=60 etag=2b", "304|ETag: \"2b\"",
		"5.02 max-age=0 |backend answer not expected");
	EXPECT("GET accept=60 etag=2b", "304", "5.02 max-age=0 |backend answer not expected");
	snprintf(line, sizeof(line), "GET etag=%s", cbor);
	EXPECT(line, "304", "5.02 max-age=0 |backend answer not expected");
	EXPECT(line, JSON_2B, "2.05 etag=2b cf=50 max-age=0 |[]");
	map_etags_free(bed.etags);
}
