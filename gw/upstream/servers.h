// SPDX-License-Identifier: BSD-3-Clause
// The servers of an upstream as one loop knows them: which are up, and which is asked next. No I/O;
// times are CLOCK_MONOTONIC in milliseconds.
//
// A server is out of service for one of three reasons. It is *down* if health checks failed. It is
// *ejected*, for a time, if its requests failed; only as many are at once as max_percent allows,
// and never the last one that is up. An ejected server comes back on trial: its first failure
// ejects it again, for twice as long. It is *out* if its weight is 0 or an operator said so: it
// drains, or is in maintenance. It gets no new request then, and what is under way goes on.

#ifndef POSTERN_GW_UPSTREAM_SERVERS_H
#define POSTERN_GW_UPSTREAM_SERVERS_H

#include "gw/conf/conf.h"
#include "gw/upstream/slots.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define UP_EJECT_DOUBLINGS 4 // of an ejection's time, at most

struct up_server {
	const struct conf_server *conf;
	struct up_server_slot *slot; // of all loops
	struct up_server_seen *seen; // this loop's part of it
	uint64_t seed;               // for balance: hash
	int64_t owed;                // for balance: rr
	bool down;
	bool out;
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
	bool weighted; // weights differ
	size_t up;     // get requests
	size_t ejected;
	struct up_slot *slot;
	unsigned loop;
	uint32_t changed; // that of the slot, up to which its flags were taken over
	struct up_server server[];
};

// Whether a server may get requests.
static inline bool up_server_serves(const struct up_server *server)
{
	return !server->down && !server->ejected && !server->out;
}

// For loop `loop`. All servers with a weight are up; the slot has all of them. NULL if out of
// memory; free() frees it.
struct up_servers *up_servers_create(
	const struct conf_upstream *upstream, struct up_slot *slot, unsigned loop);
// Takes over what another list of the same slot knows of the servers that are in both, in whose
// place this one is now.
void up_servers_inherit(struct up_servers *servers, const struct up_servers *before);
// The index of the server of this slot, which was `hint` once; -1: it is not in the list any more.
int up_servers_index(
	const struct up_servers *servers, const struct up_server_slot *slot, size_t hint);

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

// Takes over which servers are out, and, unless this loop checks them, which are down.
void up_servers_follow(struct up_servers *servers, bool checks);
// Whether a server is in maintenance.
bool up_server_in_maint(const struct up_servers *servers, size_t index);
// A server comes out of maintenance: nothing is known of its health, so the next check decides.
void up_server_unchecked(struct up_servers *servers, size_t index);

// Ends the ejections that are over.
void up_servers_turn(struct up_servers *servers, uint64_t now_ms);
// When the next one is over; UINT64_MAX: none.
uint64_t up_servers_next_ms(const struct up_servers *servers);

#endif
