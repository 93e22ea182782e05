// SPDX-License-Identifier: BSD-3-Clause
// Parses the URLs of servers, and the hosts in them.

#ifndef POSTERN_GW_CONF_URL_H
#define POSTERN_GW_CONF_URL_H

#include "gw/conf/conf.h"
#include "gw/conf/verdict.h"

// Parses a URL of a server; gw/conf/url.c lists the schemes. On CONF_OK the caller frees *server
// with conf_url_free(); otherwise *server is unchanged. Its line and weight stay in any case.
enum conf_verdict conf_url_parse(const char *text, struct conf_server *server,
	char why[CONF_WHY_MAX]) __attribute__((warn_unused_result));
// Frees what *server points to.
void conf_url_free(struct conf_server *server);

// Whether text is a host name or an address, IPv6 without brackets.
bool conf_host_valid(const char *text);
// Whether text is HOST or HOST:PORT, IPv6 in brackets, as a Host header has it.
bool conf_authority_valid(const char *text);

#endif
