// SPDX-License-Identifier: BSD-3-Clause

#include "tests/model/h1_pool_answer.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define POOL_EDGE 51000 // bytes of a body whose answer is as long as a read

static uint32_t mixed(uint32_t id, uint32_t salt)
{
	uint64_t z = ((uint64_t)salt << 32 | id) * UINT64_C(0x9e3779b97f4a7c15);

	z = (z ^ (z >> 29)) * UINT64_C(0xbf58476d1ce4e5b9);
	return (uint32_t)(z >> 32);
}

uint8_t pool_body_byte(uint32_t id, size_t at)
{
	return (uint8_t)(id * 13 + at * 3 + at / 251);
}

int pool_status(uint32_t id)
{
	static const int statuses[] = {200, 201, 204, 304, 400, 404, 413, 500, 503, 200, 202, 299};

	return statuses[mixed(id, 1) % 12];
}

size_t pool_content_len(uint32_t id)
{
	static const size_t edges[] = {
		0, POOL_KEEP, 16384, 65536, POOL_EDGE, POOL_EDGE, 200000, 66561};
	int status = pool_status(id);

	if (status == 204 || status == 304)
		return 0;
	return mixed(id, 2) % 8 ? mixed(id, 3) % 300 : edges[mixed(id, 3) % 8];
}

uint8_t pool_content_byte(uint32_t id, size_t at)
{
	return (uint8_t)(id >> (at % 4 * 8)) ^ (uint8_t)(at / 4);
}

static void put(struct pool_answer *a, const void *bytes, size_t len)
{
	if (a->len + len > a->room) {
		a->room = 2 * (a->len + len);
		a->bytes = realloc(a->bytes, a->room);
		cr_assert_not_null(a->bytes);
	}
	memcpy(a->bytes + a->len, bytes, len);
	a->len += len;
}

__attribute__((format(printf, 2, 3))) static void say(
	struct pool_answer *a, const char *format, ...)
{
	char text[512];
	va_list args;

	va_start(args, format);
	put(a, text, (size_t)vsnprintf(text, sizeof(text), format, args));
	va_end(args);
}

static void put_content(struct pool_answer *a, uint32_t id, size_t from, size_t len)
{
	for (size_t at = from; at < from + len; at++) {
		uint8_t byte = pool_content_byte(id, at);

		put(a, &byte, 1);
	}
}

static void put_rubbish(struct pool_answer *a)
{
	for (unsigned i = 1 + pool_below(200); i--;) {
		uint8_t byte = (uint8_t)pool_random();

		put(a, &byte, 1);
	}
}

// 1xx, whose fields are nobody's.
static void put_interim(struct pool_answer *a)
{
	static const char *const lines[] = {
		"HTTP/1.1 100 Continue\r\n\r\n",
		"HTTP/1.1 102 Processing\r\nETag: \"interim\"\r\nConnection: close\r\n\r\n",
		"HTTP/1.1 103 Early Hints\r\nContent-Length: 5\r\nKeep-Alive: timeout=1\r\n\r\n",
	};

	say(a, "%s", lines[pool_below(3)]);
}

static void put_chunks(struct pool_answer *a, uint32_t id, bool bad)
{
	size_t len = pool_content_len(id), at = 0;
	bool trailer = pool_one_in(4);

	while (at < len) {
		size_t n = 1 + pool_below(pool_one_in(2) ? 16 : (uint32_t)len);

		n = n < len - at ? n : len - at;
		if (bad && pool_one_in(3)) {
			static const char *const sizes[] = {
				"8000000000000000", "10000000000000001", "-1", "x", "", "1 1"};
			say(a, "%s\r\n", sizes[pool_below(6)]);
			return;
		}
		say(a, "%zx%s\r\n", n, pool_one_in(4) ? " ;a=b" : "");
		put_content(a, id, at, n);
		say(a, "\r\n");
		at += n;
	}
	say(a, bad ? "z\r\n\r\n" : "0\r\n%s\r\n", trailer ? "X-Trailer: yes\r\n" : "");
}

static void say_persistence(struct pool_answer *a)
{
	if (a->style == POOL_OLD_KEPT)
		say(a, "Connection: keep-alive\r\n");
	if (a->style == POOL_CLOSE)
		say(a,
			pool_one_in(2) ? "Connection: x-a\r\nconnection: keep-alive, CLOSE\r\n"
				       : "Connection: close\r\n");
	if (pool_one_in(6)) {
		unsigned seconds = pool_below(8);

		say(a, "Keep-Alive: timeout=%u, max=100\r\n", seconds);
		a->keep_ms = seconds > 1 ? (seconds - 1) * 1000 : 0;
	}
}

