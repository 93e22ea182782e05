// SPDX-License-Identifier: BSD-3-Clause
// CoAP request to HTTP request: the tables of docs/http.md, row by row.

#include "gw/map/error_codes.h"
#include "gw/map/media.h"
#include "gw/map/request.h"
#include "tests/unit/gw/map/text.h"

#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

static const struct conf_route plain_route = {.prefix = "", .fetch = CONF_FETCH_POST};
static const uint8_t etag_key[MAP_ETAG_KEY_LEN] = {1};

static uint8_t body[TEXT_BODY_MAX];
static struct http_request req;

static enum http_error build(
	const struct conf_route *route, struct map_etags *etags, const char *line)
{
	struct map_request msg;
	uint8_t code;
	size_t len = text_request(line, &code, body);
	enum http_error error = map_request_parse(&msg, route, code, body, len);

	return error ? error : map_request_build(&req, &msg, etags);
}

// "METHOD path?query|Header: value|...#body", without Accept-Encoding: identity.
static const char *render(void)
{
	static char out[TEXT_BODY_MAX];
	int at = sprintf(out, "%s %s%s", req.method, req.path, req.query);

	for (unsigned i = 0; i < req.header_count; i++) {
		cr_assert_eq(strlen(req.header[i].line), req.header[i].len);
		cr_assert_eq(req.header[i].line[req.header[i].name_len], ':');
		if (strcmp(req.header[i].line, "Accept-Encoding: identity"))
			at += sprintf(out + at, "|%s", req.header[i].line);
	}
	if (req.has_body)
		sprintf(out + at, "#%.*s", (int)req.body_len, (const char *)req.body);
	return out;
}

struct row {
	const char *coap, *http;
};

static void check_rows(const struct conf_route *route, const struct row *rows, size_t count)
{
	struct map_etags *etags = map_etags_create(etag_key);

	for (size_t i = 0; i < count; i++) {
		enum http_error error = build(route, etags, rows[i].coap);

		cr_expect_eq(error, HTTP_ERR_none, "%s: %s", rows[i].coap, http_error_name(error));
		if (!error)
			cr_expect_str_eq(render(), rows[i].http, "%s:\n%s\nnot\n%s", rows[i].coap,
				render(), rows[i].http);
	}
	map_etags_free(etags);
}

#define CHECK(route, rows) check_rows(route, rows, sizeof(rows) / sizeof(rows[0]))

Test(map_request, methods)
{
	static const struct row rows[] = {
		{"GET path=a", "GET /a"},
		{"GET path=a |payload of a GET has no meaning", "GET /a"},
		{"POST path=a |x", "POST /a#x"},
		{"POST path=a", "POST /a#"},
		{"PUT path=a |x", "PUT /a#x"},
		{"DELETE path=a |x", "DELETE /a"},
		{"FETCH path=a |x", "POST /a#x"},
		{"PATCH path=a |x", "PATCH /a#x"},
		{"iPATCH path=a |x", "PATCH /a#x"},
	};
	static const struct conf_route query = {.prefix = "", .fetch = CONF_FETCH_QUERY};
	static const struct row as_query[] = {
		{"FETCH path=a |x", "QUERY /a#x"},
		{"FETCH path=a etag=01 |x", "QUERY /a|If-None-Match: \"01\"#x"},
	};

	CHECK(&plain_route, rows);
	CHECK(&query, as_query);
}

// RFC 9110 section 9.2.2: what may be sent again on another connection.
Test(map_request, idempotent_methods)
{
	static const struct conf_route query = {.prefix = "", .fetch = CONF_FETCH_QUERY};
	struct map_etags *etags = map_etags_create(etag_key);
	static const struct {
		const char *line;
		bool idempotent;
	} rows[] = {{"GET", true}, {"PUT", true}, {"DELETE", true}, {"POST", false},
		{"FETCH", false}, {"PATCH", false}, {"iPATCH", false}};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		cr_assert_eq(build(&plain_route, etags, rows[i].line), HTTP_ERR_none);
		cr_expect_eq(req.idempotent, rows[i].idempotent, "%s", rows[i].line);
	}
	cr_assert_eq(build(&query, etags, "FETCH"), HTTP_ERR_none);
	cr_expect(req.idempotent);
	map_etags_free(etags);
}

