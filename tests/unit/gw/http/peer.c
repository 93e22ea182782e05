// SPDX-License-Identifier: BSD-3-Clause

#include "tests/unit/gw/http/peer.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

void peer_check(bool ok, const char *what)
{
	if (ok)
		return;
	perror(what);
	abort();
}

// ---- sockets

static int tcp_socket(void)
{
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	peer_check(fd >= 0, "socket");
	return fd;
}

// Binds to any port of this address, which is written to it.
static void bind_any(int fd, struct sockaddr_in *address)
{
	socklen_t len = sizeof(*address);

	address->sin_port = 0;
	peer_check(!bind(fd, (struct sockaddr *)address, len), "bind");
	peer_check(!getsockname(fd, (struct sockaddr *)address, &len), "getsockname");
}

int peer_bind_tcp(const char *text, uint16_t *port)
{
	struct sockaddr_in address = {.sin_family = AF_INET};
	bool any = !*port;

	peer_check(
		inet_pton(AF_INET, text ? text : "127.0.0.1", &address.sin_addr) == 1, "address");
	for (;;) {
		int fd = tcp_socket();

		address.sin_port = htons(*port);
		if (any) {
			int chosen = tcp_socket();

			bind_any(chosen, &address);
			close(chosen);
		}
		if (!bind(fd, (struct sockaddr *)&address, sizeof(address))) {
			*port = ntohs(address.sin_port);
			return fd;
		}
		peer_check(any && errno == EADDRINUSE, "bind"); // another process was quicker
		close(fd);
	}
}

int peer_bind_unix(const char *path)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
	peer_check(!bind(fd, (struct sockaddr *)&address, sizeof(address)), "bind");
	return fd;
}

uint16_t peer_free_port(void)
{
	struct sockaddr_in address = {
		.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};

	bind_any(tcp_socket(), &address);
	return ntohs(address.sin_port);
}

// ---- connections

SSL_CTX *peer_tls(const char *cert, const char *key)
{
	SSL_CTX *tls = SSL_CTX_new(TLS_server_method());

	peer_check(SSL_CTX_use_certificate_file(tls, cert, SSL_FILETYPE_PEM) == 1, "certificate");
	peer_check(SSL_CTX_use_PrivateKey_file(tls, key, SSL_FILETYPE_PEM) == 1, "key");
	return tls;
}

void peer_open(struct peer *peer, int fd, SSL_CTX *tls)
{
	int yes = 1;

	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof(yes));
	*peer = (struct peer){.fd = fd};
	if (tls) {
		peer->tls = SSL_new(tls);
		SSL_set_fd(peer->tls, fd);
	}
}

ssize_t peer_read(const struct peer *peer, void *buf, size_t room)
{
	return peer->tls ? SSL_read(peer->tls, buf, (int)room) : read(peer->fd, buf, room);
}

bool peer_write(const struct peer *peer, const void *data, size_t len)
{
	for (const char *at = data; len;) {
		ssize_t n = peer->tls ? SSL_write(peer->tls, at, (int)len)
				      : send(peer->fd, at, len, MSG_NOSIGNAL);

		if (n <= 0)
			return false;
		at += n;
		len -= (size_t)n;
	}
	return true;
}

unsigned peer_count(const pthread_mutex_t *guard, const unsigned *count)
{
	pthread_mutex_t *lock = (pthread_mutex_t *)(uintptr_t)guard;

	pthread_mutex_lock(lock);
	unsigned now = *count;
	pthread_mutex_unlock(lock);
	return now;
}

// ---- certificates

struct peer_pki peer_pki_make(void)
{
	struct peer_pki pki = {.dir = "/tmp/postern-test-XXXXXX"};
	char command[512];

	peer_check(mkdtemp(pki.dir), "mkdtemp");
	snprintf(pki.cert, sizeof(pki.cert), "%s/cert.pem", pki.dir);
	snprintf(pki.key, sizeof(pki.key), "%s/key.pem", pki.dir);
	snprintf(command, sizeof(command),
		"openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2"
		" -subj /CN=postern.test -addext subjectAltName=DNS:postern.test,IP:127.0.0.2"
		" -keyout %s -out %s 2>/dev/null",
		pki.key, pki.cert);
	peer_check(!system(command), "openssl");
	return pki;
}

void peer_pki_remove(const struct peer_pki *pki)
{
	unlink(pki->cert);
	unlink(pki->key);
	rmdir(pki->dir);
}
