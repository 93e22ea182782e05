// SPDX-License-Identifier: BSD-3-Clause
// The connections of the server, and the messages that wait to be sent over them. Knows nothing of
// requests: they name their peer by slot and generation, and request.c looks whether it is there.

#ifndef POSTERN_GW_CTL_PEER_H
#define POSTERN_GW_CTL_PEER_H

#include "gw/ctl/protocol.h"
#include "gw/ctl/stats.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>

struct ctl_queued;

// Written by peer.c where nothing else is said.
struct ctl_peer {
	int fd;                 // -1: the slot is free
	uint32_t generation;    // of the slot, raised when it becomes free
	enum ctl_level level;   // what the peer may do
	bool subscribed;        // gets events; request.c
	uint32_t events;        // asked of epoll
	unsigned requests_open; // unanswered; request.c
	unsigned streams;       // of them, that are answered piece by piece; request.c
	uint64_t last_ms;       // when either side sent last; server.c, too
	size_t queued_bytes;
	STAILQ_HEAD(, ctl_queued) queue; // messages that the socket did not take yet
};

struct ctl_peers {
	int epoll;                      // set that all connections are in; server.c
	struct ctl_server_stats *stats; // server.c
	unsigned others;                // connections that are not admin
	bool lost; // a peer was closed; request.c calls the owners of its requests, and clears this
	struct ctl_peer peer[CTL_CLIENTS_MAX];
};

// All slots are free, and there is no epoll set yet.
void ctl_peers_init(struct ctl_peers *peers, struct ctl_server_stats *stats);

// What epoll reports of a peer: its slot, and its generation in the upper half.
uint64_t ctl_peer_event(const struct ctl_peers *peers, const struct ctl_peer *peer);
// The peer of such an event, NULL if that connection is closed.
struct ctl_peer *ctl_peer_of_event(struct ctl_peers *peers, uint64_t event);

// Takes a slot for a connection, which epoll watches from now on. NULL if there is none; fd stays
// the caller's then.
struct ctl_peer *ctl_peer_add(struct ctl_peers *peers, int fd, enum ctl_level level)
	__attribute__((warn_unused_result));
// Closes the connection and forgets what waits to be sent. The slot may be taken again at once,
// with another generation.
void ctl_peer_close(struct ctl_peers *peers, struct ctl_peer *peer);
// Asks epoll for what the peer is ready for now.
void ctl_peer_update_events(struct ctl_peers *peers, struct ctl_peer *peer);

// Sends or queues a message; closes the peer if it is lost or too slow.
void ctl_peer_send(struct ctl_peers *peers, struct ctl_peer *peer, const uint8_t *data, size_t len);
// Sends what is queued, as far as the socket takes it; closes the peer if it is lost.
void ctl_peer_flush(struct ctl_peers *peers, struct ctl_peer *peer);
// Hands a datagram to a socket. Returns 0, -EAGAIN if it takes none now, or another -errno if the
// connection is lost.
int ctl_peer_send_now(int fd, const uint8_t *data, size_t len) __attribute__((warn_unused_result));

#endif
