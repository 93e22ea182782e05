// SPDX-License-Identifier: BSD-3-Clause
// HTTP/1.1: sets the options of libcurl for servers and requests.

#include "gw/http/h1.h"

#include <errno.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define READ_BUFFER 4096L // bytes; answers are small
#define CA_CACHE_S  300L  // seconds for which the file of authorities is not read again

// ---- targets

// With tls.server_name the URL has that name, by which libcurl sets SNI and checks the certificate,
// and CURLOPT_CONNECT_TO has the address of the server.
int h1_target_create(
	struct h1_engine *e, struct h1_target *target, const struct conf_server *server)
{
	const char *server_name = e->config.upstream->tls.server_name;
	bool v6 = strchr(server->host, ':');
	char connect_to[1024];

	target->engine = e;
	target->server = server;
	target->resolve.data = target->resolve_text;
	TAILQ_INIT(&target->waiting);
	http_host_init(&target->host, server, e->sockets);
	if (server->scheme != CONF_HTTPS || !server_name) {
		target->origin = strdup(server->origin);
		return target->origin ? 0 : -ENOMEM;
	}
	uint16_t port = server->port ? server->port : 443;
	if (asprintf(&target->origin, "https://%s:%u", server_name, port) < 0) {
		target->origin = NULL;
		return -ENOMEM;
	}
	if (server->unix_path)
		return 0;
	snprintf(connect_to, sizeof(connect_to), "::%s%s%s:%u", v6 ? "[" : "", server->host,
		v6 ? "]" : "", port);
	target->connect_to = curl_slist_append(NULL, connect_to);
	return target->connect_to ? 0 : -ENOMEM;
}

void h1_target_free(struct h1_target *target)
{
	http_host_end(&target->host);
	free(target->origin);
	curl_slist_free_all(target->connect_to);
}

// Without a "+" in front libcurl never forgets them.
void h1_target_resolved(struct h1_target *target)
{
	const struct http_addresses *addresses = &target->host.addresses;
	size_t room = sizeof(target->resolve_text), len;
	char text[NI_MAXHOST];
	const char *comma = "";

	len = (size_t)snprintf(
		target->resolve_text, room, "%s:%u:", target->server->host, target->server->port);
	for (unsigned i = 0; i < addresses->count; i++) {
		const struct http_address *address = &addresses->address[i];
		const struct sockaddr *sa = (const struct sockaddr *)&address->storage;
		bool v6 = sa->sa_family == AF_INET6;

		// One with a scope has no place in here: libcurl would refuse all of them.
		if (getnameinfo(sa, address->len, text, sizeof(text), NULL, 0, NI_NUMERICHOST) ||
			strchr(text, '%'))
			continue;
		len += (size_t)snprintf(target->resolve_text + len, room - len, "%s%s%s%s", comma,
			v6 ? "[" : "", text, v6 ? "]" : "");
		comma = ",";
	}
}

// ---- requests

// Called when a connection stands and the request is about to be sent.
static int on_send(void *arg, char *remote, char *local, int remote_port, int local_port)
{
	struct h1_slot *slot = arg;

	slot->transfer->sent = true;
	return CURL_PREREQFUNC_OK;
}

static curl_socket_t on_open(void *arg, curlsocktype purpose, struct curl_sockaddr *address)
{
	struct h1_slot *slot = arg;
	struct h1_engine *e = slot->target->engine;
	int fd = socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);

	if (fd < 0) {
		slot->local_errno = errno;
		return CURL_SOCKET_BAD;
	}
	if (http_sockets_own(e->sockets, fd)) {
		slot->local_errno = ENOMEM;
		close(fd);
		return CURL_SOCKET_BAD;
	}
	e->connections++;
	return fd;
}

static int on_close(void *arg, curl_socket_t fd)
{
	struct h1_engine *e = arg;

	http_sockets_forget(e->sockets, fd);
	return close(fd);
}

// Called before libcurl looks at a host that it has no addresses of, be it an address itself.
static int on_resolve(void *resolver, void *reserved, void *arg)
{
	const struct h1_slot *slot = arg;

	return slot->target->host.named;
}

