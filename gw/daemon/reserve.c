// SPDX-License-Identifier: BSD-3-Clause
// A worker requests once. From then on the request stays here until it is granted, or refused for
// good, or its device is gone.

#include "gw/daemon/reserve.h"

#include "base/clock.h"
#include "base/container.h"
#include "gw/daemon/alarm.h"
#include "gw/daemon/disk.h"
#include "gw/daemon/registry.h"
#include "gw/os/log.h"

#include <errno.h>
#include <stddef.h>
#include <stdlib.h>

#define RETRY_MS       10000 // after the store refused for now
#define GRANT_RETRY_MS 60000 // the same for the run, when there were too many in this hour

#define ALARM_RUN  "no run is granted: devices that need an Echo challenge are not served"
#define ALARM_BASE "own Partial IVs of a device are nearly used up"
#define ALARM_CLOCK \
	"seconds of the clock cannot be reserved: devices with own_piv: clock are not served"
#define ALARM_BEHIND                                                                               \
	"the clock is behind what own Partial IVs were made of: devices with own_piv: clock that " \
	"used them are not served"
#define ALARM_MARK "marks cannot be raised: devices that recover by a floor are not served"

// One context needs a higher run base or mark.
struct request {
	uint32_t context;
	uint32_t generation;
	uint64_t id; // struct device_keyed
	uint64_t value;
	bool is_mark;
};

struct requests {
	struct request *request;
	size_t count, room;
};

// Requests of one kind. Those that come while a batch is being written make the next batch.
struct queue {
	struct requests requests;
	bool busy;         // a batch is with the store thread
	uint64_t retry_ms; // CLOCK_MONOTONIC: submit nothing before
};

struct reserve {
	struct daemon *daemon;
	uint64_t recoveries; // of the disk, the last that was seen
	struct store_grant_job grant;
	bool grant_wanted, grant_busy, granted;
	uint64_t grant_retry_ms; // CLOCK_MONOTONIC: submit nothing before
	struct queue bases, marks;
	bool bases_spent;     // some device can have no higher base
	struct requests late; // on the disk, but the owner had no room for the grant
	struct store_clock_job clock;
	bool clock_busy;
	uint64_t clock_retry_ms;
	bool clock_behind; // as reported last
};

static const char *request_alarm(const struct request *request)
{
	return request->is_mark ? ALARM_MARK : ALARM_BASE;
}

// Without memory for its request a device is not served until the next start.
static void request_put(
	struct reserve *reserve, struct requests *requests, const struct request *request)
{
	if (requests->count == requests->room) {
		size_t room = requests->room ? 2 * requests->room : 64;
		struct request *more = reallocarray(requests->request, room, sizeof(*more));

		if (!more) {
			alarm_raise(reserve->daemon, request_alarm(request));
			return;
		}
		requests->request = more;
		requests->room = room;
	}
	requests->request[requests->count++] = *request;
}

static struct queue *request_queue(struct reserve *reserve, const struct request *request)
{
	return request->is_mark ? &reserve->marks : &reserve->bases;
}

// Gives the owner of the context what is on the disk now. A context that is gone needs nothing.
static void request_grant(struct reserve *reserve, const struct request *request)
{
	struct dp *dp = reserve->daemon->dp;
	int rc = request->is_mark
		? dp_mark_raise(dp, request->context, request->generation, request->value)
		: dp_run_base_raise(dp, request->context, request->generation, request->value);

	if (rc == -EAGAIN)
		request_put(reserve, &reserve->late, request);
}

// The store refused it for good, and the worker does not request it again: the device needs new
// keys.
static void request_refused(struct reserve *reserve, const struct request *request, int result)
{
	const struct registry_entry *entry =
		registry_get(&reserve->daemon->registry, request->context, request->generation);

	if (!entry || result == -ENOENT)
		return;
	if (request->is_mark) {
		log_error("device %s is damaged in the store: its mark cannot be raised, and what "
			  "it sends from there on is dropped",
			entry->name);
		return;
	}
	log_error("device %s %s: its own Partial IVs end, it needs new keys", entry->name,
		result == -ERANGE ? "has used up its runs" : "is damaged in the store");
	reserve->bases_spent = true;
	alarm_raise(reserve->daemon, ALARM_BASE);
}

