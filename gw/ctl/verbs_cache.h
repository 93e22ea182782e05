// SPDX-License-Identifier: BSD-3-Clause
// The verbs about stored answers. For the table of verbs.c.

#ifndef POSTERN_GW_CTL_VERBS_CACHE_H
#define POSTERN_GW_CTL_VERBS_CACHE_H

#include "gw/ctl/request.h"

void ctl_on_cache_show(void *arg, struct ctl_request *req, const struct ctl_cbor *map);
void ctl_on_cache_purge(void *arg, struct ctl_request *req, const struct ctl_cbor *map);

#endif
