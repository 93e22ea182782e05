// SPDX-License-Identifier: BSD-3-Clause

#include "tests/sim/schedule.h"

#include "dataplane/dp.h"
#include "tests/sim/backend.h"
#include "tests/sim/database.h"
#include "tests/sim/device.h"
#include "tests/sim/disk.h"
#include "tests/sim/faults.h"
#include "tests/sim/gateway.h"
#include "tests/sim/net.h"
#include "tests/sim/operator.h"
#include "tests/sim/pass.h"
#include "tests/sim/settings.h"
#include "tests/sim/sim.h"
#include "tests/sim/stranger.h"
#include "tests/sim/taste.h"
#include "tests/sim/threads.h"

#include <rte_common.h>

#include <string.h>

#define EVENTS_LEAST    200
#define EVENTS_MORE     100
#define FAULT_LEAST     150  // event by which there is one
#define TURNS_MAX       1000 // in which all is done that can be
#define IDLE_STEP_LEAST 5    // ms
#define IDLE_STEP_MOST  500
#define IDLE_MS         150000 // within which all that was under way is over

enum { DISK_AFTER_STOP, DISK_AFTER_CRASH };

struct schedule_totals schedule_totals;
static uint64_t step_ms; // of time that passes while main waits and nothing happens

// --- time and turns ---------------------------------------------------------------------------

static uint64_t next_ms(void)
{
	uint64_t next = net_next_ms(), threads = sim_threads_next_ms();

	if (pass_due_ms() < next)
		next = pass_due_ms();

	for (unsigned i = 0; i < DEVICES; i++)
		if (device_due_ms(i) < next)
			next = device_due_ms(i);
	if (threads != UINT64_MAX && threads - sim.mono_offset < next)
		next = threads - sim.mono_offset;
	return next;
}

// Time goes on to when something is due, but not by more than that.
static void pass_until_due(uint64_t most_ms)
{
	uint64_t next = next_ms();

	if (next <= sim.ms)
		next = sim.ms + 1;
	sim_pass(next - sim.ms < most_ms ? next - sim.ms : most_ms);
}

// Whether main is not on a CPU now.
static bool is_late(unsigned thread)
{
	return taste.main_every > 1 && gateway.serving && !gateway.daemon.stopping &&
		!sim.no_faults && !strcmp(sim_thread_name(thread), "main") &&
		!sim_once_in(taste.main_every);
}

static bool thread_turn(void)
{
	unsigned first = sim_rnd(SIM_THREADS_MAX);

	for (unsigned i = 0; i < SIM_THREADS_MAX; i++) {
		unsigned thread = (first + i) % SIM_THREADS_MAX;

		if (!sim_thread_ready(thread) || is_late(thread))
			continue;
		sim_thread_run(thread);
		return true;
	}
	return false;
}

// Devices do nothing while main waits, and what arrived is taken or lies.
static void pass_idle(uint64_t most_ms)
{
	uint64_t next = sim.ms + most_ms, net = net_next_ms(), threads = sim_threads_next_ms();

	if (net > sim.ms && net < next)
		next = net;
	if (threads != UINT64_MAX && threads - sim.mono_offset < next)
		next = threads - sim.mono_offset;
	sim_pass(next > sim.ms ? next - sim.ms : 1);
}

// While main waits for a thread: at a start and at a stop. The longer nothing happens the more time
// passes at once.
static void idle(void)
{
	bool worked = false;

	if (gateway.daemon.dp && dp_running(gateway.daemon.dp))
		for (unsigned i = 0; i < SIM_WORKERS; i++)
			worked |= gateway_worker_turn(i) > 0;
	if (thread_turn()) {
		step_ms = IDLE_STEP_LEAST;
		return;
	}
	step_ms = worked ? IDLE_STEP_LEAST : RTE_MIN(2 * step_ms, (uint64_t)IDLE_STEP_MOST);
	pass_idle(step_ms);
}

// --- a process comes and goes -----------------------------------------------------------------

static void ended(void)
{
	operator_lost();
	backend_begin();
}

