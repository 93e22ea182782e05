// SPDX-License-Identifier: BSD-3-Clause
// One exchange of postern-coap: what is in c->datagram goes out, and the answer to it is opened.

#ifndef POSTERN_GW_TOOLS_COAP_LINK_H
#define POSTERN_GW_TOOLS_COAP_LINK_H

#include "gw/tools/coap/client.h"

#define CHALLENGES_MAX 3 // Echo challenges in a row that are answered

// Sends c->datagram, made of c->request, until it is answered. c->verdict says what the answer is.
enum exchange_result link_exchange(struct client *c) __attribute__((warn_unused_result));
// Takes a datagram as an answer, as struct exchange has it; what c->protection.piv says is the
// request.
bool link_open(void *client, const struct coap_msg *msg, const uint8_t *data, size_t len);
// Gives the request a message id, a token and the type that the arguments say.
void link_request(struct client *c, uint8_t code, const struct option_list *options,
	const uint8_t *payload, size_t payload_len);
// The Echo of an answer that asks for one, if one more is to be answered; it is counted then.
bool link_challenge(struct client *c, struct coap_option *echo);

#endif
