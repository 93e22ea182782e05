// SPDX-License-Identifier: BSD-3-Clause
// The upstream loop with servers on UNIX sockets.

#include "tests/unit/gw/upstream/h2_bed.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

Test(upstream_unix, unix_socket)
{
	char dir[] = "/tmp/postern-test-XXXXXX", path[64], upstream[128];

	cr_assert_not_null(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/http", dir);
	struct server *server =
		server_start(&(struct server_config){.name = "unix", .unix_path = path});
	snprintf(upstream, sizeof(upstream), "servers: [\"http+unix:%s\"]", path);
	struct bed *bed = bed_make(upstream);
	EXPECT_ANSWER(bed_ask(bed, "GET path=ok"), "2.05 cf=0 max-age=0 |unix");
	cr_expect(strstr(bed_ask(bed, "GET path=echo"), "\r\nHost: localhost\r\n"));
	bed_end(bed);
	server_stop(server);
	unlink(path);
	rmdir(dir);
}

Test(upstream_unix, unix_socket_with_http2)
{
	char dir[] = "/tmp/postern-test-XXXXXX", path[64], upstream[128];

	cr_assert_not_null(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/http", dir);
	struct h2_server *server =
		h2_server_start(&(struct h2_server_config){.name = "unix", .unix_path = path});
	snprintf(upstream, sizeof(upstream), "servers: [\"h2c+unix:%s\"]", path);
	struct bed *bed = bed_make(upstream);
	EXPECT_ANSWER(bed_ask(bed, "GET path=ok"), "2.05 cf=0 max-age=0 |unix");
	bed_expect_part(bed_ask(bed, "GET path=echo"), ":authority: localhost\n");
	h2_bed_end(bed, server);
	unlink(path);
	rmdir(dir);
}

// A UNIX socket whose backlog is full takes connections when there is room again. Until then
// requests wait: none is lost, none is sent twice, and the server is not blamed.
Test(upstream_unix, unix_socket_with_a_full_backlog)
{
	char dir[] = "/tmp/postern-test-XXXXXX", path[64], upstream[128];

	cr_assert_not_null(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/http", dir);
	struct server *server = server_start(
		&(struct server_config){.name = "unix", .unix_path = path, .shut = true});
	snprintf(upstream, sizeof(upstream), "servers: [\"http+unix:%s\"]", path);
	struct bed *bed = bed_make(upstream);
	for (unsigned i = 0; i < 8; i++)
		bed_push(bed, "POST path=ok |x");
	bed_wait_stat(bed, UP_STAT_connections, 20); // tried again and again
	server_open(server);
	cr_expect_eq(bed_answers_like(bed, 8, "2.04"), 8);
	cr_expect_eq(server_requests(server), 8);
	// One that never accepts.
	bed_end(bed);
	server_stop(server);
	unlink(path);
	server = server_start(
		&(struct server_config){.name = "unix", .unix_path = path, .shut = true});
	bed = bed_make(upstream);
	for (unsigned i = 0; i < 8; i++)
		bed_push_deadline(bed, "POST path=ok |x", 200);
	cr_expect_eq(bed_answers_like(bed, 8, "5.04"), 8);
	// After 10, 20, 40 and 80 ms, and at the end.
	cr_expect_leq(bed_stat(bed, UP_STAT_connections), 8 * 6, "%u",
		(unsigned)bed_stat(bed, UP_STAT_connections));
	bed_end(bed);
	server_stop(server);
	unlink(path);
	rmdir(dir);
}
