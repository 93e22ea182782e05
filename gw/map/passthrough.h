// SPDX-License-Identifier: BSD-3-Clause
// Protected messages whose keys the gateway does not have, as HTTP, and what comes back (RFC 8613
// section 11). No I/O. docs/passthrough.md describes it to services.

#ifndef POSTERN_GW_MAP_PASSTHROUGH_H
#define POSTERN_GW_MAP_PASSTHROUGH_H

#include "gw/conf/conf.h"
#include "gw/http/message.h"

#define MAP_PASS_OPTION_MAX 255 // bytes of an OSCORE option's value (RFC 8613 section 2)

// Makes the HTTP request of a protected message, of which these are options and payload: POST to
// the path of the route, with the value of the OSCORE option in the header field OSCORE, and
// nothing that says who sent it. Its body is the payload, in the exchange.
enum http_error map_pass_request(struct http_request *req, const struct conf_route *route,
	const uint8_t *body, size_t len) __attribute__((warn_unused_result));

// Makes code, options and payload of the message that the service answers with: 2.04, with the
// OSCORE option of the header field. The answer must have status 200, the type application/oscore,
// a field OSCORE and a body; else this is an error, and nothing of it is passed on.
enum http_error map_pass_response(const struct http_reply *reply, uint8_t *out, size_t room,
	uint16_t *len) __attribute__((warn_unused_result));

// Writes the answer for an error: 5.03 or 5.04 if there was no answer, else 5.02. Nobody has
// verified who gets it, so it has no diagnostic. Returns its length; room is at least 1.
uint16_t map_pass_error_write(enum http_error error, uint32_t max_age, uint8_t *out, size_t room);

// Decodes the value of a header field OSCORE: base64url without padding, where "AA" stands for the
// empty value. What it says is for the device to judge. false: it is none, or not the only spelling
// of these bytes, or too long.
bool map_pass_option_read(const char *text, uint8_t value[MAP_PASS_OPTION_MAX], uint8_t *len)
	__attribute__((warn_unused_result));

#endif