static void clear(void)
{
	gateway_clear();
	ended();
	schedule_totals.crashes++;
	schedule_totals.power_cuts += gateway.power;
}

static void begin_life(void)
{
	if (gateway_start()) {
		operator_looks();
		faults_age();
	} else if (gateway.dead) {
		clear();
	} else {
		ended();
	}
}

// --- events -----------------------------------------------------------------------------------

static void device_event(void)
{
	for (unsigned n = 1 + sim_rnd(3); n; n--)
		device_turn(taste_device(), true);
}

static void devices_due(void)
{
	devices_receive();
	pass_turn(false);
	for (unsigned i = 0; i < DEVICES; i++)
		if (device_due_ms(i) <= sim.ms)
			device_turn(i, false);
}

static void worker_event(void)
{
	gateway_worker_turn(sim_rnd(SIM_WORKERS));
}

static void both_workers(void)
{
	unsigned first = sim_rnd(SIM_WORKERS);

	for (unsigned i = 0; i < SIM_WORKERS; i++)
		gateway_worker_turn((first + i) % SIM_WORKERS);
}

static void thread_event(void)
{
	thread_turn();
	thread_turn();
}

// To when the next device sends its request again, or gives up.
static void pass_until_devices(void)
{
	uint64_t next = sim.ms + 3000;

	for (unsigned i = 0; i < DEVICES; i++)
		if (device_due_ms(i) < next)
			next = device_due_ms(i);
	if (next > sim.ms)
		sim_pass(next - sim.ms);
}

static void time_event(void)
{
	uint64_t chance = sim_rnd(64);

	if (chance < 16)
		pass_until_due(50);
	else if (chance < 28)
		sim_pass(sim_rnd(60));
	else if (chance < 52)
		pass_until_devices();
	else if (chance < 60)
		pass_until_due(3000);
	else if (chance < 63)
		sim_pass(sim_rnd(12000));
	else
		sim_pass(sim_rnd(130000));
}

// The usual course of things, a little further.
static void course_event(void)
{
	sim_pass(sim_rnd(25));
	both_workers();
	thread_turn();
	thread_turn();
	devices_due();
}

static void stranger_event(void)
{
	if (sim_once_in(8))
		stranger_sends_junk();
	else
		for (unsigned n = 1 + sim_rnd(3); n; n--)
			stranger_replays();
}

static void (*const usual[])(void) = {device_event, device_event, device_event, device_event,
	devices_due, devices_due, devices_due, worker_event, worker_event, both_workers,
	both_workers, both_workers, both_workers, both_workers, thread_event, thread_event,
	thread_event, thread_event, time_event, time_event, time_event, time_event, backend_event,
	backend_event, backend_event, stranger_event, stranger_event, course_event, course_event,
	course_event, course_event, course_event, course_event};

// Some stops come while a context drains, whose window is nobody's then.
static bool stop_is_due(void)
{
	if (!gateway.up || gateway.dead)
		return false;
	return faults_stop_wanted() || gateway_stops() ||
		(gateway.serving && dp_contexts_draining(gateway.daemon.dp) && sim_once_in(32));
}

static void event(void)
{
	if (gateway.up && gateway.dead)
		clear();
	if (!gateway.up) {
		sim_pass(sim_rnd(3000));
		if (sim_once_in(4))
			disk_mood(DISK_GOOD);
		if (sim_rnd(3))
			begin_life();
		else
			device_event();
		return;
	}
	if ((taste.theme == THEME_MOVE || taste.theme == THEME_DERIVE) && sim_rnd(2))
		device_turn(taste_device(), true);
	// A context moves after many requests that nothing came between.
	if (taste.theme == THEME_MOVE && sim_rnd(4)) {
		course_event();
		backend_event();
	}
	if (taste.passes && sim_once_in(4))
		pass_event();
	if (sim_once_in(taste.fault_every) || (sim.event == FAULT_LEAST && !faults_count()))
		faults_event();
	else if (sim_once_in(taste.end_every))
		faults_end_of_life();
	else if (sim_once_in(taste.verb_every))
		operator_event();
	else
		usual[sim_rnd(RTE_DIM(usual))]();
	if (stop_is_due()) {
		gateway_stop();
		ended();
	}
	operator_turn(false);
	gateway_check();
}

