// SPDX-License-Identifier: BSD-3-Clause
// A device's CoAP request becomes an HTTP request (RFC 7252 section 10.1, RFC 8075 read backwards).
// No I/O. docs/http.md describes the result to backends.

#ifndef POSTERN_GW_MAP_REQUEST_H
#define POSTERN_GW_MAP_REQUEST_H

#include "dataplane/coap/message.h"
#include "dataplane/shared/exchange.h"
#include "gw/conf/conf.h"
#include "gw/http/message.h"
#include "gw/map/etag.h"
#include "gw/map/tables.h"
#include "gw/translate/translate.h"

// What may stand in a path unencoded beside the unreserved characters (RFC 7252 section 6.5).
#define MAP_PATH_CHARS "!$&'()*+,;=:@"

// A device's request, parsed. It points into the exchange.
struct map_request {
	const struct conf_route *route;
	const struct map_method *method;
	struct coap_body body;
	const uint8_t *payload; // of body, or the caller's
	size_t payload_len;
	uint8_t code;
	int accept;         // a Content-Format or MAP_FORMAT_NONE
	int content_format; // the same
	int cbor;           // what JSON of the answer becomes: a Content-Format, MAP_CBOR_ANY,
			    // MAP_FORMAT_NONE
	bool if_none_match;
	bool etags;            // has at least one ETag
	struct tr_fault fault; // of HTTP_ERR_bad_cbor
};

// Parses options and payload of a request (as they stand behind the inner code), and refuses what
// cannot be sent on: RFC 7252 sections 5.4.1, 5.7.1, 5.10.
enum http_error map_request_parse(struct map_request *msg, const struct conf_route *route,
	uint8_t code, const uint8_t *body, size_t len) __attribute__((warn_unused_result));

// Makes the HTTP request without the identity headers. Its body is the device's, in the exchange.
enum http_error map_request_build(struct http_request *req, const struct map_request *msg,
	const struct map_etags *etags) __attribute__((warn_unused_result));

// Writes the path and query that the HTTP request has, "" or "/..?..", for the record of a batch.
enum http_error map_request_target(const struct map_request *msg, struct http_text *text)
	__attribute__((warn_unused_result));

#define MAP_TRACE_LEN       16 // bytes of a trace id
#define MAP_IDENTITY_RANDOM 24 // bytes; the trace id is the first of them

// Adds the headers by which a backend knows the device: Device-Id, Oscore-Context, Forwarded,
// traceparent and Idempotency-Key; without Forwarded and Idempotency-Key if no device sent the
// request (DP_FAMILY_NONE). name: of the device; random: MAP_IDENTITY_RANDOM fresh bytes.
enum http_error map_request_identify(struct http_request *req, const struct dp_request *device,
	const char *name, const uint8_t *random) __attribute__((warn_unused_result));

#endif
