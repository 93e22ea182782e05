// SPDX-License-Identifier: BSD-3-Clause
// The HTTP/1.1 engine: what is kept, what is sent again, and what is an answer.

#include "base/clock.h"
#include "tests/unit/gw/http/alone.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <openssl/err.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

// ---- what is kept

Test(http_h1_engine, a_connection_is_kept)
{
	for (unsigned tls = 0; tls < 2; tls++) {
		struct alone *a = alone_make(tls);

		alone_first(a, KEPT);
		cr_expect(alone_second_is_on_it(a));
		cr_expect_eq(a->engine->ops->connections(a->engine), 1);
		alone_end(a);
	}
}

// What comes behind an answer is seen in the same read, and nothing of it stays to be found.
Test(http_h1_engine, bytes_behind_an_answer_end_the_connection)
{
	for (unsigned tls = 0; tls < 2; tls++) {
		struct alone *a = alone_make(tls);

		alone_first(a, KEPT "HTTP/1.1 404 Of nobody\r\nContent-Length: 0\r\n\r\n");
		cr_expect_not(alone_second_is_on_it(a));
		alone_end(a);
	}
}

// The end of one answer and a whole one more in a record that comes when nothing is asked.
Test(http_h1_engine, bytes_of_nobody_end_the_connection)
{
	for (unsigned tls = 0; tls < 2; tls++) {
		struct alone *a = alone_make(tls);

		alone_first(a, KEPT);
		alone_say(a, "H");
		cr_expect_not(alone_second_is_on_it(a));
		alone_end(a);
	}
}

// Tickets and key updates are TLS's own.
Test(http_h1_engine, what_tls_says_to_itself_is_no_answer)
{
	for (unsigned i = 0; i < 3; i++) {
		struct alone *a = alone_make(true);

		alone_first(a, KEPT);
		if (i == 0)
			cr_assert_eq(SSL_new_session_ticket(a->peer.tls), 1);
		else
			cr_assert_eq(SSL_key_update(a->peer.tls,
					     i == 1 ? SSL_KEY_UPDATE_NOT_REQUESTED
						    : SSL_KEY_UPDATE_REQUESTED),
				1);
		cr_assert_eq(SSL_do_handshake(a->peer.tls), 1);
		for (unsigned turns = 0; turns < 3; turns++)
			alone_turn(a);
		cr_expect(alone_second_is_on_it(a), "%u", i);
		alone_end(a);
	}
}

// A server that says much more of it does not keep the loop from others.
Test(http_h1_engine, one_turn_takes_in_some_of_what_tls_says_to_itself)
{
	struct alone *a = alone_make(true);
	struct asker asker;

	alone_first(a, KEPT);
	alone_ask(a, &asker, "GET");
	cr_assert(alone_read(a, 0));
	for (unsigned i = 0; i < 3000; i++) {
		cr_assert_eq(SSL_key_update(a->peer.tls, SSL_KEY_UPDATE_NOT_REQUESTED), 1);
		cr_assert_eq(SSL_do_handshake(a->peer.tls), 1);
	}
	alone_say(a, KEPT);
	alone_turn(a);
	cr_expect_not(asker.done);
	cr_expect_eq(alone_wait(a, &asker), HTTP_ERR_none);
	cr_expect_eq(asker.transfer.reply.status, 200);
	alone_end(a);
}

// A server that asks for other keys is told no, and the connection ends at once, not in time.
Test(http_h1_engine, renegotiation_is_refused)
{
	struct alone *a = alone_make(true);
	struct asker asker;

	SSL_CTX_set_max_proto_version(a->tls, TLS1_2_VERSION);
	alone_first(a, KEPT);
	alone_ask(a, &asker, "POST");
	cr_assert(alone_read(a, 0));
	cr_assert_eq(SSL_renegotiate(a->peer.tls), 1);
	SSL_do_handshake(a->peer.tls);
	uint64_t until = clock_ms() + ALONE_LONG_MS;
	char byte[4096];
	int n;
	while ((n = SSL_read(a->peer.tls, byte, sizeof(byte))) > 0 ||
		SSL_get_error(a->peer.tls, n) == SSL_ERROR_WANT_READ) {
		cr_assert(clock_ms() < until, "neither refused nor ended");
		alone_turn(a);
	}
	alone_close(a);
	cr_expect_eq(alone_wait(a, &asker), HTTP_ERR_reset);
	alone_end(a);
}

