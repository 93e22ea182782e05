// SPDX-License-Identifier: BSD-3-Clause
// The listening socket of the web server.

#ifndef POSTERN_GW_WEB_LISTENER_H
#define POSTERN_GW_WEB_LISTENER_H

#include "base/error.h"

#include <sys/types.h>

struct web_listener {
	int fd;
	const char *path; // of a UNIX socket, else NULL
	dev_t dev;        // of its file; another in its place has other numbers
	ino_t ino;
};

// Listens where KEY.listen says, which is not "off" and lives as long as the listener. The file of
// a UNIX socket may be used by owner and group; one on which nobody listens is replaced. Returns 0
// or -errno with a line in *error.
int web_listen(struct web_listener *listener, const char *key, const char *where,
	struct error *error) __attribute__((warn_unused_result));
// Removes the file if it is still ours. The descriptor was closed by who served it.
void web_listener_remove(const struct web_listener *listener);

#endif
