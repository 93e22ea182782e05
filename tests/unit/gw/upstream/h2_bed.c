// SPDX-License-Identifier: BSD-3-Clause

#include "tests/unit/gw/upstream/h2_bed.h"

#include <stdio.h>

struct h2_server *h2_bed_server(const char *name)
{
	return h2_server_start(&(struct h2_server_config){.name = name});
}

struct bed *h2_bed_for(const struct h2_server *server, const char *more)
{
	char upstream[1024];

	snprintf(upstream, sizeof(upstream), "servers: [\"h2c://127.0.0.1:%u\"]%s%s",
		h2_server_port(server), *more ? ", " : "", more);
	return bed_make(upstream);
}

void h2_bed_end(struct bed *bed, struct h2_server *server)
{
	bed_end(bed);
	h2_server_stop(server);
}
