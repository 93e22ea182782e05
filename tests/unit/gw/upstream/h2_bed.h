// SPDX-License-Identifier: BSD-3-Clause
// The bed of an upstream loop with an HTTP/2 server.

#ifndef POSTERN_TESTS_UNIT_GW_UPSTREAM_H2_BED_H
#define POSTERN_TESTS_UNIT_GW_UPSTREAM_H2_BED_H

#include "tests/unit/gw/http/h2_server.h"
#include "tests/unit/gw/upstream/bed.h"

struct h2_server *h2_bed_server(const char *name);
// `more`: keys of the upstream beside its server, or "".
struct bed *h2_bed_for(const struct h2_server *server, const char *more);
// bed_end(), and stops the server.
void h2_bed_end(struct bed *bed, struct h2_server *server);

#endif
