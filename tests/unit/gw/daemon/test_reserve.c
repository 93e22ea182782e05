// SPDX-License-Identifier: BSD-3-Clause
// What main asks of the store for the workers, with the store thread as it is, and with the data
// plane's ends wrapped by the linker.

#include "gw/daemon/reserve.h"
#include "tests/unit/gw/store/bed.h"

#include <criterion/criterion.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

static struct bed bed;
static struct daemon gateway;
static struct registry_entry entries[2];
static unsigned marks_raised, errors;
static char error[256]; // the last line of the log

void __wrap_log_line(enum conf_log_level level, const char *format, ...);
void __wrap_log_line(enum conf_log_level level, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(error, sizeof(error), format, args);
	va_end(args);
	errors += level == CONF_LOG_ERROR;
}

int __wrap_dp_mark_raise(struct dp *dp, uint32_t context, uint32_t generation, uint64_t mark);
int __wrap_dp_mark_raise(struct dp *dp, uint32_t context, uint32_t generation, uint64_t mark)
{
	marks_raised++;
	return 0;
}

static struct dp_context_table contexts;
static int64_t clock_s; // Unix time

static int64_t clock_read(void)
{
	return clock_s;
}

struct dp_context_table *__wrap_dp_contexts(struct dp *dp);
struct dp_context_table *__wrap_dp_contexts(struct dp *dp)
{
	return &contexts;
}

void __wrap_dp_clock_grant(struct dp *dp, int64_t limit_s);
void __wrap_dp_clock_grant(struct dp *dp, int64_t limit_s)
{
	contexts.clock.limit = limit_s - DP_CLOCK_EPOCH_S;
}

static void set_up(void)
{
	bed_make(&bed);
	bed_open(&bed);
}

static void start(void)
{
	gateway.store_thread = store_thread_start(bed.store);
	cr_assert_not_null(gateway.store_thread);
	bed.store = NULL; // the thread's
	gateway.registry = (struct registry){.entry = entries, .max = 2};
	gateway.reserve = reserve_new(&gateway);
	cr_assert_not_null(gateway.reserve);
}

static void tear_down(void)
{
	store_thread_stop(gateway.store_thread);
	reserve_free(gateway.reserve);
	bed_remove(&bed);
}

TestSuite(reserve, .init = set_up, .fini = tear_down, .timeout = 120);

static void add_floored(unsigned index, const char *id)
{
	struct device_spec spec = bed_spec(index, id, "aa");
	struct device_keyed device;

	spec.has_recovery = true;
	spec.recovery = DEVICE_FLOOR;
	cr_assert_eq(bed_add(&bed, &spec), DEVICE_ADDED);
	bed_load(&bed, id, &device);
	entries[index] = (struct registry_entry){.id = device.id, .generation = 2};
	strcpy(entries[index].name, id);
}

// A worker asks for a mark once. If its device is damaged, it stands still, and somebody must know.
Test(reserve, a_device_whose_mark_cannot_be_raised_is_named_and_others_go_on)
{
	add_floored(0, "01");
	add_floored(1, "02");
	bed_close(&bed);
	bed_sql(&bed, "UPDATE device SET keys = zeroblob(85) WHERE name = '01'");
	bed_open(&bed);
	start();
	for (uint32_t context = 0; context < 2; context++)
		reserve_event(gateway.reserve,
			&(struct dp_event){.type = DP_EVENT_MARK_WANTED,
				.context = context,
				.generation = 2,
				.arg = 100});
	reserve_turn(gateway.reserve);
	struct pollfd ready = {.fd = store_thread_fd(gateway.store_thread), .events = POLLIN};
	cr_assert_eq(poll(&ready, 1, 60000), 1);
	store_thread_poll(gateway.store_thread);
	cr_expect_eq(marks_raised, 1);
	cr_expect_eq(errors, 1);
	cr_expect_not_null(strstr(error, "device 01 is damaged in the store"), "%s", error);
}

static void store_turn(void)
{
	struct pollfd ready = {.fd = store_thread_fd(gateway.store_thread), .events = POLLIN};

	reserve_turn(gateway.reserve);
	cr_assert_eq(poll(&ready, 1, 60000), 1);
	store_thread_poll(gateway.store_thread);
}

static void expect_alarms(size_t count)
{
	cr_expect_eq(gateway.alarm_count, count, "%zu alarms", gateway.alarm_count);
}

// A clock that the test sets.
Test(reserve, seconds_of_the_clock_are_reserved_before_they_come)
{
	struct dp_clock *clock = &contexts.clock;

	clock_s = time(NULL);
	*clock = (struct dp_clock){
		.read = clock_read, .least = clock_s - DP_CLOCK_EPOCH_S, .used = -1, .limit = -1};
	start();
	reserve_turn(gateway.reserve);
	cr_expect_eq(clock->limit, -1, "nobody needs it");
	gateway.registry.clock_count = 1;
	for (unsigned i = 0; i < 3; i++) {
		store_turn();
		cr_expect_eq(clock->limit + DP_CLOCK_EPOCH_S, clock_s + RESERVE_CLOCK_S);
		reserve_turn(gateway.reserve); // not again before half of them came
		clock_s += RESERVE_CLOCK_S / 2;
	}
	store_turn();
	expect_alarms(0);

	// Set forward, and what is used then stays used: back again, there is an alarm.
	clock_s += 3600;
	store_turn();
	cr_expect_eq(clock->limit + DP_CLOCK_EPOCH_S, clock_s + RESERVE_CLOCK_S);
	clock->used = clock_s - DP_CLOCK_EPOCH_S;
	clock_s -= 3600;
	reserve_turn(gateway.reserve);
	expect_alarms(1);
	cr_expect_not_null(strstr(error, "clock is behind"), "%s", error);
	clock_s += 3599;
	reserve_turn(gateway.reserve);
	expect_alarms(0);
	store_thread_stop(gateway.store_thread);
	gateway.store_thread = NULL;

	// A crash: all that was reserved may have been used.
	bed_open(&bed);
	cr_expect_eq(store_clock_least(bed.store), clock_s + 1 + RESERVE_CLOCK_S + 1);
}
