// SPDX-License-Identifier: BSD-3-Clause
// Messages that are passed through: who sends them, the service that has their keys, and what must
// hold. In some schedules there are none.

#ifndef POSTERN_TESTS_SIM_PASS_H
#define POSTERN_TESTS_SIM_PASS_H

#include "gw/http/message.h"
#include "tests/sim/net.h"
#include "tests/sim/oracle.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PASS_TOKEN   UINT32_C(0x80000000) // in tokens of theirs
#define PASS_PATH    "/vault"             // settings.c
#define PASS_FIELD   5                    // bytes of an OSCORE option as text
#define PASS_CONTENT 200                  // bytes of what the service answers with, at most

void pass_begin(void);
// A sender begins, or somebody sends a recorded message again.
void pass_event(void);
// All senders do what is due, and begin if they have nothing under way and `begin`.
void pass_turn(bool begin);
uint64_t pass_due_ms(void);
// Faults have stopped; the first sender that has had no success since, NULL: all have.
void pass_begins_anew(void);
const char *pass_is_not_served(void);
// A sender gets this. false: it is for none of them.
bool pass_takes(const struct net_message *message);

// A worker gets this, and sends this.
void pass_arrives(const struct net_message *message, unsigned queue, const struct coap_seen *seen);
void pass_leaves(const struct net_message *message, const struct coap_seen *seen);
// What the service says to a request: an answer in the header field OSCORE and `content`, which may
// come to who sent it if it is `right`. false: it cannot open it.
bool pass_performs(const struct http_request *request, bool right, char field[PASS_FIELD],
	uint8_t content[PASS_CONTENT], size_t *len);

#endif
