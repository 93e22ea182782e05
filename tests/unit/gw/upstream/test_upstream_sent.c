// SPDX-License-Identifier: BSD-3-Clause
// What a server may have performed is never told as never sent, to the device or in the access log,
// and no server is blamed for what this machine lacks while it has a request.

#include "dataplane/state/exchange_pool.h"
#include "gw/http/message.h"
#include "tests/unit/gw/upstream/bed.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static bool lines_fail; // no memory for a line of an answer that is not whole. Atomic

void *__real_malloc(size_t size);
void *__wrap_malloc(size_t size);
void *__wrap_malloc(size_t size)
{
	bool fails = size == HTTP_REPLY_HEAD && __atomic_load_n(&lines_fail, __ATOMIC_RELAXED);

	return fails ? NULL : __real_malloc(size);
}

static char *log_read(const char *from)
{
	static char text[16384];
	FILE *file = fopen(from, "r");

	cr_assert_not_null(file);
	text[fread(text, 1, sizeof(text) - 1, file)] = 0;
	fclose(file);
	return text;
}

static void expect_part(const char *text, const char *part)
{
	cr_expect(strstr(text, part), "no %s in\n%s", part, text);
}

// A UNIX socket whose backlog is full. Its listener and those that fill it.
static void full_open(const char *at, int fd[4])
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};

	snprintf(address.sun_path, sizeof(address.sun_path), "%s", at);
	fd[0] = peer_bind_unix(at);
	cr_assert_eq(listen(fd[0], 0), 0);
	for (unsigned i = 1; i < 4; i++) {
		fd[i] = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
		bool taken = !connect(fd[i], (struct sockaddr *)&address, sizeof(address));
		cr_assert(taken || errno == EAGAIN);
	}
}

// A server had the request and went away, and the next one takes no connection: whatever ends it
// then, it is not said that nobody saw it.
Test(upstream_sent, another_server_had_it)
{
	struct server *server = bed_server("one");
	char dir[] = "/tmp/postern-test-XXXXXX", at[64], path[64], log[128], upstream[256];
	int fd[4];

	cr_assert_not_null(mkdtemp(dir));
	snprintf(at, sizeof(at), "%s/full", dir);
	snprintf(path, sizeof(path), "%s/access", dir);
	snprintf(log, sizeof(log), "log: {access: \"%s\"}\n", path);
	bed_log = log;
	full_open(at, fd);
	snprintf(upstream, sizeof(upstream), "servers: [\"http://127.0.0.1:%u\", \"http+unix:%s\"]",
		server_port(server), at);
	struct bed *bed = bed_make(upstream);
	for (unsigned i = 0; i < 4; i++) { // to one of them first, and to the other
		uint64_t before = bed_stat(bed, UP_STAT_retries);
		dp_handle handle = bed_push_deadline(bed, "GET path=vanish", i < 2 ? 300 : 1000);

		if (i >= 2) {
			bed_wait_stat(bed, UP_STAT_retries, before + 1);
			__atomic_store_n(&dp_shared_get(bed->up->port[0].pool, handle)->abandoned,
				1, __ATOMIC_RELAXED);
		}
		bed_pull(bed, NULL);
	}
	bed_end(bed);
	server_stop(server);
	for (unsigned i = 0; i < 4; i++)
		close(fd[i]);
	unlink(at);

	char *text = log_read(path);
	expect_part(text, "\"tries\":2,\"reason\":\"TH\",\"error\":\"timeout\"");
	expect_part(text, "\"tries\":2,\"reason\":\"DH\",\"error\":null");
	cr_expect(!strstr(text, "\"TC\"") && !strstr(text, "\"SC\"") && !strstr(text, "\"DC\""),
		"%s", text);
	unlink(path);
	rmdir(dir);
}

// Without memory for the answer the device is not told to come back: its request may have been
// performed. No server is left out for it.
Test(upstream_sent, without_memory_for_the_answer)
{
	struct server *server[2] = {bed_server("one"), bed_server("two")};
	struct bed *bed = bed_for_all(server, 2, "eject: {errors: 1}");

	__atomic_store_n(&lines_fail, true, __ATOMIC_RELAXED);
	EXPECT_ANSWER(bed_ask(bed, "POST path=drip-head |x"), "5.02 max-age=0 |backend hung up");
	__atomic_store_n(&lines_fail, false, __ATOMIC_RELAXED);
	cr_expect_eq(bed_stat(bed, UP_STAT_ejections), 0);
	cr_expect_eq(bed_stat(bed, UP_STAT_ERROR + HTTP_ERR_reset), 1);
	cr_expect_eq(server_requests(server[0]) + server_requests(server[1]), 1);
	bed_end(bed);
	server_stop(server[0]);
	server_stop(server[1]);
}
