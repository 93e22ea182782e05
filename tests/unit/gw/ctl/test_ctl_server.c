// SPDX-License-Identifier: BSD-3-Clause
// The server of the control socket: what a client may do to it, and to others through it.

#include "tests/unit/gw/ctl/fixture.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define REQUESTS_MAX 32

// Requests that wait for the test to answer them.
static struct ctl_request *waiting[REQUESTS_MAX];
static unsigned waiting_count;
static unsigned gone_count;
static int taken_fd = -1;

static void on_wait(void *arg, struct ctl_request *req, const struct ctl_cbor *args)
{
	cr_assert_lt(waiting_count, REQUESTS_MAX);
	waiting[waiting_count++] = req;
}

static void on_ping(void *arg, struct ctl_request *req, const struct ctl_cbor *args)
{
	ctl_request_end(req);
}

// As many replies of as many bytes as asked for.
static void on_flood(void *arg, struct ctl_request *req, const struct ctl_cbor *args)
{
	static const uint8_t zeros[CTL_MESSAGE_MAX];
	static struct ctl_writer body;
	struct ctl_cbor count, len;

	cr_assert(ctl_cbor_find(args, "count", &count) && ctl_cbor_find(args, "len", &len));
	for (uint64_t i = 0; i < count.value; i++) {
		ctl_writer_init(&body);
		ctl_write_map(&body);
		ctl_put_uint(&body, "i", i);
		ctl_put_bytes(&body, "zeros", zeros, len.value);
		ctl_write_close(&body);
		ctl_request_reply(req, &body, false);
	}
	ctl_request_end(req);
}

static unsigned streams_done;

struct numbers {
	uint64_t i, count, len;
};

static bool next_number(void *arg, struct ctl_request *req)
{
	static const uint8_t zeros[CTL_MESSAGE_MAX];
	static struct ctl_writer body;
	struct numbers *numbers = arg;

	if (numbers->i == numbers->count)
		return false;
	ctl_writer_init(&body);
	ctl_write_map(&body);
	ctl_put_uint(&body, "i", numbers->i++);
	ctl_put_bytes(&body, "zeros", zeros, numbers->len);
	ctl_write_close(&body);
	ctl_request_reply(req, &body, false);
	return true;
}

static void numbers_done(void *arg)
{
	streams_done++;
	free(arg);
}

// The same as a flood, but as the client reads.
static void on_stream(void *arg, struct ctl_request *req, const struct ctl_cbor *args)
{
	static const struct ctl_stream stream = {next_number, numbers_done};
	struct numbers *numbers = calloc(1, sizeof(*numbers));
	struct ctl_cbor count, len;

	cr_assert(ctl_cbor_find(args, "count", &count) && ctl_cbor_find(args, "len", &len));
	numbers->count = count.value;
	numbers->len = len.value;
	ctl_request_stream(req, &stream, numbers);
}

static void on_take(void *arg, struct ctl_request *req, const struct ctl_cbor *args)
{
	taken_fd = ctl_request_take_fd(req);
	cr_assert_eq(ctl_request_take_fd(req), -1, "a descriptor is taken once");
	ctl_request_end(req);
}

static void on_leave(void *arg, struct ctl_request *req, const struct ctl_cbor *args)
{
	ctl_request_end(req);
}

static const struct ctl_verb verbs[] = {
	{"wait", CTL_VIEW, false, on_wait, ""},
	{"ping", CTL_VIEW, false, on_ping, ""},
	{"flood", CTL_VIEW, false, on_flood, ""},
	{"stream", CTL_VIEW, false, on_stream, ""},
	{"take fd", CTL_VIEW, true, on_take, ""},
	{"leave fd", CTL_VIEW, true, on_leave, ""},
};

static struct fixture fixture;
static struct reply reply;

static void setup(void)
{
	fixture_init(&fixture, verbs, sizeof(verbs) / sizeof(verbs[0]), NULL);
	fixture_start(&fixture);
}

static void teardown(void)
{
	fixture_stop(&fixture);
}

TestSuite(ctl_server, .init = setup, .fini = teardown);

static void ask_for(int fd, uint64_t id, const char *verb, uint64_t count, uint64_t len)
{
	struct ctl_writer *request = client_begin(id, verb);

	ctl_put_uint(request, "count", count);
	ctl_put_uint(request, "len", len);
	client_send(fd, NULL, 0);
	fixture_turn(&fixture);
}

