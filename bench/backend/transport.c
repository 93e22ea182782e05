// SPDX-License-Identifier: BSD-3-Clause

#include "bench/backend/transport.h"

#include <errno.h>
#include <limits.h>
#include <openssl/err.h>
#include <sys/socket.h>
#include <unistd.h>

// What a call of OpenSSL that did not return bytes means.
static ssize_t tls_result(struct be_transport *t, int rc)
{
	switch (SSL_get_error(t->tls, rc)) {
	case SSL_ERROR_WANT_READ:
		return -EAGAIN;
	case SSL_ERROR_WANT_WRITE:
		t->wants_out = true;
		return -EAGAIN;
	case SSL_ERROR_ZERO_RETURN:
		return 0;
	case SSL_ERROR_SYSCALL:
		return errno ? -errno : 0;
	default:
		return -EPROTO;
	}
}

static int at_most(size_t len)
{
	return len > INT_MAX ? INT_MAX : (int)len;
}

ssize_t be_transport_read(struct be_transport *t, void *buf, size_t room)
{
	if (!t->tls) {
		ssize_t n = recv(t->fd, buf, room, 0);

		return n < 0 ? -errno : n;
	}
	t->wants_out = false;
	ERR_clear_error();
	errno = 0;
	int n = SSL_read(t->tls, buf, at_most(room));
	return n > 0 ? n : tls_result(t, n);
}

ssize_t be_transport_write(struct be_transport *t, const void *buf, size_t len)
{
	if (!t->tls) {
		ssize_t n = send(t->fd, buf, len, MSG_NOSIGNAL);

		return n < 0 ? -errno : n;
	}
	ERR_clear_error();
	errno = 0;
	int n = SSL_write(t->tls, buf, at_most(len));
	if (n > 0)
		return n;
	ssize_t rc = tls_result(t, n);
	return rc ? rc : -EPIPE;
}

ssize_t be_transport_skip(struct be_transport *t, size_t len)
{
	ssize_t n = recv(t->fd, NULL, len, MSG_TRUNC); // tcp(7)

	return n < 0 ? -errno : n;
}

bool be_transport_rekey(struct be_transport *t)
{
	if (!t->tls || SSL_version(t->tls) != TLS1_3_VERSION || !SSL_is_init_finished(t->tls))
		return false;
	ERR_clear_error();
	return SSL_new_session_ticket(t->tls) == 1 && SSL_do_handshake(t->tls) == 1 &&
		SSL_key_update(t->tls, SSL_KEY_UPDATE_REQUESTED) == 1 &&
		SSL_do_handshake(t->tls) == 1;
}

void be_transport_end(struct be_transport *t, bool notify)
{
	ERR_clear_error();
	if (t->tls && notify && SSL_is_init_finished(t->tls))
		SSL_shutdown(t->tls);
	shutdown(t->fd, SHUT_WR);
}

void be_transport_close(struct be_transport *t, bool reset)
{
	struct linger hard = {1, 0};

	if (reset)
		setsockopt(t->fd, SOL_SOCKET, SO_LINGER, &hard, sizeof(hard));
	ERR_clear_error();
	SSL_free(t->tls);
	close(t->fd);
}
