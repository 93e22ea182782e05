// SPDX-License-Identifier: BSD-3-Clause
// What /.well-known/core says (RFC 6690): the routes as links, those that a device may use and asks
// for, and before them EDHOC, where it is served (RFC 9668 section 6). No I/O.

#ifndef POSTERN_GW_MAP_CORE_H
#define POSTERN_GW_MAP_CORE_H

#include "dataplane/coap/message.h"
#include "gw/conf/conf.h"
#include "gw/http/text.h"

#include <stdbool.h>

#define MAP_CORE_FILTERS_MAX 8 // of a request: each is compared with all routes

// Writes the links for a device under a policy, NULL: under none, that the queries of its request
// take (section 4.1; several must all hold). Routes whose link does not fit are left out, and those
// behind them. False if there are more than MAP_CORE_FILTERS_MAX queries.
bool map_core_write(struct http_text *text, const struct conf *conf,
	const struct conf_policy *policy, const struct coap_body *request)
	__attribute__((warn_unused_result));

#endif
