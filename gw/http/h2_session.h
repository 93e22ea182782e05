// SPDX-License-Identifier: BSD-3-Clause
// The client's side of an HTTP/2 connection (RFC 9113) by nghttp2: frames in, frames out. No I/O.

#ifndef POSTERN_GW_HTTP_H2_SESSION_H
#define POSTERN_GW_HTTP_H2_SESSION_H

#include "gw/http/engine.h"
#include "gw/http/timers.h"

#include <nghttp2/nghttp2.h>
#include <sys/queue.h>

#define H2_STREAMS_MAX 1000 // of a connection, even if the server allows more

// A transfer on its way through the engine.
struct h2_stream {
	struct http_timer timer;
	struct http_transfer *transfer;

	// The session's.
	int32_t id;            // 0: not sent
	size_t body_sent;      // bytes of the request's body
	bool head_done;        // of the final answer
	bool reset;            // the server sent RST_STREAM
	bool done;             // the whole answer is there
	uint64_t started_ms;   // when it was sent, or began to wait
	struct http_body body; // of the answer

	// The engine's.
	TAILQ_ENTRY(h2_stream) link;
	struct h2_stream_list *list; // in which it is
	struct h2_conn *conn;        // NULL: none yet, or none any more
	struct h2_target *target;
	uint64_t deadline_ms;
	unsigned moves; // to another connection, since it was refused on one
	bool lost;      // with a connection, and sent again
	enum http_error error;
};

TAILQ_HEAD(h2_stream_list, h2_stream);

struct h2_session {
	nghttp2_session *ng;
	// Called once for each stream that was submitted and not cancelled, unless the session is
	// freed before. transfer->sent tells whether the server may have acted on it.
	void (*ended)(struct h2_stream *stream, enum http_error error);
	bool ready;             // the server's SETTINGS came
	bool taught;            // the server's table has the names of all fields
	unsigned streams;       // that count against the server's limit
	enum http_error error;  // the server broke the protocol
	const uint8_t *pending; // a part of nghttp2's that did not fit yet
	size_t pending_len;
};

// first_stream: see http_engine_config. ended must be set. Returns 0 or -ENOMEM.
int h2_session_create(struct h2_session *session, int32_t first_stream)
	__attribute__((warn_unused_result));
void h2_session_free(struct h2_session *session);

// Streams that the server allows at a time.
uint32_t h2_session_limit(const struct h2_session *session);
// Whether another stream can be submitted now.
bool h2_session_has_room(const struct h2_session *session);
// Whether no stream can be submitted any more: the server sent GOAWAY, or the ids are used up.
bool h2_session_is_leaving(const struct h2_session *session);
// Whether neither side has anything left to send.
bool h2_session_is_over(const struct h2_session *session);

// Starts a stream. The transfer stays in place until it ended or is cancelled. Returns
// HTTP_ERR_none or HTTP_ERR_no_memory.
enum http_error h2_session_submit(struct h2_session *session, struct h2_stream *stream)
	__attribute__((warn_unused_result));
// Sends RST_STREAM; ended() will not be called for this stream.
void h2_session_cancel(struct h2_session *session, struct h2_stream *stream);
void h2_session_ping(struct h2_session *session);
// Sends GOAWAY.
void h2_session_leave(struct h2_session *session);

// Takes what the server sent. Returns HTTP_ERR_none or why nothing more is taken; session->error
// may be set besides, after what the session still has to say is sent.
enum http_error h2_session_read(struct h2_session *session, const uint8_t *data, size_t len)
	__attribute__((warn_unused_result));
// Writes what is to be sent. Returns its length, 0 if there is nothing, or a negative number if out
// of memory.
ssize_t h2_session_write(struct h2_session *session, uint8_t *buf, size_t room);

#endif
