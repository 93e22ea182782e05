// SPDX-License-Identifier: BSD-3-Clause
// One client at a server with all verbs, before a daemon that the test plays.

#ifndef POSTERN_TESTS_UNIT_GW_CTL_ONE_CLIENT_H
#define POSTERN_TESTS_UNIT_GW_CTL_ONE_CLIENT_H

#include "gw/ctl/verbs.h"
#include "tests/unit/gw/ctl/fixture.h"

extern struct fixture fixture;
extern struct reply reply; // the last one that was expected
extern int client;         // its connection

// `ops` live until one_client_end().
void one_client_begin(struct ctl_ops *ops);
void one_client_end(void);

// Lets the server work and expects a reply of this id and status.
void expect(uint64_t id, const char *status);
// The same for the empty map that ends a list.
void expect_end(uint64_t id);

#endif
