// SPDX-License-Identifier: BSD-3-Clause

#include "gw/daemon/workers.h"

#include "base/clock.h"
#include "gw/daemon/alarm.h"

#define OVERLOAD_CALM_MS 5000 // without overload before its alarm ends

uint32_t workers_in_flight(const struct dp *dp, unsigned worker)
{
	return dp_worker_exchanges(dp) - dp_worker_exchanges_free(dp, worker) -
		dp_worker_unacked(dp, worker);
}

// Overload comes and goes quickly, so the alarm lasts some seconds longer.
void workers_turn(struct daemon *daemon)
{
	static const char sentence[] = "workers are overloaded: requests are refused or dropped";
	uint64_t now_ms = clock_ms();

	for (unsigned i = 0; i < dp_worker_count(daemon->dp); i++)
		if (dp_worker_rung(daemon->dp, i) != DP_RUNG_NONE)
			daemon->overloaded_ms = now_ms;
	if (daemon->overloaded_ms == now_ms)
		alarm_raise(daemon, sentence);
	else if (now_ms - daemon->overloaded_ms >= OVERLOAD_CALM_MS)
		alarm_end(daemon, sentence);
}
