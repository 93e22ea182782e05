// SPDX-License-Identifier: BSD-3-Clause
// The verb "device import": many devices of a file, all or none.

#ifndef POSTERN_GW_DAEMON_IMPORT_VERB_H
#define POSTERN_GW_DAEMON_IMPORT_VERB_H

#include "gw/daemon/daemon.h"

// `daemon` is a struct daemon; each answers its request as struct ctl_ops says.
void verb_device_import(
	void *daemon, struct ctl_request *req, int fd, const struct import_options *options);

#endif
