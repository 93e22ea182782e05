// SPDX-License-Identifier: BSD-3-Clause

#include "gw/tools/ctl/device.h"

#include "gw/ctl/attribute.h"
#include "gw/device/record.h"
#include "gw/device/spec.h"
#include "gw/tools/ctl/complain.h"
#include "gw/tools/ctl/connection.h"
#include "gw/tools/ctl/json.h"
#include "gw/tools/ctl/rows.h"
#include "gw/tools/ctl/values.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <time.h>
#include <unistd.h>

static int file_open(const char *path)
{
	int fd;

	if (strcmp(path, "-") == 0)
		return STDIN_FILENO;
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		cli_complain("%s: %s", path, strerror(errno));
	return fd;
}

static void file_close(int fd)
{
	if (fd != STDIN_FILENO)
		close(fd);
}

// Reads a whole file of at most `room` bytes. Returns its length, or -1 after a complaint.
static ssize_t file_read(const char *path, char *text, size_t room)
{
	int fd = file_open(path);
	size_t len = 0;
	ssize_t n;

	if (fd < 0)
		return -1;
	while ((n = read(fd, text + len, room - len)) != 0 && len < room) {
		if (n > 0)
			len += n;
		else if (errno != EINTR)
			break;
	}
	if (n < 0)
		cli_complain("%s: %s", path, strerror(errno));
	else if (len == room)
		cli_complain("%s: too long for one device", path);
	file_close(fd);
	return n < 0 || len == room ? -1 : (ssize_t)len;
}

// Everything in here is wiped after use.
struct add_buffers {
	char text[RECORD_LEN_MAX];
	struct json json;
	struct device_spec spec;
	struct ctl_writer request;
};

// Options for settings count before what the file says.
static bool settings_take(const struct cli *cli, const char *path, struct device_spec *spec)
{
	struct error error = {0};

	for (unsigned i = 0; i < device_attribute_count; i++) {
		if (cli->setting[i] != NULL &&
			device_put(&device_attributes[i], spec, cli->setting[i], &error) != 0) {
			cli_complain("%s", error.text);
			return false;
		}
	}
	// All other rules are the daemon's to refuse, with the code that scripts read.
	if (spec->never_used == spec->has_gateway_seq && device_spec_check(spec, &error) != 0) {
		cli_complain("%s: %s", path, error.text);
		return false;
	}
	return true;
}

// Exactly one device, in the format of the import.
static bool spec_parse(struct cli *cli, const char *path, size_t len, struct add_buffers *buffers)
{
	struct parse_input input = {.data = buffers->text, .len = len, .last = true};
	struct error error = {0};
	struct record record = {0};
	enum parse_verdict verdict;
	bool good;

	verdict = json_parse(&buffers->json, &input, &record, &error);
	good = verdict == PARSE_RECORD &&
		record_to_spec(&record, cli->given & CLI_NEVER_USED, &buffers->spec, &error) == 0;
	sodium_memzero(&record, sizeof(record));
	if (!good) {
		cli_complain("%s: %s", path,
			verdict == PARSE_END ? "there is no device in it" : error.text);
		return false;
	}
	verdict = json_parse(&buffers->json, &input, &record, &error);
	sodium_memzero(&record, sizeof(record));
	if (verdict != PARSE_END) {
		cli_complain("%s: has more than one device: use \"device import\"", path);
		return false;
	}
	return settings_take(cli, path, &buffers->spec);
}

// For a device that is added, or for the keys that the device `name` is to have.
static void spec_write(struct cli *cli, struct add_buffers *buffers, const char *name)
{
	struct ctl_writer *request = &buffers->request;

	cli_begin(cli, request, name ? "device rotate" : "device add");
	if (name) {
		memset(buffers->spec.name, 0, sizeof(buffers->spec.name));
		ctl_put_text(request, "name", name);
	}
	ctl_put_spec(request, &buffers->spec);
	if (cli->given & CLI_REPLACE)
		ctl_put_bool(request, "replace", true);
}

// One request with the device of a file. `name` is that of a device which is there, or NULL.
static int file_send(struct cli *cli, const char *path, const char *name)
{
	static struct add_buffers buffers;
	static struct ctl_reply reply;
	char text[CLI_VALUE_MAX], outcome[CLI_VALUE_MAX];
	ssize_t len = file_read(path, buffers.text, sizeof(buffers.text));
	int ret = CLI_FAILED;

	if (len >= 0 && spec_parse(cli, path, len, &buffers)) {
		if (name && buffers.spec.name[0] && strcmp(buffers.spec.name, name) != 0) {
			cli_complain("%s: it has another name than %s", path, name);
		} else {
			spec_write(cli, &buffers, name);
			ret = cli_call(cli, &buffers.request, &reply);
		}
	}
	sodium_memzero(&buffers, sizeof(buffers));
	if (ret == CLI_OK && !cli->json)
		printf("%s: %s\n", cli_value_text(text, &reply.message.map, "name"),
			name ? "has its new keys"
			     : cli_value_text(outcome, &reply.message.map, "outcome"));
	return ret;
}

