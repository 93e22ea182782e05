// SPDX-License-Identifier: BSD-3-Clause
// The unanswered requests of a server: the side of request.c that dispatch.c and server.c see.
// Handlers see request.h.

#ifndef POSTERN_GW_CTL_REQUESTS_H
#define POSTERN_GW_CTL_REQUESTS_H

#include "gw/ctl/peer.h"
#include "gw/ctl/request.h"

#include <sys/queue.h>

struct ctl_requests {
	struct ctl_server *server; // for ctl_request_server(); server.c
	struct ctl_peers *peers;
	struct ctl_server_stats *stats;
	LIST_HEAD(, ctl_request) list; // the newest first; request.c
};

void ctl_requests_init(struct ctl_requests *requests, struct ctl_server *server,
	struct ctl_peers *peers, struct ctl_server_stats *stats);
// Calls the owners of requests whose peer was closed, and ends their streams. To be called after
// whatever may have closed a peer; the functions of request.h do so themselves.
void ctl_requests_tell_gone(struct ctl_requests *requests);
// Lets the oldest stream of a peer go on until its socket takes no more, or for a bounded piece.
void ctl_requests_stream(struct ctl_requests *requests, struct ctl_peer *peer);
// The server ends. Its requests stay valid until they are answered; the answers go nowhere.
void ctl_requests_abandon(struct ctl_requests *requests);

// A new request of a peer; fd is the request's then, -1 for none. NULL: no memory.
struct ctl_request *ctl_request_create(struct ctl_requests *requests, struct ctl_peer *peer,
	uint64_t id, int fd) __attribute__((warn_unused_result));

#endif
