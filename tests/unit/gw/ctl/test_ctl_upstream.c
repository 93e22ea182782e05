// SPDX-License-Identifier: BSD-3-Clause
// The verbs about servers of upstreams.

#include "tests/unit/gw/ctl/one_client.h"

#include <criterion/criterion.h>
#include <string.h>

static char asked_name[CTL_UPSTREAM_MAX + 1];
static enum ctl_server_order asked_order;
static char asked_server[CTL_SERVER_MAX + 1];

static void fake_upstream_show(void *arg, struct ctl_request *req, const char *upstream)
{
	const struct ctl_server_status servers[] = {
		{.name = "api.0",
			.url = "http://h",
			.weight = 3,
			.order = CTL_SERVER_MAINT,
			.health = "down",
			.answers = 1,
			.latency_p99_us = UINT64_MAX},
		{.name = "api.1", .url = "http://i", .health = "up"},
	};

	strcpy(asked_name, upstream);
	ctl_list_server(req, &servers[0]);
	ctl_list_server(req, &servers[1]);
	ctl_request_end(req);
}

static void fake_order(void *arg, struct ctl_request *req, const char *upstream, const char *server,
	enum ctl_server_order order)
{
	strcpy(asked_name, upstream);
	strcpy(asked_server, server);
	asked_order = order;
	ctl_request_end(req);
}

static struct ctl_ops ops = {.upstream_show = fake_upstream_show, .server_order = fake_order};

static void setup(void)
{
	one_client_begin(&ops);
}

TestSuite(ctl_upstream, .init = setup, .fini = one_client_end);

Test(ctl_upstream, servers_of_an_upstream)
{
	ctl_put_text(client_begin(1, "upstream show"), "name", "api");
	client_send(client, NULL, 0);
	expect(1, "ok");
	cr_expect_str_eq(asked_name, "api");
	cr_expect(reply_text_is(&reply, "name", "api.0"));
	cr_expect(reply_text_is(&reply, "url", "http://h"));
	cr_expect(reply_text_is(&reply, "order", "maint"));
	cr_expect(reply_text_is(&reply, "health", "down"));
	cr_expect_eq(reply_uint(&reply, "weight"), 3);
	cr_expect_eq(reply_uint(&reply, "latency_p99_us"), UINT64_MAX);
	expect(1, "ok");
	cr_expect(reply_text_is(&reply, "order", "ready"));
	expect_end(1);
}

Test(ctl_upstream, orders_of_a_server)
{
	static const struct {
		const char *verb;
		enum ctl_server_order order;
	} rows[] = {{"server drain", CTL_SERVER_DRAIN}, {"server maint", CTL_SERVER_MAINT},
		{"server ready", CTL_SERVER_READY}};
	char longest[CTL_SERVER_MAX + 2];

	for (unsigned i = 0; i < 3; i++) {
		struct ctl_writer *body = client_begin(1, rows[i].verb);

		ctl_put_text(body, "upstream", "api");
		ctl_put_text(body, "server", "http://h");
		client_send(client, NULL, 0);
		expect_end(1);
		cr_expect_eq(asked_order, rows[i].order);
		cr_expect_str_eq(asked_name, "api");
		cr_expect_str_eq(asked_server, "http://h");
	}
	for (size_t len = CTL_SERVER_MAX; len <= CTL_SERVER_MAX + 1; len++) {
		struct ctl_writer *body = client_begin(1, "server drain");

		memset(longest, 'x', len);
		longest[len] = 0;
		ctl_put_text(body, "upstream", "api");
		ctl_put_text(body, "server", longest);
		client_send(client, NULL, 0);
		expect(1, len > CTL_SERVER_MAX ? "bad-request" : "ok");
	}
	ctl_put_text(client_begin(1, "server drain"), "upstream", "api");
	client_send(client, NULL, 0);
	expect(1, "bad-request");
	struct ctl_writer *body = client_begin(1, "server drain");
	ctl_put_text(body, "upstream", "api");
	ctl_write_text(body, "server");
	ctl_write_raw(body,
		(const uint8_t *)"\x63"
				 "a\0b",
		4);
	client_send(client, NULL, 0);
	expect(1, "bad-request");
}
