// SPDX-License-Identifier: BSD-3-Clause

#include "gw/upstream/attempt.h"

#include "base/clock.h"
#include "gw/os/log.h"
#include "gw/upstream/call.h"
#include "gw/upstream/random.h"

#include <stdio.h>
#include <string.h>

#define SAY_LOCAL_MS 10000 // between two lines of the log about HTTP_ERR_local
#define MARGIN_MS    20    // by which a backend's time ends before the worker answers by itself
#define RETRY        100   // tokens, which are hundredths

// ---- the budget

void up_attempt_earn(struct up_group *group, unsigned requests)
{
	uint64_t tokens =
		group->retry_tokens + (uint64_t)group->upstream->retries.budget * requests;

	group->retry_tokens = tokens < group->retry_tokens_max ? tokens : group->retry_tokens_max;
}

static bool budget_left(struct up_group *group)
{
	if (group->retry_tokens >= RETRY)
		return true;
	up_stat_add(group, UP_STAT_retries_refused, 1);
	return false;
}

bool up_attempt_spend(struct up_group *group)
{
	if (!budget_left(group))
		return false;
	group->retry_tokens -= RETRY;
	return true;
}

// ---- servers

static struct up_server_seen *seen_of(const struct up_attempt *a)
{
	return &a->slot->loop[a->group->loop->config.loop];
}

static void outstanding_add(const struct up_attempt *a, int n)
{
	unsigned *outstanding = &seen_of(a)->in_flight;

	__atomic_store_n(outstanding, *outstanding + (unsigned)n, __ATOMIC_RELAXED);
}

// The index of the server that was asked; -1: the configuration has it no more.
static int server_index(const struct up_attempt *a)
{
	return up_servers_index(a->group->servers, a->slot, a->server);
}

// The bits of servers that were asked are those of one list: of another, only the last is known.
static void tried_follow(struct up_attempt *a)
{
	int index;

	if (!a->slot || a->version == a->group->servers_version)
		return;
	index = server_index(a);
	a->tried = index < 0 ? 0 : UINT64_C(1) << index;
	a->version = a->group->servers_version;
}

enum http_error up_attempt_start(struct up_attempt *a)
{
	struct up_group *group = a->group;
	struct http_transfer *t = &a->transfer;
	uint64_t now = group->loop->now_ms;

	if (a->deadline_ms <= now)
		return HTTP_ERR_timeout;
	tried_follow(a);
	int server =
		up_servers_pick(group->servers, a->tried, a->device, up_random_32(group->loop));
	if (server < 0)
		return HTTP_ERR_no_server;
	a->server = (size_t)server;
	a->slot = group->servers->server[server].slot;
	a->version = group->servers_version;
	a->tried |= UINT64_C(1) << server;
	a->engine = group->engine;
	bool left = a->retries < group->upstream->retries.max &&
		up_servers_left(group->servers, a->tried);
	t->server = group->servers->server[server].conf;
	t->host = a->route->host ? a->route->host : t->server->authority;
	t->timeout_ms = (uint32_t)(a->deadline_ms - now);
	t->timeout_ms -= t->timeout_ms / 8 < MARGIN_MS ? t->timeout_ms / 8 : MARGIN_MS;
	// Half of the time stays for another server, if this one does not even refuse.
	t->connect_ms = left
		? (t->timeout_ms < a->route->timeout_ms ? t->timeout_ms : a->route->timeout_ms) /
				2 +
			1
		: 0;
	t->fresh = false;
	up_stat_add(group, UP_STAT_attempts, 1);
	if (group->engine->ops->start(group->engine, t))
		return HTTP_ERR_no_memory;
	a->started_ns = clock_ns();
	outstanding_add(a, 1);
	up_server_stat_add(&seen_of(a)->stats, UP_SERVER_STAT_attempts, 1);
	return HTTP_ERR_none;
}

void up_attempt_cancel(struct up_attempt *a)
{
	a->engine->ops->cancel(a->engine, &a->transfer);
	outstanding_add(a, -1);
}

// ---- what became of it

