// SPDX-License-Identifier: BSD-3-Clause
// What a request costs in the real worker, from rx to tx, without a NIC: requests a second and core
// cycles by stage, by number of devices and kind of traffic. See bench/README.md.
//
// A feeder, outside the clock, copies sealed requests from a compact store into mbufs and puts them
// on the ring of a ring port; dp_worker_turn() alone is timed. Every request has a Partial IV of
// its own; windows are reset between rounds, and a round goes through the devices in random order.

#include "bench/aead_measure.h"
#include "bench/core_clock.h"
#include "bench/pipeline_bed.h"
#include "bench/pipeline_junk.h"
#include "bench/pipeline_shares.h"

#include <rte_cycles.h>

#include <getopt.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ROUNDS_MAX 64
#define HOSTILE    10 // of so many packets of the mix one is good

enum traffic {
	TRAFFIC_GOOD,    // CON
	TRAFFIC_UNKNOWN, // kid that no device has
	TRAFFIC_BAD_TAG,
	TRAFFIC_REPLAY,    // NON, Partial IV used before
	TRAFFIC_MALFORMED, // cut in an option
	TRAFFIC_HOSTILE,   // 9 of 10 are one of the four before, 1 is good
	TRAFFIC_COPIES,    // see pipeline_shares.c
	TRAFFIC_NEIGHBOUR, // the same
	TRAFFIC_JUNK,      // see pipeline_junk.c
	TRAFFIC_ROUTES,    // the same
	TRAFFIC_COUNT,
};

static const char *const traffic_names[TRAFFIC_COUNT] = {"good", "unknown-kid", "bad-tag", "replay",
	"malformed", "hostile-90", "copies", "neighbour", "junk", "routes"};

static struct {
	bool json, quick;
	unsigned rounds;
	long devices; // -1: all
	int traffic;  // -1: all
} options = {.rounds = 7, .devices = -1, .traffic = -1};

static const unsigned device_counts[] = {1, 1000, 100000, 1000000};
// --- packets -------------------------------------------------------------------------------------

static void packet_make(struct bed *bed, unsigned i, enum traffic traffic, const char *path)
{
	struct bed_packet *packet = &bed->packet[i];
	const struct bed_device *device = &bed->device[i % bed->device_count];
	struct bed_device nobody = *device;
	// From 1: a PIV of 0 is for replays.
	uint64_t piv = 1 + i / bed->device_count;

	switch (traffic) {
	case TRAFFIC_UNKNOWN:
		nobody.kid[3] ^= 0x80;
		bed_packet_seal(packet, &nobody, piv, COAP_CON, path);
		return;
	case TRAFFIC_REPLAY:
		bed_packet_seal(packet, device, 0, COAP_NON, path);
		return;
	case TRAFFIC_HOSTILE:
		packet_make(bed, i, i % HOSTILE ? TRAFFIC_UNKNOWN + i % 4 : TRAFFIC_GOOD, path);
		return;
	default:
		break;
	}
	bed_packet_seal(packet, device, piv, COAP_CON, path);
	if (traffic == TRAFFIC_BAD_TAG)
		packet->coap[packet->len - 1] ^= 1;
	if (traffic == TRAFFIC_MALFORMED)
		packet->len = 9; // inside the OSCORE option
}

static void packets_make(struct bed *bed, enum traffic traffic, const char *path)
{
	uint64_t seed = 7;

	for (unsigned i = 0; i < bed->packet_count; i++)
		packet_make(bed, i, traffic, path);
	// Each device in turn, in random order, so that no prefetcher knows the next one.
	for (unsigned first = 0; first < bed->packet_count; first += bed->device_count) {
		struct bed_packet *turn = &bed->packet[first];
		unsigned n = RTE_MIN(bed->device_count, bed->packet_count - first);

		for (unsigned i = n - 1; i > 0; i--) {
			unsigned k = random_next(&seed) % (i + 1);
			struct bed_packet swap = turn[i];

			turn[i] = turn[k];
			turn[k] = swap;
		}
	}
}

// --- measurement ---------------------------------------------------------------------------------

struct result {
	double pps[ROUNDS_MAX];
	double cycles; // core cycles a packet, of the round with the fewest
	double ns;     // a packet, of that round
	double ghz;    // of the core, in that round
	double stage[DP_STAGE_COUNT];
	uint64_t answers;
};

