// SPDX-License-Identifier: BSD-3-Clause

#include "gw/tools/ctl/cache.h"

#include "gw/tools/ctl/complain.h"
#include "gw/tools/ctl/connection.h"
#include "gw/tools/ctl/rows.h"
#include "gw/tools/ctl/table.h"
#include "gw/tools/ctl/values.h"

#include <inttypes.h>
#include <stdio.h>

static int sums_show(struct cli *cli)
{
	static const char *const counted[] = {
		"hits", "misses", "collapsed", "validated", "stale", "evicted"};
	static struct ctl_writer request;
	static struct ctl_reply reply;
	const struct ctl_cbor *map = &reply.message.map;

	cli_begin(cli, &request, "cache show");
	int ret = cli_call(cli, &request, &reply);

	if (ret != CLI_OK || cli->json)
		return ret;
	printf("entries     %" PRIu64 " of %" PRIu64 "\n", cli_uint(map, "entries", 0),
		cli_uint(map, "max_entries", 0));
	printf("bytes       %" PRIu64 " of %" PRIu64 "\n", cli_uint(map, "bytes", 0),
		cli_uint(map, "max_bytes", 0));
	for (size_t i = 0; i < sizeof(counted) / sizeof(counted[0]); i++)
		printf("%-11s %" PRIu64 "\n", counted[i], cli_uint(map, counted[i], 0));
	return ret;
}

static void row(struct cli_table *table, const struct ctl_cbor *map)
{
	char text[CLI_VALUE_MAX];
	const uint64_t left = cli_uint(map, "fresh_ms", UINT64_MAX);

	cli_table_value(table, map, "method");
	cli_table_value(table, map, "query");
	cli_table_value(table, map, "accept");
	cli_table_value(table, map, "device");
	cli_table_cell(table, "%s", cli_bool(map, "pushed") ? "pushed" : "asked");
	cli_table_value(table, map, "code");
	cli_table_value(table, map, "format");
	cli_table_value(table, map, "bytes");
	cli_table_cell(table, "%s", cli_duration_text(text, cli_uint(map, "age_ms", 0)));
	cli_table_cell(table, "%s",
		left == UINT64_MAX  ? "always"
			: left == 0 ? "no"
				    : cli_duration_text(text, left));
	cli_table_value(table, map, "observers");
}

static int path_show(struct cli *cli, const char *path)
{
	static const char *const titles[] = {"METHOD", "QUERY", "ACCEPT", "DEVICE", "FROM", "CODE",
		">FORMAT", ">BYTES", ">AGE", ">FRESH", ">OBSERVERS", NULL};
	static struct ctl_writer request;

	cli_begin(cli, &request, "cache show");
	ctl_put_text(&request, "path", path);
	return cli_rows_show(cli, &request, titles, row);
}

int cli_cache_show(struct cli *cli, const char *argument)
{
	return argument ? path_show(cli, argument) : sums_show(cli);
}

int cli_cache_purge(struct cli *cli, const char *argument)
{
	static struct ctl_writer request;
	static struct ctl_reply reply;

	cli_begin(cli, &request, "cache purge");
	if (argument)
		ctl_put_text(&request, "path", argument);
	int ret = cli_call(cli, &request, &reply);
	uint64_t observers = ret == CLI_OK ? cli_uint(&reply.message.map, "observers", 0) : 0;

	if (observers && !cli->json)
		printf("%" PRIu64 " observers end with 5.03; their devices may register again\n",
			observers);
	return ret;
}
