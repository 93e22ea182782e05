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

#define SECRET_PATH_MAX 4096 // bytes of a path, with the 0 at its end

// Writes the path of a credential that systemd gave the unit, in CREDENTIALS_DIRECTORY. Returns 0,
// or with a line in *error -ENOENT if the process has no such directory, or -ENAMETOOLONG.
int secret_credential_path(const char *name, char path[SECRET_PATH_MAX], struct error *error)
	__attribute__((warn_unused_result));

#endif
