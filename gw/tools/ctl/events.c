// SPDX-License-Identifier: BSD-3-Clause

#include "gw/tools/ctl/events.h"

#include "gw/tools/ctl/complain.h"
#include "gw/tools/ctl/connection.h"
#include "gw/tools/ctl/json.h"
#include "gw/tools/ctl/values.h"

#include <stdio.h>
#include <time.h>

// A line of an event: what happened, then the values of its body.
static void event_print(const struct ctl_message *event)
{
	struct ctl_cbor_iter iter = ctl_cbor_iter(&event->map);
	struct ctl_cbor key, value;
	char text[CLI_VALUE_MAX], stamp[32];
	time_t now = time(NULL);

	strftime(stamp, sizeof(stamp), "%Y-%m-%d %H:%M:%S", localtime(&now));
	printf("%s %.*s", stamp, (int)event->word.value, (const char *)event->word.data);
	while (ctl_cbor_next(&iter, &key) && ctl_cbor_next(&iter, &value)) {
		char name[64];

		snprintf(name, sizeof(name), "%.*s", (int)key.value, (const char *)key.data);
		printf(" %s=%s", name, cli_value_text(text, &event->map, name));
	}
	putchar('\n');
}

int cli_events(struct cli *cli, const char *argument)
{
	static struct ctl_writer request;
	static struct ctl_reply reply;
	int ret;

	cli_begin(cli, &request, "events");
	ret = cli_send(cli, &request, -1);
	if (ret == CLI_OK)
		ret = cli_receive(cli, &reply);
	if (ret == CLI_OK)
		cli_wait_for_ever(cli);
	while (ret == CLI_OK && (ret = cli_receive_event(cli, &reply)) == CLI_OK) {
		if (cli->json) {
			printf("{\"event\":");
			cli_json(stdout, &reply.message.word);
			printf(",\"body\":");
			cli_json(stdout, &reply.message.map);
			printf("}\n");
		} else {
			event_print(&reply.message);
		}
		// Flushed, so that a pipe gets each event as it comes; ends when its reader is
		// gone.
		if (fflush(stdout) != 0)
			return CLI_FAILED;
	}
	return ret;
}