// RFC 7252 section 6.5.
Test(map_request, paths_and_queries)
{
	static const struct row rows[] = {
		{"GET", "GET "},
		{"GET path=", "GET /"},
		{"GET path=a path=b", "GET /a/b"},
		{"GET path=a path=", "GET /a/"},
		{"GET path=a?b#c%d", "GET /a%3Fb%23c%25d"},
		{"GET path=!$&'()*+,;=:@-._~", "GET /!$&'()*+,;=:@-._~"},
		{"GET path=%2e%2e", "GET /%252e%252e"},
		{"GET path=...", "GET /..."},
		{"GET path=a;..", "GET /a;.."},
		{"GET path=\xc3\xa9", "GET /%C3%A9"},
		{"GET pathx=205b5d22", "GET /%20%5B%5D%22"},
		{"GET path=a query=b=1 query=c", "GET /a?b=1&c"},
		{"GET query=", "GET ?"},
		{"GET query=a query=", "GET ?a&"},
		{"GET query=a+b", "GET ?a%2Bb"},
		{"GET query=a&b", "GET ?a%26b"},
		{"GET query=a/b?c:d@e", "GET ?a/b?c:d@e"},
		{"GET query=a#b%20", "GET ?a%23b%2520"},
		{"GET query=../..", "GET ?../.."},
		{"GET query=\xc3\xa9", "GET ?%C3%A9"},
	};

	CHECK(&plain_route, rows);
}

Test(map_request, strip_and_prefix)
{
	static const struct conf_route strip = {.prefix = "", .strip = 1};
	static const struct conf_route both = {.prefix = "/v1/x", .strip = 2};
	static const struct row stripped[] = {
		{"GET path=t path=a", "GET /a"},
		{"GET path=t", "GET "},
		{"GET path=t path=", "GET /"},
	};
	static const struct row moved[] = {
		{"GET path=t path=u path=a query=b", "GET /v1/x/a?b"},
		{"GET path=t path=u", "GET /v1/x"},
		{"GET path=t path=u path=", "GET /v1/x/"},
	};

	CHECK(&strip, stripped);
	CHECK(&both, moved);
}

// RFC 7252 section 5.10, RFC 8075 section 6.
Test(map_request, headers)
{
	static const struct row rows[] = {
		{"POST cf=0 |x", "POST |Content-Type: text/plain; charset=utf-8#x"},
		{"POST cf=40 |x", "POST |Content-Type: application/link-format#x"},
		{"POST cf=42 |x", "POST |Content-Type: application/octet-stream#x"},
		{"POST cf=50 |x", "POST |Content-Type: application/json#x"},
		{"POST cf=60 |x", "POST |Content-Type: application/cbor#x"},
		{"POST cf=112 |x", "POST |Content-Type: application/senml+cbor#x"},
		{"POST cf=16 |x",
			"POST |Content-Type: application/cose; cose-type=cose-encrypt0#x"},
		{"POST cf=11542 |x", "POST |Content-Type: application/vnd.oma.lwm2m+tlv#x"},
		{"POST cf=11050 |x",
			"POST |Content-Type: application/json|Content-Encoding: deflate#x"},
		{"POST cf=11060 |x",
			"POST |Content-Type: application/cbor|Content-Encoding: deflate#x"},
		{"POST cf=4711 |x", "POST |Content-Type: application/coap-payload;cf=4711#x"},
		{"POST cf=65535", "POST |Content-Type: application/coap-payload;cf=65535#"},
		{"GET cf=50", "GET "},
		{"GET accept=50", "GET |Accept: application/json"},
		{"GET accept=0", "GET |Accept: text/plain; charset=utf-8"},
		{"GET accept=11050", "GET |Accept: application/json|Accept-Encoding: deflate"},
		{"POST accept=60 |x", "POST |Accept: application/cbor#x"},
		{"GET etag=2b", "GET |If-None-Match: \"2b\""},
		{"GET etag=01 etag=0123456789abcdef",
			"GET |If-None-Match: \"01\", \"0123456789abcdef\""},
		{"POST etag=01 |x", "POST #x"},
		{"FETCH etag=01 |x", "POST #x"},
		{"PUT if-none-match= |x", "PUT |If-None-Match: *#x"},
		{"GET if-none-match= etag=01", "GET |If-None-Match: *"},
		{"PUT if-match=c0ffee |x", "PUT |If-Match: \"c0ffee\"#x"},
		{"PUT if-match=01 if-match=02 |x", "PUT |If-Match: \"01\", \"02\"#x"},
		{"PUT if-match= |x", "PUT |If-Match: *#x"},
		{"PUT if-match=01 if-match= |x", "PUT |If-Match: *#x"},
	};

	CHECK(&plain_route, rows);
}

