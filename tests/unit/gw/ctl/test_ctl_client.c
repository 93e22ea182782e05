// SPDX-License-Identifier: BSD-3-Clause
// A client hears what the daemon said before it hung up, whenever that was.

#include "gw/ctl/client.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static const uint8_t busy[] = "\x83\x00\x64"
			      "busy\xa0";

static struct ctl_client client;
static int daemon_fd;
static struct ctl_writer request;
static struct ctl_reply reply;

static void set_up(void)
{
	int fds[2];

	cr_assert_eq(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fds), 0);
	client = (struct ctl_client){.fd = fds[0]};
	daemon_fd = fds[1];
	ctl_client_begin(&client, &request, "status");
}

static void tear_down(void)
{
	ctl_client_close(&client);
}

TestSuite(ctl_client, .init = set_up, .fini = tear_down);

static void daemon_refuses(void)
{
	const ssize_t len = sizeof(busy) - 1;

	cr_assert_eq(send(daemon_fd, busy, len, MSG_NOSIGNAL), len);
	close(daemon_fd);
}

static void expect_busy(void)
{
	cr_assert_eq(ctl_client_receive(&client, &reply), 0);
	cr_expect(ctl_cbor_is_text(&reply.message.word, "busy"));
}

Test(ctl_client, a_refusal_is_heard_that_left_the_request_unread)
{
	cr_assert_eq(ctl_client_send(&client, &request, -1), 0);
	daemon_refuses();
	expect_busy();
	cr_expect_eq(ctl_client_receive(&client, &reply), -ENODATA);
}

Test(ctl_client, a_refusal_is_heard_that_came_before_the_request)
{
	daemon_refuses();
	cr_assert_eq(ctl_client_send(&client, &request, -1), 0);
	expect_busy();
}

Test(ctl_client, a_daemon_that_ends_without_a_word_broke_the_connection)
{
	cr_assert_eq(ctl_client_send(&client, &request, -1), 0);
	close(daemon_fd);
	cr_expect_eq(ctl_client_receive(&client, &reply), -ENODATA);
	cr_expect_eq(ctl_client_receive(&client, &reply), -ENODATA);
}
