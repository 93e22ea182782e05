// SPDX-License-Identifier: BSD-3-Clause
// libmicrohttpd is driven by a loop of ours, so that the thread is made as all others are, and has
// a turn each second.

#include "gw/web/server.h"

#include "base/clock.h"
#include "gw/os/log.h"
#include "gw/web/allow.h"
#include "gw/web/framing.h"
#include "gw/web/listener.h"
#include "gw/web/upload.h"

#include <errno.h>
#include <microhttpd.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#define MEMORY_MAX  32768 // bytes of a connection: its headers, and the part of a body under way
#define STREAM_ROOM 16384
#define MISDIRECTED 421
#define RUNS        16 // in a row, while connections are closed and made

static const char plain[] = "text/plain; charset=utf-8";
static const char json[] = "application/json";

// For what is shown as a page though it is none.
static const char no_policy[] = "default-src 'none'; frame-ancestors 'none'; sandbox";

// Of every answer, so that pages of other origins learn nothing, not even that it is there.
static const char *const always[][2] = {
	{"X-Content-Type-Options", "nosniff"},
	{MHD_HTTP_HEADER_CACHE_CONTROL, "no-store"},
	{"Cross-Origin-Resource-Policy", "same-origin"},
	{"Cross-Origin-Opener-Policy", "same-origin"},
	{"Referrer-Policy", "no-referrer"},
};

struct connection {
	int fd;            // -1: the place is free
	bool asks;         // a request came, and its answer is not whole
	uint64_t since_ms; // when it last had a whole answer, or was made
};

struct web {
	struct web_conf conf;
	struct web_listener listener;
	struct MHD_Daemon *mhd;
	int epoll_fd, stop_fd, done_fd;
	pthread_t thread;
	bool started;
	bool again; // a connection was closed: it is time to accept the next
	struct connection connection[WEB_CONNECTIONS_MAX];
	struct web_stats stats; // atomic
	struct web_allow allow;
	pthread_mutex_t lock;    // of ..
	struct web_upload *done; // those that are answered, the last one in front
};

static void count(uint64_t *counter, uint64_t n)
{
	__atomic_store_n(counter, *counter + n, __ATOMIC_RELAXED);
}

// ---- places of connections

static int fd_of(struct MHD_Connection *connection)
{
	const union MHD_ConnectionInfo *info =
		MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD);

	return info ? info->connect_fd : -1;
}

static struct connection *place_of(struct web *web, int fd)
{
	for (size_t i = 0; i < WEB_CONNECTIONS_MAX; i++)
		if (web->connection[i].fd == fd)
			return &web->connection[i];
	return NULL;
}

// ---- answering

struct stream {
	size_t (*read)(void *state, char *buf, size_t room);
	void (*done)(void *state);
	void *state;
};

static ssize_t stream_read(void *arg, uint64_t position, char *buf, size_t room)
{
	const struct stream *stream = arg;
	size_t len = stream->read(stream->state, buf, room);

	return len ? (ssize_t)len : MHD_CONTENT_READER_END_OF_STREAM;
}

static void stream_free(void *arg)
{
	struct stream *stream = arg;

	if (stream->done)
		stream->done(stream->state);
	free(stream);
}

// Takes over the state of the answer. Returns NULL without memory.
static struct MHD_Response *response_make(const struct web_answer *answer)
{
	struct stream *stream;

	if (answer->body)
		return MHD_create_response_from_buffer(
			answer->body_len, (void *)answer->body, MHD_RESPMEM_PERSISTENT);
	if (!answer->read)
		return MHD_create_response_from_buffer(
			answer->len, (void *)answer->text, MHD_RESPMEM_MUST_COPY);
	stream = malloc(sizeof(*stream));
	if (!stream) {
		if (answer->done)
			answer->done(answer->state);
		return NULL;
	}
	*stream = (struct stream){answer->read, answer->done, answer->state};
	struct MHD_Response *response = MHD_create_response_from_callback(
		MHD_SIZE_UNKNOWN, STREAM_ROOM, stream_read, stream, stream_free);

	if (!response)
		stream_free(stream);
	return response;
}

