// SPDX-License-Identifier: BSD-3-Clause
// One multi handle an upstream, driven by curl_multi_socket_action() from the loop's epoll. Each
// request has an easy handle of its own: libcurl before 8.1.1 writes to freed memory when the
// answer to the second request of a handle begins its headers with a folded line (curl issue
// 11101). Making one costs about a microsecond; connections belong to the multi handle, and stay.

#include "gw/upstream/engine.h"
#include "gw/upstream/sockets.h"
#include "gw/upstream/timers.h"

#include <curl/curl.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#define URL_ROOM    (UP_TARGET_MAX + 2048) // bytes: origin, base, path and query
#define HOST_ROOM   320                    // bytes of the Host header
#define READ_BUFFER 4096L                  // bytes; answers are small
#define LINES_OWN   4 // headers beside the request's: Host, and what libcurl is kept from adding

// How a server is reached: what libcurl is told of it.
struct target {
	const struct conf_server *server;
	char *origin; // in front of base and path
	struct curl_slist
		*connect_to; // where to, if the origin names another host (tls.server_name)
};

// A request under way. Slots are kept for their memory.
struct slot {
	CURL *easy;        // NULL in the free list
	struct slot *next; // in the free list
	struct up_transfer *transfer;
	unsigned sends; // times that a request was about to be sent
	bool head_done; // an empty line came: what follows is body, trailer or the next head
	enum up_error error;
	uint64_t received;
	uint8_t *body;
	size_t body_room;
	struct curl_slist header[UP_HEADERS_MAX + LINES_OWN];
	char host[HOST_ROOM];
	char why[CURL_ERROR_SIZE]; // what tells bad chunks from a lost connection
};

struct curl_engine {
	struct up_engine engine;
	struct up_engine_config config;
	CURLM *multi;
	CURLSH *share; // TLS sessions
	struct up_sockets *sockets;
	struct target *targets; // one a server
	struct slot *free_slots;
	uint64_t due_ms;
	uint64_t connections;
	char url[URL_ROOM];
};

static struct curl_engine *engine_of(struct up_engine *engine)
{
	return (struct curl_engine *)engine;
}

// "HTTP/1.1 200 OK". Returns the status or -1.
static int status_parse(const char *line, size_t len)
{
	if (len < 12 || memcmp(line, "HTTP/1.", 7) || line[8] != ' ')
		return -1;
	int status = 0;
	for (unsigned i = 9; i < 12; i++) {
		if (line[i] < '0' || line[i] > '9')
			return -1;
		status = status * 10 + (line[i] - '0');
	}
	return len == 12 || line[12] == ' ' ? status : -1;
}

static enum up_error head_line(struct slot *slot, const char *line, size_t len)
{
	struct up_reply *reply = &slot->transfer->reply;

	if (!reply->status || (slot->head_done && len >= 5 && !memcmp(line, "HTTP/", 5))) {
		int status = status_parse(line, len);

		if (status < 0)
			return UP_ERR_bad_reply;
		reply->head_len += len;
		if (reply->head_len > UP_REPLY_HEAD)
			return UP_ERR_head_too_large;
		if (status == 101)
			return UP_ERR_bad_status; // nobody asked for another protocol
		up_reply_status(reply, status);
		slot->head_done = false;
		return UP_OK;
	}
	if (!len) {
		slot->head_done = true;
		return UP_OK;
	}
	if (slot->head_done && reply->status < 200)
		return UP_ERR_bad_reply; // neither an answer nor the next interim one
	if (slot->head_done) {           // a trailer: counted, not looked at
		reply->head_len += len;
		return reply->head_len > UP_REPLY_HEAD ? UP_ERR_head_too_large : UP_OK;
	}
	return up_reply_header(reply, line, len);
}

static size_t on_header(char *line, size_t size, size_t count, void *arg)
{
	struct slot *slot = arg;
	size_t len = size * count, trimmed = len;

	if (trimmed && line[trimmed - 1] == '\n')
		trimmed--;
	if (trimmed && line[trimmed - 1] == '\r')
		trimmed--;
	slot->error = head_line(slot, line, trimmed);
	return slot->error ? 0 : len;
}

