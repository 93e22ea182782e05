// SPDX-License-Identifier: BSD-3-Clause

#include "gw/upstream/slots.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static size_t round_up(size_t bytes)
{
	return (bytes + 63) / 64 * 64;
}

static void *zeroed(size_t bytes)
{
	void *at = aligned_alloc(64, round_up(bytes));

	return at ? memset(at, 0, round_up(bytes)) : NULL;
}

static struct up_slot *slot_make(unsigned loops, const char *name)
{
	struct up_slot *slot = zeroed(sizeof(*slot) + loops * sizeof(slot->loop[0]));

	if (!slot)
		return NULL;
	slot->loops = loops;
	slot->name = strdup(name);
	if (slot->name)
		return slot;
	free(slot);
	return NULL;
}

static void server_free(struct up_server_slot *server)
{
	free((char *)(uintptr_t)server->url);
	free((char *)(uintptr_t)server->name);
	free(server);
}

static void slot_free(struct up_slot *slot)
{
	if (!slot)
		return;
	while (slot->servers) {
		struct up_server_slot *server = slot->servers;

		slot->servers = server->next;
		server_free(server);
	}
	free(slot->name);
	free(slot);
}

struct up_slots *up_slots_create(unsigned loops)
{
	struct up_slots *slots = calloc(1, sizeof(*slots)); // most of it is never touched

	if (!slots)
		return NULL;
	slots->loops = loops;
	slots->none = slot_make(loops, "none"); // which no upstream is called
	if (slots->none)
		return slots;
	free(slots);
	return NULL;
}

void up_slots_free(struct up_slots *slots)
{
	if (!slots)
		return;
	for (size_t i = 0; i < slots->count; i++)
		slot_free(slots->slot[i]);
	slot_free(slots->none);
	free(slots);
}

// ---- finding and making

struct up_slot *up_slot_find(const struct up_slots *slots, const char *name)
{
	for (size_t i = 0; i < slots->count; i++)
		if (!strcmp(slots->slot[i]->name, name))
			return slots->slot[i];
	return NULL;
}

struct up_server_slot *up_server_slot_find(const struct up_slot *slot, const char *url)
{
	struct up_server_slot *server = slot->servers;

	while (server && strcmp(server->url, url))
		server = server->next;
	return server;
}

static int slot_get(struct up_slots *slots, const char *name, struct up_slot **slot)
{
	*slot = up_slot_find(slots, name);
	if (*slot)
		return 0;
	if (slots->count == UP_SLOTS_MAX)
		return -ENOSPC;
	*slot = slot_make(slots->loops, name);
	if (!*slot)
		return -ENOMEM;
	(*slot)->number = (unsigned)slots->count;
	slots->slot[slots->count] = *slot;
	__atomic_store_n(&slots->count, slots->count + 1, __ATOMIC_RELEASE);
	return 0;
}

static int server_make(struct up_slots *slots, struct up_slot *slot, const char *url)
{
	struct up_server_slot *server;
	char *name;

	if (slots->server_count == UP_SERVER_SLOTS_MAX)
		return -ENOSPC;
	server = zeroed(sizeof(*server) + slots->loops * sizeof(server->loop[0]));
	if (!server)
		return -ENOMEM;
	if (asprintf(&name, "%s.%u", slot->name, slot->server_number) < 0)
		name = NULL;
	server->name = name;
	server->url = strdup(url);
	if (!server->name || !server->url) {
		server_free(server);
		return -ENOMEM;
	}
	server->upstream = slot->name;
	server->slot = slot;
	server->loops = slots->loops;
	server->next = slot->servers;
	slot->servers = server;
	slot->server_number++;
	slots->server[slots->server_count] = server;
	__atomic_store_n(&slots->server_count, slots->server_count + 1, __ATOMIC_RELEASE);
	return 0;
}

int up_slots_take(struct up_slots *slots, const struct conf *conf)
{
	for (size_t i = 0; i < conf->upstream_count; i++) {
		const struct conf_upstream *upstream = &conf->upstreams[i];
		struct up_slot *slot;
		int rc = slot_get(slots, upstream->name, &slot);

		for (size_t k = 0; !rc && k < upstream->server_count; k++)
			if (!up_server_slot_find(slot, upstream->servers[k].text))
				rc = server_make(slots, slot, upstream->servers[k].text);
		if (rc)
			return rc;
	}
	return 0;
}

int up_slots_name(const struct up_slots *slots, struct conf *conf)
{
	for (size_t i = 0; i < conf->upstream_count; i++) {
		struct conf_upstream *upstream = &conf->upstreams[i];
		const struct up_slot *slot = up_slot_find(slots, upstream->name);

		for (size_t k = 0; k < upstream->server_count; k++) {
			struct conf_server *server = &upstream->servers[k];
			char *name = strdup(up_server_slot_find(slot, server->text)->name);

			if (!name)
				return -ENOMEM;
			free(server->name);
			server->name = name;
		}
	}
	return 0;
}

// ---- which are there

static bool is_current(const bool *current)
{
	return __atomic_load_n(current, __ATOMIC_ACQUIRE);
}

