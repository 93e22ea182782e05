// SPDX-License-Identifier: BSD-3-Clause

#include "gw/tools/ctl/daemon.h"

#include "gw/ctl/verbs.h"
#include "gw/tools/ctl/complain.h"
#include "gw/tools/ctl/connection.h"
#include "gw/tools/ctl/json.h"
#include "gw/tools/ctl/table.h"
#include "gw/tools/ctl/values.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static void print_devices(const struct ctl_cbor *status)
{
	struct ctl_cbor devices = cli_inner(status, "devices");
	struct ctl_cbor states = cli_inner(&devices, "states"), state, count;
	struct ctl_cbor_iter iter = ctl_cbor_iter(&states);
	bool first = true;

	printf("devices: %" PRIu64 " of at most %" PRIu64, cli_uint(&devices, "total", 0),
		cli_uint(&devices, "max", 0));
	while (ctl_cbor_next(&iter, &state) && ctl_cbor_next(&iter, &count)) {
		if (state.type != CTL_CBOR_TEXT || count.type != CTL_CBOR_UINT || count.value == 0)
			continue;
		printf("%s%" PRIu64 " %.*s", first ? ": " : ", ", count.value, (int)state.value,
			(const char *)state.data);
		first = false;
	}
	putchar('\n');
}

// Joins the texts of an array with blanks.
static void join(char text[CLI_VALUE_MAX], const struct ctl_cbor *array)
{
	struct ctl_cbor_iter iter = ctl_cbor_iter(array);
	struct ctl_cbor item;
	size_t len = 0;

	text[0] = 0;
	while (ctl_cbor_next(&iter, &item)) {
		if (item.type == CTL_CBOR_TEXT && len + item.value + 2 < CLI_VALUE_MAX)
			len += snprintf(text + len, CLI_VALUE_MAX - len, "%s%.*s", len ? " " : "",
				(int)item.value, (const char *)item.data);
	}
}

static void print_ports(const struct ctl_cbor *status)
{
	static const char *const titles[] = {
		"PORT", "KIND", "DEVICE", "LINK", ">COAP", "ADDRESSES", NULL};
	struct ctl_cbor ports = cli_inner(status, "ports"), port, addresses;
	struct ctl_cbor_iter iter = ctl_cbor_iter(&ports);
	char text[CLI_VALUE_MAX];
	struct cli_table table;

	cli_table_init(&table, titles);
	while (ctl_cbor_next(&iter, &port)) {
		cli_table_value(&table, &port, "name");
		cli_table_value(&table, &port, "kind");
		cli_table_value(&table, &port, "device");
		cli_table_cell(&table, "%s", cli_bool(&port, "link") ? "up" : "down");
		cli_table_value(&table, &port, "coap");
		addresses = cli_inner(&port, "addresses");
		join(text, &addresses);
		cli_table_cell(&table, "%s", text);
	}
	putchar('\n');
	cli_table_print(&table);
	cli_table_free(&table);
}

static void print_workers(const struct ctl_cbor *status)
{
	static const char *const titles[] = {">WORKER", ">CORE", ">BUSY", ">DEVICES", ">IN FLIGHT",
		"OVERLOAD", ">ANSWERS KEPT", NULL};
	struct ctl_cbor workers = cli_inner(status, "workers"), worker;
	struct ctl_cbor_iter iter = ctl_cbor_iter(&workers);
	struct cli_table table;

	cli_table_init(&table, titles);
	while (ctl_cbor_next(&iter, &worker)) {
		uint64_t busy = cli_uint(&worker, "busy_permille", 0);
		uint64_t kept = cli_uint(&worker, "answers_kept_ms", 0);

		cli_table_value(&table, &worker, "number");
		cli_table_value(&table, &worker, "core");
		cli_table_cell(&table, "%" PRIu64 ".%" PRIu64 " %%", busy / 10, busy % 10);
		cli_table_value(&table, &worker, "devices");
		cli_table_value(&table, &worker, "exchanges");
		cli_table_value(&table, &worker, "overload");
		cli_table_cell(&table, "%" PRIu64 ".%" PRIu64 " s", kept / 1000, kept / 100 % 10);
	}
	putchar('\n');
	cli_table_print(&table);
	cli_table_free(&table);
}

