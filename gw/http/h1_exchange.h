// SPDX-License-Identifier: BSD-3-Clause
// An exchange of the HTTP/1.1 engine as it is taken, moved and ended. Nothing here opens, uses or
// closes a connection.

#ifndef POSTERN_GW_HTTP_H1_EXCHANGE_H
#define POSTERN_GW_HTTP_H1_EXCHANGE_H

#include "gw/http/h1.h"

// Takes a free exchange, which is in no list, and makes sure that its timer can be set. fire() is
// called when the timer expires. NULL if out of memory.
struct h1_exchange *h1_exchange_take(
	struct h1_engine *engine, void (*fire)(struct http_timer *timer));
// Gives it back, and takes it out of the list that it is in.
void h1_exchange_give(struct h1_exchange *exchange);

// Puts it at the end of a list, and takes it out of that in which it is. NULL: in none.
void h1_exchange_move(struct h1_exchange *exchange, struct h1_exchange_list *list);

// Ends it; the engine's turn() reports it.
void h1_exchange_finish(struct h1_exchange *exchange, enum http_error error);
// Handles the loss of its connection, or of the try to open one: it is to be sent on another, or
// ends with the error. `used`: the connection had had an answer before; `begun`: that to this one
// had begun; `written`: some of the request was.
void h1_exchange_lost(
	struct h1_exchange *exchange, enum http_error error, bool used, bool begun, bool written);

#endif
