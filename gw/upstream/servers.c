// SPDX-License-Identifier: BSD-3-Clause

#include "gw/upstream/servers.h"

#include "gw/os/log.h"

#include <inttypes.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct up_servers *up_servers_create(
	const struct conf_upstream *upstream, struct up_slot *slot, unsigned loop)
{
	static const unsigned char key[crypto_shorthash_KEYBYTES]; // all gateways pick the same
	size_t count = upstream->server_count;
	struct up_servers *servers =
		calloc(1, sizeof(*servers) + count * sizeof(servers->server[0]));

	if (!servers)
		return NULL;
	servers->upstream = upstream;
	servers->slot = slot;
	servers->loop = loop;
	servers->changed = __atomic_load_n(&slot->changed, __ATOMIC_RELAXED) - 1; // look at once
	if (slot->loops > 1)
		snprintf(servers->where, sizeof(servers->where), " (loop %u)", loop);
	servers->count = count;
	for (size_t i = 0; i < count; i++) {
		struct up_server *server = &servers->server[i];
		const char *text = upstream->servers[i].text;

		server->conf = &upstream->servers[i];
		server->slot = up_server_slot_find(slot, text);
		server->seen = &server->slot->loop[loop];
		server->out = !server->conf->weight;
		servers->up += !server->out;
		servers->weighted |= server->conf->weight != upstream->servers[0].weight;
		crypto_shorthash((unsigned char *)&server->seed, (const unsigned char *)text,
			strlen(text), key);
	}
	return servers;
}

int up_servers_index(
	const struct up_servers *servers, const struct up_server_slot *slot, size_t hint)
{
	if (hint < servers->count && servers->server[hint].slot == slot)
		return (int)hint;
	for (size_t i = 0; i < servers->count; i++)
		if (servers->server[i].slot == slot)
			return (int)i;
	return -1;
}

static void say(const struct up_servers *servers, enum conf_log_level level, size_t index,
	const char *what, const char *why)
{
	log_line(level, "upstream %s%s: server %s is %s%s%s", servers->upstream->name,
		servers->where, servers->server[index].conf->text, what, why ? ": " : "",
		why ? why : "");
}

static size_t serving(const struct up_servers *servers)
{
	size_t count = 0;

	for (size_t i = 0; i < servers->count; i++)
		count += up_server_serves(&servers->server[i]);
	return count;
}

// Something became of a server: counts again.
static void up_count(struct up_servers *servers)
{
	size_t up = serving(servers);

	if (!up && servers->up)
		log_error(
			"upstream %s%s: no server is up", servers->upstream->name, servers->where);
	servers->up = up;
	__atomic_store_n(&servers->slot->loop[servers->loop].servers_up, up, __ATOMIC_RELAXED);
}

static void ejected_set(struct up_servers *servers, size_t index, bool ejected)
{
	struct up_server *server = &servers->server[index];

	server->ejected = ejected;
	servers->ejected += ejected ? 1 : -1;
	__atomic_store_n(&server->seen->ejected, ejected, __ATOMIC_RELAXED);
}

static void down_set(struct up_server *server, bool down)
{
	server->down = down;
	__atomic_store_n(&server->seen->down, down, __ATOMIC_RELAXED);
}

// ---- requests

static void restore(struct up_servers *servers, size_t index)
{
	struct up_server *server = &servers->server[index];

	ejected_set(servers, index, false);
	server->failures = servers->upstream->eject.errors - 1; // on trial
	up_count(servers);
	say(servers, CONF_LOG_NOTICE, index, "back on trial", NULL);
}

static bool may_eject(const struct up_servers *servers, size_t index)
{
	const struct conf_eject *conf = &servers->upstream->eject;
	const struct up_server *server = &servers->server[index];

	return conf->errors && server->failures >= conf->errors && up_server_serves(server) &&
		servers->up > 1 &&
		(servers->ejected + 1) * 100 <= conf->max_percent * servers->count;
}

bool up_server_failed(struct up_servers *servers, size_t index, const char *why, uint64_t now_ms)
{
	struct up_server *server = &servers->server[index];
	char what[64];

	up_server_stat_add(&server->seen->stats, UP_SERVER_STAT_failures, 1);
	if (server->failures < UINT32_MAX)
		server->failures++;
	if (!may_eject(servers, index))
		return false;
	// One that served for as long as it had been out starts from the beginning.
	if (!server->until_ms || now_ms - server->until_ms >= server->ejected_ms)
		server->doublings = 0;
	else if (server->doublings < UP_EJECT_DOUBLINGS)
		server->doublings++;
	ejected_set(servers, index, true);
	server->ejected_ms = (uint64_t)servers->upstream->eject.for_ms << server->doublings;
	server->until_ms = now_ms + server->ejected_ms;
	snprintf(what, sizeof(what), "left out for %" PRIu64 " ms", server->ejected_ms);
	say(servers, CONF_LOG_WARNING, index, what, why);
	up_server_stat_add(&server->seen->stats, UP_SERVER_STAT_ejections, 1);
	up_count(servers);
	return true;
}

void up_server_succeeded(struct up_servers *servers, size_t index)
{
	servers->server[index].failures = 0;
}