static CURLcode slot_set_up_tls(struct h1_slot *slot, const struct conf_tls *tls)
{
	CURLcode rc = CURLE_OK;

	H1_SET(rc, slot->easy, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
	H1_SET(rc, slot->easy, CURLOPT_SSL_VERIFYPEER, tls->verify ? 1L : 0L);
	H1_SET(rc, slot->easy, CURLOPT_SSL_VERIFYHOST, tls->verify ? 2L : 0L);
	if (tls->ca)
		H1_SET(rc, slot->easy, CURLOPT_CAINFO, tls->ca);
	// libcurl trusts the system's folder beside any file, and reads the file for each
	// connection, which takes 20 ms for that of the system, unless there is no folder.
	H1_SET(rc, slot->easy, CURLOPT_CAPATH, NULL);
	H1_SET(rc, slot->easy, CURLOPT_CA_CACHE_TIMEOUT, CA_CACHE_S);
	if (tls->cert) {
		H1_SET(rc, slot->easy, CURLOPT_SSLCERT, tls->cert);
		H1_SET(rc, slot->easy, CURLOPT_SSLKEY, tls->key);
	}
	return rc;
}

CURLcode h1_slot_set_up(struct h1_engine *e, struct h1_slot *slot)
{
	const struct conf_upstream *upstream = e->config.upstream;
	CURLcode rc = CURLE_OK;

	H1_SET(rc, slot->easy, CURLOPT_PRIVATE, slot);
	H1_SET(rc, slot->easy, CURLOPT_ERRORBUFFER, slot->why);
	H1_SET(rc, slot->easy, CURLOPT_SHARE, e->share);
	H1_SET(rc, slot->easy, CURLOPT_NOSIGNAL, 1L);
	H1_SET(rc, slot->easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
	H1_SET(rc, slot->easy, CURLOPT_PROTOCOLS_STR, "http,https");
	H1_SET(rc, slot->easy, CURLOPT_PROXY, "");
	H1_SET(rc, slot->easy, CURLOPT_PATH_AS_IS, 1L);
	H1_SET(rc, slot->easy, CURLOPT_FOLLOWLOCATION, 0L);
	H1_SET(rc, slot->easy, CURLOPT_FRESH_CONNECT, 1L);
	H1_SET(rc, slot->easy, CURLOPT_FORBID_REUSE, 1L);
	H1_SET(rc, slot->easy, CURLOPT_TCP_NODELAY, 1L);
	H1_SET(rc, slot->easy, CURLOPT_BUFFERSIZE, READ_BUFFER);
	H1_SET(rc, slot->easy, CURLOPT_USERAGENT, "postern/" POSTERN_VERSION);
	H1_SET(rc, slot->easy, CURLOPT_HEADERFUNCTION, h1_on_header);
	H1_SET(rc, slot->easy, CURLOPT_HEADERDATA, slot);
	H1_SET(rc, slot->easy, CURLOPT_WRITEFUNCTION, h1_on_body);
	H1_SET(rc, slot->easy, CURLOPT_WRITEDATA, slot);
	H1_SET(rc, slot->easy, CURLOPT_PREREQFUNCTION, on_send);
	H1_SET(rc, slot->easy, CURLOPT_PREREQDATA, slot);
	H1_SET(rc, slot->easy, CURLOPT_RESOLVER_START_FUNCTION, on_resolve);
	H1_SET(rc, slot->easy, CURLOPT_RESOLVER_START_DATA, slot);
	H1_SET(rc, slot->easy, CURLOPT_OPENSOCKETFUNCTION, on_open);
	H1_SET(rc, slot->easy, CURLOPT_OPENSOCKETDATA, slot);
	H1_SET(rc, slot->easy, CURLOPT_CLOSESOCKETFUNCTION, on_close);
	H1_SET(rc, slot->easy, CURLOPT_CLOSESOCKETDATA, e);
	return rc ? rc : slot_set_up_tls(slot, &upstream->tls);
}

static CURLcode slot_set_target(struct h1_slot *slot)
{
	const struct h1_target *target = slot->target;
	CURLcode rc = CURLE_OK;

	H1_SET(rc, slot->easy, CURLOPT_UNIX_SOCKET_PATH, target->server->unix_path);
	H1_SET(rc, slot->easy, CURLOPT_CONNECT_TO, target->connect_to);
	if (target->host.named)
		H1_SET(rc, slot->easy, CURLOPT_RESOLVE, &slot->target->resolve);
	return rc;
}

static CURLcode slot_set_method(struct h1_slot *slot, const struct http_request *req)
{
	CURLcode rc = CURLE_OK;

	if (req->has_body) {
		H1_SET(rc, slot->easy, CURLOPT_POSTFIELDSIZE, (long)req->body_len);
		H1_SET(rc, slot->easy, CURLOPT_POSTFIELDS,
			req->body_len ? (const char *)req->body : "");
	}
	H1_SET(rc, slot->easy, CURLOPT_CUSTOMREQUEST, req->method);
	return rc;
}

// The list of headers, in memory of the slot: libcurl only reads it.
static CURLcode slot_set_headers(struct h1_slot *slot, const struct http_transfer *t)
{
	const struct http_request *req = &t->request;
	bool has_type = false, has_accept = false;
	unsigned n = 0;

	if ((size_t)snprintf(slot->host, sizeof(slot->host), "Host: %s", t->host) >=
		sizeof(slot->host))
		return CURLE_URL_MALFORMAT;
	slot->header[n++].data = slot->host;
	for (unsigned i = 0; i < req->header_count; i++) {
		const struct http_header *h = &req->header[i];

		has_type |= h->name_len == 12 && !memcmp(h->line, "Content-Type", 12);
		has_accept |= h->name_len == 6 && !memcmp(h->line, "Accept", 6);
		slot->header[n++].data = (char *)(uintptr_t)h->line;
	}
	slot->header[n++].data = (char *)(uintptr_t) "Connection: close";
	// A name without a value keeps libcurl from sending a header of its own.
	slot->header[n++].data = (char *)(uintptr_t) "Expect:";
	if (!has_type)
		slot->header[n++].data = (char *)(uintptr_t) "Content-Type:";
	if (!has_accept)
		slot->header[n++].data = (char *)(uintptr_t) "Accept:";
	for (unsigned i = 0; i < n; i++)
		slot->header[i].next = i + 1 < n ? &slot->header[i + 1] : NULL;
	return curl_easy_setopt(slot->easy, CURLOPT_HTTPHEADER, slot->header);
}

CURLcode h1_slot_set_request(struct h1_engine *e, struct h1_slot *slot)
{
	const struct http_transfer *t = slot->transfer;
	const struct http_request *req = &t->request;
	const struct h1_target *target = slot->target;
	const char *path = *req->path || *t->server->base ? req->path : "/";
	CURLcode rc;

	if ((size_t)snprintf(e->url, sizeof(e->url), "%s%s%s%s", target->origin, t->server->base,
		    path, req->query) >= sizeof(e->url))
		return CURLE_URL_MALFORMAT;
	rc = slot_set_target(slot);
	if (!rc)
		rc = slot_set_method(slot, req);
	if (!rc)
		rc = slot_set_headers(slot, t);
	H1_SET(rc, slot->easy, CURLOPT_URL, e->url);
	return rc;
}
