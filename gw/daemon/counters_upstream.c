// SPDX-License-Identifier: BSD-3-Clause
// All is read from slots, which stay whatever becomes of the configuration.

#include "gw/daemon/counters_upstream.h"

#include "gw/daemon/upstreams.h"

#define GONE "gone" // upstream and server of those that are

void counters_upstream_begin(struct counters *at)
{
	const struct up_slots *slots = at->daemon->slots;

	at->begun = true;
	at->slots = __atomic_load_n(&slots->count, __ATOMIC_ACQUIRE);
	at->servers = __atomic_load_n(&slots->server_count, __ATOMIC_ACQUIRE);
	at->some_gone = up_slots_some_gone(slots);
}

size_t counters_upstream_rows(const struct counters *at)
{
	return (at->slots + 2) * COUNTERS_UPSTREAM_ROWS;
}

static const char *servers_read(const struct up_slot *slot, bool up, struct counter *counter)
{
	counter->help = up ? "its servers that get requests" : "its servers";
	counter->is_gauge = true;
	counter->value = up ? up_slot_servers_up(slot)
			    : __atomic_load_n(&slot->server_count, __ATOMIC_RELAXED);
	return up ? "servers_up" : "servers";
}

// NULL: of those that are gone.
static uint64_t stat_of(const struct up_slots *slots, const struct up_slot *slot, enum up_stat stat)
{
	return slot ? up_slot_stat(slot, stat) : up_slots_gone(slots, stat);
}

// Left out while there is nothing in it.
static const char *histogram_read(const struct counters *at, const struct up_slot *slot,
	bool of_batches, struct counter *counter)
{
	const enum up_stat first = of_batches ? UP_STAT_FILL : UP_STAT_QUEUE;
	const struct up_slots *slots = at->daemon->slots;
	uint64_t all = 0;

	if (!at->grouped)
		return NULL;
	for (unsigned i = 0; i < UP_STAT_BUCKETS; i++) {
		counter->buckets[i] = stat_of(slots, slot, first + i);
		all += counter->buckets[i];
	}
	if (!all && (at->daemon->loop[0] || slot == slots->none))
		return NULL;
	counter->bucket_count = UP_STAT_BUCKETS;
	counter->value = stat_of(slots, slot, first + UP_STAT_BUCKETS);
	counter->unit = of_batches ? UNIT_COUNT : UNIT_MS;
	counter->help = of_batches
		? "readings of a batch"
		: "times from the arrival of requests at a loop to their HTTP requests";
	return of_batches ? "batch_readings" : "queue";
}

const char *counters_upstream_read(const struct counters *at, size_t row, struct counter *counter)
{
	const struct up_slots *slots = at->daemon->slots;
	const size_t upstream = row / COUNTERS_UPSTREAM_ROWS;
	const enum up_stat stat = row % COUNTERS_UPSTREAM_ROWS;
	const struct up_slot *slot = upstream < at->slots ? slots->slot[upstream]
		: upstream == at->slots                   ? slots->none
							  : NULL;

	if (upstream < at->slots && !__atomic_load_n(&slot->current, __ATOMIC_ACQUIRE))
		return NULL;
	if (!slot && !at->some_gone)
		return NULL;
	counter->label_value = slot ? slot->name : GONE;
	if (stat >= UP_STAT_COUNT + 2)
		return histogram_read(at, slot, stat > UP_STAT_COUNT + 2, counter);
	if (stat >= UP_STAT_COUNT)
		return upstream < at->slots ? servers_read(slot, stat > UP_STAT_COUNT, counter)
					    : NULL;
	counter->help = up_stat_help(stat);
	counter->unit = up_stat_unit(stat);
	counter->is_gauge = up_stat_is_gauge(stat);
	counter->value = stat_of(slots, slot, stat);
	return up_stat_name(stat);
}

size_t counters_server_rows(const struct counters *at)
{
	return (at->servers + 1) * COUNTERS_SERVER_ROWS;
}