static void server_set(struct up_server_slot *server, bool current)
{
	struct up_server_view view;

	if (server->current == current)
		return;
	if (current) {
		up_server_slot_view(server, &view);
		for (unsigned i = 0; i < UP_SERVER_STAT_COUNT; i++)
			__atomic_store_n(
				&server->back.stat[i], view.stats.stat[i], __ATOMIC_RELAXED);
		for (unsigned i = 0; i < UP_LATENCY_BUCKETS; i++)
			__atomic_store_n(
				&server->back.latency[i], view.stats.latency[i], __ATOMIC_RELAXED);
	} else { // who comes back is a new one to the operator
		__atomic_store_n(&server->drain, false, __ATOMIC_RELAXED);
		__atomic_store_n(&server->maint, false, __ATOMIC_RELAXED);
		__atomic_store_n(&server->down, false, __ATOMIC_RELAXED);
	}
	__atomic_store_n(&server->current, current, __ATOMIC_RELEASE);
}

static bool server_in(const struct conf_upstream *upstream, const struct up_server_slot *server)
{
	for (size_t i = 0; upstream && i < upstream->server_count; i++)
		if (!strcmp(upstream->servers[i].text, server->url))
			return true;
	return false;
}

static void slot_set(struct up_slot *slot, const struct conf_upstream *upstream)
{
	const bool current = upstream;

	for (struct up_server_slot *server = slot->servers; server; server = server->next) {
		server_set(server, server_in(upstream, server));
		if (current && !upstream->check.path) // nobody would bring it up again
			__atomic_store_n(&server->down, false, __ATOMIC_RELAXED);
	}
	__atomic_store_n(&slot->server_count, current ? (unsigned)upstream->server_count : 0,
		__ATOMIC_RELAXED);
	if (slot->current == current)
		return;
	for (unsigned i = 0; current && i < UP_STAT_ALL; i++)
		__atomic_store_n(&slot->back[i], up_stat_is_gauge(i) ? 0 : up_slot_stat(slot, i),
			__ATOMIC_RELAXED);
	__atomic_store_n(&slot->current, current, __ATOMIC_RELEASE);
}

static const struct conf_upstream *upstream_in(const struct conf *conf, const char *name)
{
	for (size_t i = 0; i < conf->upstream_count; i++)
		if (!strcmp(conf->upstreams[i].name, name))
			return &conf->upstreams[i];
	return NULL;
}

void up_slots_current(struct up_slots *slots, const struct conf *conf)
{
	for (size_t i = 0; i < slots->count; i++)
		slot_set(slots->slot[i], upstream_in(conf, slots->slot[i]->name));
}

void up_slot_touch(struct up_slot *slot)
{
	__atomic_fetch_add(&slot->changed, 1, __ATOMIC_RELEASE);
}

// ---- reading

uint64_t up_slot_stat(const struct up_slot *slot, enum up_stat stat)
{
	uint64_t sum = 0;

	for (unsigned i = 0; i < slot->loops; i++)
		sum += __atomic_load_n(&slot->loop[i].stat[stat], __ATOMIC_RELAXED);
	return sum;
}

size_t up_slot_servers_up(const struct up_slot *slot)
{
	size_t least = __atomic_load_n(&slot->server_count, __ATOMIC_RELAXED);

	for (unsigned i = 0; i < slot->loops; i++) {
		size_t up = __atomic_load_n(&slot->loop[i].servers_up, __ATOMIC_RELAXED);

		least = up < least ? up : least;
	}
	return least;
}

static void view_add(const struct up_server_slot *slot, struct up_server_view *view)
{
	for (unsigned i = 0; i < slot->loops; i++) {
		const struct up_server_seen *seen = &slot->loop[i];

		view->down |= __atomic_load_n(&seen->down, __ATOMIC_RELAXED);
		view->ejected |= __atomic_load_n(&seen->ejected, __ATOMIC_RELAXED);
		view->in_flight += __atomic_load_n(&seen->in_flight, __ATOMIC_RELAXED);
		up_server_stats_sum(&view->stats, &seen->stats);
	}
}

void up_server_slot_view(const struct up_server_slot *slot, struct up_server_view *view)
{
	*view = (struct up_server_view){.down = false};
	view_add(slot, view);
}

uint64_t up_slots_gone(const struct up_slots *slots, enum up_stat stat)
{
	size_t count = __atomic_load_n(&slots->count, __ATOMIC_ACQUIRE);
	uint64_t sum = 0;

	for (size_t i = 0; i < count; i++) {
		const struct up_slot *slot = slots->slot[i];

		sum += is_current(&slot->current)
			? __atomic_load_n(&slot->back[stat], __ATOMIC_RELAXED)
			: up_slot_stat(slot, stat);
	}
	return sum;
}

void up_slots_server_gone(const struct up_slots *slots, struct up_server_view *view)
{
	size_t count = __atomic_load_n(&slots->server_count, __ATOMIC_ACQUIRE);

	*view = (struct up_server_view){.down = false};
	for (size_t i = 0; i < count; i++) {
		const struct up_server_slot *server = slots->server[i];

		if (is_current(&server->current))
			up_server_stats_sum(&view->stats, &server->back);
		else
			view_add(server, view);
	}
	view->down = view->ejected = false;
}

bool up_slots_some_gone(const struct up_slots *slots)
{
	size_t count = __atomic_load_n(&slots->server_count, __ATOMIC_ACQUIRE);

	for (size_t i = 0; i < count; i++) {
		const struct up_server_slot *server = slots->server[i];

		if (!is_current(&server->current) ||
			__atomic_load_n(
				&server->back.stat[UP_SERVER_STAT_attempts], __ATOMIC_RELAXED))
			return true;
	}
	return false;
}
