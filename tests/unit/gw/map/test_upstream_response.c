// SPDX-License-Identifier: BSD-3-Clause
// HTTP answer to CoAP answer: the tables of docs/http.md, row by row.

#include "gw/map/error_codes.h"
#include "gw/map/fresh.h"
#include "gw/map/media.h"
#include "gw/map/response.h"
#include "tests/unit/gw/map/text.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#define ROOM    1024
#define NOW     784111777 // Sun, 06 Nov 1994 08:49:37 GMT
#define RETRY   8
#define MAX_AGE 86400

static const uint8_t etag_key[MAP_ETAG_KEY_LEN] = {1};
static const struct conf_server server = {.scheme = CONF_HTTP,
	.host = "b",
	.authority = "b:8080",
	.origin = "http://b:8080",
	.base = ""};
static const struct conf_route route = {.prefix = "", .fetch = CONF_FETCH_QUERY};

struct bed {
	const struct conf_route *route;
	const struct conf_server *server;
	struct map_etags *etags;
	size_t room;
	enum http_error error;
	bool body_dropped;
	uint32_t max_age_max;
};

static struct bed bed_create(void)
{
	return (struct bed){
		&route, &server, map_etags_create(etag_key), ROOM, HTTP_ERR_none, false, MAX_AGE};
}

// Maps an answer given as "200|Header: value|Header: value#body" (a `#` in a header is written \1)
// and renders the plaintext. An error on the way is rendered as the device would see it.
static const char *map(struct bed *bed, const char *coap, const char *http)
{
	static uint8_t body[TEXT_BODY_MAX];
	struct http_reply reply;
	struct map_request msg;
	uint8_t code;
	size_t n = text_request(coap, &code, body);
	uint8_t *out = malloc(bed->room);
	struct map_response mapping = {.server = bed->server,
		.etags = bed->etags,
		.now = NOW,
		.retry_s = RETRY,
		.max_age_max = bed->max_age_max,
		.out = out,
		.room = bed->room};

	cr_assert_eq(map_request_parse(&msg, bed->route, code, body, n), HTTP_ERR_none, "%s", coap);
	http_reply_init(&reply);
	http_reply_status(&reply, atoi(http));
	bed->error = HTTP_ERR_none;
	for (http += strcspn(http, "|#"); *http == '|' && !bed->error;
		http += strcspn(http, "|#")) {
		char line[1024];
		int line_len = (int)strcspn(++http, "|#");

		line_len = snprintf(line, sizeof(line), "%.*s", line_len, http);
		for (char *c = line; *c; c++)
			*c = *c == 1 ? '#' : *c;
		bed->error = http_reply_header(&reply, line, (size_t)line_len);
	}
	if (*http == '#') {
		reply.body = (const uint8_t *)http + 1;
		reply.body_len = strlen(http + 1);
	}
	if (bed->error)
		mapping.len = map_error_write(bed->error, 0, out, bed->room);
	else
		bed->error = map_response_build(&reply, &msg, &mapping);
	cr_assert(mapping.len >= 1 && mapping.len <= bed->room);
	bed->body_dropped = mapping.body_dropped;
	const char *text = text_answer(out, mapping.len);
	free(out);
	return text;
}

#define EXPECT(coap, http, want)                                         \
	do {                                                             \
		const char *got_ = map(&bed, coap, http);                \
		cr_expect_str_eq(got_, want, "%s\nnot\n%s", got_, want); \
	} while (0)

struct row {
	const char *coap, *http, *answer;
};

static void check_rows(struct bed bed, const struct row *rows, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		const char *answer = map(&bed, rows[i].coap, rows[i].http);

		cr_expect_str_eq(answer, rows[i].answer, "%s, %s:\n%s\nnot\n%s", rows[i].coap,
			rows[i].http, answer, rows[i].answer);
	}
	map_etags_free(bed.etags);
}

#define CHECK(rows) check_rows(bed_create(), rows, sizeof(rows) / sizeof(rows[0]))

// RFC 8613 appendix C.7: the plaintext byte by byte.
Test(upstream_response, rfc8613_c7)
{
	static const uint8_t want[] = {
		0x45, 0xff, 0x48, 0x65, 0x6c, 0x6c, 0x6f, 0x20, 0x57, 0x6f, 0x72, 0x6c, 0x64, 0x21};
	struct map_etags *etags = map_etags_create(etag_key);
	struct http_reply reply;
	struct map_request msg;
	uint8_t body[TEXT_BODY_MAX], out[64], code;
	struct map_response mapping = {.server = &server,
		.etags = etags,
		.now = NOW,
		.max_age_max = MAX_AGE,
		.out = out,
		.room = sizeof(out)};
	size_t n = text_request("GET host=localhost path=tv1", &code, body);

	cr_assert_eq(map_request_parse(&msg, &route, code, body, n), HTTP_ERR_none);
	http_reply_init(&reply);
	http_reply_status(&reply, 200);
	cr_assert_eq(http_reply_header(&reply, "Cache-Control: max-age=60", 25), HTTP_ERR_none);
	reply.body = (const uint8_t *)"Hello World!";
	reply.body_len = 12;
	cr_assert_eq(map_response_build(&reply, &msg, &mapping), HTTP_ERR_none);
	cr_expect_arr_eq(out, want, sizeof(want));
	cr_expect_eq(mapping.len, sizeof(want));
	map_etags_free(etags);
}

