// SPDX-License-Identifier: BSD-3-Clause

#include "bench/pipeline_workers.h"

#include "bench/pipeline_row.h"

#include <rte_cycles.h>
#include <rte_launch.h>
#include <rte_lcore.h>

#include <string.h>
#include <unistd.h>

#define EXCHANGES 1024

// --- at once -------------------------------------------------------------------------------------

// What one worker does in a round.
struct part {
	struct bed *bed;
	unsigned worker;
	unsigned first, packets; // of the store
	unsigned *ready;         // workers that are; atomic
	unsigned wait_for;       // so many of these, before the first packet
	struct result *result;
	double pps;
};

static void ticks_of_stages(
	const struct dp_stats *before, const struct dp_stats *after, uint64_t ticks[DP_STAGE_COUNT])
{
	for (unsigned s = 0; s < DP_STAGE_COUNT; s++)
		ticks[s] += after->cycles[s] - before->cycles[s];
}

static int part_run(void *arg)
{
	struct part *part = arg;
	struct bed *bed = part->bed;
	struct dp_worker *w = dp_worker_get(bed->dp, part->worker);
	const unsigned sample_each = part->packets / CORE_CLOCK_SAMPLES;
	const struct dp_stats before = w->stats;
	uint64_t stage_ticks[DP_STAGE_COUNT] = {0};
	struct core_clock clock = {0};
	uint64_t ticks = 0;

	bed_thread_as_started();
	__atomic_add_fetch(part->ready, 1, __ATOMIC_SEQ_CST);
	while (__atomic_load_n(part->ready, __ATOMIC_SEQ_CST) < part->wait_for)
		rte_pause();
	for (unsigned i = 0; i < part->packets; i += DP_BURST) {
		bed_feed(bed, part->worker, part->first + i,
			RTE_MIN((unsigned)DP_BURST, part->packets - i));
		uint64_t start = rte_rdtsc();

		dp_worker_turn(w);
		ticks += rte_rdtsc() - start;
		bed_drain(part->worker);
		if (i >= clock.count * sample_each)
			core_clock_sample(&clock);
	}
	ticks_of_stages(&before, &w->stats, stage_ticks);
	part->result->answers = w->stats.count[DP_STAT_answers] - before.count[DP_STAT_answers];
	part->pps = row_round_add(part->result, part->packets, ticks, &clock, stage_ticks);
	return 0;
}

// The first worker runs on this lcore, the second on the other one. first, last: which of them.
static void parts_run(struct part *part, unsigned first, unsigned last)
{
	unsigned ready = 0;

	for (unsigned i = first; i <= last; i++) {
		part[i].ready = &ready;
		part[i].wait_for = last - first + 1;
	}
	if (last && rte_eal_remote_launch(part_run, &part[last], last))
		bed_die("the second worker's thread cannot start");
	if (!first)
		part_run(&part[0]);
	// Leaves the other CPU in peace.
	while (last && rte_eal_get_lcore_state(last) == RUNNING)
		usleep(1000);
	if (last)
		rte_eal_wait_lcore(last);
	for (unsigned i = first; i <= last; i++)
		if (part[i].result->answers != part[i].packets)
			bed_die("not every request was answered by its worker");
}

static void round_of_both(struct bed *bed, struct part *part,
	struct result result[2][BED_WORKERS_MAX], unsigned round)
{
	for (unsigned i = 0; i < BED_WORKERS_MAX; i++)
		part[i].result = &result[0][i];
	bed_windows_reset(bed);
	parts_run(part, 0, 1);
	for (unsigned i = 0; i < BED_WORKERS_MAX; i++)
		result[0][i].pps[round] = part[i].pps;
	bed_windows_reset(bed);
	for (unsigned i = 0; i < BED_WORKERS_MAX; i++) {
		part[i].result = &result[1][i];
		parts_run(part, i, i);
		result[1][i].pps[round] = part[i].pps;
	}
}

void workers_measure(unsigned device_count, unsigned rounds, bool json)
{
	static const char *const labels[2][BED_WORKERS_MAX] = {
		{"both-0", "both-1"}, {"alone-0", "alone-1"}};
	static struct result result[2][BED_WORKERS_MAX];
	struct part part[BED_WORKERS_MAX];
	struct bed bed;

	bed_make(&bed,
		&(struct bed_conf){.device_count = device_count,
			.exchanges = EXCHANGES,
			.worker_count = BED_WORKERS_MAX});
	for (unsigned i = 0; i < BED_WORKERS_MAX; i++) {
		const struct row_part half = {
			.first_packet = i * (bed.packet_count / 2),
			.packets = bed.packet_count / 2,
			.first_device = i * (device_count / 2),
			.devices = device_count / 2,
		};

		row_packets_make(&bed, &half, TRAFFIC_GOOD, &variants[VARIANT_DISCARD]);
		part[i] = (struct part){.bed = &bed,
			.worker = i,
			.first = half.first_packet,
			.packets = half.packets};
	}
	round_of_both(&bed, part, result, 0); // warms up
	memset(result, 0, sizeof(result));
	for (unsigned round = 0; round < rounds; round++)
		round_of_both(&bed, part, result, round);
	for (unsigned mode = 0; mode < 2; mode++)
		for (unsigned i = 0; i < BED_WORKERS_MAX; i++)
			row_report(&bed, TRAFFIC_GOOD, &variants[VARIANT_DISCARD], labels[mode][i],
				&result[mode][i], rounds, json);
	bed_free(&bed);
}

