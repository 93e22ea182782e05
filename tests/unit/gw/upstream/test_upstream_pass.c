// SPDX-License-Identifier: BSD-3-Clause
// Messages that are passed through, in a loop: what the service gets, and what it may say. The
// service is the test: it keeps the last head, and answers each request alike.

#include "tests/unit/gw/upstream/bed.h"

#include <criterion/criterion.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

#define HEAD_MAX 4096

static struct {
	int listener;
	pthread_t thread;
	const char *answer;
	unsigned requests; // atomic
	char head[HEAD_MAX];
} service;

// Reads a head and its body; each request of these tests comes in one piece or two.
static bool request_read(int fd)
{
	size_t len = 0;
	char *end = NULL;

	while (!end || len < (size_t)(end - service.head) + 4 + 1) {
		ssize_t n = read(fd, service.head + len, sizeof(service.head) - 1 - len);

		if (n <= 0)
			return false;
		len += (size_t)n;
		service.head[len] = 0;
		end = strstr(service.head, "\r\n\r\n");
	}
	return true;
}

static void *serve(void *arg)
{
	int fd;

	while ((fd = accept(service.listener, NULL, NULL)) >= 0) {
		while (request_read(fd)) {
			__atomic_fetch_add(&service.requests, 1, __ATOMIC_RELAXED);
			if (write(fd, service.answer, strlen(service.answer)) < 0)
				break;
		}
		close(fd);
	}
	return arg;
}

static struct bed *begin(const char *answer)
{
	struct sockaddr_in address = {
		.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof(address);
	char upstream[128];

	service.answer = answer;
	service.requests = 0;
	service.listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	cr_assert_geq(service.listener, 0);
	cr_assert_eq(bind(service.listener, (struct sockaddr *)&address, len), 0);
	cr_assert_eq(listen(service.listener, 8), 0);
	cr_assert_eq(getsockname(service.listener, (struct sockaddr *)&address, &len), 0);
	cr_assert_eq(pthread_create(&service.thread, NULL, serve, NULL), 0);
	snprintf(upstream, sizeof(upstream), "servers: [\"http://127.0.0.1:%u/api\"]",
		ntohs(address.sin_port));
	bed_log = "passthrough: [{kid: \"0a\", to: up, path: /oscore}]\n";
	bed_pass = true;
	return bed_make(upstream);
}

static void end(struct bed *bed)
{
	bed_end(bed);
	shutdown(service.listener, SHUT_RDWR);
	pthread_join(service.thread, NULL);
	close(service.listener);
}

#define GOOD "Content-Type: application/oscore\r\nOSCORE: AA\r\nContent-Length: 6\r\n\r\nsealed"

Test(upstream_pass, the_service_is_not_told_who_sent_it, .timeout = 60)
{
	static const char *const ours[] = {"POST /api/oscore HTTP/1.1", "Host", "User-Agent",
		"Content-Type", "Accept-Encoding", "OSCORE", "Content-Length"};
	struct bed *bed = begin("HTTP/1.1 200 OK\r\n" GOOD);

	bed_expect_start(bed_ask(bed, "FETCH 9=09250a path=secret 252=01020304 |x"), "");
	char *line, *rest = service.head;
	unsigned lines = 0;

	cr_expect(strstr(service.head, "\r\nOSCORE: CSUK\r\n"), "%s", service.head);
	cr_expect(strstr(service.head, "\r\nContent-Type: application/oscore\r\n"));
	*strstr(service.head, "\r\n\r\n") = 0;
	while ((line = strsep(&rest, "\n"))) {
		bool is_ours = false;

		for (size_t i = 0; i < sizeof(ours) / sizeof(ours[0]); i++)
			is_ours |= !strncasecmp(line, ours[i], strlen(ours[i]));
		cr_expect(is_ours, "%s", line);
		lines++;
	}
	cr_expect_eq(lines, sizeof(ours) / sizeof(ours[0]));
	end(bed);
}

Test(upstream_pass, what_is_no_answer_is_5_02, .timeout = 60)
{
	static const char *const answers[] = {
		"HTTP/1.1 201 Created\r\n" GOOD,
		"HTTP/1.1 404 Not Found\r\n" GOOD,
		"HTTP/1.1 500 No\r\n" GOOD,
		"HTTP/1.1 200 OK\r\nContent-Type: application/oscore\r\nContent-Length: "
		"6\r\n\r\nsealed",
		"HTTP/1.1 200 OK\r\nOSCORE: AA\r\nContent-Length: 6\r\n\r\nsealed",
		"HTTP/1.1 200 OK\r\nContent-Type: application/oscore\r\nOSCORE: AA\r\nOSCORE: "
		"AA\r\n"
		"Content-Length: 6\r\n\r\nsealed",
		"HTTP/1.1 200 OK\r\nConnection: oscore\r\n" GOOD,
		"HTTP/1.1 302 Found\r\nLocation: /other\r\n" GOOD,
		"rubbish\r\n\r\n",
	};
	const size_t count = sizeof(answers) / sizeof(answers[0]);
	struct bed *bed = begin(answers[0]);

	for (size_t i = 0; i < count; i++) {
		service.answer = answers[i];
		EXPECT_ANSWER(bed_ask(bed, "POST 9=09250a |x"), "5.02 max-age=0");
	}
	cr_expect_eq(service.requests, count, "each was asked for once");
	cr_expect_eq(bed_stat(bed, UP_STAT_ERROR + HTTP_ERR_not_oscore), count - 1);
	end(bed);
}

// The server may have performed it.
Test(upstream_pass, a_connection_that_is_lost_is_not_tried_again, .timeout = 60)
{
	struct bed *bed = begin("HTTP/1.1 200 OK\r\nContent-Le");

	dp_handle handle = bed_push_deadline(bed, "POST 9=09250a |x", LONG_MS);

	while (!__atomic_load_n(&service.requests, __ATOMIC_RELAXED))
		usleep(1000);
	bed_abandon(bed, handle);
	EXPECT_ANSWER(bed_pull(bed, NULL), "");
	cr_expect_eq(service.requests, 1);
	end(bed);
}
