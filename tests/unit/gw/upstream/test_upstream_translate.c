// SPDX-License-Identifier: BSD-3-Clause
// A route that translates, from ring to socket and back.

#include "tests/unit/gw/upstream/bed.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#define CBOR_V1 "\xa1\x61v\x01" // {"v":1}

Test(upstream_translate, the_backend_sees_json)
{
	struct server *server = bed_server("one");
	struct bed *bed = bed_for(server, "");

	for (unsigned i = 0; i < 3; i++) {
		const char *answer = bed_ask(bed, "POST path=cbor path=echo cf=60 |" CBOR_V1);

		bed_expect_part(answer, "|POST /echo HTTP/1.1\r\n");
		bed_expect_part(answer, "\r\nContent-Type: application/json\r\n");
		bed_expect_part(answer, "\r\nContent-Length: 7\r\n");
		bed_expect_part(answer, "\r\n\r\n{\"v\":1}");
	}
	const char *answer = bed_ask(bed, "GET path=cbor path=echo accept=112");
	cr_expect_str_eq(answer, "4.06 max-age=0 |no such format"); // the echo is text
	answer = bed_ask(bed, "POST path=echo cf=60 |" CBOR_V1);
	bed_expect_part(answer, "\r\nContent-Type: application/cbor\r\n");
	bed_expect_part(answer, "\r\n\r\n" CBOR_V1);
	bed_end(bed);
	server_stop(server);
}

Test(upstream_translate, what_has_no_json_goes_nowhere)
{
	struct server *server = bed_server("one");
	struct bed *bed = bed_for(server, "");

	EXPECT_ANSWER(bed_ask(bed, "POST path=cbor path=ok cf=60 |\x82\x01\xa1\x61v\xf7"),
		"4.00 max-age=0 |no JSON for the payload: undefined at /1/v");
	EXPECT_ANSWER(bed_ask(bed, "POST path=cbor path=ok cf=60 |\x9f"),
		"4.00 max-age=0 |no JSON for the payload: the payload ends inside an item at byte "
		"1");
	cr_expect_eq(bed_stat(bed, UP_STAT_ERROR + HTTP_ERR_bad_cbor), 2);
	cr_expect_eq(bed_stat(bed, UP_STAT_attempts), 0);
	EXPECT_ANSWER(bed_ask(bed, "POST path=cbor path=ok cf=60 |" CBOR_V1), "2.04 cf=0 |one");
	cr_expect_eq(server_requests(server), 1);
	bed_end(bed);
	server_stop(server);
}

// The JSON is there as long as the request may be sent again, and each has its own.
Test(upstream_translate, another_server_gets_the_same)
{
	struct server *servers[] = {bed_server("one"), bed_server("two")};
	struct bed *bed = bed_for_all(servers, 2, "");
	char line[64], want[64];

	server_kill(servers[0]);
	for (unsigned i = 1; i <= 20; i++) {
		snprintf(
			line, sizeof(line), "POST path=cbor path=echo cf=60 |\xa1\x61v%c", (char)i);
		bed_push(bed, line);
	}
	for (unsigned i = 1; i <= 20; i++) {
		bool found = false;
		const char *answer = bed_pull(bed, NULL);

		for (unsigned v = 1; v <= 20 && !found; v++) {
			snprintf(want, sizeof(want), "\r\n\r\n{\"v\":%u}", v);
			found = strlen(answer) > strlen(want) &&
				!strcmp(answer + strlen(answer) - strlen(want), want);
		}
		cr_expect(found, "%s", answer);
	}
	cr_expect_gt(bed_stat(bed, UP_STAT_retries), 0);
	bed_end(bed);
	server_stop(servers[0]);
	server_stop(servers[1]);
}
