// SPDX-License-Identifier: BSD-3-Clause
// What is counted of upstreams and their servers, and what all loops must know of a server: in
// slots that are found by name, which outlive the configurations that they are in. Nothing frees or
// resets a slot before up_slots_free(), so any thread may read them at any time, and an upstream
// that goes and comes back counts on.
//
// Main makes slots; an upstream's identity is its name, a server's that and its URL.

#ifndef POSTERN_GW_UPSTREAM_SLOTS_H
#define POSTERN_GW_UPSTREAM_SLOTS_H

#include "gw/conf/conf.h"
#include "gw/upstream/server_stats.h"
#include "gw/upstream/stats.h"

#include <stdalign.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define UP_SLOTS_MAX        16384  // upstreams since the start
#define UP_SERVER_SLOTS_MAX 262144 // servers since the start

// What a loop knows of a server. Written by it; atomic.
struct up_server_seen {
	alignas(64) bool down;
	bool ejected;
	unsigned in_flight;
	struct up_server_stats stats;
};

struct up_server_slot {
	const char *upstream; // name
	const char *url;      // as it stood in the file
	const char *name;     // of the upstream, a dot, and its number, which it keeps
	struct up_server_slot *next;
	struct up_slot *slot; // of the upstream
	unsigned loops;
	// Atomic. Written by main:
	bool current; // the configuration has it
	bool drain;   // an operator takes it out
	bool maint;   // the same, and its health is not checked
	// by the loop that checks:
	bool down;
	struct up_server_stats back; // what it had when it came back last
	struct up_server_seen loop[];
};

struct up_slot_loop {
	alignas(64) uint64_t stat[UP_STAT_ALL]; // written by the loop; atomic
	size_t servers_up;
};

struct up_slot {
	char *name;
	unsigned number; // never another's: the loop number % loops checks its servers
	unsigned loops;
	struct up_server_slot *servers; // all there have been; main's
	unsigned server_number;         // of the next one
	size_t told_up;                 // main's: servers up, as it reported last
	// Atomic.
	bool current;               // the configuration has it; written by main
	unsigned server_count;      // then
	uint32_t changed;           // differs when a flag of one of its servers does
	uint64_t back[UP_STAT_ALL]; // what it had when it came back last
	struct up_slot_loop loop[];
};

struct up_slots {
	unsigned loops;
	struct up_slot *none; // of requests that no upstream has
	size_t count;         // atomic, like the next
	size_t server_count;
	struct up_slot *slot[UP_SLOTS_MAX]; // those below count stay
	struct up_server_slot *server[UP_SERVER_SLOTS_MAX];
};

// For so many loops. NULL if out of memory.
struct up_slots *up_slots_create(unsigned loops);
// NULL is allowed.
void up_slots_free(struct up_slots *slots);

// Main: finds or makes the slots of all upstreams and servers of a configuration. Returns 0,
// -ENOMEM, or -ENOSPC: there have been too many.
int up_slots_take(struct up_slots *slots, const struct conf *conf)
	__attribute__((warn_unused_result));
// Main: gives the servers of a configuration that has slots the names of these. Returns 0 or
// -ENOMEM.
int up_slots_name(const struct up_slots *slots, struct conf *conf)
	__attribute__((warn_unused_result));
// Main: the configuration has these and no others.
void up_slots_current(struct up_slots *slots, const struct conf *conf);
// Main: finds a slot; NULL: there is none.
struct up_slot *up_slot_find(const struct up_slots *slots, const char *name);
struct up_server_slot *up_server_slot_find(const struct up_slot *slot, const char *url);
// Whoever writes a flag of a server: has the loops look.
void up_slot_touch(struct up_slot *slot);

// Any thread: the sum of all loops.
uint64_t up_slot_stat(const struct up_slot *slot, enum up_stat stat);
// Any thread: how many servers get requests; the least that a loop sees.
size_t up_slot_servers_up(const struct up_slot *slot);

// What the loops know of a server: it is down or ejected if one of them says so.
struct up_server_view {
	bool down, ejected;
	unsigned in_flight;
	struct up_server_stats stats;
};

// Any thread: what all loops know together.
void up_server_slot_view(const struct up_server_slot *slot, struct up_server_view *view);

// Any thread: the sum of what those have that are gone, and of what those had that came back.
uint64_t up_slots_gone(const struct up_slots *slots, enum up_stat stat);
void up_slots_server_gone(const struct up_slots *slots, struct up_server_view *view);
// Any thread: whether there are any.
bool up_slots_some_gone(const struct up_slots *slots);

#endif
