// SPDX-License-Identifier: BSD-3-Clause
// The upstream loop with HTTP/2 servers that break the protocol.

#include "tests/unit/gw/upstream/h2_bed.h"

#include <criterion/criterion.h>
#include <malloc.h>
#include <stdio.h>
#include <string.h>

// Each ends in its own code, and the connection goes on.
Test(upstream_h2_hostile, hostile_streams)
{
	static const struct {
		const char *line, *answer;
		enum http_error error;
	} rows[] = {
		{"GET path=reset", "5.02 max-age=0 |backend hung up", HTTP_ERR_reset},
		{"GET path=cut", "5.02 max-age=0 |backend hung up", HTTP_ERR_reset},
		{"GET path=endless", "5.00 max-age=0 |answer too large", HTTP_ERR_body_too_large},
		{"GET path=big", "5.00 max-age=0 |answer too large", HTTP_ERR_body_too_large},
		{"GET path=huge-length", "5.00 max-age=0 |answer too large",
			HTTP_ERR_body_too_large},
		{"GET path=short", "5.02 max-age=0 |backend answer malformed", HTTP_ERR_bad_reply},
		{"GET path=bighead", "5.02 max-age=0 |backend answer malformed",
			HTTP_ERR_head_too_large},
		{"GET path=many-early", "5.02 max-age=0 |backend answer malformed",
			HTTP_ERR_head_too_large},
		{"GET path=connection", "5.02 max-age=0 |backend answer malformed",
			HTTP_ERR_bad_reply},
		{"GET path=control", "5.02 max-age=0 |backend answer malformed",
			HTTP_ERR_bad_reply},
		{"GET path=no-status", "5.02 max-age=0 |backend answer malformed",
			HTTP_ERR_bad_reply},
		{"GET path=early", "2.05 cf=0 max-age=0 |one", HTTP_ERR_none},
		{"GET path=trailer", "2.05 cf=0 max-age=0 |one", HTTP_ERR_none},
		{"GET path=big-trailer", "5.02 max-age=0 |backend answer malformed",
			HTTP_ERR_head_too_large},
		{"GET path=status path=204", "2.05 max-age=0", HTTP_ERR_none},
		{"GET path=status path=101", "5.02 max-age=0 |backend answer malformed",
			HTTP_ERR_bad_reply},
		{"GET path=status path=013", "5.02 max-age=0 |backend answer malformed",
			HTTP_ERR_bad_reply},
		{"GET path=status path=302", "5.02 max-age=0 |backend redirects",
			HTTP_ERR_redirect},
		{"GET path=status path=404", "4.04 max-age=0 |said", HTTP_ERR_none},
		{"DELETE path=status path=404", "2.02", HTTP_ERR_none},
		{"POST path=early-answer |x", "2.04 cf=0 |one", HTTP_ERR_none},
	};
	struct h2_server *server = h2_bed_server("one");
	struct bed *bed = h2_bed_for(server, "max_body: 64KB");

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		enum up_stat counter = UP_STAT_ERROR + rows[i].error;
		uint64_t before = bed_stat(bed, counter);

		EXPECT_ANSWER(bed_ask(bed, rows[i].line), rows[i].answer);
		if (rows[i].error)
			cr_expect_eq(bed_stat(bed, counter), before + 1, "%s", rows[i].line);
		EXPECT_ANSWER(bed_ask(bed, "GET path=ok"), "2.05 cf=0 max-age=0 |one");
	}
	cr_expect_eq(h2_server_connections(server), 1);
	h2_bed_end(bed, server);
}

// A server that takes no bodies: the request ends in time, those without a body do not notice.
Test(upstream_h2_hostile, no_window)
{
	struct h2_server *server =
		h2_server_start(&(struct h2_server_config){.name = "one", .no_window = true});
	struct bed *bed = h2_bed_for(server, "");

	EXPECT_ANSWER(bed_ask(bed, "GET path=ok"), "2.05 cf=0 max-age=0 |one");
	bed_push_deadline(bed, "POST path=ok |x", 1000);
	EXPECT_ANSWER(bed_ask(bed, "GET path=ok"), "2.05 cf=0 max-age=0 |one");
	EXPECT_ANSWER(bed_pull(bed, NULL), "5.04 max-age=0 |backend too slow");
	EXPECT_ANSWER(bed_ask(bed, "POST path=early-answer |x"), "2.04 cf=0 |one");
	EXPECT_ANSWER(bed_ask(bed, "GET path=ok"), "2.05 cf=0 max-age=0 |one");
	cr_expect_eq(h2_server_cancelled(server), 2);
	cr_expect_eq(h2_server_connections(server), 1);
	h2_bed_end(bed, server);
}

