// SPDX-License-Identifier: BSD-3-Clause
// The verbs about the configuration and the log. For the table of verbs.c.

#ifndef POSTERN_GW_CTL_VERBS_CONFIG_H
#define POSTERN_GW_CTL_VERBS_CONFIG_H

#include "gw/ctl/request.h"

void ctl_on_reload(void *arg, struct ctl_request *req, const struct ctl_cbor *map);
void ctl_on_config_diff(void *arg, struct ctl_request *req, const struct ctl_cbor *map);
void ctl_on_config_show(void *arg, struct ctl_request *req, const struct ctl_cbor *map);
void ctl_on_log_level(void *arg, struct ctl_request *req, const struct ctl_cbor *map);

#endif
