// SPDX-License-Identifier: BSD-3-Clause

#include "gw/tools/ctl/observe.h"

#include "gw/tools/ctl/complain.h"
#include "gw/tools/ctl/connection.h"
#include "gw/tools/ctl/rows.h"
#include "gw/tools/ctl/values.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void row(struct cli_table *table, const struct ctl_cbor *map)
{
	char text[CLI_VALUE_MAX];
	const uint64_t tries = cli_uint(map, "tries", 0);

	cli_table_value(table, map, "device");
	cli_table_value(table, map, "method");
	cli_table_value(table, map, "path");
	cli_table_value(table, map, "source");
	cli_table_value(table, map, "source_port");
	if (tries)
		cli_table_cell(table, "no ACK, try %" PRIu64, tries);
	else
		cli_table_cell(table, "%s", cli_bool(map, "current") ? "current" : "behind");
	cli_table_cell(table, "%s", cli_duration_text(text, cli_uint(map, "registered_ms", 0)));
	cli_table_value(table, map, "notifications");
	cli_table_cell(table, "%s", cli_duration_text(text, cli_uint(map, "confirmed_ms", 0)));
}

static void filter(const struct cli *cli, struct ctl_writer *request, const char *device)
{
	ctl_put_text(request, "device", device);
}

int cli_observe_list(struct cli *cli, const char *argument)
{
	static const char *const titles[] = {"DEVICE", "METHOD", "PATH", "ADDRESS", ">PORT",
		"STATE", ">AGE", ">SENT", ">CONFIRMED", NULL};
	static const struct cli_list list = {.verb = "observe list",
		.key = "after",
		.titles = titles,
		.row = row,
		.filter = filter};

	return cli_list_show(cli, &list, NULL, argument);
}

// Reads a whole file. Returns its length, or -1 after a complaint.
static ssize_t value_read(const char *path, uint8_t *value, size_t room)
{
	const bool is_input = !path || !strcmp(path, "-");
	int fd = is_input ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC);
	size_t len = 0;
	ssize_t n = fd < 0 ? -1 : 1;

	while (n > 0 && len < room) {
		n = read(fd, value + len, room - len);
		if (n > 0)
			len += (size_t)n;
		else if (n < 0 && errno == EINTR)
			n = 1;
	}
	if (n < 0)
		cli_complain("%s: %s", is_input ? "standard input" : path, strerror(errno));
	else if (len == room)
		cli_complain("it has more than %d bytes: use PUT to push.listen", CTL_PUSH_MAX);
	if (!is_input && fd >= 0)
		close(fd);
	return n < 0 || len == room ? -1 : (ssize_t)len;
}

// What a push says of its value, beside path and device. false after a complaint.
static bool value_put(const struct cli *cli, struct ctl_writer *request)
{
	static uint8_t value[CTL_PUSH_MAX + 1];
	ssize_t len = value_read(cli->second, value, sizeof(value));
	char *end;

	if (len < 0)
		return false;
	if (cli->format) {
		unsigned long number = strtoul(cli->format, &end, 10);

		if (*end || end == cli->format)
			ctl_put_text(request, "type", cli->format);
		else
			ctl_put_uint(request, "format", number);
	}
	if (cli->given & CLI_MAX_AGE)
		ctl_put_uint(request, "max_age", cli->max_age_s);
	ctl_put_bytes(request, "value", value, (size_t)len);
	return true;
}

int cli_observe_push(struct cli *cli, const char *argument)
{
	static struct ctl_writer request;
	static struct ctl_reply reply;
	const bool gone = cli->given & CLI_DELETE;

	if (gone && (cli->second || cli->given & (CLI_FORMAT | CLI_MAX_AGE))) {
		cli_complain("observe push --delete takes no FILE, --format or --max-age");
		return CLI_USAGE;
	}
	cli_begin(cli, &request, "observe push");
	ctl_put_text(&request, "path", argument);
	if (cli->device)
		ctl_put_text(&request, "device", cli->device);
	if (gone)
		ctl_put_bool(&request, "delete", true);
	else if (!value_put(cli, &request))
		return CLI_FAILED;
	int ret = cli_call(cli, &request, &reply);

	if (ret == CLI_OK && !cli->json && gone)
		puts("deleted");
	else if (ret == CLI_OK && !cli->json)
		puts(cli_bool(&reply.message.map, "created") ? "created" : "replaced");
	return ret;
}

int cli_observe_cancel(struct cli *cli, const char *argument)
{
	static struct ctl_writer request;
	static struct ctl_reply reply;

	cli_begin(cli, &request, "observe cancel");
	ctl_put_text(&request, "device", argument);
	if (cli->second)
		ctl_put_text(&request, "path", cli->second);
	int ret = cli_call(cli, &request, &reply);

	if (ret == CLI_OK && !cli->json)
		printf("%" PRIu64 " ended\n", cli_uint(&reply.message.map, "cancelled", 0));
	return ret;
}
