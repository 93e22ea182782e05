// SPDX-License-Identifier: BSD-3-Clause
// Server of the control socket: UNIX SOCK_SEQPACKET, one CBOR item a datagram (docs/control.md,
// docs/control.cddl).
//
// All of it runs on one thread, that of the caller of ctl_server_poll(), and never blocks: not on
// a client that does not read, nor on one that does not write. Other threads hand their results to
// that thread, which answers.

#ifndef POSTERN_GW_CTL_SERVER_H
#define POSTERN_GW_CTL_SERVER_H

#include "gw/ctl/cbor_walk.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define CTL_PROTOCOL        1 // raised when an old client would misunderstand
#define CTL_SOCKET_DEFAULT  "/run/postern/control.sock"
#define CTL_MESSAGE_MAX     65536         // bytes of a datagram
#define CTL_CLIENTS_MAX     64            // connections
#define CTL_CLIENTS_OTHERS  48            // of them for peers that are not admin
#define CTL_REQUESTS_MAX    16            // unanswered ones a client; more are not read yet
#define CTL_QUEUE_MAX       (1024 * 1024) // bytes a client may leave unread in our memory
#define CTL_IDLE_TIMEOUT_MS 300000        // without a message, with nothing to answer
#define CTL_TEXT_MAX        1024          // bytes of an error's message

// What a peer may do. Each level includes those before it.
enum ctl_level { CTL_VIEW, CTL_OPERATE, CTL_ADMIN };

const char *ctl_level_name(enum ctl_level level);

// Stable codes of the status of a reply: X(constant, code). Clients rely on them; the text beside
// them in "message" is for people and may change.
#define CTL_ERRORS(X)                                                                              \
	X(CTL_BAD_REQUEST, "bad-request")       /* not the form that the schema asks for */        \
	X(CTL_UNKNOWN_VERB, "unknown-verb")     /* */                                              \
	X(CTL_DENIED, "denied")                 /* the peer's level is too low */                  \
	X(CTL_BUSY, "busy")                     /* try again later */                              \
	X(CTL_UNSUPPORTED, "unsupported")       /* well formed, but this build does not have it */ \
	X(CTL_TOO_LARGE, "too-large")           /* the answer does not fit a datagram */           \
	X(CTL_NO_SUCH_DEVICE, "no-such-device") /* */                                              \
	X(CTL_EXISTS, "exists")                 /* that name or those ids are taken */             \
	X(CTL_KEYS_IN_USE, "keys-in-use")       /* another device derives the same keys */         \
	X(CTL_KEYS_USED, "keys-used")           /* never_used, but these keys were used before */  \
	X(CTL_FULL, "full")                     /* as many devices as the gateway takes */         \
	X(CTL_BAD_ROWS, "bad-rows")             /* an import with mistakes; nothing was changed */ \
	X(CTL_PIV_USED_UP, "piv-used-up")       /* the keys, or runs, have no numbers left */      \
	X(CTL_STORE_FAILED, "store-failed")     /* disk full, read-only, broken */                 \
	X(CTL_CANCELED, "canceled")             /* ended before it was done; nothing changed */    \
	X(CTL_STOPPING, "stopping")             /* the daemon is shutting down */                  \
	X(CTL_INTERNAL, "internal")             /* a mistake of ours */

#define CTL_ERROR_ENUM(constant, code) constant,
enum ctl_error { CTL_ERRORS(CTL_ERROR_ENUM) CTL_ERROR_COUNT };
#undef CTL_ERROR_ENUM

const char *ctl_error_code(enum ctl_error error);

// One request of one client. It lives until its last reply, also when its client is gone by then:
// every request that a handler was given must be answered to the end, once.
struct ctl_request;

// A verb of the socket. `args` is the map of the request; it and all inside it are valid until the
// handler returns, and wiped then. The handler answers before it returns or any time later.
struct ctl_verb {
	const char *name; // "device add"
	enum ctl_level level;
	bool takes_fd; // a request carries exactly one file descriptor; of other verbs none
	void (*handler)(void *arg, struct ctl_request *req, const struct ctl_cbor *args);
	const char *help; // one line
};

struct ctl_server_conf {
	const char *path;      // of the socket; shorter than sun_path
	mode_t mode;           // of the socket, e.g. 0660: who may connect
	gid_t gid;             // of the socket, whose members operate; (gid_t)-1 leaves it
	uid_t owner;           // this user and root are admin
	enum ctl_level others; // level of everybody else who may connect
	const struct ctl_verb *verbs;
	size_t verb_count;
	void *arg;                // handed to the handlers
	unsigned idle_timeout_ms; // 0: CTL_IDLE_TIMEOUT_MS
};

