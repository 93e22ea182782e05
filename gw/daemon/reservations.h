// SPDX-License-Identifier: BSD-3-Clause
// Connection identifiers of EDHOC (C_R), which become kids of devices: main reserves each for a
// thread of handshakes before that uses it, so no two that live are equal, and none is a device's
// or one whose messages are passed through.
//
// They are of serials that only rise, from a random one on, so that a device of before the start
// meets nobody else's session. A thread gets those whose kid a worker would send to it.

#ifndef POSTERN_GW_DAEMON_RESERVATIONS_H
#define POSTERN_GW_DAEMON_RESERVATIONS_H

#include "dataplane/dp.h"
#include "gw/device/reserved.h"
#include "gw/edhoc/shard.h"
#include "gw/handshake/connections.h"

#include <stdbool.h>
#include <stdint.h>

struct reservations;

// For so many threads, with connection identifiers of id_len bytes, which are made under the key.
// `passed` has the names that are passed through, or is NULL. NULL and errno on failure.
struct reservations *reservations_create(struct dp *dp, struct device_reserved *passed,
	unsigned threads, uint8_t id_len, const uint8_t key[SHARD_KEY_LEN]);
// NULL is allowed.
void reservations_free(struct reservations *reservations);
// What a thread takes of.
struct connections *reservations_of(struct reservations *reservations, unsigned thread);
// Adds some where a thread has few.
void reservations_fill(struct reservations *reservations);
// Whether a kid is a C_R that was reserved. Any thread.
bool reservations_has(const struct reservations *reservations, const uint8_t *kid, uint8_t kid_len);
// Whether messages with the kid of one that was reserved are passed through by now.
bool reservations_passed(
	const struct reservations *reservations, const struct edhoc_connection *connection);
// The same, or a device has it.
bool reservations_lost(
	const struct reservations *reservations, const struct edhoc_connection *connection);
// A session has ended, or its C_R was lost: it may be reserved again, when nobody has it.
void reservations_end(struct reservations *reservations, const struct edhoc_connection *connection);

#endif
