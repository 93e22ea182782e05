// SPDX-License-Identifier: BSD-3-Clause
// Events of the control socket, and the verbs that change what the store knows.

#include "gw/ctl/events.h"
#include "gw/ctl/verbs.h"
#include "tests/unit/gw/ctl/fixture.h"

#include <criterion/criterion.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static struct fixture fixture;
static struct reply reply;

// What the daemon was asked.
static char asked_name[DEVICE_NAME_MAX + 1];
static bool asked_has_from;
static uint64_t asked_from;
static struct device_spec asked_spec;
static char asked_path[CTL_PATH_MAX + 1];

static void fake_resync(
	void *arg, struct ctl_request *req, const char *name, bool has_from, uint64_t from)
{
	strcpy(asked_name, name);
	asked_has_from = has_from;
	asked_from = from;
	ctl_reply_resynced(req, name, has_from, from);
}

static void fake_rotate(
	void *arg, struct ctl_request *req, const char *name, const struct device_spec *spec)
{
	strcpy(asked_name, name);
	asked_spec = *spec;
	ctl_reply_added(req, DEVICE_REPLACED, name);
}

static void fake_check(void *arg, struct ctl_request *req)
{
	struct check_report check = {.devices = 7, .problems = 25, .told = 2};

	strcpy(check.problem[0].text, "device a: its keys do not open");
	strcpy(check.problem[1].text, "device b: its keys do not open");
	ctl_reply_checked(req, &check);
}

static void fake_backup(void *arg, struct ctl_request *req, const char *path)
{
	strcpy(asked_path, path);
	ctl_request_end(req);
}

static struct ctl_ops ops = {
	.device_resync = fake_resync,
	.device_rotate = fake_rotate,
	.store_check = fake_check,
	.store_backup = fake_backup,
};

static void set_up(void)
{
	fixture_init(&fixture, ctl_verbs, ctl_verb_count, &ops);
	fixture.conf.idle_timeout_ms = 500;
}

static void tear_down(void)
{
	fixture_stop(&fixture);
}

TestSuite(ctl_events, .init = set_up, .fini = tear_down);

static int subscriber(void)
{
	int fd = client_connect(fixture.path);

	client_request(fd, 1, "events");
	client_expect(&fixture, fd, &reply, 1, "ok");
	cr_expect_eq(reply.body.value, 0);
	return fd;
}

static void expect_event(int fd, const char *event)
{
	fixture_turn(&fixture);
	cr_assert(client_receive(fd, &reply));
	cr_assert_not(reply.closed);
	cr_expect_eq(reply.id, 0);
	cr_expect_str_eq(reply.status, event);
}

Test(ctl_events, who_asked_gets_events_with_id_0_and_nobody_else)
{
	fixture.conf.idle_timeout_ms = 0;
	fixture_start(&fixture);
	int other = client_connect(fixture.path), fd = subscriber();

	client_request(fd, 2, "events"); // twice is as once
	client_expect(&fixture, fd, &reply, 2, "ok");
	cr_expect_eq(ctl_server_subscribers(fixture.server), 1);
	ctl_event_device_state(fixture.server, "pump-7", "replay-locked");
	ctl_event_limit(fixture.server, "pump-7", "forgery-half");
	ctl_event_alarm(fixture.server, "the store has no room left", false);
	ctl_event_upstream_state(fixture.server, "api", 3, 2);
	ctl_event_server_order(fixture.server, "api", "http://h", "drain");
	expect_event(fd, "device.state");
	cr_expect(reply_text_is(&reply, "name", "pump-7"));
	cr_expect(reply_text_is(&reply, "state", "replay-locked"));
	expect_event(fd, "limit");
	cr_expect(reply_text_is(&reply, "limit", "forgery-half"));
	expect_event(fd, "alarm");
	cr_expect(reply_text_is(&reply, "message", "the store has no room left"));
	cr_expect_not(reply_bool(&reply, "active"));
	expect_event(fd, "upstream.state");
	cr_expect_eq(reply_uint(&reply, "servers"), 3);
	cr_expect_eq(reply_uint(&reply, "servers_up"), 2);
	expect_event(fd, "server.order");
	cr_expect(reply_text_is(&reply, "upstream", "api"));
	cr_expect(reply_text_is(&reply, "server", "http://h"));
	cr_expect(reply_text_is(&reply, "order", "drain"));
	cr_expect_not(client_receive(fd, &reply));
	cr_expect_not(client_receive(other, &reply));
	close(fd);
	fixture_turn(&fixture);
	cr_expect_eq(ctl_server_subscribers(fixture.server), 0);
	ctl_event_limit(fixture.server, "pump-7", "use");
	// Whoever has the connection's place next is not subscribed by that.
	fd = client_connect(fixture.path);
	fixture_turn(&fixture);
	ctl_event_limit(fixture.server, "pump-7", "use");
	cr_expect_not(client_receive(fd, &reply));
	close(fd);
	close(other);
}

