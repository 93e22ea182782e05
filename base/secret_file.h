// SPDX-License-Identifier: BSD-3-Clause
// Files that hold a secret of the gateway.

#ifndef POSTERN_BASE_SECRET_FILE_H
#define POSTERN_BASE_SECRET_FILE_H

#include "base/error.h"

// Opens a regular file for reading that only its owner may use. An access control list may give it
// to another user, as systemd's does with a credential. `what` names it in messages. Returns a
// descriptor, which never blocks, or -errno with a line in *error: -EBADMSG for what is no file,
// -EACCES if others may use it.
int secret_file_open(const char *path, const char *what, struct error *error)
	__attribute__((warn_unused_result));

#endif
