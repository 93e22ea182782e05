// SPDX-License-Identifier: BSD-3-Clause

#include "gw/daemon/access.h"

#include "base/clock.h"
#include "dataplane/shared/access.h"
#include "gw/daemon/registry.h"
#include "gw/upstream/access_line.h"

#include <time.h>

#define ACCESS_BURST 256 // records of one worker in a turn

// The snapshot of this number; NULL: nothing is left of it.
static const struct snapshot *snapshot_of(const struct daemon *daemon, uint16_t number)
{
	const struct snapshot *before = daemon->reload.before;

	if (daemon->snapshot->number == number)
		return daemon->snapshot;
	return before && before->number == number ? before : NULL;
}

// The route of the request, by the same look-up that the worker made; NULL: none.
static const char *route_of(const struct daemon *daemon, const struct dp_access_record *record)
{
	struct coap_body body;
	struct dp_path path;

	if (record->path_cut || coap_body_parse(&body, record->path, record->path_len) != COAP_OK ||
		!dp_path_read(&path, &body))
		return NULL;
	const struct snapshot *snapshot = snapshot_of(daemon, record->snapshot);

	if (!snapshot)
		return NULL;
	int route = dp_route_find(snapshot->routes.policy.index, &path, record->method);

	return route < 0 ? NULL : snapshot->conf->routes[route].path.text;
}

static void line_put(struct daemon *daemon, const struct dp_access_record *record)
{
	const unsigned ring = daemon->conf->workers.loops; // behind those of the loops
	char name[UP_NAME_MAX + 1], line[UP_ACCESS_LINE_MAX];
	uint8_t credential[REGISTRY_CREDENTIAL];
	uint64_t now_ms = clock_ms();
	struct timespec now;

	if (!up_access_log_wants(daemon->access, ring, 0, now_ms))
		return;
	clock_gettime(CLOCK_REALTIME, &now);
	bool known = registry_name(
		&daemon->registry, record->context, record->generation, name, sizeof(name));
	const bool agreed = known &&
		registry_credential(
			&daemon->registry, record->context, record->generation, credential);
	const struct up_access_entry entry = {
		.unix_ms = (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000 -
			(now_ms - record->answered_ms),
		.device = known ? name : NULL,
		.credential = agreed ? credential : NULL,
		.method = record->method,
		.body = record->path,
		.body_len = record->path_len,
		.in = record->in,
		.route = route_of(daemon, record),
		.code = record->code,
		.out = record->out,
		.own = true,
	};
	up_access_log_put(
		daemon->access, ring, line, up_access_line_write(&entry, line, sizeof(line)));
}

static void records_take(struct daemon *daemon, unsigned most)
{
	struct dp_access_record record;

	if (!daemon->access)
		return;
	for (unsigned w = 0; w < dp_worker_count(daemon->dp); w++)
		for (unsigned n = 0; n < most && dp_access_take(daemon->dp, w, &record); n++)
			line_put(daemon, &record);
}

void access_turn(struct daemon *daemon)
{
	records_take(daemon, ACCESS_BURST);
}

void access_drain(struct daemon *daemon)
{
	records_take(daemon, DP_ACCESS_SLOTS);
}
