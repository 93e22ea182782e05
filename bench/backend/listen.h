// SPDX-License-Identifier: BSD-3-Clause
// The sockets on which the backend listens.

#ifndef POSTERN_BENCH_BACKEND_LISTEN_H
#define POSTERN_BENCH_BACKEND_LISTEN_H

#include <openssl/ssl.h>
#include <stdbool.h>
#include <stddef.h>

struct be_listener {
	int fd;
	const char *path; // of a UNIX socket, else NULL
	char url[160];    // as postern's configuration has it
};

struct be_tls_options {
	const char *cert, *key,
		*client_ca; // PEM files; no cert: plain, no client_ca: none is asked
	bool no_tickets;
	int version; // the only one, TLS1_2_VERSION or TLS1_3_VERSION; 0: both
};

// Listens on 127.0.0.1:PORT, [::1]:PORT (0: any free port) or unix:PATH, where a socket that stands
// there is replaced. The program ends if it cannot.
void be_listen(struct be_listener *listener, const char *address, bool tls);
// Closes it, and removes the file of a UNIX socket.
void be_listen_end(struct be_listener *listener);

// Returns NULL without TLS. The program ends if the files cannot be used.
SSL_CTX *be_tls_make(const struct be_tls_options *options);

#endif
