// SPDX-License-Identifier: BSD-3-Clause

#include "gw/tools/ctl/reload.h"

#include "gw/tools/ctl/complain.h"
#include "gw/tools/ctl/connection.h"
#include "gw/tools/ctl/json.h"
#include "gw/tools/ctl/values.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void reply_print(const struct ctl_cbor *map)
{
	char key[CLI_VALUE_MAX], word[CLI_VALUE_MAX];
	struct ctl_cbor item;

	if (ctl_cbor_find(map, "line", &item)) { // of a mistake
		fprintf(stderr, "%s\n", cli_value_text(key, map, "line"));
		return;
	}
	cli_value_text(word, map, "effect");
	bool needs_start = !strcmp(word, "start");

	cli_value_text(word, map, "change");
	printf("%c %s%s\n",
		!strcmp(word, "added")             ? '+'
			: !strcmp(word, "removed") ? '-'
						   : '~',
		cli_value_text(key, map, "key"), needs_start ? " (at a start only)" : "");
}

// Sends a request, and prints the keys that come.
static int changes_print(struct cli *cli, struct ctl_writer *request, unsigned *changes)
{
	static struct ctl_reply reply;
	int ret = cli_send(cli, request, -1);

	*changes = 0;
	while (ret == CLI_OK && (ret = cli_receive(cli, &reply)) == CLI_OK &&
		reply.message.map.value) {
		++*changes;
		if (cli->json)
			cli_json_element(cli, &reply.message.map);
		else
			reply_print(&reply.message.map);
	}
	if (ret == CLI_OK && cli->json)
		cli_json_end(cli);
	return ret;
}

int cli_reload(struct cli *cli, const char *argument)
{
	static struct ctl_writer request;
	bool dry_run = cli->given & CLI_DRY_RUN;
	unsigned changes;
	int ret;

	cli_begin(cli, &request, "reload");
	ctl_put_bool(&request, "dry_run", dry_run);
	ret = changes_print(cli, &request, &changes);
	if (ret == CLI_OK && !cli->json)
		printf("%u keys %s\n", changes,
			dry_run ? "would change" : "changed; the configuration is used");
	return ret;
}

int cli_config_diff(struct cli *cli, const char *argument)
{
	static struct ctl_writer request;
	char *path = realpath(argument, NULL); // the daemon is in another directory
	unsigned changes;
	int ret;

	if (!path) {
		cli_complain("%s: %s", argument, strerror(errno));
		return CLI_FAILED;
	}
	cli_begin(cli, &request, "config diff");
	ctl_put_text(&request, "path", path);
	free(path);
	ret = changes_print(cli, &request, &changes);
	if (ret == CLI_OK && !cli->json && !changes)
		printf("no difference\n");
	return ret;
}

static void value_print(const struct ctl_cbor *map)
{
	char text[CLI_VALUE_MAX];

	printf("%s: ", cli_value_text(text, map, "key"));
	printf("%s%s\n", cli_value_text(text, map, "value"),
		cli_bool(map, "default") ? "  (default)" : "");
}

int cli_config_show(struct cli *cli, const char *argument)
{
	static struct ctl_writer request;
	static struct ctl_reply reply;
	int ret;

	cli_begin(cli, &request, "config show");
	ctl_put_bool(&request, "effective", cli->given & CLI_EFFECTIVE);
	ret = cli_send(cli, &request, -1);
	while (ret == CLI_OK && (ret = cli_receive(cli, &reply)) == CLI_OK &&
		reply.message.map.value) {
		if (cli->json)
			cli_json_element(cli, &reply.message.map);
		else
			value_print(&reply.message.map);
	}
	if (ret == CLI_OK && cli->json)
		cli_json_end(cli);
	return ret;
}

int cli_log_level(struct cli *cli, const char *argument)
{
	static struct ctl_writer request;
	static struct ctl_reply reply;
	char level[CLI_VALUE_MAX], configured[CLI_VALUE_MAX];

	cli_begin(cli, &request, "log level");
	if (argument)
		ctl_put_text(&request, "level", argument);
	int ret = cli_call(cli, &request, &reply);

	if (ret != CLI_OK || cli->json)
		return ret;
	cli_value_text(level, &reply.message.map, "level");
	cli_value_text(configured, &reply.message.map, "configured");
	if (strcmp(level, configured))
		printf("%s, until a reload or restart: %s is configured\n", level, configured);
	else
		printf("%s\n", level);
	return ret;
}
