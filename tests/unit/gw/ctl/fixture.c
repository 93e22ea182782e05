// SPDX-License-Identifier: BSD-3-Clause

#include "tests/unit/gw/ctl/fixture.h"

#include <criterion/criterion.h>
#include <dirent.h>
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define FDS_MAX 16

static struct ctl_writer request;

void fixture_init(
	struct fixture *fixture, const struct ctl_verb *verbs, size_t verb_count, void *arg)
{
	memset(fixture, 0, sizeof(*fixture));
	strcpy(fixture->directory, "/tmp/test_ctl.XXXXXX");
	cr_assert(mkdtemp(fixture->directory));
	snprintf(fixture->path, sizeof(fixture->path), "%s/control.sock", fixture->directory);
	fixture->conf = (struct ctl_server_conf){
		.path = fixture->path,
		.mode = 0660,
		.gid = -1,
		.owner = geteuid(),
		.verbs = verbs,
		.verb_count = verb_count,
		.arg = arg,
	};
}

void fixture_start(struct fixture *fixture)
{
	fixture->server = ctl_server_create(&fixture->conf);
	cr_assert(fixture->server, "%s", strerror(errno));
}

void fixture_stop(struct fixture *fixture)
{
	ctl_server_free(fixture->server);
	fixture->server = NULL;
	if (fixture->directory[0] == 0)
		return;
	cr_expect_eq(rmdir(fixture->directory), 0, "something is left in %s", fixture->directory);
	fixture->directory[0] = 0;
}

void fixture_turn(struct fixture *fixture)
{
	struct pollfd ready = {.fd = ctl_server_fd(fixture->server), .events = POLLIN};

	while (poll(&ready, 1, 0) == 1)
		ctl_server_poll(fixture->server);
}

struct ctl_server_stats fixture_stats(const struct fixture *fixture)
{
	struct ctl_server_stats stats;

	ctl_server_get_stats(fixture->server, &stats);
	return stats;
}

int client_connect(const char *path)
{
	struct sockaddr_un addr = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);

	cr_assert(fd >= 0);
	strcpy(addr.sun_path, path);
	cr_assert_eq(connect(fd, (struct sockaddr *)&addr, sizeof(addr)), 0, "%s", strerror(errno));
	return fd;
}

void client_send_raw(int fd, const void *data, size_t len, const int *fds, unsigned fd_count)
{
	union {
		struct cmsghdr align;
		char buf[CMSG_SPACE(FDS_MAX * sizeof(int))];
	} control = {0};
	struct iovec iov = {.iov_base = (void *)data, .iov_len = len};
	struct msghdr msg = {.msg_iov = &iov, .msg_iovlen = 1};

	if (fd_count) {
		struct cmsghdr *cmsg = &control.align;

		msg.msg_control = control.buf;
		msg.msg_controllen = CMSG_SPACE(fd_count * sizeof(int));
		cmsg->cmsg_level = SOL_SOCKET;
		cmsg->cmsg_type = SCM_RIGHTS;
		cmsg->cmsg_len = CMSG_LEN(fd_count * sizeof(int));
		memcpy(CMSG_DATA(cmsg), fds, fd_count * sizeof(int));
	}
	cr_assert_eq(sendmsg(fd, &msg, MSG_NOSIGNAL | MSG_DONTWAIT), (ssize_t)len, "%s",
		strerror(errno));
}

struct ctl_writer *client_begin(uint64_t id, const char *verb)
{
	ctl_writer_init(&request);
	ctl_write_array(&request);
	ctl_write_uint(&request, id);
	ctl_write_text(&request, verb);
	ctl_write_map(&request);
	return &request;
}

void client_send(int fd, const int *fds, unsigned fd_count)
{
	ctl_write_close(&request);
	ctl_write_close(&request);
	cr_assert(ctl_writer_done(&request));
	client_send_raw(fd, request.data, request.len, fds, fd_count);
}

void client_request(int fd, uint64_t id, const char *verb)
{
	client_begin(id, verb);
	client_send(fd, NULL, 0);
}

bool client_receive(int fd, struct reply *reply)
{
	ssize_t n = recv(fd, reply->data, sizeof(reply->data), MSG_DONTWAIT);
	struct ctl_cbor root, item;
	struct ctl_cbor_iter iter;

	if (n < 0 && errno == EAGAIN)
		return false;
	reply->closed = n <= 0; // also ECONNRESET, when it left a request of ours unread
	if (reply->closed)
		return true;
	cr_assert_eq(ctl_cbor_walk(reply->data, n), CTL_CBOR_OK);
	reply->len = n;
	root = ctl_cbor_root(reply->data, n);
	cr_assert(root.type == CTL_CBOR_ARRAY && root.value == 3);
	iter = ctl_cbor_iter(&root);
	cr_assert(ctl_cbor_next(&iter, &item) && item.type == CTL_CBOR_UINT);
	reply->id = item.value;
	cr_assert(ctl_cbor_next(&iter, &item) && item.type == CTL_CBOR_TEXT);
	cr_assert_lt(item.value, sizeof(reply->status));
	memset(reply->status, 0, sizeof(reply->status));
	memcpy(reply->status, item.data, item.value);
	cr_assert(ctl_cbor_next(&iter, &reply->body) && reply->body.type == CTL_CBOR_MAP);
	return true;
}

void client_expect(
	struct fixture *fixture, int fd, struct reply *reply, uint64_t id, const char *status)
{
	fixture_turn(fixture);
	cr_assert(client_receive(fd, reply), "no reply");
	cr_assert_not(reply->closed, "the server hung up");
	cr_assert_eq(reply->id, id);
	cr_assert_str_eq(reply->status, status);
	if (strcmp(status, "ok") != 0)
		cr_assert(reply_has(reply, "message"));
}

static struct ctl_cbor value_of(const struct reply *reply, const char *key, enum ctl_cbor_type type)
{
	struct ctl_cbor value;

	cr_assert(ctl_cbor_find(&reply->body, key, &value), "no %s", key);
	cr_assert_eq(value.type, type, "%s", key);
	return value;
}

uint64_t reply_uint(const struct reply *reply, const char *key)
{
	return value_of(reply, key, CTL_CBOR_UINT).value;
}

bool reply_bool(const struct reply *reply, const char *key)
{
	return value_of(reply, key, CTL_CBOR_BOOL).value;
}

bool reply_text_is(const struct reply *reply, const char *key, const char *text)
{
	struct ctl_cbor value = value_of(reply, key, CTL_CBOR_TEXT);

	return ctl_cbor_is_text(&value, text);
}

bool reply_bytes_are(const struct reply *reply, const char *key, const void *data, size_t len)
{
	struct ctl_cbor value = value_of(reply, key, CTL_CBOR_BYTES);

	return value.value == len && memcmp(value.data, data, len) == 0;
}

bool reply_has(const struct reply *reply, const char *key)
{
	struct ctl_cbor value;

	return ctl_cbor_find(&reply->body, key, &value);
}

unsigned open_fds(void)
{
	DIR *directory = opendir("/proc/self/fd");
	unsigned count = 0;

	while (readdir(directory))
		count++;
	closedir(directory);
	return count;
}
