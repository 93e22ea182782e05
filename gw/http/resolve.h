// SPDX-License-Identifier: BSD-3-Clause
// Looks names of servers up with the system's resolver, in threads of its own, so that a loop never
// waits for it.

#ifndef POSTERN_GW_HTTP_RESOLVE_H
#define POSTERN_GW_HTTP_RESOLVE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

#define HTTP_ADDRESSES_MAX   8 // of a name; more are not looked at
#define HTTP_RESOLVE_THREADS 8 // names that are looked up at a time; others wait

// A look-up whose name server is silent holds a thread for as long as the system waits for it, some
// ten seconds. So of these threads ...
#define HTTP_RESOLVE_UNSURE  6 // ... are at most for names that are not known to be answered, and
#define HTTP_RESOLVE_SLOW    2 // ... of them for names whose last look-up took HTTP_RESOLVE_SLOW_MS:
#define HTTP_RESOLVE_SLOW_MS 1000
// the others have their turn, however many are silent. A name has one thread at a time, and all who
// wait for it get its answer.

struct http_address {
	socklen_t len;
	struct sockaddr_storage storage;
};

struct http_addresses {
	unsigned count;
	struct http_address address[HTTP_ADDRESSES_MAX];
};

// The address of a UNIX socket; the path fits sun_path.
void http_address_of_path(struct http_addresses *addresses, const char *path);
// An IPv4 or IPv6 address as text. false: it is a name.
bool http_address_of_text(struct http_addresses *addresses, const char *text, uint16_t port);

struct http_resolve;

// Starts the threads, which stay until the process ends. The daemon calls it before it gives up the
// right to start threads; else the first look-up does. Returns 0 or -errno.
int http_resolve_open(void) __attribute__((warn_unused_result));
// Starts to look a name up. Returns 0 or -errno.
int http_resolve_start(const char *name, uint16_t port, struct http_resolve **resolve)
	__attribute__((warn_unused_result));
// A descriptor that is readable when the look-up is done; open until http_resolve_end().
int http_resolve_fd(const struct http_resolve *resolve);
// Takes the result of a look-up that is done. Returns 0 with at least one address, -ENOENT: the
// name does not exist or has no address, -EAGAIN: no name server answered, or another -errno: this
// machine lacked descriptors or memory for the look-up.
int http_resolve_take(const struct http_resolve *resolve, struct http_addresses *addresses)
	__attribute__((warn_unused_result));
// Ends a look-up, done or not.
void http_resolve_end(struct http_resolve *resolve);

// Any thread: how many look-ups have ended since the start, and how many of these without an answer
// of a name server.
uint64_t http_resolve_done(void);
uint64_t http_resolve_unanswered(void);

#endif