#define SETTINGS  "\0\0\0\4\0\0\0\0\0"
#define ACK       "\0\0\0\4\1\0\0\0\0"
#define HEADERS   "\0\0\1\1\0\0\0\0\1\x88"       // :status: 200 on stream 1, to be continued
#define MORE      "\0\0\4\x9\0\0\0\0\1\x00\1a\0" // CONTINUATION: a field `a`
#define PING      "\0\0\x8\6\0\0\0\0\0pingping"
#define PUSH      "\0\0\5\5\4\0\0\0\1\0\0\0\2\x82"      // PUSH_PROMISE on stream 1
#define RST       "\0\0\4\3\0\0\0\0\1\0\0\0\2"          // of stream 1
#define RST_IDLE  "\0\0\4\3\0\0\0\0\x5\0\0\0\2"         // of a stream that nobody opened
#define EMPTY     "\0\0\0\0\0\0\0\0\1"                  // DATA without data
#define WINDOW    "\0\0\4\x8\0\0\0\0\0\x7f\xff\xff\xff" // WINDOW_UPDATE of all there can be
#define HUGE      "\xff\xff\xff\0\0\0\0\0\1"            // DATA of 16 MB
#define GOAWAY    "\0\0\x8\7\0\0\0\0\0\0\0\0\0\0\0\0\0" // nothing was looked at
#define BAD_HPACK "\0\0\1\1\4\0\0\0\1\xff"              // an index that goes on behind the frame
#define OK        "\0\0\1\1\4\0\0\0\1\x88"              // :status: 200 on stream 1
#define EARLY                      \
	"\0\0\5\1\4\0\0\0\1\x08\3" \
	"103"                                   // :status: 103 on stream 1
#define REFUSED    "\0\0\4\3\0\0\0\0\1\0\0\0\7" // REFUSED_STREAM of stream 1
#define RAW(bytes) bytes, sizeof(bytes) - 1
#define NONE       NULL, 0

// Floods and broken frames: each ends in its code, in time, with bounded memory.
Test(upstream_h2_hostile, hostile_connections)
{
	static const struct {
		const char *raw;
		size_t raw_len;
		const char *late;
		size_t late_len;
		const char *repeat;
		size_t repeat_len;
		const char *answer;
	} rows[] = {
		{RAW(SETTINGS), NONE, RAW(SETTINGS), "5.0"},
		{RAW(SETTINGS), NONE, RAW(PING), "5.0"},
		{RAW(SETTINGS), RAW(HEADERS), RAW(MORE),
			"5.02 max-age=0 |backend answer malformed"},
		{RAW(SETTINGS), NONE, RAW(RST_IDLE), "5.02"},
		{RAW(SETTINGS), RAW(RST), RAW(RST), "5.0"},
		{RAW(SETTINGS), RAW(RST_IDLE), NONE, "5.02 max-age=0 |backend answer malformed"},
		{RAW(SETTINGS), NONE, RAW(EMPTY), "5.02"},
		{RAW(SETTINGS), RAW(OK), RAW(EMPTY), "5.04"},
		{RAW(SETTINGS), NONE, RAW(WINDOW), "5.02 max-age=0 |backend answer malformed"},
		{RAW(SETTINGS ACK), RAW(PUSH), NONE, "5.02 max-age=0 |backend answer malformed"},
		{RAW(SETTINGS), RAW(HUGE), NONE, "5.02 max-age=0 |backend answer malformed"},
		{RAW(SETTINGS), RAW(GOAWAY), NONE, "5.02 max-age=0 |backend hung up"},
		{RAW(SETTINGS GOAWAY), NONE, NONE, "5.02 max-age=0 |backend hung up"},
		{RAW(SETTINGS), RAW(BAD_HPACK), NONE, "5.02 max-age=0 |backend answer malformed"},
		{RAW("\0\0\0"), NONE, NONE, "5.04"},
		{RAW(SETTINGS), NONE, NONE, "5.04"},
		{RAW("rubbish that is no frame"), NONE, NONE,
			"5.02 max-age=0 |backend answer malformed"},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct h2_server *server = h2_server_start(&(struct h2_server_config){
			.raw = rows[i].raw,
			.raw_len = rows[i].raw_len,
			.late = rows[i].late,
			.late_len = rows[i].late_len,
			.repeat = rows[i].repeat,
			.repeat_len = rows[i].repeat_len,
		});
		struct bed *bed = h2_bed_for(server, "eject: {errors: 0}");
		bool slow = strncmp(rows[i].answer, "5.02", 4); // what ends in time only
		size_t before = 0;

		for (unsigned round = 0; round < 4; round++) {
			if (round == 2)
				before = mallinfo2().uordblks;
			bed_push_deadline(bed, "POST path=ok |x", slow ? 100 : LONG_MS);
			const char *answer = bed_pull(bed, NULL);
			cr_expect(!strncmp(answer, rows[i].answer, strlen(rows[i].answer)),
				"row %zu: %s", i, answer);
		}
		size_t after = mallinfo2().uordblks;
		cr_expect_leq(
			after, before + 1024 * 1024, "row %zu: %zu bytes more", i, after - before);
		cr_expect_leq(h2_server_connections(server), 4 * 4);
		h2_bed_end(bed, server);
	}
}

// Who refuses a request after the beginning of an answer has seen it: it is not sent again.
Test(upstream_h2_hostile, refused_too_late)
{
	struct h2_server *server = h2_server_start(&(struct h2_server_config){
		.raw = SETTINGS, .raw_len = 9, .late = EARLY REFUSED, .late_len = 14 + 13});
	struct bed *bed = h2_bed_for(server, "");

	EXPECT_ANSWER(bed_ask(bed, "POST path=ok |x"), "5.02 max-age=0 |backend hung up");
	cr_expect_eq(h2_server_connections(server), 1);
	h2_bed_end(bed, server);
}
