// SPDX-License-Identifier: BSD-3-Clause

#include "tests/sim/faults.h"

#include "dataplane/worker/worker.h"
#include "tests/sim/device.h"
#include "tests/sim/disk.h"
#include "tests/sim/gateway.h"
#include "tests/sim/sim.h"
#include "tests/sim/stranger.h"
#include "tests/sim/taste.h"

#include <string.h>

// Beyond this time of day it goes no further: Partial IVs of the clock end in 2060.
#define FAR_MS INT64_C(2200000000000)

static unsigned count;
static bool stop_wanted;

void faults_begin(void)
{
	count = 0;
	stop_wanted = false;
}

unsigned faults_count(void)
{
	return count;
}

bool faults_stop_wanted(void)
{
	bool wanted = stop_wanted;

	stop_wanted = false;
	return wanted;
}

static void process_dies(void)
{
	gateway_crash(false);
}

static void power_is_cut(void)
{
	gateway_crash(true);
}

void faults_end_of_life(void)
{
	count++;
	if (sim_once_in(4))
		stop_wanted = true;
	else if (sim_once_in(3))
		gateway_crash(sim_rnd(2));
	else // within what the store writes
		disk_cut_after(1 + sim_rnd(12), sim_rnd(2) ? process_dies : power_is_cut);
}

static void disk_changes(void)
{
	static const enum disk_mood moods[] = {
		DISK_GOOD, DISK_GOOD, DISK_GOOD, DISK_EIO, DISK_FULL, DISK_BAD_SYNC};

	if (!gateway.dead)
		disk_mood(moods[sim_rnd(6)]);
}

// The battery of a clock is empty, or it was set to another year.
static void clock_is_lost(void)
{
	static const int64_t year_ms = INT64_C(365) * 86400 * 1000;

	if (sim_rnd(2) && sim_wall_ms() < FAR_MS)
		sim.wall_offset += (int64_t)sim_rnd(2 * year_ms);
	else
		sim.wall_offset -= sim_wall_ms() - (int64_t)sim_rnd(100 * 86400 * 1000UL);
	sim_pass(0);
	sim_trace("clock: %ld", sim_wall_ms() / 1000);
}

static void clock_steps(void)
{
	int64_t by = 1000 * (int64_t)(1 + sim_rnd(sim_rnd(4) ? 5 : 4000));

	if (sim_once_in(12)) {
		clock_is_lost();
		return;
	}
	if (sim_rnd(2))
		by = -by;
	sim.wall_offset += by;
	if (sim_once_in(3)) // just before or at the border of a second
		sim.wall_offset += 999 - sim_wall_ms() % 1000 + (int64_t)sim_rnd(2);
	sim_pass(0);
	sim_trace("clock: by %ld s", by / 1000);
}

static void clock_goes_back(void)
{
	sim.wall_offset -= 1000 * (int64_t)(1 + sim_rnd(3));
	sim_trace("clock: back");
}

// Main is so late that there is no room for an event, or none for a command: they are of a context
// that never was.
static void ring_fills(void)
{
	struct dp_worker *w = gateway.worker[sim_rnd(SIM_WORKERS)];
	struct dp_event event = {.type = DP_EVENT_STATE, .context = 0, .generation = 2};
	struct dp_command command = {.type = DP_COMMAND_RUN_BASE, .context = 0, .generation = 2};
	bool events = sim_rnd(2);

	while (!rte_ring_sp_enqueue_elem(events ? w->events : w->commands,
		events ? (void *)&event : (void *)&command,
		events ? sizeof(event) : sizeof(command)))
		;
	sim_trace("worker %u: its ring of %s is full", w->id, events ? "events" : "commands");
}

static void move(void)
{
	device_moves(taste_device());
}

static void disk_fails(void)
{
	disk_fail_after(1 + sim_rnd(10));
}

// A loop hands an exchange back that it has handed back before.
static void handle_again(void)
{
	struct dp_worker *w = gateway.worker[sim_rnd(SIM_WORKERS)];
	const struct dp_shared_pool *pool = &w->exchanges->shared;
	uint32_t index = sim_rnd(pool->count);
	uint32_t generation = dp_shared_at(pool, index)->generation;

	if (!generation)
		return;
	dp_handle handle = dp_handle_make(index, generation - 1 - sim_rnd(generation < 4 ? 1 : 3));

	if (!rte_ring_sp_enqueue_elem(w->loop[0].port->responses, &handle, sizeof(handle)))
		sim_trace("worker %u: exchange %u comes back once more", w->id, index);
}

void faults_event(void)
{
	static void (*const kinds[])(void) = {disk_changes, disk_changes, disk_fails, clock_steps,
		clock_steps, ring_fills, move, move, handle_again, stranger_floods};
	unsigned kind = sim_rnd(sizeof(kinds) / sizeof(kinds[0]));

	if (!taste_fault(kind) && count)
		return;
	count++;
	if (taste.theme == THEME_CLOCK && sim_rnd(4))
		clock_goes_back();
	else if (taste.theme == THEME_DERIVE && sim_rnd(4))
		disk_fail_after(1 + sim_rnd(4));
	else if (taste.theme == THEME_MOVE && sim_rnd(4))
		move();
	else
		kinds[kind]();
}

void faults_end(void)
{
	disk_cut_after(0, NULL);
	disk_fail_after(0);
	if (!gateway.dead)
		disk_mood(DISK_GOOD);
	if (sim_wall_ms() < sim.wall_high)
		sim.wall_offset += sim.wall_high - sim_wall_ms();
	stop_wanted = false;
}

// Own Partial IVs up to there are as if they had been used: a base that rises, and its end, come
// within a schedule.
void faults_age(void)
{
	struct dp_context_table *table = dp_contexts(gateway.daemon.dp);

	for (uint32_t i = 0; i < table->entries; i++) {
		struct dp_context *ctx = &table->context[i];

		if (dp_context_live(ctx) && !(ctx->flags & DP_CONTEXT_OWN_PIV_CLOCK) &&
			sim_once_in(3))
			ctx->own_counter = sim_rnd(2) ? DP_COUNTER_MAX / 4 * 3 - sim_rnd(4)
						      : DP_COUNTER_MAX - sim_rnd(4);
	}
}
