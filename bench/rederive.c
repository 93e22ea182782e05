// SPDX-License-Identifier: BSD-3-Clause
// usage: bench_rederive [--devices N] [--runs M] [--directory DIR] [--json]
// Adds N devices (100 000) that derive contexts to a new store under DIR (/tmp), and has M (100
// 000) runs of RFC 8613 appendix B.2 written, one by one and in groups of several sizes, as they
// come while the group before is being written. A group is one transaction, synced.

#include "base/clock.h"
#include "gw/store/import.h"
#include "gw/store/store.h"

#include <errno.h>
#include <ftw.h>
#include <getopt.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#define GROUP_MAX 4096

static void must(int code, const struct error *error, const char *what)
{
	if (code >= 0)
		return;
	fprintf(stderr, "%s: %s: %s\n", what, strerror(-code), error ? error->text : "");
	exit(1);
}

static void write_input(const char *path, unsigned long devices)
{
	FILE *file = fopen(path, "w");
	unsigned char secret[16];
	char hex[33];

	if (file == NULL) {
		perror(path);
		exit(1);
	}
	fputs("device_id,gateway_id,master_secret,never_used,rederive\n", file);
	for (unsigned long i = 0; i < devices; i++) {
		randombytes_buf(secret, sizeof(secret));
		sodium_bin2hex(hex, sizeof(hex), secret, sizeof(secret));
		fprintf(file, "%08lx,aa,%s,true,b2\n", i, hex);
	}
	if (fclose(file) != 0) {
		perror(path);
		exit(1);
	}
}

static void import_all(struct store *store, const char *path)
{
	const struct import_options options = {.format = IMPORT_CSV};
	enum import_state state = IMPORT_MORE;
	struct import *import;
	struct error error;
	bool done = false;

	must(import_open_path(store, path, &options, &import, &error), &error, "import");
	while (state != IMPORT_READ)
		must(import_step(import, &state, &error), &error, "read");
	while (!done)
		must(import_write(import, &done, &error), &error, "write");
	import_free(import);
}

struct fleet {
	uint64_t *id;
	uint32_t *count; // contexts that each derived
	size_t devices, next;
};

static int put_one(void *arg, const struct device_keyed *device)
{
	struct fleet *fleet = arg;

	fleet->id[fleet->devices++] = device->id;
	return 0;
}

// Seconds that so many runs take, of one device after the other.
static double runs_write(struct store *store, struct fleet *fleet, unsigned long runs, size_t group)
{
	static struct store_rederivation run[GROUP_MAX];
	struct error error;
	uint64_t start = clock_ns();

	for (unsigned long done = 0; done < runs;) {
		size_t n = runs - done < group ? runs - done : group;

		for (size_t i = 0; i < n; i++) {
			size_t at = (fleet->next + i) % fleet->devices;

			run[i] = (struct store_rederivation){.id = fleet->id[at],
				.rederived = fleet->count[at]++,
				.id_context_len = 24};
			randombytes_buf(run[i].id_context, run[i].id_context_len);
		}
		must(store_rederive(store, run, n, &error), &error, "rederive");
		for (size_t i = 0; i < n; i++)
			must(run[i].result, &error, "a run");
		fleet->next += n;
		done += n;
	}
	sodium_memzero(run, sizeof(run));
	return (clock_ns() - start) / 1e9;
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	return remove(path);
}

static void measure(const char *top, unsigned long devices, unsigned long runs, bool json)
{
	static const size_t groups[] = {1024, 256, 64, 16, 1};
	char directory[160], runtime[160], kek_path[160], input[160];
	struct store_load_result result;
	struct fleet fleet = {0};
	struct error error;
	struct store *store;
	struct kek *kek;

	snprintf(directory, sizeof(directory), "%s/store", top);
	snprintf(runtime, sizeof(runtime), "%s/run", top);
	snprintf(kek_path, sizeof(kek_path), "%s/kek", top);
	snprintf(input, sizeof(input), "%s/devices.csv", top);
	const struct store_config config = {.directory = directory, .runtime = runtime};
	struct store_config with_kek = config;

	write_input(input, devices);
	must(kek_create(kek_path, &error), &error, "key");
	must(kek_load(kek_path, &kek, &error), &error, "key");
	with_kek.kek = kek;
	must(store_open(&with_kek, &store, &error), &error, "open");
	must(store_start(store, &error), &error, "start");
	import_all(store, input);
	fleet.id = calloc(devices, sizeof(fleet.id[0]));
	fleet.count = calloc(devices, sizeof(fleet.count[0]));
	must(fleet.id && fleet.count ? 0 : -ENOMEM, NULL, "devices");
	must(store_load(store, put_one, &fleet, &result, &error), &error, "load");
	for (size_t i = 0; i < sizeof(groups) / sizeof(groups[0]); i++) {
		// One by one they are too slow for all.
		unsigned long n = groups[i] < 256 ? runs / 256 * groups[i] : runs;
		double took = runs_write(store, &fleet, n ? n : 1, groups[i]);

		printf(json ? "{\"group\":%zu,\"runs\":%lu,\"seconds\":%.3f,\"a_minute\":%.0f}\n"
			    : "groups of %4zu: %8lu runs in %7.3f s, %9.0f a minute\n",
			groups[i], n ? n : 1, took, (n ? n : 1) / took * 60);
	}
	free(fleet.id);
	free(fleet.count);
	store_close(store);
	kek_free(kek);
}

int main(int argc, char **argv)
{
	static const struct option options[] = {
		{"devices", required_argument, NULL, 'd'},
		{"runs", required_argument, NULL, 'r'},
		{"directory", required_argument, NULL, 'D'},
		{"json", no_argument, NULL, 'j'},
		{0},
	};
	unsigned long devices = 100000, runs = 100000;
	const char *under = "/tmp";
	char top[128];
	bool json = false;
	int c;

	while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (c == 'd')
			devices = strtoul(optarg, NULL, 10);
		else if (c == 'r')
			runs = strtoul(optarg, NULL, 10);
		else if (c == 'D')
			under = optarg;
		else if (c == 'j')
			json = true;
		else
			return 2;
	}
	if (!devices || !runs || sodium_init() < 0)
		return 2;
	snprintf(top, sizeof(top), "%s/bench-rederive-XXXXXX", under);
	setvbuf(stdout, NULL, _IOLBF, 0);
	if (mkdtemp(top) == NULL) {
		perror(top);
		return 1;
	}
	measure(top, devices, runs, json);
	nftw(top, remove_one, 8, FTW_DEPTH | FTW_PHYS);
	return 0;
}