struct ctl_server_stats {
	uint64_t accepted;      // connections
	uint64_t refused;       // connections beyond CTL_CLIENTS_MAX or CTL_CLIENTS_OTHERS
	uint64_t slow;          // clients cut off because they did not read
	uint64_t idle;          // clients cut off after CTL_IDLE_TIMEOUT_MS
	uint64_t requests;      // that reached a handler
	uint64_t rejected;      // messages that did not: malformed, unknown, denied
	uint64_t clients;       // connected now
	uint64_t subscribers;   // of them, for events
	uint64_t requests_open; // unanswered now, also of clients that are gone
};

struct ctl_server;

// Makes the socket and listens. What conf points to must outlive the server; conf itself need not.
// The socket file of a daemon that is dead is replaced. NULL and errno on failure: EADDRINUSE if
// a daemon answers on that path, EEXIST if something is there that is no socket, ENAMETOOLONG,
// and those of socket(), bind(), chmod() and chown().
struct ctl_server *ctl_server_create(const struct ctl_server_conf *conf)
	__attribute__((warn_unused_result));
// Sends what the clients take at once, disconnects them, removes the socket file if it is still
// ours. Requests that are not answered yet stay valid, and so does the memory they need: the last
// reply to them, which then goes nowhere, frees them. NULL is allowed.
void ctl_server_free(struct ctl_server *server);

// File descriptor (epoll) that is readable when ctl_server_poll() has something to do.
int ctl_server_fd(const struct ctl_server *server);
// Handles what is ready, at most a bounded piece of it, without waiting. Handlers run inside; they
// must not call this or ctl_server_free().
void ctl_server_poll(struct ctl_server *server);

void ctl_server_get_stats(const struct ctl_server *server, struct ctl_server_stats *stats);

struct ctl_writer;

// Sends [0, name, body] to all clients that subscribed, and empties the body. Never waits: who does
// not read is cut off.
void ctl_server_event(struct ctl_server *server, const char *name, struct ctl_writer *body);
unsigned ctl_server_subscribers(const struct ctl_server *server);
// From now on the client gets events, until it leaves; it may be silent for as long as it likes.
void ctl_request_subscribe(struct ctl_request *req);

// The server's verbs, for hello and help.
const struct ctl_verb *ctl_request_verbs(const struct ctl_request *req, size_t *count);
// The server that the request came to; NULL after ctl_server_free().
struct ctl_server *ctl_request_server(const struct ctl_request *req);
enum ctl_level ctl_request_level(const struct ctl_request *req);
// The file descriptor that came with the request; it is the caller's then. -1 if there is none or
// it was taken before.
int ctl_request_take_fd(struct ctl_request *req);
// Whether somebody still waits for the answer.
bool ctl_request_is_alive(const struct ctl_request *req);
// Calls gone(arg) once if the client leaves before the last reply, from ctl_server_poll(), a reply
// or ctl_server_free(). The request must still be answered.
void ctl_request_on_gone(struct ctl_request *req, void (*gone)(void *arg), void *arg);

// An answer of any number of replies, made as the client reads them.
struct ctl_stream {
	// Sends the next reply with ctl_request_reply(req, body, false). Returns false, and sends
	// none, when all are sent.
	bool (*next)(void *arg, struct ctl_request *req);
	// Once, when all are sent or the client is gone: frees arg.
	void (*done)(void *arg);
};

// Answers the request with a stream, to the end. The request is not the caller's any more; *stream
// must be constant. A client that reads nothing of it for the idle time is cut off.
void ctl_request_stream(struct ctl_request *req, const struct ctl_stream *stream, void *arg);

// Sends a reply whose body is the map in `body`, and empties that. `last` frees the request.
// A body that outgrew CTL_MESSAGE_MAX is not sent: the last reply becomes CTL_TOO_LARGE then.
void ctl_request_reply(struct ctl_request *req, struct ctl_writer *body, bool last);
// Sends the last reply, with an empty map: done, or end of the list. Frees the request.
void ctl_request_end(struct ctl_request *req);
// Sends the last reply, an error with a message for people, cut at CTL_TEXT_MAX bytes. Frees the
// request.
void ctl_request_error(struct ctl_request *req, enum ctl_error error, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
void ctl_request_verror(struct ctl_request *req, enum ctl_error error, const char *format,
	va_list args) __attribute__((format(printf, 3, 0)));

#endif
