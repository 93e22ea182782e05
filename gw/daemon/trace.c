// SPDX-License-Identifier: BSD-3-Clause

#include "gw/daemon/trace.h"

#include "base/clock.h"
#include "base/container.h"
#include "dataplane/look.h"
#include "gw/daemon/device_context.h"
#include "gw/daemon/registry.h"
#include "gw/daemon/snapshot.h"
#include "gw/store/jobs.h"

#include <rte_cycles.h>

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define UNSENT_MAX  (64 * 1024) // bytes that wait for the client
#define EVENTS_TURN 256         // that are handed on in one turn

// A packet whose trace has begun.
struct traced {
	uint64_t begun_tsc; // 0: not yet
	uint32_t context;   // DP_INDEX_NONE: not known yet
	uint32_t generation;
	uint64_t piv;
	bool done;
};

struct trace {
	struct daemon *daemon;
	struct ctl_request *req; // NULL: the client is gone
	struct ctl_trace asked;
	struct dp_look_conf look;
	bool begun;
	uint64_t until_ms;
	unsigned done;
	struct store_show_job show;
	struct traced packet[CTL_TRACE_COUNT]; // by number, from 0
};

static void trace_free(struct trace *trace)
{
	if (trace->begun)
		dp_look_end(trace->daemon->dp, DP_LOOK_TRACE);
	trace->daemon->trace = NULL;
	free(trace);
}

static void client_gone(void *arg)
{
	struct trace *trace = arg;
	struct ctl_request *req = trace->req;

	trace->req = NULL;
	ctl_request_end(req);
	if (trace->begun)
		trace_free(trace);
	// Else found() does.
}

static void trace_fail(struct trace *trace, enum ctl_error code, const char *text)
{
	if (trace->req)
		ctl_request_error(trace->req, code, "%s", text);
	trace_free(trace);
}

static void trace_begin(struct trace *trace)
{
	int rc = dp_look_begin(trace->daemon->dp, DP_LOOK_TRACE, &trace->look);

	if (rc) {
		trace_fail(trace, rc == -EBUSY ? CTL_BUSY : CTL_INTERNAL,
			rc == -EBUSY ? "the trace before is not over yet: try again"
				     : "no memory for the rings of a trace");
		return;
	}
	trace->begun = true;
	trace->until_ms = clock_ms() + 1000 * trace->asked.seconds;
	struct ctl_writer body;

	ctl_writer_init(&body);
	ctl_write_map(&body);
	ctl_put_uint(&body, "count", trace->asked.count);
	ctl_write_close(&body);
	// The client may turn out to be gone: client_gone() frees all then.
	ctl_request_reply(trace->req, &body, false);
}

static void found(struct store_job *job)
{
	struct trace *trace = CONTAINER_OF(job, struct trace, show.job);
	uint32_t index;

	if (!trace->req) {
		trace_free(trace);
		return;
	}
	const struct dp_context *ctx = device_context(trace->daemon, &trace->show, &index);

	if (!ctx && job->result) {
		ctl_reply_failed(trace->req, job->result, &job->error);
		trace_free(trace);
		return;
	}
	if (!ctx) {
		trace_fail(trace, CTL_NO_SUCH_DEVICE, "the device is not served now");
		return;
	}
	trace->look.context = index;
	trace->look.generation = trace->daemon->registry.entry[index].generation;
	trace_begin(trace);
}

