// SPDX-License-Identifier: BSD-3-Clause
// Each kind of trouble has a counter that stands still as long as all is well.

#include "gw/daemon/trouble.h"

#include "base/clock.h"
#include "gw/ctl/socket.h"
#include "gw/daemon/alarm.h"
#include "gw/http/resolve.h"
#include "gw/os/log.h"
#include "gw/upstream/access_log.h"
#include "gw/upstream/loop.h"
#include "gw/upstream/route_stats.h"

#include <stdlib.h>

#define LOOK_MS     1000
#define STEP_MS     1000 // that the clock may differ from one look to the next
#define DOUBTFUL_MS 100  // between readings of two clocks that are to be compared

static uint64_t lines_lost(const struct daemon *daemon)
{
	return log_lost();
}

static uint64_t access_lines_failed(const struct daemon *daemon)
{
	return daemon->access ? up_access_log_failed(daemon->access) : 0;
}

static uint64_t names_unanswered(const struct daemon *daemon)
{
	return http_resolve_unanswered();
}

// Of all upstreams that there have been.
static uint64_t shortages(const struct daemon *daemon)
{
	const struct up_slots *slots = daemon->slots;
	uint64_t sum = 0;

	for (size_t i = 0; i < slots->count; i++)
		sum += up_slot_stat(slots->slot[i], UP_STAT_ERROR + HTTP_ERR_local);
	return sum;
}

static uint64_t clock_steps(const struct daemon *daemon)
{
	return daemon->trouble.clock_steps;
}

static const struct {
	uint64_t (*count)(const struct daemon *daemon);
	uint64_t stays_ms; // the alarm, after the counter rose last
	const char *sentence;
} troubles[DAEMON_TROUBLES] = {
	{lines_lost, 60000, "lines of the log are lost: nobody reads them in time"},
	{access_lines_failed, 60000,
		"lines of the access log are lost: its file or reader does not take them"},
	{names_unanswered, 60000,
		"no name server answers: servers whose names are not known are not reached"},
	{shortages, 10000,
		"this machine lacks descriptors, ports or memory for connections to servers"},
	{clock_steps, TROUBLE_CLOCK_S * 1000,
		"the clock was set: certificates may be taken for expired or not yet valid"},
};

static int64_t ms_of(const struct timespec *time)
{
	return (int64_t)time->tv_sec * 1000 + time->tv_nsec / 1000000;
}

// How far the time of day is ahead of the time since the machine was started, which goes on while
// it is suspended. Returns false if this thread did not run between the two readings.
static bool clock_ahead(int64_t *ahead_ms)
{
	struct timespec before, wall, after;

	clock_gettime(CLOCK_BOOTTIME, &before);
	clock_gettime(CLOCK_REALTIME, &wall);
	clock_gettime(CLOCK_BOOTTIME, &after);
	*ahead_ms = ms_of(&wall) - ms_of(&before);
	return ms_of(&after) - ms_of(&before) < DOUBTFUL_MS;
}

// A clock that is slewed differs by less than a millisecond from one look to the next.
static void clock_look(struct daemon_trouble *trouble)
{
	const int64_t before = trouble->clock_ahead_ms;
	int64_t now;

	if (!clock_ahead(&now))
		return;
	trouble->clock_ahead_ms = now;
	if (!trouble->clock_known || llabs(now - before) < STEP_MS) {
		trouble->clock_known = true;
		return;
	}
	trouble->clock_steps++;
	log_warning("the clock was set %s by %ld s", now > before ? "forward" : "back",
		(long)((llabs(now - before) + 500) / 1000));
}

// Without its file nobody reaches the daemon, and what cleans directories knows no sockets.
static void control_look(struct daemon *daemon)
{
	static const char sentence[] =
		"the file of the control socket was removed, and cannot be made again";
	const char *path = daemon->conf->control.socket;
	const int rc = ctl_server_look(daemon->ctl);

	if (rc == 1)
		log_warning("control socket %s: the file was removed, and is made again", path);
	else if (rc && rc != daemon->trouble.control_error)
		log_error("control socket %s: %s", path, ctl_socket_error(-rc));
	daemon->trouble.control_error = rc < 0 ? rc : 0;
	if (rc < 0)
		alarm_raise(daemon, sentence);
	else
		alarm_end(daemon, sentence);
}

// What is observed is polled meanwhile, so that devices hear later, and of less.
static void streams_look(struct daemon *daemon)
{
	static const char sentence[] = "streams of events do not come though they are asked for "
				       "again: what is observed is polled";
	const size_t slots = route_slots_count(&daemon->route_slots);
	uint64_t failing = 0;

	for (unsigned i = 0; i < daemon->conf->workers.loops; i++)
		for (unsigned slot = 0; daemon->loop[i] && slot < slots; slot++)
			failing += __atomic_load_n(&up_loop_route_stats(daemon->loop[i], slot)
							    ->stream[UP_STREAM_STAT_failing],
				__ATOMIC_RELAXED);
	if (failing)
		alarm_raise(daemon, sentence);
	else
		alarm_end(daemon, sentence);
}

void trouble_turn(struct daemon *daemon)
{
	struct daemon_trouble *trouble = &daemon->trouble;
	const uint64_t now_ms = clock_ms();

	if (now_ms < trouble->look_ms)
		return;
	trouble->look_ms = now_ms + LOOK_MS;
	clock_look(trouble);
	control_look(daemon);
	streams_look(daemon);
	for (unsigned i = 0; i < DAEMON_TROUBLES; i++) {
		const uint64_t count = troubles[i].count(daemon);

		if (count != trouble->count[i]) {
			trouble->count[i] = count;
			trouble->rose_ms[i] = now_ms;
			alarm_raise(daemon, troubles[i].sentence);
		} else if (now_ms - trouble->rose_ms[i] >= troubles[i].stays_ms) {
			alarm_end(daemon, troubles[i].sentence);
		}
	}
}
