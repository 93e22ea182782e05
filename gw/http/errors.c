// SPDX-License-Identifier: BSD-3-Clause

#include "gw/http/errors.h"

#include <errno.h>

const char *http_error_name(enum http_error error)
{
	static const char *const names[HTTP_ERROR_COUNT] = {
		[HTTP_ERR_none] = "none",
#define HTTP_ERROR(name, help) [HTTP_ERR_##name] = #name,
#include "gw/http/errors.def"
#undef HTTP_ERROR
	};

	return names[error];
}

bool http_error_is_local(enum http_error error)
{
	return error == HTTP_ERR_no_memory || error == HTTP_ERR_local ||
		error == HTTP_ERR_queue_timeout;
}

bool http_errno_is_local(int error)
{
	switch (error) {
	case EMFILE:
	case ENFILE:
	case ENOMEM:
	case ENOSPC: // no more watches of epoll for this user
	case ENOBUFS:
	case EADDRNOTAVAIL: // all ephemeral ports are in use, or wait in TIME_WAIT
		return true;
	default:
		return false;
	}
}