static void print_bodies(const struct ctl_cbor *status)
{
	static const char *const titles[] = {
		">HTTP THREAD", ">BODIES", ">BYTES", ">OF BYTES", ">USED", NULL};
	struct ctl_cbor all = cli_inner(status, "bodies"), bodies;
	struct ctl_cbor_iter iter = ctl_cbor_iter(&all);
	struct cli_table table;

	if (all.value == 0)
		return;
	cli_table_init(&table, titles);
	while (ctl_cbor_next(&iter, &bodies)) {
		uint64_t bytes = cli_uint(&bodies, "bytes", 0);
		uint64_t memory = cli_uint(&bodies, "memory", 0);
		uint64_t permille = memory >= 1000 ? bytes / (memory / 1000) : 0;

		cli_table_value(&table, &bodies, "number");
		cli_table_value(&table, &bodies, "bodies");
		cli_table_value(&table, &bodies, "bytes");
		cli_table_value(&table, &bodies, "memory");
		cli_table_cell(&table, "%" PRIu64 ".%" PRIu64 " %%", permille / 10, permille % 10);
	}
	putchar('\n');
	cli_table_print(&table);
	cli_table_free(&table);
}

static void print_upstreams(const struct ctl_cbor *status)
{
	static const char *const titles[] = {
		"UPSTREAM", ">SERVERS UP", ">IN FLIGHT", ">QUEUED", NULL};
	struct ctl_cbor upstreams = cli_inner(status, "upstreams"), upstream;
	struct ctl_cbor_iter iter = ctl_cbor_iter(&upstreams);
	uint64_t left_out = cli_uint(status, "upstreams_left_out", 0);
	struct cli_table table;

	if (upstreams.value == 0)
		return;
	cli_table_init(&table, titles);
	while (ctl_cbor_next(&iter, &upstream)) {
		cli_table_value(&table, &upstream, "name");
		cli_table_cell(&table, "%" PRIu64 "/%" PRIu64, cli_uint(&upstream, "servers_up", 0),
			cli_uint(&upstream, "servers", 0));
		cli_table_value(&table, &upstream, "in_flight");
		cli_table_value(&table, &upstream, "queued");
	}
	putchar('\n');
	cli_table_print(&table);
	cli_table_free(&table);
	if (left_out)
		printf("and %" PRIu64 " more\n", left_out);
}

static void print_alarms(const struct ctl_cbor *status)
{
	static const char *const titles[] = {"ALARM", NULL};
	struct ctl_cbor alarms = cli_inner(status, "alarms"), alarm;
	struct ctl_cbor_iter iter = ctl_cbor_iter(&alarms);
	struct cli_table table;

	if (alarms.value == 0)
		return;
	cli_table_init(&table, titles);
	while (ctl_cbor_next(&iter, &alarm)) {
		if (alarm.type == CTL_CBOR_TEXT)
			cli_table_cell(&table, "%.*s", (int)alarm.value, (const char *)alarm.data);
	}
	putchar('\n');
	cli_table_print(&table);
	cli_table_free(&table);
}

int cli_status(struct cli *cli, const char *argument)
{
	static struct ctl_writer request;
	static struct ctl_reply reply;
	char version[CLI_VALUE_MAX], state[CLI_VALUE_MAX], uptime[32];
	int ret;

	cli_begin(cli, &request, "status");
	ret = cli_call(cli, &request, &reply);
	if (ret != CLI_OK || cli->json)
		return ret;
	printf("postern %s: %s for %s\n", cli_value_text(version, &reply.message.map, "version"),
		cli_value_text(state, &reply.message.map, "state"),
		cli_duration_text(uptime, cli_uint(&reply.message.map, "uptime_ms", 0)));
	print_devices(&reply.message.map);
	print_alarms(&reply.message.map);
	print_ports(&reply.message.map);
	print_workers(&reply.message.map);
	print_bodies(&reply.message.map);
	print_upstreams(&reply.message.map);
	return CLI_OK;
}

