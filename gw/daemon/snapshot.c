// SPDX-License-Identifier: BSD-3-Clause

#include "gw/daemon/snapshot.h"

#include "gw/os/header_lines.h"

#include <errno.h>
#include <stdlib.h>

static int slots_find(struct snapshot *snapshot, struct up_slots *slots, struct conf *conf)
{
	int rc = up_slots_take(slots, conf);

	if (!rc)
		rc = up_slots_name(slots, conf);
	for (size_t i = 0; !rc && i < conf->upstream_count; i++)
		snapshot->slot[i] = up_slot_find(slots, conf->upstreams[i].name);
	return rc;
}

int snapshot_make(const struct snapshot_slots *slots, struct conf *conf, uint16_t number,
	struct snapshot **out)
{
	struct snapshot *snapshot = calloc(1, sizeof(*snapshot));
	int rc = -ENOMEM;

	if (!snapshot)
		return rc;
	snapshot->number = number;
	snapshot->slot = calloc(conf->upstream_count + 1, sizeof(snapshot->slot[0]));
	if (snapshot->slot)
		rc = slots_find(snapshot, slots->upstreams, conf);
	if (!rc)
		rc = policies_number(slots->policies, conf);
	if (!rc)
		rc = routes_make(&snapshot->routes, conf, number, slots->routes);
	if (rc) {
		snapshot_free(snapshot);
		return rc;
	}
	snapshot->conf = conf;
	*out = snapshot;
	return 0;
}

void snapshot_free(struct snapshot *snapshot)
{
	if (!snapshot)
		return;
	routes_free(&snapshot->routes);
	conf_free(snapshot->conf);
	header_lines_free(snapshot->push_token);
	free(snapshot->slot);
	free(snapshot);
}
