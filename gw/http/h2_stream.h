// SPDX-License-Identifier: BSD-3-Clause
// A stream of the HTTP/2 engine, which is one request: it waits at its target, is sent, may lose
// its connection and be sent again, and ends. Nothing here opens, uses or closes a connection.

#ifndef POSTERN_GW_HTTP_H2_STREAM_H
#define POSTERN_GW_HTTP_H2_STREAM_H

#include "gw/http/h2.h"

// Takes a free stream, which is in no list, and makes sure that there is room to set its timer.
// fire() is called when the timer expires. Returns NULL if out of memory.
struct h2_stream *h2_stream_take(struct h2_engine *e, void (*fire)(struct http_timer *timer));
// Gives a stream back, and takes it out of the list that it is in.
void h2_stream_give(struct h2_engine *e, struct h2_stream *stream);
// Moves a stream to the end of a list.
void h2_stream_move(struct h2_stream *stream, struct h2_stream_list *list);

// Returns the time, CLOCK_MONOTONIC in ms, until which the stream may wait for a connection with
// room.
uint64_t h2_stream_wait_until(const struct h2_stream *stream);
// Makes a stream wait at its target until h2_stream_wait_until(). The caller has put it into the
// list.
void h2_stream_wait(struct h2_stream *stream);
// Queues a stream again, ahead of those that wait.
void h2_stream_again(struct h2_stream *stream);
// Handles a stream whose connection is lost or that the server refused: queues it again if it may
// be sent again, else ends it with the error.
void h2_stream_lost(struct h2_stream *stream, enum http_error error);
// Ends a stream; the engine's turn() reports it.
void h2_stream_finish(struct h2_stream *stream, enum http_error error);

// Whether the target has a connection that takes requests now or when others are done.
bool h2_target_stands(const struct h2_target *target);
// Handles a connection that takes no more requests: streams that wait for room on it wait for
// another connection.
void h2_target_left(struct h2_target *target);
// Handles a connection that failed, or was lost before it was of use: ends all waiting streams with
// the error unless the target has another connection.
void h2_target_not_reached(struct h2_target *target, enum http_error error);

#endif
