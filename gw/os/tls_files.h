// SPDX-License-Identifier: BSD-3-Clause
// Whether the files of an upstream's TLS are what they should be, said before a request needs them.

#ifndef POSTERN_GW_OS_TLS_FILES_H
#define POSTERN_GW_OS_TLS_FILES_H

#include "base/error.h"
#include "gw/conf/conf.h"

#include <stddef.h>

// Reads the authorities, the certificate and its key as a connection would, and asks nobody for a
// passphrase. Returns 0, or -EINVAL or -ENOMEM with a line in *error, which begins with the key of
// the configuration, and *wrong the path in tls that it is about.
int tls_files_check(const struct conf_tls *tls, char *const **wrong, struct error *error)
	__attribute__((warn_unused_result));

#endif
