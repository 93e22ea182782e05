// SPDX-License-Identifier: BSD-3-Clause
// The structs of verbs.h as answers.

#include "gw/ctl/attribute.h"
#include "gw/ctl/cbor_write.h"
#include "gw/ctl/verbs.h"

#include <errno.h>
#include <string.h>

// The longest of each string still makes a status that fits.
#define WORD_MAX     64
#define SENTENCE_MAX 256

enum ctl_error ctl_error_of_store(int ret)
{
	switch (-ret) {
	case EINVAL:
		return CTL_BAD_REQUEST;
	case EEXIST:
		return CTL_EXISTS;
	case ENOTUNIQ:
		return CTL_KEYS_IN_USE;
	case EKEYREVOKED:
		return CTL_KEYS_USED;
	case ERANGE:
		return CTL_PIV_USED_UP;
	case EDQUOT:
		return CTL_FULL;
	case ENOENT:
		return CTL_NO_SUCH_DEVICE;
	case EBADMSG:
		return CTL_BAD_ROWS;
	case ECANCELED:
		return CTL_CANCELED;
	case EAGAIN:
	case ENOMEM:
		return CTL_BUSY;
	default:
		return CTL_STORE_FAILED;
	}
}

void ctl_reply_failed(struct ctl_request *req, int ret, const struct error *error)
{
	ctl_request_error(
		req, ctl_error_of_store(ret), "%s", error->text[0] ? error->text : strerror(-ret));
}

// A text that cannot be longer than the answer has room for.
static void put_bounded(struct ctl_writer *body, const char *key, const char *text, size_t max)
{
	char copy[SENTENCE_MAX + 1];

	if (text == NULL)
		return;
	copy[0] = 0;
	strncat(copy, text, max);
	ctl_put_text(body, key, copy);
}

static void write_port(struct ctl_writer *body, const struct ctl_port_status *port)
{
	ctl_write_map(body);
	put_bounded(body, "name", port->name, WORD_MAX);
	put_bounded(body, "kind", port->kind, WORD_MAX);
	put_bounded(body, "device", port->device, SENTENCE_MAX);
	ctl_put_bool(body, "link", port->link_up);
	ctl_write_text(body, "addresses");
	ctl_write_array(body);
	for (size_t i = 0; i < port->address_count; i++)
		ctl_write_text(body, port->addresses[i]);
	ctl_write_close(body);
	ctl_put_uint(body, "coap", port->coap);
	ctl_write_close(body);
}

static void write_worker(
	struct ctl_writer *body, size_t number, const struct ctl_worker_status *worker)
{
	ctl_write_map(body);
	ctl_put_uint(body, "number", number);
	ctl_put_uint(body, "core", worker->core);
	ctl_put_uint(body, "busy_permille", worker->busy_permille);
	ctl_put_uint(body, "devices", worker->devices);
	ctl_put_uint(body, "exchanges", worker->exchanges);
	put_bounded(body, "overload", worker->overload, WORD_MAX);
	ctl_put_uint(body, "answers_kept_ms", worker->answers_kept_ms);
	ctl_write_close(body);
}

static void write_bodies(
	struct ctl_writer *body, size_t number, const struct ctl_bodies_status *bodies)
{
	ctl_write_map(body);
	ctl_put_uint(body, "number", number);
	ctl_put_uint(body, "bodies", bodies->bodies);
	ctl_put_uint(body, "bytes", bodies->bytes);
	ctl_put_uint(body, "memory", bodies->memory);
	ctl_write_close(body);
}

static void write_upstream(struct ctl_writer *body, const struct ctl_upstream_status *upstream)
{
	ctl_write_map(body);
	put_bounded(body, "name", upstream->name, WORD_MAX);
	ctl_put_uint(body, "servers", upstream->servers);
	ctl_put_uint(body, "servers_up", upstream->servers_up);
	ctl_put_uint(body, "in_flight", upstream->in_flight);
	ctl_put_uint(body, "queued", upstream->queued);
	ctl_write_close(body);
}

static void write_devices(struct ctl_writer *body, const struct ctl_status *status)
{
	ctl_write_map(body);
	ctl_put_uint(body, "total", status->devices);
	ctl_put_uint(body, "max", status->devices_max);
	ctl_write_text(body, "states");
	ctl_write_map(body);
	for (size_t i = 0; i < status->device_state_count; i++)
		ctl_put_uint(body, ctl_device_state_name(status->device_states[i].state),
			status->device_states[i].devices);
	ctl_write_close(body);
	ctl_write_close(body);
}