static void flood(int fd, uint64_t id, uint64_t count, uint64_t len)
{
	ask_for(fd, id, "flood", count, len);
}

Test(ctl_server, bad_messages_are_answered_and_the_connection_goes_on)
{
	static const struct {
		const char *what;
		uint8_t data[16];
		size_t len;
	} cases[] = {
		{"a bomb", {0x9a, 0x3f, 0xff, 0xff, 0xff}, 5},
		{"no array", {0xa0}, 1},
		{"two items", {0x82, 0x01, 0x61, 'x'}, 4},
		{"four items", {0x84, 0x01, 0x61, 'x', 0xa0, 0xa0}, 6},
		{"id 0, which events have", {0x83, 0x00, 0x61, 'x', 0xa0}, 5},
		{"a negative id", {0x83, 0x20, 0x61, 'x', 0xa0}, 5},
		{"a text as id", {0x83, 0x60, 0x61, 'x', 0xa0}, 5},
		{"a verb in bytes", {0x83, 0x01, 0x41, 'x', 0xa0}, 5},
		{"arguments in an array", {0x83, 0x01, 0x61, 'x', 0x80}, 5},
	};
	int fd = client_connect(fixture.path);

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		client_send_raw(fd, cases[i].data, cases[i].len, NULL, 0);
		client_expect(&fixture, fd, &reply, 0, "bad-request");
	}
	client_request(fd, 7, "fly");
	client_expect(&fixture, fd, &reply, 7, "unknown-verb");
	client_request(fd, UINT64_MAX, "ping");
	client_expect(&fixture, fd, &reply, UINT64_MAX, "ok");
	cr_expect_eq(reply.body.value, 0, "an empty map ends it");
	cr_expect_eq(fixture_stats(&fixture).rejected, sizeof(cases) / sizeof(cases[0]) + 1);
	cr_expect_eq(fixture_stats(&fixture).requests, 1);
	close(fd);
}

Test(ctl_server, oversized_datagram_is_refused)
{
	static uint8_t data[CTL_MESSAGE_MAX + 1];
	int fd = client_connect(fixture.path);

	// A request that would be whole if its last byte were cut off.
	memcpy(data, "\x83\x01\x64ping\xa1\x61x\x59", 11);
	data[11] = (CTL_MESSAGE_MAX - 13) >> 8;
	data[12] = (CTL_MESSAGE_MAX - 13) & 0xff;
	cr_assert_eq(ctl_cbor_walk(data, CTL_MESSAGE_MAX), CTL_CBOR_OK);
	client_send_raw(fd, data, sizeof(data), NULL, 0);
	client_expect(&fixture, fd, &reply, 0, "bad-request");
	client_send_raw(fd, data, CTL_MESSAGE_MAX, NULL, 0);
	client_expect(&fixture, fd, &reply, 1, "ok");
	close(fd);
}

Test(ctl_server, the_65th_client_is_told_that_it_is_one_too_many)
{
	int fds[CTL_CLIENTS_MAX + 1];

	for (unsigned i = 0; i <= CTL_CLIENTS_MAX; i++) {
		fds[i] = client_connect(fixture.path);
		fixture_turn(&fixture);
	}
	cr_expect_eq(fixture_stats(&fixture).clients, CTL_CLIENTS_MAX);
	client_expect(&fixture, fds[CTL_CLIENTS_MAX], &reply, 0, "busy");
	cr_assert(client_receive(fds[CTL_CLIENTS_MAX], &reply) && reply.closed);
	cr_expect_eq(fixture_stats(&fixture).refused, 1);
	close(fds[CTL_CLIENTS_MAX]);
	for (unsigned i = 0; i < CTL_CLIENTS_MAX; i++)
		client_request(fds[i], i + 1, "ping");
	for (unsigned i = 0; i < CTL_CLIENTS_MAX; i++)
		client_expect(&fixture, fds[i], &reply, i + 1, "ok");
	// A place is free again when one leaves.
	close(fds[0]);
	fixture_turn(&fixture);
	fds[0] = client_connect(fixture.path);
	client_request(fds[0], 1, "ping");
	client_expect(&fixture, fds[0], &reply, 1, "ok");
	for (unsigned i = 0; i < CTL_CLIENTS_MAX; i++)
		close(fds[i]);
	fixture_turn(&fixture);
	cr_expect_eq(fixture_stats(&fixture).clients, 0);
}

