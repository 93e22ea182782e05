// SPDX-License-Identifier: BSD-3-Clause

#include "gw/tools/ctl/store.h"

#include "gw/tools/ctl/complain.h"
#include "gw/tools/ctl/connection.h"
#include "gw/tools/ctl/json.h"
#include "gw/tools/ctl/rows.h"
#include "gw/tools/ctl/values.h"

#include <errno.h>
#include <inttypes.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

int cli_store_check(struct cli *cli, const char *argument)
{
	static struct ctl_writer request;
	static struct ctl_reply reply;
	uint64_t devices = 0, problems = 0;
	char text[CLI_VALUE_MAX];
	struct ctl_cbor part;
	int ret;

	cli_begin(cli, &request, "store check");
	ret = cli_send(cli, &request, -1);
	while (ret == CLI_OK && (ret = cli_receive(cli, &reply)) == CLI_OK &&
		reply.message.map.value) {
		if (cli->json)
			cli_json_element(cli, &reply.message.map);
		if (!ctl_cbor_find(&reply.message.map, "part", &part))
			continue;
		if (ctl_cbor_is_text(&part, "result")) {
			devices = cli_uint(&reply.message.map, "devices", 0);
			problems = cli_uint(&reply.message.map, "problems", 0);
		} else if (!cli->json) {
			printf("%s\n", cli_value_text(text, &reply.message.map, "message"));
		}
	}
	if (ret != CLI_OK)
		return ret;
	if (cli->json)
		cli_json_end(cli);
	else
		printf("%" PRIu64 " devices, %" PRIu64 " problems\n", devices, problems);
	return problems ? CLI_FAILED : CLI_OK;
}

// A key of the command line. False after a complaint.
static bool key_parse(const char *text, uint8_t key[CTL_TOMBSTONE_KEY])
{
	size_t len = 0;

	if (sodium_hex2bin(key, CTL_TOMBSTONE_KEY, text, strlen(text), NULL, &len, NULL) == 0 &&
		len == CTL_TOMBSTONE_KEY)
		return true;
	cli_complain("--after: must be a key, %d digits of hex", 2 * CTL_TOMBSTONE_KEY);
	return false;
}

static void tombstone_row(struct cli_table *table, const struct ctl_cbor *map)
{
	cli_table_value(table, map, "key");
	cli_table_value(table, map, "used");
	cli_table_value(table, map, "run");
	cli_table_value(table, map, "mark");
	cli_table_cell(table, "%s", cli_bool(map, "damaged") ? "damaged" : "good");
}

int cli_tombstone_list(struct cli *cli, const char *argument)
{
	static const char *const titles[] = {"KEY", "USED", ">RUN", ">MARK", "STATE", NULL};
	static const struct cli_list list = {
		.verb = "tombstone list", .key = "key", .titles = titles, .row = tombstone_row};
	static struct cli_after after = {.type = CTL_CBOR_BYTES, .value = CTL_TOMBSTONE_KEY};

	after.given = cli->given & CLI_AFTER;
	if (after.given && !key_parse(cli->after, after.data))
		return CLI_USAGE;
	return cli_list_show(cli, &list, &after, argument);
}

int cli_store_backup(struct cli *cli, const char *argument)
{
	static struct ctl_writer request;
	static struct ctl_reply reply;
	char path[CTL_PATH_MAX + 1], here[CTL_PATH_MAX] = "";
	int ret;

	// The daemon is in another directory.
	if (argument[0] != '/' && getcwd(here, sizeof(here)) == NULL) {
		cli_complain("the working directory: %s", strerror(errno));
		return CLI_FAILED;
	}
	ret = snprintf(path, sizeof(path), "%s%s%s", here, here[0] ? "/" : "", argument);
	if (ret >= (int)sizeof(path)) {
		cli_complain("%s: the path is too long", argument);
		return CLI_USAGE;
	}
	cli_begin(cli, &request, "store backup");
	ctl_put_text(&request, "path", path);
	ret = cli_call(cli, &request, &reply);
	if (ret == CLI_OK && !cli->json)
		printf("%s: made. It opens only by \"posternctl store adopt\", and with the "
		       "key-encryption key.\n",
			path);
	return ret;
}
