// SPDX-License-Identifier: BSD-3-Clause
// The addresses of a server. Its name is looked up when a request first needs them, and again when
// they are old; meanwhile the old ones serve, so that a name server that does not answer delays no
// request whose server has an address. Times are CLOCK_MONOTONIC in milliseconds.

#ifndef POSTERN_GW_HTTP_HOST_H
#define POSTERN_GW_HTTP_HOST_H

#include "gw/conf/conf.h"
#include "gw/http/errors.h"
#include "gw/http/resolve.h"
#include "gw/http/sockets.h"

struct http_host {
	struct http_watch watch; // of the look-up
	// A look-up that was under way has ended: addresses has what is known now.
	void (*heard)(struct http_host *host);
	const struct conf_server *server;
	struct http_sockets *sockets;
	bool named; // by a name, not by an address or a path
	struct http_addresses addresses;
	uint64_t heard_ms;            // when a look-up ended
	uint64_t old_ms;              // when what it found, or that it found nothing, gets old
	int failed;                   // 0, or -errno of the last look-up
	struct http_resolve *resolve; // NULL: none is under way
};

enum http_host_state {
	HTTP_HOST_KNOWN,   // there are addresses
	HTTP_HOST_ASKED,   // a look-up is under way
	HTTP_HOST_UNKNOWN, // the last look-up found nothing, just now
};

// server and sockets stay as long as the host, and the host where it is. The caller sets heard().
void http_host_init(
	struct http_host *host, const struct conf_server *server, struct http_sockets *sockets);
// Starts a look-up if one is due, and returns what is known now.
enum http_host_state http_host_want(struct http_host *host, uint64_t now_ms);
// Takes what a look-up found whose descriptor is readable, and calls heard(). The watch does this.
void http_host_hear(struct http_host *host, uint64_t now_ms);
// Why there are no addresses: HTTP_ERR_dns, or HTTP_ERR_local with its errno if this machine could
// not even ask.
enum http_error http_host_error(const struct http_host *host, int *local_errno);
// Whether an address is among those that are known.
bool http_host_has(const struct http_host *host, const struct http_address *address);
// None of the addresses could be reached: the name is looked up again earlier.
void http_host_doubt(struct http_host *host);
// Ends the look-up, if one is under way.
void http_host_end(struct http_host *host);

#endif
