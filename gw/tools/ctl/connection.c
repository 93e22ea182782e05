// SPDX-License-Identifier: BSD-3-Clause

#include "gw/tools/ctl/cli.h"

#include <errno.h>
#include <grp.h>
#include <sodium.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

// Why the socket cannot be had, and what helps.
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

static void timeout_set(const struct cli *cli, uint64_t seconds)
{
	const struct timeval time = {.tv_sec = (time_t)seconds};

	// The kernel takes any number of seconds that option_take() does.
	(void)setsockopt(cli->fd, SOL_SOCKET, SO_RCVTIMEO, &time, sizeof(time));
	(void)setsockopt(cli->fd, SOL_SOCKET, SO_SNDTIMEO, &time, sizeof(time));
}

static int connect_once(struct cli *cli)
{
	struct sockaddr_un addr = {.sun_family = AF_UNIX};

	if (cli->fd >= 0)
		return CLI_OK;
	if (strlen(cli->socket) >= sizeof(addr.sun_path)) {
		complain_of_connect(cli, ENAMETOOLONG);
		return CLI_NO_CONNECTION;
	}
	snprintf(addr.sun_path, sizeof(addr.sun_path), "%s", cli->socket);
	cli->fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	if (cli->fd >= 0)
		timeout_set(cli, cli->timeout_s);
	if (cli->fd < 0 || connect(cli->fd, (struct sockaddr *)&addr, sizeof(addr)) < 0) {
		if (errno == EAGAIN) // of those who wait to be accepted there are too many
			return no_answer(cli);
		complain_of_connect(cli, errno);
		return CLI_NO_CONNECTION;
	}
	return CLI_OK;
}

void cli_disconnect(struct cli *cli)
{
	if (cli->fd >= 0)
		close(cli->fd);
	cli->fd = -1;
}

static int connection_lost(const struct cli *cli, int error)
{
	if (error == EAGAIN)
		return no_answer(cli);
	cli_complain("the connection to postern broke: %s",
		error ? strerror(error) : "it hung up without an answer");
	return CLI_NO_CONNECTION;
}

void cli_begin(struct cli *cli, struct ctl_writer *request, const char *verb)
{
	ctl_writer_init(request);
	ctl_write_array(request);
	ctl_write_uint(request, ++cli->last_id);
	ctl_write_text(request, verb);
	ctl_write_map(request);
}

static int message_send(struct cli *cli, const struct ctl_writer *request, int fd)
{
	union {
		struct cmsghdr align;
		char buf[CMSG_SPACE(sizeof(int))];
	} control = {0};
	struct iovec iov = {.iov_base = (void *)request->data, .iov_len = request->len};
	struct msghdr msg = {.msg_iov = &iov, .msg_iovlen = 1};
	ssize_t n;

	if (fd >= 0) {
		msg.msg_control = control.buf;
		msg.msg_controllen = sizeof(control.buf);
		control.align.cmsg_level = SOL_SOCKET;
		control.align.cmsg_type = SCM_RIGHTS;
		control.align.cmsg_len = CMSG_LEN(sizeof(int));
		memcpy(CMSG_DATA(&control.align), &fd, sizeof(fd));
	}
	do
		n = sendmsg(cli->fd, &msg, MSG_NOSIGNAL);
	while (n < 0 && errno == EINTR);
	return n < 0 ? connection_lost(cli, errno) : CLI_OK;
}

int cli_send(struct cli *cli, struct ctl_writer *request, int fd)
{
	int ret;

	ctl_write_close(request);
	ctl_write_close(request);
	if (!ctl_writer_done(request)) {
		cli_complain("the request does not fit a message");
		ret = CLI_USAGE;
	} else {
		ret = connect_once(cli);
		if (ret == CLI_OK)
			ret = message_send(cli, request, fd);
	}
	sodium_memzero(request->data, request->len);
	return ret;
}

// Finds id, status and body of a reply. False if it is none.
static bool reply_parse(
	struct cli_reply *reply, size_t len, uint64_t *reply_id, struct ctl_cbor *status)
{
	struct ctl_cbor root, id;
	struct ctl_cbor_iter iter;

	if (ctl_cbor_walk(reply->data, len) != CTL_CBOR_OK)
		return false;
	root = ctl_cbor_root(reply->data, len);
	iter = ctl_cbor_iter(&root);
	if (root.type != CTL_CBOR_ARRAY || !ctl_cbor_next(&iter, &id) || id.type != CTL_CBOR_UINT ||
		!ctl_cbor_next(&iter, status) || status->type != CTL_CBOR_TEXT ||
		!ctl_cbor_next(&iter, &reply->body) || reply->body.type != CTL_CBOR_MAP)
		return false;
	*reply_id = id.value;
	return true;
}

static int complain_of_answer(
	struct cli *cli, const struct cli_reply *reply, const struct ctl_cbor *status)
{
	char message[CLI_VALUE_MAX];

	cli_value_text(message, &reply->body, "message");
	cli_complain("%s (%.*s)", message, (int)status->value, (const char *)status->data);
	if (cli->json_open)
		cli_json_end(cli);
	if (cli->json) {
		printf("{\"error\":");
		cli_json(stdout, status);
		printf(",\"body\":");
		cli_json(stdout, &reply->body);
		printf("}\n");
	}
	return CLI_FAILED;
}

static int message_receive(
	struct cli *cli, struct cli_reply *reply, uint64_t *id, struct ctl_cbor *status)
{
	ssize_t n;

	do
		n = recv(cli->fd, reply->data, sizeof(reply->data), MSG_TRUNC);
	while (n < 0 && errno == EINTR);
	if (n <= 0)
		return connection_lost(cli, n < 0 ? errno : 0);
	if ((size_t)n > sizeof(reply->data) || !reply_parse(reply, n, id, status))
		return connection_lost(cli, EPROTO);
	return CLI_OK;
}

int cli_receive_event(struct cli *cli, struct cli_reply *reply, struct ctl_cbor *name)
{
	uint64_t id;
	int ret;

	do
		ret = message_receive(cli, reply, &id, name);
	while (ret == CLI_OK && id != 0);
	return ret;
}

int cli_receive(struct cli *cli, struct cli_reply *reply)
{
	struct ctl_cbor status;
	uint64_t id;

	for (;;) {
		int ret = message_receive(cli, reply, &id, &status);

		if (ret != CLI_OK)
			return ret;
		if (ctl_cbor_is_text(&status, "ok")) {
			if (id == cli->last_id)
				return CLI_OK;
			continue;
		}
		// With id 0 it is an event, or an error of the whole connection.
		if (id == cli->last_id || (id == 0 && ctl_cbor_is_text(&status, "busy")) ||
			(id == 0 && ctl_cbor_is_text(&status, "bad-request")))
			return complain_of_answer(cli, reply, &status);
	}
}

int cli_call(struct cli *cli, struct ctl_writer *request, struct cli_reply *reply)
{
	int ret = cli_send(cli, request, -1);

	if (ret == CLI_OK)
		ret = cli_receive(cli, reply);
	if (ret == CLI_OK && cli->json) {
		cli_json(stdout, &reply->body);
		putchar('\n');
	}
	return ret;
}

void cli_wait_for_ever(struct cli *cli)
{
	timeout_set(cli, 0);
}

int cli_wait_for_end(struct cli *cli)
{
	uint8_t byte;
	ssize_t n;

	do
		n = recv(cli->fd, &byte, sizeof(byte), 0);
	while (n > 0 || (n < 0 && errno == EINTR));
	return n < 0 && errno == EAGAIN ? no_answer(cli) : CLI_OK;
}