static void grant_done(struct store_job *job)
{
	struct reserve *reserve = CONTAINER_OF(job, struct reserve, grant.job);

	reserve->grant_busy = false;
	disk_result(reserve->daemon, job->result);
	if (!job->result) {
		reserve->grant_wanted = false;
		reserve->granted = true;
		log_info("run %u granted: own Partial IVs may leave", reserve->grant.run);
		dp_run_grant(reserve->daemon->dp, reserve->grant.run);
		alarm_end(reserve->daemon, ALARM_RUN);
		return;
	}
	alarm_raise(reserve->daemon, ALARM_RUN);
	log_error("%s", job->error.text);
	reserve->grant_retry_ms = clock_ms() + (job->result == -EAGAIN ? GRANT_RETRY_MS : RETRY_MS);
}

static void grant_submit(struct reserve *reserve)
{
	reserve->grant_busy = true;
	reserve->grant = (struct store_grant_job){.job.done = grant_done};
	store_grant_job_init(&reserve->grant);
	store_thread_submit(reserve->daemon->store_thread, &reserve->grant.job);
}

static void clock_done(struct store_job *job)
{
	struct reserve *reserve = CONTAINER_OF(job, struct reserve, clock.job);

	reserve->clock_busy = false;
	disk_result(reserve->daemon, job->result);
	if (job->result) {
		log_error("%s", job->error.text);
		alarm_raise(reserve->daemon, ALARM_CLOCK);
		reserve->clock_retry_ms = clock_ms() + RETRY_MS;
		return;
	}
	dp_clock_grant(reserve->daemon->dp, reserve->clock.clock);
	alarm_end(reserve->daemon, ALARM_CLOCK);
}

// The clock was set back while postern ran or before it started: an alarm until it has caught up.
static void clock_watch(struct reserve *reserve, const struct dp_clock *clock)
{
	int64_t behind = reserve->daemon->registry.clock_count ? dp_clock_behind(clock) : 0;

	// One second behind is usual: each start waits for the next second.
	if ((behind > 1) == reserve->clock_behind)
		return;
	reserve->clock_behind = behind > 1;
	if (!reserve->clock_behind) {
		alarm_end(reserve->daemon, ALARM_BEHIND);
		return;
	}
	log_warning("the clock has to go on for %ld s until it is beyond all own Partial IVs",
		(long)behind);
	alarm_raise(reserve->daemon, ALARM_BEHIND);
}

// Requests the next seconds of the clock when half of the last ones are used.
static void clock_turn(struct reserve *reserve, uint64_t now_ms)
{
	const struct dp_clock *clock = &dp_contexts(reserve->daemon->dp)->clock;

	clock_watch(reserve, clock);
	if (!reserve->daemon->registry.clock_count || reserve->clock_busy ||
		now_ms < reserve->clock_retry_ms || dp_clock_now(clock) < 0 ||
		dp_clock_left(clock) > RESERVE_CLOCK_S / 2)
		return;
	reserve->clock_busy = true;
	reserve->clock = (struct store_clock_job){.job.done = clock_done,
		.clock = dp_clock_now(clock) + DP_CLOCK_EPOCH_S + RESERVE_CLOCK_S};
	store_clock_job_init(&reserve->clock);
	store_thread_submit(reserve->daemon->store_thread, &reserve->clock.job);
}

struct batch {
	struct store_raise_job job;
	struct reserve *reserve;
	struct request *request; // [job.count]
};

static void batch_done(struct store_job *job)
{
	struct batch *batch = CONTAINER_OF(job, struct batch, job.job);
	struct reserve *reserve = batch->reserve;
	struct queue *queue = request_queue(reserve, &batch->request[0]);
	const char *alarm = request_alarm(&batch->request[0]);

	queue->busy = false;
	disk_result(reserve->daemon, job->result);
	if (job->result) {
		log_error("%s", job->error.text);
		alarm_raise(reserve->daemon, alarm);
		queue->retry_ms = clock_ms() + RETRY_MS;
	}
	for (size_t i = 0; i < batch->job.count; i++) {
		if (job->result)
			request_put(reserve, &queue->requests, &batch->request[i]);
		else if (!batch->job.raise[i].result)
			request_grant(reserve, &batch->request[i]);
		else
			request_refused(reserve, &batch->request[i], batch->job.raise[i].result);
	}
	if (!job->result && (batch->job.is_mark || !reserve->bases_spent))
		alarm_end(reserve->daemon, alarm);
	free(batch->job.raise);
	free(batch->request);
	free(batch);
}

