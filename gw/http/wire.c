// SPDX-License-Identifier: BSD-3-Clause

#include "gw/http/wire.h"

#include "gw/os/tls_load.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/x509v3.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

// What RFC 9113 section 9.2.2 leaves of TLS 1.2.
#define TLS12_CIPHERS "ECDHE+AESGCM:ECDHE+CHACHA20"

#define ADDRESS_MS 300 // until the next address of a name is tried (RFC 8305 section 5)

static const unsigned char alpn_h1[] = {8, 'h', 't', 't', 'p', '/', '1', '.', '1'};
static const unsigned char alpn_h2[] = {2, 'h', '2'};

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

static int tls_set_protocol(SSL_CTX *tls, enum http_wire_protocol protocol)
{
	if (protocol == HTTP_WIRE_H1)
		return SSL_CTX_set_alpn_protos(tls, alpn_h1, sizeof(alpn_h1)) ? -ENOMEM : 0;
	return SSL_CTX_set_cipher_list(tls, TLS12_CIPHERS) != 1 ||
			SSL_CTX_set_alpn_protos(tls, alpn_h2, sizeof(alpn_h2))
		? -ENOMEM
		: 0;
}

static int tls_set_up(SSL_CTX *tls, const struct conf_tls *conf, enum http_wire_protocol protocol)
{
	SSL_CTX_set_options(tls, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION);
	SSL_CTX_set_mode(tls, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
	// A read takes in at most one buffer of what TLS says to itself: a server that says nothing
	// else must not keep its loop from others.
	SSL_CTX_clear_mode(tls, SSL_MODE_AUTO_RETRY);
	SSL_CTX_set_read_ahead(tls, 1);
	SSL_CTX_set_session_cache_mode(
		tls, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL_STORE);
	SSL_CTX_sess_set_new_cb(tls, on_session);
	// Any certificate of the file will do as the end of a chain.
	X509_STORE_set_flags(SSL_CTX_get_cert_store(tls), X509_V_FLAG_PARTIAL_CHAIN);
	SSL_CTX_set_verify(tls, conf->verify ? SSL_VERIFY_PEER : SSL_VERIFY_NONE, NULL);
	if (SSL_CTX_set_min_proto_version(tls, TLS1_2_VERSION) != 1 ||
		tls_set_protocol(tls, protocol))
		return -ENOMEM;
	if (conf->ca ? !!tls_load_ca(tls, conf->ca) : SSL_CTX_set_default_verify_paths(tls) != 1)
		return -EINVAL;
	if (conf->cert && (tls_load_cert(tls, conf->cert) || tls_load_key(tls, conf->key)))
		return -EINVAL;
	return 0;
}

int http_wire_tls_create(
	const struct conf_tls *conf, enum http_wire_protocol protocol, SSL_CTX **tls)
{
	int rc;

	*tls = SSL_CTX_new(TLS_client_method());
	if (!*tls)
		return -ENOMEM;
	rc = tls_set_up(*tls, conf, protocol);
	ERR_clear_error();
	if (rc) {
		SSL_CTX_free(*tls);
		*tls = NULL;
	}
	return rc;
}

// ---- telling settings apart

static bool digest_text(EVP_MD_CTX *hash, const char *text)
{
	// With its end, so that no two lists of texts are the same bytes.
	return EVP_DigestUpdate(hash, text ? text : "", text ? strlen(text) + 1 : 1) == 1;
}

static bool digest_file(EVP_MD_CTX *hash, const char *path)
{
	return !path || !tls_load_digest(hash, path);
}

static bool digest_stat(EVP_MD_CTX *hash, const char *path)
{
	struct stat st;
	uint64_t words[4] = {0};

	if (!stat(path, &st)) {
		words[0] = st.st_ino;
		words[1] = (uint64_t)st.st_size;
		words[2] = (uint64_t)st.st_mtim.tv_sec;
		words[3] = (uint64_t)st.st_mtim.tv_nsec;
	}
	return EVP_DigestUpdate(hash, words, sizeof(words)) == 1;
}

int http_wire_tls_digest(const struct conf_tls *conf, uint8_t digest[HTTP_TLS_DIGEST])
{
	EVP_MD_CTX *hash = EVP_MD_CTX_new();
	uint8_t verify = conf->verify;
	bool ok = hash && EVP_DigestInit_ex(hash, EVP_sha256(), NULL) == 1;

	ok = ok && EVP_DigestUpdate(hash, &verify, 1) == 1;
	ok = ok && digest_text(hash, conf->ca) && digest_text(hash, conf->cert);
	ok = ok && digest_text(hash, conf->key) && digest_text(hash, conf->server_name);
	if (conf->ca)
		ok = ok && digest_file(hash, conf->ca);
	else
		ok = ok && digest_stat(hash, X509_get_default_cert_file()) &&
			digest_stat(hash, X509_get_default_cert_dir());
	ok = ok && digest_file(hash, conf->cert) && digest_file(hash, conf->key);
	ok = ok && EVP_DigestFinal_ex(hash, digest, NULL) == 1;
	EVP_MD_CTX_free(hash);
	ERR_clear_error();
	return ok ? 0 : -EINVAL;
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
	int system = errno, error = SSL_get_error(wire->ssl, rc);
	bool no_memory = false;

	for (unsigned long e; (e = ERR_get_error());)
		no_memory |= ERR_GET_REASON(e) == ERR_R_MALLOC_FAILURE;
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
		return http_errno_is_local(system) ? -system : -ECONNRESET;
	default:
		return no_memory ? -ENOMEM : -EPROTO;
	}
}

