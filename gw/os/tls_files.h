// SPDX-License-Identifier: BSD-3-Clause
// Checks the files that an upstream's TLS needs, at the start and not only when a request needs
// them.

#ifndef POSTERN_GW_OS_TLS_FILES_H
#define POSTERN_GW_OS_TLS_FILES_H

#include "base/error.h"
#include "gw/conf/conf.h"

#include <stddef.h>

// Reads the authorities, the certificate and its key as a connection would; a key with a passphrase
// is an error. Returns 0, or -EINVAL or -ENOMEM with a line in *error that begins with the
// configuration key, e.g. "ca", and with *wrong pointing to the member of *tls that it is about.
int tls_files_check(const struct conf_tls *tls, char *const **wrong, struct error *error)
	__attribute__((warn_unused_result));

#endif
