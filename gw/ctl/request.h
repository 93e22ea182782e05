// SPDX-License-Identifier: BSD-3-Clause
// Requests as a verb's handler sees them: what came, and how it is answered. All of it runs on the
// thread that calls ctl_server_poll(), and nothing blocks.

#ifndef POSTERN_GW_CTL_REQUEST_H
#define POSTERN_GW_CTL_REQUEST_H

#include "gw/ctl/cbor_walk.h"
#include "gw/ctl/cbor_write.h"
#include "gw/ctl/protocol.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct ctl_server;

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

// The server that the request came to; NULL after ctl_server_free().
struct ctl_server *ctl_request_server(const struct ctl_request *req);
enum ctl_level ctl_request_level(const struct ctl_request *req);
// The file descriptor that came with the request; it is the caller's then. -1 if there is none or
// it was taken before.
int ctl_request_take_fd(struct ctl_request *req);
// From now on the client gets events, until it leaves; it may be silent for as long as it likes.
void ctl_request_subscribe(struct ctl_request *req);

// Whether the client still waits for the answer.
bool ctl_request_is_alive(const struct ctl_request *req);
// Bytes of answers to this client that wait until it reads. Who has much to send asks this first: a
// client with more than CTL_QUEUE_MAX is cut off.
size_t ctl_request_unsent(const struct ctl_request *req);
// The user behind the client, (uid_t)-1 if it is gone.
uid_t ctl_request_uid(const struct ctl_request *req);
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
