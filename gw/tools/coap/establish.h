// SPDX-License-Identifier: BSD-3-Clause
// How a device of --edhoc comes to its context: the one that is kept, or a handshake over CoAP (RFC
// 9528 appendix A.2), whose message_3 goes with the first request (RFC 9668) or by itself.

#ifndef POSTERN_GW_TOOLS_COAP_ESTABLISH_H
#define POSTERN_GW_TOOLS_COAP_ESTABLISH_H

#include "gw/tools/coap/client.h"

// Reads the device's files and the context that is kept. Returns 0 or -errno.
int establish_start(struct client *c) __attribute__((warn_unused_result));
void establish_free(struct establishing *e);

// Until the keys are there: message_1 and message_2. EXCHANGE_ANSWERED: c->context is the new one,
// and message_3 waits for its request.
enum exchange_result establish_keys(struct client *c) __attribute__((warn_unused_result));
// Sends message_3 by itself.
enum exchange_result establish_apart(struct client *c) __attribute__((warn_unused_result));
// Whether message_3 can go with a request that has this payload.
bool establish_combines(const struct client *c, size_t payload_len);
// message_3 for request_seal(): empty if none waits.
struct edhoc_bytes establish_message_3(const struct client *c);

// A verified answer came: the context stands, and is kept. Returns 0 or -errno.
int establish_keep(struct client *c) __attribute__((warn_unused_result));
// An answer without protection came. Whether there is to be a handshake and the request again;
// otherwise c->failure has the words if c->establishing.failed.
bool establish_again(struct client *c);

#endif
