// SPDX-License-Identifier: BSD-3-Clause
// Where a server is. The addresses of a name are looked up when they are first wanted, and again
// when they are old; meanwhile the old ones serve, so that a name server that does not answer holds
// up nobody who has an address. Times are CLOCK_MONOTONIC in milliseconds.

#ifndef POSTERN_GW_HTTP_HOST_H
#define POSTERN_GW_HTTP_HOST_H

#include "gw/conf/conf.h"
#include "gw/http/resolve.h"
#include "gw/http/sockets.h"
#include "gw/map/tables.h"

struct up_host {
	const struct conf_server *server;
	struct up_sockets *sockets;
	bool named; // by a name, not by an address or a path
	struct up_addresses addresses;
	uint64_t heard_ms;          // when a look-up ended
	uint64_t old_ms;            // when what it found, or that it found nothing, gets old
	int failed;                 // 0, or -errno of the last look-up
	struct up_resolve *resolve; // NULL: none is under way
};

enum up_host_state {
	UP_HOST_KNOWN,   // there are addresses
	UP_HOST_ASKED,   // a look-up is under way
	UP_HOST_UNKNOWN, // the last look-up found nothing, just now
};

// server and sockets stay as long as the host.
void up_host_init(
	struct up_host *host, const struct conf_server *server, struct up_sockets *sockets);
// The addresses are wanted: starts a look-up where it is time for one.
enum up_host_state up_host_want(struct up_host *host, uint64_t now_ms);
// epoll said something about this descriptor. Returns whether it was the host's, whose look-up has
// ended then: host->addresses has what is known now.
bool up_host_ready(struct up_host *host, int fd, uint64_t now_ms);
// Why there are no addresses: UP_ERR_dns, or UP_ERR_local with its errno if this machine could not
// even ask.
enum up_error up_host_error(const struct up_host *host, int *local_errno);
// Whether an address is among those that are known.
bool up_host_has(const struct up_host *host, const struct up_address *address);
// None of the addresses could be reached: they get old earlier.
void up_host_doubt(struct up_host *host);
// Whether a look-up is under way or not.
void up_host_end(struct up_host *host);

#endif