static const char *latency_read(
	const struct up_server_view *view, unsigned bucket, struct counter *counter)
{
	static const char *const names[UP_LATENCY_BUCKETS] = {"latency_le_64us", "latency_le_128us",
		"latency_le_256us", "latency_le_512us", "latency_le_1024us", "latency_le_2048us",
		"latency_le_4096us", "latency_le_8192us", "latency_le_16384us",
		"latency_le_32768us", "latency_le_65536us", "latency_le_131072us",
		"latency_le_262144us", "latency_le_524288us", "latency_le_1048576us",
		"latency_le_2097152us", "latency_le_4194304us", "latency_le_8388608us",
		"latency_le_16777216us", "latency_le_33554432us", "latency_le_inf"};

	counter->help = "whole answers that took no longer";
	for (unsigned i = 0; i <= bucket; i++)
		counter->value += view->stats.latency[i];
	return names[bucket];
}

static const char *latencies_read(
	const struct up_server_view *view, unsigned bucket, struct counter *counter)
{
	if (bucket)
		return NULL;
	counter->help = "times from requests to their whole answers";
	counter->unit = UNIT_US;
	counter->value = view->stats.stat[UP_SERVER_STAT_latency_us];
	counter->bucket_count = UP_LATENCY_BUCKETS;
	counter->bucket_first = UP_LATENCY_LEAST;
	for (unsigned i = 0; i < UP_LATENCY_BUCKETS; i++)
		counter->buckets[i] = view->stats.latency[i];
	return "latency";
}

static const char *server_state_read(
	const struct up_server_view *view, bool is_up, struct counter *counter)
{
	counter->help = is_up ? "1 unless the server is down or ejected"
			      : "HTTP requests under way to the server now";
	counter->is_gauge = true;
	counter->value = is_up ? !view->down && !view->ejected : view->in_flight;
	return is_up ? "up" : "inflight";
}

static const char *server_out_read(const struct up_server_slot *slot, struct counter *counter)
{
	counter->help = "1 if an operator drains it or keeps it in maintenance";
	counter->is_gauge = true;
	counter->value = slot && upstreams_ordered(slot) != CTL_SERVER_READY;
	return "out";
}

// Sets names and figures of a server; false leaves it out. *slot is NULL of those that are gone.
static bool server_view(const struct counters *at, size_t index, struct up_server_view *view,
	const struct up_server_slot **slot, struct counter *counter)
{
	*slot = index < at->servers ? at->daemon->slots->server[index] : NULL;
	if (!*slot) {
		counter->label_value = counter->upstream = counter->url = GONE;
		if (at->some_gone)
			up_slots_server_gone(at->daemon->slots, view);
		return at->some_gone;
	}
	if (!__atomic_load_n(&(*slot)->current, __ATOMIC_ACQUIRE))
		return false;
	counter->label_value = (*slot)->name;
	counter->upstream = (*slot)->upstream;
	counter->url = (*slot)->url;
	up_server_slot_view(*slot, view);
	return !at->daemon->loop[0] || view->stats.stat[UP_SERVER_STAT_attempts] || view->down;
}

const char *counters_server_read(const struct counters *at, size_t row, struct counter *counter)
{
	const struct up_server_slot *slot;
	struct up_server_view view;

	if (!server_view(at, row / COUNTERS_SERVER_ROWS, &view, &slot, counter))
		return NULL;
	row %= COUNTERS_SERVER_ROWS;
	if (row < UP_SERVER_STAT_COUNT) {
		if (at->grouped && row == UP_SERVER_STAT_latency_us) // the histogram's sum
			return NULL;
		counter->help = up_server_stat_help(row);
		counter->unit = up_server_stat_unit(row);
		counter->value = view.stats.stat[row];
		return up_server_stat_name(row);
	}
	row -= UP_SERVER_STAT_COUNT;
	if (row < 2)
		return server_state_read(&view, row == 1, counter);
	if (row == 2)
		return server_out_read(slot, counter);
	return at->grouped ? latencies_read(&view, (unsigned)row - 3, counter)
			   : latency_read(&view, (unsigned)row - 3, counter);
}
