// SPDX-License-Identifier: BSD-3-Clause
// Failures of this machine's own. They say nothing about a server and must not be held against it.

#ifndef POSTERN_GW_HTTP_LOCAL_H
#define POSTERN_GW_HTTP_LOCAL_H

#include "gw/map/tables.h"

#include <errno.h>
#include <stdbool.h>

// Whether a system call failed with this errno for want of descriptors, memory, ports or
// watches.
static inline bool http_errno_is_local(int error)
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

// Whether a request failed before a server could have done anything about it.
static inline bool http_error_is_local(enum http_error error)
{
	return error == HTTP_ERR_no_memory || error == HTTP_ERR_local ||
		error == HTTP_ERR_queue_timeout;
}

#endif
