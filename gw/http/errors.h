// SPDX-License-Identifier: BSD-3-Clause
// Why a request has no answer of a server, and which failures are this machine's own.

#ifndef POSTERN_GW_HTTP_ERRORS_H
#define POSTERN_GW_HTTP_ERRORS_H

#include <stdbool.h>

enum http_error {
	HTTP_ERR_none = 0,
#define HTTP_ERROR(name, help) HTTP_ERR_##name,
#include "gw/http/errors.def"
#undef HTTP_ERROR
	HTTP_ERROR_COUNT,
};

// As in errors.def; "none" for HTTP_ERR_none.
const char *http_error_name(enum http_error error);

// Whether a request failed before a server could have done anything about it. Such an error says
// nothing about the server and must not be held against it.
bool http_error_is_local(enum http_error error);
// Whether a system call failed with this errno for want of descriptors, memory, ports or watches of
// this machine.
bool http_errno_is_local(int error);

#endif
