// SPDX-License-Identifier: BSD-3-Clause
// The verbs about EDHOC: who the gateway is, which sessions there are, and their end.

#ifndef POSTERN_GW_DAEMON_EDHOC_VERBS_H
#define POSTERN_GW_DAEMON_EDHOC_VERBS_H

#include "gw/daemon/daemon.h"

void verb_edhoc_identity(void *arg, struct ctl_request *req);
void verb_edhoc_sessions(void *arg, struct ctl_request *req, const struct ctl_sessions *asked);
void verb_edhoc_end(void *arg, struct ctl_request *req, const char *device);

#endif