// RFC 7252 section 10.1.
Test(upstream_response, success_by_method)
{
	static const struct row rows[] = {
		{"GET", "200#x", "2.05 max-age=0 |x"},
		{"GET", "200", "2.05 max-age=0"},
		{"GET", "201#x", "2.05 max-age=0 |x"},
		{"GET", "202#x", "2.05 max-age=0 |x"},
		{"GET", "203#x", "2.05 max-age=0 |x"},
		{"GET", "204#x", "2.05 max-age=0"},
		{"GET", "205#x", "2.05 max-age=0"},
		{"GET", "226#x", "2.05 max-age=0 |x"},
		{"FETCH |q", "200#x", "2.05 max-age=0 |x"},
		{"FETCH |q", "204", "2.05 max-age=0"},
		{"POST |q", "200#x", "2.04 |x"},
		{"POST |q", "201#x", "2.01 |x"},
		{"POST |q", "202", "2.04"},
		{"POST |q", "204", "2.04"},
		{"POST |q", "200|Cache-Control: max-age=5", "2.04"},
		{"PUT |q", "200#x", "2.04 |x"},
		{"PUT |q", "201", "2.01"},
		{"PUT |q", "204", "2.04"},
		{"DELETE", "200#x", "2.02 |x"},
		{"DELETE", "202", "2.02"},
		{"DELETE", "204", "2.02"},
		{"DELETE", "404#gone", "2.02"},
		{"DELETE", "410", "2.02"},
		{"PATCH |q", "200", "2.04"},
		{"PATCH |q", "201", "2.01"},
		{"iPATCH |q", "204", "2.04"},
	};

	CHECK(rows);
}

Test(upstream_response, statuses)
{
	static const struct {
		int first, last;
		const char *code;
	} rows[] = {
		{100, 199, "5.02"}, // 1xx that are final: 101
		{206, 206, "2.04"}, // of a POST: it was performed
		{300, 399, "5.02"},
		{400, 400, "4.00"},
		{401, 401, "4.01"},
		{402, 402, "4.00"},
		{403, 403, "4.03"},
		{404, 404, "4.04"},
		{405, 405, "4.05"},
		{406, 406, "4.06"},
		{407, 407, "5.02"},
		{408, 408, "5.04"},
		{409, 409, "4.09"},
		{410, 410, "4.04"},
		{411, 411, "4.00"},
		{412, 412, "4.12"},
		{413, 413, "4.13"},
		{414, 414, "4.00"},
		{415, 415, "4.15"},
		{416, 418, "4.00"},
		{421, 421, "5.02"},
		{422, 422, "4.22"},
		{423, 424, "4.00"}, // unknown ones count as 400
		{425, 425, "4.01"},
		{426, 428, "4.00"},
		{429, 429, "4.29"},
		{430, 450, "4.00"},
		{451, 451, "4.03"},
		{452, 499, "4.00"},
		{500, 500, "5.00"},
		{501, 501, "5.01"},
		{502, 502, "5.02"},
		{503, 503, "5.03"},
		{504, 504, "5.04"},
		{505, 505, "5.02"},
		{506, 510, "5.00"},
		{511, 511, "5.02"},
		{512, 599, "5.00"}, // unknown ones count as 500
		{600, 999, "5.02"},
	};
	struct bed bed = bed_create();
	char http[8];

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		for (int status = rows[i].first; status <= rows[i].last; status++) {
			sprintf(http, "%d", status);
			const char *answer = map(&bed, "POST |q", http);
			cr_expect(!strncmp(answer, rows[i].code, 4), "%d is %s", status, answer);
		}
	}
	map_etags_free(bed.etags);
}