static enum MHD_Result respond(struct web *web, struct MHD_Connection *connection,
	const struct web_answer *answer, bool close)
{
	struct MHD_Response *response = response_make(answer);
	bool good = response &&
		(!answer->type ||
			MHD_add_response_header(
				response, MHD_HTTP_HEADER_CONTENT_TYPE, answer->type)) &&
		MHD_add_response_header(response, "Content-Security-Policy",
			answer->policy ? answer->policy : no_policy);

	for (size_t i = 0; i < sizeof(always) / sizeof(always[0]); i++)
		good = good && MHD_add_response_header(response, always[i][0], always[i][1]);

	if (good && answer->status == MHD_HTTP_METHOD_NOT_ALLOWED)
		good = MHD_add_response_header(response, MHD_HTTP_HEADER_ALLOW,
			web->conf.take ? "PUT, DELETE" : "GET, HEAD");
	if (good && answer->status == MHD_HTTP_UNAUTHORIZED)
		good = MHD_add_response_header(
			response, MHD_HTTP_HEADER_WWW_AUTHENTICATE, "Bearer");
	if (good && close)
		good = MHD_add_response_header(response, MHD_HTTP_HEADER_CONNECTION, "close");
	enum MHD_Result rc =
		good ? MHD_queue_response(connection, answer->status, response) : MHD_NO;

	if (response)
		MHD_destroy_response(response);
	count(&web->stats.requests, 1);
	count(&web->stats.refused, answer->status >= 400);
	return rc;
}

static enum MHD_Result answer_upload(struct web *web, struct MHD_Connection *connection,
	unsigned status, const char *says, bool close)
{
	struct web_answer answer = {.status = status};

	answer.len = web_upload_write(status, says, answer.text, sizeof(answer.text));
	answer.type = answer.len ? json : NULL;
	return respond(web, connection, &answer, close);
}

static enum MHD_Result refuse(
	struct web *web, struct MHD_Connection *connection, unsigned status, const char *why)
{
	struct web_answer answer = {.status = status, .type = plain};

	if (web->conf.take)
		return answer_upload(web, connection, status, why, true);
	answer.len = (size_t)snprintf(answer.text, sizeof(answer.text), "%s\n", why);
	return respond(web, connection, &answer, true);
}

// 0, or the status of what every request is refused for.
static unsigned head_check(struct web *web, struct MHD_Connection *connection, const char *version,
	char why[WEB_UPLOAD_SAYS_MAX])
{
	const char *wrong = web_framing_wrong(connection, version);

	if (!wrong && web_allow_has_host(&web->allow, connection))
		return 0;
	snprintf(why, WEB_UPLOAD_SAYS_MAX, "%s%s%s",
		wrong ? wrong : "Host must be an address, localhost or one of ",
		wrong ? "" : web->conf.key, wrong ? "" : ".hosts");
	return wrong ? MHD_HTTP_BAD_REQUEST : MISDIRECTED;
}

// ---- what is brought

// Before a request is read: its target as it stands there, which MHD would decode.
static void *on_target(void *arg, const char *target, struct MHD_Connection *connection)
{
	return web_upload_make(arg, target);
}

static enum MHD_Result upload_begin(struct web *web, struct MHD_Connection *connection,
	struct web_upload *upload, const char *method, const char *version)
{
	unsigned status = head_check(web, connection, version, upload->says);
	const char *why = upload->says;

	if (!status && !web_allow_has_token(&web->allow, connection))
		status = MHD_HTTP_UNAUTHORIZED, why = "Authorization: Bearer needs the token";
	else if (!status)
		status = web_upload_begin(upload, connection, method, web->conf.body_max, &why);
	return status ? refuse(web, connection, status, why) : MHD_YES;
}

