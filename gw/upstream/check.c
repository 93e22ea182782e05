// SPDX-License-Identifier: BSD-3-Clause

#include "gw/upstream/check.h"

#include "gw/http/timers.h"
#include "gw/upstream/call.h"

#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define JITTER 8 // an interval differs by up to one of so many parts

struct check {
	struct http_transfer transfer;
	struct up_group *group;
	struct http_engine *engine; // that asks
	bool busy;
	bool paused; // its server is in maintenance
	uint64_t due_ms;
};

_Static_assert(offsetof(struct check, transfer) == 0, "a transfer is cast to its check");

struct up_checks {
	size_t count;
	struct check check[]; // one a server
};

static void check_done(struct http_transfer *transfer, enum http_error error)
{
	struct check *check = (struct check *)transfer;
	struct up_group *group = check->group;
	size_t index = (size_t)(transfer->server - group->upstream->servers);
	int status = transfer->reply.status;
	char answered[32];
	const char *why = NULL;

	check->busy = false;
	if (check->paused) // it says nothing about the time after
		return;
	if (http_error_is_local(error)) { // it says nothing about the server
		up_stat_add(group, UP_STAT_ERROR + error, 1);
		if (error == HTTP_ERR_local)
			up_group_say_local(group, transfer->local_errno);
		return;
	}
	if (error) {
		why = http_error_name(error);
	} else if (status < 200 || status > 299) {
		snprintf(answered, sizeof(answered), "status %d", status);
		why = answered;
	}
	if (why)
		up_stat_add(group, UP_STAT_checks_failed, 1);
	up_server_checked(group->servers, index, why);
}

struct up_checks *up_checks_create(struct up_group *group, const struct conf_upstream *upstream,
	const struct up_headers *headers)
{
	size_t count = upstream->server_count;
	struct up_checks *checks = calloc(1, sizeof(*checks) + count * sizeof(checks->check[0]));

	if (!checks)
		return NULL;
	checks->count = count;
	for (size_t i = 0; i < count; i++) {
		struct check *check = &checks->check[i];

		check->group = group;
		check->transfer = (struct http_transfer){
			.done = check_done,
			.request = {.method = "GET",
				.idempotent = true,
				.path = upstream->check.path,
				.query = ""},
			.server = &upstream->servers[i],
			.host = upstream->servers[i].authority,
			.timeout_ms = upstream->check.timeout_ms,
			.body_keep = 1,
			.body_max = upstream->max_body,
			.fresh = true,
		};
		up_headers_add_upstream(headers, upstream, &check->transfer.request);
	}
	return checks;
}

void up_checks_inherit(
	struct up_checks *checks, const struct up_checks *before, const struct up_servers *servers)
{
	for (size_t i = 0; i < checks->count; i++) {
		const char *text = servers->server[i].conf->text;

		for (size_t k = 0; k < before->count; k++) {
			const struct check *was = &before->check[k];

			if (strcmp(was->transfer.server->text, text))
				continue;
			checks->check[i].paused = was->paused;
			checks->check[i].due_ms = http_earlier(was->due_ms,
				checks->check[i].group->loop->now_ms +
					checks->check[i].group->upstream->check.interval_ms);
		}
	}
}

void up_checks_stop(struct up_checks *checks)
{
	for (size_t i = 0; i < checks->count; i++) {
		struct check *check = &checks->check[i];

		if (check->busy && check->engine)
			check->engine->ops->cancel(check->engine, &check->transfer);
		if (check->busy)
			check->due_ms = 0; // for who inherits
		check->busy = true;        // for good
	}
}

void up_checks_free(struct up_checks *checks)
{
	free(checks);
}

static void check_start(struct check *check, uint64_t now_ms)
{
	struct up_group *group = check->group;
	uint32_t interval = group->upstream->check.interval_ms;
	uint32_t jitter = interval / JITTER;

	check->due_ms = now_ms + interval - jitter / 2 + randombytes_uniform(jitter + 1);
	check->engine = group->engine;
	if (group->engine->ops->start(group->engine, &check->transfer))
		return; // out of memory says nothing about the server
	check->busy = true;
	up_stat_add(group, UP_STAT_checks, 1);
}

void up_checks_turn(struct up_checks *checks, uint64_t now_ms)
{
	for (size_t i = 0; i < checks->count; i++) {
		struct check *check = &checks->check[i];
		bool paused = up_server_in_maint(check->group->servers, i);

		if (check->paused && !paused) {
			up_server_unchecked(check->group->servers, i);
			check->due_ms = now_ms;
		}
		check->paused = paused;
		if (!paused && !check->busy && check->due_ms <= now_ms)
			check_start(check, now_ms);
	}
}

uint64_t up_checks_next_ms(const struct up_checks *checks)
{
	uint64_t next = UINT64_MAX;

	for (size_t i = 0; i < checks->count; i++)
		if (!checks->check[i].busy && !checks->check[i].paused &&
			checks->check[i].due_ms < next)
			next = checks->check[i].due_ms;
	return next;
}