void verb_trace(void *arg, struct ctl_request *req, const struct ctl_trace *asked)
{
	struct daemon *daemon = arg;
	struct trace *trace;

	if (daemon->trace) {
		ctl_request_error(req, CTL_BUSY, "another trace is under way");
		return;
	}
	trace = calloc(1, sizeof(*trace));
	if (!trace) {
		ctl_request_error(req, CTL_BUSY, "no memory");
		return;
	}
	trace->daemon = daemon;
	trace->req = req;
	trace->asked = *asked;
	trace->look = (struct dp_look_conf){
		.context = DP_INDEX_NONE,
		.source_family = asked->source_len == 4 ? 4
			: asked->source_len             ? 6
							: 0,
		.packets = asked->count,
	};
	memcpy(trace->look.source, asked->source, asked->source_len);
	daemon->trace = trace;
	ctl_request_on_gone(req, client_gone, trace);
	if (!asked->device[0]) {
		trace_begin(trace);
		return;
	}
	memcpy(trace->show.name, asked->device, sizeof(trace->show.name));
	trace->show.job.done = found;
	store_show_job_init(&trace->show);
	store_thread_submit(daemon->store_thread, &trace->show.job);
}

// Which packet an event is of, and notes by what later ones name it. NULL: it is none of these.
static struct traced *packet_of(struct trace *trace, const struct dp_trace_event *event)
{
	struct traced *packet = NULL;

	if (event->number) { // workers count down
		packet = &trace->packet[trace->asked.count - event->number];
	} else {
		for (unsigned i = 0; i < trace->asked.count && !packet; i++)
			if (trace->packet[i].begun_tsc && !trace->packet[i].done &&
				trace->packet[i].context == event->context &&
				trace->packet[i].generation == event->generation &&
				trace->packet[i].piv == event->piv)
				packet = &trace->packet[i];
		return packet;
	}
	if (!packet->begun_tsc) {
		packet->begun_tsc = event->tsc;
		packet->context = DP_INDEX_NONE;
	}
	if (event->context != DP_INDEX_NONE) {
		packet->context = event->context;
		packet->generation = event->generation;
		packet->piv = event->piv;
	}
	return packet;
}

static void put_code(struct ctl_writer *body, const char *key, uint8_t code)
{
	char text[8];

	snprintf(text, sizeof(text), "%u.%02u", code >> 5, code & 0x1f);
	ctl_put_text(body, key, text);
}

static void put_received(
	const struct daemon *daemon, struct ctl_writer *body, const struct dp_trace_event *event)
{
	char text[INET6_ADDRSTRLEN];
	struct dp_flow flow = {0};

	memcpy(&flow, event->endpoint, DP_ENDPOINT_LEN);
	inet_ntop(flow.family == 4 ? AF_INET : AF_INET6, flow.remote_addr, text, sizeof(text));
	ctl_put_text(body, "source", text);
	ctl_put_uint(body, "source_port", ntohs(flow.remote_port));
	for (size_t i = 0; i < daemon->port_count; i++)
		if (daemon->port[i].port_id == event->port_id)
			ctl_put_text(body, "port", daemon->port[i].conf->name);
	ctl_put_uint(body, "bytes", event->len);
}

static void put_stage(
	const struct daemon *daemon, struct ctl_writer *body, const struct dp_trace_event *event)
{
	const struct registry_entry *entry = event->context == DP_INDEX_NONE
		? NULL
		: registry_get(&daemon->registry, event->context, event->generation);

	ctl_put_text(body, "stage", dp_stage_infos[event->stage].name);
	ctl_put_bool(body, "passed", event->passed);
	ctl_write_text(body, "counted");
	ctl_write_array(body);
	for (unsigned i = 0; i < event->stats; i++)
		ctl_write_text(body, dp_stat_infos[event->stat[i]].name);
	ctl_write_close(body);
	if (event->context == DP_INDEX_NONE)
		return;
	ctl_put_text(body, "device", entry ? entry->name : NULL);
	ctl_put_uint(body, "piv", event->piv);
}

static void put_routed(
	const struct daemon *daemon, struct ctl_writer *body, const struct dp_trace_event *event)
{
	const struct conf *conf = daemon->snapshot->conf;

	put_code(body, "method", event->code);
	if (event->error)
		put_code(body, "refused", event->error);
	if (event->route < 0 || (size_t)event->route >= conf->route_count)
		return;
	const struct conf_route *route = &conf->routes[event->route];

	ctl_put_text(body, "route", route->path.text);
	ctl_put_text(body, "to", route->to);
}