static enum MHD_Result on_upload(void *arg, struct MHD_Connection *connection, const char *url,
	const char *method, const char *version, const char *bytes, size_t *len, void **seen)
{
	struct web *web = arg;
	struct web_upload *upload = *seen;
	struct connection *place = place_of(web, fd_of(connection));

	if (!upload)
		return MHD_NO; // there was no memory
	if (!upload->begun) {
		upload->begun = true;
		if (place)
			place->asks = true;
		return upload_begin(web, connection, upload, method, version);
	}
	if (*len) {
		bool taken = web_upload_add(upload, bytes, *len, web->conf.body_max);

		*len = 0;
		return taken ? MHD_YES : MHD_NO;
	}
	if (upload->too_large)
		return refuse(web, connection, MHD_HTTP_CONTENT_TOO_LARGE,
			"the body is larger than push.max_body");
	if (upload->answered)
		return answer_upload(web, connection, upload->status, upload->says, false);
	upload->taken = true;
	MHD_suspend_connection(connection);
	web->conf.take(web->conf.arg, upload);
	return MHD_YES;
}

void web_upload_answer(struct web_upload *upload)
{
	struct web *web = upload->web;
	uint64_t one = 1;

	pthread_mutex_lock(&web->lock);
	upload->next = web->done;
	web->done = upload;
	pthread_mutex_unlock(&web->lock);
	while (write(web->done_fd, &one, sizeof(one)) < 0 && errno == EINTR)
		;
}

// Connections whose uploads are answered go on.
static void uploads_resume(struct web *web)
{
	struct web_upload *upload, *next;
	uint64_t value;

	if (read(web->done_fd, &value, sizeof(value)) < 0) {
		// EAGAIN: none was answered.
	}
	pthread_mutex_lock(&web->lock);
	upload = web->done;
	web->done = NULL;
	pthread_mutex_unlock(&web->lock);
	for (; upload; upload = next) {
		next = upload->next;
		upload->taken = false;
		upload->answered = true;
		MHD_resume_connection(upload->connection);
	}
}

// ---- pages

static enum MHD_Result on_request(void *arg, struct MHD_Connection *connection, const char *url,
	const char *method, const char *version, const char *upload, size_t *upload_len,
	void **seen)
{
	static char first;
	struct web *web = arg;
	struct web_answer answer = {.status = MHD_HTTP_OK, .type = plain};

	// A refusal at the first call leaves a body unread and closes the connection.
	if (!*seen) {
		struct connection *place = place_of(web, fd_of(connection));
		char why[WEB_UPLOAD_SAYS_MAX];

		*seen = &first;
		if (place)
			place->asks = true;
		const unsigned status = head_check(web, connection, version, why);

		if (status)
			return refuse(web, connection, status, why);
		if (strcmp(method, MHD_HTTP_METHOD_GET) && strcmp(method, MHD_HTTP_METHOD_HEAD))
			return refuse(
				web, connection, MHD_HTTP_METHOD_NOT_ALLOWED, "only GET and HEAD");
		if (web_upload_has_length(connection))
			return refuse(web, connection, MHD_HTTP_BAD_REQUEST, "no body, please");
		return MHD_YES;
	}
	for (size_t i = 0; i < web->conf.page_count; i++) {
		const struct web_page *page = &web->conf.pages[i];

		if (strcmp(page->path, url))
			continue;
		page->answer(web->conf.arg,
			MHD_lookup_connection_value(
				connection, MHD_HEADER_KIND, MHD_HTTP_HEADER_ACCEPT),
			&answer);
		return respond(web, connection, &answer, false);
	}
	return refuse(web, connection, MHD_HTTP_NOT_FOUND, "no such page");
}

// ---- connections

static void cut(struct web *web, struct connection *place, uint64_t now_ms)
{
	shutdown(place->fd, SHUT_RDWR);
	web->again = true;
	place->since_ms = now_ms;
	count(&web->stats.cut, 1);
}

// Of two connections, the one to be closed first: one that asks nothing, then the older one.
static bool goes_before(const struct connection *a, const struct connection *b)
{
	return a->asks != b->asks ? b->asks : a->since_ms < b->since_ms;
}

// All places are taken: whoever holds connections open must not keep others out.
static void make_room(struct web *web, const struct connection *newest, uint64_t now_ms)
{
	struct connection *first = NULL;

	for (size_t i = 0; i < WEB_CONNECTIONS_MAX; i++) {
		struct connection *place = &web->connection[i];

		if (place->fd < 0)
			return;
		if (place != newest && (!first || goes_before(place, first)))
			first = place;
	}
	cut(web, first, now_ms);
}

