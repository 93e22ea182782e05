// SPDX-License-Identifier: BSD-3-Clause
// What an HTTP/2 server may send, through the session: no stream ends twice, and what is called an
// answer is one.
//
// The input is what the server sends behind its SETTINGS: first a byte that says where it is cut in
// two, between which a stream is cancelled. A frame is on stream 1, 3, 5 or 7 if it is to be of
// use.

#include "gw/http/h2_session.h"
#include "tests/fuzz/fuzz.h"

#include <string.h>

#define STREAMS   4
#define BODY_KEEP 64
#define BODY_MAX  256

static struct {
	struct http_transfer transfer;
	struct h2_stream stream;
	unsigned ended;
	enum http_error error;
} way[STREAMS];

static void ended(struct h2_stream *stream, enum http_error error)
{
	for (unsigned i = 0; i < STREAMS; i++) {
		if (stream != &way[i].stream)
			continue;
		FUZZ_CHECK(!way[i].ended);
		way[i].ended++;
		way[i].error = error;
		return;
	}
	FUZZ_CHECK(false);
}

static void way_start(struct h2_session *session, unsigned i)
{
	static const struct conf_server server = {.scheme = CONF_HTTP, .base = ""};
	static const uint8_t body[] = "body";
	struct http_body kept = way[i].stream.body;

	way[i].ended = 0;
	way[i].stream = (struct h2_stream){.body = kept};
	struct http_transfer *t = &way[i].transfer;
	t->request.method = i % 2 ? "POST" : "GET";
	t->request.has_body = i % 2;
	t->request.body = body;
	t->request.body_len = i % 2 ? sizeof(body) : 0;
	t->request.path = "/x";
	t->request.query = "";
	t->server = &server;
	t->host = "host";
	t->body_keep = BODY_KEEP;
	t->body_max = BODY_MAX;
	way[i].stream.transfer = t;
	FUZZ_CHECK(h2_session_submit(session, &way[i].stream) == HTTP_ERR_none);
}

static void say(struct h2_session *session)
{
	static uint8_t out[4096];
	ssize_t n;

	for (unsigned turns = 0; (n = h2_session_write(session, out, sizeof(out))) > 0; turns++)
		FUZZ_CHECK(turns < 1000);
	FUZZ_CHECK(n == 0);
}

// Returns whether it is taken on.
static bool hear(struct h2_session *session, const uint8_t *data, size_t len)
{
	bool good = h2_session_read(session, data, len) == HTTP_ERR_none;

	say(session);
	return good && !session->error;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static const uint8_t settings[] = {0, 0, 0, 4, 0, 0, 0, 0, 0};
	struct h2_session session = {.ended = ended};
	size_t cut = len ? data[0] % len : 0;
	bool cancelled = false;

	FUZZ_CHECK(!h2_session_create(&session, 0));
	say(&session);
	FUZZ_CHECK(hear(&session, settings, sizeof(settings)) && h2_session_has_room(&session));
	for (unsigned i = 0; i < STREAMS; i++)
		way_start(&session, i);
	say(&session);
	if (len && hear(&session, data + 1, cut)) {
		cancelled = !way[3].ended;
		if (cancelled)
			h2_session_cancel(&session, &way[3].stream);
		hear(&session, data + 1 + cut, len - 1 - cut);
	}
	FUZZ_CHECK(!cancelled || !way[3].ended);
	FUZZ_CHECK(session.streams <= STREAMS);
	for (unsigned i = 0; i < STREAMS; i++) {
		const struct http_reply *reply = &way[i].transfer.reply;

		FUZZ_CHECK(reply->body_len <= BODY_KEEP);
		if (!way[i].ended || way[i].error)
			continue;
		FUZZ_CHECK(reply->status >= 200 && reply->head_len <= HTTP_REPLY_HEAD);
		FUZZ_CHECK(way[i].stream.body.received <= BODY_MAX);
	}
	h2_session_free(&session);
	for (unsigned i = 0; i < STREAMS; i++) {
		free(way[i].stream.body.bytes);
		way[i].stream.body = (struct http_body){0};
	}
	return 0;
}
