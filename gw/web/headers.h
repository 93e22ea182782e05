// SPDX-License-Identifier: BSD-3-Clause
// What the headers of a request mean. Pure functions.

#ifndef POSTERN_GW_WEB_HEADERS_H
#define POSTERN_GW_WEB_HEADERS_H

#include <stdbool.h>
#include <stddef.h>

// Whether a Host header may be answered: an address, localhost, or one of the names, with or
// without a port. A web page that has a name of its own point to our address (DNS rebinding) sends
// that name.
bool web_host_allowed(const char *host, char *const *names, size_t count);

// Whether an Accept header wants OpenMetrics 1.0 at least as much as plain text. NULL: no header.
bool web_wants_openmetrics(const char *accept);

#endif
