// SPDX-License-Identifier: BSD-3-Clause
// What libmicrohttpd lets pass though two readers, such as a proxy and we, could understand it
// differently.

#ifndef POSTERN_GW_WEB_FRAMING_H
#define POSTERN_GW_WEB_FRAMING_H

#include <microhttpd.h>

// NULL: each header is a token and a value without control characters (RFC 9110 section 5), and how
// long the body is follows from one of them (RFC 9112 section 6.3). Else what is wrong, for a 400
// that closes the connection.
const char *web_framing_wrong(struct MHD_Connection *connection, const char *version);

#endif
