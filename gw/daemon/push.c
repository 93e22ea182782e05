// SPDX-License-Identifier: BSD-3-Clause

#include "gw/daemon/push.h"

#include "base/clock.h"
#include "base/container.h"
#include "gw/conf/cached.h"
#include "gw/daemon/device_context.h"
#include "gw/daemon/registry.h"
#include "gw/daemon/url_path.h"
#include "gw/os/header_lines.h"
#include "gw/os/log.h"
#include "gw/store/jobs.h"
#include "gw/upstream/access_line.h"
#include "gw/upstream/push.h"
#include "gw/web/upload.h"

#include <assert.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#define OPTIONS_MAX (WEB_TARGET_MAX + 5 * WEB_SEGMENTS_MAX) // bytes of a path as options

// One push, from its arrival to its answer.
struct push_job {
	struct up_push push; // given to the loop
	struct daemon *daemon;
	struct push_job *next; // in the mailbox
	bool published;        // the loop is through with it
	uint64_t came_ms;
	const struct conf_route *route; // of the snapshot when it was found; NULL: none
	struct store_show_job show;     // of the device
	bool no_device;
	// Who asks: one of these.
	struct web_upload *upload;
	struct ctl_request *req; // NULL: the client is gone
	char by[WEB_UPLOAD_BY_MAX];
	char path[WEB_TARGET_MAX + 1]; // as it stands in a URL
	char type[CTL_TYPE_MAX + 1];   // of a request to the socket
	uint8_t options[OPTIONS_MAX];
	uint8_t *copy; // of the payload, or NULL
};

struct pushes {
	struct daemon *daemon;
	struct web *web; // NULL: off
	int fd;          // eventfd: the mailbox has something
	unsigned open;   // jobs of main
	uint64_t taken, refused;
	pthread_mutex_t lock; // of the rest
	bool closed;
	struct push_job *mail; // the last one in front
};

// ---- the mailbox: any thread

static void mail_put(struct pushes *pushes, struct push_job *job)
{
	uint64_t one = 1;

	pthread_mutex_lock(&pushes->lock);
	job->next = pushes->mail;
	pushes->mail = job;
	pthread_mutex_unlock(&pushes->lock);
	while (write(pushes->fd, &one, sizeof(one)) < 0 && errno == EINTR)
		;
}

// All that came, the first in front.
static struct push_job *mail_take(struct pushes *pushes)
{
	struct push_job *last, *first = NULL;
	uint64_t value;

	if (read(pushes->fd, &value, sizeof(value)) < 0) {
		// EAGAIN: nothing came.
	}
	pthread_mutex_lock(&pushes->lock);
	last = pushes->mail;
	pushes->mail = NULL;
	pthread_mutex_unlock(&pushes->lock);
	while (last) {
		struct push_job *before = last->next;

		last->next = first;
		first = last;
		last = before;
	}
	return first;
}

// A loop's thread.
static void published(struct up_push *push)
{
	struct push_job *job = CONTAINER_OF(push, struct push_job, push);

	job->published = true;
	mail_put(job->daemon->pushes, job);
}

static bool is_closed(struct pushes *pushes)
{
	pthread_mutex_lock(&pushes->lock);
	bool closed = pushes->closed;

	pthread_mutex_unlock(&pushes->lock);
	return closed;
}

// What no device can be called is not looked for, and not in the log.
static void name_take(struct push_job *job, const char *name)
{
	size_t len = strlen(name);

	job->no_device = len && !device_name_valid(name);
	if (len && !job->no_device)
		memcpy(job->show.name, name, len + 1);
}

// The listener's thread.
static void upload_take(void *arg, struct web_upload *upload)
{
	struct pushes *pushes = arg;
	struct push_job *job = calloc(1, sizeof(*job));

	if (!job || is_closed(pushes)) {
		free(job);
		upload->status = 503;
		snprintf(upload->says, sizeof(upload->says), "the gateway is stopping");
		web_upload_answer(upload);
		return;
	}
	job->daemon = pushes->daemon;
	job->upload = upload;
	job->push.gone = upload->is_delete;
	job->push.max_age_s = upload->max_age_s;
	job->push.payload = upload->body;
	job->push.payload_len = upload->len;
	job->push.format = -1;
	job->push.type = upload->type[0] ? upload->type : NULL;
	job->push.coding = upload->coding[0] ? upload->coding : NULL;
	memcpy(job->by, upload->by, sizeof(job->by));
	memcpy(job->path, upload->resource.path, sizeof(job->path));
	name_take(job, upload->resource.device);
	mail_put(pushes, job);
}

// ---- the end

