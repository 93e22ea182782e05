// SPDX-License-Identifier: BSD-3-Clause
// Event streams, by the rules of the HTML standard, section 9.2: each in one piece, byte by byte,
// and cut at each place.

#include "gw/http/events.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

// Events as text: "name=data|name=data|".
struct told {
	char text[512];
	size_t len;
};

static void tell(void *arg, const struct http_event *event)
{
	struct told *told = arg;
	int n = snprintf(told->text + told->len, sizeof(told->text) - told->len, "%s=%.*s|",
		event->name, (int)event->len, (const char *)event->data);

	told->len += (size_t)n;
}

// Takes text in memory of its own.
static void take(struct http_events *events, const char *text, size_t len)
{
	char *copy = malloc(len ? len : 1);

	memcpy(copy, text, len);
	http_events_take(events, copy, len);
	free(copy);
}

static const struct {
	const char *what, *stream;
	size_t len; // 0: strlen()
	const char *events, *id;
	int64_t retry_ms; // -1: not said
} cases[] = {
	{"an event", "data: one\n\n", 0, "message=one|", "", -1},
	{"line ends of CR", "data: one\r\rdata: two\r\r", 0, "message=one|message=two|", "", -1},
	{"of CR LF", "data: one\r\n\r\ndata: two\r\n\r\n", 0, "message=one|message=two|", "", -1},
	{"of all kinds", "data: a\r\ndata: b\rdata: c\n\r\n", 0, "message=a\nb\nc|", "", -1},
	{"LF CR are two", "data: a\n\rdata: b\n\n", 0, "message=a|message=b|", "", -1},
	{"a byte order mark",
		"\xef\xbb\xbf"
		"data: one\n\n",
		0, "message=one|", "", -1},
	{"but one only",
		"\xef\xbb\xbf\xef\xbb\xbf"
		"data: one\n\ndata: two\n\n",
		0, "message=two|", "", -1},
	{"and a whole one",
		"\xef\xbb"
		"data: one\n\ndata: two\n\n",
		0, "message=two|", "", -1},
	{"none inside",
		"data: one\n\n\xef\xbb\xbf"
		"data: two\n\ndata: three\n\n",
		0, "message=one|message=three|", "", -1},
	{"comments", ": hello\n:\n:data: no\ndata: one\n: x\n\n", 0, "message=one|", "", -1},
	{"one blank is left out", "data:one\ndata:  two\ndata: \n\n", 0, "message=one\n two\n|", "",
		-1},
	{"lines are joined", "data: YHOO\ndata: +2\ndata: 10\n\n", 0, "message=YHOO\n+2\n10|", "",
		-1},
	{"fields without colon", "data\n\ndata\ndata\n\ndata:", 0, "message=|message=\n|", "", -1},
	{"an empty value is data", "data:\n\n", 0, "message=|", "", -1},
	{"colons in it", "data: a:b: c\n\n", 0, "message=a:b: c|", "", -1},
	{"no event without data", "event: x\nid: 5\n\n\n\n", 0, "", "5", -1},
	{"a type", "event: set\ndata: 1\n\ndata: 2\n\n", 0, "set=1|message=2|", "", -1},
	{"the last type", "event: a\nevent: b\ndata: 1\n\n", 0, "b=1|", "", -1},
	{"an empty type", "event: a\nevent:\ndata: 1\n\n", 0, "message=1|", "", -1},
	{"a type without data is forgotten", "event: a\n\ndata: 1\n\n", 0, "message=1|", "", -1},
	{"unknown fields",
		"foo: 1\nDATA: 2\nda: 1\ndatas: 3\ndata : 4\n data: 5\nlonger-than-any: 1\n\n", 0,
		"", "", -1},
	{"an id", "id: 1\ndata: a\n\ndata: b\n\n", 0, "message=a|message=b|", "1", -1},
	{"an empty id", "id: 1\ndata: a\n\nid\ndata: b\n\n", 0, "message=a|message=b|", "", -1},
	{"an id with NUL is none", "id: 1\ndata: a\n\nid: 2\0003\ndata: b\n\n",
		sizeof("id: 1\ndata: a\n\nid: 2\0003\ndata: b\n\n") - 1, "message=a|message=b|",
		"1", -1},
	{"an id that is not whole", "id: 1\ndata: a\n\nid: 2\ndata: b\n", 0, "message=a|", "1", -1},
	{"retry", "retry: 2500\n\n", 0, "", "", 2500},
	{"not with others than digits",
		"retry: 12\nretry: 2.5\nretry: -1\nretry: 1s\nretry: x1\n"
		"retry:  5\nretry:\nretry\n\n",
		0, "", "", 12},
	{"a large one", "retry: 99999999999999999999999\n", 0, "", "", UINT32_MAX},
	{"what is not whole is no event", "data: one\n\ndata: two\n", 0, "message=one|", "", -1},
	{"nor what ends in CR alone", "data: one\n\ndata: two\r", 0, "message=one|", "", -1},
	{"CR and LF are one end", "data: one\n\r\n", 0, "message=one|", "", -1},
	{"NUL is data", "data: a\0b\n\n", sizeof("data: a\0b\n\n") - 1, "message=a", "", -1},
};

