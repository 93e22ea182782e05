// SPDX-License-Identifier: BSD-3-Clause
// A connection of the HTTP/2 engine. It calls what h2_stream.h has of its streams, and never the
// engine, which decides who uses which connection.

#ifndef POSTERN_GW_HTTP_H2_CONN_H
#define POSTERN_GW_HTTP_H2_CONN_H

#include "gw/http/h2.h"

// Opens a connection; `fresh` is for this stream alone, or NULL. Returns 0 or -ENOMEM.
int h2_conn_open(struct h2_target *target, struct h2_stream *fresh)
	__attribute__((warn_unused_result));
// The look-up ended: connects to the target's addresses, or ends the connection if there are none.
void h2_conn_resolved(struct h2_conn *conn);
// Closes it; its streams are lost with this error.
void h2_conn_end(struct h2_conn *conn, enum http_error error);
// Sends GOAWAY and closes it.
void h2_conn_leave(struct h2_conn *conn);
bool h2_conn_has_room(const struct h2_conn *conn);
void h2_conn_submit(struct h2_conn *conn, struct h2_stream *stream);
// Cancels a stream that waits for its answer; it stays in its list.
void h2_conn_cancel(struct h2_conn *conn, struct h2_stream *stream);
// Sends a PING if nothing came from the server since then.
void h2_conn_doubt(struct h2_conn *conn, uint64_t since_ms);
void h2_conn_ready(struct h2_conn *conn, uint32_t events);
// Sends what is to be sent.
void h2_conn_flush(struct h2_conn *conn);

#endif