// The value asked for: of all workers together, or of one. False if it has none of one.
static bool counter_value(const struct cli *cli, const struct ctl_cbor *counter, uint64_t *value)
{
	struct ctl_cbor workers = cli_inner(counter, "workers"), item;
	struct ctl_cbor_iter iter = ctl_cbor_iter(&workers);

	if (!(cli->given & CLI_WORKER)) {
		*value = cli_uint(counter, "total", 0);
		return true;
	}
	for (uint64_t i = 0; ctl_cbor_next(&iter, &item); i++) {
		if (i == cli->worker && item.type == CTL_CBOR_UINT) {
			*value = item.value;
			return true;
		}
	}
	return false;
}

int cli_stats(struct cli *cli, const char *argument)
{
	static const char *const titles[] = {"NAME", ">VALUE", "UNIT", "WHAT IT COUNTS", NULL};
	static struct ctl_writer request;
	static struct ctl_reply reply;
	struct cli_table table;
	bool any = false;
	int ret;

	cli_begin(cli, &request, "stats");
	cli_table_init(&table, titles);
	ret = cli_send(cli, &request, -1);
	while (ret == CLI_OK && (ret = cli_receive(cli, &reply)) == CLI_OK &&
		reply.message.map.value) {
		uint64_t value;

		if (!counter_value(cli, &reply.message.map, &value))
			continue;
		any = true;
		if (cli->json) {
			cli_json_element(cli, &reply.message.map);
			continue;
		}
		if (value == 0 && !(cli->given & CLI_ALL))
			continue;
		cli_table_value(&table, &reply.message.map, "name");
		cli_table_cell(&table, "%" PRIu64, value);
		cli_table_value(&table, &reply.message.map, "unit");
		cli_table_value(&table, &reply.message.map, "help");
	}
	if (ret == CLI_OK && cli->json)
		cli_json_end(cli);
	else if (ret == CLI_OK && any)
		cli_table_print(&table);
	cli_table_free(&table);
	if (ret == CLI_OK && !any) {
		cli_complain("there is no worker %" PRIu64, cli->worker);
		return CLI_FAILED;
	}
	return ret;
}

int cli_shutdown(struct cli *cli, const char *argument)
{
	static struct ctl_writer request;
	static struct ctl_reply reply;
	int ret;

	cli_begin(cli, &request, "shutdown");
	ret = cli_call(cli, &request, &reply);
	return ret == CLI_OK ? cli_wait_for_end(cli) : ret;
}

// --timeout is the daemon's here, and what it says may come that much later.
int cli_drain(struct cli *cli, const char *argument)
{
	const uint64_t timeout_s = cli->timeout_given ? cli->timeout_s : CTL_DRAIN_TIMEOUT_S;
	static struct ctl_writer request;
	static struct ctl_reply reply;
	int ret;

	if (timeout_s > CTL_DRAIN_MAX_S || cli->return_ms > CTL_DRAIN_MAX_S * UINT64_C(1000)) {
		cli_complain("--timeout and --return: a day at most");
		return CLI_USAGE;
	}
	cli->timeout_s = timeout_s + CLI_TIMEOUT_S;
	cli_begin(cli, &request, "drain");
	ctl_put_uint(&request, "timeout", timeout_s);
	if (cli->given & CLI_RETURN)
		ctl_put_uint(&request, "return", (cli->return_ms + 999) / 1000);
	if (cli->given & CLI_STOP)
		ctl_put_bool(&request, "stop", true);
	ret = cli_call(cli, &request, &reply);
	if (ret != CLI_OK)
		return ret;
	const uint64_t left = cli_uint(&reply.message.map, "left", 0);

	if (!cli->json && left)
		printf("drained, but %" PRIu64 " requests and answers are not finished\n", left);
	else if (!cli->json)
		printf("drained: all %" PRIu64 " requests and answers under way are finished\n",
			cli_uint(&reply.message.map, "under_way", 0));
	return cli->given & CLI_STOP ? cli_wait_for_end(cli) : CLI_OK;
}

int cli_undrain(struct cli *cli, const char *argument)
{
	static struct ctl_writer request;
	static struct ctl_reply reply;

	cli_begin(cli, &request, "undrain");
	return cli_call(cli, &request, &reply);
}