static void on_connection(void *arg, struct MHD_Connection *connection, void **socket_context,
	enum MHD_ConnectionNotificationCode code)
{
	struct web *web = arg;
	const bool begins = code == MHD_CONNECTION_NOTIFY_STARTED;

	web->again |= !begins;
	int fd = fd_of(connection);
	struct connection *place = place_of(web, begins ? -1 : fd);

	if (place)
		*place = (struct connection){.fd = begins ? fd : -1, .since_ms = clock_ms()};
	if (place && begins)
		make_room(web, place, place->since_ms);
	__atomic_store_n(
		&web->stats.clients, web->stats.clients + (begins ? 1 : -1), __ATOMIC_RELAXED);
}

static void on_completed(void *arg, struct MHD_Connection *connection, void **seen,
	enum MHD_RequestTerminationCode code)
{
	const struct web *web = arg;
	struct connection *place = place_of(arg, fd_of(connection));

	// One that was taken keeps its connection until it is answered.
	if (web->conf.take)
		web_upload_free(*seen);
	if (place && code == MHD_REQUEST_TERMINATED_COMPLETED_OK) {
		place->since_ms = clock_ms();
		place->asks = false;
	}
	*seen = NULL;
}

// Of those that send or read byte by byte, too.
static void cut_slow(struct web *web, uint64_t now_ms)
{
	for (size_t i = 0; i < WEB_CONNECTIONS_MAX; i++) {
		struct connection *place = &web->connection[i];

		if (place->fd < 0 || now_ms - place->since_ms < web->conf.idle_ms)
			continue;
		cut(web, place, now_ms);
	}
}

// ---- the thread

static void wait_for_work(struct web *web, uint64_t until_ms)
{
	struct pollfd fds[] = {{.fd = web->epoll_fd, .events = POLLIN},
		{.fd = web->stop_fd, .events = POLLIN}, {.fd = web->done_fd, .events = POLLIN}};
	uint64_t now_ms = clock_ms();
	uint64_t left = until_ms > now_ms ? until_ms - now_ms : 0;
	MHD_UNSIGNED_LONG_LONG wanted;

	if (MHD_get_timeout(web->mhd, &wanted) == MHD_YES && wanted < left)
		left = wanted;
	poll(fds, 3, (int)left);
}

static bool stopping(const struct web *web)
{
	uint64_t value;

	return read(web->stop_fd, &value, sizeof(value)) == sizeof(value);
}

static void *run(void *arg)
{
	struct web *web = arg;
	uint64_t next_ms = clock_ms();

	while (!stopping(web)) {
		uint64_t now_ms = clock_ms();

		if (now_ms >= next_ms) {
			next_ms = now_ms + WEB_TURN_MS;
			cut_slow(web, now_ms);
			if (web->conf.turn)
				web->conf.turn(web->conf.arg, now_ms);
		}
		wait_for_work(web, next_ms);
		uploads_resume(web);
		// At its limit it looks at the listener again only in the run behind a close.
		web->again = true;
		for (unsigned i = 0; i < RUNS && web->again; i++) {
			web->again = false;
			MHD_run(web->mhd);
		}
	}
	return NULL;
}

int web_start(struct web *web)
{
	sigset_t before, blocked;
	int rc;

	sigfillset(&blocked);
	log_crash_signals_keep(&blocked);
	pthread_sigmask(SIG_SETMASK, &blocked, &before);
	rc = pthread_create(&web->thread, NULL, run, web);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (rc)
		return -rc;
	pthread_setname_np(web->thread, web->conf.take ? "postern-web-put" : "postern-web");
	web->started = true;
	return 0;
}

// ---- making

static void log_words(void *arg, const char *format, va_list args)
{
	char words[256];

	vsnprintf(words, sizeof(words), format, args);
	words[strcspn(words, "\r\n")] = 0;
	log_debug("web: %s", words);
}

