// SPDX-License-Identifier: BSD-3-Clause

#include "gw/tools/ctl/upstream.h"

#include "gw/tools/ctl/complain.h"
#include "gw/tools/ctl/connection.h"
#include "gw/tools/ctl/rows.h"
#include "gw/tools/ctl/table.h"
#include "gw/tools/ctl/values.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

// A bound of latencies: "< 2 ms".
static const char *latency_text(char text[32], uint64_t us)
{
	if (us == UINT64_MAX)
		return "> 33 s";
	if (us < 1000)
		snprintf(text, 32, "< %" PRIu64 " us", us);
	else if (us < 1000000)
		snprintf(text, 32, "< %" PRIu64 " ms", us / 1000);
	else
		snprintf(text, 32, "< %" PRIu64 ".%" PRIu64 " s", us / 1000000, us / 100000 % 10);
	return text;
}

static void latency_cell(struct cli_table *table, const struct ctl_cbor *server, const char *key)
{
	uint64_t us = cli_uint(server, key, 0);
	char text[32];

	cli_table_cell(table, "%s", us ? latency_text(text, us) : "-");
}

static void server_row(struct cli_table *table, const struct ctl_cbor *server)
{
	char order[CLI_VALUE_MAX], health[CLI_VALUE_MAX];
	bool ready = !strcmp(cli_value_text(order, server, "order"), "ready");

	cli_table_value(table, server, "name");
	cli_table_value(table, server, "weight");
	cli_value_text(health, server, "health");
	cli_table_cell(table, "%s%s%s", health, ready ? "" : ", ", ready ? "" : order);
	cli_table_value(table, server, "in_flight");
	cli_table_cell(table, "%" PRIu64 " / %" PRIu64, cli_uint(server, "failures", 0),
		cli_uint(server, "attempts", 0));
	latency_cell(table, server, "latency_p50_us");
	latency_cell(table, server, "latency_p99_us");
	cli_table_value(table, server, "url");
}

int cli_upstream_show(struct cli *cli, const char *name)
{
	static const char *const titles[] = {"SERVER", ">WEIGHT", "STATE", ">IN FLIGHT",
		">FAILED / SENT", ">HALF", ">99 %", "URL", NULL};
	static struct ctl_writer request;

	cli_begin(cli, &request, "upstream show");
	ctl_put_text(&request, "name", name);
	return cli_rows_show(cli, &request, titles, server_row);
}

static int server_order(struct cli *cli, const char *verb, const char *upstream)
{
	static struct ctl_writer request;
	static struct ctl_reply reply;

	cli_begin(cli, &request, verb);
	ctl_put_text(&request, "upstream", upstream);
	ctl_put_text(&request, "server", cli->second);
	return cli_call(cli, &request, &reply);
}

int cli_server_drain(struct cli *cli, const char *upstream)
{
	return server_order(cli, "server drain", upstream);
}

int cli_server_maint(struct cli *cli, const char *upstream)
{
	return server_order(cli, "server maint", upstream);
}

int cli_server_ready(struct cli *cli, const char *upstream)
{
	return server_order(cli, "server ready", upstream);
}