void up_servers_turn(struct up_servers *servers, uint64_t now_ms)
{
	for (size_t i = 0; servers->ejected && i < servers->count; i++)
		if (servers->server[i].ejected && servers->server[i].until_ms <= now_ms)
			restore(servers, i);
}

uint64_t up_servers_next_ms(const struct up_servers *servers)
{
	uint64_t next = UINT64_MAX;

	for (size_t i = 0; servers->ejected && i < servers->count; i++)
		if (servers->server[i].ejected && servers->server[i].until_ms < next)
			next = servers->server[i].until_ms;
	return next;
}

// ---- checks

// Better one that may fail than none: brings back those that were ejected if no other is left.
static void rescue(struct up_servers *servers)
{
	bool none = !serving(servers);

	for (size_t i = 0; none && servers->ejected && i < servers->count; i++)
		if (servers->server[i].ejected && !servers->server[i].out)
			restore(servers, i);
	up_count(servers);
}

static void take_down(struct up_servers *servers, size_t index)
{
	struct up_server *server = &servers->server[index];

	down_set(server, true);
	if (server->ejected)
		ejected_set(servers, index, false);
	rescue(servers);
}

static void bring_up(struct up_servers *servers, size_t index)
{
	struct up_server *server = &servers->server[index];

	down_set(server, false);
	server->failures = 0;
	server->owed = 0;
	up_count(servers);
}

void up_server_checked(struct up_servers *servers, size_t index, const char *why)
{
	const struct conf_check *conf = &servers->upstream->check;
	struct up_server *server = &servers->server[index];
	bool first = !server->checked, good = !why;

	if (why)
		up_server_stat_add(&server->seen->stats, UP_SERVER_STAT_checks_failed, 1);
	server->checked = true;
	if (good != server->down) {
		server->against = 0;
		return;
	}
	server->against++;
	if (!first && server->against < (good ? conf->rise : conf->fall))
		return;
	server->against = 0;
	if (good) {
		say(servers, CONF_LOG_NOTICE, index, "up, its health check passed", NULL);
		bring_up(servers, index);
	} else {
		say(servers, CONF_LOG_WARNING, index, "down, its health check failed", why);
		take_down(servers, index);
	}
	__atomic_store_n(&server->slot->down, server->down, __ATOMIC_RELAXED);
	up_slot_touch(servers->slot);
}

// ---- other loops, and the operator

static bool flag(const bool *at)
{
	return __atomic_load_n(at, __ATOMIC_RELAXED);
}

static void down_follow(struct up_servers *servers)
{
	for (size_t i = 0; i < servers->count; i++) {
		bool is_down = flag(&servers->server[i].slot->down);

		if (is_down && !servers->server[i].down)
			take_down(servers, i);
		else if (!is_down && servers->server[i].down)
			bring_up(servers, i);
	}
}

static void out_follow(struct up_servers *servers)
{
	for (size_t i = 0; i < servers->count; i++) {
		struct up_server *server = &servers->server[i];
		bool is_out = flag(&server->slot->drain) || flag(&server->slot->maint) ||
			!server->conf->weight;

		if (server->out && !is_out)
			server->owed = 0;
		server->out = is_out;
	}
	rescue(servers);
}

// What others see is what is so here.
static void seen_set(struct up_servers *servers)
{
	for (size_t i = 0; i < servers->count; i++) {
		struct up_server *server = &servers->server[i];

		__atomic_store_n(&server->seen->down, server->down, __ATOMIC_RELAXED);
		__atomic_store_n(&server->seen->ejected, server->ejected, __ATOMIC_RELAXED);
	}
}

void up_servers_inherit(struct up_servers *servers, const struct up_servers *before)
{
	bool checked = servers->upstream->check.path;

	for (size_t i = 0; before && i < servers->count; i++) {
		struct up_server *server = &servers->server[i];
		int was = up_servers_index(before, server->slot, i);

		if (was < 0)
			continue;
		const struct up_server *old = &before->server[was];

		server->owed = old->owed;
		server->down = old->down && checked;
		server->checked = old->checked && checked;
		server->against = checked ? old->against : 0;
		server->failures = old->failures;
		server->doublings = old->doublings;
		server->ejected = old->ejected;
		server->until_ms = old->until_ms;
		server->ejected_ms = old->ejected_ms;
		servers->ejected += server->ejected;
	}
	seen_set(servers);
	if (before)
		servers->up = before->up; // so that it is said if none is up any more
	out_follow(servers);
}

void up_servers_follow(struct up_servers *servers, bool checks)
{
	uint32_t changed = __atomic_load_n(&servers->slot->changed, __ATOMIC_ACQUIRE);

	if (changed == servers->changed)
		return;
	servers->changed = changed;
	if (!checks)
		down_follow(servers);
	out_follow(servers);
}

bool up_server_in_maint(const struct up_servers *servers, size_t index)
{
	return flag(&servers->server[index].slot->maint);
}

void up_server_unchecked(struct up_servers *servers, size_t index)
{
	servers->server[index].checked = false;
	servers->server[index].against = 0;
}