Test(ctl_events, without_a_server_or_subscribers_nothing_happens)
{
	ctl_event_alarm(NULL, "of the start", true);
	fixture_start(&fixture);
	ctl_event_alarm(fixture.server, "unheard", true);
}

Test(ctl_events, a_subscriber_that_does_not_read_is_cut_off_and_the_others_hear_all)
{
	fixture.conf.idle_timeout_ms = 0;
	fixture_start(&fixture);
	int slow = subscriber(), fd = subscriber();
	uint64_t sent = 0;

	for (; fixture_stats(&fixture).slow == 0; sent++) {
		cr_assert_lt(sent, 1000000);
		ctl_event_upstream_state(fixture.server, "api", sent, 0);
		expect_event(fd, "upstream.state");
		cr_assert_eq(reply_uint(&reply, "servers"), sent);
	}
	cr_expect_gt(sent, 1000); // its socket and our memory hold some
	cr_expect_eq(ctl_server_subscribers(fixture.server), 1);
	cr_expect_eq(fixture_stats(&fixture).clients, 1);
	close(slow);
	close(fd);
}

Test(ctl_events, a_subscriber_may_be_silent)
{
	fixture_start(&fixture);
	int fd = subscriber(), idle = client_connect(fixture.path);
	struct pollfd ready[] = {
		{.fd = ctl_server_fd(fixture.server), .events = POLLIN},
		{.fd = idle, .events = POLLIN},
	};

	while (poll(ready, 2, 60000) > 0 && !ready[1].revents)
		ctl_server_poll(fixture.server);
	cr_assert(client_receive(idle, &reply) && reply.closed);
	cr_expect_eq(fixture_stats(&fixture).clients, 1);
	ctl_event_limit(fixture.server, "pump-7", "use");
	expect_event(fd, "limit");
	close(fd);
	close(idle);
}

static void start_patient(void)
{
	fixture.conf.idle_timeout_ms = 0;
	fixture_start(&fixture);
}

Test(ctl_events, resync_takes_a_name_and_a_number_that_a_device_can_have)
{
	start_patient();
	int fd = client_connect(fixture.path);
	struct ctl_writer *request = client_begin(1, "device resync");

	ctl_put_text(request, "name", "pump-7");
	client_send(fd, NULL, 0);
	client_expect(&fixture, fd, &reply, 1, "ok");
	cr_expect_str_eq(asked_name, "pump-7");
	cr_expect_not(asked_has_from);
	cr_expect_not(reply_has(&reply, "mark"));
	request = client_begin(2, "device resync");
	ctl_put_text(request, "name", "pump-7");
	ctl_put_uint(request, "from", DEVICE_SEQ_MAX);
	client_send(fd, NULL, 0);
	client_expect(&fixture, fd, &reply, 2, "ok");
	cr_expect(asked_has_from);
	cr_expect_eq(asked_from, DEVICE_SEQ_MAX);
	cr_expect_eq(reply_uint(&reply, "mark"), DEVICE_SEQ_MAX);
	request = client_begin(3, "device resync");
	ctl_put_text(request, "name", "pump-7");
	ctl_put_uint(request, "from", DEVICE_SEQ_MAX + 1);
	client_send(fd, NULL, 0);
	client_expect(&fixture, fd, &reply, 3, "bad-request");
	client_request(fd, 4, "device resync");
	client_expect(&fixture, fd, &reply, 4, "bad-request");
	close(fd);
}

static struct ctl_writer *rotate_begin(uint64_t id)
{
	struct ctl_writer *request = client_begin(id, "device rotate");