static int mhd_start(struct web *web)
{
	const union MHD_DaemonInfo *info;
	const bool takes = web->conf.take;
	const unsigned flags =
		MHD_USE_EPOLL | MHD_USE_ERROR_LOG | (takes ? MHD_ALLOW_SUSPEND_RESUME : 0);

	web->mhd = MHD_start_daemon(flags, 0, NULL, NULL, takes ? on_upload : on_request, web,
		MHD_OPTION_EXTERNAL_LOGGER, log_words, NULL, MHD_OPTION_LISTEN_SOCKET,
		web->listener.fd, MHD_OPTION_CONNECTION_LIMIT, (unsigned)WEB_CONNECTIONS_MAX,
		MHD_OPTION_CONNECTION_TIMEOUT, (unsigned)(WEB_IDLE_MS / 1000),
		MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)MEMORY_MAX,
		MHD_OPTION_STRICT_FOR_CLIENT, 1, MHD_OPTION_NOTIFY_CONNECTION, on_connection, web,
		MHD_OPTION_NOTIFY_COMPLETED, on_completed, web,
		takes ? MHD_OPTION_URI_LOG_CALLBACK : MHD_OPTION_END, on_target, web,
		MHD_OPTION_END);
	if (!web->mhd)
		return -EIO;
	info = MHD_get_daemon_info(web->mhd, MHD_DAEMON_INFO_EPOLL_FD);
	if (!info)
		return -EIO;
	web->epoll_fd = info->epoll_fd;
	return 0;
}

void web_hosts_set(struct web *web, char *const *hosts, size_t count)
{
	web_allow_hosts(&web->allow, hosts, count);
}

void web_token_set(struct web *web, const char *token)
{
	web_allow_token(&web->allow, token);
}

int web_create(const struct web_conf *conf, struct web **out, struct error *error)
{
	struct web *web = calloc(1, sizeof(*web));
	int rc;

	if (!web)
		return error_set(error, -ENOMEM, "%s: no memory", conf->key);
	web->conf = *conf;
	pthread_mutex_init(&web->lock, NULL);
	web_allow_init(&web->allow);
	web_hosts_set(web, conf->hosts, conf->host_count);
	if (!web->conf.idle_ms)
		web->conf.idle_ms = WEB_IDLE_MS;
	for (size_t i = 0; i < WEB_CONNECTIONS_MAX; i++)
		web->connection[i].fd = -1;
	web->stop_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	web->done_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	web->listener.fd = -1;
	rc = web->stop_fd < 0 || web->done_fd < 0
		? error_set(error, -errno, "%s: %s", conf->key, strerror(errno))
		: web_listen(&web->listener, conf->key, conf->listen, error);
	if (!rc && mhd_start(web))
		rc = error_set(error, -EIO, "%s: the HTTP server cannot start", conf->key);
	if (rc) {
		web_free(web);
		return rc;
	}
	*out = web;
	return 0;
}

void web_free(struct web *web)
{
	uint64_t one = 1;

	if (!web)
		return;
	if (web->started) {
		while (write(web->stop_fd, &one, sizeof(one)) < 0 && errno == EINTR)
			;
		pthread_join(web->thread, NULL);
	}
	web_listener_remove(&web->listener);
	if (web->mhd) { // a connection that is suspended would be a fault of ours
		uploads_resume(web);
		MHD_run(web->mhd);
	}
	if (web->mhd)
		MHD_stop_daemon(web->mhd); // closes the listener, too
	else if (web->listener.fd >= 0)
		close(web->listener.fd);
	if (web->stop_fd >= 0)
		close(web->stop_fd);
	if (web->done_fd >= 0)
		close(web->done_fd);
	pthread_mutex_destroy(&web->lock);
	web_allow_fini(&web->allow);
	free(web);
}

void web_get_stats(const struct web *web, struct web_stats *stats)
{
	*stats = (struct web_stats){
		.requests = __atomic_load_n(&web->stats.requests, __ATOMIC_RELAXED),
		.refused = __atomic_load_n(&web->stats.refused, __ATOMIC_RELAXED),
		.cut = __atomic_load_n(&web->stats.cut, __ATOMIC_RELAXED),
		.clients = __atomic_load_n(&web->stats.clients, __ATOMIC_RELAXED),
	};
}