// Max-Age is never longer than freshness, and explicit where HTTP says nothing.
Test(upstream_response, max_age)
{
	static const struct row rows[] = {
		{"GET", "200|Cache-Control: max-age=60", "2.05"},
		{"GET", "200|Cache-Control: max-age=61", "2.05 max-age=61"},
		{"GET", "200|cache-control:max-age=5 , private", "2.05 max-age=5"},
		{"GET", "200|Cache-Control: MAX-AGE=\"5\"", "2.05 max-age=5"},
		{"GET", "200|Cache-Control: max-age=90, s-maxage=30", "2.05 max-age=30"},
		{"GET", "200|Cache-Control: max-age=90|Cache-Control: s-maxage=30",
			"2.05 max-age=30"},
		{"GET", "200|Cache-Control: max-age=60|Age: 50", "2.05 max-age=10"},
		{"GET", "200|Cache-Control: max-age=60|Age: 60", "2.05 max-age=0"},
		{"GET", "200|Cache-Control: max-age=60|Age: 99999999999999", "2.05 max-age=0"},
		{"GET", "200|Cache-Control: max-age=60|Age: x", "2.05"},
		{"GET", "200|Cache-Control: max-age=60, no-cache", "2.05 max-age=0"},
		{"GET", "200|Cache-Control: no-store, max-age=60", "2.05 max-age=0"},
		{"GET", "200|Cache-Control: x=\"max-age=9, no-store\", max-age=7",
			"2.05 max-age=7"},
		{"GET", "200|Cache-Control: max-age=-5", "2.05 max-age=0"},
		{"GET", "200|Cache-Control: max-age", "2.05 max-age=0"},
		{"GET", "200|Cache-Control: max-age=86400", "2.05 max-age=86400"},
		{"GET", "200|Cache-Control: max-age=86401", "2.05 max-age=86400"},
		{"GET", "200|Cache-Control: max-age=99999999999", "2.05 max-age=86400"},
		{"GET", "200|Expires: Sun, 06 Nov 2994 08:49:47 GMT", "2.05 max-age=86400"},
		{"GET etag=2b", "304|ETag: \"2b\"|Cache-Control: max-age=99999999999",
			"2.03 etag=2b max-age=86400"},
		{"GET", "404|Cache-Control: max-age=99999999999", "4.04 max-age=86400"},
		{"GET", "503|Retry-After: 99999999999", "5.03 max-age=86400"},
		{"GET", "503|Retry-After: Sun, 06 Nov 2994 08:49:47 GMT", "5.03 max-age=86400"},
		{"POST |q", "429|Retry-After: 86401", "4.29 max-age=86400"},
		{"GET",
			"200|Date: Sun, 06 Nov 1994 08:49:37 GMT|Expires: Sun, 06 Nov 1994 "
			"08:50:07 GMT",
			"2.05 max-age=30"},
		{"GET", "200|Expires: Sun, 06 Nov 1994 08:49:47 GMT", "2.05 max-age=10"},
		{"GET", "200|Expires: Sun Nov  6 08:49:47 1994", "2.05 max-age=10"},
		{"GET", "200|Expires: 0", "2.05 max-age=0"},
		{"GET", "200|Cache-Control: max-age=5|Expires: Sun, 06 Nov 1994 08:49:40 GMT",
			"2.05 max-age=3"},
		{"GET", "404|Cache-Control: max-age=9", "4.04 max-age=9"},
		{"GET", "404|Cache-Control: max-age=60", "4.04"},
		{"GET", "404", "4.04 max-age=0"},
		{"PUT |q", "412|Cache-Control: max-age=60", "4.12"},
		{"GET", "500", "5.00 max-age=0"},
		{"GET", "503|Retry-After: 7", "5.03 max-age=7"},
		{"GET", "503|Retry-After: 60", "5.03"},
		{"GET", "503|Retry-After: Sun, 06 Nov 1994 08:51:17 GMT", "5.03 max-age=100"},
		{"GET", "503|Retry-After: Sun, 06 Nov 1994 08:00:00 GMT", "5.03 max-age=0"},
		{"GET", "503|Retry-After: soon", "5.03 max-age=8"},
		{"GET", "503", "5.03 max-age=8"},
		{"GET", "429|Retry-After: 3", "4.29 max-age=3"},
		{"POST |q", "429", "4.29 max-age=8"},
		{"GET", "500|Retry-After: 3", "5.00 max-age=0"},
	};

	CHECK(rows);
}

// The longest Max-Age is the configuration's.
Test(upstream_response, max_age_is_configured)
{
	struct bed bed = bed_create();

	bed.max_age_max = 30;
	EXPECT("GET", "200|Cache-Control: max-age=31", "2.05 max-age=30");
	EXPECT("GET", "503|Retry-After: 31", "5.03 max-age=30");
	EXPECT("GET", "503|Retry-After: 29", "5.03 max-age=29");
	map_etags_free(bed.etags);
}

