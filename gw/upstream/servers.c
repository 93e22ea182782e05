// SPDX-License-Identifier: BSD-3-Clause

#include "gw/upstream/servers.h"

#include "gw/os/log.h"

#include <inttypes.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct up_servers *up_servers_create(
	const struct conf_upstream *upstream, unsigned loop, unsigned loops)
{
	static const unsigned char key[crypto_shorthash_KEYBYTES]; // all gateways pick the same
	size_t count = upstream->server_count;
	struct up_servers *servers =
		calloc(1, sizeof(*servers) + count * sizeof(servers->server[0]));

	if (!servers)
		return NULL;
	servers->upstream = upstream;
	if (loops > 1)
		snprintf(servers->where, sizeof(servers->where), " (loop %u)", loop);
	servers->count = count;
	servers->up = count;
	for (size_t i = 0; i < count; i++) {
		struct up_server *server = &servers->server[i];
		const char *text = upstream->servers[i].text;

		server->conf = &upstream->servers[i];
		crypto_shorthash((unsigned char *)&server->seed, (const unsigned char *)text,
			strlen(text), key);
	}
	return servers;
}

static void say(const struct up_servers *servers, enum conf_log_level level, size_t index,
	const char *what, const char *why)
{
	log_line(level, "upstream %s%s: server %s is %s%s%s", servers->upstream->name,
		servers->where, servers->server[index].conf->text, what, why ? ": " : "",
		why ? why : "");
}

static void up_set(struct up_servers *servers, size_t up)
{
	if (!up)
		log_error(
			"upstream %s%s: no server is up", servers->upstream->name, servers->where);
	__atomic_store_n(&servers->up, up, __ATOMIC_RELAXED);
}

// ---- requests

static void restore(struct up_servers *servers, size_t index)
{
	struct up_server *server = &servers->server[index];

	server->ejected = false;
	server->failures = servers->upstream->eject.errors - 1; // on trial
	servers->ejected--;
	up_set(servers, servers->up + 1);
	say(servers, CONF_LOG_NOTICE, index, "back on trial", NULL);
}

static bool may_eject(const struct up_servers *servers, size_t index)
{
	const struct conf_eject *conf = &servers->upstream->eject;
	const struct up_server *server = &servers->server[index];

	return conf->errors && server->failures >= conf->errors && !server->down &&
		!server->ejected && servers->up > 1 &&
		(servers->ejected + 1) * 100 <= conf->max_percent * servers->count;
}

bool up_server_failed(struct up_servers *servers, size_t index, const char *why, uint64_t now_ms)
{
	struct up_server *server = &servers->server[index];
	char what[64];

	if (server->failures < UINT32_MAX)
		server->failures++;
	if (!may_eject(servers, index))
		return false;
	// One that served for as long as it had been out starts from the beginning.
	if (!server->until_ms || now_ms - server->until_ms >= server->ejected_ms)
		server->doublings = 0;
	else if (server->doublings < UP_EJECT_DOUBLINGS)
		server->doublings++;
	server->ejected = true;
	server->ejected_ms = (uint64_t)servers->upstream->eject.for_ms << server->doublings;
	server->until_ms = now_ms + server->ejected_ms;
	servers->ejected++;
	snprintf(what, sizeof(what), "left out for %" PRIu64 " ms", server->ejected_ms);
	say(servers, CONF_LOG_WARNING, index, what, why);
	up_set(servers, servers->up - 1);
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

static void take_down(struct up_servers *servers, size_t index)
{
	struct up_server *server = &servers->server[index];

	server->down = true;
	servers->down |= UINT64_C(1) << index;
	if (server->ejected) {
		server->ejected = false;
		servers->ejected--;
		return;
	}
	// Better one that may fail than none.
	for (size_t i = 0; servers->up == 1 && servers->ejected && i < servers->count; i++)
		if (servers->server[i].ejected)
			restore(servers, i);
	up_set(servers, servers->up - 1);
}

static void bring_up(struct up_servers *servers, size_t index)
{
	struct up_server *server = &servers->server[index];

	server->down = false;
	servers->down &= ~(UINT64_C(1) << index);
	server->failures = 0;
	up_set(servers, servers->up + 1);
}

void up_server_checked(struct up_servers *servers, size_t index, const char *why)
{
	const struct conf_check *conf = &servers->upstream->check;
	struct up_server *server = &servers->server[index];
	bool first = !server->checked, good = !why;

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
	if (servers->shared)
		__atomic_store_n(servers->shared, servers->down, __ATOMIC_RELAXED);
}

void up_servers_follow(struct up_servers *servers)
{
	uint64_t down = __atomic_load_n(servers->shared, __ATOMIC_RELAXED);

	for (size_t i = 0; down != servers->down && i < servers->count; i++) {
		bool is_down = down >> i & 1;

		if (is_down && !servers->server[i].down)
			take_down(servers, i);
		else if (!is_down && servers->server[i].down)
			bring_up(servers, i);
	}
}
