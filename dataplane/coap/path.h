// SPDX-License-Identifier: BSD-3-Clause
// What of a Uri-Path may become a path elsewhere.

#ifndef POSTERN_COAP_PATH_H
#define POSTERN_COAP_PATH_H

#include "dataplane/coap/message.h"

// Whether every Uri-Path segment is safe to pass on, because whoever gets it may decode and
// normalise it again. Refused are "/", "\", NUL, control characters and bad UTF-8 in a segment;
// "." and ".." (RFC 7252 section 5.10.1), also when a server cuts at ";"; and an empty segment that
// is not the last one.
bool coap_path_ok(const struct coap_body *body) __attribute__((warn_unused_result));

#endif
