// SPDX-License-Identifier: BSD-3-Clause

#include "dataplane/state/overload.h"

static const uint8_t entered[DP_RUNG_COUNT] = {
	[DP_RUNG_LOW] = DP_RUNG_LOW_ENTERED,
	[DP_RUNG_NON] = DP_RUNG_NON_ENTERED,
	[DP_RUNG_CON] = DP_RUNG_CON_ENTERED,
};

// The least number of exchanges that is at least so many percent of all.
static uint32_t share(const struct dp_overload *o, unsigned percent)
{
	return ((uint64_t)o->exchanges * percent + 99) / 100;
}

static void limits_set(struct dp_overload *o)
{
	unsigned rung = o->by_exchanges;

	o->enter = rung + 1 < DP_RUNG_COUNT ? share(o, entered[rung + 1]) : UINT32_MAX;
	o->leave = rung ? share(o, entered[rung] - DP_RUNG_LEFT_LOWER) : 0;
}

static enum dp_rung rung_set(struct dp_overload *o)
{
	uint32_t before = o->rung;
	uint32_t rung = o->by_exchanges;

	if (rung < DP_RUNG_LOW && o->by_bursts)
		rung = DP_RUNG_LOW;
	__atomic_store_n(&o->rung, rung, __ATOMIC_RELAXED);
	return rung > before ? rung : DP_RUNG_NONE;
}

void dp_overload_init(struct dp_overload *o, uint32_t exchanges, uint64_t now_ms)
{
	// All but the rung, which others may read by now.
	o->exchanges = exchanges;
	o->by_exchanges = DP_RUNG_NONE;
	o->by_bursts = false;
	o->turns = 0;
	o->full_turns = 0;
	o->turns_start_ms = now_ms;
	limits_set(o);
	(void)rung_set(o);
}

enum dp_rung dp_overload_exchanges_changed(struct dp_overload *o, uint32_t in_use)
{
	while (o->by_exchanges + 1 < DP_RUNG_COUNT && in_use >= o->enter) {
		o->by_exchanges++;
		limits_set(o);
	}
	while (in_use < o->leave) {
		o->by_exchanges--;
		limits_set(o);
	}
	return rung_set(o);
}

enum dp_rung dp_overload_turns_end(struct dp_overload *o, uint64_t now_ms)
{
	if (o->full_turns == o->turns && o->turns >= DP_FULL_TURNS_MIN)
		o->by_bursts = true;
	else if ((uint64_t)o->full_turns * 100 < (uint64_t)o->turns * DP_FULL_LEFT_BELOW)
		o->by_bursts = false;
	o->turns = 0;
	o->full_turns = 0;
	o->turns_start_ms = now_ms;
	return rung_set(o);
}
