// SPDX-License-Identifier: BSD-3-Clause
// The verbs about observers. For the table of verbs.c.

#ifndef POSTERN_GW_CTL_VERBS_OBSERVE_H
#define POSTERN_GW_CTL_VERBS_OBSERVE_H

#include "gw/ctl/request.h"

void ctl_on_observe_list(void *arg, struct ctl_request *req, const struct ctl_cbor *map);
void ctl_on_observe_push(void *arg, struct ctl_request *req, const struct ctl_cbor *map);
void ctl_on_observe_cancel(void *arg, struct ctl_request *req, const struct ctl_cbor *map);

#endif
