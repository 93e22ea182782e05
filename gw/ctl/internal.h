// SPDX-License-Identifier: BSD-3-Clause
// Inside of the server: server.c has the events, peer.c the connections and what is sent over
// them, request.c what a message becomes.

#ifndef POSTERN_GW_CTL_INTERNAL_H
#define POSTERN_GW_CTL_INTERNAL_H

#include "gw/ctl/cbor_write.h"
#include "gw/ctl/server.h"
#include "gw/ctl/socket.h"

#include <sys/epoll.h>
#include <sys/queue.h>

// A message that the socket did not take yet.
struct ctl_queued {
	STAILQ_ENTRY(ctl_queued) link;
	size_t len;
	uint8_t data[];
};

struct ctl_peer {
	int fd; // -1: the slot is free
	uint32_t generation;
	enum ctl_level level;
	bool subscribed;        // to events
	uint32_t events;        // asked of epoll
	unsigned requests_open; // unanswered
	unsigned streams;       // of them, that are answered piece by piece
	uint64_t last_ms;       // last message of either side
	size_t queued_bytes;
	STAILQ_HEAD(, ctl_queued) queue; // replies that the socket did not take yet
};

struct ctl_request {
	LIST_ENTRY(ctl_request) link;
	struct ctl_server *server; // NULL: gone
	struct ctl_peer *peer;     // NULL: gone
	uint64_t id;
	enum ctl_level level;
	int fd;         // that came with it, or -1
	bool too_large; // a reply did not fit
	void (*gone)(void *arg);
	void *gone_arg;
	const struct ctl_stream *stream; // NULL: none
	void *stream_arg;
	bool streaming; // stream->next() runs
};

struct ctl_server {
	struct ctl_server_conf conf;
	char *path;
	struct ctl_socket socket;
	int epoll;
	int timer;
	bool listening;  // the listener is in the epoll set
	unsigned others; // clients that are not admin
	struct ctl_server_stats stats;
	LIST_HEAD(, ctl_request) requests; // unanswered ones
	struct ctl_peer peers[CTL_CLIENTS_MAX];
	uint8_t message[CTL_MESSAGE_MAX]; // received last
};

// peer.c

// What epoll says of a client: its slot, and its generation in the upper half.
uint64_t ctl_peer_event(const struct ctl_server *server, const struct ctl_peer *peer);
// Asks epoll for what the client is ready for now.
void ctl_peer_update_events(struct ctl_server *server, struct ctl_peer *peer);
// Tells the owners of its requests. The slot may be taken again at once, with another generation.
void ctl_peer_close(struct ctl_server *server, struct ctl_peer *peer);
// Hands a datagram to the socket. Returns 0, -EAGAIN if it takes none now, or another -errno if
// the client is lost.
int ctl_socket_send(int fd, const uint8_t *data, size_t len) __attribute__((warn_unused_result));
// Sends or queues a message; closes the client if it is lost or too slow.
void ctl_peer_send(
	struct ctl_server *server, struct ctl_peer *peer, const uint8_t *data, size_t len);
// Sends what is queued, as far as the socket takes it.
void ctl_peer_flush(struct ctl_server *server, struct ctl_peer *peer);

// request.c

// Writes [id, status, body]; an event has id 0 and its name for a status.
void ctl_envelope_write(struct ctl_writer *out, uint64_t id, const char *status,
	const uint8_t *body, size_t body_len);
// Writes [id, code, {"message": message}].
void ctl_error_write(
	struct ctl_writer *out, uint64_t id, enum ctl_error error, const char *message);
// Answers a message that became no request.
void ctl_peer_reject(struct ctl_server *server, struct ctl_peer *peer, uint64_t id,
	enum ctl_error error, const char *format, ...) __attribute__((format(printf, 5, 6)));
// Handles the message of len bytes in server->message. A descriptor that the request takes
// becomes -1; the others stay the caller's.
void ctl_message_handle(
	struct ctl_server *server, struct ctl_peer *peer, size_t len, int *fds, unsigned fd_count);
// Lets the oldest stream of a client go on until its socket takes no more, or for a bounded piece.
void ctl_streams_turn(struct ctl_server *server, struct ctl_peer *peer);
// Tells requests without a client that it is gone, and ends their streams.
void ctl_orphans_tell(struct ctl_server *server);

#endif
