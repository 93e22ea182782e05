// SPDX-License-Identifier: BSD-3-Clause

#include "gw/http/h2_stream.h"

#include <errno.h>
#include <stdlib.h>

#define OPEN_AGAIN_MS 1000 // between tries to open one more connection, if one stands
#define MOVES_MAX     3    // of a transfer that a server refuses, if another can be asked
#define PAUSE_MS_MAX  128  // before it is sent again; 0 at first, then 1, 2, 4 ...

struct h2_stream *h2_stream_take(struct h2_engine *e, void (*fire)(struct http_timer *timer))
{
	struct h2_stream *stream = TAILQ_FIRST(&e->free_streams);

	if (stream) {
		TAILQ_REMOVE(&e->free_streams, stream, link);
		return stream;
	}
	stream = calloc(1, sizeof(*stream));
	if (!stream)
		return NULL;
	if (http_timers_hold(&e->net.timers, 1)) {
		free(stream);
		return NULL;
	}
	stream->timer.fire = fire;
	return stream;
}

void h2_stream_move(struct h2_stream *stream, struct h2_stream_list *list)
{
	if (stream->list)
		TAILQ_REMOVE(stream->list, stream, link);
	TAILQ_INSERT_TAIL(list, stream, link);
	stream->list = list;
}

void h2_stream_give(struct h2_engine *e, struct h2_stream *stream)
{
	if (stream->list)
		TAILQ_REMOVE(stream->list, stream, link);
	stream->list = NULL;
	http_timer_unset(&e->net.timers, &stream->timer);
	http_body_end(&stream->body);
	TAILQ_INSERT_HEAD(&e->free_streams, stream, link);
}

void h2_stream_finish(struct h2_stream *stream, enum http_error error)
{
	struct h2_engine *e = stream->target->engine;

	http_timer_unset(&e->net.timers, &stream->timer);
	stream->transfer->sent |= stream->lost; // whatever became of it afterwards
	stream->conn = NULL;
	stream->error = error;
	stream->transfer->local_errno = error == HTTP_ERR_local ? stream->target->local_errno : 0;
	h2_stream_move(stream, &e->ended);
}

bool h2_target_stands(const struct h2_target *target)
{
	const struct h2_conn *conn;

	TAILQ_FOREACH(conn, &target->conns, link)
	if (conn->state == H2_CONN_READY && !conn->fresh && !h2_session_is_leaving(&conn->session))
		return true;
	return false;
}

uint64_t h2_stream_wait_until(const struct h2_stream *stream)
{
	const struct h2_target *target = stream->target;
	uint64_t until = stream->deadline_ms;

	if (!stream->transfer->fresh && h2_target_stands(target))
		// Not before the next flush().
		until = target->engine->net.now_ms + target->engine->config.upstream->queue_ms + 1;
	else if (stream->transfer->connect_ms)
		until = stream->started_ms + stream->transfer->connect_ms;
	return http_earlier(until, stream->deadline_ms);
}

void h2_stream_wait(struct h2_stream *stream)
{
	struct h2_engine *e = stream->target->engine;

	stream->conn = NULL;
	stream->id = 0;
	http_timer_set(&e->net.timers, &stream->timer, h2_stream_wait_until(stream));
}

void h2_stream_again(struct h2_stream *stream)
{
	struct h2_target *target = stream->target;

	if (stream->list)
		TAILQ_REMOVE(stream->list, stream, link);
	stream->list = &target->waiting;
	TAILQ_INSERT_HEAD(&target->waiting, stream, link);
	h2_stream_wait(stream);
	target->engine->again = true;
}

// A server refused a stream without looking at it (RFC 9113 section 8.7). It is sent again as often
// as its time allows, at once when it was refused for the first time, then after growing pauses, so
// that a server that refuses everything costs little. Returns whether it is.
static bool stream_refused(struct h2_stream *stream)
{
	struct h2_engine *e = stream->target->engine;
	unsigned moves = stream->moves++;
	uint64_t pause_ms = 1;

	if (stream->transfer->connect_ms && moves >= MOVES_MAX)
		return false;
	if (!moves) {
		h2_stream_again(stream);
		return true;
	}
	while (--moves && pause_ms < PAUSE_MS_MAX)
		pause_ms *= 2;
	stream->conn = NULL;
	stream->id = 0;
	h2_stream_move(stream, &stream->target->paused);
	http_timer_set(&e->net.timers, &stream->timer,
		http_earlier(e->net.now_ms + pause_ms, stream->deadline_ms));
	return true;
}

void h2_stream_lost(struct h2_stream *stream, enum http_error error)
{
	struct http_transfer *t = stream->transfer;
	bool may = !t->fresh && error == HTTP_ERR_reset;

	if (may && !t->sent && stream_refused(stream))
		return;
	if (may && t->sent && t->request.idempotent && !t->reply.status && !stream->lost) {
		stream->lost = true;
		h2_stream_again(stream);
		return;
	}
	h2_stream_finish(stream, error);
}

void h2_target_not_reached(struct h2_target *target, enum http_error error)
{
	struct h2_stream *stream;

	target->open_after_ms = target->engine->net.now_ms + OPEN_AGAIN_MS;
	if (!http_error_is_local(error))
		http_host_doubt(&target->origin.host);
	if (h2_target_stands(target))
		return;
	while ((stream = TAILQ_FIRST(&target->waiting)))
		h2_stream_finish(stream, error);
	while ((stream = TAILQ_FIRST(&target->paused)))
		h2_stream_finish(stream, error);
}

void h2_target_left(struct h2_target *target)
{
	target->changed |= !h2_target_stands(target);
}