static size_t on_body(char *data, size_t size, size_t count, void *arg)
{
	struct slot *slot = arg;
	struct up_transfer *t = slot->transfer;
	size_t len = size * count, keep = t->body_keep - t->reply.body_len;

	slot->received += len;
	if (slot->received > t->body_max) {
		slot->error = UP_ERR_body_too_large;
		return 0;
	}
	if (slot->body_room < t->body_keep) {
		uint8_t *body = realloc(slot->body, t->body_keep);

		if (!body) {
			slot->error = UP_ERR_no_memory;
			return 0;
		}
		slot->body = body;
		slot->body_room = t->body_keep;
	}
	if (keep < len)
		t->reply.body_cut = true;
	keep = keep < len ? keep : len;
	memcpy(slot->body + t->reply.body_len, data, keep);
	t->reply.body = slot->body;
	t->reply.body_len += keep;
	return len;
}

// Called when a connection stands and the request is about to be sent. libcurl sends it once more
// if a kept connection turns out to be dead, even a POST that the server may have acted on.
static int on_send(void *arg, char *remote, char *local, int remote_port, int local_port)
{
	struct slot *slot = arg;

	if (slot->sends++ && !slot->transfer->request.idempotent)
		return CURL_PREREQFUNC_ABORT;
	slot->transfer->sent = true;
	return CURL_PREREQFUNC_OK;
}

static curl_socket_t on_open(void *arg, curlsocktype purpose, struct curl_sockaddr *address)
{
	struct curl_engine *e = arg;
	int fd = socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);

	if (fd >= 0 && up_sockets_own(e->sockets, fd)) {
		close(fd);
		fd = -1;
	}
	if (fd < 0)
		return CURL_SOCKET_BAD;
	e->connections++;
	return fd;
}

static int on_close(void *arg, curl_socket_t fd)
{
	struct curl_engine *e = arg;

	up_sockets_forget(e->sockets, fd);
	return close(fd);
}

static int on_socket(CURL *easy, curl_socket_t fd, int what, void *arg, void *unused)
{
	struct curl_engine *e = arg;
	uint32_t events = 0;

	if (what == CURL_POLL_IN || what == CURL_POLL_INOUT)
		events |= EPOLLIN;
	if (what == CURL_POLL_OUT || what == CURL_POLL_INOUT)
		events |= EPOLLOUT;
	return up_sockets_want(e->sockets, fd, events) ? -1 : 0;
}

static int on_timer(CURLM *multi, long timeout_ms, void *arg)
{
	struct curl_engine *e = arg;

	e->due_ms = timeout_ms < 0 ? UINT64_MAX : up_clock_ms() + (uint64_t)timeout_ms;
	return 0;
}

// libcurl's options take any type: a macro, so that each keeps its own.
#define SET(rc, easy, option, value)                                  \
	do {                                                          \
		if (!(rc))                                            \
			(rc) = curl_easy_setopt(easy, option, value); \
	} while (0)

