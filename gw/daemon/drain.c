// SPDX-License-Identifier: BSD-3-Clause

#include "gw/daemon/drain.h"

#include "base/clock.h"
#include "gw/daemon/alarm.h"
#include "gw/daemon/metrics.h"
#include "gw/os/log.h"
#include "gw/os/notify.h"

#define STOP_TIMEOUT_S 5  // of a stop that nobody gave more time
#define STOP_RETURN_S  10 // a restart takes about that

static const char draining[] = "the gateway is drained: new requests get 5.03";

// Requests that are with a backend or on their way, and answers that no device has acknowledged.
static uint64_t under_way(const struct daemon *daemon)
{
	uint64_t count = 0;

	for (unsigned i = 0; i < dp_worker_count(daemon->dp); i++)
		count += dp_worker_exchanges(daemon->dp) - dp_worker_exchanges_free(daemon->dp, i);
	return count;
}

static void begin(struct daemon *daemon, const struct ctl_drain *how)
{
	struct daemon_drain *drain = &daemon->drain;

	dp_drain(daemon->dp, how->return_s);
	drain->begun = drain->waiting = true;
	drain->stop |= how->stop;
	drain->until_ms = clock_ms() + UINT64_C(1000) * how->timeout_s;
	drain->under_way = under_way(daemon);
	metrics_drain(daemon, true);
	if (!drain->stop)
		alarm_raise(daemon, draining);
	notify_systemd("STATUS=draining");
	log_notice("draining: %lu requests and answers are under way", drain->under_way);
}

void drain_end(struct daemon *daemon)
{
	struct daemon_drain *drain = &daemon->drain;

	if (!drain->waiting)
		return;
	const uint64_t left = under_way(daemon);

	drain->waiting = false;
	if (left)
		log_warning("drained: %lu requests and answers are not finished", left);
	else
		log_notice("drained: all that was under way is finished");
	if (drain->req)
		ctl_reply_drained(drain->req, drain->under_way, left);
	drain->req = NULL;
	if (drain->stop)
		daemon->stopping = true;
}

bool drain_turn(struct daemon *daemon)
{
	const struct daemon_drain *drain = &daemon->drain;

	if (!drain->waiting)
		return false;
	if (under_way(daemon) && clock_ms() < drain->until_ms)
		return true;
	drain_end(daemon);
	return false;
}

void drain_to_stop(struct daemon *daemon)
{
	const struct ctl_drain how = {
		.timeout_s = STOP_TIMEOUT_S, .return_s = STOP_RETURN_S, .stop = true};

	if (daemon->drain.stop) {
		daemon->stopping = true;
		return;
	}
	daemon->stopping = false;
	begin(daemon, &how);
}

void verb_drain(void *arg, struct ctl_request *req, const struct ctl_drain *how)
{
	struct daemon *daemon = arg;

	if (daemon->drain.waiting) {
		ctl_request_error(req, CTL_BUSY, "a drain is under way");
		return;
	}
	daemon->drain.req = req;
	log_notice("uid %ju asks for a drain%s", (uintmax_t)ctl_request_uid(req),
		how->stop ? ", and a stop after it" : "");
	begin(daemon, how);
}

void verb_undrain(void *arg, struct ctl_request *req)
{
	struct daemon *daemon = arg;

	if (daemon->drain.stop) {
		ctl_request_error(req, CTL_STOPPING, "the daemon stops after this drain");
		return;
	}
	drain_end(daemon);
	dp_drain(daemon->dp, 0);
	if (daemon->drain.begun) {
		alarm_end(daemon, draining);
		notify_systemd("STATUS=serving");
		log_notice("uid %ju ends the drain: requests are taken again",
			(uintmax_t)ctl_request_uid(req));
	}
	daemon->drain.begun = false;
	metrics_drain(daemon, false);
	ctl_request_end(req);
}
