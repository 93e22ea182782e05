// SPDX-License-Identifier: BSD-3-Clause
// Answers that may take more than one block. Private to the loop.

#ifndef POSTERN_GW_UPSTREAM_BODY_ANSWER_H
#define POSTERN_GW_UPSTREAM_BODY_ANSWER_H

#include "gw/body/body.h"
#include "gw/map/response.h"
#include "gw/upstream/call.h"

#include <stdbool.h>

// Reads the Block options of a call's request again; its message is parsed to *message. false: it
// has none that can be understood.
bool up_body_request(
	const struct up_call *call, struct coap_body *message, struct body_request *request);

// Whether the answer of a server may need blocks, or the request has asked for some, so that
// up_body_answer() makes the device's.
bool up_body_needed(const struct up_call *call, const struct http_reply *reply);

// Makes the device's answer from a server's: of a call in blocks if need be, of a fetch for its
// body. Returns the error that it is, as map_response_build().
enum http_error up_body_answer(struct up_call *call, const struct http_reply *reply,
	const struct map_request *msg, struct map_response *mapping);

// The answer of a body that its fetch did not answer is this plaintext.
void up_body_fail(struct up_call *fetch, const uint8_t *plaintext, size_t len);

#endif
