// SPDX-License-Identifier: BSD-3-Clause
// A connection to a server as a stream of bytes, over TCP or a UNIX socket, with TLS or without.
// Nothing in here blocks.

#ifndef POSTERN_GW_HTTP_WIRE_H
#define POSTERN_GW_HTTP_WIRE_H

#include "gw/conf/conf.h"
#include "gw/http/errors.h"
#include "gw/http/resolve.h"

#include <openssl/ssl.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

enum http_wire_protocol { HTTP_WIRE_H1, HTTP_WIRE_H2 };

// TLS settings: 1.2 or later, for HTTP/2 with forward secrecy (RFC 9113 section 9.2), the
// protocol's ALPN, and by default a certificate that is checked. Returns 0, -ENOMEM or -EINVAL: the
// files are not what they should be, or the key needs a passphrase.
int http_wire_tls_create(const struct conf_tls *conf, enum http_wire_protocol protocol,
	SSL_CTX **tls) __attribute__((warn_unused_result));

#define HTTP_TLS_DIGEST 32 // bytes

// What the settings of TLS are, with what the files have in them now: two that differ need another
// SSL_CTX. Of the system's authorities, only when they changed. Returns 0, or -EINVAL if a file
// cannot be read.
int http_wire_tls_digest(const struct conf_tls *conf, uint8_t digest[HTTP_TLS_DIGEST])
	__attribute__((warn_unused_result));

// Where a wire leads.
struct http_wire_target {
	enum http_wire_protocol protocol;
	SSL_CTX *tls;         // NULL: none
	const char *name;     // that the certificate must have, and for SNI
	SSL_SESSION *session; // of the last connection, to be resumed; or NULL
};

struct http_part {
	const void *data;
	size_t len;
};

struct http_wire {
	int fd; // -1: none
	SSL *ssl;
	bool open;       // handshakes are over
	uint32_t events; // what it waits for: EPOLLIN, EPOLLOUT
	// A copy: a look-up may change those of the host meanwhile.
	struct http_addresses addresses;
	unsigned address;    // which one is tried
	uint64_t give_up_ms; // on this address for the next; UINT64_MAX: it is the last
	int local_errno;     // of HTTP_ERR_local
};

// Starts to connect to the next of wire->addresses. The caller registers wire->fd. Returns
// HTTP_ERR_none, or why none of the addresses that are left can be connected to.
enum http_error http_wire_connect(struct http_wire *wire, uint64_t now_ms)
	__attribute__((warn_unused_result));
// Goes on with the handshakes after an event; wire->open tells whether they are over. For
// HTTP_ERR_connect, another address may be left.
enum http_error http_wire_go_on(struct http_wire *wire, struct http_wire_target *target)
	__attribute__((warn_unused_result));

// Bytes read or written; 0 at the end of what the server sends; -EAGAIN, or -errno if the
// connection is lost. wire->events is set to what has to be waited for.
ssize_t http_wire_read(struct http_wire *wire, void *buf, size_t room);
ssize_t http_wire_write(struct http_wire *wire, const void *data, size_t len);
// The same for one or two parts, as one packet or record where that is enough.
ssize_t http_wire_write_parts(struct http_wire *wire, const struct http_part *part, unsigned count);
// Whether TLS holds bytes for http_wire_read(), of which epoll reports nothing.
bool http_wire_holds(const struct http_wire *wire);
// Whether the connection stands and the socket has nothing to read, whatever TLS holds.
bool http_wire_is_drained(const struct http_wire *wire);
// Whether the connection stands and nothing waits to be read: no byte, no end, no error. What TLS
// says to itself (tickets, key updates) is taken in and does not count.
bool http_wire_is_quiet(struct http_wire *wire);
// Says that nothing more will be written.
void http_wire_shut(struct http_wire *wire);

// Ends what was opened; the caller closes wire->fd.
void http_wire_end(struct http_wire *wire);

#endif