// RFC 8075 section 6.
Test(upstream_response, content_format)
{
	static const struct row rows[] = {
		{"GET", "200|Content-Type: text/plain; charset=utf-8#x", "2.05 cf=0 max-age=0 |x"},
		{"GET", "200|Content-Type: text/plain;charset=UTF-8#x", "2.05 cf=0 max-age=0 |x"},
		{"GET", "200|Content-Type: text/plain#x", "2.05 cf=0 max-age=0 |x"},
		{"GET", "200|Content-Type: Text/HTML#x", "2.05 cf=0 max-age=0 |x"},
		{"GET", "200|Content-Type: text/plain; charset=iso-8859-1#x",
			"2.05 cf=42 max-age=0 |x"},
		// Text that is not UTF-8 is no text.
		{"GET", "200|Content-Type: text/plain#caf\xe9", "2.05 cf=42 max-age=0 |caf\xe9"},
		{"GET", "200|Content-Type: text/plain; charset=utf-8#\xc3(",
			"2.05 cf=42 max-age=0 |\xc3("},
		{"GET", "200|Content-Type: text/html#\xff", "2.05 cf=42 max-age=0 |\xff"},
		{"GET", "200|Content-Type: text/css#\xff", "2.05 cf=42 max-age=0 |\xff"},
		{"GET", "200|Content-Type: text/css#\xc3\xa9", "2.05 cf=20000 max-age=0 |\xc3\xa9"},
		{"GET", "200|Content-Type: text/plain#caf\xc3\xa9",
			"2.05 cf=0 max-age=0 |caf\xc3\xa9"},
		{"GET accept=0", "200|Content-Type: text/plain#\xff",
			"4.06 max-age=0 |no such format"},
		{"POST |q", "200|Content-Type: text/plain#\xff", "2.04 cf=42 |\xff"},
		{"GET", "200|Content-Type: application/json#x", "2.05 cf=50 max-age=0 |x"},
		{"GET", "200|Content-Type: application/json; charset=utf-8#x",
			"2.05 cf=50 max-age=0 |x"},
		{"GET", "200|Content-Type: application/json; v=1#x", "2.05 cf=50 max-age=0 |x"},
		{"GET", "200|Content-Type: application/cose; cose-type=\"cose-sign1\"#x",
			"2.05 cf=18 max-age=0 |x"},
		{"GET", "200|Content-Type: application/cose#x", "2.05 cf=42 max-age=0 |x"},
		{"GET", "200|Content-Type: application/senml+cbor#x", "2.05 cf=112 max-age=0 |x"},
		{"GET", "200|Content-Type: application/vnd.oma.lwm2m+json#x",
			"2.05 cf=11543 max-age=0 |x"},
		{"GET", "200|Content-Type: application/problem+json#x", "2.05 cf=50 max-age=0 |x"},
		{"GET", "200|Content-Type: application/x+cbor#x", "2.05 cf=60 max-age=0 |x"},
		{"GET", "200|Content-Type: application/soap+xml#x", "2.05 cf=41 max-age=0 |x"},
		{"GET", "200|Content-Type: text/xml#x", "2.05 cf=41 max-age=0 |x"},
		{"GET", "200|Content-Type: video/mp4#x", "2.05 cf=42 max-age=0 |x"},
		{"GET", "200|Content-Type: nonsense#x", "2.05 cf=42 max-age=0 |x"},
		{"GET", "200|Content-Type: application/coap-payload;cf=4711#x",
			"2.05 cf=4711 max-age=0 |x"},
		{"GET", "200|Content-Type: application/coap-payload; cf=\"65535\"#x",
			"2.05 cf=65535 max-age=0 |x"},
		{"GET", "200|Content-Type: application/coap-payload;cf=65536#x",
			"2.05 cf=42 max-age=0 |x"},
		{"GET", "200#x", "2.05 max-age=0 |x"},
		{"GET", "200|Content-Type: application/json", "2.05 max-age=0"},
		{"GET", "200|Content-Type: application/json|Content-Encoding: identity#x",
			"2.05 cf=50 max-age=0 |x"},
		{"GET", "200|Content-Type: application/json|Content-Encoding: Deflate#x",
			"2.05 cf=11050 max-age=0 |x"},
		{"GET", "200|Content-Type: application/cbor|Content-Encoding: deflate#x",
			"2.05 cf=11060 max-age=0 |x"},
		{"GET", "200|Content-Type: application/json|Content-Encoding: gzip#x",
			"5.02 max-age=0 |backend answer encoded"},
		{"GET", "200|Content-Encoding: br#x", "5.02 max-age=0 |backend answer encoded"},
		{"GET", "200|Content-Type: application/oscore#x",
			"5.02 max-age=0 |backend answer not allowed"},
		{"GET", "200|Content-Type: application/coap-payload;cf=10001#x",
			"5.02 max-age=0 |backend answer not allowed"},
		{"POST |q", "200|Content-Type: application/cbor#x", "2.04 cf=60 |x"},
	};

	CHECK(rows);
}

// RFC 7252 section 5.10.4.
Test(upstream_response, accept)
{
	static const struct row rows[] = {
		{"GET accept=50", "200|Content-Type: application/json#x",
			"2.05 cf=50 max-age=0 |x"},
		{"GET accept=60", "200|Content-Type: application/json#x",
			"4.06 max-age=0 |no such format"},
		{"GET accept=50", "200#x", "4.06 max-age=0 |no such format"},
		{"GET accept=42", "200#x", "2.05 max-age=0 |x"},
		{"GET accept=50", "204", "2.05 max-age=0"},
		{"GET accept=11050", "200|Content-Type: application/json#x",
			"4.06 max-age=0 |no such format"},
		{"GET accept=60", "406", "4.06 max-age=0"},
		{"POST accept=50 |q", "200|Content-Type: application/json#x", "2.04 cf=50 |x"},
	};

	CHECK(rows);
}

