// SPDX-License-Identifier: BSD-3-Clause
// The commands about the store as a whole, and what happens.

#include "gw/ctl/verbs.h"
#include "gw/tools/ctl/cli.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

int cli_store_check(struct cli *cli, const char *argument)
{
	static struct ctl_writer request;
	static struct cli_reply reply;
	uint64_t devices = 0, problems = 0;
	char text[CLI_VALUE_MAX];
	struct ctl_cbor part;
	int ret;

	cli_begin(cli, &request, "store check");
	ret = cli_send(cli, &request, -1);
	while (ret == CLI_OK && (ret = cli_receive(cli, &reply)) == CLI_OK && reply.body.value) {
		if (cli->json)
			cli_json_element(cli, &reply.body);
		if (!ctl_cbor_find(&reply.body, "part", &part))
			continue;
		if (ctl_cbor_is_text(&part, "result")) {
			devices = cli_uint(&reply.body, "devices", 0);
			problems = cli_uint(&reply.body, "problems", 0);
		} else if (!cli->json) {
			printf("%s\n", cli_value_text(text, &reply.body, "message"));
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

int cli_store_backup(struct cli *cli, const char *argument)
{
	static struct ctl_writer request;
	static struct cli_reply reply;
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

// A line of an event: what happened, then the values of its body.
static void event_print(const struct ctl_cbor *event, const struct ctl_cbor *body)
{
	struct ctl_cbor_iter iter = ctl_cbor_iter(body);
	struct ctl_cbor key, value;
	char text[CLI_VALUE_MAX], stamp[32];
	time_t now = time(NULL);

	strftime(stamp, sizeof(stamp), "%Y-%m-%d %H:%M:%S", localtime(&now));
	printf("%s %.*s", stamp, (int)event->value, (const char *)event->data);
	while (ctl_cbor_next(&iter, &key) && ctl_cbor_next(&iter, &value)) {
		char name[64];

		snprintf(name, sizeof(name), "%.*s", (int)key.value, (const char *)key.data);
		printf(" %s=%s", name, cli_value_text(text, body, name));
	}
	putchar('\n');
}

int cli_events(struct cli *cli, const char *argument)
{
	static struct ctl_writer request;
	static struct cli_reply reply;
	struct ctl_cbor event;
	int ret;

	cli_begin(cli, &request, "events");
	ret = cli_send(cli, &request, -1);
	if (ret == CLI_OK)
		ret = cli_receive(cli, &reply);
	if (ret == CLI_OK)
		cli_wait_for_ever(cli);
	while (ret == CLI_OK && (ret = cli_receive_event(cli, &reply, &event)) == CLI_OK) {
		if (cli->json) {
			printf("{\"event\":");
			cli_json(stdout, &event);
			printf(",\"body\":");
			cli_json(stdout, &reply.body);
			printf("}\n");
		} else {
			event_print(&event, &reply.body);
		}
		// A pipe is to have each as it comes; nobody behind it is the end.
		if (fflush(stdout) != 0)
			return CLI_FAILED;
	}
	return ret;
}