// Options that end here, and elective ones that are unknown or of a wrong length.
Test(map_request, consumed_options)
{
	static const struct row rows[] = {
		{"GET host=evil.example port=80", "GET "},
		{"GET observe=0 path=a", "GET /a"},
		{"GET echo=0102 292=01 258=02 28= 60= 16=10", "GET "}, // 60: Size1
		{"GET 23=06", "GET "},
		{"GET 9=00", "GET "},
		{"GET 65000=00", "GET "},
		{"GET etag=010203040506070809", "GET "},
		{"POST 12=010203 |x", "POST #x"},
		{"POST cf=50 cf=60 |x", "POST |Content-Type: application/json#x"},
		{"GET max-age=1 lpath=a lquery=b", "GET "},
	};

	CHECK(&plain_route, rows);
}

Test(map_request, refusals)
{
	static const struct conf_route strip = {.prefix = "", .strip = 2};
	static const struct {
		const char *coap;
		enum http_error error;
		uint8_t code;
	} rows[] = {
		{"GET path=.", HTTP_ERR_bad_path, COAP_BAD_REQUEST},
		{"GET path=..", HTTP_ERR_bad_path, COAP_BAD_REQUEST},
		{"GET path=..;x", HTTP_ERR_bad_path, COAP_BAD_REQUEST},
		{"GET path=.;", HTTP_ERR_bad_path, COAP_BAD_REQUEST},
		{"GET path=a path=.. path=b", HTTP_ERR_bad_path, COAP_BAD_REQUEST},
		{"GET path=b/../admin", HTTP_ERR_bad_path, COAP_BAD_REQUEST},
		{"GET path=a\\b", HTTP_ERR_bad_path, COAP_BAD_REQUEST},
		{"GET path= path=a", HTTP_ERR_bad_path, COAP_BAD_REQUEST},
		{"GET path=a path= path=b", HTTP_ERR_bad_path, COAP_BAD_REQUEST},
		{"GET pathx=00", HTTP_ERR_bad_path, COAP_BAD_REQUEST},
		{"GET pathx=610d0a62", HTTP_ERR_bad_path, COAP_BAD_REQUEST},
		{"GET pathx=7f", HTTP_ERR_bad_path, COAP_BAD_REQUEST},
		{"GET pathx=c285", HTTP_ERR_bad_path, COAP_BAD_REQUEST},
		{"GET pathx=c0af", HTTP_ERR_bad_path, COAP_BAD_REQUEST},
		{"GET pathx=eda080", HTTP_ERR_bad_path, COAP_BAD_REQUEST},
		{"GET pathx=f4908080", HTTP_ERR_bad_path, COAP_BAD_REQUEST},
		{"GET pathx=e282", HTTP_ERR_bad_path, COAP_BAD_REQUEST},
		{"GET queryx=00", HTTP_ERR_bad_query, COAP_BAD_REQUEST},
		{"GET queryx=0d0a", HTTP_ERR_bad_query, COAP_BAD_REQUEST},
		{"GET queryx=ff", HTTP_ERR_bad_query, COAP_BAD_REQUEST},
		{"GET accept=4711", HTTP_ERR_bad_accept, COAP_NOT_ACCEPTABLE},
		{"GET accept=10001", HTTP_ERR_bad_accept, COAP_NOT_ACCEPTABLE},
		{"POST cf=10001 |x", HTTP_ERR_bad_format, COAP_UNSUPPORTED_CONTENT_FORMAT},
		{"GET proxy-uri=http://a/", HTTP_ERR_proxying, COAP_PROXYING_NOT_SUPPORTED},
		{"GET proxy-scheme=http", HTTP_ERR_proxying, COAP_PROXYING_NOT_SUPPORTED},
		{"GET 65001=00", HTTP_ERR_bad_option, COAP_BAD_OPTION}, // unknown, critical
		{"GET 65002=00", HTTP_ERR_bad_option,
			COAP_BAD_OPTION}, // unknown, unsafe to forward
		{"GET accept=50 accept=60", HTTP_ERR_bad_option, COAP_BAD_OPTION},
		{"PUT if-none-match=01", HTTP_ERR_bad_option, COAP_BAD_OPTION},
		{"PUT if-match=010203040506070809", HTTP_ERR_bad_option, COAP_BAD_OPTION},
		{"17 path=a", HTTP_ERR_bad_method, COAP_METHOD_NOT_ALLOWED},
		{"0 path=a", HTTP_ERR_bad_method, COAP_METHOD_NOT_ALLOWED},
	};
	struct map_etags *etags = map_etags_create(etag_key);

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		enum http_error error = build(&plain_route, etags, rows[i].coap);

		cr_expect_eq(error, rows[i].error, "%s: %s, not %s", rows[i].coap,
			http_error_name(error), http_error_name(rows[i].error));
		cr_expect_eq(map_error_codes[error].code, rows[i].code, "%s", rows[i].coap);
	}
	cr_expect_eq(build(&strip, etags, "GET path=a"), HTTP_ERR_no_route);
	map_etags_free(etags);
}