// Whether the server speaks the protocol: one of HTTP/1.1 need not say so.
static bool is_spoken(const struct http_wire *wire, enum http_wire_protocol protocol)
{
	const unsigned char *alpn = protocol == HTTP_WIRE_H1 ? alpn_h1 : alpn_h2;
	const unsigned char *chosen;
	unsigned len;

	SSL_get0_alpn_selected(wire->ssl, &chosen, &len);
	if (!len)
		return protocol == HTTP_WIRE_H1;
	return len == alpn[0] && !memcmp(chosen, alpn + 1, len);
}

static enum http_error tls_go_on(struct http_wire *wire, enum http_wire_protocol protocol)
{
	int rc = SSL_connect(wire->ssl);

	if (rc != 1) {
		ssize_t failed = ssl_failed(wire, rc);

		if (failed == -EAGAIN)
			return HTTP_ERR_none;
		wire->local_errno = http_errno_is_local((int)-failed) ? (int)-failed : 0;
		return wire->local_errno ? HTTP_ERR_local : HTTP_ERR_tls;
	}
	if (!is_spoken(wire, protocol))
		return HTTP_ERR_tls;
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
	return tls_go_on(wire, target->protocol);
}

// ---- bytes

static ssize_t tls_read(
	struct http_wire *wire, void *buf, size_t room, int (*read)(SSL *ssl, void *buf, int room))
{
	ERR_clear_error(); // what others left there would be taken for this one's
	int n = read(wire->ssl, buf, (int)room);
	ssize_t rc = n > 0 ? n : ssl_failed(wire, n);

	// Only what we refuse has to be answered before more can be read.
	return rc == -EAGAIN && wire->events != EPOLLIN ? -EPROTO : rc;
}

ssize_t http_wire_read(struct http_wire *wire, void *buf, size_t room)
{
	if (wire->ssl)
		return tls_read(wire, buf, room, SSL_read);
	ssize_t n = recv(wire->fd, buf, room, 0);
	if (n >= 0)
		return n;
	return errno == EINTR || errno == EAGAIN ? -EAGAIN : -errno;
}

static ssize_t tls_write(struct http_wire *wire, const void *data, size_t len)
{
	ERR_clear_error();
	int n = SSL_write(wire->ssl, data, (int)len);

	if (n > 0)
		return n;
	ssize_t rc = ssl_failed(wire, n);
	return rc ? rc : -ECONNRESET;
}

// Puts the parts together as far as they fit one record. What is tried again begins with the same
// bytes, as TLS demands.
static ssize_t tls_write_parts(struct http_wire *wire, const struct http_part *part, unsigned count)
{
	char record[SSL3_RT_MAX_PLAIN_LENGTH];
	size_t len = part[0].len;

	if (count == 1 || len >= sizeof(record))
		return tls_write(wire, part[0].data, len);
	size_t more = sizeof(record) - len < part[1].len ? sizeof(record) - len : part[1].len;
	memcpy(record, part[0].data, len);
	memcpy(record + len, part[1].data, more);
	return tls_write(wire, record, len + more);
}

ssize_t http_wire_write_parts(struct http_wire *wire, const struct http_part *part, unsigned count)
{
	struct iovec iov[2];

	wire->events = EPOLLIN;
	if (wire->ssl)
		return tls_write_parts(wire, part, count);
	for (unsigned i = 0; i < count; i++)
		iov[i] = (struct iovec){(void *)(uintptr_t)part[i].data, part[i].len};
	const struct msghdr message = {.msg_iov = iov, .msg_iovlen = count};
	ssize_t n = sendmsg(wire->fd, &message, MSG_NOSIGNAL);
	if (n >= 0)
		return n;
	if (errno != EAGAIN && errno != EINTR)
		return -errno;
	wire->events = EPOLLIN | EPOLLOUT;
	return -EAGAIN;
}

ssize_t http_wire_write(struct http_wire *wire, const void *data, size_t len)
{
	const struct http_part part = {data, len};

	return http_wire_write_parts(wire, &part, 1);
}

bool http_wire_holds(const struct http_wire *wire)
{
	return wire->ssl && SSL_has_pending(wire->ssl);
}

bool http_wire_is_drained(const struct http_wire *wire)
{
	char byte;

	return recv(wire->fd, &byte, 1, MSG_PEEK) < 0 && errno == EAGAIN;
}

bool http_wire_is_quiet(struct http_wire *wire)
{
	char byte;

	if (!wire->ssl)
		return http_wire_is_drained(wire);
	// A read ends behind a buffer of what TLS says to itself, and more may wait.
	return tls_read(wire, &byte, 1, SSL_peek) == -EAGAIN && !SSL_has_pending(wire->ssl) &&
		http_wire_is_drained(wire);
}

void http_wire_shut(struct http_wire *wire)
{
	if (wire->ssl)
		SSL_shutdown(wire->ssl);
	ERR_clear_error();
	shutdown(wire->fd, SHUT_WR);
}

void http_wire_end(struct http_wire *wire)
{
	if (wire->ssl && wire->open)
		SSL_shutdown(wire->ssl); // says goodbye; waits for no answer
	ERR_clear_error();
	SSL_free(wire->ssl);
	wire->ssl = NULL;
}
