// SPDX-License-Identifier: BSD-3-Clause
// The head of a request of HTTP/1.1 as it is sent (RFC 9112 section 3).

#ifndef POSTERN_GW_HTTP_H1_HEAD_H
#define POSTERN_GW_HTTP_H1_HEAD_H

#include "gw/http/engine.h"

// Writes the head, with the empty line that ends it. Returns its length, or 0 if there is not
// enough room.
size_t h1_head_write(const struct http_transfer *transfer, char *buf, size_t room);

#endif