int cli_device_add(struct cli *cli, const char *path)
{
	return file_send(cli, path, NULL);
}

int cli_device_rotate(struct cli *cli, const char *name)
{
	return file_send(cli, cli->second, name);
}

int cli_device_resync(struct cli *cli, const char *name)
{
	static struct ctl_writer request;
	static struct ctl_reply reply;
	uint64_t mark, from = 0;
	int ret;

	if (cli->given & CLI_FROM && !cli_number_parse(cli->from, &from))
		return CLI_USAGE;
	cli_begin(cli, &request, "device resync");
	ctl_put_text(&request, "name", name);
	if (cli->given & CLI_FROM)
		ctl_put_uint(&request, "from", from);
	ret = cli_call(cli, &request, &reply);
	if (ret != CLI_OK || cli->json)
		return ret;
	mark = cli_uint(&reply.message.map, "mark", UINT64_MAX);
	if (mark == UINT64_MAX)
		printf("%s: its next request is challenged (Echo)\n", name);
	else
		printf("%s: its mark is %" PRIu64 "\n", name, mark);
	return CLI_OK;
}

static void progress_print(const struct ctl_cbor *part)
{
	uint64_t bytes = cli_uint(part, "bytes", 0), total = cli_uint(part, "bytes_total", 0);
	uint64_t rows = cli_uint(part, "rows", 0), applied = cli_uint(part, "applied", 0);

	if (!isatty(STDERR_FILENO))
		return;
	fprintf(stderr, "\r%" PRIu64 " rows read", rows);
	if (total && bytes <= total)
		fprintf(stderr, " (%.0f %%)", 100.0 * bytes / total);
	fprintf(stderr, ", %" PRIu64 " stored\033[K", applied);
}

static void progress_clear(void)
{
	if (isatty(STDERR_FILENO))
		fputs("\r\033[K", stderr);
}

static void import_part(struct cli *cli, const char *path, const struct ctl_cbor *body)
{
	char text[CLI_VALUE_MAX];
	struct ctl_cbor part;

	if (!ctl_cbor_find(body, "part", &part))
		return;
	if (ctl_cbor_is_text(&part, "progress")) {
		progress_print(body);
	} else if (ctl_cbor_is_text(&part, "bad-row")) {
		progress_clear();
		fprintf(stderr, "%s:%" PRIu64 ": %s\n", path, cli_uint(body, "line", 0),
			cli_value_text(text, body, "message"));
	} else if (ctl_cbor_is_text(&part, "result") && !cli->json) {
		progress_clear();
		printf("%" PRIu64 " rows: %" PRIu64 " devices added, %" PRIu64 " replaced, %" PRIu64
		       " changed, %" PRIu64 " were there already\n",
			cli_uint(body, "rows", 0), cli_uint(body, "added", 0),
			cli_uint(body, "replaced", 0), cli_uint(body, "changed", 0),
			cli_uint(body, "unchanged", 0));
	}
	if (cli->json)
		cli_json_element(cli, body);
}

// What the name of a file says of its format, which only JSON needs: a file that is none, and does
// not look like it, is no CSV with a strange header either. NULL: nothing.
static const char *format_by_name(const char *path)
{
	static const char *const endings[] = {".json", ".jsonl", ".ndjson"};
	const char *ending = strrchr(path, '.');

	for (size_t i = 0; ending && i < sizeof(endings) / sizeof(endings[0]); i++)
		if (strcasecmp(ending, endings[i]) == 0)
			return "json";
	return NULL;
}

int cli_device_import(struct cli *cli, const char *path)
{
	const char *format = cli->given & CLI_FORMAT ? cli->format : format_by_name(path);
	static struct ctl_writer request;
	static struct ctl_reply reply;
	int fd, ret;

	if (format && strcmp(format, "csv") != 0 && strcmp(format, "json") != 0) {
		cli_complain("--format: csv or json");
		return CLI_USAGE;
	}
	fd = file_open(path);
	if (fd < 0)
		return CLI_FAILED;
	cli_begin(cli, &request, "device import");
	if (format)
		ctl_put_text(&request, "format", format);
	if (cli->given & CLI_NEVER_USED)
		ctl_put_bool(&request, "never_used", true);
	if (cli->given & CLI_REPLACE)
		ctl_put_bool(&request, "replace", true);
	ret = cli_send(cli, &request, fd);
	file_close(fd);
	while (ret == CLI_OK && (ret = cli_receive(cli, &reply)) == CLI_OK &&
		reply.message.map.value)
		import_part(cli, path, &reply.message.map);
	if (ret == CLI_OK && cli->json)
		cli_json_end(cli);
	return ret;
}

