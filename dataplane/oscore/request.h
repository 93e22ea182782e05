// SPDX-License-Identifier: BSD-3-Clause
// The usual request, told by a few compares: what nearly all devices send. Everything else is for
// coap_msg_parse_max() and osc_option_parse().

#ifndef POSTERN_DATAPLANE_OSCORE_REQUEST_H
#define POSTERN_DATAPLANE_OSCORE_REQUEST_H

#include "dataplane/coap/message.h"
#include "dataplane/oscore/option.h"

#define OSC_USUAL_TOKEN_MAX  8 // bytes, RFC 7252 section 3
#define OSC_USUAL_CIPHER_MIN 8 // bytes: the shortest tag

// Parses a request of the usual shape, and completes *msg and *option as the parsers named above
// would. False if it is not of that shape, whatever is wrong with it or not, and *msg and *option
// are undefined then.
//
// Usual is: version 1, CON or NON, a request code, a token of at most eight bytes, the option
// OSCORE and no other, in it a Partial IV, a kid of at most OSC_KID_LEN_MAX bytes and perhaps a kid
// context, and a payload of at least OSC_USUAL_CIPHER_MIN bytes. So eight bytes may be read from
// the kid on.
bool osc_request_usual(struct coap_msg *msg, struct osc_option *option, const uint8_t *data,
	size_t len) __attribute__((warn_unused_result));

#endif
