// SPDX-License-Identifier: BSD-3-Clause
// Where a listener is: an address and a port, or the path of a UNIX socket.

#ifndef POSTERN_GW_CONF_LISTEN_H
#define POSTERN_GW_CONF_LISTEN_H

#include <stdbool.h>
#include <sys/socket.h>

#define CONF_LISTEN_OFF "off"

// Parses "off", an absolute path, or ADDRESS:PORT, an IPv6 address in brackets; names and
// link-local addresses are refused. *len is 0 for "off". Returns false, and leaves both as they
// are, if it is none of these.
bool conf_listen_parse(const char *text, struct sockaddr_storage *address, socklen_t *len);
// Whether only this machine reaches it: a UNIX socket or loopback. Not for "off".
bool conf_listen_is_local(const char *text);

#endif