static size_t at_most(size_t count, size_t max)
{
	return count < max ? count : max;
}

void ctl_reply_status(struct ctl_request *req, const struct ctl_status *status)
{
	size_t upstreams = at_most(status->upstream_count, CTL_STATUS_UPSTREAMS_MAX);
	size_t alarms = at_most(status->alarm_count, CTL_STATUS_ALARMS_MAX);
	struct ctl_writer body;

	ctl_writer_init(&body);
	ctl_write_map(&body);
	put_bounded(&body, "state", status->state, WORD_MAX);
	ctl_put_text(&body, "version", POSTERN_VERSION);
	ctl_put_uint(&body, "uptime_ms", status->uptime_ms);
	ctl_write_text(&body, "devices");
	write_devices(&body, status);
	ctl_write_text(&body, "ports");
	ctl_write_array(&body);
	for (size_t i = 0; i < status->port_count; i++)
		write_port(&body, &status->ports[i]);
	ctl_write_close(&body);
	ctl_write_text(&body, "workers");
	ctl_write_array(&body);
	for (size_t i = 0; i < status->worker_count; i++)
		write_worker(&body, i, &status->workers[i]);
	ctl_write_close(&body);
	ctl_write_text(&body, "bodies");
	ctl_write_array(&body);
	for (size_t i = 0; i < status->bodies_count; i++)
		write_bodies(&body, i, &status->bodies[i]);
	ctl_write_close(&body);
	ctl_write_text(&body, "upstreams");
	ctl_write_array(&body);
	for (size_t i = 0; i < upstreams; i++)
		write_upstream(&body, &status->upstreams[i]);
	ctl_write_close(&body);
	ctl_put_uint(&body, "upstreams_left_out", status->upstream_count - upstreams);
	ctl_write_text(&body, "alarms");
	ctl_write_array(&body);
	for (size_t i = 0; i < alarms; i++) {
		char sentence[SENTENCE_MAX + 1] = "";

		ctl_write_text(&body, strncat(sentence, status->alarms[i], SENTENCE_MAX));
	}
	ctl_write_close(&body);
	ctl_write_close(&body);
	ctl_request_reply(req, &body, true);
}

const char *ctl_server_order_name(enum ctl_server_order order)
{
	static const char *const names[CTL_SERVER_ORDER_COUNT] = {[CTL_SERVER_READY] = "ready",
		[CTL_SERVER_DRAIN] = "drain",
		[CTL_SERVER_MAINT] = "maint"};

	return names[order];
}

void ctl_list_server(struct ctl_request *req, const struct ctl_server_status *server)
{
	struct ctl_writer body;

	ctl_writer_init(&body);
	ctl_write_map(&body);
	ctl_put_text(&body, "name", server->name);
	ctl_put_text(&body, "url", server->url);
	ctl_put_uint(&body, "weight", server->weight);
	ctl_put_text(&body, "order", ctl_server_order_name(server->order));
	ctl_put_text(&body, "health", server->health);
	ctl_put_uint(&body, "in_flight", server->in_flight);
	ctl_put_uint(&body, "attempts", server->attempts);
	ctl_put_uint(&body, "answers", server->answers);
	ctl_put_uint(&body, "failures", server->failures);
	if (server->answers) {
		ctl_put_uint(&body, "latency_p50_us", server->latency_p50_us);
		ctl_put_uint(&body, "latency_p99_us", server->latency_p99_us);
	}
	ctl_write_close(&body);
	ctl_request_reply(req, &body, false);
}

void ctl_list_line(struct ctl_request *req, const char *line)
{
	struct ctl_writer body;

	ctl_writer_init(&body);
	ctl_write_map(&body);
	ctl_put_text(&body, "line", line);
	ctl_write_close(&body);
	ctl_request_reply(req, &body, false);
}

void ctl_list_change(struct ctl_request *req, const char *key, const char *change, bool needs_start)
{
	struct ctl_writer body;

	ctl_writer_init(&body);
	ctl_write_map(&body);
	ctl_put_text(&body, "key", key);
	ctl_put_text(&body, "change", change);
	ctl_put_text(&body, "effect", needs_start ? "start" : "reload");
	ctl_write_close(&body);
	ctl_request_reply(req, &body, false);
}