Test(ctl_server, a_burst_of_connections_larger_than_one_turn_is_served)
{
	int fds[CTL_CLIENTS_MAX];

	for (unsigned i = 0; i < CTL_CLIENTS_MAX; i++) {
		fds[i] = client_connect(fixture.path);
		for (unsigned n = 1; n <= 20; n++) // more than are read at once
			client_request(fds[i], n, "ping");
	}
	fixture_turn(&fixture);
	for (unsigned i = 0; i < CTL_CLIENTS_MAX; i++) {
		for (unsigned n = 1; n <= 20; n++)
			client_expect(&fixture, fds[i], &reply, n, "ok");
		close(fds[i]);
	}
}

Test(ctl_server, slow_reader_gets_all_in_order)
{
	int slow = client_connect(fixture.path), other = client_connect(fixture.path);

	flood(slow, 1, 20, 40000); // more than the socket's buffer holds
	client_request(slow, 2, "ping");
	client_request(other, 1, "ping");
	client_expect(&fixture, other, &reply, 1, "ok");
	for (unsigned i = 0; i < 20; i++) {
		client_expect(&fixture, slow, &reply, 1, "ok");
		cr_assert_eq(reply_uint(&reply, "i"), i);
	}
	client_expect(&fixture, slow, &reply, 1, "ok");
	cr_expect_eq(reply.body.value, 0);
	client_expect(&fixture, slow, &reply, 2, "ok");
	cr_expect_eq(fixture_stats(&fixture).slow, 0);
	close(slow);
	close(other);
}

Test(ctl_server, stream_waits_for_its_reader)
{
	int slow = client_connect(fixture.path), other = client_connect(fixture.path);

	ask_for(slow, 1, "stream", 5000, 1000); // more than a client may leave in our memory
	ask_for(slow, 2, "stream", 3, 1000);
	for (unsigned i = 0; i < 5000; i++) {
		client_expect(&fixture, slow, &reply, 1, "ok");
		cr_assert_eq(reply_uint(&reply, "i"), i);
		if (i % 1000)
			continue;
		client_request(other, i + 1, "ping");
		client_expect(&fixture, other, &reply, i + 1, "ok");
	}
	client_expect(&fixture, slow, &reply, 1, "ok");
	cr_expect_eq(reply.body.value, 0);
	for (unsigned i = 0; i < 3; i++)
		client_expect(&fixture, slow, &reply, 2, "ok");
	client_expect(&fixture, slow, &reply, 2, "ok");
	cr_expect_eq(reply.body.value, 0);
	cr_expect_eq(streams_done, 2);
	cr_expect_eq(fixture_stats(&fixture).slow, 0);
	cr_expect_eq(fixture_stats(&fixture).requests_open, 0);
	close(slow);
	close(other);
}

// At its end, in its midst, and with the server.
Test(ctl_server, stream_ends_with_its_client)
{
	int first = client_connect(fixture.path), second = client_connect(fixture.path);

	ask_for(first, 1, "stream", 100000, 1000);
	ask_for(second, 1, "stream", 100000, 1000);
	close(first);
	fixture_turn(&fixture);
	cr_expect_eq(streams_done, 1);
	cr_expect_eq(fixture_stats(&fixture).requests_open, 1);
	ctl_server_free(fixture.server);
	fixture.server = NULL;
	cr_expect_eq(streams_done, 2);
	close(second);
}

Test(ctl_server, stream_that_is_not_read_is_cut_off_in_the_end)
{
	struct pollfd ready = {.events = POLLIN};
	int fd;

	ctl_server_free(fixture.server);
	fixture.conf.idle_timeout_ms = 200;
	fixture_start(&fixture);
	fd = client_connect(fixture.path);
	ask_for(fd, 1, "stream", 100000, 1000);
	ready.fd = ctl_server_fd(fixture.server);
	while (!streams_done) {
		cr_assert_eq(poll(&ready, 1, 60000), 1);
		ctl_server_poll(fixture.server);
	}
	cr_expect_eq(fixture_stats(&fixture).slow, 1);
	close(fd);
}

