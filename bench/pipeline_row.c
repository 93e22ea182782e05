// SPDX-License-Identifier: BSD-3-Clause

#include "bench/pipeline_row.h"

#include "bench/aead_measure.h"
#include "bench/pipeline_upstream.h"

#include <rte_cycles.h>

#include <stdio.h>
#include <stdlib.h>

#define HOSTILE        10 // of so many packets of the mix one is good
#define UPSTREAM_BURST 32 // answers that a worker takes from a loop in a turn

const char *const traffic_names[TRAFFIC_COUNT] = {"good", "unknown-kid", "bad-tag", "replay",
	"malformed", "hostile-90", "copies", "neighbour", "junk", "routes", "cached", "observe"};

// Those of one algorithm stand together, so that few beds are made.
const struct variant variants[VARIANT_COUNT] = {
	[VARIANT_DISCARD] = {.name = "discard", .path = "discard"},
	{.name = "echo", .path = "echo"},
	{.name = "non", .path = "discard", .type = COAP_NON},
	{.name = "ipv6", .path = "discard", .ipv6 = true},
	{.name = "vlan", .path = "discard", .vlan = true},
	{.name = "upstream", .path = "up", .response = COAP_CHANGED},
	{.name = "upstream-32", .path = "up", .response = COAP_CONTENT, .payload = 32},
	{.name = "gcm", .path = "discard", .alg = AEAD_AES_128_GCM},
	{.name = "chacha20", .path = "discard", .alg = AEAD_CHACHA20_POLY1305},
};

// --- packets -------------------------------------------------------------------------------------

static void packet_make(struct bed *bed, const struct row_part *part, unsigned i,
	enum traffic traffic, const struct variant *variant)
{
	struct bed_packet *packet = &bed->packet[part->first_packet + i];
	const struct bed_device *device = &bed->device[part->first_device + i % part->devices];
	const char *path = variant->path;
	struct bed_device nobody = *device;
	// From 1: a PIV of 0 is for replays.
	uint64_t piv = 1 + i / part->devices;

	switch (traffic) {
	case TRAFFIC_UNKNOWN:
		nobody.kid[3] ^= 0x80;
		bed_packet_seal(packet, &nobody, piv, COAP_CON, path);
		return;
	case TRAFFIC_REPLAY:
		bed_packet_seal(packet, device, 0, COAP_NON, path);
		return;
	case TRAFFIC_HOSTILE:
		packet_make(bed, part, i, i % HOSTILE ? TRAFFIC_UNKNOWN + i % 4 : TRAFFIC_GOOD,
			variant);
		return;
	case TRAFFIC_CACHED:
		if (variant == &variants[VARIANT_ECHO]) // for comparison
			break;
		bed_packet_seal_get(packet, device, piv, path);
		return;
	default:
		break;
	}
	bed_packet_seal(packet, device, piv, variant->type, path);
	if (traffic == TRAFFIC_BAD_TAG)
		packet->coap[packet->len - 1] ^= 1;
	if (traffic == TRAFFIC_MALFORMED)
		packet->len = 9; // inside the OSCORE option
}

void row_packets_make(struct bed *bed, const struct row_part *part, enum traffic traffic,
	const struct variant *variant)
{
	uint64_t seed = 7;

	for (unsigned i = 0; i < part->packets; i++)
		packet_make(bed, part, i, traffic, variant);
	// So that no prefetcher knows the next one.
	for (unsigned first = 0; first < part->packets; first += part->devices) {
		struct bed_packet *turn = &bed->packet[part->first_packet + first];
		unsigned n = RTE_MIN(part->devices, part->packets - first);

		for (unsigned i = n - 1; i > 0; i--) {
			unsigned k = random_next(&seed) % (i + 1);
			struct bed_packet swap = turn[i];

			turn[i] = turn[k];
			turn[k] = swap;
		}
	}
}

// --- measurement ---------------------------------------------------------------------------------

double row_round_add(struct result *result, unsigned packets, uint64_t ticks,
	struct core_clock *clock, const uint64_t stage_ticks[DP_STAGE_COUNT])
{
	double per_tick = core_clock_cycles_per_tick(clock);
	double cycles = ticks * per_tick / packets;

	result->packets = packets;

	if (!result->cycles || cycles < result->cycles) {
		result->cycles = cycles;
		result->ghz = per_tick * rte_get_tsc_hz() / 1e9;
		result->ns = cycles / result->ghz;
		for (unsigned s = 0; s < DP_STAGE_COUNT; s++)
			result->stage[s] = stage_ticks[s] * per_tick / packets;
	}
	return packets / ((double)ticks / rte_get_tsc_hz());
}

static uint64_t turn(struct bed *bed)
{
	uint64_t start = rte_rdtsc();

	dp_worker_turn(bed->w);
	uint64_t ticks = rte_rdtsc() - start;

	bed_drain(0);
	return ticks;
}