void ctl_list_counter(struct ctl_request *req, const struct ctl_counter *counter)
{
	struct ctl_writer body;

	ctl_writer_init(&body);
	ctl_write_map(&body);
	ctl_put_text(&body, "name", counter->name);
	ctl_put_text(&body, "help", counter->help);
	ctl_put_text(&body, "unit", counter->unit);
	ctl_put_text(&body, "kind", counter->gauge ? "gauge" : "counter");
	ctl_put_uint(&body, "total", counter->total);
	if (counter->workers) {
		ctl_write_text(&body, "workers");
		ctl_write_array(&body);
		for (size_t i = 0; i < counter->worker_count; i++)
			ctl_write_uint(&body, counter->workers[i]);
		ctl_write_close(&body);
	}
	ctl_write_close(&body);
	ctl_request_reply(req, &body, false);
}

struct state_words {
	const char *name, *reason, *remedy;
};

#define STATE_WORDS(constant, word, reason, remedy) [constant] = {word, reason, remedy},
static const struct state_words states[] = {CTL_DEVICE_STATES(STATE_WORDS)};
#undef STATE_WORDS

const char *ctl_device_state_name(enum ctl_device_state state)
{
	return states[state].name;
}

static void write_words(struct ctl_writer *body, const struct ctl_device_info *device,
	const char *reason, const char *remedy)
{
	ctl_put_text(body, "reason", device->reason ? device->reason : reason);
	ctl_put_text(body, "remedy", device->remedy ? device->remedy : remedy);
}

static void write_live(struct ctl_writer *body, const struct ctl_device_info *device, bool words)
{
	const struct state_words *state = &states[device->state];

	ctl_put_text(body, "state", state->name);
	if (words)
		write_words(body, device, state->reason, state->remedy);
	if (device->has_highest_piv)
		ctl_put_uint(body, "highest_piv", device->highest_piv);
	if (device->has_own_piv)
		ctl_put_uint(body, "own_piv", device->own_piv);
	if (device->seen)
		ctl_put_uint(body, "last_seen_ms", device->last_seen_ms);
	if (device->worker >= 0)
		ctl_put_uint(body, "worker", device->worker);
	ctl_put_uint(body, "requests", device->requests);
	ctl_put_uint(body, "in_flight", device->in_flight);
	if (device->has_mark)
		ctl_put_uint(body, "mark", device->mark);
	ctl_put_uint(body, "uses", device->uses);
	ctl_put_uint(body, "uses_limit", device->uses_limit);
	ctl_put_uint(body, "forgeries", device->forgeries);
	ctl_put_uint(body, "forgeries_limit", device->forgeries_limit);
}

static void write_credential(struct ctl_writer *body, const struct device_info *stored)
{
	if (!stored->credential[0])
		return;
	if (stored->kid_len)
		ctl_put_bytes(body, "kid", stored->kid, stored->kid_len);
	ctl_put_bytes(body, "sha256", stored->digest, sizeof(stored->digest));
	if (stored->expires > 0)
		ctl_put_uint(body, "expires", stored->expires);
}

static void write_device(struct ctl_writer *body, const struct ctl_device_info *device, bool words)
{
	const struct device_info *stored = device->stored;

	ctl_writer_init(body);
	ctl_write_map(body);
	ctl_put_info(body, stored);
	write_credential(body, stored);
	ctl_put_uint(body, "created", stored->created);
	if (stored->rederived) {
		ctl_put_uint(body, "rederived", stored->rederived);
		ctl_put_uint(body, "rederived_at", stored->rederived_at);
	}
	if (device->live) {
		write_live(body, device, words);
	} else {
		ctl_put_text(body, "state", CTL_NOT_LIVE);
		if (words)
			write_words(body, device,
				"it is stored, but the data plane did not take it: see the log",
				"restart postern");
		if (stored->recovery == DEVICE_FLOOR)
			ctl_put_uint(body, "mark", stored->mark);
	}
	ctl_write_close(body);
}

void ctl_list_device(struct ctl_request *req, const struct ctl_device_info *device)
{
	struct ctl_writer body;

	write_device(&body, device, false);
	ctl_request_reply(req, &body, false);
}

