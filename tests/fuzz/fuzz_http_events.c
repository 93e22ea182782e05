// SPDX-License-Identifier: BSD-3-Clause
// Event streams against a second reader, which has the whole stream before it and follows the HTML
// standard's words: the same events, id and retry however the stream is cut.
//
// The input is: a byte that seeds the cuts, a byte for the largest event, then the stream.

#include "gw/http/events.h"
#include "tests/fuzz/fuzz.h"

#include <stdbool.h>
#include <string.h>

#define LEN_MAX 4096

// What was told: name, NUL, data, length of the data.
struct told {
	uint8_t text[8 * LEN_MAX];
	size_t len;
	char id[HTTP_EVENT_ID_MAX + 1];
	uint64_t left_out;
	uint64_t retry_ms;
	bool retry_said;
};

static void put(struct told *told, const void *bytes, size_t len)
{
	FUZZ_CHECK(told->len + len <= sizeof(told->text));
	memcpy(told->text + told->len, bytes, len);
	told->len += len;
}

static void told_put(struct told *told, const char *name, const uint8_t *data, size_t len)
{
	put(told, name, strlen(name) + 1);
	put(told, data, len);
	put(told, &len, sizeof(len));
}

static void tell(void *arg, const struct http_event *event)
{
	told_put(arg, event->name, event->data, event->len);
}

// ---- the second reader

struct reader {
	uint8_t data[2 * LEN_MAX];
	size_t len;
	char name[LEN_MAX + 1], id[LEN_MAX + 1];
	bool named;
	size_t data_max;
	struct told *told;
};

static bool is(const uint8_t *field, size_t len, const char *name)
{
	return strlen(name) == len && !memcmp(field, name, len);
}

static void keep(char *to, const uint8_t *value, size_t len)
{
	memcpy(to, value, len);
	to[len] = 0;
}

static void field(
	struct reader *r, const uint8_t *name, size_t name_len, const uint8_t *value, size_t len)
{
	bool digits = len > 0;
	uint64_t number = 0;

	if (is(name, name_len, "event")) {
		keep(r->name, value, len);
		r->named = len;
		if (len > HTTP_EVENT_NAME_MAX || memchr(value, 0, len))
			*r->name = 0;
	} else if (is(name, name_len, "data")) {
		memcpy(r->data + r->len, value, len);
		r->data[r->len + len] = '\n';
		r->len += len + 1;
	} else if (is(name, name_len, "id") && !memchr(value, 0, len)) {
		keep(r->id, value, len <= HTTP_EVENT_ID_MAX ? len : 0);
	} else if (is(name, name_len, "retry")) {
		for (size_t i = 0; i < len; i++) {
			digits &= value[i] >= '0' && value[i] <= '9';
			if (number <= UINT32_MAX)
				number = number * 10 + (value[i] - '0');
		}
		r->told->retry_said |= digits;
		if (digits)
			r->told->retry_ms = number > UINT32_MAX ? UINT32_MAX : number;
	}
}

static void line(struct reader *r, const uint8_t *text, size_t len)
{
	const uint8_t *colon = len ? memchr(text, ':', len) : NULL;

	if (!len) {
		strcpy(r->told->id, r->id);
		if (r->len > r->data_max + 1)
			r->told->left_out++;
		else if (r->len)
			told_put(r->told, r->named ? r->name : "message", r->data, r->len - 1);
		r->len = 0;
		*r->name = 0;
		r->named = false;
		return;
	}
	if (!colon) {
		field(r, text, len, (const uint8_t *)"", 0);
		return;
	}
	const uint8_t *value = colon + 1, *end = text + len;

	value += value < end && *value == ' ';
	field(r, text, (size_t)(colon - text), value, (size_t)(end - value));
}

static void read_all(struct reader *r, const uint8_t *at, size_t len)
{
	const uint8_t *end = at + len;

	if (len >= 3 && !memcmp(at, "\xef\xbb\xbf", 3))
		at += 3;
	while (at < end) {
		const uint8_t *stop = at;

		while (stop < end && *stop != '\n' && *stop != '\r')
			stop++;
		if (stop == end)
			return;
		line(r, at, (size_t)(stop - at));
		at = stop + 1 + (*stop == '\r' && stop + 1 < end && stop[1] == '\n');
	}
}

// ---- the one that is tested

static void take_cut(struct http_events *events, const uint8_t *at, size_t len, unsigned seed)
{
	while (len) {
		seed = seed * 1103515245 + 12345;
		size_t n = 1 + (seed >> 16) % (seed >> 8 & 1 ? 3 : 200);

		n = n < len ? n : len;
		uint8_t *copy = malloc(n);

		memcpy(copy, at, n);
		http_events_take(events, copy, n);
		free(copy);
		at += n;
		len -= n;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static struct told want, got;
	static struct reader r;

	if (len < 2 || len > LEN_MAX)
		return 0;
	memset(&want, 0, sizeof(want));
	memset(&got, 0, sizeof(got));
	memset(&r, 0, sizeof(r));
	r.told = &want;
	r.data_max = data[1] * 4u;
	struct http_events events = {.data_max = r.data_max, .tell = tell, .arg = &got};

	http_events_start(&events);
	take_cut(&events, data + 2, len - 2, data[0]);
	read_all(&r, data + 2, len - 2);
	FUZZ_CHECK(events.left_out == want.left_out);
	FUZZ_CHECK(!strcmp(events.id, want.id));
	FUZZ_CHECK(events.retry_said == want.retry_said);
	FUZZ_CHECK(!events.retry_said || events.retry_ms == want.retry_ms);
	FUZZ_CHECK(got.len == want.len && !memcmp(got.text, want.text, got.len));
	http_events_end(&events);
	return 0;
}