// A method that changes something was performed if the backend says so. Whatever is wrong with the
// body, the device is told its success, and that alone.
Test(upstream_response, performed)
{
	static const char *const bodies[] = {
		"|Content-Type: application/json|Content-Encoding: gzip#x",
		"|Content-Encoding: br#x",
		"|Content-Type: application/oscore#x",
		"|Content-Type: application/coap-payload;cf=10001#x",
		"|Content-Type: application/json#x", // with Accept: 60
		"#this is longer than the room that there is",
		"|Content-Type: application/cbor#this is longer than the room that there is",
	};
	static const struct {
		const char *method, *status, *answer;
	} rows[] = {
		{"POST", "200", "2.04"},
		{"POST", "201", "2.01"},
		{"POST", "206", "2.04"},
		{"PUT", "200", "2.04"},
		{"PUT", "201", "2.01"},
		{"DELETE", "200", "2.02"},
		{"PATCH", "200", "2.04"},
		{"iPATCH", "200", "2.04"},
	};
	struct bed bed = bed_create();

	bed.room = 24;
	for (size_t i = 0; i < sizeof(bodies) / sizeof(bodies[0]); i++) {
		char coap[64], http[256];

		for (size_t r = 0; r < sizeof(rows) / sizeof(rows[0]); r++) {
			bool body = strcmp(rows[r].method, "DELETE");

			snprintf(coap, sizeof(coap), "%s accept=60%s", rows[r].method,
				body ? " |q" : "");
			snprintf(http, sizeof(http), "%s%s", rows[r].status, bodies[i]);
			const char *answer = map(&bed, coap, http);
			cr_expect_str_eq(answer, rows[r].answer, "%s %s: %s", coap, http, answer);
			cr_expect(bed.body_dropped, "%s %s", coap, http);
		}
		// Nothing was changed by these.
		snprintf(http, sizeof(http), "200%s", bodies[i]);
		cr_expect_neq(*map(&bed, "GET accept=60", http), '2', "%s", http);
		cr_expect_neq(*map(&bed, "FETCH accept=60 |q", http), '2', "%s", http);
	}
	// Options that do not fit go, too.
	EXPECT("POST |q", "201|Location: /a-path-that-is-longer-than-all-the-room#body", "2.01");
	cr_expect(bed.body_dropped);
	EXPECT("POST |q", "201|Location: /a-path-that-is-longer-than-all-the-room", "2.01");
	cr_expect_not(bed.body_dropped);
	EXPECT("POST |q", "201|Location: /a#more-than-there-is-room-for", "2.01 lpath=a");
	EXPECT("POST |q", "200#fits", "2.04 |fits");
	cr_expect_not(bed.body_dropped);
	map_etags_free(bed.etags);
}

// RFC 7252 sections 5.9.1.3 and 10.1.1.
Test(upstream_response, etags)
{
	static const struct row rows[] = {
		{"GET", "200|ETag: \"2b\"#x", "2.05 etag=2b max-age=0 |x"},
		{"GET", "200|ETag: \"0123456789abcdef\"#x",
			"2.05 etag=0123456789abcdef max-age=0 |x"},
		{"GET", "200|ETag: W/\"2b\"#x", "2.05 max-age=0 |x"},
		{"GET", "200|ETag: 2b#x", "2.05 max-age=0 |x"},
		{"GET", "200|ETag: \"\"#x", "2.05 max-age=0 |x"},
		{"GET", "200|ETag: \"a\"b\"#x", "2.05 max-age=0 |x"},
		{"PUT |q", "204|ETag: \"2b\"", "2.04 etag=2b"},
		{"POST |q", "201|ETag: \"2b\"", "2.01 etag=2b"},
		{"POST |q", "200|ETag: \"2b\"", "2.04"},
		{"DELETE", "200|ETag: \"2b\"", "2.02"},
		{"GET", "404|ETag: \"2b\"", "4.04 max-age=0"},
		// 2.03 carries the ETag and no payload.
		{"GET etag=2b", "304|ETag: \"2b\"|Cache-Control: max-age=9",
			"2.03 etag=2b max-age=9"},
		{"GET etag=2b", "304|ETag: W/\"2b\"", "2.03 etag=2b max-age=0"},
		{"GET etag=2b", "304", "2.03 etag=2b max-age=0"},
		{"GET etag=01 etag=2b", "304|ETag: \"2b\"", "2.03 etag=2b max-age=0"},
		{"GET etag=01 etag=2b", "304", "5.02 max-age=0 |backend answer not expected"},
		{"GET etag=01", "304|ETag: \"2b\"", "5.02 max-age=0 |backend answer not expected"},
		{"GET", "304|ETag: \"2b\"", "5.02 max-age=0 |backend answer not expected"},
		{"FETCH etag=2b |q", "304|ETag: \"2b\"", "2.03 etag=2b max-age=0"},
		{"PUT etag=2b |q", "304|ETag: \"2b\"",
			"5.02 max-age=0 |backend answer not expected"},
		{"GET if-none-match=", "304|ETag: \"2b\"", "4.12 max-age=0"},
		// A backend that does not validate: the gateway does.
		{"GET etag=2b", "200|ETag: \"2b\"#x", "2.03 etag=2b max-age=0"},
		{"FETCH etag=2b |q", "200|ETag: \"2b\"#x", "2.03 etag=2b max-age=0"},
		{"GET etag=2c", "200|ETag: \"2b\"#x", "2.05 etag=2b max-age=0 |x"},
	};

	CHECK(rows);
}