// As long as the server says, less a second, else as long as the configuration does; also where one
// answer says less than that before.
Test(http_h1_engine, idle_connections_end_in_time)
{
	static const struct {
		const char *answer;
		uint64_t kept_ms, ended_ms;
	} rows[] = {
		{KEPT, 3900, 4000},
		{"HTTP/1.1 200 OK\r\nKeep-Alive: timeout=2\r\nContent-Length: 0\r\n\r\n", 900,
			1000},
		{"HTTP/1.1 200 OK\r\nKeep-Alive: timeout=9\r\nContent-Length: 0\r\n\r\n", 7900,
			8000},
		{"HTTP/1.1 200 OK\r\nKeep-Alive: timeout=1\r\nContent-Length: 0\r\n\r\n", 0, 0},
	};
	char byte;

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct alone *a = alone_make(false);

		alone_first(a, rows[2].answer);
		struct asker asker;
		alone_ask(a, &asker, "GET");
		cr_assert(alone_read(a, 0));
		alone_say(a, rows[i].answer);
		cr_assert_eq(alone_wait(a, &asker), HTTP_ERR_none);
		uint64_t before = clock_ms();
		a->later_ms = rows[i].kept_ms > 100 ? rows[i].kept_ms - 100 : 0;
		alone_turn(a);
		// On a machine that was stopped for a while this says nothing.
		if (rows[i].kept_ms && clock_ms() - before < 100)
			cr_expect_lt(recv(a->peer.fd, &byte, 1, MSG_DONTWAIT), 0, "row %zu", i);
		a->later_ms = rows[i].ended_ms;
		alone_turn(a);
		cr_expect_eq(recv(a->peer.fd, &byte, 1, MSG_DONTWAIT), 0, "row %zu", i);
		alone_end(a);
	}
}

// ---- what is sent again

// The server goes away when it has the request, and says this before.
static enum http_error lost_under_it(
	struct alone *a, const char *method, const char *says, struct asker *asker)
{
	alone_ask(a, asker, method);
	cr_assert(alone_read(a, 0));
	alone_say(a, says);
	alone_close(a);
	for (unsigned i = 0; i < 5 && !asker->done; i++)
		alone_turn(a);
	return asker->done ? asker->error : HTTP_ERR_none;
}

Test(http_h1_engine, what_is_idempotent_is_sent_once_more)
{
	struct alone *a = alone_make(false);
	struct asker asker;

	alone_first(a, KEPT);
	lost_under_it(a, "GET", "", &asker);
	cr_assert_not(asker.done);
	alone_accept(a);
	cr_assert(alone_read(a, 0));
	alone_close(a); // and that was all
	cr_expect_eq(alone_wait(a, &asker), HTTP_ERR_reset);
	cr_expect(asker.transfer.sent);
	cr_expect_not(alone_is_asked(a));
	alone_end(a);
}

Test(http_h1_engine, what_is_not_idempotent_is_not)
{
	struct alone *a = alone_make(false);
	struct asker asker;

	alone_first(a, KEPT);
	cr_expect_eq(lost_under_it(a, "POST", "", &asker), HTTP_ERR_reset);
	cr_expect(asker.transfer.sent);
	cr_expect_not(alone_is_asked(a));
	alone_end(a);
}

Test(http_h1_engine, nor_what_has_an_answer_that_began)
{
	struct alone *a = alone_make(false);
	struct asker asker;

	alone_first(a, KEPT);
	cr_expect_eq(lost_under_it(a, "GET", "H", &asker), HTTP_ERR_reset);
	cr_expect_not(alone_is_asked(a));
	alone_end(a);
}

// No new connection comes about: the server had the request all the same.
Test(http_h1_engine, what_was_sent_stays_sent)
{
	struct alone *a = alone_make(false);
	struct asker asker;

	alone_first(a, KEPT);
	alone_ask(a, &asker, "GET");
	cr_assert(alone_read(a, 0));
	close(a->listener);
	alone_close(a);
	cr_expect_eq(alone_wait(a, &asker), HTTP_ERR_connect);
	cr_expect(asker.transfer.sent);
	a->listener = -1;
	alone_end(a);
}

// The request waits for room on a connection that was quiet, and then is not any more: it goes to
// another one, though it may not be repeated.
Test(http_h1_engine, bytes_before_the_first_of_a_request_are_no_answer)
{
	struct alone *a = alone_make(false);
	struct asker asker;

	alone_first(a, KEPT);
	alone_send_errno = EAGAIN;
	alone_ask(a, &asker, "POST");
	alone_say(a, KEPT);
	alone_send_errno = 0;
	alone_turn_masked(a, EPOLLOUT);
	cr_expect_not(asker.done || asker.transfer.sent);
	alone_accept(a);
	cr_assert(alone_read(a, ALONE_BODY));
	alone_say(a, KEPT);
	cr_expect_eq(alone_wait(a, &asker), HTTP_ERR_none);
	alone_end(a);
}

// ---- ends

// An answer that only the end of its connection ends.
static enum http_error to_end(struct alone *a, bool notify)
{
	struct asker asker;

	alone_ask(a, &asker, "GET");
	alone_accept(a);
	cr_assert(alone_read(a, 0));
	alone_say(a, "HTTP/1.1 200 OK\r\n\r\nhalf");
	if (notify)
		SSL_shutdown(a->peer.tls);
	alone_close(a);
	return alone_wait(a, &asker);
}

Test(http_h1_engine, without_close_notify_an_answer_may_be_cut_off)
{
	struct alone *a = alone_make(true);

	cr_expect_eq(to_end(a, true), HTTP_ERR_none);
	cr_expect_eq(to_end(a, false), HTTP_ERR_reset);
	alone_end(a);
}

