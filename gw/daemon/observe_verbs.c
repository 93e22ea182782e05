// SPDX-License-Identifier: BSD-3-Clause

#include "gw/daemon/observe_verbs.h"

#include "base/container.h"
#include "gw/daemon/device_context.h"
#include "gw/daemon/registry.h"
#include "gw/daemon/url_path.h"
#include "gw/os/log.h"
#include "gw/store/jobs.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct observe {
	struct daemon *daemon;
	struct ctl_request *req; // NULL: the client is gone
	bool begun;              // the device was found, if there is one
	bool asked;              // the worker has the question
	bool ended;              // what is to be cancelled is, whether or not a client waits for it
	struct dp_observed_question question;
	unsigned worker;      // that is asked, or next
	unsigned worker_last; // behind the last one
	unsigned left;        // to be told
	struct store_show_job show;
};

static void observe_free(struct observe *observe)
{
	observe->daemon->observe = NULL;
	free(observe);
}

// What a worker was asked it answers all the same: observe_turn() waits for that.
static void client_gone(void *arg)
{
	struct observe *observe = arg;
	struct ctl_request *req = observe->req;

	observe->req = NULL;
	ctl_request_end(req);
}

static struct ctl_request *request_take(struct observe *observe)
{
	struct ctl_request *req = observe->req;

	observe->req = NULL;
	return req;
}

static void found(struct store_job *job)
{
	struct observe *observe = CONTAINER_OF(job, struct observe, show.job);
	struct daemon *daemon = observe->daemon;
	const struct dp_context *ctx;
	struct ctl_request *req;
	uint32_t index;

	ctx = device_context(daemon, &observe->show, &index);
	if (!ctx || !(observe->req || observe->question.cancel)) {
		req = request_take(observe);
		if (req && job->result)
			ctl_reply_failed(req, job->result, &job->error);
		else if (req)
			ctl_request_error(req, CTL_NO_SUCH_DEVICE, "the device is not served now");
		observe_free(observe);
		return;
	}
	uint8_t owner = dp_context_owner(ctx);

	observe->question.of_device = true;
	observe->question.context = index;
	observe->question.generation = daemon->registry.entry[index].generation;
	// While it observes, its context stays with its worker.
	if (owner >= dp_worker_count(daemon->dp) || observe->worker > owner) {
		observe->worker_last = observe->worker;
	} else {
		if (observe->worker < owner)
			observe->question.from = 1;
		observe->worker = owner;
		observe->worker_last = owner + 1u;
	}
	observe->begun = true;
}

// Answers with an error and returns NULL if that cannot be now.
static struct observe *observe_make(struct daemon *daemon, struct ctl_request *req)
{
	struct observe *observe;

	if (daemon->observe) {
		ctl_request_error(req, CTL_BUSY, "another request about observers is under way");
		return NULL;
	}
	observe = calloc(1, sizeof(*observe));
	if (!observe) {
		ctl_request_error(req, CTL_BUSY, "no memory");
		return NULL;
	}
	observe->daemon = daemon;
	observe->req = req;
	observe->question.from = 1;
	observe->worker_last = dp_worker_count(daemon->dp);
	daemon->observe = observe;
	ctl_request_on_gone(req, client_gone, observe);
	return observe;
}

static void device_find(struct observe *observe, const char *name)
{
	snprintf(observe->show.name, sizeof(observe->show.name), "%s", name);
	observe->show.job.done = found;
	store_show_job_init(&observe->show);
	store_thread_submit(observe->daemon->store_thread, &observe->show.job);
}

void verb_observe_list(void *arg, struct ctl_request *req, const struct ctl_observed *asked)
{
	struct observe *observe = observe_make(arg, req);

	if (!observe)
		return;
	observe->left = asked->limit;
	observe->worker = (unsigned)(asked->after >> 32);
	observe->question.from = (uint32_t)asked->after + 1;
	if (!asked->device[0])
		observe->begun = true;
	else
		device_find(observe, asked->device);
}

// The segments of a path "/a/b".
static bool path_read(struct dp_observed_path *to, const char *path)
{
	size_t len;

	while (*path == '/' && path[1]) {
		size_t room = sizeof(to->bytes) - to->len;

		path++;
		if (!room ||
			!url_path_read(&path, &to->bytes[to->len + 1],
				room - 1 < UINT8_MAX ? room - 1 : UINT8_MAX, &len))
			return false;
		to->bytes[to->len] = (uint8_t)len;
		to->len += 1 + len;
	}
	return true;
}

void verb_observe_cancel(void *arg, struct ctl_request *req, const char *device, const char *path)
{
	struct dp_observed_path of = {.len = 0};
	struct observe *observe;

	if (!path_read(&of, path)) {
		ctl_request_error(req, CTL_BAD_REQUEST, "path: is not the path of a URL");
		return;
	}
	observe = observe_make(arg, req);
	if (!observe)
		return;
	observe->question.cancel = true;
	observe->question.of_path = path[0];
	observe->question.path = of;
	device_find(observe, device);
}

