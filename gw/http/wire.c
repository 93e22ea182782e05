// SPDX-License-Identifier: BSD-3-Clause

#include "gw/http/wire.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

// What RFC 9113 section 9.2.2 leaves of TLS 1.2.
#define TLS12_CIPHERS "ECDHE+AESGCM:ECDHE+CHACHA20"

#define ADDRESS_MS 300 // until the next address of a name is tried (RFC 8305 section 5)

static const unsigned char alpn[] = {2, 'h', '2'};

// A session for the next connection to the same server: its slot is the SSL's application data.
static int on_session(SSL *ssl, SSL_SESSION *session)
{
	SSL_SESSION **slot = SSL_get_app_data(ssl);

	if (!slot)
		return 0;
	SSL_SESSION_free(*slot);
	*slot = session;
	return 1;
}

static int tls_set_up(SSL_CTX *tls, const struct conf_tls *conf)
{
	SSL_CTX_set_options(tls, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION);
	SSL_CTX_set_mode(tls, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
	SSL_CTX_set_read_ahead(tls, 1);
	SSL_CTX_set_session_cache_mode(
		tls, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL_STORE);
	SSL_CTX_sess_set_new_cb(tls, on_session);
	// Any certificate of the file will do as the end of a chain, as with libcurl.
	X509_STORE_set_flags(SSL_CTX_get_cert_store(tls), X509_V_FLAG_PARTIAL_CHAIN);
	SSL_CTX_set_verify(tls, conf->verify ? SSL_VERIFY_PEER : SSL_VERIFY_NONE, NULL);
	if (SSL_CTX_set_min_proto_version(tls, TLS1_2_VERSION) != 1 ||
		SSL_CTX_set_cipher_list(tls, TLS12_CIPHERS) != 1 ||
		SSL_CTX_set_alpn_protos(tls, alpn, sizeof(alpn)) != 0)
		return -ENOMEM;
	if (conf->ca ? SSL_CTX_load_verify_file(tls, conf->ca) != 1
		     : SSL_CTX_set_default_verify_paths(tls) != 1)
		return -EINVAL;
	if (conf->cert &&
		(SSL_CTX_use_certificate_chain_file(tls, conf->cert) != 1 ||
			SSL_CTX_use_PrivateKey_file(tls, conf->key, SSL_FILETYPE_PEM) != 1))
		return -EINVAL;
	return 0;
}

int http_wire_tls_create(const struct conf_tls *conf, SSL_CTX **tls)
{
	int rc;

	*tls = SSL_CTX_new(TLS_client_method());
	if (!*tls)
		return -ENOMEM;
	rc = tls_set_up(*tls, conf);
	ERR_clear_error();
	if (rc) {
		SSL_CTX_free(*tls);
		*tls = NULL;
	}
	return rc;
}

// ---- opening

static void drop_address(struct http_wire *wire)
{
	SSL_free(wire->ssl);
	wire->ssl = NULL;
	wire->open = false;
	wire->address++;
}

// Whether connect() failed for want of something here, or of a place in the backlog of a UNIX
// socket, which is a matter of moments.
static bool is_local(sa_family_t family, int error)
{
	return http_errno_is_local(error) || (family == AF_UNIX && error == EAGAIN);
}

enum http_error http_wire_connect(struct http_wire *wire, uint64_t now_ms)
{
	int one = 1;

	wire->local_errno = 0;
	while (wire->address < wire->addresses.count) {
		const struct http_address *to = &wire->addresses.address[wire->address];
		const struct sockaddr *address = (const struct sockaddr *)&to->storage;
		bool last = wire->address + 1 == wire->addresses.count;

		wire->fd =
			socket(address->sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
		if (wire->fd < 0) {
			wire->local_errno = errno;
			return HTTP_ERR_local;
		}
		if (address->sa_family != AF_UNIX)
			setsockopt(wire->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
		wire->give_up_ms = last ? UINT64_MAX : now_ms + ADDRESS_MS;
		wire->events = EPOLLOUT;
		// A UNIX socket whose backlog is full says EAGAIN and never gets ready.
		if (!connect(wire->fd, address, to->len) || errno == EINPROGRESS || errno == EINTR)
			return HTTP_ERR_none;
		if (is_local(address->sa_family, errno))
			wire->local_errno = errno;
		close(wire->fd);
		wire->fd = -1;
		wire->address++;
	}
	return wire->local_errno ? HTTP_ERR_local : HTTP_ERR_connect;
}

static bool is_address(const char *name)
{
	struct http_addresses unused;

	return http_address_of_text(&unused, name, 0);
}

static enum http_error tls_start(struct http_wire *wire, struct http_wire_target *target)
{
	wire->ssl = SSL_new(target->tls);
	if (!wire->ssl)
		return HTTP_ERR_no_memory;
	bool named = is_address(target->name)
		? X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(wire->ssl), target->name) == 1
		: SSL_set_tlsext_host_name(wire->ssl, target->name) == 1 &&
			SSL_set1_host(wire->ssl, target->name) == 1;
	if (!named || SSL_set_fd(wire->ssl, wire->fd) != 1)
		return HTTP_ERR_no_memory;
	SSL_set_hostflags(wire->ssl, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
	SSL_set_app_data(wire->ssl, &target->session);
	if (target->session)
		SSL_set_session(wire->ssl, target->session);
	return HTTP_ERR_none;
}

// What has to be waited for before this SSL call can go on. -EAGAIN, 0 for a clean end, or another
// -errno.
static ssize_t ssl_failed(struct http_wire *wire, int rc)
{
	int error = SSL_get_error(wire->ssl, rc);

	ERR_clear_error();
	switch (error) {
	case SSL_ERROR_WANT_READ:
		wire->events = EPOLLIN;
		return -EAGAIN;
	case SSL_ERROR_WANT_WRITE:
		wire->events = EPOLLIN | EPOLLOUT;
		return -EAGAIN;
	case SSL_ERROR_ZERO_RETURN:
		return 0;
	case SSL_ERROR_SYSCALL:
		return -ECONNRESET;
	default:
		return -EPROTO;
	}
}

static enum http_error tls_go_on(struct http_wire *wire)
{
	const unsigned char *chosen;
	unsigned len;
	int rc = SSL_connect(wire->ssl);

	if (rc != 1)
		return ssl_failed(wire, rc) == -EAGAIN ? HTTP_ERR_none : HTTP_ERR_tls;
	SSL_get0_alpn_selected(wire->ssl, &chosen, &len);
	if (len != alpn[0] || memcmp(chosen, alpn + 1, len))
		return HTTP_ERR_tls; // it speaks TLS, but not HTTP/2
	wire->open = true;
	wire->events = EPOLLIN;
	return HTTP_ERR_none;
}

enum http_error http_wire_go_on(struct http_wire *wire, struct http_wire_target *target)
{
	if (!wire->ssl) {
		int error = 0;
		socklen_t len = sizeof(error);

		if (getsockopt(wire->fd, SOL_SOCKET, SO_ERROR, &error, &len) || error) {
			drop_address(wire);
			return HTTP_ERR_connect;
		}
		if (!target->tls) {
			wire->open = true;
			wire->events = EPOLLIN;
			return HTTP_ERR_none;
		}
		wire->give_up_ms = UINT64_MAX;
		enum http_error failed = tls_start(wire, target);
		if (failed)
			return failed;
	}
	return tls_go_on(wire);
}

// ---- bytes

ssize_t http_wire_read(struct http_wire *wire, void *buf, size_t room)
{
	if (wire->ssl) {
		ERR_clear_error(); // what libcurl left there would be taken for this one's
		int n = SSL_read(wire->ssl, buf, (int)room);

		return n > 0 ? n : ssl_failed(wire, n);
	}
	ssize_t n = recv(wire->fd, buf, room, 0);
	if (n >= 0)
		return n;
	return errno == EINTR || errno == EAGAIN ? -EAGAIN : -errno;
}

ssize_t http_wire_write(struct http_wire *wire, const void *data, size_t len)
{
	wire->events = EPOLLIN;
	if (wire->ssl) {
		ERR_clear_error(); // what libcurl left there would be taken for this one's
		int n = SSL_write(wire->ssl, data, (int)len);

		if (n > 0)
			return n;
		ssize_t rc = ssl_failed(wire, n);
		return rc ? rc : -ECONNRESET;
	}
	ssize_t n = send(wire->fd, data, len, MSG_NOSIGNAL);
	if (n >= 0)
		return n;
	if (errno != EAGAIN && errno != EINTR)
		return -errno;
	wire->events = EPOLLIN | EPOLLOUT;
	return -EAGAIN;
}

bool http_wire_holds(const struct http_wire *wire)
{
	return wire->ssl && SSL_has_pending(wire->ssl);
}

void http_wire_end(struct http_wire *wire)
{
	if (wire->ssl && wire->open)
		SSL_shutdown(wire->ssl); // says goodbye; waits for no answer
	ERR_clear_error();
	SSL_free(wire->ssl);
	wire->ssl = NULL;
}
