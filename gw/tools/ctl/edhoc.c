// SPDX-License-Identifier: BSD-3-Clause

#include "gw/tools/ctl/edhoc.h"

#include "gw/tools/ctl/complain.h"
#include "gw/tools/ctl/connection.h"
#include "gw/tools/ctl/json.h"
#include "gw/tools/ctl/rows.h"

#include <inttypes.h>
#include <stdio.h>

// A value of any length in hex.
static void show_bytes(const struct ctl_cbor *map, const char *key)
{
	struct ctl_cbor value;

	if (!ctl_cbor_find(map, key, &value) || value.type != CTL_CBOR_BYTES)
		return;
	printf("%-14s ", key);
	for (uint64_t i = 0; i < value.value; i++)
		printf("%02x", value.data[i]);
	putchar('\n');
}

static void show_numbers(const struct ctl_cbor *map, const char *key)
{
	const struct ctl_cbor numbers = cli_inner(map, key);
	struct ctl_cbor_iter iter = ctl_cbor_iter(&numbers);
	struct ctl_cbor number;

	printf("%-14s", key);
	while (ctl_cbor_next(&iter, &number))
		if (number.type == CTL_CBOR_UINT)
			printf(" %" PRIu64, number.value);
	putchar('\n');
}

static void identity_show(const struct ctl_cbor *map)
{
	char text[32];

	cli_line_show(map, "kind", "kind");
	cli_line_show(map, "id_cred", "named by");
	cli_line_show(map, "kid", "kid");
	cli_line_show(map, "x5t", "x5t");
	cli_line_show(map, "sha256", "sha256");
	show_numbers(map, "methods");
	show_numbers(map, "suites");
	cli_line_show(map, "used", "used");
	cli_line_show(map, "file", "file");
	if (cli_uint(map, "expires", 0))
		printf("%-14s %s\n", "expires", cli_time_text(text, cli_uint(map, "expires", 0)));
	show_bytes(map, "credential");
}

int cli_edhoc_identity(struct cli *cli, const char *argument)
{
	static struct ctl_writer request;
	static struct ctl_reply reply;
	unsigned count = 0;

	cli_begin(cli, &request, "edhoc identity");
	int ret = cli_send(cli, &request, -1);

	while (ret == CLI_OK && (ret = cli_receive(cli, &reply)) == CLI_OK &&
		reply.message.map.value) {
		if (cli->json) {
			cli_json_element(cli, &reply.message.map);
			continue;
		}
		if (count++)
			putchar('\n');
		identity_show(&reply.message.map);
	}
	if (ret == CLI_OK && cli->json)
		cli_json_end(cli);
	else if (ret == CLI_OK && !count)
		puts("EDHOC is not served: the configuration has no edhoc.identity");
	return ret;
}

static void row(struct cli_table *table, const struct ctl_cbor *map)
{
	char text[32], sha256[CLI_VALUE_MAX];

	cli_table_value(table, map, "device");
	cli_table_value(table, map, "device_id");
	cli_table_value(table, map, "credential");
	cli_table_cell(table, "%.16s", cli_value_text(sha256, map, "sha256"));
	cli_table_value(table, map, "method");
	cli_table_value(table, map, "suite");
	cli_table_value(table, map, "state");
	cli_table_cell(table, "%s", cli_duration_text(text, cli_uint(map, "age_ms", 0)));
	cli_table_cell(table, "%s", cli_duration_text(text, cli_uint(map, "idle_ms", 0)));
	cli_table_value(table, map, "uses");
	cli_table_cell(table, "%s", cli_time_text(text, cli_uint(map, "expires", 0)));
}

static void filter(const struct cli *cli, struct ctl_writer *request, const char *argument)
{
	ctl_put_text(request, "device", cli->device);
}

int cli_edhoc_sessions(struct cli *cli, const char *argument)
{
	static const char *const titles[] = {"DEVICE", "DEVICE ID", "KIND", "SHA256", ">METHOD",
		">SUITE", "STATE", ">AGE", ">IDLE", ">USES", "EXPIRES", NULL};
	static const struct cli_list list = {.verb = "edhoc sessions",
		.key = "after",
		.titles = titles,
		.row = row,
		.filter = filter};
	static struct cli_after after = {.type = CTL_CBOR_UINT};

	after.given = cli->given & CLI_AFTER;
	if (after.given && !cli_number_parse(cli->after, &after.value))
		return CLI_USAGE;
	return cli_list_show(cli, &list, &after, argument);
}

int cli_edhoc_end(struct cli *cli, const char *argument)
{
	static struct ctl_writer request;
	static struct ctl_reply reply;

	cli_begin(cli, &request, "edhoc end");
	ctl_put_text(&request, "device", argument);
	int ret = cli_call(cli, &request, &reply);

	if (ret == CLI_OK && !cli->json)
		printf("%" PRIu64 " ended\n", cli_uint(&reply.message.map, "ended", 0));
	return ret;
}
