// SPDX-License-Identifier: BSD-3-Clause
// The verb "show refused": the last packets that were refused, a few for each reason.

#ifndef POSTERN_GW_DAEMON_REFUSED_H
#define POSTERN_GW_DAEMON_REFUSED_H

#include "gw/daemon/daemon.h"

void verb_show_refused(void *arg, struct ctl_request *req, const char *reason, unsigned limit);

#endif
