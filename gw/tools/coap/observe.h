// SPDX-License-Identifier: BSD-3-Clause
// A client that observes (RFC 7641): it prints each notification, fetches the other blocks of large
// ones, registers again when it hears nothing for too long, and takes its registration back at the
// end.

#ifndef POSTERN_GW_TOOLS_COAP_OBSERVE_H
#define POSTERN_GW_TOOLS_COAP_OBSERVE_H

#include "gw/tools/coap/client.h"

// Behind perform(), which has registered and has the first answer. Returns what ended it, for
// report(): EXCHANGE_ANSWERED with the last answer if it ended as it should.
enum exchange_result observe(struct client *c, enum exchange_result result)
	__attribute__((warn_unused_result));

#endif
