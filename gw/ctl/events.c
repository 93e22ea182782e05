// SPDX-License-Identifier: BSD-3-Clause

#include "gw/ctl/events.h"

#include "gw/ctl/cbor_write.h"

static bool event_begin(const struct ctl_server *server, struct ctl_writer *body)
{
	if (server == NULL || ctl_server_subscribers(server) == 0)
		return false;
	ctl_writer_init(body);
	ctl_write_map(body);
	return true;
}

static void event_send(struct ctl_server *server, const char *event, struct ctl_writer *body)
{
	ctl_write_close(body);
	ctl_server_event(server, event, body);
}

void ctl_event_device_state(struct ctl_server *server, const char *name, const char *state)
{
	struct ctl_writer body;

	if (!event_begin(server, &body))
		return;
	ctl_put_text(&body, "name", name);
	ctl_put_text(&body, "state", state);
	event_send(server, "device.state", &body);
}

void ctl_event_limit(struct ctl_server *server, const char *name, const char *limit)
{
	struct ctl_writer body;

	if (!event_begin(server, &body))
		return;
	ctl_put_text(&body, "name", name);
	ctl_put_text(&body, "limit", limit);
	event_send(server, "limit", &body);
}

void ctl_event_alarm(struct ctl_server *server, const char *sentence, bool active)
{
	struct ctl_writer body;

	if (!event_begin(server, &body))
		return;
	ctl_put_text(&body, "message", sentence);
	ctl_put_bool(&body, "active", active);
	event_send(server, "alarm", &body);
}

void ctl_event_upstream_state(
	struct ctl_server *server, const char *name, unsigned servers, unsigned servers_up)
{
	struct ctl_writer body;

	if (!event_begin(server, &body))
		return;
	ctl_put_text(&body, "name", name);
	ctl_put_uint(&body, "servers", servers);
	ctl_put_uint(&body, "servers_up", servers_up);
	event_send(server, "upstream.state", &body);
}

void ctl_event_server_order(
	struct ctl_server *server, const char *upstream, const char *url, const char *order)
{
	struct ctl_writer body;

	if (!event_begin(server, &body))
		return;
	ctl_put_text(&body, "upstream", upstream);
	ctl_put_text(&body, "server", url);
	ctl_put_text(&body, "order", order);
	event_send(server, "server.order", &body);
}