Test(ctl_server, client_that_never_reads_is_cut_off)
{
	int slow = client_connect(fixture.path), other = client_connect(fixture.path);

	flood(slow, 1, 40, 60000);
	cr_expect_eq(fixture_stats(&fixture).slow, 1);
	cr_expect_eq(fixture_stats(&fixture).clients, 1);
	cr_expect_eq(fixture_stats(&fixture).requests_open, 0);
	do
		cr_assert(client_receive(slow, &reply));
	while (!reply.closed);
	client_request(other, 1, "ping");
	client_expect(&fixture, other, &reply, 1, "ok");
	close(slow);
	close(other);
}

Test(ctl_server, client_that_only_writes_is_not_read_any_more)
{
	int fd = client_connect(fixture.path);
	int flags = fcntl(fd, F_GETFL);
	uint8_t garbage[1000] = {0xff};
	uint64_t sent = 0;

	fcntl(fd, F_SETFL, flags | O_NONBLOCK);
	for (unsigned i = 0; i < 100000; i++) {
		if (send(fd, garbage, sizeof(garbage), MSG_NOSIGNAL) < 0)
			break;
		sent++;
		fixture_turn(&fixture);
	}
	cr_expect_eq(errno, EAGAIN);
	cr_expect_lt(fixture_stats(&fixture).rejected, sent);
	cr_expect_eq(fixture_stats(&fixture).slow, 0);
	close(fd);
	fixture_turn(&fixture);
	cr_expect_eq(fixture_stats(&fixture).clients, 0);
}

Test(ctl_server, answer_that_does_not_fit)
{
	int fd = client_connect(fixture.path);

	flood(fd, 1, 3, CTL_MESSAGE_MAX - 8);
	client_expect(&fixture, fd, &reply, 1, "too-large");
	// The body fits, but not the message around it.
	flood(fd, 2, 1, CTL_MESSAGE_MAX - 14);
	client_expect(&fixture, fd, &reply, 2, "too-large");
	client_request(fd, 3, "ping");
	client_expect(&fixture, fd, &reply, 3, "ok");
	close(fd);
}

static void count_gone(void *arg)
{
	gone_count++;
}

Test(ctl_server, answers_may_come_later_and_in_any_order)
{
	int fd = client_connect(fixture.path);

	for (unsigned i = 1; i <= 3; i++)
		client_request(fd, i, "wait");
	client_request(fd, 4, "ping");
	client_expect(&fixture, fd, &reply, 4, "ok");
	cr_assert_eq(waiting_count, 3);
	for (unsigned i = 3; i >= 1; i--) {
		cr_expect(ctl_request_is_alive(waiting[i - 1]));
		ctl_request_on_gone(waiting[i - 1], count_gone, NULL);
		ctl_request_error(waiting[i - 1], CTL_BUSY, "number %u", i);
		client_expect(&fixture, fd, &reply, i, "busy");
	}
	close(fd);
	fixture_turn(&fixture);
	cr_expect_eq(gone_count, 0, "they were answered before");
}

Test(ctl_server, request_outlives_its_client)
{
	int fd = client_connect(fixture.path), other = client_connect(fixture.path);

	client_request(fd, 1, "wait");
	client_request(fd, 2, "wait");
	client_request(other, 1, "wait");
	fixture_turn(&fixture);
	cr_assert_eq(waiting_count, 3);
	for (unsigned i = 0; i < 2; i++)
		ctl_request_on_gone(waiting[i], count_gone, NULL);
	ctl_request_on_gone(waiting[2], count_gone, NULL);
	close(fd);
	fixture_turn(&fixture);
	cr_expect_eq(gone_count, 2);
	cr_expect_not(ctl_request_is_alive(waiting[0]));
	cr_expect(ctl_request_is_alive(waiting[2]));
	cr_expect_eq(fixture_stats(&fixture).requests_open, 3);
	// A new client may have the slot of the old one: it must not get the answers.
	fd = client_connect(fixture.path);
	fixture_turn(&fixture);
	for (unsigned i = 0; i < 3; i++)
		ctl_request_end(waiting[i]);
	cr_expect_not(client_receive(fd, &reply));
	client_expect(&fixture, other, &reply, 1, "ok");
	cr_expect_eq(fixture_stats(&fixture).requests_open, 0);
	cr_expect_eq(gone_count, 2);
	close(fd);
	close(other);
}

// Ends another request too, as a handler would whose requests share one job.
static void end_all(void *arg)
{
	gone_count++;
	while (waiting_count)
		ctl_request_end(waiting[--waiting_count]);
}