static void put_upstream(struct ctl_writer *body, const struct dp_trace_upstream *upstream)
{
	ctl_put_text(body, "server", upstream->server[0] ? upstream->server : NULL);
	if (upstream->status)
		ctl_put_uint(body, "status", upstream->status);
	ctl_put_uint(body, "tries", upstream->tries);
	ctl_put_uint(body, "queued_ms", upstream->queued_ms);
	ctl_put_uint(body, "total_ms", upstream->total_ms);
	ctl_put_text(body, "error", upstream->error[0] ? upstream->error : NULL);
}

static void event_reply(
	struct trace *trace, const struct dp_trace_event *event, const struct traced *packet)
{
	static const char *const steps[] = {
		[DP_TRACE_RECEIVED] = "received",
		[DP_TRACE_STAGE] = "stage",
		[DP_TRACE_ROUTED] = "routed",
		[DP_TRACE_ANSWERED] = "answered",
		[DP_TRACE_RETURNED] = "returned",
	};
	const double ns = 1e9 / rte_get_tsc_hz();
	struct ctl_writer body;

	ctl_writer_init(&body);
	ctl_write_map(&body);
	ctl_put_uint(&body, "packet", packet - trace->packet + 1);
	ctl_put_uint(&body, "after_ns", (uint64_t)((event->tsc - packet->begun_tsc) * ns));
	ctl_put_uint(&body, "worker", event->worker);
	ctl_put_text(&body, "step", steps[event->step]);
	switch ((enum dp_trace_step)event->step) {
	case DP_TRACE_RECEIVED:
		put_received(trace->daemon, &body, event);
		break;
	case DP_TRACE_STAGE:
		put_stage(trace->daemon, &body, event);
		break;
	case DP_TRACE_ROUTED:
		put_routed(trace->daemon, &body, event);
		break;
	case DP_TRACE_ANSWERED:
		put_code(&body, "code", event->code);
		ctl_put_uint(&body, "bytes", event->len);
		break;
	case DP_TRACE_RETURNED:
		put_upstream(&body, &event->upstream);
		break;
	}
	ctl_write_close(&body);
	ctl_request_reply(trace->req, &body, false);
}

static void trace_end(struct trace *trace, const char *why)
{
	struct ctl_request *req = trace->req;
	struct ctl_writer body;

	ctl_writer_init(&body);
	ctl_write_map(&body);
	ctl_put_text(&body, "ended", why);
	ctl_put_uint(&body, "lost", dp_look_lost(trace->daemon->dp, DP_LOOK_TRACE));
	ctl_write_close(&body);
	trace_free(trace);
	ctl_request_reply(req, &body, true);
}

bool trace_turn(struct daemon *daemon)
{
	const struct dp_trace_event *next;

	if (!daemon->trace || !daemon->trace->begun)
		return false;
	// Each reply may find the client gone, and the trace with it.
	for (unsigned i = 0; daemon->trace && i < EVENTS_TURN &&
		ctl_request_unsent(daemon->trace->req) < UNSENT_MAX &&
		(next = dp_look_trace_peek(daemon->dp)) != NULL;
		i++) {
		const struct dp_trace_event event = *next;
		struct traced *packet = packet_of(daemon->trace, &event);

		dp_look_trace_pop(daemon->dp);
		if (!packet || packet->done)
			continue;
		packet->done = event.last;
		daemon->trace->done += event.last;
		event_reply(daemon->trace, &event, packet);
	}
	if (daemon->trace && daemon->trace->done == daemon->trace->asked.count)
		trace_end(daemon->trace, "count");
	else if (daemon->trace && clock_ms() >= daemon->trace->until_ms)
		trace_end(daemon->trace, "time");
	return true;
}

void trace_stop(struct daemon *daemon)
{
	if (daemon->trace && daemon->trace->begun)
		trace_fail(daemon->trace, CTL_STOPPING, "the daemon is stopping");
}
