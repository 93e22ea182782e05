// SPDX-License-Identifier: BSD-3-Clause

#include "gw/daemon/workers.h"

#include "base/clock.h"
#include "gw/daemon/alarm.h"

#include <rte_cycles.h>

#define OVERLOAD_CALM_MS 5000 // without overload before its alarm ends

uint32_t workers_in_flight(const struct dp *dp, unsigned worker)
{
	return dp_worker_exchanges(dp) - dp_worker_exchanges_free(dp, worker) -
		dp_worker_unacked(dp, worker);
}

static void answers_turn(struct daemon *daemon, uint64_t now_ms)
{
	static const char sentence[] =
		"answers are kept for less than 10 s, so that later copies of requests get none: "
		"workers.answers is too small for this rate";
	uint64_t written[DP_WORKERS_MAX];
	unsigned workers = dp_worker_count(daemon->dp);

	for (unsigned i = 0; i < workers; i++)
		written[i] = dp_worker_answers_written(daemon->dp, i);
	if (answers_look(&daemon->answers, now_ms, dp_answers_bytes(daemon->dp), written, workers))
		alarm_raise(daemon, sentence);
	else
		alarm_end(daemon, sentence);
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
	answers_turn(daemon, now_ms);
}

uint64_t workers_busy_us(const struct daemon *daemon, unsigned worker)
{
	const struct dp_stats *stats = dp_worker_stats(daemon->dp, worker);
	unsigned __int128 cycles = 0;

	for (unsigned i = 0; i < DP_STAGE_COUNT; i++)
		cycles += __atomic_load_n(&stats->cycles[i], __ATOMIC_RELAXED);
	return (uint64_t)(cycles * 1000000 / rte_get_tsc_hz());
}