static double round_run(struct bed *bed, struct result *result)
{
	unsigned sample_each = bed->packet_count / CORE_CLOCK_SAMPLES;
	struct core_clock clock = {0};
	struct dp_stats before;
	uint64_t ticks = 0;

	bed_windows_reset(bed);
	before = bed->w->stats;
	for (unsigned i = 0; i < bed->packet_count; i += DP_BURST) {
		unsigned n = RTE_MIN((unsigned)DP_BURST, bed->packet_count - i);

		bed_feed(bed, i, n);
		uint64_t start = rte_rdtsc();

		dp_worker_turn(bed->w);
		ticks += rte_rdtsc() - start;
		bed_drain();
		if (i >= clock.count * sample_each)
			core_clock_sample(&clock);
	}
	double per_tick = core_clock_cycles_per_tick(&clock);
	double cycles = ticks * per_tick / bed->packet_count;

	result->answers = bed->w->stats.count[DP_STAT_answers] - before.count[DP_STAT_answers];
	if (!result->cycles || cycles < result->cycles) {
		result->cycles = cycles;
		result->ghz = per_tick * rte_get_tsc_hz() / 1e9;
		result->ns = cycles / result->ghz;
		for (unsigned s = 0; s < DP_STAGE_COUNT; s++)
			result->stage[s] = (bed->w->stats.cycles[s] - before.cycles[s]) * per_tick /
				bed->packet_count;
	}
	return bed->packet_count / ((double)ticks / rte_get_tsc_hz());
}

static int compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return x < y ? -1 : x > y;
}

static void report(
	const struct bed *bed, enum traffic traffic, const char *path, struct result *result)
{
	double bytes = (double)dp_context_table_bytes(dp_contexts(bed->dp)) / bed->device_count;

	qsort(result->pps, options.rounds, sizeof(double), compare);
	double median = result->pps[options.rounds / 2];

	if (!options.json) {
		printf("%-12s %-8s %8u  %6.2f M/s (%.2f to %.2f)  %6.0f cycles:",
			traffic_names[traffic], path, bed->device_count, median / 1e6,
			result->pps[0] / 1e6, result->pps[options.rounds - 1] / 1e6,
			result->cycles);
		for (unsigned s = 0; s < DP_STAGE_COUNT; s++)
			if (result->stage[s] >= 0.5)
				printf(" %s %.0f", dp_stage_infos[s].name, result->stage[s]);
		printf("\n");
	} else {
		printf("{\"bench\":\"pipeline\",\"traffic\":\"%s\",\"upstream\":\"builtin:%s\","
		       "\"devices\":%u,\"pps_median\":%.0f,\"pps_min\":%.0f,\"pps_max\":%.0f,"
		       "\"cycles_per_packet\":%.1f,\"ns_per_packet\":%.2f,\"core_ghz\":%.3f,"
		       "\"stages\":{",
			traffic_names[traffic], path, bed->device_count, median, result->pps[0],
			result->pps[options.rounds - 1], result->cycles, result->ns, result->ghz);
		for (unsigned s = 0; s < DP_STAGE_COUNT; s++)
			printf("%s\"%s\":%.1f", s ? "," : "", dp_stage_infos[s].name,
				result->stage[s]);
		printf("},\"answered\":%.4f,\"bytes_per_device\":%.1f}\n",
			(double)result->answers / bed->packet_count, bytes);
	}
	fflush(stdout);
}

static void measure(struct bed *bed, enum traffic traffic, const char *path)
{
	struct result result = {0};

	if (options.traffic >= 0 && options.traffic != (int)traffic)
		return;
	packets_make(bed, traffic, path);
	round_run(bed, &result); // warms up
	result.cycles = 0;
	for (unsigned i = 0; i < options.rounds; i++)
		result.pps[i] = round_run(bed, &result);
	// What is not done is not measured.
	uint64_t good = traffic == TRAFFIC_GOOD ? bed->packet_count
		: traffic == TRAFFIC_HOSTILE    ? (bed->packet_count + HOSTILE - 1) / HOSTILE
						: 0;

	if (result.answers != good)
		bed_die("not every request was treated as its kind must be");
	report(bed, traffic, path, &result);
}

// What is measured with other numbers of devices than --devices names.
static bool wanted(enum traffic traffic)
{
	return options.devices < 0 && (options.traffic < 0 || options.traffic == (int)traffic);
}

static void measure_devices(unsigned device_count)
{
	struct bed bed;

	bed_make(&bed, device_count, 64, 0);
	measure(&bed, TRAFFIC_GOOD, "discard");
	if (!options.quick)
		measure(&bed, TRAFFIC_GOOD, "echo");
	for (enum traffic t = TRAFFIC_UNKNOWN; t <= TRAFFIC_HOSTILE; t++)
		measure(&bed, t, "discard");
	bed_free(&bed);
}

