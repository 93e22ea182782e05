// SPDX-License-Identifier: BSD-3-Clause
// The headers that the configuration adds to requests. Private to the loop.

#ifndef POSTERN_GW_UPSTREAM_HEADERS_H
#define POSTERN_GW_UPSTREAM_HEADERS_H

#include "base/error.h"
#include "gw/conf/conf.h"
#include "gw/http/message.h"

// Of all upstreams and routes. Nothing changes it once it is made.
struct up_headers;

// Reads all values. *conf must exist as long. Returns 0 or -errno with a line in *error.
int up_headers_create(const struct conf *conf, struct up_headers **headers, struct error *error)
	__attribute__((warn_unused_result));
// Wipes and frees; NULL is allowed. No request may have any of them then.
void up_headers_free(struct up_headers *headers);

// Add the headers of an upstream alone, for a health check, or of a route and its upstream, for a
// device's request or a batch. They are not copied.
void up_headers_add_upstream(const struct up_headers *headers, const struct conf_upstream *upstream,
	struct http_request *req);
void up_headers_add_route(
	const struct up_headers *headers, const struct conf_route *route, struct http_request *req);

#endif
