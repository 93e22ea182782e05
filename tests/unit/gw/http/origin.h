// SPDX-License-Identifier: BSD-3-Clause
// An HTTP server that says what the test told it, counts requests and keeps the last one.

#ifndef POSTERN_TESTS_UNIT_GW_HTTP_ORIGIN_H
#define POSTERN_TESTS_UNIT_GW_HTTP_ORIGIN_H

#include <stdbool.h>
#include <stdint.h>

struct origin;

struct origin *origin_start(void);
void origin_stop(struct origin *origin);
uint16_t origin_port(const struct origin *origin);

// What it answers from now on: fields are lines that end with CR LF, or "". A request with a
// validator that is `etag` (with its quotes) gets 304 with the same fields; NULL: it never does.
void origin_says(struct origin *origin, int status, const char *fields, const char *body);
void origin_validates(struct origin *origin, const char *etag);
// Requests that come from now on wait until it is false.
void origin_hold(struct origin *origin, bool hold);
// It closes connections without an answer.
void origin_vanish(struct origin *origin, bool vanish);
unsigned origin_requests(struct origin *origin);
// Of these, answered 304.
unsigned origin_valid(struct origin *origin);
// Waits until so many requests came in all.
void origin_wait(struct origin *origin, unsigned count);
// The head of the last request, valid until the next call.
const char *origin_last(struct origin *origin);

// ---- streams of events, for requests that accept text/event-stream, which are not counted above

// How they are answered from now on: with status 200, type text/event-stream, a body without end.
void origin_streams(struct origin *origin, int status, const char *type);
// Waits until so many were asked for, or ended, in all.
void origin_wait_streams(struct origin *origin, unsigned count);
void origin_wait_streams_ended(struct origin *origin, unsigned count);
unsigned origin_stream_count(struct origin *origin);
// The head of the last request for one, valid until the next call.
const char *origin_stream_head(struct origin *origin);
// Writes into the last one; ends it.
void origin_stream_says(struct origin *origin, const char *text);
void origin_stream_end(struct origin *origin);

#endif
