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

// Starts without requests.
void ctl_requests_init(struct ctl_requests *requests, struct ctl_server *server,
	struct ctl_peers *peers, struct ctl_server_stats *stats);
// Calls gone() of each request whose peer was closed, and ends its stream. Called after anything
// that may have closed a peer; the functions of request.h do so themselves.
void ctl_requests_end_gone(struct ctl_requests *requests);
// Sends more of a peer's oldest stream, until its socket takes no more or a bounded amount was
// sent.
void ctl_requests_stream(struct ctl_requests *requests, struct ctl_peer *peer);
// Detaches all requests from a server that ends. They stay valid until they are answered, and their
// answers are dropped.
void ctl_requests_abandon(struct ctl_requests *requests);

// Makes a request of a peer, which owns fd from then on (-1: none). Returns NULL without memory.
struct ctl_request *ctl_request_create(struct ctl_requests *requests, struct ctl_peer *peer,
	uint64_t id, int fd) __attribute__((warn_unused_result));

#endif
