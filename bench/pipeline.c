// SPDX-License-Identifier: BSD-3-Clause
// What a request costs in the real worker, from rx to tx, without a NIC: requests a second and core
// cycles by stage, by number of devices and kind of traffic. See bench/README.md.
//
// A feeder, outside the clock, copies sealed requests from a compact store into mbufs and puts them
// on the ring of a ring port; dp_worker_turn() alone is timed. Every request has a Partial IV of
// its own; windows are reset between rounds, and a round goes through the devices in random order.

#include "bench/pipeline_bed.h"
#include "bench/pipeline_cached.h"
#include "bench/pipeline_junk.h"
#include "bench/pipeline_observe.h"
#include "bench/pipeline_row.h"
#include "bench/pipeline_shares.h"
#include "bench/pipeline_workers.h"

#include <rte_cycles.h>

#include <getopt.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define EXCHANGES      1024
#define VARIANT_HANDED VARIANT_COUNT // see pipeline_workers.c

static struct {
	bool json, quick;
	unsigned rounds;
	long devices; // -1: all
	int traffic;  // -1: all
	int variant;  // -1: all; with a kind of traffic, discard and echo; or VARIANT_HANDED
	unsigned workers;
} options = {.rounds = 7, .devices = -1, .traffic = -1, .variant = -1, .workers = 1};

static const unsigned device_counts[] = {1, 1000, 100000, 1000000};

// What is measured with other numbers of devices than --devices names.
static bool wanted(enum traffic traffic)
{
	return options.devices < 0 && options.variant < 0 &&
		(options.traffic < 0 || options.traffic == (int)traffic);
}

static bool variant_wanted(unsigned i)
{
	if (options.traffic > TRAFFIC_GOOD)
		return false;
	if (options.variant >= 0)
		return options.variant == (int)i;
	return options.traffic < 0 || i == VARIANT_DISCARD || (i == VARIANT_ECHO && !options.quick);
}

static void variants_measure(unsigned device_count)
{
	struct bed bed = {0};
	unsigned alg = AEAD_ALG_COUNT;

	for (unsigned i = 0; i < VARIANT_COUNT; i++) {
		if (!variant_wanted(i))
			continue;
		if (variants[i].alg != alg) {
			if (bed.dp)
				bed_free(&bed);
			alg = variants[i].alg;
			bed_make(&bed,
				&(struct bed_conf){.device_count = device_count,
					.alg = alg,
					.exchanges = EXCHANGES});
		}
		row_measure(&bed, TRAFFIC_GOOD, &variants[i], options.rounds, options.json);
	}
	if (bed.dp)
		bed_free(&bed);
}

static void traffic_measure(unsigned device_count)
{
	struct bed bed;

	if (options.variant >= 0 || options.traffic == TRAFFIC_GOOD)
		return;
	bed_make(&bed, &(struct bed_conf){.device_count = device_count, .exchanges = EXCHANGES});
	for (enum traffic t = TRAFFIC_UNKNOWN; t <= TRAFFIC_HOSTILE; t++)
		if (options.traffic < 0 || options.traffic == (int)t)
			row_measure(
				&bed, t, &variants[VARIANT_DISCARD], options.rounds, options.json);
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
	      "                [--variant NAME] [--workers 2]\n"
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
		"hostile-90, copies, neighbour, junk, routes, cached, observe",
		name);
}

static int variant_parse(const char *name)
{
	for (int i = 0; i < VARIANT_COUNT; i++)
		if (!strcmp(name, variants[i].name))
			return i;
	if (!strcmp(name, "handed"))
		return VARIANT_HANDED;
	fprintf(stderr, "pipeline: --variant: \"%s\" is none of", name);
	for (int i = 0; i < VARIANT_COUNT; i++)
		fprintf(stderr, " %s", variants[i].name);
	fputs(" handed\n", stderr);
	exit(2);
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
		{"variant", required_argument, NULL, 'v'},
		{"workers", required_argument, NULL, 'w'},
		{"help", no_argument, NULL, 'h'},
		{0},
	};
	int opt;

	while ((opt = getopt_long(argc, argv, "jqr:d:t:v:w:h", longs, NULL)) != -1) {
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
		case 'v':
			options.variant = variant_parse(optarg);
			break;
		case 'w':
			options.workers = number_parse("workers", optarg);
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
	if (options.workers < 1 || options.workers > BED_WORKERS_MAX)
		mistake("--workers is 1 or %d", BED_WORKERS_MAX);
}

int main(int argc, char **argv)
{
	options_parse(argc, argv);
	bed_start(options.workers > 1);
	cpu_report();
	for (unsigned i = 0; i < RTE_DIM(device_counts); i++) {
		if (options.devices >= 0 && options.devices != (long)device_counts[i])
			continue;
		if (options.traffic > TRAFFIC_HOSTILE)
			continue;
		if (options.quick && options.devices < 0 && device_counts[i] != 1000 &&
			device_counts[i] != 1000000)
			continue;
		if (options.workers > 1) {
			if (device_counts[i] > 1)
				workers_measure(device_counts[i], options.rounds, options.json);
			continue;
		}
		variants_measure(device_counts[i]);
		if (options.variant == VARIANT_HANDED ||
			(options.variant < 0 && options.traffic < 0))
			handed_measure(device_counts[i], options.rounds, options.json);
		traffic_measure(device_counts[i]);
	}
	if (options.workers > 1) {
		bed_stop();
		return EXIT_SUCCESS;
	}
	if (wanted(TRAFFIC_COPIES))
		copies_measure(options.json, options.rounds);
	if (wanted(TRAFFIC_NEIGHBOUR))
		neighbour_measure(options.json);
	if (wanted(TRAFFIC_JUNK))
		junk_measure(options.json, options.rounds);
	if (wanted(TRAFFIC_ROUTES))
		routes_measure(options.json);
	if (wanted(TRAFFIC_CACHED))
		cached_measure(options.json, options.rounds);
	if (wanted(TRAFFIC_OBSERVE))
		observe_measure(options.json, options.rounds, options.quick);
	bed_stop();
	return EXIT_SUCCESS;
}
