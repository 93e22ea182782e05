// SPDX-License-Identifier: BSD-3-Clause

#include "tests/unit/gw/ctl/one_client.h"

#include <criterion/criterion.h>
#include <unistd.h>

struct fixture fixture;
struct reply reply;
int client;

void one_client_begin(struct ctl_ops *ops)
{
	fixture_init(&fixture, ctl_verbs, ctl_verb_count, ops);
	fixture_start(&fixture);
	client = client_connect(fixture.path);
	fixture_turn(&fixture);
}

void one_client_end(void)
{
	close(client);
	fixture_stop(&fixture);
}

void expect(uint64_t id, const char *status)
{
	client_expect(&fixture, client, &reply, id, status);
}

void expect_end(uint64_t id)
{
	expect(id, "ok");
	cr_assert_eq(reply.body.value, 0, "the end of a list is an empty map");
}