	ctl_put_bytes(request, "device_id", "\x0b", 1);
	ctl_put_bytes(request, "gateway_id", "", 0);
	ctl_put_bytes(request, "master_secret", "0123456789abcdef", 16);
	ctl_put_uint(request, "gateway_seq", 9);
	return request;
}

Test(ctl_events, rotate_takes_the_keys_of_a_device_that_is_named)
{
	start_patient();
	int fd = client_connect(fixture.path);
	struct ctl_writer *request = rotate_begin(1);

	ctl_put_text(request, "name", "pump-7");
	ctl_put_uint(request, "device_seq", 12);
	ctl_put_text(request, "recovery", "floor");
	ctl_put_text(request, "own_piv", "clock");
	ctl_put_uint(request, "max_message", 1038);
	ctl_put_uint(request, "max_in_flight", 255);
	client_send(fd, NULL, 0);
	client_expect(&fixture, fd, &reply, 1, "ok");
	cr_expect(reply_text_is(&reply, "outcome", "replaced"));
	cr_expect_str_eq(asked_name, "pump-7");
	cr_expect_str_empty(asked_spec.name);
	cr_expect(asked_spec.has_device_seq && asked_spec.device_seq == 12);
	cr_expect(asked_spec.has_recovery && asked_spec.recovery == DEVICE_FLOOR);
	cr_expect(asked_spec.has_own_piv && asked_spec.own_piv == DEVICE_OWN_PIV_CLOCK);
	cr_expect_eq(asked_spec.settings.max_message, 1038);
	cr_expect_eq(asked_spec.settings.max_in_flight, 255);
	cr_expect_eq(asked_spec.params.recipient_id[0], 0x0b);

	request = rotate_begin(2);
	ctl_put_text(request, "name", "pump-7");
	client_send(fd, NULL, 0);
	client_expect(&fixture, fd, &reply, 2, "ok");
	cr_expect_not(asked_spec.has_recovery || asked_spec.has_own_piv);
	rotate_begin(3);
	client_send(fd, NULL, 0);
	client_expect(&fixture, fd, &reply, 3, "bad-request"); // no name
	static const char *const wrong[][2] = {{"recovery", "ceiling"}, {"recovery", "floor "},
		{"own_piv", "never"}, {"own_piv", "a word that is far too long to be one of them"}};
	for (unsigned i = 0; i < 4; i++) {
		request = rotate_begin(4 + i);
		ctl_put_text(request, "name", "pump-7");
		ctl_put_text(request, wrong[i][0], wrong[i][1]);
		client_send(fd, NULL, 0);
		client_expect(&fixture, fd, &reply, 4 + i, "bad-request");
	}
	request = rotate_begin(8);
	ctl_put_text(request, "name", "pump-7");
	ctl_put_bool(request, "replace", true);
	client_send(fd, NULL, 0);
	client_expect(&fixture, fd, &reply, 8, "bad-request");
	close(fd);
}

Test(ctl_events, check_tells_problems_then_the_result)
{
	start_patient();
	int fd = client_connect(fixture.path);

	client_request(fd, 1, "store check");
	client_expect(&fixture, fd, &reply, 1, "ok");
	cr_expect(reply_text_is(&reply, "part", "problem"));
	cr_expect(reply_text_is(&reply, "message", "device a: its keys do not open"));
	client_expect(&fixture, fd, &reply, 1, "ok");
	client_expect(&fixture, fd, &reply, 1, "ok");
	cr_expect(reply_text_is(&reply, "part", "result"));
	cr_expect_eq(reply_uint(&reply, "devices"), 7);
	cr_expect_eq(reply_uint(&reply, "problems"), 25);
	client_expect(&fixture, fd, &reply, 1, "ok");
	cr_expect_eq(reply.body.value, 0);
	close(fd);
}

Test(ctl_events, backup_takes_a_path_from_the_root)
{
	start_patient();
	int fd = client_connect(fixture.path);
	struct ctl_writer *request = client_begin(1, "store backup");

	ctl_put_text(request, "path", "/backup/1.db");
	client_send(fd, NULL, 0);
	client_expect(&fixture, fd, &reply, 1, "ok");
	cr_expect_str_eq(asked_path, "/backup/1.db");
	request = client_begin(2, "store backup");
	ctl_put_text(request, "path", "backup/1.db");
	client_send(fd, NULL, 0);
	client_expect(&fixture, fd, &reply, 2, "bad-request");
	close(fd);
}
