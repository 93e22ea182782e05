// SPDX-License-Identifier: BSD-3-Clause
// The HTTP request of a batch, and what a device gets for the status of its record. No I/O.

#ifndef POSTERN_GW_MAP_BATCH_H
#define POSTERN_GW_MAP_BATCH_H

#include "gw/conf/conf.h"
#include "gw/http/message.h"
#include "gw/map/response.h"

#define MAP_BATCH_RANDOM  40 // bytes: of the key, the trace and its span
#define MAP_BATCH_KEY_LEN 32 // hex digits of a batch's key

// Makes the request of a batch, a POST with this body, which is the caller's. random:
// MAP_BATCH_RANDOM fresh bytes, the first 16 of which are its Idempotency-Key.
enum http_error map_batch_build(struct http_request *req, const struct conf_route *route,
	const char *content_type, const uint8_t *random) __attribute__((warn_unused_result));

// Makes the CoAP plaintext of an answer that is a status and nothing else, to a request with this
// method. As map_response_build() does.
enum http_error map_status_build(
	int status, const struct conf_route *route, uint8_t method, struct map_response *mapping);

#endif
