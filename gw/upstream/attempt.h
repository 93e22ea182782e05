// SPDX-License-Identifier: BSD-3-Clause
// An HTTP request of a loop, one device's or a batch: which server is asked, whether another is
// asked behind it, and what that says about the server. Private to the loop.

#ifndef POSTERN_GW_UPSTREAM_ATTEMPT_H
#define POSTERN_GW_UPSTREAM_ATTEMPT_H

#include "gw/http/engine.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct up_group;
struct up_server_slot;

struct up_attempt {
	struct http_transfer transfer; // request, done, body_keep and body_max are the caller's
	// Set by the caller.
	struct up_group *group;
	const struct conf_route *route;
	uint64_t device;      // hash of its name
	uint64_t deadline_ms; // of whoever waits
	// Zero at first.
	struct up_server_slot *slot; // of the one being asked
	size_t server;               // its index, in the list
	uint32_t version;            // of this version of the group's servers
	uint64_t tried;              // bits of the servers asked so far, this one too
	struct http_engine *engine;  // that asks
	unsigned retries;            // so far
	bool seen;                   // a server that was asked before may have seen it
	uint64_t started_ns;         // CLOCK_MONOTONIC: when the one being asked was
};

_Static_assert(offsetof(struct up_attempt, transfer) == 0, "a transfer is cast to its attempt");

// So many requests of devices are sent: the budget of retries grows by their share.
void up_attempt_earn(struct up_group *group, unsigned requests);

// Sends the request to a server that is up and was not tried. An error: to none.
enum http_error up_attempt_start(struct up_attempt *attempt) __attribute__((warn_unused_result));
// Ends one that is under way; its done() will not be called.
void up_attempt_cancel(struct up_attempt *attempt);
// The same for one that had all its time, which counts against the server.
void up_attempt_time_out(struct up_attempt *attempt);
// In done(): counts the answer, or the failure, for or against the server. Returns the error that
// it was: one that was sent and lost with its connection may have been seen, even if it then failed
// to find another connection.
enum http_error up_attempt_over(struct up_attempt *attempt, enum http_error error)
	__attribute__((warn_unused_result));
// Sends a request that failed to another server, if there is one and it may be sent again (RFC 9110
// section 9.2.2). false: it was not.
bool up_attempt_again(struct up_attempt *attempt, enum http_error error)
	__attribute__((warn_unused_result));
// Whether this server or one that was asked before may have seen the request.
bool up_attempt_is_sent(const struct up_attempt *attempt);
// Takes one from the budget of retries. false, and counted: there is none left.
bool up_attempt_spend(struct up_group *group) __attribute__((warn_unused_result));

// Counts the status of an answer.
void up_status_count(struct up_group *group, int status);
// Logs that this machine lacks descriptors, ports or memory (HTTP_ERR_local), at most once in 10 s
// for each upstream.
void up_group_say_local(struct up_group *group, int local_errno);

#endif
