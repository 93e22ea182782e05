// SPDX-License-Identifier: BSD-3-Clause
// The servers of an upstream as one loop knows them: which are up, and which is asked next. No I/O;
// times are CLOCK_MONOTONIC in milliseconds.
//
// A server is out of service for one of two reasons. It is *down* if health checks failed. It is
// *ejected*, for a time, if its requests failed; only as many are at once as max_percent allows,
// and never the last one that is up. An ejected server comes back on trial: its first failure
// ejects it again, for twice as long.

#ifndef POSTERN_GW_UPSTREAM_SERVERS_H
#define POSTERN_GW_UPSTREAM_SERVERS_H

#include "gw/conf/conf.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define UP_EJECT_DOUBLINGS 4 // of an ejection's time, at most

struct up_server {
	const struct conf_server *conf;
	uint64_t seed; // for balance: hash
	unsigned outstanding;
	bool down;
	bool checked;        // at least once
	unsigned against;    // checks in a row that say otherwise
	unsigned failures;   // of requests, in a row
	unsigned doublings;  // of its last ejection's time
	bool ejected;        // until
	uint64_t until_ms;   // end of its last ejection
	uint64_t ejected_ms; // how long that was
};

struct up_servers {
	const struct conf_upstream *upstream;
	char where[16]; // for messages: "" or which loop
	size_t count;
	size_t up; // neither down nor ejected; written by the loop, others may read
	size_t ejected;
	uint64_t down;    // bit n: server n is down
	uint64_t *shared; // the same from the loop that checks; atomic; NULL: only one loop
	size_t next;      // where rr goes on
	struct up_server server[];
};

// For loop `loop` of `loops`. All servers are up. NULL if out of memory; free() frees it.
struct up_servers *up_servers_create(
	const struct conf_upstream *upstream, unsigned loop, unsigned loops);

// The server for a request of a device (hash of its name), by the upstream's balance; random: 32
// fresh bits. Bit n of `tried`: not server n. Returns its index, or -1 if no other is up.
int up_servers_pick(struct up_servers *servers, uint64_t tried, uint64_t device, uint32_t random);
// Whether up_servers_pick() would find one.
bool up_servers_left(const struct up_servers *servers, uint64_t tried);

// What became of a request: `why` is the name of the failure. Returns whether the server was
// ejected.
bool up_server_failed(struct up_servers *servers, size_t index, const char *why, uint64_t now_ms);
void up_server_succeeded(struct up_servers *servers, size_t index);
// What became of a health check: NULL, or the name of the failure. For the one loop that checks.
void up_server_checked(struct up_servers *servers, size_t index, const char *why);

// Takes over which servers are down from the loop that checks them.
void up_servers_follow(struct up_servers *servers);

// Ends the ejections that are over.
void up_servers_turn(struct up_servers *servers, uint64_t now_ms);
// When the next one is over; UINT64_MAX: none.
uint64_t up_servers_next_ms(const struct up_servers *servers);

#endif
