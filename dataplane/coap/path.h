// SPDX-License-Identifier: BSD-3-Clause
// Which Uri-Path segments may be passed on as a path to a server that decodes it again.

#ifndef POSTERN_DATAPLANE_COAP_PATH_H
#define POSTERN_DATAPLANE_COAP_PATH_H

#include "dataplane/coap/message.h"

// Whether len bytes are well-formed UTF-8 without control characters.
bool coap_text_ok(const uint8_t *s, size_t len) __attribute__((warn_unused_result));

// Whether one segment is safe for a server that percent-decodes and normalises its path. Not safe
// are "/", "\", control characters, NUL among them, bad UTF-8, and "." and ".." (RFC 7252 section
// 5.10.1), also in front of a ";", where some servers cut a segment.
bool coap_segment_ok(const uint8_t *s, size_t len) __attribute__((warn_unused_result));
// Whether all Uri-Path segments are safe, and only the last one may be empty.
bool coap_path_ok(const struct coap_body *body) __attribute__((warn_unused_result));

#endif