static void list_row(struct cli_table *table, const struct ctl_cbor *device)
{
	uint64_t last_seen = cli_uint(device, "last_seen_ms", UINT64_MAX);
	char text[32];

	cli_table_value(table, device, "name");
	cli_table_value(table, device, "device_id");
	cli_table_value(table, device, "gateway_id");
	cli_table_value(table, device, "id_context");
	cli_table_value(table, device, "algorithm");
	cli_table_value(table, device, "state");
	cli_table_value(table, device, "requests");
	cli_table_cell(
		table, "%s", last_seen == UINT64_MAX ? "-" : cli_duration_text(text, last_seen));
}

static void list_filter(const struct cli *cli, struct ctl_writer *request, const char *argument)
{
	if (cli->given & CLI_STATE)
		ctl_put_text(request, "state", cli->state);
	if (cli->given & CLI_IDLE)
		ctl_put_uint(request, "idle_ms", cli->idle_ms);
	if (cli->given & CLI_POLICY)
		ctl_put_text(request, "policy", cli->policy);
	if (cli->given & CLI_LIMITED)
		ctl_put_bool(request, "limited", true);
}

int cli_device_list(struct cli *cli, const char *argument)
{
	static const char *const titles[] = {"NAME", "DEVICE ID", "GATEWAY ID", "ID CONTEXT",
		"ALGORITHM", "STATE", ">REQUESTS", ">LAST SEEN", NULL};
	static const struct cli_list list = {.verb = "device list",
		.key = "name",
		.titles = titles,
		.row = list_row,
		.filter = list_filter};
	static struct cli_after after = {.type = CTL_CBOR_TEXT};

	after.given = cli->given & CLI_AFTER && cli->after[0];
	if (after.given)
		snprintf((char *)after.data, sizeof(after.data), "%s", cli->after);
	return cli_list_show(cli, &list, &after, argument);
}

static void show_attributes(const struct ctl_cbor *device, bool settings)
{
	for (unsigned i = 0; i < device_attribute_count; i++) {
		const struct device_attribute *attribute = &device_attributes[i];
		if (attribute->title != NULL && attribute->setting == settings)
			cli_line_show(device, attribute->shown ? attribute->shown : attribute->name,
				attribute->title);
	}
}

static void show_times(const struct ctl_cbor *device)
{
	uint64_t last_seen = cli_uint(device, "last_seen_ms", UINT64_MAX);
	uint64_t derived = cli_uint(device, "rederived_at", 0);
	uint64_t expires = cli_uint(device, "expires", 0);
	char text[32];

	printf("%-14s %s\n", "created", cli_time_text(text, cli_uint(device, "created", 0)));
	if (derived)
		printf("%-14s %s\n", "last derived", cli_time_text(text, derived));
	if (expires)
		printf("%-14s %s\n", "expires", cli_time_text(text, expires));
	if (last_seen != UINT64_MAX)
		printf("%-14s %s ago\n", "last seen", cli_duration_text(text, last_seen));
	else
		printf("%-14s not since postern started\n", "last seen");
}

static void show_limit(
	const struct ctl_cbor *device, const char *key, const char *limit, const char *title)
{
	struct ctl_cbor value;

	if (ctl_cbor_find(device, key, &value))
		printf("%-14s %" PRIu64 " of at most %" PRIu64 "\n", title,
			cli_uint(device, key, 0), cli_uint(device, limit, 0));
}

int cli_device_show(struct cli *cli, const char *name)
{
	static struct ctl_writer request;
	static struct ctl_reply reply;
	int ret;

	cli_begin(cli, &request, "device show");
	ctl_put_text(&request, "name", name);
	ret = cli_call(cli, &request, &reply);
	if (ret != CLI_OK || cli->json)
		return ret;
	show_attributes(&reply.message.map, false);
	cli_line_show(&reply.message.map, "kid", "kid");
	cli_line_show(&reply.message.map, "sha256", "sha256");
	cli_line_show(&reply.message.map, "state", "state");
	cli_line_show(&reply.message.map, "reason", "  because");
	cli_line_show(&reply.message.map, "remedy", "  remedy");
	show_attributes(&reply.message.map, true);
	cli_line_show(&reply.message.map, "rederived", "contexts derived");
	cli_line_show(&reply.message.map, "mark", "mark");
	cli_line_show(&reply.message.map, "highest_piv", "highest PIV");
	cli_line_show(&reply.message.map, "own_piv", "own PIV");
	cli_line_show(&reply.message.map, "requests", "requests");
	cli_line_show(&reply.message.map, "in_flight", "in flight");
	cli_line_show(&reply.message.map, "worker", "worker");
	show_limit(&reply.message.map, "uses", "uses_limit", "key uses");
	show_limit(&reply.message.map, "forgeries", "forgeries_limit", "forgeries");
	show_times(&reply.message.map);
	return CLI_OK;
}

int cli_device_remove(struct cli *cli, const char *name)
{
	static struct ctl_writer request;
	static struct ctl_reply reply;
	int ret;

	cli_begin(cli, &request, "device remove");
	ctl_put_text(&request, "name", name);
	ret = cli_call(cli, &request, &reply);
	if (ret == CLI_OK && !cli->json)
		printf("%s: removed\n", name);
	return ret;
}
