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
	};
	device = sim_rnd(2 * DEVICES);
	faults = some();
	verbs = some();
}

unsigned taste_device(void)
{
	return device < DEVICES && sim_rnd(2) ? device : (unsigned)sim_rnd(DEVICES);
}

bool taste_fault(unsigned kind)
{
	return faults >> kind & 1;
}

bool taste_verb(unsigned verb)
{
	return verbs >> verb & 1;
}
