// SPDX-License-Identifier: BSD-3-Clause

#include "gw/ctl/client.h"

#include <errno.h>
#include <sodium.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

void ctl_client_set_timeout(struct ctl_client *client, uint64_t timeout_s)
{
	const struct timeval time = {.tv_sec = (time_t)timeout_s};

	// Cannot fail for the seconds that anybody waits.
	(void)setsockopt(client->fd, SOL_SOCKET, SO_RCVTIMEO, &time, sizeof(time));
	(void)setsockopt(client->fd, SOL_SOCKET, SO_SNDTIMEO, &time, sizeof(time));
}

int ctl_client_connect(struct ctl_client *client, const char *path, uint64_t timeout_s)
{
	struct sockaddr_un addr = {.sun_family = AF_UNIX};

	client->fd = -1;
	if (strlen(path) >= sizeof(addr.sun_path))
		return -ENAMETOOLONG;
	memcpy(addr.sun_path, path, strlen(path));
	client->fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	if (client->fd < 0)
		return -errno;
	ctl_client_set_timeout(client, timeout_s);
	if (connect(client->fd, (struct sockaddr *)&addr, sizeof(addr)) < 0) {
		int ret = -errno;

		ctl_client_close(client);
		return ret;
	}
	return 0;
}

void ctl_client_close(struct ctl_client *client)
{
	if (client->fd >= 0)
		close(client->fd);
	client->fd = -1;
}

void ctl_client_begin(struct ctl_client *client, struct ctl_writer *request, const char *verb)
{
	ctl_writer_init(request);
	ctl_write_array(request);
	ctl_write_uint(request, ++client->last_id);
	ctl_write_text(request, verb);
	ctl_write_map(request);
}

static int message_send(const struct ctl_client *client, const struct ctl_writer *request, int fd)
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
		n = sendmsg(client->fd, &msg, MSG_NOSIGNAL);
	while (n < 0 && errno == EINTR);
	// The daemon may have hung up, and said why before: receiving tells.
	return n < 0 && errno != EPIPE && errno != ECONNRESET ? -errno : 0;
}

int ctl_client_send(struct ctl_client *client, struct ctl_writer *request, int fd)
{
	int ret;

	ctl_write_close(request);
	ctl_write_close(request);
	ret = ctl_writer_done(request) ? message_send(client, request, fd) : -EMSGSIZE;
	sodium_memzero(request->data, request->len);
	return ret;
}

static int message_receive(const struct ctl_client *client, struct ctl_reply *reply)
{
	ssize_t n;

	// A daemon that hangs up before it has read all is an error once, in front of what it said.
	do
		n = recv(client->fd, reply->data, sizeof(reply->data), MSG_TRUNC);
	while (n < 0 && (errno == EINTR || errno == ECONNRESET));
	if (n < 0)
		return -errno;
	if (n == 0)
		return -ENODATA;
	if ((size_t)n > sizeof(reply->data) || ctl_cbor_walk(reply->data, n) != CTL_CBOR_OK ||
		!ctl_message_read(&reply->message, reply->data, n, true))
		return -EPROTO;
	return 0;
}

bool ctl_reply_is_ok(const struct ctl_reply *reply)
{
	return ctl_cbor_is_text(&reply->message.word, "ok");
}

// With id 0 a message is an event, or one of the errors that a connection as a whole can have.
static bool is_of_connection(const struct ctl_message *message)
{
	return message->id == 0 &&
		(ctl_cbor_is_text(&message->word, ctl_error_code(CTL_BUSY)) ||
			ctl_cbor_is_text(&message->word, ctl_error_code(CTL_BAD_REQUEST)));
}

int ctl_client_receive(struct ctl_client *client, struct ctl_reply *reply)
{
	int ret;

	do
		ret = message_receive(client, reply);
	while (ret == 0 && reply->message.id != client->last_id &&
		!is_of_connection(&reply->message));
	return ret;
}

int ctl_client_receive_event(struct ctl_client *client, struct ctl_reply *reply)
{
	int ret;

	do
		ret = message_receive(client, reply);
	while (ret == 0 && reply->message.id != 0);
	return ret;
}

int ctl_client_wait_for_end(struct ctl_client *client)
{
	uint8_t byte;
	ssize_t n;

	do
		n = recv(client->fd, &byte, sizeof(byte), 0);
	while (n > 0 || (n < 0 && errno == EINTR));
	return n < 0 && errno == EAGAIN ? -EAGAIN : 0;
}
