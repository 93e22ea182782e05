// SPDX-License-Identifier: BSD-3-Clause

#include "tests/sim/taste.h"

#include "tests/sim/device.h"
#include "tests/sim/sim.h"

struct taste taste;
static unsigned device; // DEVICES: none
static uint32_t faults, verbs;

// All, or about half of them.
static uint32_t some(void)
{
	return sim_rnd(2) ? UINT32_MAX : (uint32_t)sim_rnd(UINT64_C(1) << 32);
}

static bool fits(enum theme theme)
{
	return device < DEVICES &&
		(theme == THEME_MOVE ||
			(theme == THEME_CLOCK ? device_is_of_the_clock(device)
					      : device_rederives(device)));
}

static void theme_begin(enum theme theme)
{
	static const struct taste themes[] = {
		[THEME_CLOCK] = {.fault_every = 12, .verb_every = 10, .end_every = 300},
		[THEME_DERIVE] = {.fault_every = 8, .verb_every = 60, .end_every = 40},
		[THEME_MOVE] = {.fault_every = 60, .verb_every = 100, .end_every = 300},
	};

	const bool passes = taste.passes;

	taste = themes[theme];
	taste.passes = passes;
	taste.theme = theme;
	taste.calm = true;
	taste.main_every = theme == THEME_MOVE ? 1 + sim_rnd(8) : 1;
	while (!fits(theme))
		device = sim_rnd(DEVICES);
}

void taste_begin(void)
{
	static const unsigned faults_every[] = {10, 20, 20, 60};
	static const unsigned verbs_every[] = {8, 24, 24, 60};
	static const unsigned ends_every[] = {60, 160, 160, 300};

	taste = (struct taste){
		.fault_every = faults_every[sim_rnd(4)],
		.verb_every = verbs_every[sim_rnd(4)],
		.end_every = ends_every[sim_rnd(4)],
		.calm = sim_once_in(4),
		.main_every = sim_once_in(6) ? 6 : 1,
	};
	// Not by chance, so that the others are as they would be without.
	taste.passes = (sim.seed * UINT64_C(0x9e3779b97f4a7c15) >> 32) % 4 == 0;
	device = sim_rnd(2 * DEVICES);
	faults = some();
	verbs = some();
	if (!sim_rnd(6))
		theme_begin(THEME_CLOCK + sim_rnd(3));
}

unsigned taste_device(void)
{
	return device < DEVICES && sim_rnd(taste.theme ? 8 : 2) ? device
								: (unsigned)sim_rnd(DEVICES);
}

bool taste_fault(unsigned kind)
{
	return faults >> kind & 1;
}

bool taste_verb(unsigned verb)
{
	return verbs >> verb & 1;
}