// For the log of accesses: as if a device had asked for it.
static void access_put(const struct push_job *job, unsigned status)
{
	struct daemon *daemon = job->daemon;
	const unsigned ring = daemon->conf->workers.loops; // main's, behind those of the loops
	char line[UP_ACCESS_LINE_MAX];
	struct timespec now;

	if (!daemon->access || !up_access_log_wants(daemon->access, ring, 0, clock_ms()))
		return;
	clock_gettime(CLOCK_REALTIME, &now);
	const struct up_access_entry entry = {
		.unix_ms = (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000,
		.device = job->show.name[0] ? job->show.name : NULL,
		.method = job->push.gone ? COAP_DELETE : COAP_PUT,
		.body = job->push.options,
		.body_len = job->push.options_len,
		.in = job->push.payload_len,
		.route = job->route ? job->route->path.text : NULL,
		.status = (int)status,
		.total_ms = clock_ms() - job->came_ms,
		.pushed = true,
	};

	up_access_log_put(
		daemon->access, ring, line, up_access_line_write(&entry, line, sizeof(line)));
}

static enum ctl_error error_of(const struct push_job *job, unsigned status)
{
	if (job->no_device)
		return CTL_NO_SUCH_DEVICE;
	return status == 503 ? CTL_STOPPING : status == 507 ? CTL_BUSY : CTL_BAD_REQUEST;
}

static void req_answer(struct push_job *job, unsigned status, const char *says)
{
	struct ctl_request *req = job->req;
	struct ctl_writer body;

	job->req = NULL;
	if (!req)
		return;
	if (status >= 400) {
		ctl_request_error(req, error_of(job, status), "%s", says);
		return;
	}
	ctl_writer_init(&body);
	ctl_write_map(&body);
	ctl_put_bool(&body, "created", status == 201);
	ctl_write_close(&body);
	ctl_request_reply(req, &body, true);
}

// Answers a push and frees the job.
__attribute__((format(printf, 3, 4))) static void job_end(
	struct push_job *job, unsigned status, const char *format, ...)
{
	struct pushes *pushes = job->daemon->pushes;
	uint64_t *counter = status < 400 ? &pushes->taken : &pushes->refused;
	char says[WEB_UPLOAD_SAYS_MAX];
	va_list args;

	va_start(args, format);
	vsnprintf(says, sizeof(says), format, args);
	va_end(args);
	__atomic_store_n(counter, *counter + 1, __ATOMIC_RELAXED);
	log_info("push: %s %s%s%s of %zu bytes by %s: %u%s%s", job->push.gone ? "DELETE" : "PUT",
		job->path, job->show.name[0] ? " for device " : "", job->show.name,
		job->push.payload_len, job->by, status, says[0] ? " " : "", says);
	access_put(job, status);
	req_answer(job, status, says);
	if (job->upload) {
		job->upload->status = status;
		memcpy(job->upload->says, says, sizeof(says));
		web_upload_answer(job->upload);
	}
	if (job->copy)
		explicit_bzero(job->copy, job->push.payload_len);
	free(job->copy);
	free(job);
	pushes->open--;
}

static void job_over(struct push_job *job)
{
	switch (job->push.result) {
	case UP_PUSHED_CREATED:
		return job_end(job, 201, "%s", "");
	case UP_PUSHED_REPLACED:
	case UP_PUSHED_GONE:
		return job_end(job, 204, "%s", "");
	case UP_PUSHED_NOTHING:
		return job_end(job, 404, "nothing is there that could be taken away");
	case UP_PUSHED_NO_ROUTE:
		return job_end(job, 409, "the configuration was changed meanwhile: try again");
	case UP_PUSHED_NO_DEVICE:
		job->no_device = true;
		return job_end(job, 404, "the device %s is gone", job->show.name);
	case UP_PUSHED_BAD_PATH:
		return job_end(job, 400,
			"no request can have this path: a segment is \"..\" or has control "
			"characters, or all of it is too long");
	case UP_PUSHED_TOO_LARGE:
		return job_end(job, 413, "it is larger than the part of cache.memory that %s",
			job->push.private ? "a device may have" : "pushes may have");
	case UP_PUSHED_NO_ROOM:
		return job_end(job, 507,
			"there is no room: cache.memory or cache.entries is full of what is "
			"observed");
	case UP_PUSHED_TYPE:
		return job_end(job, 415,
			"devices cannot be told of this Content-Type or Content-Encoding");
	case UP_PUSHED_STOPPING:
		break;
	}
	job_end(job, 503, "the gateway is stopping");
}

// ---- the beginning

// The route that takes GET of the path. NULL: none can be pushed to; the job is at its end.
static const struct conf_route *route_find(struct push_job *job, uint16_t *slot)
{
	const struct snapshot *snapshot = job->daemon->snapshot;
	struct dp_path path = {.count = 0};
	struct coap_body body;

	if (coap_body_parse(&body, job->push.options, job->push.options_len) != COAP_OK ||
		!dp_path_read(&path, &body)) {
		job_end(job, 400, "the path has too many segments");
		return NULL;
	}
	int index = dp_route_find(snapshot->routes.policy.index, &path, COAP_GET);

	if (index < 0) {
		job_end(job, 404, "no route takes GET of %s", job->path);
		return NULL;
	}
	const struct conf_route *route = &snapshot->conf->routes[index];

	job->route = route;
	*slot = snapshot->routes.policy.routes[index].slot;
	if (!route->observe.push)
		job_end(job, 409, "the route %s has no observe: {push: true}", route->path.text);
	else if (job->push.payload_len > route->max_body)
		job_end(job, 413, "it is larger than max_body of the route %s", route->path.text);
	else if (route->cache.scope == CONF_CACHE_SHARED && job->show.name[0])
		job_end(job, 409, "the route %s has one value for all devices: leave out device=",
			route->path.text);
	else if (route->cache.scope != CONF_CACHE_SHARED && !job->show.name[0])
		job_end(job, 409, "each device has its own on the route %s: add ?device=NAME",
			route->path.text);
	else
		return route;
	return NULL;
}

// Hands it to its loop.
static void job_push(struct push_job *job)
{
	uint16_t slot;
	const struct conf_route *route = route_find(job, &slot);

	if (!route)
		return;
	job->push.route = route->cache.id;
	job->push.route_slot = slot;
	job->push.done = published;
	up_loop_push(job->daemon->loop[route->home - 1], &job->push);
}

// The store knows the device, or not.
static void found(struct store_job *store_job)
{
	struct push_job *job = CONTAINER_OF(store_job, struct push_job, show.job);
	struct daemon *daemon = job->daemon;
	const struct dp_context *ctx = NULL;
	uint32_t index;

	if (is_closed(daemon->pushes)) {
		job_end(job, 503, "the gateway is stopping");
		return;
	}
	ctx = device_context(daemon, &job->show, &index);
	if (!ctx) {
		job->no_device = true;
		job_end(job, 404,
			store_job->result ? "no device has the name %s"
					  : "the device %s is not served now",
			job->show.name);
		return;
	}
	job->push.private = true;
	job->push.context = index;
	job->push.generation = daemon->registry.entry[index].generation;
	job->push.fingerprint = ctx->fingerprint;
	job_push(job);
}

// The Uri-Path options of a path "/a/b".
static bool path_read(struct push_job *job)
{
	const char *path = job->path;
	uint8_t segment[WEB_SEGMENT_MAX];
	struct coap_writer w;
	size_t len;

	coap_writer_init(&w, job->options, sizeof(job->options));
	while (*path == '/' && path[1]) {
		path++;
		if (!url_path_read(&path, segment, sizeof(segment), &len))
			return false;
		coap_write_option(&w, COAP_OPT_URI_PATH, segment, len);
	}
	job->push.options = job->options;
	job->push.options_len = coap_writer_len(&w);
	return !w.failed;
}

static void job_begin(struct push_job *job)
{
	struct daemon *daemon = job->daemon;
	uint16_t slot;

	daemon->pushes->open++;
	job->came_ms = clock_ms();
	if (is_closed(daemon->pushes)) {
		job_end(job, 503, "the gateway is stopping");
		return;
	}
	if (!path_read(job)) {
		job_end(job, 400, "the path is not that of a URL");
		return;
	}
	if (job->no_device) {
		job_end(job, 404, "no device can have this name");
		return;
	}
	if (!job->show.name[0]) {
		job_push(job);
		return;
	}
	if (!route_find(job, &slot))
		return;
	job->show.job.done = found;
	store_show_job_init(&job->show);
	store_thread_submit(daemon->store_thread, &job->show.job);
}

void push_turn(struct daemon *daemon)
{
	struct push_job *job = mail_take(daemon->pushes), *next;

	for (; job; job = next) {
		next = job->next;
		if (job->published)
			job_over(job);
		else
			job_begin(job);
	}
}

// ---- the verb

static void client_gone(void *arg)
{
	struct push_job *job = arg;
	struct ctl_request *req = job->req;

	job->req = NULL;
	ctl_request_end(req);
}

// What is wrong with a path, as if it stood in a target; NULL: nothing.
static const char *path_check(const char *path, struct web_resource *resource)
{
	char target[sizeof(WEB_RESOURCES) + WEB_TARGET_MAX] = WEB_RESOURCES;
	const size_t len = strlen(path);
	unsigned status;

	if (len > WEB_TARGET_MAX || strchr(path, '?'))
		return strchr(path, '?') ? "it has no query" : "it is too long";
	memcpy(target + strlen(WEB_RESOURCES), path, len + 1);
	return web_resource_read(target, resource, &status);
}

static struct push_job *job_copy(struct daemon *daemon, const struct ctl_pushed *pushed)
{
	struct push_job *job = calloc(1, sizeof(*job));

	if (!job)
		return NULL;
	job->copy = malloc(pushed->len + 1);
	if (!job->copy) {
		free(job);
		return NULL;
	}
	if (pushed->len)
		memcpy(job->copy, pushed->value, pushed->len);
	job->daemon = daemon;
	job->push.payload = job->copy;
	job->push.payload_len = pushed->len;
	job->push.format = pushed->format;
	job->push.max_age_s = pushed->max_age_s;
	job->push.gone = pushed->gone;
	snprintf(job->type, sizeof(job->type), "%s", pushed->type);
	job->push.type = job->type[0] ? job->type : NULL;
	name_take(job, pushed->device);
	return job;
}

void verb_observe_push(void *arg, struct ctl_request *req, const struct ctl_pushed *pushed)
{
	struct web_resource resource;
	const char *wrong = path_check(pushed->path, &resource);
	struct push_job *job = wrong ? NULL : job_copy(arg, pushed);

	if (!job) {
		ctl_request_error(req, wrong ? CTL_BAD_REQUEST : CTL_BUSY, "path: %s",
			wrong ? wrong : "no memory");
		return;
	}
	job->req = req;
	snprintf(job->by, sizeof(job->by), "uid %ju", (uintmax_t)ctl_request_uid(req));
	memcpy(job->path, resource.path, sizeof(job->path));
	ctl_request_on_gone(req, client_gone, job);
	job_begin(job);
}

// ---- from start to stop

void push_configured(struct daemon *daemon)
{
	static const char before[] = "token: ";
	const struct conf_push *conf = &daemon->snapshot->conf->push;
	const struct header_lines *token = daemon->snapshot->push_token;
	struct web *web = daemon->pushes ? daemon->pushes->web : NULL;

	if (!web)
		return;
	web_hosts_set(web, conf->hosts, conf->host_count);
	web_token_set(web, token ? token->line[0].text + strlen(before) : NULL);
}

static struct pushes *pushes_make(struct daemon *daemon)
{
	struct pushes *pushes = calloc(1, sizeof(*pushes));

	if (!pushes)
		return NULL;
	pushes->daemon = daemon;
	pthread_mutex_init(&pushes->lock, NULL);
	pushes->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (pushes->fd >= 0)
		return pushes;
	pthread_mutex_destroy(&pushes->lock);
	free(pushes);
	return NULL;
}

int push_open(struct daemon *daemon)
{
	const struct conf *conf = daemon->conf;
	struct error error = {0};
	int rc;

	daemon->pushes = pushes_make(daemon);
	if (!daemon->pushes) {
		log_error("push: no memory or descriptor");
		return -ENOMEM;
	}
	if (!conf_push_listens(conf))
		return 0;
	const struct web_conf web = {
		.key = "push",
		.listen = conf->push.listen,
		.take = upload_take,
		.body_max = conf->push.max_body,
		.arg = daemon->pushes,
	};

	rc = push_token_read(conf, &daemon->snapshot->push_token, &error);
	if (!rc)
		rc = web_create(&web, &daemon->pushes->web, &error);
	if (rc)
		log_error("%s", error.text);
	else
		push_configured(daemon);
	return rc;
}

int push_start(struct daemon *daemon)
{
	int rc = daemon->pushes->web ? web_start(daemon->pushes->web) : 0;

	if (rc)
		log_error("the thread of push.listen cannot start: %s", strerror(-rc));
	return rc;
}

int push_fd(const struct daemon *daemon)
{
	return daemon->pushes->fd;
}

void push_stop(struct daemon *daemon)
{
	if (!daemon->pushes)
		return;
	pthread_mutex_lock(&daemon->pushes->lock);
	daemon->pushes->closed = true;
	pthread_mutex_unlock(&daemon->pushes->lock);
}

void push_close(struct daemon *daemon)
{
	struct pushes *pushes = daemon->pushes;

	if (!pushes)
		return;
	push_turn(daemon);
	assert(!pushes->open);
	web_free(pushes->web);
	close(pushes->fd);
	pthread_mutex_destroy(&pushes->lock);
	free(pushes);
	daemon->pushes = NULL;
}

uint64_t push_taken(const struct daemon *daemon)
{
	return daemon->pushes ? __atomic_load_n(&daemon->pushes->taken, __ATOMIC_RELAXED) : 0;
}

uint64_t push_refused(const struct daemon *daemon)
{
	return daemon->pushes ? __atomic_load_n(&daemon->pushes->refused, __ATOMIC_RELAXED) : 0;
}
