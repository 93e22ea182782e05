// SPDX-License-Identifier: BSD-3-Clause
// What postern-coap writes at its end, and the exit status.

#ifndef POSTERN_GW_TOOLS_COAP_REPORT_H
#define POSTERN_GW_TOOLS_COAP_REPORT_H

#include "gw/tools/coap/client.h"

enum exit_status report(struct client *c, enum exchange_result result);

#endif
