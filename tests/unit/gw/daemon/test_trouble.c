// SPDX-License-Identifier: BSD-3-Clause
// An alarm while something around the daemon goes wrong, with clocks and counters of the test's
// own.

#include "gw/daemon/trouble.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <string.h>
#include <time.h>

#define START_MS INT64_C(1000000)
#define WALL_MS  INT64_C(1800000000000)

static struct conf of_start = {.control.socket = "socket"};
static struct daemon gateway = {.conf = &of_start};
static struct up_slots *slots;
static int64_t monotonic_ms = START_MS, boot_ms = START_MS, wall_ms = WALL_MS;
static int64_t stall_ms; // between the readings of two clocks
static uint64_t lost, unanswered, access_failed;
static int control; // what a look at the control socket finds
static unsigned lines;

int __wrap_clock_gettime(clockid_t id, struct timespec *now);
int __wrap_clock_gettime(clockid_t id, struct timespec *now)
{
	const int64_t ms = id == CLOCK_REALTIME ? wall_ms
		: id == CLOCK_BOOTTIME          ? boot_ms
						: monotonic_ms;

	*now = (struct timespec){.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000};
	if (id == CLOCK_BOOTTIME) {
		boot_ms += stall_ms;
		wall_ms += stall_ms;
	}
	return 0;
}

uint64_t __wrap_log_lost(void);
uint64_t __wrap_log_lost(void)
{
	return lost;
}

uint64_t __wrap_http_resolve_unanswered(void);
uint64_t __wrap_http_resolve_unanswered(void)
{
	return unanswered;
}

uint64_t __wrap_up_access_log_failed(const struct up_access_log *log);
uint64_t __wrap_up_access_log_failed(const struct up_access_log *log)
{
	return access_failed;
}

void __wrap_log_line(enum conf_log_level level, const char *format, ...);
void __wrap_log_line(enum conf_log_level level, const char *format, ...)
{
	lines++;
}

int __wrap_ctl_server_look(struct ctl_server *server);
int __wrap_ctl_server_look(struct ctl_server *server)
{
	return control;
}

void __wrap_ctl_event_alarm(struct ctl_server *server, const char *sentence, bool begins);
void __wrap_ctl_event_alarm(struct ctl_server *server, const char *sentence, bool begins)
{
}

// So many seconds pass, in each of which main takes turns.
static void pass(unsigned seconds)
{
	while (seconds--) {
		monotonic_ms += 1000;
		boot_ms += 1000;
		wall_ms += 1000;
		trouble_turn(&gateway);
		trouble_turn(&gateway);
	}
}

static bool alarmed(const char *begin)
{
	for (size_t i = 0; i < gateway.alarm_count; i++)
		if (!strncmp(gateway.alarm[i], begin, strlen(begin)))
			return true;
	return false;
}

static void set_up(void)
{
	slots = up_slots_create(2);
	cr_assert_not_null(slots);
	gateway.slots = slots;
	pass(3);
	cr_assert_eq(gateway.alarm_count, 0);
}

static void tear_down(void)
{
	up_slots_free(slots);
}

TestSuite(trouble, .init = set_up, .fini = tear_down);

Test(trouble, lines_of_the_log)
{
	lost = 5;
	pass(1);
	cr_expect(alarmed("lines of the log are lost"));
	pass(59);
	lost = 6;
	pass(60);
	cr_expect(alarmed("lines of the log are lost"), "one was lost 59 s ago");
	pass(1);
	cr_expect_eq(gateway.alarm_count, 0);
}

Test(trouble, lines_of_the_access_log)
{
	access_failed = 1;
	pass(1);
	cr_expect_eq(gateway.alarm_count, 0, "there is no access log");
	gateway.access = (struct up_access_log *)&gateway; // never looked into
	pass(1);
	cr_expect(alarmed("lines of the access log are lost"));
	pass(60);
	cr_expect_eq(gateway.alarm_count, 0);
}

Test(trouble, control_socket)
{
	lines = 0;
	control = 1; // it was made again
	pass(1);
	cr_expect_eq(gateway.alarm_count, 0);
	cr_expect_eq(lines, 1);
	control = -EEXIST;
	pass(10);
	cr_expect(alarmed("the file of the control socket was removed"));
	cr_expect_eq(lines, 3, "why, and the alarm, once each");
	control = -ENOENT;
	pass(10);
	cr_expect_eq(lines, 4, "why else");
	control = 1;
	pass(1);
	cr_expect_eq(gateway.alarm_count, 0);
	control = 0;
}

Test(trouble, name_server)
{
	unanswered = 1;
	pass(1);
	cr_expect(alarmed("no name server answers"));
	pass(60);
	cr_expect_eq(gateway.alarm_count, 0);
	unanswered = 2;
	pass(1);
	cr_expect_eq(gateway.alarm_count, 1, "again");
}

// In whichever loop of whichever upstream.
Test(trouble, shortages)
{
	struct conf_server server = {.text = "http://a"};
	struct conf_upstream upstreams[] = {{.name = "a", .servers = &server, .server_count = 1},
		{.name = "b", .servers = &server, .server_count = 1}};
	const struct conf conf = {.upstreams = upstreams, .upstream_count = 2};

	cr_assert_eq(up_slots_take(slots, &conf), 0);
	up_slot_find(slots, "b")->loop[1].stat[UP_STAT_ERROR + HTTP_ERR_local]++;
	pass(1);
	cr_expect(alarmed("this machine lacks"));
	up_slot_find(slots, "a")->loop[0].stat[UP_STAT_ERROR + HTTP_ERR_timeout]++;
	pass(10);
	cr_expect_eq(gateway.alarm_count, 0);
}

Test(trouble, clock_forward_and_back)
{
	wall_ms += 5000;
	pass(1);
	cr_expect(alarmed("the clock was set"));
	cr_expect_eq(gateway.trouble.clock_steps, 1);
	pass(300);
	wall_ms -= 5000;
	pass(1);
	cr_expect_eq(gateway.trouble.clock_steps, 2);
	pass(TROUBLE_CLOCK_S - 1);
	cr_expect(alarmed("the clock was set"));
	pass(1);
	cr_expect_eq(gateway.alarm_count, 0);
}

// A slew of 500 ppm for a day.
Test(trouble, a_clock_that_is_slewed_is_not_set)
{
	for (unsigned i = 0; i < 86400; i++) {
		wall_ms += i % 2;
		pass(1);
	}
	cr_expect_eq(gateway.trouble.clock_steps, 0);
}

// Both go on while the machine is suspended; CLOCK_MONOTONIC does not.
Test(trouble, a_suspended_machine_has_its_clock_right)
{
	boot_ms += 3600000;
	wall_ms += 3600000;
	pass(2);
	cr_expect_eq(gateway.trouble.clock_steps, 0);
}

// Main gets no CPU between two readings: it cannot say anything then, and does at the next look.
Test(trouble, readings_that_are_far_apart)
{
	stall_ms = 5000;
	pass(3);
	cr_expect_eq(gateway.trouble.clock_steps, 0);
	stall_ms = 0;
	pass(3);
	cr_expect_eq(gateway.trouble.clock_steps, 0);
	wall_ms += 2000;
	pass(1);
	cr_expect_eq(gateway.trouble.clock_steps, 1);
}