// --- faults stop ------------------------------------------------------------------------------

// All that can happen now does.
static void settle_turn(void)
{
	for (unsigned turns = 0; turns < TURNS_MAX; turns++) {
		bool more = false;

		for (unsigned i = 0; i < SIM_WORKERS; i++)
			more |= gateway_worker_turn(i) > 0;
		while (thread_turn())
			more = true;
		more |= devices_receive() > 0;
		for (unsigned n = backend_waiting(); n; n--) {
			backend_event();
			more = true;
		}
		if (!more)
			break;
	}
	operator_settles();
	pass_turn(true);
	for (unsigned i = 0; i < DEVICES; i++) {
		operator_restores(i);
		device_turn(i, !device_successes(i));
	}
	gateway_check();
}

static bool all_are_served(void)
{
	if (pass_is_not_served())
		return false;
	for (unsigned i = 0; i < DEVICES; i++)
		if (!device_successes(i))
			return false;
	return true;
}

static const char *who_is_not(void)
{
	for (unsigned i = 0; i < DEVICES; i++)
		if (!device_successes(i))
			return device_name(i);
	return pass_is_not_served();
}

static void settle(void)
{
	if (gateway.dead)
		clear();
	sim.no_faults = true;
	faults_end();
	if (gateway.up && gateway_stops()) {
		gateway_stop();
		ended();
	}
	if (!gateway.up)
		begin_life();
	must(gateway.serving, "the gateway does not start on a good disk");
	sim_trace("faults stop");
	for (unsigned i = 0; i < DEVICES; i++)
		device_begins_anew(i);
	pass_begins_anew();
	uint64_t until_ms = sim.ms + DEVICE_GIVE_UP;

	while (!all_are_served()) {
		must(sim.ms < until_ms, "%s is not served again", who_is_not());
		settle_turn();
		pass_until_due(250);
	}
	until_ms = sim.ms + IDLE_MS;
	while (!gateway_is_idle() && sim.ms < until_ms) {
		settle_turn();
		pass_until_due(1000);
	}
	settle_turn();
	gateway_check_idle();
	gateway_stop();
	ended();
	if (sim_once_in(4))
		database_check();
	must(!sim_fd_count(), "%u descriptors are left open", sim_fd_count());
}

// --- schedules --------------------------------------------------------------------------------

static void begin(uint64_t seed)
{
	sim_begin(seed);
	step_ms = IDLE_STEP_LEAST;
	taste_begin();
	settings_begin();
	oracle_begin();
	net_begin();
	devices_begin();
	pass_begin();
	operator_begin();
	backend_begin();
	faults_begin();
}

void schedule_prepare(void)
{
	struct error error;

	sim_threads_idle = idle;
	sim.on_failure = gateway_tell;
	begin(0);
	disk_format();
	must(!kek_create(DISK_KEK, &error), "no kek: %s", error.text);
	begin_life();
	for (unsigned i = 0; i < DEVICES; i++) {
		operator_adds(i);
		while (operator_waits())
			idle();
	}
	disk_save(DISK_AFTER_CRASH);
	gateway_stop();
	ended();
	disk_save(DISK_AFTER_STOP);
	schedule_totals = (struct schedule_totals){0};
}

void schedule_run(uint64_t seed)
{
	begin(seed);
	disk_load(sim_rnd(3) ? DISK_AFTER_STOP : DISK_AFTER_CRASH);
	unsigned events = EVENTS_LEAST + sim_rnd(EVENTS_MORE);

	begin_life();
	for (sim.event = 1; sim.event <= events; sim.event++)
		event();
	settle();
	schedule_totals.schedules++;
	schedule_totals.events += events;
	schedule_totals.stops += sim.stops;
	schedule_totals.asks += oracle_asks();
	schedule_totals.lives += sim.lives;
	schedule_totals.with_fault += faults_count() > 0;
}
