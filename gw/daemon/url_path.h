// SPDX-License-Identifier: BSD-3-Clause
// Segments of a path as they stand in a URL, percent-encoded (RFC 3986 section 3.3).

#ifndef POSTERN_GW_DAEMON_URL_PATH_H
#define POSTERN_GW_DAEMON_URL_PATH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// Reads a segment up to the next slash, decoded. false: it is no segment of a URL, or has no room.
bool url_path_read(const char **at, uint8_t *segment, size_t room, size_t *len);
// Writes a slash and a segment, and a 0; three bytes for each of the segment and two more are
// needed. Returns where the 0 is.
char *url_path_write(char *to, const uint8_t *segment, size_t len);

#endif