// The server answers early, and the next write fails like this.
static enum http_error early(const char *head, size_t body, int error)
{
	struct alone *a = alone_make(false);
	struct asker asker;
	char *text = calloc(1, body + 1);

	alone_ask(a, &asker, "POST");
	alone_send_errno = EAGAIN;
	alone_send_head = true;
	alone_accept(a);
	cr_assert(alone_read(a, 0));
	memset(text, 'x', body);
	alone_say(a, head);
	alone_say(a, text);
	alone_close(a);
	alone_send_errno = error;
	alone_turn_masked(a, EPOLLOUT);
	enum http_error got = alone_wait(a, &asker);
	alone_send_errno = 0;
	alone_end(a);
	free(text);
	return got;
}

// All of an early answer is read, however long it is; and a connection that was reset has no end.
Test(http_h1_engine, an_early_answer_is_read_before_it_is_judged)
{
	cr_expect_eq(early("HTTP/1.1 413 No\r\nContent-Length: 200000\r\n\r\n", 200000, EPIPE),
		HTTP_ERR_none);
	cr_expect_eq(
		early("HTTP/1.1 413 No\r\nContent-Length: 9\r\n\r\n", 8, EPIPE), HTTP_ERR_reset);
	cr_expect_eq(early("HTTP/1.1 413 No\r\n\r\n", 9, ECONNRESET), HTTP_ERR_reset);
}

// ---- answers without an end

static unsigned heads;
static size_t taken;

static enum http_error head_seen(struct http_transfer *transfer)
{
	heads++;
	return transfer->reply.status == 200 ? HTTP_ERR_none : HTTP_ERR_bad_status;
}

static enum http_error part_taken(struct http_transfer *transfer, const void *data, size_t len)
{
	(void)transfer;
	(void)data;
	taken += len;
	return HTTP_ERR_none;
}

static void ask_without_end(struct alone *a, struct asker *asker)
{
	alone_ask(a, asker, "GET");
	asker->transfer.head = head_seen;
	asker->transfer.take = part_taken;
	asker->transfer.timeout_ms = ALONE_LONG_MS;
	asker->transfer.quiet_ms = 10000;
	heads = 0;
	taken = 0;
}

static void turn_until_taken(struct alone *a, size_t len)
{
	for (unsigned i = 0; taken < len && i < 1000; i++)
		alone_turn(a);
	cr_assert_eq(taken, len);
}

// It goes on for as long as something comes of it, and longer than any body may be.
Test(http_h1_engine, an_answer_without_end)
{
	for (unsigned tls = 0; tls < 2; tls++) {
		struct alone *a = alone_make(tls);
		struct asker asker;

		ask_without_end(a, &asker);
		asker.transfer.body_max = 10;
		alone_accept(a);
		cr_assert(alone_read(a, 0));
		alone_say(a, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
		for (unsigned i = 1; i <= 10; i++) {
			alone_say(a, "5\r\nhello\r\n");
			turn_until_taken(a, 5 * (size_t)i);
			a->later_ms += 9000;
			alone_turn(a);
			cr_assert(!asker.done, "%u", i);
		}
		cr_expect_eq(heads, 1);
		alone_say(a, "0\r\n\r\n");
		cr_expect_eq(alone_wait(a, &asker), HTTP_ERR_none);
		cr_expect_eq(asker.transfer.reply.body_len, 0);
		alone_end(a);
	}
}

Test(http_h1_engine, an_answer_without_end_that_is_quiet)
{
	struct alone *a = alone_make(false);
	struct asker asker;

	ask_without_end(a, &asker);
	alone_accept(a);
	cr_assert(alone_read(a, 0));
	alone_say(a, "HTTP/1.1 200 OK\r\n\r\nx");
	turn_until_taken(a, 1);
	a->later_ms = ALONE_LONG_MS + 1000; // until its head is there
	alone_turn(a);
	cr_assert(!asker.done);
	a->later_ms += 10001;
	alone_turn(a);
	cr_assert(asker.done);
	cr_expect_eq(asker.error, HTTP_ERR_timeout);
	// One whose head does not come.
	a->later_ms = 0;
	ask_without_end(a, &asker);
	alone_accept(a);
	cr_assert(alone_read(a, 0));
	alone_say(a, "HTTP/1.1 200 OK\r\nX: ");
	alone_turn(a);
	a->later_ms = ALONE_LONG_MS + 1000;
	alone_turn(a);
	cr_assert(asker.done);
	cr_expect_eq(asker.error, HTTP_ERR_timeout);
	cr_expect_eq(heads, 0);
	alone_end(a);
}

Test(http_h1_engine, an_answer_without_end_whose_head_is_refused)
{
	struct alone *a = alone_make(false);
	struct asker asker;

	ask_without_end(a, &asker);
	alone_accept(a);
	cr_assert(alone_read(a, 0));
	alone_say(a, "HTTP/1.1 404 X\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n");
	cr_expect_eq(alone_wait(a, &asker), HTTP_ERR_bad_status);
	cr_expect_eq(asker.transfer.reply.status, 404);
	cr_expect_eq(taken, 0);
	alone_end(a);
}
