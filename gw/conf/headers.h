// SPDX-License-Identifier: BSD-3-Clause
// Headers that a configuration adds to requests: which names and values are allowed.

#ifndef POSTERN_GW_CONF_HEADERS_H
#define POSTERN_GW_CONF_HEADERS_H

#include "gw/conf/conf.h"
#include "gw/conf/mistakes.h"

#include <stdbool.h>
#include <stddef.h>

#define CONF_HEADER_VALUE_MAX 3072 // bytes

// Whether it is visible ASCII, with blanks and tabs only inside.
bool conf_header_value_valid(const char *text, size_t len);

// Notes a mistake for each header that postern sets itself, or that stands in the list twice.
// `owner` is the path of the list's key, e.g. "routes[0]".
void conf_headers_check(const struct conf *conf, const char *owner,
	const struct conf_header *headers, size_t count, struct conf_mistakes *mistakes);

#endif
