// SPDX-License-Identifier: BSD-3-Clause
// One accepted connection, plain or with TLS. Nothing here waits.

#ifndef POSTERN_BENCH_BACKEND_TRANSPORT_H
#define POSTERN_BENCH_BACKEND_TRANSPORT_H

#include <openssl/ssl.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

struct be_transport {
	int fd;
	SSL *tls;       // NULL: plain
	bool tcp;       // and no UNIX socket
	bool wants_out; // TLS cannot go on before the socket is writable
};

// Read and write, and do the handshake on the way. Return a number of bytes, 0 at the end of what
// comes, -EAGAIN or another -errno.
ssize_t be_transport_read(struct be_transport *transport, void *buf, size_t room)
	__attribute__((warn_unused_result));
ssize_t be_transport_write(struct be_transport *transport, const void *buf, size_t len)
	__attribute__((warn_unused_result));
// Takes bytes that arrive without copying them; of plain TCP only.
ssize_t be_transport_skip(struct be_transport *transport, size_t len)
	__attribute__((warn_unused_result));

// Sends a session ticket and a KeyUpdate that asks for one in return. false: this is no TLS 1.3.
bool be_transport_rekey(struct be_transport *transport) __attribute__((warn_unused_result));
// Says that nothing more is sent; TLS with close_notify first, if notify.
void be_transport_end(struct be_transport *transport, bool notify);
// Closes it; reset: with RST.
void be_transport_close(struct be_transport *transport, bool reset);

#endif
