// SPDX-License-Identifier: BSD-3-Clause
// What a device gets where its request has no answer of a server: a CoAP code, and a diagnostic as
// the payload (RFC 7252 section 5.5.2).

#ifndef POSTERN_GW_MAP_ERROR_CODES_H
#define POSTERN_GW_MAP_ERROR_CODES_H

#include "gw/http/errors.h"

#include <stdint.h>

struct map_error_code {
	uint8_t code;
	const char *diagnostic;
};

// Indexed by enum http_error; the row of HTTP_ERR_none is empty.
extern const struct map_error_code map_error_codes[HTTP_ERROR_COUNT];

#endif
