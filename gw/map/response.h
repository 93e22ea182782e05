// SPDX-License-Identifier: BSD-3-Clause
// A server's HTTP answer becomes a CoAP answer (RFC 7252 section 10.1, RFC 8075 read backwards), as
// does an error. No I/O. docs/http.md describes the rules to backends.

#ifndef POSTERN_GW_MAP_RESPONSE_H
#define POSTERN_GW_MAP_RESPONSE_H

#include "gw/conf/conf.h"
#include "gw/http/message.h"
#include "gw/map/etag.h"
#include "gw/map/request.h"

#include <time.h>

// What an answer is mapped with, and what came of it. Set by the caller:
struct map_response {
	const struct conf_server *server; // that answered
	struct map_etags *etags;
	time_t now;
	uint32_t retry_s;     // Max-Age of a 5.03 or 4.29 without Retry-After
	uint32_t max_age_max; // seconds, whatever the backend says
	uint8_t *out;         // for the plaintext
	size_t room;          // bytes at out, at least 1
	size_t head_room;   // not 0: bytes at out for options; the payload of a success stays apart
	size_t payload_max; // of an error; 0: as much as fits
	uint8_t *scratch;   // for the payload, if it is translated
	size_t scratch_room; // bytes there
	// Set by map_response_build():
	uint16_t len;           // bytes used
	const uint8_t *payload; // of a success, if head_room
	size_t payload_len;
	bool body_dropped;     // the method was performed, but the body cannot be passed on
	struct tr_fault fault; // of HTTP_ERR_bad_json
};

// Makes the CoAP plaintext of an answer. If the answer cannot be mapped, the plaintext is that of
// the error that is returned. A 2xx to a method other than GET and FETCH is always a success for
// the device: what cannot be passed on of it is left out.
enum http_error map_response_build(const struct http_reply *reply, const struct map_request *msg,
	struct map_response *mapping);

// Makes the CoAP plaintext of an error, with its diagnostic as far as it fits, and Max-Age max_age.
// Returns its length.
uint16_t map_error_write(enum http_error error, uint32_t max_age, uint8_t *out, size_t room);

// The same for HTTP_ERR_bad_cbor and HTTP_ERR_bad_json, whose diagnostics say what and where.
uint16_t map_fault_write(
	enum http_error error, const struct tr_fault *fault, uint8_t *out, size_t room);

#endif