static void check(size_t c, size_t step, size_t first)
{
	const char *stream = cases[c].stream;
	size_t len = cases[c].len ? cases[c].len : strlen(stream), at = 0;
	struct told told = {.len = 0};
	struct http_events events = {.data_max = 256, .tell = tell, .arg = &told};

	http_events_start(&events);
	while (at < len) {
		size_t n = at ? step : first;

		n = n < len - at ? n : len - at;
		take(&events, stream + at, n);
		at += n;
	}
	cr_expect(!strncmp(told.text, cases[c].events, strlen(cases[c].events)) &&
			(strlen(cases[c].events) == told.len || memchr(stream, 0, len)),
		"%s (%zu, %zu): %s", cases[c].what, first, step, told.text);
	cr_expect_str_eq(events.id, cases[c].id, "%s", cases[c].what);
	cr_expect_eq(events.retry_said, cases[c].retry_ms >= 0, "%s", cases[c].what);
	if (cases[c].retry_ms >= 0)
		cr_expect_eq(events.retry_ms, cases[c].retry_ms, "%s", cases[c].what);
	http_events_end(&events);
}

Test(http_events, rules)
{
	for (size_t c = 0; c < sizeof(cases) / sizeof(cases[0]); c++) {
		size_t len = cases[c].len ? cases[c].len : strlen(cases[c].stream);

		for (size_t cut = 1; cut <= len; cut++) {
			check(c, len, cut);
			check(c, 1, cut);
		}
	}
}

// What an event may have is bounded, and what comes behind one that is too large is read.
Test(http_events, bounds)
{
	struct told told = {.len = 0};
	struct http_events events = {.data_max = 100, .tell = tell, .arg = &told};
	char long_line[300];

	memset(long_line, 'x', sizeof(long_line));
	http_events_start(&events);
	take(&events, "data: ", 6);
	take(&events, long_line, 101);
	take(&events, "\nid: 7\n\ndata: ", 14);
	cr_expect_eq(events.left_out, 1);
	cr_expect_str_eq(events.id, "7", "its id is known all the same");
	take(&events, long_line, 100);
	take(&events, "\n\n", 2);
	cr_expect_eq(told.len, 8 + 100 + 1);
	cr_expect_eq(events.left_out, 1);
	told.len = 0;
	// A type and an id that are too long are none that are known.
	take(&events, "event: ", 7);
	take(&events, long_line, 64);
	take(&events, "\ndata: 1\nid: ", 13);
	take(&events, long_line, 256);
	take(&events, "\n\n", 2);
	cr_expect_str_eq(told.text, "=1|");
	cr_expect_str_eq(events.id, "");
	http_events_end(&events);
}

// The next connection goes on with the id, and with nothing of an event that was cut off.
Test(http_events, reconnects)
{
	struct told told = {.len = 0};
	struct http_events events = {.data_max = 100, .tell = tell, .arg = &told};
	const char *cut_off = "id: 7\ndata: a\n\nid: 8\nevent: x\ndata: b";

	http_events_start(&events);
	take(&events, cut_off, strlen(cut_off));
	http_events_start(&events);
	cr_expect_str_eq(events.id, "7");
	take(&events,
		"\xef\xbb\xbf"
		"data: c\n\n",
		12);
	cr_expect_str_eq(told.text, "message=a|message=c|");
	cr_expect_str_eq(events.id, "7");
	http_events_end(&events);
	cr_expect_null(events.data);
}

Test(http_events, type)
{
	cr_expect(http_events_are("text/event-stream"));
	cr_expect(http_events_are("Text/Event-Stream; charset=utf-8"));
	cr_expect(http_events_are("text/event-stream ;x"));
	cr_expect_not(http_events_are("text/event-streams"));
	cr_expect_not(http_events_are("text/plain"));
	cr_expect_not(http_events_are(NULL));
}
