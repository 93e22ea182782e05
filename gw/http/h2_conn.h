// SPDX-License-Identifier: BSD-3-Clause
// A connection of the HTTP/2 engine. It reports to its streams (h2_stream.h), and calls nothing of
// the engine, which decides which stream uses which connection.

#ifndef POSTERN_GW_HTTP_H2_CONN_H
#define POSTERN_GW_HTTP_H2_CONN_H

#include "gw/http/h2.h"

// Opens a connection to a target; if `fresh` is not NULL, for this stream alone. Returns 0 or
// -ENOMEM.
int h2_conn_open(struct h2_target *target, struct h2_stream *fresh)
	__attribute__((warn_unused_result));
// Closes a connection; its streams are lost with this error.
void h2_conn_end(struct h2_conn *conn, enum http_error error);
// Sends GOAWAY and closes the connection.
void h2_conn_leave(struct h2_conn *conn);
// Whether one more stream may be sent on it: it is open to any stream, the server's limit of
// streams is not reached, and little is waiting to be written.
bool h2_conn_has_room(const struct h2_conn *conn);
// Sends the request of a stream on this connection.
void h2_conn_submit(struct h2_conn *conn, struct h2_stream *stream);
// Cancels a stream that waits for its answer; it stays in its list.
void h2_conn_cancel(struct h2_conn *conn, struct h2_stream *stream);
// Sends a PING if the server has sent nothing since since_ms.
void h2_conn_doubt(struct h2_conn *conn, uint64_t since_ms);
// Writes the frames that are queued.
void h2_conn_flush(struct h2_conn *conn);

#endif