static void put_head(struct pool_answer *a, uint32_t id, bool chunked)
{
	static const char *const wrong[] = {"Content-Length: 1\r\nContent-Length: 1\r\n",
		"Content-Length: 18446744073709551615\r\n", "Content-Length: 5, 5\r\n",
		"Content-Length: +1\r\n", "Transfer-Encoding: chunked\r\nContent-Length: 1\r\n",
		"Transfer-Encoding: gzip, chunked\r\n", "X: a\rb\r\n", " folded: yes\r\n",
		"no colon\r\n"};
	size_t start = a->len, len = pool_content_len(id);
	int status = pool_status(id);

	say(a, "HTTP/1.%d %d Whatever\r\nETag: \"%08x\"\r\n",
		a->style != POOL_OLD && a->style != POOL_OLD_KEPT, status, id);
	say_persistence(a);
	if (chunked)
		say(a, "Transfer-Encoding: chunked\r\n");
	else if (!a->to_end)
		say(a, "Content-Length: %zu\r\n", len);
	if (a->style == POOL_BAD_HEAD)
		say(a, "%s", wrong[pool_below(9)]);
	size_t end = a->len - start + len + 2;
	if (!chunked && len == POOL_EDGE) { // so that it ends where a read ends
		say(a, "X: ");
		for (size_t at = end + 5; at < 65536; at++)
			put(a, "0", 1);
		say(a, "\r\n");
	}
	say(a, "\r\n");
	a->head_end = a->len;
}

static void put_answer(struct pool_answer *a, uint32_t id)
{
	int status = pool_status(id);
	bool none = status == 204 || status == 304;
	bool chunked = a->style == POOL_CHUNKED || a->style == POOL_BAD_CHUNK ||
		(a->style >= POOL_CLOSE && a->style != POOL_TOO_LARGE && pool_one_in(2));

	a->to_end = a->style == POOL_TO_END && !none;
	a->closes |= a->to_end;
	put_head(a, id, chunked);
	if (none)
		a->end = a->len;
	else if (chunked)
		put_chunks(a, id, a->style == POOL_BAD_CHUNK);
	else
		put_content(a, id, 0, pool_content_len(id));
	a->end = a->len;
}

static void put_again(struct pool_answer *a)
{
	for (size_t at = 0; at < a->end; at++) {
		uint8_t byte = a->bytes[at];

		put(a, &byte, 1);
	}
}

static void put_too_large(struct pool_answer *a, uint32_t id)
{
	size_t len = POOL_BODY_MAX + 1 + pool_below(1000);

	if (pool_one_in(2)) {
		say(a, "HTTP/1.1 200 OK\r\nContent-Length: %" PRIu64 "\r\n\r\n",
			pool_one_in(2) ? UINT64_MAX : len);
		return;
	}
	say(a, "HTTP/1.1 200 OK\r\nETag: \"%08x\"\r\nTransfer-Encoding: chunked\r\n\r\n", id);
	say(a, "%zx\r\n", len);
	put_content(a, id, 0, 5000);
}

static void start(struct pool_answer *a, enum pool_style style)
{
	*a = (struct pool_answer){.style = style,
		.bytes = a->bytes,
		.room = a->room,
		.keep_ms = POOL_KEEP_MS,
		.end = SIZE_MAX};
}

void pool_answer_make(struct pool_answer *a, uint32_t id, enum pool_style style)
{
	start(a, style);
	a->closes = style == POOL_OLD ||
		(style >= POOL_CLOSE && style != POOL_SURPLUS && style != POOL_TWICE);
	while (pool_one_in(8))
		put_interim(a);
	switch (style) {
	case POOL_RUBBISH:
		say(a, "%c", "hG\r\n 0"[pool_below(6)]);
		put_rubbish(a);
		return;
	case POOL_CONTINUES:
		while (a->len < 40000)
			put_interim(a);
		return;
	case POOL_TOO_LARGE:
		put_too_large(a, id);
		return;
	default:
		put_answer(a, id);
	}
	if (style == POOL_BAD_CHUNK)
		a->closes = a->len > a->head_end;
	if (style == POOL_BAD_HEAD || (style == POOL_BAD_CHUNK && a->closes))
		a->end = SIZE_MAX;
	else if (style == POOL_CUT) {
		a->len = pool_below((uint32_t)a->len);
		a->end = SIZE_MAX;
	} else if (style == POOL_TWICE) {
		put_again(a);
	} else if (style == POOL_SURPLUS) {
		struct pool_answer more = {0};

		pool_answer_make_surplus(&more);
		put(a, more.bytes, more.len);
		free(more.bytes);
	}
}

void pool_answer_make_surplus(struct pool_answer *a)
{
	start(a, POOL_SURPLUS);
	a->end = 0;
	a->closes = true;
	if (pool_one_in(3))
		put_rubbish(a);
	else
		say(a, "HTTP/1.1 299 Of nobody\r\nETag: \"nobody\"\r\nContent-Length: %u\r\n\r\n",
			pool_below(2) * 5);
	if (a->bytes[a->len - 1] == '\n')
		say(a, "nobod");
	if (pool_one_in(3))
		a->len = 1 + pool_below((uint32_t)a->len);
}
