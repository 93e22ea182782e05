// SPDX-License-Identifier: BSD-3-Clause
// What both HTTP servers of the tests stand on: sockets, connections with TLS or without, and
// certificates. All of it aborts if it cannot.

#ifndef POSTERN_TESTS_UNIT_GW_HTTP_PEER_H
#define POSTERN_TESTS_UNIT_GW_HTTP_PEER_H

#include <openssl/ssl.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

// Aborts, with errno in words, if this is not ok.
void peer_check(bool ok, const char *what);

// A socket that is bound, to 127.0.0.1 if address is NULL. *port: 0 for a free one, which it is set
// to. The port is bound by its number: one that the kernel chose would be free for others, to wait
// for ever on a server that was killed.
int peer_bind_tcp(const char *address, uint16_t *port);
int peer_bind_unix(const char *path);
// A port of 127.0.0.1 where nothing listens. It is kept until the test ends, so that no other
// socket gets it.
uint16_t peer_free_port(void);

// From PEM files.
SSL_CTX *peer_tls(const char *cert, const char *key);

// A connection to the client.
struct peer {
	int fd;
	SSL *tls; // NULL: without
};

// For a socket that was accepted; the TLS handshake is still to be done.
void peer_open(struct peer *peer, int fd, SSL_CTX *tls);
ssize_t peer_read(const struct peer *peer, void *buf, size_t room);
// false if the client is gone.
bool peer_write(const struct peer *peer, const void *data, size_t len);

// A number that this mutex guards.
unsigned peer_count(const pthread_mutex_t *lock, const unsigned *count);

// A certificate that signs itself, for the name postern.test and the address 127.0.0.2, in PEM
// files.
struct peer_pki {
	char dir[64], cert[96], key[96];
};

struct peer_pki peer_pki_make(void);
void peer_pki_remove(const struct peer_pki *pki);

#endif