// --- hand-off ------------------------------------------------------------------------------------

// Worker 1 is that of lcore 1 for what this thread does next: mempools have a cache of each lcore.
static void lcore_become(unsigned lcore)
{
	RTE_PER_LCORE(_lcore_id) = lcore;
}

static uint64_t turn_of(struct bed *bed, unsigned worker)
{
	lcore_become(worker);
	uint64_t start = rte_rdtsc();

	dp_worker_turn(dp_worker_get(bed->dp, worker));
	uint64_t ticks = rte_rdtsc() - start;

	bed_drain(worker);
	return ticks;
}

// Packets that the first worker has handed over and the second has not answered yet.
static uint64_t handed_under_way(
	const struct dp_stats *const *stats, const struct dp_stats before[BED_WORKERS_MAX])
{
	return stats[0]->count[DP_STAT_handed_over] - before[0].count[DP_STAT_handed_over] -
		(stats[1]->count[DP_STAT_answers] - before[1].count[DP_STAT_answers]);
}

// A round of packets that arrive at this worker. Returns packets a second.
static double handed_round(struct bed *bed, unsigned arrives_at, struct result *result)
{
	const struct dp_stats *stats[BED_WORKERS_MAX] = {
		dp_worker_stats(bed->dp, 0), dp_worker_stats(bed->dp, 1)};
	const struct dp_stats before[BED_WORKERS_MAX] = {*stats[0], *stats[1]};
	const unsigned sample_each = bed->packet_count / CORE_CLOCK_SAMPLES;
	uint64_t stage_ticks[DP_STAGE_COUNT] = {0};
	struct core_clock clock = {0};
	uint64_t ticks = 0;

	bed_windows_reset(bed);
	for (unsigned i = 0; i < bed->packet_count; i += DP_BURST) {
		lcore_become(arrives_at);
		bed_feed(bed, arrives_at, i, RTE_MIN((unsigned)DP_BURST, bed->packet_count - i));
		ticks += turn_of(bed, arrives_at);
		while (arrives_at == 0 && handed_under_way(stats, before) >= DP_BURST / 2)
			ticks += turn_of(bed, 1);
		if (i >= clock.count * sample_each)
			core_clock_sample(&clock);
	}
	while (arrives_at == 0 && handed_under_way(stats, before))
		ticks += turn_of(bed, 1);
	lcore_become(0);
	for (unsigned i = 0; i < BED_WORKERS_MAX; i++)
		ticks_of_stages(&before[i], stats[i], stage_ticks);
	result->answers = stats[1]->count[DP_STAT_answers] - before[1].count[DP_STAT_answers];
	return row_round_add(result, bed->packet_count, ticks, &clock, stage_ticks);
}

void handed_measure(unsigned device_count, unsigned rounds, bool json)
{
	static const char *const labels[2] = {"handed", "local"}; // by where packets arrive
	static struct result result[2];
	struct bed bed;

	bed_make(&bed,
		&(struct bed_conf){.device_count = device_count,
			.exchanges = EXCHANGES,
			.worker_count = BED_WORKERS_MAX});
	const struct row_part all = {.packets = bed.packet_count, .devices = device_count};

	row_packets_make(&bed, &all, TRAFFIC_GOOD, &variants[VARIANT_DISCARD]);
	for (unsigned i = 0; i < device_count; i++)
		dp_contexts(bed.dp)->context[bed.context[i]].owner = 1;
	for (unsigned at = 0; at < 2; at++)
		handed_round(&bed, at, &result[at]); // warms up
	memset(result, 0, sizeof(result));
	for (unsigned round = 0; round < rounds; round++)
		for (unsigned at = 0; at < 2; at++) {
			result[at].pps[round] = handed_round(&bed, at, &result[at]);
			if (result[at].answers != bed.packet_count)
				bed_die("not every request was answered by the owner");
		}
	for (unsigned at = 2; at-- > 0;)
		row_report(&bed, TRAFFIC_GOOD, &variants[VARIANT_DISCARD], labels[at], &result[at],
			rounds, json);
	bed_free(&bed);
}
