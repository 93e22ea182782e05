// SPDX-License-Identifier: BSD-3-Clause

#include "gw/tools/ctl/refused.h"

#include "gw/tools/ctl/complain.h"
#include "gw/tools/ctl/connection.h"
#include "gw/tools/ctl/json.h"
#include "gw/tools/ctl/values.h"

#include <inttypes.h>
#include <stdio.h>
#include <time.h>

#define BYTES_A_LINE 16

// In this order, if a packet has it. A text of the daemon's may have come from elsewhere:
// cli_value_text() disarms it.
static const struct {
	const char *key, *before;
} values[] = {
	{"source", "  from "},
	{"source_port", " port "},
	{"port", " at "},
	{"kid", ", kid "},
	{"kid_context", ", kid context "},
	{"piv", ", sequence number "},
	{"device", ", of device "},
};

static void time_print(uint64_t ms)
{
	const time_t seconds = (time_t)(ms / 1000);
	struct tm tm;
	char text[32];

	if (!localtime_r(&seconds, &tm) || !strftime(text, sizeof(text), "%F %T", &tm))
		text[0] = 0;
	printf("%s.%03u", text, (unsigned)(ms % 1000));
}

static void bytes_print(const struct ctl_cbor *map)
{
	struct ctl_cbor bytes;

	if (!ctl_cbor_find(map, "bytes", &bytes) || bytes.type != CTL_CBOR_BYTES)
		return;
	for (uint64_t i = 0; i < bytes.value; i++)
		printf("%s%02x", i % BYTES_A_LINE ? " " : i ? "\n    " : "    ", bytes.data[i]);
	if (bytes.value)
		putchar('\n');
}

static void packet_print(const struct ctl_cbor *map)
{
	char text[CLI_VALUE_MAX];
	struct ctl_cbor value;

	time_print(cli_uint(map, "time_ms", 0));
	printf("  %s", cli_value_text(text, map, "reason"));
	for (unsigned i = 0; i < sizeof(values) / sizeof(values[0]); i++)
		if (ctl_cbor_find(map, values[i].key, &value))
			printf("%s%s", values[i].before, cli_value_text(text, map, values[i].key));
	printf("\n  %s:", cli_value_text(text, map, "help"));
	printf(" %s", cli_value_text(text, map, "of"));
	printf(" of %" PRIu64 " bytes", cli_uint(map, "len", 0));
	if (ctl_cbor_find(map, "bad_at", &value))
		printf(", malformed at byte %" PRIu64, cli_uint(map, "bad_at", 0));
	if (ctl_cbor_find(map, "fault", &value))
		printf(" (%s)", cli_value_text(text, map, "fault"));
	printf("%s\n", cli_bool(map, "opened") ? ", its ciphertext is not shown" : "");
	bytes_print(map);
}

int cli_show_refused(struct cli *cli, const char *argument)
{
	static struct ctl_writer request;
	static struct ctl_reply reply;
	unsigned count = 0;
	int ret;

	cli_begin(cli, &request, "show refused");
	if (cli->given & CLI_REASON)
		ctl_put_text(&request, "reason", cli->reason);
	if (cli->given & CLI_COUNT)
		ctl_put_uint(&request, "limit", cli->count);
	ret = cli_send(cli, &request, -1);
	while (ret == CLI_OK && (ret = cli_receive(cli, &reply)) == CLI_OK &&
		reply.message.map.value) {
		count++;
		if (cli->json)
			cli_json_element(cli, &reply.message.map);
		else
			packet_print(&reply.message.map);
	}
	if (ret == CLI_OK && cli->json)
		cli_json_end(cli);
	else if (ret == CLI_OK && !count)
		printf("none\n");
	return ret;
}
