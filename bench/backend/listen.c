// SPDX-License-Identifier: BSD-3-Clause

#include "bench/backend/listen.h"

#include <arpa/inet.h>
#include <errno.h>
#include <openssl/err.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define BACKLOG 4096

static void give_up(const char *what, const char *why)
{
	fprintf(stderr, "postern-backend: %s: %s\n", what, why);
	exit(1);
}

static void listen_unix(struct be_listener *l, const char *address)
{
	struct sockaddr_un at = {.sun_family = AF_UNIX};
	struct stat there;

	l->path = address + strlen("unix:");
	if (!*l->path || strlen(l->path) >= sizeof(at.sun_path))
		give_up(address, "no path of a socket");
	memcpy(at.sun_path, l->path, strlen(l->path));
	if (!lstat(l->path, &there) && S_ISSOCK(there.st_mode))
		unlink(l->path);
	l->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (l->fd < 0 || bind(l->fd, (struct sockaddr *)&at, sizeof(at)))
		give_up(address, strerror(errno));
	snprintf(l->url, sizeof(l->url), "http+unix:%s", l->path);
}

static void listen_tcp(struct be_listener *l, const char *address, bool tls)
{
	struct sockaddr_in6 v6 = {.sin6_family = AF_INET6};
	struct sockaddr_in v4 = {.sin_family = AF_INET};
	const char *colon = strrchr(address, ':');
	char host[INET6_ADDRSTRLEN + 2];
	int yes = 1;

	if (!colon || (size_t)(colon - address) >= sizeof(host) || !colon[1] ||
		strspn(colon + 1, "0123456789") != strlen(colon + 1) || atoi(colon + 1) > 65535)
		give_up(address, "no ADDRESS:PORT or unix:PATH");
	bool is_v6 = *address == '[' && colon > address && colon[-1] == ']';
	snprintf(host, sizeof(host), "%.*s", (int)(colon - address - 2 * is_v6), address + is_v6);
	if (inet_pton(is_v6 ? AF_INET6 : AF_INET, host,
		    is_v6 ? (void *)&v6.sin6_addr : (void *)&v4.sin_addr) != 1)
		give_up(address, "no address");
	v4.sin_port = v6.sin6_port = htons((uint16_t)atoi(colon + 1));
	struct sockaddr *at = is_v6 ? (struct sockaddr *)&v6 : (struct sockaddr *)&v4;
	socklen_t len = is_v6 ? sizeof(v6) : sizeof(v4);
	l->fd = socket(at->sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (l->fd < 0 || setsockopt(l->fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof(yes)) ||
		bind(l->fd, at, len) || getsockname(l->fd, at, &len))
		give_up(address, strerror(errno));
	snprintf(l->url, sizeof(l->url), "%s://%s%s%s:%u", tls ? "https" : "http", is_v6 ? "[" : "",
		host, is_v6 ? "]" : "", ntohs(is_v6 ? v6.sin6_port : v4.sin_port));
}

void be_listen(struct be_listener *l, const char *address, bool tls)
{
	*l = (struct be_listener){.fd = -1};
	if (!strncmp(address, "unix:", 5))
		listen_unix(l, address);
	else
		listen_tcp(l, address, tls);
	if (listen(l->fd, BACKLOG))
		give_up(address, strerror(errno));
}

void be_listen_end(struct be_listener *l)
{
	if (l->path)
		unlink(l->path);
	close(l->fd);
}

// ---- TLS

static void tls_give_up(const char *what)
{
	char why[256];

	ERR_error_string_n(ERR_peek_last_error(), why, sizeof(why));
	give_up(what, why);
}

// Chooses http/1.1 if the client offers protocols.
static int on_alpn(SSL *tls, const unsigned char **out, unsigned char *out_len,
	const unsigned char *in, unsigned in_len, void *arg)
{
	static const unsigned char ours[] = "\x08http/1.1";
	unsigned char *chosen;

	if (SSL_select_next_proto(&chosen, out_len, ours, sizeof(ours) - 1, in, in_len) !=
		OPENSSL_NPN_NEGOTIATED)
		return SSL_TLSEXT_ERR_ALERT_FATAL;
	*out = chosen;
	return SSL_TLSEXT_ERR_OK;
}

SSL_CTX *be_tls_make(const struct be_tls_options *o)
{
	if (!o->cert)
		return NULL;
	SSL_CTX *tls = SSL_CTX_new(TLS_server_method());
	if (!tls)
		tls_give_up("tls");
	if (SSL_CTX_use_certificate_chain_file(tls, o->cert) != 1)
		tls_give_up(o->cert);
	const char *key = o->key ? o->key : o->cert;
	if (SSL_CTX_use_PrivateKey_file(tls, key, SSL_FILETYPE_PEM) != 1)
		tls_give_up(key);
	if (o->client_ca) {
		if (SSL_CTX_load_verify_file(tls, o->client_ca) != 1)
			tls_give_up(o->client_ca);
		SSL_CTX_set_verify(tls, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
	}
	SSL_CTX_set_min_proto_version(tls, o->version ? o->version : TLS1_2_VERSION);
	SSL_CTX_set_max_proto_version(tls, o->version);
	SSL_CTX_set_mode(tls, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
	SSL_CTX_set_session_id_context(tls, (const unsigned char *)"backend", 7);
	SSL_CTX_set_alpn_select_cb(tls, on_alpn, NULL);
	if (o->no_tickets) {
		SSL_CTX_set_options(tls, SSL_OP_NO_TICKET);
		SSL_CTX_set_num_tickets(tls, 0);
		SSL_CTX_set_session_cache_mode(tls, SSL_SESS_CACHE_OFF);
	}
	return tls;
}
