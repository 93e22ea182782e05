// SPDX-License-Identifier: BSD-3-Clause
// The verbs that show packets: capture, trace, show refused. For the table of verbs.c.

#ifndef POSTERN_GW_CTL_VERBS_PACKETS_H
#define POSTERN_GW_CTL_VERBS_PACKETS_H

#include "gw/ctl/request.h"

void ctl_on_capture(void *arg, struct ctl_request *req, const struct ctl_cbor *map);
void ctl_on_trace(void *arg, struct ctl_request *req, const struct ctl_cbor *map);
void ctl_on_show_refused(void *arg, struct ctl_request *req, const struct ctl_cbor *map);

#endif