Test(ctl_server, whoever_is_told_may_answer_at_once)
{
	int fd = client_connect(fixture.path);

	for (unsigned i = 1; i <= 4; i++)
		client_request(fd, i, "wait");
	fixture_turn(&fixture);
	for (unsigned i = 0; i < 4; i++)
		ctl_request_on_gone(waiting[i], end_all, NULL);
	close(fd);
	fixture_turn(&fixture);
	cr_expect_eq(gone_count, 1);
	cr_expect_eq(fixture_stats(&fixture).requests_open, 0);
}

Test(ctl_server, request_sent_before_leaving_is_done)
{
	int fd = client_connect(fixture.path);

	client_request(fd, 1, "wait");
	close(fd);
	fixture_turn(&fixture);
	cr_assert_eq(waiting_count, 1);
	cr_expect_not(ctl_request_is_alive(waiting[0]));
	ctl_request_on_gone(waiting[0], count_gone, NULL);
	cr_expect_eq(gone_count, 1, "told at once");
	ctl_request_end(waiting[0]);
}

Test(ctl_server, at_most_16_requests_of_a_client_are_open)
{
	int fd = client_connect(fixture.path);

	for (unsigned i = 1; i <= CTL_REQUESTS_MAX + 3; i++)
		client_request(fd, i, "wait");
	fixture_turn(&fixture);
	cr_expect_eq(waiting_count, CTL_REQUESTS_MAX);
	ctl_request_end(waiting[0]);
	client_expect(&fixture, fd, &reply, 1, "ok");
	cr_expect_eq(waiting_count, CTL_REQUESTS_MAX + 1);
	// A client that leaves is noticed though it is not read.
	close(fd);
	fixture_turn(&fixture);
	cr_expect_eq(fixture_stats(&fixture).clients, 0);
	for (unsigned i = 1; i < waiting_count; i++)
		ctl_request_end(waiting[i]);
}

Test(ctl_server, requests_outlive_the_server)
{
	int fd = client_connect(fixture.path);

	client_request(fd, 1, "wait");
	client_request(fd, 2, "wait");
	fixture_turn(&fixture);
	cr_assert_eq(waiting_count, 2);
	ctl_request_on_gone(waiting[0], count_gone, NULL);
	fixture_stop(&fixture);
	cr_expect_eq(gone_count, 1);
	cr_expect_null(ctl_request_server(waiting[0]));
	ctl_request_end(waiting[0]);
	ctl_request_error(waiting[1], CTL_STOPPING, "too late");
	cr_assert(client_receive(fd, &reply) && reply.closed);
	close(fd);
}

Test(ctl_server, descriptors_are_taken_one_at_a_time_and_never_leak)
{
	int fd = client_connect(fixture.path);
	int fds[8];
	unsigned before;

	fixture_turn(&fixture);
	for (unsigned i = 0; i < 8; i++)
		fds[i] = open("/dev/null", O_RDONLY | O_CLOEXEC);
	before = open_fds();
	for (unsigned count = 0; count <= 8; count++) {
		// Eight are more than the server has room for; the kernel drops some of them.
		client_begin(1, "leave fd");
		client_send(fd, fds, count);
		client_expect(
			&fixture, fd, &reply, count > 4 ? 0 : 1, count == 1 ? "ok" : "bad-request");
		cr_expect_eq(open_fds(), before, "%u sent", count);
	}
	client_begin(2, "ping");
	client_send(fd, fds, 1);
	client_expect(&fixture, fd, &reply, 2, "bad-request");
	client_send_raw(fd, "\xff", 1, fds, 2);
	client_expect(&fixture, fd, &reply, 0, "bad-request");
	cr_expect_eq(open_fds(), before);

	client_begin(3, "take fd");
	client_send(fd, fds, 1);
	client_expect(&fixture, fd, &reply, 3, "ok");
	cr_expect_eq(open_fds(), before + 1);
	cr_expect(fcntl(taken_fd, F_GETFD) & FD_CLOEXEC);
	close(taken_fd);

	// No byte at all, but a descriptor: the end of the connection, and nothing left behind.
	client_send_raw(fd, "", 0, fds, 1);
	fixture_turn(&fixture);
	cr_assert(client_receive(fd, &reply) && reply.closed);
	cr_expect_eq(open_fds(), before - 1);
	close(fd);
	for (unsigned i = 0; i < 8; i++)
		close(fds[i]);
}
