// SPDX-License-Identifier: BSD-3-Clause
// The headers that a configuration adds to requests, as lines that can be sent. Their values are
// secrets: they come from files that only their owner may use, and are wiped when they are freed.

#ifndef POSTERN_GW_OS_HEADER_LINES_H
#define POSTERN_GW_OS_HEADER_LINES_H

#include "base/error.h"
#include "gw/conf/conf.h"

#include <stddef.h>
#include <stdint.h>

#define HEADER_LINES_MAX  (2 * CONF_HEADERS_MAX)
#define HEADER_LINES_ROOM 4096 // bytes of all of them, each with its line end

struct header_line {
	const char *text;  // "Name: value", ends with 0
	uint16_t name_len; // bytes
	uint16_t len;
};

struct header_lines {
	size_t count;
	struct header_line line[HEADER_LINES_MAX];
	char room[HEADER_LINES_ROOM];
};

// Reads the files of `own` headers, and of the `others` whose names are not among them. On success
// *lines is the caller's, NULL if there are none. Returns 0, or -errno with a line in *error that
// tells the header's name but nothing of its value, and *wrong being that header: -EACCES for a
// file that others may use, -EBADMSG for a value that cannot be sent, -E2BIG beyond
// HEADER_LINES_ROOM, -ENOMEM, or that of reading.
int header_lines_read(const struct conf_header *own, size_t own_count,
	const struct conf_header *others, size_t other_count, struct header_lines **lines,
	const struct conf_header **wrong, struct error *error) __attribute__((warn_unused_result));
// Wipes and frees; NULL is allowed.
void header_lines_free(struct header_lines *lines);

#endif
