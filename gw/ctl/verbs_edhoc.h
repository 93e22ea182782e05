// SPDX-License-Identifier: BSD-3-Clause
// The verbs about EDHOC. For the table of verbs.c.

#ifndef POSTERN_GW_CTL_VERBS_EDHOC_H
#define POSTERN_GW_CTL_VERBS_EDHOC_H

#include "gw/ctl/request.h"

void ctl_on_edhoc_identity(void *arg, struct ctl_request *req, const struct ctl_cbor *map);
void ctl_on_edhoc_sessions(void *arg, struct ctl_request *req, const struct ctl_cbor *map);
void ctl_on_edhoc_end(void *arg, struct ctl_request *req, const struct ctl_cbor *map);

#endif