static CURLcode slot_set_up_tls(struct slot *slot, const struct conf_tls *tls)
{
	CURLcode rc = CURLE_OK;

	SET(rc, slot->easy, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
	SET(rc, slot->easy, CURLOPT_SSL_VERIFYPEER, tls->verify ? 1L : 0L);
	SET(rc, slot->easy, CURLOPT_SSL_VERIFYHOST, tls->verify ? 2L : 0L);
	if (tls->ca)
		SET(rc, slot->easy, CURLOPT_CAINFO, tls->ca);
	if (tls->cert) {
		SET(rc, slot->easy, CURLOPT_SSLCERT, tls->cert);
		SET(rc, slot->easy, CURLOPT_SSLKEY, tls->key);
	}
	return rc;
}

// What is the same for every request of the upstream.
static CURLcode slot_set_up(struct curl_engine *e, struct slot *slot)
{
	const struct conf_upstream *upstream = e->config.upstream;
	CURLcode rc = CURLE_OK;

	SET(rc, slot->easy, CURLOPT_PRIVATE, slot);
	SET(rc, slot->easy, CURLOPT_ERRORBUFFER, slot->why);
	SET(rc, slot->easy, CURLOPT_SHARE, e->share);
	SET(rc, slot->easy, CURLOPT_NOSIGNAL, 1L);
	SET(rc, slot->easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
	SET(rc, slot->easy, CURLOPT_PROTOCOLS_STR, "http,https");
	SET(rc, slot->easy, CURLOPT_PROXY, "");
	SET(rc, slot->easy, CURLOPT_PATH_AS_IS, 1L);
	SET(rc, slot->easy, CURLOPT_FOLLOWLOCATION, 0L);
	SET(rc, slot->easy, CURLOPT_TCP_NODELAY, 1L);
	SET(rc, slot->easy, CURLOPT_BUFFERSIZE, READ_BUFFER);
	SET(rc, slot->easy, CURLOPT_USERAGENT, "postern/" POSTERN_VERSION);
	SET(rc, slot->easy, CURLOPT_HEADERFUNCTION, on_header);
	SET(rc, slot->easy, CURLOPT_HEADERDATA, slot);
	SET(rc, slot->easy, CURLOPT_WRITEFUNCTION, on_body);
	SET(rc, slot->easy, CURLOPT_WRITEDATA, slot);
	SET(rc, slot->easy, CURLOPT_PREREQFUNCTION, on_send);
	SET(rc, slot->easy, CURLOPT_PREREQDATA, slot);
	SET(rc, slot->easy, CURLOPT_OPENSOCKETFUNCTION, on_open);
	SET(rc, slot->easy, CURLOPT_OPENSOCKETDATA, e);
	SET(rc, slot->easy, CURLOPT_CLOSESOCKETFUNCTION, on_close);
	SET(rc, slot->easy, CURLOPT_CLOSESOCKETDATA, e);
	return rc ? rc : slot_set_up_tls(slot, &upstream->tls);
}

static void slot_give(struct curl_engine *e, struct slot *slot)
{
	curl_easy_cleanup(slot->easy);
	slot->easy = NULL;
	slot->transfer = NULL;
	slot->next = e->free_slots;
	e->free_slots = slot;
}

static struct slot *slot_take(struct curl_engine *e)
{
	struct slot *slot = e->free_slots;

	if (slot)
		e->free_slots = slot->next;
	else
		slot = calloc(1, sizeof(*slot));
	if (!slot)
		return NULL;
	slot->easy = curl_easy_init();
	if (!slot->easy || slot_set_up(e, slot) != CURLE_OK) {
		slot_give(e, slot);
		return NULL;
	}
	return slot;
}

static CURLcode slot_set_target(struct slot *slot, const struct target *target)
{
	CURLcode rc = CURLE_OK;

	SET(rc, slot->easy, CURLOPT_UNIX_SOCKET_PATH, target->server->unix_path);
	SET(rc, slot->easy, CURLOPT_CONNECT_TO, target->connect_to);
	return rc;
}

static CURLcode slot_set_method(struct slot *slot, const struct up_request *req)
{
	CURLcode rc = CURLE_OK;

	if (req->has_body) {
		SET(rc, slot->easy, CURLOPT_POSTFIELDSIZE, (long)req->body_len);
		SET(rc, slot->easy, CURLOPT_POSTFIELDS,
			req->body_len ? (const char *)req->body : "");
	}
	SET(rc, slot->easy, CURLOPT_CUSTOMREQUEST, req->method);
	return rc;
}

// The list of headers, in memory of the slot: libcurl only reads it.
static CURLcode slot_set_headers(struct slot *slot, const struct up_transfer *t)
{
	const struct up_request *req = &t->request;
	bool has_type = false, has_accept = false;
	unsigned n = 0;

	if ((size_t)snprintf(slot->host, sizeof(slot->host), "Host: %s", t->host) >=
		sizeof(slot->host))
		return CURLE_URL_MALFORMAT;
	slot->header[n++].data = slot->host;
	for (unsigned i = 0; i < req->header_count; i++) {
		const struct up_header *h = &req->header[i];

		has_type |= h->name_len == 12 && !memcmp(h->line, "Content-Type", 12);
		has_accept |= h->name_len == 6 && !memcmp(h->line, "Accept", 6);
		slot->header[n++].data = (char *)(uintptr_t)h->line;
	}
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

static CURLcode slot_set_request(struct curl_engine *e, struct slot *slot)
{
	const struct up_transfer *t = slot->transfer;
	const struct up_request *req = &t->request;
	const struct target *target = &e->targets[t->server - e->config.upstream->servers];
	const char *path = *req->path || *t->server->base ? req->path : "/";
	CURLcode rc;

	if ((size_t)snprintf(e->url, sizeof(e->url), "%s%s%s%s", target->origin, t->server->base,
		    path, req->query) >= sizeof(e->url))
		return CURLE_URL_MALFORMAT;
	rc = slot_set_target(slot, target);
	if (!rc)
		rc = slot_set_method(slot, req);
	if (!rc)
		rc = slot_set_headers(slot, t);
	SET(rc, slot->easy, CURLOPT_URL, e->url);
	SET(rc, slot->easy, CURLOPT_TIMEOUT_MS, (long)t->timeout_ms);
	SET(rc, slot->easy, CURLOPT_CONNECTTIMEOUT_MS, (long)t->connect_ms);
	SET(rc, slot->easy, CURLOPT_MAXFILESIZE_LARGE, (curl_off_t)t->body_max);
	SET(rc, slot->easy, CURLOPT_FRESH_CONNECT, t->fresh ? 1L : 0L);
	SET(rc, slot->easy, CURLOPT_FORBID_REUSE, t->fresh ? 1L : 0L);
	return rc;
}

static int engine_start(struct up_engine *engine, struct up_transfer *t)
{
	struct curl_engine *e = engine_of(engine);
	struct slot *slot = slot_take(e);

	if (!slot)
		return -ENOMEM;
	slot->transfer = t;
	slot->sends = 0;
	slot->head_done = false;
	slot->error = UP_OK;
	slot->received = 0;
	slot->why[0] = 0;
	t->engine_data = slot;
	t->sent = false;
	t->connected_ms = 0;
	up_reply_init(&t->reply);
	if (slot_set_request(e, slot) || curl_multi_add_handle(e->multi, slot->easy)) {
		slot_give(e, slot);
		return -ENOMEM;
	}
	return 0;
}

static void engine_cancel(struct up_engine *engine, struct up_transfer *t)
{
	struct curl_engine *e = engine_of(engine);
	struct slot *slot = t->engine_data;

	curl_multi_remove_handle(e->multi, slot->easy);
	slot_give(e, slot);
}

// The head of an answer, not of an interim one, is whole.
static bool is_answered(const struct slot *slot)
{
	return slot->head_done && slot->transfer->reply.status >= 200;
}

static enum up_error error_of(const struct slot *slot, CURLcode code)
{
	const struct up_transfer *t = slot->transfer;

	if (slot->error)
		return slot->error;
	switch (code) {
	case CURLE_OK:
		return is_answered(slot) ? UP_OK : UP_ERR_reset; // closed in the head
	case CURLE_COULDNT_RESOLVE_HOST:
		return UP_ERR_dns;
	case CURLE_COULDNT_CONNECT:
		return UP_ERR_connect;
	case CURLE_OPERATION_TIMEDOUT:
		return t->connect_ms && !t->sent ? UP_ERR_connect : UP_ERR_timeout;
	case CURLE_SSL_CONNECT_ERROR:
	case CURLE_PEER_FAILED_VERIFICATION:
	case CURLE_SSL_CERTPROBLEM:
	case CURLE_SSL_CIPHER:
	case CURLE_SSL_CACERT_BADFILE:
	case CURLE_SSL_ISSUER_ERROR:
	case CURLE_SSL_ENGINE_INITFAILED:
		return UP_ERR_tls;
	case CURLE_RECV_ERROR:
		return strstr(slot->why, "chunk") ? UP_ERR_bad_reply : UP_ERR_reset;
	case CURLE_GOT_NOTHING:
	case CURLE_SEND_ERROR:
	case CURLE_PARTIAL_FILE:
	case CURLE_SEND_FAIL_REWIND:
	case CURLE_ABORTED_BY_CALLBACK:
		return UP_ERR_reset;
	case CURLE_FILESIZE_EXCEEDED:
		return UP_ERR_body_too_large;
	case CURLE_OUT_OF_MEMORY: // also of a header line above libcurl's own limit
		return t->sent && !slot->head_done ? UP_ERR_head_too_large : UP_ERR_no_memory;
	default:
		return UP_ERR_bad_reply;
	}
}

// With its TLS handshake.
static uint32_t connect_time(CURL *easy)
{
	curl_off_t connect = 0, handshake = 0; // microseconds

	curl_easy_getinfo(easy, CURLINFO_CONNECT_TIME_T, &connect);
	curl_easy_getinfo(easy, CURLINFO_APPCONNECT_TIME_T, &handshake);
	return (uint32_t)((handshake > connect ? handshake : connect) / 1000);
}

static void completions_report(struct curl_engine *e)
{
	CURLMsg *message;
	int left;

	while ((message = curl_multi_info_read(e->multi, &left))) {
		struct slot *slot = NULL;
		CURL *easy = message->easy_handle;

		if (message->msg != CURLMSG_DONE)
			continue;
		CURLcode code = message->data.result;
		curl_easy_getinfo(easy, CURLINFO_PRIVATE, &slot);
		enum up_error error = error_of(slot, code);
		if (!is_answered(slot))
			slot->transfer->reply.status = 0;
		slot->transfer->connected_ms = connect_time(easy);
		curl_multi_remove_handle(e->multi, easy); // message is gone with this
		// The transfer may start again in the callback, which still needs the slot's body.
		slot->transfer->done(slot->transfer, error);
		slot_give(e, slot);
	}
}

static void engine_ready(struct up_engine *engine, int fd, uint32_t events)
{
	struct curl_engine *e = engine_of(engine);
	int running, what = 0;

	events = up_sockets_ready(e->sockets, fd, events);
	if (events & EPOLLIN)
		what |= CURL_CSELECT_IN;
	if (events & EPOLLOUT)
		what |= CURL_CSELECT_OUT;
	if (events & (EPOLLERR | EPOLLHUP))
		what |= CURL_CSELECT_ERR;
	if (what)
		curl_multi_socket_action(e->multi, fd, what, &running);
}

static void engine_turn(struct up_engine *engine, uint64_t now)
{
	struct curl_engine *e = engine_of(engine);
	int running;

	if (e->due_ms <= now) {
		e->due_ms = UINT64_MAX;
		curl_multi_socket_action(e->multi, CURL_SOCKET_TIMEOUT, 0, &running);
	}
	completions_report(e);
}

static uint64_t engine_next_ms(const struct up_engine *engine)
{
	return ((const struct curl_engine *)engine)->due_ms;
}

static uint64_t engine_connections(const struct up_engine *engine)
{
	return ((const struct curl_engine *)engine)->connections;
}

static void engine_free(struct up_engine *engine)
{
	struct curl_engine *e = engine_of(engine);
	size_t servers = e->config.upstream->server_count;

	while (e->free_slots) {
		struct slot *slot = e->free_slots;

		e->free_slots = slot->next;
		free(slot->body);
		free(slot);
	}
	if (e->multi)
		curl_multi_cleanup(e->multi); // closes connections: needs the sockets
	if (e->share)
		curl_share_cleanup(e->share);
	for (size_t i = 0; e->targets && i < servers; i++) {
		free(e->targets[i].origin);
		curl_slist_free_all(e->targets[i].connect_to);
	}
	free(e->targets);
	up_sockets_free(e->sockets);
	free(e);
}

// With tls.server_name the URL has that name, by which libcurl sets SNI and checks the certificate,
// and the connection is told to go to the server.
static int target_create(
	struct target *target, const struct conf_server *server, const char *server_name)
{
	bool v6 = strchr(server->host, ':');
	char connect_to[1024];

	target->server = server;
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

static int multi_create(struct curl_engine *e)
{
	long connections = (long)e->config.max_connections + (long)e->config.checks;

	e->multi = curl_multi_init();
	e->share = curl_share_init();
	if (!e->multi || !e->share)
		return -ENOMEM;
	curl_share_setopt(e->share, CURLSHOPT_SHARE, CURL_LOCK_DATA_SSL_SESSION);
	curl_multi_setopt(e->multi, CURLMOPT_SOCKETFUNCTION, on_socket);
	curl_multi_setopt(e->multi, CURLMOPT_SOCKETDATA, e);
	curl_multi_setopt(e->multi, CURLMOPT_TIMERFUNCTION, on_timer);
	curl_multi_setopt(e->multi, CURLMOPT_TIMERDATA, e);
	curl_multi_setopt(e->multi, CURLMOPT_PIPELINING, (long)CURLPIPE_NOTHING);
	curl_multi_setopt(e->multi, CURLMOPT_MAX_TOTAL_CONNECTIONS, connections);
	curl_multi_setopt(e->multi, CURLMOPT_MAXCONNECTS, connections);
	return 0;
}

static const struct up_engine_ops curl_ops = {
	.start = engine_start,
	.cancel = engine_cancel,
	.ready = engine_ready,
	.turn = engine_turn,
	.next_ms = engine_next_ms,
	.connections = engine_connections,
	.free = engine_free,
};

int up_engine_curl_create(const struct up_engine_config *config, struct up_engine **engine)
{
	const struct conf_upstream *upstream = config->upstream;
	struct curl_engine *e = calloc(1, sizeof(*e));
	int rc = -ENOMEM;

	if (!e)
		return rc;
	e->engine.ops = &curl_ops;
	e->engine.capacity = config->max_connections; // one request a connection
	e->config = *config;
	e->due_ms = UINT64_MAX;
	e->targets = calloc(upstream->server_count, sizeof(*e->targets));
	e->sockets = up_sockets_create(config->epoll, config->id);
	if (e->targets && e->sockets)
		rc = multi_create(e);
	for (size_t i = 0; !rc && i < upstream->server_count; i++)
		rc = target_create(
			&e->targets[i], &upstream->servers[i], upstream->tls.server_name);
	if (!rc) { // what libcurl does not take is said now, not at the first request
		struct slot *slot = slot_take(e);

		if (slot)
			slot_give(e, slot);
		else
			rc = -EINVAL;
	}
	if (rc) {
		engine_free(&e->engine);
		return rc;
	}
	*engine = &e->engine;
	return 0;
}
