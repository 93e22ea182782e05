// SPDX-License-Identifier: BSD-3-Clause

#include "gw/tools/ctl/trace.h"

#include "gw/tools/ctl/complain.h"
#include "gw/tools/ctl/connection.h"
#include "gw/tools/ctl/json.h"
#include "gw/tools/ctl/values.h"

#include <arpa/inet.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

// What each step says of a packet, in this order. A text of the daemon's may have come from a
// configuration or a server: cli_value_text() disarms it.
static const struct {
	const char *key, *before;
} values[] = {
	{"stage", " "},
	{"source", " from "},
	{"source_port", " port "},
	{"port", " at "},
	{"method", " method "},
	{"refused", ", refused with "},
	{"route", " by route "},
	{"to", " to "},
	{"code", " with "},
	{"server", " by "},
	{"status", ", status "},
	{"tries", ", tries "},
	{"queued_ms", ", ms in the queue "},
	{"total_ms", ", ms since it came "},
	{"error", ", error "},
	{"bytes", ", bytes "},
	{"device", ", device "},
	{"piv", ", sequence number "},
};

static void counted_print(const struct ctl_cbor *map)
{
	struct ctl_cbor counted = cli_inner(map, "counted"), name;
	struct ctl_cbor_iter iter = ctl_cbor_iter(&counted);

	while (ctl_cbor_next(&iter, &name))
		if (name.type == CTL_CBOR_TEXT)
			printf(" %.*s", (int)name.value, (const char *)name.data);
}

static void event_print(const struct ctl_cbor *map)
{
	const uint64_t after_ns = cli_uint(map, "after_ns", 0);
	char text[CLI_VALUE_MAX];
	struct ctl_cbor passed, value;

	printf("%3" PRIu64 "  +%6" PRIu64 ".%03" PRIu64 " us  worker %" PRIu64 "  ",
		cli_uint(map, "packet", 0), after_ns / 1000, after_ns % 1000,
		cli_uint(map, "worker", 0));
	printf("%s", cli_value_text(text, map, "step"));
	for (unsigned i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
		if (!ctl_cbor_find(map, values[i].key, &value))
			continue;
		printf("%s%s", values[i].before, cli_value_text(text, map, values[i].key));
		if (i == 0 && ctl_cbor_find(map, "passed", &passed)) {
			printf("%s", cli_bool(map, "passed") ? ": passed" : ": ended here");
			counted_print(map);
		}
	}
	putchar('\n');
}

static int trace_run(struct cli *cli, struct ctl_writer *request)
{
	static struct ctl_reply reply;
	int ret;

	if (cli->given & CLI_COUNT)
		ctl_put_uint(request, "count", cli->count);
	if (cli->given & CLI_SECONDS)
		ctl_put_uint(request, "seconds", cli->seconds);
	ret = cli_send(cli, request, -1);
	if (ret == CLI_OK)
		ret = cli_receive(cli, &reply);
	if (ret == CLI_OK) {
		fprintf(stderr, "posternctl: waits for %" PRIu64 " packets\n",
			cli_uint(&reply.message.map, "count", 0));
		ctl_client_set_timeout(&cli->client,
			(cli->given & CLI_SECONDS ? cli->seconds : CTL_TRACE_TIME_DEFAULT) +
				cli->timeout_s);
	}
	while (ret == CLI_OK && (ret = cli_receive(cli, &reply)) == CLI_OK) {
		struct ctl_cbor ended;

		if (cli->json)
			cli_json_element(cli, &reply.message.map);
		else if (ctl_cbor_find(&reply.message.map, "packet", &ended))
			event_print(&reply.message.map);
		if (fflush(stdout) != 0)
			return CLI_FAILED;
		if (ctl_cbor_find(&reply.message.map, "ended", &ended))
			break;
	}
	if (ret == CLI_OK && cli->json)
		cli_json_end(cli);
	return ret;
}

int cli_trace_device(struct cli *cli, const char *name)
{
	static struct ctl_writer request;

	cli_begin(cli, &request, "trace");
	ctl_put_text(&request, "device", name);
	return trace_run(cli, &request);
}

int cli_trace_source(struct cli *cli, const char *address)
{
	static struct ctl_writer request;
	uint8_t bytes[16];

	cli_begin(cli, &request, "trace");
	if (inet_pton(AF_INET, address, bytes) == 1) {
		ctl_put_bytes(&request, "source", bytes, 4);
	} else if (inet_pton(AF_INET6, address, bytes) == 1) {
		ctl_put_bytes(&request, "source", bytes, 16);
	} else {
		cli_complain("%s: no IP address", address);
		return CLI_USAGE;
	}
	return trace_run(cli, &request);
}