static void batch_submit(struct reserve *reserve, struct queue *queue)
{
	size_t count = queue->requests.count;
	struct batch *batch = calloc(1, sizeof(*batch));
	struct store_raise *raise = calloc(count, sizeof(*raise));

	if (!batch || !raise) {
		free(batch);
		free(raise);
		queue->retry_ms = clock_ms() + RETRY_MS;
		return;
	}
	for (size_t i = 0; i < count; i++)
		raise[i] = (struct store_raise){.id = queue->requests.request[i].id,
			.value = queue->requests.request[i].value};
	batch->reserve = reserve;
	batch->request = queue->requests.request;
	batch->job.is_mark = queue == &reserve->marks;
	batch->job.raise = raise;
	batch->job.count = count;
	batch->job.job.done = batch_done;
	queue->requests = (struct requests){0};
	queue->busy = true;
	store_raise_job_init(&batch->job);
	store_thread_submit(reserve->daemon->store_thread, &batch->job.job);
}

static void queue_turn(struct reserve *reserve, struct queue *queue)
{
	if (queue->requests.count && !queue->busy && clock_ms() >= queue->retry_ms)
		batch_submit(reserve, queue);
}

bool reserve_needs_run(const struct device_keyed *device)
{
	if (device->own_piv == DEVICE_OWN_PIV_CLOCK || device->resync_needed ||
		device->credential_len)
		return false;
	return device->own_piv == DEVICE_OWN_PIV_ALWAYS ||
		(device->recovery != DEVICE_FLOOR && !device->window_known);
}

static void run_want(struct reserve *reserve)
{
	reserve->grant_wanted = !reserve->granted;
}

void reserve_device(struct reserve *reserve, const struct device_keyed *device)
{
	if (reserve_needs_run(device))
		run_want(reserve);
}

void reserve_start(struct reserve *reserve, bool needs_run)
{
	if (needs_run)
		run_want(reserve);
	reserve_turn(reserve);
	while (reserve->grant_busy || reserve->clock_busy)
		store_thread_wait(reserve->daemon->store_thread);
}

void reserve_event(struct reserve *reserve, const struct dp_event *event)
{
	const struct registry_entry *entry =
		registry_get(&reserve->daemon->registry, event->context, event->generation);
	struct request request = {.context = event->context, .generation = event->generation};

	if (event->type == DP_EVENT_RUN_WANTED) {
		run_want(reserve);
		return;
	}
	if (!entry)
		return;
	request.id = entry->id;
	request.is_mark = event->type == DP_EVENT_MARK_WANTED;
	request.value = request.is_mark ? event->arg : event->arg + 1; // the next run
	request_put(reserve, &request_queue(reserve, &request)->requests, &request);
}

// When the disk takes writes again, what the store refused is requested again at once.
static void retry_at_once(struct reserve *reserve)
{
	const uint64_t recoveries = reserve->daemon->disk.recoveries;

	if (recoveries == reserve->recoveries)
		return;
	reserve->recoveries = recoveries;
	reserve->grant_retry_ms = 0;
	reserve->marks.retry_ms = 0;
	reserve->bases.retry_ms = 0;
	reserve->clock_retry_ms = 0;
}

bool reserve_turn(struct reserve *reserve)
{
	struct requests late = reserve->late;

	retry_at_once(reserve);
	if (reserve->grant_wanted && !reserve->grant_busy && clock_ms() >= reserve->grant_retry_ms)
		grant_submit(reserve);
	queue_turn(reserve, &reserve->marks);
	queue_turn(reserve, &reserve->bases);
	if (reserve->daemon->registry.clock_count || reserve->clock_behind)
		clock_turn(reserve, clock_ms());
	if (late.count) {
		reserve->late = (struct requests){0};
		for (size_t i = 0; i < late.count; i++)
			request_grant(reserve, &late.request[i]);
		free(late.request);
	}
	return reserve->late.count;
}

struct reserve *reserve_new(struct daemon *daemon)
{
	struct reserve *reserve = calloc(1, sizeof(*reserve));

	if (reserve)
		reserve->daemon = daemon;
	return reserve;
}

void reserve_free(struct reserve *reserve)
{
	if (!reserve)
		return;
	free(reserve->marks.requests.request);
	free(reserve->bases.requests.request);
	free(reserve->late.request);
	free(reserve);
}
