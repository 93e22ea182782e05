// SPDX-License-Identifier: BSD-3-Clause

#include "gw/daemon/capture.h"

#include "base/clock.h"
#include "base/container.h"
#include "dataplane/look.h"
#include "gw/daemon/device_context.h"
#include "gw/daemon/registry.h"
#include "gw/os/log.h"
#include "gw/store/jobs.h"

#include <rte_cycles.h>

#include <errno.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define UNSENT_MAX      (256 * 1024)          // bytes that wait for the client
#define TURN_BYTES      (1024 * 1024)         // that are handed on in one turn
#define MESSAGE_BYTES   (CTL_MESSAGE_MAX / 2) // with so many in it a message goes
#define WIPED_STACK     (3 * CTL_MESSAGE_MAX)
#define FRAME_OVERHEAD  64 // bytes of CBOR around one
#define FRAME_BYTES_MAX (CTL_MESSAGE_MAX - MESSAGE_BYTES - 1024)

struct capture {
	struct daemon *daemon;
	struct ctl_request *req; // NULL: the client is gone
	struct ctl_capture asked;
	struct dp_look_conf look;
	bool begun; // workers copy
	uint64_t until_ms;
	uint64_t sent;
	struct store_show_job show; // finds the device
};

static void audit(const struct capture *capture, const char *what)
{
	const struct ctl_capture *asked = &capture->asked;

	log_notice("audit: uid %ld %s a capture of %s%s%s", (long)ctl_request_uid(capture->req),
		what, asked->plain ? "opened messages" : "frames", asked->device[0] ? " of " : "",
		asked->device);
}

// Wipes and frees what is left, when the request is answered or gone.
static void capture_free(struct capture *capture)
{
	struct daemon *daemon = capture->daemon;

	if (capture->begun)
		dp_look_end(daemon->dp, DP_LOOK_CAPTURE);
	daemon->capture = NULL;
	free(capture);
}

static void client_gone(void *arg)
{
	struct capture *capture = arg;
	struct ctl_request *req = capture->req;

	log_notice("audit: the client of a capture left after %lu copies", capture->sent);
	capture->req = NULL;
	ctl_request_end(req);
	if (capture->begun)
		capture_free(capture);
	// Else found() does.
}

static void capture_fail(struct capture *capture, enum ctl_error code, const char *text)
{
	if (capture->req)
		ctl_request_error(capture->req, code, "%s", text);
	capture_free(capture);
}

static void ports_reply(const struct capture *capture)
{
	const struct daemon *daemon = capture->daemon;
	struct ctl_writer body;

	ctl_writer_init(&body);
	ctl_write_map(&body);
	ctl_put_bool(&body, "plain", capture->asked.plain);
	ctl_put_uint(&body, "seconds", capture->asked.seconds);
	ctl_write_text(&body, "ports");
	ctl_write_array(&body);
	for (size_t i = 0; i < daemon->port_count; i++)
		ctl_write_text(&body, daemon->port[i].conf->name);
	ctl_write_close(&body);
	ctl_write_close(&body);
	ctl_request_reply(capture->req, &body, false);
}

static void capture_begin(struct capture *capture)
{
	int rc = dp_look_begin(capture->daemon->dp, DP_LOOK_CAPTURE, &capture->look);

	if (rc) {
		capture_fail(capture, CTL_BUSY,
			rc == -EBUSY ? "the capture before is not wiped yet: try again"
				     : "no memory for the rings of a capture");
		return;
	}
	audit(capture, "began");
	capture->begun = true;
	capture->until_ms = clock_ms() + 1000 * capture->asked.seconds;
	ports_reply(capture); // the client may turn out to be gone: client_gone() frees all
}

static void found(struct store_job *job)
{
	struct capture *capture = CONTAINER_OF(job, struct capture, show.job);
	uint32_t index;

	if (!capture->req) {
		capture_free(capture);
		return;
	}
	const struct dp_context *ctx = device_context(capture->daemon, &capture->show, &index);

	if (!ctx && job->result) {
		ctl_reply_failed(capture->req, job->result, &job->error);
		capture_free(capture);
		return;
	}
	if (!ctx) {
		capture_fail(capture, CTL_NO_SUCH_DEVICE, "the device is not served now");
		return;
	}
	capture->look.context = index;
	capture->look.generation = capture->daemon->registry.entry[index].generation;
	capture_begin(capture);
}

// False after the request was answered.
static bool port_find(const struct daemon *daemon, struct ctl_request *req, const char *name,
	struct dp_look_conf *look)
{
	look->has_port = name[0] != 0;
	if (!look->has_port)
		return true;
	for (size_t i = 0; i < daemon->port_count; i++)
		if (!strcmp(daemon->port[i].conf->name, name)) {
			look->port_id = daemon->port[i].port_id;
			return true;
		}
	ctl_request_error(req, CTL_BAD_REQUEST, "there is no port %s", name);
	return false;
}