// An entity tag that is no short hex goes to the device as 8 bytes and comes back as it was.
Test(upstream_response, etag_round_trip)
{
	static const char *const tags[] = {"\"v1\"", "\"5f3a1234-1a2b\"", "\"ABCD\"", "\"abc\"",
		"\"0123456789abcdef01\"", "\"a,b c\"", "\"\xc3\xa9\""};
	struct map_etags *etags = map_etags_create(etag_key);
	struct map_etag etag, again;
	char buf[256], *start = buf;
	struct http_text text;

	for (size_t i = 0; i < sizeof(tags) / sizeof(tags[0]); i++) {
		bool legal = !strchr(tags[i], ' ');

		cr_expect_eq(
			map_etag_from_http(etags, tags[i], false, &etag), legal, "%s", tags[i]);
		if (!legal)
			continue;
		cr_expect_eq(etag.len, 8);
		start = buf;
		http_text_init(&text, buf, sizeof(buf));
		map_etag_to_http(etags, &text, etag.bytes, etag.len);
		cr_expect_str_eq(http_text_end(&text, &start), tags[i]);
	}

	// Ten times as many as the table holds: the newest are there, memory is what it was.
	for (unsigned i = 0; i < 10 * MAP_ETAG_ENTRIES; i++) {
		sprintf(buf, "\"version %u\"", i);
		buf[8] = '-';
		cr_assert(map_etag_from_http(etags, buf, false, &etag));
		cr_assert(map_etag_from_http(etags, buf, false, &again));
		cr_assert_arr_eq(etag.bytes, again.bytes, 8);
		char back[64];
		start = back;
		http_text_init(&text, back, sizeof(back));
		map_etag_to_http(etags, &text, etag.bytes, etag.len);
		cr_assert_str_eq(http_text_end(&text, &start), buf);
	}
	memset(buf, 'x', MAP_ETAG_TEXT_MAX + 1);
	buf[0] = '"';
	strcpy(buf + MAP_ETAG_TEXT_MAX + 1, "\"");
	cr_expect(map_etag_from_http(etags, buf, false, &etag));
	strcpy(buf + MAP_ETAG_TEXT_MAX + 1, "x\"");
	cr_expect_not(map_etag_from_http(etags, buf, false, &etag), "longer than an entry");
	map_etags_free(etags);
}

// RFC 7252 section 5.10.7.
Test(upstream_response, location)
{
	static const struct row rows[] = {
		{"POST path=a |q", "201|Location: /a/17", "2.01 lpath=a lpath=17"},
		{"POST path=a |q", "201|Location: http://b:8080/a/17", "2.01 lpath=a lpath=17"},
		{"POST path=a |q", "201|Location: //B:8080/a", "2.01 lpath=a"},
		{"POST path=a |q", "201|Location: http://c/a/17", "2.01"},
		{"POST path=a |q", "201|Location: https://b:8080/a/17", "2.01"},
		{"POST path=a |q", "201|Location: http://x@b:8080/a/17", "2.01"},
		{"POST path=a |q", "201|Location: ftp://b:8080/a", "2.01"},
		{"POST path=a |q", "201|Location: mailto:a@b", "2.01"},
		{"POST path=a path=b |q", "201|Location: c", "2.01 lpath=a lpath=c"},
		{"POST path=a path= |q", "201|Location: c", "2.01 lpath=a lpath=c"},
		{"POST path=a path=b |q", "201|Location: ../c", "2.01 lpath=c"},
		{"POST path=a path=b |q", "201|Location: ./", "2.01 lpath=a lpath="},
		{"POST path=a |q", "201|Location: ?x=1&y", "2.01 lpath=a lquery=x=1 lquery=y"},
		{"POST path=a |q", "201|Location: /a?b=%26\1fragment", "2.01 lpath=a lquery=b=&"},
		{"POST path=a |q", "201|Location: /%C3%A9/a%20b", "2.01 lpath=\xc3\xa9 lpath=a b"},
		{"POST path=a |q", "201|Location: /a/./b/../c", "2.01 lpath=a lpath=c"},
		{"POST path=a |q", "201|Location: /a/%2e%2E/c", "2.01 lpath=c"},
		{"POST path=a |q", "201|Location: /../../c", "2.01 lpath=c"},
		{"POST path=a |q", "201|Location: /a%2fb", "2.01"},
		{"POST path=a |q", "201|Location: /a//b", "2.01"},
		{"POST path=a |q", "201|Location: /a%0d%0ab", "2.01"},
		{"POST path=a |q", "201|Location: /a%4", "2.01"},
		{"POST path=a |q", "201|Location: /a%zz", "2.01"},
		{"POST path=a |q", "201|Location: /a?%00", "2.01"},
		{"POST path=a |q", "201|Location:", "2.01 lpath=a"},
		{"POST path=a |q", "200|Location: /a/17", "2.04"},
		{"PUT path=a |q", "201|Location: /a/17", "2.01"},
		{"POST path=a |q", "201|Location: /a|Content-Type: application/json|ETag: \"01\"#x",
			"2.01 etag=01 lpath=a cf=50 |x"},
	};
	struct bed bed = bed_create();
	static const struct conf_route moved = {.prefix = "/v1", .strip = 1, .host = "api.example"};
	static const struct conf_server based = {
		.scheme = CONF_HTTPS, .authority = "b", .origin = "https://b", .base = "/base"};
	static const struct row other[] = {
		{"POST path=t path=a |q", "201|Location: /base/v1/a/17",
			"2.01 lpath=t lpath=a lpath=17"},
		{"POST path=t path=a |q", "201|Location: 17", "2.01 lpath=t lpath=17"},
		{"POST path=t path=a |q", "201|Location: https://api.example:443/base/v1/a",
			"2.01 lpath=t lpath=a"},
		{"POST path=t path=a |q", "201|Location: https://b/base/v1/a",
			"2.01 lpath=t lpath=a"},
		{"POST path=t path=a |q", "201|Location: /v1/a", "2.01"},
		{"POST path=t path=a |q", "201|Location: /base/v1x/a", "2.01"},
		{"POST path=t path=a |q", "201|Location: ../../../x", "2.01"},
	};

	CHECK(rows);
	map_etags_free(bed.etags);
	bed = bed_create();
	bed.route = &moved;
	bed.server = &based;
	check_rows(bed, other, sizeof(other) / sizeof(other[0]));
}