void up_status_count(struct up_group *group, int status)
{
	static const enum up_stat classes[] = {[2] = UP_STAT_http_2xx,
		[3] = UP_STAT_http_3xx,
		[4] = UP_STAT_http_4xx,
		[5] = UP_STAT_http_5xx};

	up_stat_add(group,
		status >= 200 && status <= 599 ? classes[status / 100] : UP_STAT_http_other, 1);
}

void up_group_say_local(struct up_group *group, int local_errno)
{
	uint64_t now = group->loop->now_ms;

	if (now < group->say_local_ms)
		return;
	group->say_local_ms = now + SAY_LOCAL_MS;
	log_warning("upstream %s: requests fail for want of connections: %s", group->upstream->name,
		local_errno ? strerror(local_errno) : "the files of tls cannot be read");
}

// Whether an answer, or that none came, is the server's failure. What it says about one request
// (500, 404, a body that is too large) is not.
static bool server_at_fault(const struct up_attempt *a, enum http_error error)
{
	const struct http_transfer *t = &a->transfer;

	switch (error) {
	case HTTP_ERR_none:
		return t->reply.status >= 502 && t->reply.status <= 504;
	case HTTP_ERR_dns:
	case HTTP_ERR_connect:
	case HTTP_ERR_tls:
	case HTTP_ERR_reset:
	case HTTP_ERR_bad_reply:
	case HTTP_ERR_head_too_large:
		return true;
	case HTTP_ERR_timeout: // unless most of the time was spent before it was asked
		return t->timeout_ms >= a->route->timeout_ms / 2;
	default:
		return false;
	}
}

static void server_judge(const struct up_attempt *a, enum http_error error)
{
	struct up_group *group = a->group;
	const struct http_transfer *t = &a->transfer;
	int server = server_index(a);
	char status[16];

	if (http_error_is_local(error) || server < 0)
		return;
	if (!server_at_fault(a, error)) {
		up_server_succeeded(group->servers, (size_t)server);
		return;
	}
	snprintf(status, sizeof(status), "status %d", t->reply.status);
	if (up_server_failed(group->servers, (size_t)server,
		    error ? http_error_name(error) : status, group->loop->now_ms))
		up_stat_add(group, UP_STAT_ejections, 1);
}

void up_attempt_time_out(struct up_attempt *a)
{
	up_attempt_cancel(a);
	server_judge(a, HTTP_ERR_timeout);
}

bool up_attempt_again(struct up_attempt *a, enum http_error error)
{
	struct up_group *group = a->group;
	bool seen = a->transfer.sent;

	if (error != HTTP_ERR_dns && error != HTTP_ERR_connect && error != HTTP_ERR_tls &&
		error != HTTP_ERR_local && error != HTTP_ERR_reset &&
		((error != HTTP_ERR_bad_reply && error != HTTP_ERR_queue_timeout) || seen))
		return false;
	if (seen && !a->transfer.request.idempotent)
		return false;
	tried_follow(a);
	if (a->retries >= group->upstream->retries.max ||
		!up_servers_left(group->servers, a->tried))
		return false;
	// What no server saw costs the servers nothing.
	if (seen && !budget_left(group))
		return false;
	a->retries++;
	a->seen |= seen;
	if (up_attempt_start(a))
		return false;
	if (seen)
		group->retry_tokens -= RETRY;
	up_stat_add(group, UP_STAT_retries, 1);
	return true;
}

bool up_attempt_is_sent(const struct up_attempt *a)
{
	return a->seen || a->transfer.sent;
}

static enum http_error error_of_sent(const struct http_transfer *t, enum http_error error)
{
	// Without memory for an answer whose status was read, that status stands.
	bool unreached = error == HTTP_ERR_dns || error == HTTP_ERR_connect ||
		error == HTTP_ERR_tls || error == HTTP_ERR_local ||
		(error == HTTP_ERR_no_memory && t->reply.status < 200);

	return t->sent && unreached ? HTTP_ERR_reset : error;
}

enum http_error up_attempt_over(struct up_attempt *a, enum http_error error)
{
	outstanding_add(a, -1);
	if (!error)
		up_server_stats_answer(&seen_of(a)->stats, (clock_ns() - a->started_ns) / 1000);
	server_judge(a, error); // by what happened, not by what the server may have done
	if (error == HTTP_ERR_local)
		up_group_say_local(a->group, a->transfer.local_errno);
	return error_of_sent(&a->transfer, error);
}
