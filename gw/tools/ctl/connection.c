// SPDX-License-Identifier: BSD-3-Clause

#include "gw/tools/ctl/connection.h"

#include "gw/tools/ctl/complain.h"
#include "gw/tools/ctl/json.h"
#include "gw/tools/ctl/values.h"

#include <errno.h>
#include <grp.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

// Says why there is no connection, and what helps.
static void complain_of_connect(const struct cli *cli, int error)
{
	struct group *group;
	struct stat st;

	switch (error) {
	case ENOENT:
	case ECONNREFUSED:
		cli_complain("postern does not run: nobody listens on %s", cli->socket);
		break;
	case EACCES:
	case EPERM:
		group = stat(cli->socket, &st) == 0 ? getgrgid(st.st_gid) : NULL;
		if (group)
			cli_complain("no permission to use %s: be root or in group %s", cli->socket,
				group->gr_name);
		else
			cli_complain("no permission to use %s", cli->socket);
		break;
	default:
		cli_complain("%s: %s", cli->socket, strerror(error));
	}
}

static int no_answer(const struct cli *cli)
{
	cli_complain("postern did not answer for %lu s: it is stopped or has too much to do "
		     "(--timeout gives it more time)",
		cli->timeout_s);
	return CLI_NO_CONNECTION;
}

static int connect_once(struct cli *cli)
{
	int ret;

	if (cli->client.fd >= 0)
		return CLI_OK;
	ret = ctl_client_connect(&cli->client, cli->socket, cli->timeout_s);
	if (ret == 0)
		return CLI_OK;
	if (ret == -EAGAIN) // too many clients wait to be accepted
		return no_answer(cli);
	complain_of_connect(cli, -ret);
	return CLI_NO_CONNECTION;
}

// Turns the -errno of ctl_client_*() into a complaint and an exit code.
static int connection_exit(const struct cli *cli, int ret)
{
	if (ret == 0)
		return CLI_OK;
	if (ret == -EAGAIN)
		return no_answer(cli);
	cli_complain("the connection to postern broke: %s",
		ret == -ENODATA ? "it hung up without an answer" : strerror(-ret));
	return CLI_NO_CONNECTION;
}

void cli_begin(struct cli *cli, struct ctl_writer *request, const char *verb)
{
	ctl_client_begin(&cli->client, request, verb);
}

int cli_send(struct cli *cli, struct ctl_writer *request, int fd)
{
	int ret = connect_once(cli);

	if (ret != CLI_OK) {
		sodium_memzero(request->data, request->len);
		return ret;
	}
	ret = ctl_client_send(&cli->client, request, fd);
	if (ret == -EMSGSIZE) {
		cli_complain("the request does not fit a message");
		return CLI_USAGE;
	}
	return connection_exit(cli, ret);
}

static int complain_of_answer(struct cli *cli, const struct ctl_message *answer)
{
	const struct ctl_cbor *code = &answer->word;
	char message[CLI_VALUE_MAX];

	cli_value_text(message, &answer->map, "message");
	cli_complain("%s (%.*s)", message, (int)code->value, (const char *)code->data);
	if (cli->json_open)
		cli_json_end(cli);
	if (cli->json) {
		printf("{\"error\":");
		cli_json(stdout, code);
		printf(",\"body\":");
		cli_json(stdout, &answer->map);
		printf("}\n");
	}
	return CLI_FAILED;
}

int cli_result(struct cli *cli, int ret, const struct ctl_reply *reply)
{
	ret = connection_exit(cli, ret);
	return ret == CLI_OK && !ctl_reply_is_ok(reply) ? complain_of_answer(cli, &reply->message)
							: ret;
}

int cli_receive(struct cli *cli, struct ctl_reply *reply)
{
	return cli_result(cli, ctl_client_receive(&cli->client, reply), reply);
}

int cli_receive_event(struct cli *cli, struct ctl_reply *reply)
{
	return connection_exit(cli, ctl_client_receive_event(&cli->client, reply));
}

int cli_call(struct cli *cli, struct ctl_writer *request, struct ctl_reply *reply)
{
	int ret = cli_send(cli, request, -1);

	if (ret == CLI_OK)
		ret = cli_receive(cli, reply);
	if (ret == CLI_OK && cli->json) {
		cli_json(stdout, &reply->message.map);
		putchar('\n');
	}
	return ret;
}

void cli_wait_for_ever(struct cli *cli)
{
	ctl_client_set_timeout(&cli->client, 0);
}

int cli_wait_for_end(struct cli *cli)
{
	return ctl_client_wait_for_end(&cli->client) < 0 ? no_answer(cli) : CLI_OK;
}