static void put_path(struct ctl_writer *body, const struct dp_observed_path *path)
{
	char text[3 * DP_OBSERVED_PATH + 2] = "/";
	char *to = text;

	for (unsigned i = 0; i < path->len; i += 1 + path->bytes[i])
		to = url_path_write(to, &path->bytes[i + 1], path->bytes[i]);
	ctl_put_text(body, "path", text);
	if (path->cut)
		ctl_put_bool(body, "path_cut", true);
}

static void observed_reply(const struct observe *observe, const struct dp_observed *observed)
{
	const struct registry_entry *entry =
		registry_get(&observe->daemon->registry, observed->context, observed->generation);
	struct dp_flow flow = {0};
	char address[INET6_ADDRSTRLEN];
	struct ctl_writer body;

	memcpy(&flow, observed->endpoint, DP_ENDPOINT_LEN);
	inet_ntop(
		flow.family == 4 ? AF_INET : AF_INET6, flow.remote_addr, address, sizeof(address));
	ctl_writer_init(&body);
	ctl_write_map(&body);
	ctl_put_uint(&body, "after", (uint64_t)observe->worker << 32 | observed->place);
	ctl_put_uint(&body, "worker", observe->worker);
	ctl_put_text(&body, "device", entry ? entry->name : NULL);
	ctl_put_text(&body, "source", address);
	ctl_put_uint(&body, "source_port", ntohs(flow.remote_port));
	ctl_put_text(&body, "method", observed->fetch ? "FETCH" : "GET");
	if (observed->stored)
		put_path(&body, &observed->path);
	ctl_put_bool(&body, "current", observed->current);
	ctl_put_uint(&body, "tries", observed->tries);
	ctl_put_uint(&body, "registered_ms", observed->registered_s * UINT64_C(1000));
	ctl_put_uint(&body, "notifications", observed->sent);
	ctl_put_uint(&body, "confirmed_ms", observed->confirmed_s * UINT64_C(1000));
	ctl_write_close(&body);
	ctl_request_reply(observe->req, &body, false);
}

static void cancelled(struct observe *observe, const struct dp_observed_ask *answer)
{
	struct ctl_request *req = request_take(observe);
	const uint32_t count = answer ? answer->count : 0;
	struct ctl_writer body;

	observe->ended = true;
	log_notice("device %s: %u observations ended for an operator", observe->show.name, count);
	if (req) {
		ctl_writer_init(&body);
		ctl_write_map(&body);
		ctl_put_uint(&body, "cancelled", count);
		ctl_write_close(&body);
		ctl_request_reply(req, &body, true);
	}
}

// Takes the answer of a worker. The client may be found to be gone with each reply.
static void answer_take(struct observe *observe, const struct dp_observed_ask *answer)
{
	observe->asked = false;
	if (observe->question.cancel) {
		cancelled(observe, answer);
		return;
	}
	for (uint32_t i = 0; i < answer->count && observe->req; i++)
		observed_reply(observe, &answer->found[i]);
	observe->left -= answer->count;
	observe->question.from = answer->next;
	if (!answer->next) {
		observe->worker++;
		observe->question.from = 1;
	}
}

// Asks the next worker that has any. false: there is none.
static bool ask_next(struct observe *observe)
{
	for (; observe->worker < observe->worker_last; observe->worker++) {
		observe->question.most = RTE_MIN(observe->left, (unsigned)DP_OBSERVED_MAX);
		if (dp_observed_ask(observe->daemon->dp, observe->worker, &observe->question)) {
			observe->asked = true;
			return true;
		}
		observe->question.from = 1;
	}
	return false;
}

bool observe_turn(struct daemon *daemon)
{
	struct observe *observe = daemon->observe;
	const struct dp_observed_ask *answer;

	if (!observe || !observe->begun)
		return false;
	if (observe->asked) {
		answer = dp_observed_answer(daemon->dp, observe->worker);
		if (!answer)
			return true;
		answer_take(observe, answer);
	}
	const bool more =
		observe->question.cancel ? !observe->ended : observe->req && observe->left;

	if (more && ask_next(observe))
		return true;
	if (observe->question.cancel && !observe->ended)
		cancelled(observe, NULL);
	else if (observe->req)
		ctl_request_end(request_take(observe));
	observe_free(observe);
	return false;
}

void observe_stop(struct daemon *daemon)
{
	struct observe *observe = daemon->observe;

	if (!observe || !observe->begun) // else found() ends it
		return;
	if (observe->req)
		ctl_request_error(request_take(observe), CTL_STOPPING, "the daemon is stopping");
	observe_free(observe);
}