static double round_run(struct bed *bed, const struct variant *variant, struct result *result)
{
	const unsigned burst = variant->response ? UPSTREAM_BURST : DP_BURST;
	unsigned sample_each = bed->packet_count / CORE_CLOCK_SAMPLES;
	uint64_t stage_ticks[DP_STAGE_COUNT];
	struct core_clock clock = {0};
	struct dp_stats before;
	uint64_t ticks = 0;

	bed_windows_reset(bed);
	before = bed->w->stats;
	for (unsigned i = 0; i < bed->packet_count; i += burst) {
		bed_feed(bed, 0, i, RTE_MIN(burst, bed->packet_count - i));
		// Beside the requests it has the answers to those of the turn before.
		ticks += turn(bed);
		if (variant->response)
			upstream_answer(bed, variant->response, variant->payload);
		if (i >= clock.count * sample_each)
			core_clock_sample(&clock);
	}
	while (variant->response && upstream_under_way(bed))
		ticks += turn(bed);
	for (unsigned s = 0; s < DP_STAGE_COUNT; s++)
		stage_ticks[s] = bed->w->stats.cycles[s] - before.cycles[s];
	result->answers = bed->w->stats.count[DP_STAT_answers] - before.count[DP_STAT_answers];
	return row_round_add(result, bed->packet_count, ticks, &clock, stage_ticks);
}

static int compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return x < y ? -1 : x > y;
}

void row_report(const struct bed *bed, enum traffic traffic, const struct variant *variant,
	const char *label, struct result *result, unsigned rounds, bool json)
{
	double bytes = (double)dp_context_table_bytes(dp_contexts(bed->dp)) / bed->device_count;

	qsort(result->pps, rounds, sizeof(double), compare);
	double median = result->pps[rounds / 2];

	if (!json) {
		printf("%-12s %-16s %8u  %6.2f M/s (%.2f to %.2f)  %6.0f cycles:",
			traffic_names[traffic], label ? label : variant->name, bed->device_count,
			median / 1e6, result->pps[0] / 1e6, result->pps[rounds - 1] / 1e6,
			result->cycles);
		for (unsigned s = 0; s < DP_STAGE_COUNT; s++)
			if (result->stage[s] >= 0.5)
				printf(" %s %.0f", dp_stage_infos[s].name, result->stage[s]);
		printf("\n");
	} else {
		printf("{\"bench\":\"pipeline\",\"traffic\":\"%s\",", traffic_names[traffic]);
		if (label)
			printf("\"variant\":\"%s\",", label);
		if (traffic == TRAFFIC_CACHED && variant != &variants[VARIANT_ECHO])
			printf("\"upstream\":\"cache\",");
		else if (variant->response)
			printf("\"upstream\":\"at-once\",");
		else
			printf("\"upstream\":\"builtin:%s\",", variant->path);
		printf("\"devices\":%u,\"pps_median\":%.0f,\"pps_min\":%.0f,\"pps_max\":%.0f,"
		       "\"cycles_per_packet\":%.1f,\"ns_per_packet\":%.2f,\"core_ghz\":%.3f,"
		       "\"stages\":{",
			bed->device_count, median, result->pps[0], result->pps[rounds - 1],
			result->cycles, result->ns, result->ghz);
		for (unsigned s = 0; s < DP_STAGE_COUNT; s++)
			printf("%s\"%s\":%.1f", s ? "," : "", dp_stage_infos[s].name,
				result->stage[s]);
		printf("},\"answered\":%.4f,\"bytes_per_device\":%.1f}\n",
			(double)result->answers / result->packets, bytes);
	}
	fflush(stdout);
}

void row_measure(struct bed *bed, enum traffic traffic, const struct variant *variant,
	unsigned rounds, bool json)
{
	bool plain = variant == &variants[VARIANT_DISCARD];
	struct result result = {0};

	bed_flow_set(bed, variant->ipv6, variant->vlan);
	const struct row_part all = {.packets = bed->packet_count, .devices = bed->device_count};

	row_packets_make(bed, &all, traffic, variant);
	round_run(bed, variant, &result); // warms up
	result.cycles = 0;
	for (unsigned i = 0; i < rounds; i++)
		result.pps[i] = round_run(bed, variant, &result);
	// What is not done is not measured.
	uint64_t good = traffic == TRAFFIC_GOOD || traffic == TRAFFIC_CACHED ? bed->packet_count
		: traffic == TRAFFIC_HOSTILE ? (bed->packet_count + HOSTILE - 1) / HOSTILE
					     : 0;

	if (result.answers != good)
		bed_die("not every request was treated as its kind must be");
	row_report(bed, traffic, variant, plain ? NULL : variant->name, &result, rounds, json);
}