// Limits are errors, never cut text.
Test(map_request, too_long)
{
	struct map_etags *etags = map_etags_create(etag_key);
	static char line[TEXT_BODY_MAX];
	int at = sprintf(line, "GET");

	for (unsigned i = 0; i < 12; i++) { // 12 segments of 250 bytes that take 3 each
		at += sprintf(line + at, " path=");
		memset(line + at, '%', 250);
		at += 250;
	}
	line[at] = 0;
	cr_expect_eq(build(&plain_route, etags, line), HTTP_ERR_too_long);
	*strrchr(line, ' ') = 0;
	cr_expect_eq(build(&plain_route, etags, line), HTTP_ERR_too_long);
	*strrchr(line, ' ') = 0;
	cr_expect_eq(build(&plain_route, etags, line), HTTP_ERR_none);
	map_etags_free(etags);
}

// Every prefix of an encoded request is mapped or refused, and never read past its end.
Test(map_request, truncation)
{
	struct map_etags *etags = map_etags_create(etag_key);
	uint8_t code;
	size_t len = text_request(
		"POST path=abc path=def query=x if-match=0102 etag=03 cf=11050 accept=50 |payload",
		&code, body);

	for (size_t cut = 0; cut <= len; cut++) {
		uint8_t *exact = malloc(cut ? cut : 1);
		struct map_request msg;

		memcpy(exact, body, cut);
		if (map_request_parse(&msg, &plain_route, code, exact, cut) == HTTP_ERR_none)
			cr_expect_eq(map_request_build(&req, &msg, etags), HTTP_ERR_none);
		free(exact);
	}
	map_etags_free(etags);
}

Test(map_request, identity)
{
	struct map_etags *etags = map_etags_create(etag_key);
	struct dp_request device = {.fingerprint = 0x0123456789abcdef,
		.piv = 0xffffffffff,
		.family = 6,
		.remote_port = 5683};
	uint8_t random[MAP_IDENTITY_RANDOM];

	for (unsigned i = 0; i < sizeof(random); i++)
		random[i] = (uint8_t)i;
	inet_pton(AF_INET6, "2001:db8::2", device.remote_addr);
	cr_assert_eq(build(&plain_route, etags, "GET path=a"), HTTP_ERR_none);
	cr_assert_eq(map_request_identify(&req, &device, "sensor-17", random), HTTP_ERR_none);
	cr_expect_str_eq(render(),
		"GET /a|Device-Id: sensor-17|Oscore-Context: 0123456789abcdef"
		"|Forwarded: for=\"[2001:db8::2]:5683\";proto=coap"
		"|traceparent: 00-000102030405060708090a0b0c0d0e0f-1011121314151617-01"
		"|Idempotency-Key: \"0123456789abcdef-1099511627775\"");

	device.family = 4;
	device.piv = 0;
	device.echo_age = 1 + 7;
	inet_pton(AF_INET, "192.0.2.1", device.remote_addr);
	cr_assert_eq(build(&plain_route, etags, "GET"), HTTP_ERR_none);
	// A name is the operator's, but it can't break out of its header either.
	cr_assert_eq(
		map_request_identify(&req, &device, "a b\r\nX: y%\xc3\xa9", random), HTTP_ERR_none);
	cr_expect_str_eq(render(),
		"GET |Device-Id: a%20b%0D%0AX:%20y%25%C3%A9|Oscore-Context: 0123456789abcdef"
		"|Forwarded: for=\"192.0.2.1:5683\";proto=coap"
		"|Device-Echo-Age: 7"
		"|traceparent: 00-000102030405060708090a0b0c0d0e0f-1011121314151617-01"
		"|Idempotency-Key: \"0123456789abcdef-0\"");
	map_etags_free(etags);
}

// No byte sequence in any option gets a control character into a URL or a header.
Test(map_request, hostile_bytes)
{
	static const char *const options[] = {
		"pathx", "queryx", "etag", "if-match", "3", "39", "65000"};
	struct map_etags *etags = map_etags_create(etag_key);
	char line[64];

	for (unsigned o = 0; o < sizeof(options) / sizeof(options[0]); o++) {
		for (unsigned byte = 0; byte < 256; byte++) {
			sprintf(line, "GET %s=61%02x62", options[o], byte);
			if (build(&plain_route, etags, line))
				continue;
			for (const char *c = render(); *c; c++)
				cr_assert((unsigned char)*c >= 0x20 && (unsigned char)*c < 0x7f,
					"%s", line);
		}
	}
	map_etags_free(etags);
}