// RFC 7252 section 5.5.2: errors carry a diagnostic, which is UTF-8 and has no Content-Format.
Test(upstream_response, diagnostics)
{
	static const struct row rows[] = {
		{"GET", "400|Content-Type: text/plain#bad thing", "4.00 max-age=0 |bad thing"},
		{"GET", "400|Content-Type: application/problem+json#{}", "4.00 max-age=0 |{}"},
		{"GET", "400#bad thing", "4.00 max-age=0 |bad thing"},
		{"GET", "404|Content-Type: text/html#<html>", "4.04 max-age=0"},
		{"GET", "404|Content-Type: application/xhtml+xml#<html>", "4.04 max-age=0"},
		{"GET", "400|Content-Type: image/png#\x89PNG", "4.00 max-age=0"},
		{"GET", "400|Content-Encoding: gzip#abc", "4.00 max-age=0"},
		{"GET", "400|Content-Type: application/concise-problem-details+cbor#\xa0",
			"4.00 cf=257 max-age=0 |\xa0"},
		{"GET", "413|Upload-Limit: max-size=2048", "4.13 max-age=0 size1=2048"},
		{"GET", "413|Upload-Limit: min-size=1, max-size=2048", "4.13 max-age=0 size1=2048"},
		{"GET", "413|Upload-Limit: max-size=-1", "4.13 max-age=0"},
		{"GET", "413", "4.13 max-age=0"},
	};

	CHECK(rows);
}

// An answer is whole or an error; only a diagnostic is cut, and never inside a character.
Test(upstream_response, room)
{
	struct bed bed = bed_create();

	bed.room = 9;
	cr_expect_str_eq(map(&bed, "POST |q", "200#1234567"), "2.04 |1234567");
	cr_expect_str_eq(map(&bed, "POST |q", "200#12345678"), "2.04");
	cr_expect_str_eq(map(&bed, "GET", "200#12345678"), "5.00 max-age=0 |answe");
	cr_expect_eq(bed.error, HTTP_ERR_no_room);
	bed.room = 10;
	cr_expect_str_eq(map(&bed, "GET", "400#123456\xc3\xa9"), "4.00 max-age=0 |123456");
	cr_expect_str_eq(map(&bed, "GET", "400#12345\xc3\xa9"), "4.00 max-age=0 |12345");
	cr_expect_str_eq(map(&bed, "GET", "400#1234\xc3\xa9"), "4.00 max-age=0 |1234\xc3\xa9");
	cr_expect_str_eq(
		map(&bed, "GET",
			"400|Content-Type: application/concise-problem-details+cbor#123456789"),
		"4.00 max-age=0");
	for (bed.room = 1; bed.room < 40; bed.room++) {
		const char *answer = map(&bed, "POST path=abc |q",
			"201|Location: /abc/defg?hi|ETag: \"0102\"|Content-Type: "
			"text/plain#payload");
		const char *want = bed.room < 16 ? "2.01"
			: bed.room < 25          ? "2.01 etag=0102 lpath=abc lpath=defg lquery=hi"
						 : "2.01 etag=0102 lpath=abc lpath=defg cf=0"
						   " lquery=hi |payload";
		cr_expect_str_eq(answer, want, "%zu: %s", bed.room, answer);
		cr_expect_eq(bed.body_dropped, bed.room < 25);
		cr_expect(!strncmp(map(&bed, "GET", "404#not found"), "4.04", 4));
		cr_expect(!strncmp(map(&bed, "GET", "302"), "5.02", 4));
	}
	map_etags_free(bed.etags);
}

