// SPDX-License-Identifier: BSD-3-Clause
// coap:// URIs into host, port and options (RFC 7252 section 6.4).

#ifndef POSTERN_GW_TOOLS_COAP_URI_H
#define POSTERN_GW_TOOLS_COAP_URI_H

#include "gw/tools/coap/options.h"

#define URI_HOST_MAX 255 // bytes, what a Uri-Host option holds

struct uri {
	char host[URI_HOST_MAX + 1]; // decoded, an IPv6 address without its brackets
	uint16_t port;
	bool host_is_address; // then there is no Uri-Host option
};

// Decomposes text and adds Uri-Host, Uri-Path and Uri-Query to options. "coap://" may be left out.
// Returns 0 or -EINVAL.
int uri_parse(struct uri *uri, const char *text, struct option_list *options, struct error *f)
	__attribute__((warn_unused_result));

#endif