void ctl_reply_device(struct ctl_request *req, const struct ctl_device_info *device)
{
	struct ctl_writer body;

	write_device(&body, device, true);
	ctl_request_reply(req, &body, true);
}

void ctl_reply_added(struct ctl_request *req, enum device_outcome outcome, const char *name)
{
	static const char *const words[] = {
		[DEVICE_ADDED] = "added",
		[DEVICE_UNCHANGED] = "unchanged",
		[DEVICE_REPLACED] = "replaced",
		[DEVICE_CHANGED] = "changed",
	};
	struct ctl_writer body;

	ctl_writer_init(&body);
	ctl_write_map(&body);
	ctl_put_text(&body, "name", name);
	ctl_put_text(&body, "outcome", words[outcome]);
	ctl_write_close(&body);
	ctl_request_reply(req, &body, true);
}

void ctl_reply_resynced(struct ctl_request *req, const char *name, bool has_mark, uint64_t mark)
{
	struct ctl_writer body;

	ctl_writer_init(&body);
	ctl_write_map(&body);
	ctl_put_text(&body, "name", name);
	if (has_mark)
		ctl_put_uint(&body, "mark", mark);
	ctl_write_close(&body);
	ctl_request_reply(req, &body, true);
}

void ctl_reply_drained(struct ctl_request *req, uint64_t under_way, uint64_t left)
{
	struct ctl_writer body;

	ctl_writer_init(&body);
	ctl_write_map(&body);
	ctl_put_uint(&body, "under_way", under_way);
	ctl_put_uint(&body, "left", left);
	ctl_write_close(&body);
	ctl_request_reply(req, &body, true);
}

void ctl_reply_checked(struct ctl_request *req, const struct check_report *check)
{
	struct ctl_writer body;

	for (unsigned i = 0; i < check->told; i++) {
		ctl_writer_init(&body);
		ctl_write_map(&body);
		ctl_put_text(&body, "part", "problem");
		ctl_put_text(&body, "message", check->problem[i].text);
		ctl_write_close(&body);
		ctl_request_reply(req, &body, false);
	}
	ctl_writer_init(&body);
	ctl_write_map(&body);
	ctl_put_text(&body, "part", "result");
	ctl_put_uint(&body, "devices", check->devices);
	ctl_put_uint(&body, "problems", check->problems);
	ctl_write_close(&body);
	ctl_request_reply(req, &body, false);
	ctl_request_end(req);
}

void ctl_import_progress(struct ctl_request *req, const struct import_progress *progress)
{
	struct ctl_writer body;

	ctl_writer_init(&body);
	ctl_write_map(&body);
	ctl_put_text(&body, "part", "progress");
	ctl_put_uint(&body, "bytes", progress->bytes);
	ctl_put_uint(&body, "bytes_total", progress->bytes_total);
	ctl_put_uint(&body, "rows", progress->rows);
	ctl_put_uint(&body, "applied", progress->applied);
	ctl_write_close(&body);
	ctl_request_reply(req, &body, false);
}

void ctl_reply_imported(struct ctl_request *req, const struct import_report *report)
{
	struct ctl_writer body;

	for (unsigned i = 0; i < report->named; i++) {
		ctl_writer_init(&body);
		ctl_write_map(&body);
		ctl_put_text(&body, "part", "bad-row");
		ctl_put_uint(&body, "line", report->bad_row[i].line);
		ctl_put_text(&body, "message", report->bad_row[i].error.text);
		ctl_write_close(&body);
		ctl_request_reply(req, &body, false);
	}
	if (report->bad) {
		ctl_request_error(req, CTL_BAD_ROWS,
			"%llu of %llu rows are bad, nothing was imported",
			(unsigned long long)report->bad, (unsigned long long)report->rows);
		return;
	}
	ctl_writer_init(&body);
	ctl_write_map(&body);
	ctl_put_text(&body, "part", "result");
	ctl_put_uint(&body, "rows", report->rows);
	ctl_put_uint(&body, "added", report->added);
	ctl_put_uint(&body, "unchanged", report->unchanged);
	ctl_put_uint(&body, "replaced", report->replaced);
	ctl_put_uint(&body, "changed", report->changed);
	ctl_write_close(&body);
	ctl_request_reply(req, &body, false);
	ctl_request_end(req);
}