// RFC 9112 sections 5 and 6.3: no answer may be understood in two ways.
Test(upstream_response, hostile_heads)
{
	static const struct {
		const char *http;
		enum http_error error;
	} rows[] = {
		{"200|Content-Length: 5|Content-Length: 5", HTTP_ERR_none},
		{"200|Content-Length: 5|Content-Length: 6", HTTP_ERR_bad_reply},
		{"200|Content-Length: 5, 5", HTTP_ERR_bad_reply},
		{"200|Content-Length: +5", HTTP_ERR_bad_reply},
		{"200|Content-Length:", HTTP_ERR_bad_reply},
		{"200|Transfer-Encoding: chunked", HTTP_ERR_none},
		{"200|Transfer-Encoding: Chunked", HTTP_ERR_none},
		{"200|Transfer-Encoding: gzip, chunked", HTTP_ERR_bad_reply},
		{"200|Transfer-Encoding: chunked|Transfer-Encoding: chunked", HTTP_ERR_bad_reply},
		{"200|Content-Length: 5|Transfer-Encoding: chunked", HTTP_ERR_bad_reply},
		{"200|Transfer-Encoding: chunked|Content-Length: 5", HTTP_ERR_bad_reply},
		{"200|no colon", HTTP_ERR_bad_reply},
		{"200|: no name", HTTP_ERR_bad_reply},
		{"200|Name : space", HTTP_ERR_bad_reply},
		{"200| folded: line", HTTP_ERR_bad_reply},
		{"200|Name: a\rb", HTTP_ERR_bad_reply},
		{"200|Name: a\nb", HTTP_ERR_bad_reply},
		{"200|Name: a\x7f", HTTP_ERR_bad_reply},
		{"200|Name: a\tb", HTTP_ERR_none},
	};
	struct bed bed = bed_create();
	struct http_reply reply;
	char line[1024];

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		map(&bed, "GET", rows[i].http);
		cr_expect_eq(bed.error, rows[i].error, "%s: %s", rows[i].http,
			http_error_name(bed.error));
	}
	map_etags_free(bed.etags);
	http_reply_init(&reply);
	cr_expect_eq(http_reply_header(&reply, "a: b\0c", 6), HTTP_ERR_bad_reply);

	// Heads end at HTTP_REPLY_HEAD, also over several 1xx answers.
	memset(line, 'a', sizeof(line));
	line[1] = ':';
	http_reply_init(&reply);
	for (unsigned i = 0; i < HTTP_REPLY_HEAD / sizeof(line); i++) {
		http_reply_status(&reply, 100);
		cr_assert_eq(http_reply_header(&reply, line, sizeof(line)), HTTP_ERR_none);
	}
	cr_expect_eq(http_reply_header(&reply, line, 2), HTTP_ERR_head_too_large);
	// Values that are kept end at HTTP_REPLY_VALUES.
	memcpy(line, "ETag:", 5);
	http_reply_init(&reply);
	cr_expect_eq(http_reply_header(&reply, line, sizeof(line)), HTTP_ERR_none);
	memcpy(line, "Cache-Control:", 14);
	cr_expect_eq(http_reply_header(&reply, line, sizeof(line)), HTTP_ERR_none);
	cr_expect_eq(
		http_reply_header(&reply, line, sizeof(line)), HTTP_ERR_none); // both lines, joined
	cr_expect_eq(http_reply_header(&reply, line, sizeof(line)), HTTP_ERR_head_too_large);
}

// Errors of the gateway's own, in any room.
Test(upstream_response, error_answers)
{
	uint8_t out[64];

	for (int error = 1; error < HTTP_ERROR_COUNT; error++) {
		for (size_t room = 1; room <= sizeof(out); room++) {
			uint16_t len = map_error_write(error, 7, out, room);

			cr_assert(len >= 1 && len <= room);
			cr_assert_eq(out[0], map_error_codes[error].code);
			cr_assert_geq(COAP_CODE_CLASS(out[0]), 4, "%s", http_error_name(error));
			cr_assert_str_neq(text_answer(out, len), "malformed");
		}
	}
	uint16_t len = map_error_write(HTTP_ERR_timeout, 0, out, sizeof(out));
	cr_expect_str_eq(text_answer(out, len), "5.04 max-age=0 |backend too slow");
	len = map_error_write(HTTP_ERR_queue_full, 60, out, sizeof(out));
	cr_expect_str_eq(text_answer(out, len), "5.03 |busy");
}
