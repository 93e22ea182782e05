// SPDX-License-Identifier: BSD-3-Clause
// A stream of the HTTP/2 engine: waiting at its target, lost and sent again, over. Nothing in here
// opens, uses or closes a connection.

#ifndef POSTERN_GW_HTTP_H2_STREAM_H
#define POSTERN_GW_HTTP_H2_STREAM_H

#include "gw/http/h2.h"

// A stream that is in no list; fire() is called when its timer is due. NULL if out of memory. Each
// can have its timer set without fail.
struct h2_stream *h2_stream_take(struct h2_engine *e, void (*fire)(struct http_timer *timer));
// Takes it back, whatever list it is in.
void h2_stream_give(struct h2_engine *e, struct h2_stream *stream);
void h2_stream_move(struct h2_stream *stream, struct h2_stream_list *list);

// Until when it may wait to be sent: for a connection, or for a place on one.
uint64_t h2_stream_wait_until(const struct h2_stream *stream);
// It waits at its target from now on; the caller has put it in the list.
void h2_stream_wait(struct h2_stream *stream);
// Sends it again, before those that wait.
void h2_stream_again(struct h2_stream *stream);
// Its connection is lost, or the server refused it: it is sent again, or over.
void h2_stream_lost(struct h2_stream *stream, enum http_error error);
// It is over: the engine's turn() will report it.
void h2_stream_finish(struct h2_stream *stream, enum http_error error);

// Whether a connection stands that takes requests, or will when others are done.
bool h2_target_stands(const struct h2_target *target);
// A connection takes no more requests: what waited for a place on it waits for another connection.
void h2_target_left(struct h2_target *target);
// A connection did not come about, or came to nothing: if no other stands, what waits is over.
void h2_target_not_reached(struct h2_target *target, enum http_error error);

#endif
