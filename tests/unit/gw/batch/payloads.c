// SPDX-License-Identifier: BSD-3-Clause

#include "tests/unit/gw/batch/payloads.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

// splitmix64
uint64_t payload_random(struct payloads *p)
{
	uint64_t z = p->state += 0x9e3779b97f4a7c15;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
	z = (z ^ z >> 27) * 0x94d049bb133111eb;
	return z ^ z >> 31;
}

static unsigned below(struct payloads *p, unsigned n)
{
	return (unsigned)(payload_random(p) % n);
}

struct out {
	uint8_t *at, *end;
};

static void put(struct out *out, const char *text)
{
	size_t len = strlen(text);

	if (len > (size_t)(out->end - out->at))
		len = (size_t)(out->end - out->at);
	memcpy(out->at, text, len);
	out->at += len;
}

#define PICK(p, list) (list)[below((p), sizeof(list) / sizeof((list)[0]))]

// What readers of JSON, of lines and of HTTP stumble over.
static const char *const pieces[] = {"\n", "\r\n", "\r", "\"", "\\", "}", "]", ",", "]}", "\"}]",
	"},\n{", "\"data\":", "\\n", "\\u000a", "\\u0000", "\\ud800", "\\ud83d\\ude00", "\\uffff",
	"\xc3\xa9", "\xf0\x9f\x98\x80", "\xed\xa0\x80", "\xc0\x80", "\xff", "\xe2\x80\xa8",
	"\xef\xbf\xbf", "\xef\xbb\xbf", "\x7f", "\x01", "\t", " ", "{\"create\":{}}\n", "null",
	"NaN", "-Infinity", "1e999", "-0", "00", "1.", ".5", "[", "{", "a", "b=c d", "/*", "//",
	"<!--"};

static const char *const numbers[] = {"0", "-0", "1", "23.1", "-1e-7", "9007199254740993", "1e400",
	"123456789012345678901234567890", "1E+3", "01", "0x1", "1.7e308", "3.", "-", "1e-400"};

static void json_string(struct payloads *p, struct out *out)
{
	put(out, "\"");
	for (unsigned n = below(p, 4); n; n--)
		put(out, below(p, 3) ? "v" : PICK(p, pieces));
	put(out, "\"");
}

static void json_value(struct payloads *p, struct out *out, unsigned depth)
{
	static const char *const words[] = {"true", "false", "null", "NaN", "nil"};
	static const char *const blanks[] = {"", "", "", " ", "\n", "\r\n\t"};
	unsigned kind = below(p, depth ? 6 : 4);

	put(out, PICK(p, blanks));
	if (kind == 0)
		put(out, PICK(p, numbers));
	else if (kind == 1)
		put(out, words[below(p, 10) ? below(p, 3) : below(p, 5)]);
	else if (kind < 4)
		json_string(p, out);
	for (unsigned n = kind < 4 ? 0 : below(p, 5), i = 0; kind >= 4 && i <= n; i++) {
		put(out, i ? (i == n ? (kind == 4 ? "}" : "]") : ",") : (kind == 4 ? "{" : "["));
		if (i == n && n)
			break;
		if (!n) {
			put(out, kind == 4 ? "}" : "]");
			break;
		}
		if (kind == 4) {
			if (below(p, 4)) {
				char name[8];

				snprintf(name, sizeof(name), "\"%c\"", 'a' + (int)below(p, 12));
				put(out, name);
			} else {
				json_string(p, out);
			}
			put(out, ":");
		}
		json_value(p, out, depth - 1);
	}
	put(out, PICK(p, blanks));
}

static void senml(struct payloads *p, struct out *out)
{
	static const char *const names[] = {
		"bn", "n", "u", "v", "vs", "vb", "t", "bt", "s", "x_", "bv"};

	put(out, "[{\"n\":\"t1\",\"v\":");
	put(out, PICK(p, numbers));
	for (unsigned n = below(p, 4); n; n--) {
		put(out, below(p, 4) ? ",\"" : "},{\"n\":\"t2\",\"");
		put(out, PICK(p, names));
		put(out, "\":");
		json_value(p, out, 1);
	}
	put(out, "}]");
}

size_t payload_senml(struct payloads *p, uint8_t buf[PAYLOAD_MAX])
{
	struct out out = {buf, buf + PAYLOAD_MAX};

	senml(p, &out);
	if (!below(p, 4))
		buf[below(p, (unsigned)(out.at - buf))] = (uint8_t)*PICK(p, pieces);
	return (size_t)(out.at - buf);
}

size_t payload_make(struct payloads *p, uint8_t buf[PAYLOAD_MAX])
{
	struct out out = {buf, buf + 1 + below(p, PAYLOAD_MAX)};
	unsigned kind = below(p, 8);

	if (kind < 4)
		json_value(p, &out, below(p, 20) ? 4 : 20);
	else if (kind == 4)
		senml(p, &out);
	else if (kind == 5)
		for (unsigned n = below(p, 20); n; n--)
			put(&out, PICK(p, pieces));
	else
		while (out.at < out.end)
			*out.at++ = (uint8_t)payload_random(p);
	size_t len = (size_t)(out.at - buf);
	for (unsigned n = below(p, 3) || !len ? 0 : 1 + below(p, 3); n; n--)
		buf[below(p, (unsigned)len)] =
			below(p, 2) ? (uint8_t)payload_random(p) : (uint8_t)*PICK(p, pieces);
	return len;
}
