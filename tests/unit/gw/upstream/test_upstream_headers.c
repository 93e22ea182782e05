// SPDX-License-Identifier: BSD-3-Clause
// Headers that the configuration adds to requests, as a backend sees them.

#include "gw/upstream/headers.h"
#include "tests/unit/gw/upstream/h2_bed.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

static char token[] = "/tmp/test_upstream_headers.XXXXXX";

static void token_write(const char *text)
{
	int fd = mkstemp(token);

	cr_assert(fd >= 0);
	cr_assert_eq(write(fd, text, strlen(text)), (ssize_t)strlen(text));
	close(fd);
}

static void token_remove(void)
{
	unlink(token);
}

TestSuite(upstream_headers, .fini = token_remove);

static unsigned count_of(const char *text, const char *part)
{
	unsigned count = 0;

	for (; (text = strstr(text, part)); text++)
		count++;
	return count;
}

Test(upstream_headers, routes_and_upstreams_add_theirs)
{
	struct server *server = bed_server("one");
	char more[256];

	token_write("Bearer s3cret\n");
	snprintf(more, sizeof(more),
		"headers: {Authorization: {file: %s}, X-Site: \"plant 7\", X-More: a}", token);
	bed_honoured = ", headers: {x-site: plant 8, X-Less: {text: b}}";
	struct bed *bed = bed_for(server, more);
	const char *answer = bed_ask(bed, "POST path=echo |{}");

	bed_expect_part(
		answer, "\r\nAuthorization: Bearer s3cret\r\nX-Site: plant 7\r\nX-More: a\r\n");
	cr_expect_eq(count_of(answer, "X-Less"), 0);
	bed_expect_part(answer, "\r\nDevice-Id: device-7.3\r\n");
	bed_expect_part(answer, "\r\n\r\n{}");
	answer = bed_ask(bed, "POST path=honoured path=echo");
	bed_expect_part(answer,
		"\r\nx-site: plant 8\r\nX-Less: b\r\nAuthorization: Bearer s3cret\r\nX-More: "
		"a\r\n");
	cr_expect_eq(count_of(answer, "plant"), 1);
	cr_expect_eq(count_of(answer, "Authorization"), 1);
	bed_end(bed);
	server_stop(server);
}

Test(upstream_headers, nothing_of_a_device_reaches_them)
{
	struct server *server = bed_server("one");
	struct bed *bed = bed_for(server, "headers: {X-Site: plant 7}");
	const char *answer =
		bed_ask(bed, "POST path=echo query=X-Site:%0d%0aX-Site: |\\r\\nX-Site: plant 9");

	cr_expect_eq(count_of(answer, "\r\nX-Site:"), 1, "%s", answer);
	bed_expect_part(answer, "\r\nX-Site: plant 7\r\n");
	bed_end(bed);
	server_stop(server);
}

Test(upstream_headers, over_http2_names_are_in_lower_case)
{
	struct h2_server *server = h2_bed_server("one");
	struct bed *bed = h2_bed_for(server, "headers: {Authorization: Bearer x, X-Site: plant 7}");

	for (unsigned i = 0; i < 3; i++) { // the second is encoded by what the first has taught
		const char *answer = bed_ask(bed, "POST path=echo |{}");

		bed_expect_part(answer, "\nauthorization: Bearer x\n");
		bed_expect_part(answer, "\nx-site: plant 7\n");
		cr_expect_eq(count_of(answer, "plant"), 1);
	}
	h2_bed_end(bed, server);
}

Test(upstream_headers, health_checks_have_those_of_the_upstream)
{
	static const char ok[] =
		"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
	uint16_t port = 0;
	int listener = peer_bind_tcp(NULL, &port);
	char upstream[256], head[1024];
	size_t len = 0;

	cr_assert_eq(listen(listener, 1), 0);
	snprintf(upstream, sizeof(upstream),
		"servers: [\"http://127.0.0.1:%u\"], headers: {X-Site: plant 7}, "
		"check: {path: /healthz, interval: 1h, timeout: 20s}",
		port);
	struct bed *bed = bed_make(upstream);
	int fd = accept(listener, NULL, NULL);
	do {
		ssize_t n = read(fd, head + len, sizeof(head) - 1 - len);

		cr_assert_gt(n, 0);
		len += (size_t)n;
		head[len] = 0;
	} while (!strstr(head, "\r\n\r\n"));
	bed_expect_start(head, "GET /healthz HTTP/1.1\r\n");
	bed_expect_part(head, "\r\nX-Site: plant 7\r\n");
	cr_expect_eq(write(fd, ok, sizeof(ok) - 1), sizeof(ok) - 1);
	bed_wait_up(bed, 1);
	bed_end(bed);
	close(fd);
	close(listener);
}

Test(upstream_headers, as_many_as_fit_do)
{
	struct server *server = bed_server("one");
	char upstream[3600], value[1401];
	size_t len;

	memset(value, 'v', sizeof(value) - 1);
	value[sizeof(value) - 1] = 0;
	len = (size_t)snprintf(upstream, sizeof(upstream),
		"servers: [\"http://127.0.0.1:%u\"], headers: {A: %s, B: %s", server_port(server),
		value, value);
	for (char c = 'C'; c < 'I'; c++)
		len += (size_t)snprintf(upstream + len, sizeof(upstream) - len, ", %c: v", c);
	snprintf(upstream + len, sizeof(upstream) - len, "}");
	bed_honoured = ", headers: {I: v, J: v, K: v, L: v, M: v, O: v, P: v, Q: v}";
	struct bed *bed = bed_make(upstream);
	// With all that a request has of its own.
	const char *answer =
		bed_ask(bed, "PUT path=honoured path=status path=204 cf=11060 accept=0 |x");

	EXPECT_ANSWER(answer, "2.04");
	bed_end(bed);
	server_stop(server);
}

static int create(const char *more, struct error *error)
{
	char text[8192];
	struct conf *conf;
	struct up_headers *headers = NULL;

	snprintf(text, sizeof(text),
		"ports: [{name: wan0, tap: t0, addresses: [192.0.2.1/24]}]\n"
		"upstreams: {up: {servers: [\"http://h\"]}}\n"
		"routes: [{path: /a/*, to: up, headers: {%s}}]\n",
		more);
	cr_assert_eq(conf_parse("test", text, strlen(text), &conf, stderr), 0);
	int rc = up_headers_create(conf, &headers, error);
	up_headers_free(headers);
	conf_free(conf);
	return rc;
}

Test(upstream_headers, what_cannot_be_read_is_told_without_its_value)
{
	char more[256];
	struct error error;

	token_write("s3cret\r\nHost: other\n");
	snprintf(more, sizeof(more), "Authorization: {file: %s}", token);
	cr_expect_eq(create(more, &error), -EBADMSG);
	cr_expect(strstr(error.text, "route /a/*: headers.Authorization: header value /tmp/"), "%s",
		error.text);
	cr_expect_not(strstr(error.text, "s3cret"), "%s", error.text);
	cr_assert_eq(chmod(token, 0644), 0);
	cr_expect_eq(create(more, &error), -EACCES);
	cr_expect_eq(create("A: {file: /none/token}", &error), -ENOENT);
}
