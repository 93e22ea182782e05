// SPDX-License-Identifier: BSD-3-Clause
// A request of postern-coap until its answer is there: blocks, Echo challenges, contexts that are
// derived or made by a handshake.

#ifndef POSTERN_GW_TOOLS_COAP_PERFORM_H
#define POSTERN_GW_TOOLS_COAP_PERFORM_H

#include "gw/tools/coap/client.h"

// Sends what the arguments say, as often as it takes.
enum exchange_result perform(struct client *c) __attribute__((warn_unused_result));
// c->answer came without a request: fetches the other blocks of its body, if it has some.
enum exchange_result perform_rest(struct client *c) __attribute__((warn_unused_result));
// Keeps of the datagram that was opened last what tells which notification is newer.
void perform_note(struct client *c);
// Behind the last one.
void perform_end(struct client *c);

#endif
