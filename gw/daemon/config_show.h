// SPDX-License-Identifier: BSD-3-Clause
// The verbs that show the configuration in use, and "log level", which changes one value of it
// until the next reload.

#ifndef POSTERN_GW_DAEMON_CONFIG_SHOW_H
#define POSTERN_GW_DAEMON_CONFIG_SHOW_H

#include "gw/daemon/daemon.h"

// Of struct ctl_ops.
void verb_config_show(void *arg, struct ctl_request *req, bool effective);
void verb_log_level(void *arg, struct ctl_request *req, const char *word);

#endif