void verb_capture(void *arg, struct ctl_request *req, const struct ctl_capture *asked)
{
	struct daemon *daemon = arg;
	struct dp_look_conf look = {.plain = asked->plain, .context = DP_INDEX_NONE};
	struct capture *capture;

	if (daemon->capture) {
		ctl_request_error(req, CTL_BUSY, "another capture is under way");
		return;
	}
	if (!port_find(daemon, req, asked->port, &look))
		return;
	capture = calloc(1, sizeof(*capture));
	if (!capture) {
		ctl_request_error(req, CTL_BUSY, "no memory");
		return;
	}
	capture->daemon = daemon;
	capture->req = req;
	capture->asked = *asked;
	capture->look = look;
	daemon->capture = capture;
	ctl_request_on_gone(req, client_gone, capture);
	if (!asked->device[0]) {
		capture_begin(capture);
		return;
	}
	memcpy(capture->show.name, asked->device, sizeof(capture->show.name));
	capture->show.job.done = found;
	store_show_job_init(&capture->show);
	store_thread_submit(daemon->store_thread, &capture->show.job);
}

// Nanoseconds of Unix time: the time-stamp counters of all CPUs run alike, as the workers' clocks
// need it, too.
static uint64_t time_of(uint64_t tsc)
{
	struct timespec now;
	uint64_t ago = rte_rdtsc() - tsc;

	clock_gettime(CLOCK_REALTIME, &now);
	if (ago > INT64_MAX)
		ago = 0;
	return (uint64_t)now.tv_sec * 1000000000 + now.tv_nsec -
		(uint64_t)((double)ago * 1e9 / rte_get_tsc_hz());
}

static size_t port_number(const struct daemon *daemon, uint16_t port_id)
{
	size_t i = 0;

	while (i + 1 < daemon->port_count && daemon->port[i].port_id != port_id)
		i++;
	return i;
}

// [time, port, out, length on the wire, bytes]
static void copy_write(
	const struct daemon *daemon, struct ctl_writer *body, const struct dp_copy *copy)
{
	uint8_t bytes[DP_LOOK_HEADERS + FRAME_BYTES_MAX];
	const bool plain = copy->kind == DP_COPY_PLAIN_IN || copy->kind == DP_COPY_PLAIN_OUT;
	const bool out = copy->kind == DP_COPY_FRAME_OUT || copy->kind == DP_COPY_PLAIN_OUT;
	const unsigned headers = plain ? dp_look_headers(copy, bytes) : 0;
	const size_t len = RTE_MIN(copy->len, (size_t)FRAME_BYTES_MAX);

	memcpy(bytes + headers, copy->bytes, len);
	ctl_write_array(body);
	ctl_write_uint(body, time_of(copy->tsc));
	ctl_write_uint(body, port_number(daemon, copy->port_id));
	ctl_write_bool(body, out);
	ctl_write_uint(body, headers + copy->wire_len);
	ctl_write_bytes(body, bytes, headers + len);
	ctl_write_close(body);
}

// Sends one message of copies. Returns their bytes; 0: there are none.
static size_t copies_send(struct daemon *daemon, struct capture *capture)
{
	struct ctl_writer body;
	const struct dp_copy *copy = dp_look_peek(daemon->dp);
	size_t len;

	if (!copy || capture->sent == capture->asked.count)
		return 0;
	ctl_writer_init(&body);
	ctl_write_map(&body);
	ctl_put_uint(&body, "lost", dp_look_lost(daemon->dp, DP_LOOK_CAPTURE));
	ctl_write_text(&body, "frames");
	ctl_write_array(&body);
	while (copy && capture->sent < capture->asked.count &&
		body.len + FRAME_OVERHEAD < MESSAGE_BYTES) {
		copy_write(daemon, &body, copy);
		capture->sent++;
		dp_look_pop(daemon->dp);
		copy = dp_look_peek(daemon->dp);
	}
	ctl_write_close(&body);
	ctl_write_close(&body);
	len = body.len;
	ctl_request_reply(capture->req, &body, false);
	return len;
}

static void capture_end(struct capture *capture, const char *why)
{
	struct ctl_request *req = capture->req;
	struct ctl_writer body;

	audit(capture, "ended");
	ctl_writer_init(&body);
	ctl_write_map(&body);
	ctl_put_text(&body, "ended", why);
	ctl_put_uint(&body, "lost", dp_look_lost(capture->daemon->dp, DP_LOOK_CAPTURE));
	ctl_write_close(&body);
	capture_free(capture);
	ctl_request_reply(req, &body, true);
}

bool capture_turn(struct daemon *daemon)
{
	bool ending = dp_look_turn(daemon->dp);
	const bool plain = daemon->capture && daemon->capture->asked.plain;

	if (!daemon->capture || !daemon->capture->begun)
		return ending;
	// Each reply may find the client gone, and the capture with it.
	for (size_t sent = 0, last = 1; daemon->capture && last && sent < TURN_BYTES; sent += last)
		last = ctl_request_unsent(daemon->capture->req) < UNSENT_MAX
			? copies_send(daemon, daemon->capture)
			: 0;
	if (daemon->capture && daemon->capture->sent == daemon->capture->asked.count)
		capture_end(daemon->capture, "count");
	else if (daemon->capture && clock_ms() >= daemon->capture->until_ms)
		capture_end(daemon->capture, "time");
	if (plain)
		sodium_stackzero(WIPED_STACK);
	return true;
}

void capture_stop(struct daemon *daemon)
{
	if (daemon->capture && daemon->capture->begun)
		capture_fail(daemon->capture, CTL_STOPPING, "the daemon is stopping");
}