// The CPU, as figures of another one say little.
static void cpu_report(void)
{
	char line[256], model[128] = "unknown";
	FILE *info = fopen("/proc/cpuinfo", "r");

	while (info && fgets(line, sizeof(line), info))
		if (sscanf(line, "model name : %127[^\n\"\\]", model) == 1)
			break;
	if (info)
		fclose(info);
	const char *format = options.json
		? "{\"bench\":\"pipeline\",\"cpu\":\"%s\",\"cpu_number\":%u,\"tsc_ghz\":%.3f}\n"
		: "%s, CPU %u, time-stamp counter of %.3f GHz\n";

	printf(format, model, bed_cpu(), rte_get_tsc_hz() / 1e9);
	fflush(stdout);
}

static void usage(void)
{
	fputs("Usage: pipeline [--json] [--quick] [--rounds N] [--devices N] [--traffic NAME]\n"
	      "Measures the worker from rx to tx on a ring port.\n",
		stdout);
}

__attribute__((noreturn, format(printf, 1, 2))) static void mistake(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	fputs("pipeline: ", stderr);
	vfprintf(stderr, format, args);
	fputc('\n', stderr);
	va_end(args);
	exit(2);
}

static unsigned long number_parse(const char *option, const char *text)
{
	char *end;
	unsigned long n = strtoul(text, &end, 10);

	if (*text < '0' || *text > '9' || *end)
		mistake("--%s: \"%s\" is no number", option, text);
	return n;
}

static int traffic_parse(const char *name)
{
	for (int t = 0; t < TRAFFIC_COUNT; t++)
		if (!strcmp(name, traffic_names[t]))
			return t;
	mistake("--traffic: \"%s\" is none of good, unknown-kid, bad-tag, replay, malformed, "
		"hostile-90, copies, neighbour, junk, routes",
		name);
}

static long devices_parse(const char *text)
{
	unsigned long n = number_parse("devices", text);

	for (unsigned i = 0; i < RTE_DIM(device_counts); i++)
		if (n == device_counts[i])
			return (long)n;
	mistake("--devices: %s is none of 1, 1000, 100000, 1000000", text);
}

static void options_parse(int argc, char **argv)
{
	static const struct option longs[] = {
		{"json", no_argument, NULL, 'j'},
		{"quick", no_argument, NULL, 'q'},
		{"rounds", required_argument, NULL, 'r'},
		{"devices", required_argument, NULL, 'd'},
		{"traffic", required_argument, NULL, 't'},
		{"help", no_argument, NULL, 'h'},
		{0},
	};
	int opt;

	while ((opt = getopt_long(argc, argv, "jqr:d:t:h", longs, NULL)) != -1) {
		switch (opt) {
		case 'j':
			options.json = true;
			break;
		case 'q':
			options.quick = true;
			break;
		case 'r':
			options.rounds = number_parse("rounds", optarg);
			break;
		case 'd':
			options.devices = devices_parse(optarg);
			break;
		case 't':
			options.traffic = traffic_parse(optarg);
			break;
		case 'h':
			usage();
			exit(EXIT_SUCCESS);
		default:
			exit(2); // getopt said why
		}
	}
	if (optind != argc)
		mistake("\"%s\" is one argument too many", argv[optind]);
	if (!options.rounds || options.rounds > ROUNDS_MAX)
		mistake("--rounds is 1 to %d", ROUNDS_MAX);
}

int main(int argc, char **argv)
{
	options_parse(argc, argv);
	bed_start();
	cpu_report();
	for (unsigned i = 0; i < RTE_DIM(device_counts); i++) {
		if (options.devices >= 0 && options.devices != (long)device_counts[i])
			continue;
		if (options.traffic > TRAFFIC_HOSTILE)
			continue;
		if (options.quick && options.devices < 0 && device_counts[i] != 1000 &&
			device_counts[i] != 1000000)
			continue;
		measure_devices(device_counts[i]);
	}
	if (wanted(TRAFFIC_COPIES))
		copies_measure(options.json, options.rounds);
	if (wanted(TRAFFIC_NEIGHBOUR))
		neighbour_measure(options.json);
	if (wanted(TRAFFIC_JUNK))
		junk_measure(options.json, options.rounds);
	if (wanted(TRAFFIC_ROUTES))
		routes_measure(options.json);
	bed_stop();
	return EXIT_SUCCESS;
}
