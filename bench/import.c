// SPDX-License-Identifier: BSD-3-Clause
// usage: bench_import [--rows N] [--input csv|json] [--directory DIR] [--json]
// Imports N devices (1 000 000) into a new store under DIR (/tmp), loads them, keeps their windows
// and loads them again; compares opening the sealed derived keys with deriving them again; and
// checks the store, by turns, of which the longest is what others may have to wait for.

#include "gw/store/import.h"

#include "base/clock.h"
#include "gw/store/check.h"
#include "gw/store/row.h"
#include "gw/store/sql.h"
#include "gw/store/state.h"

#include <errno.h>
#include <ftw.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

static void must(int code, const struct error *error, const char *what)
{
	if (code >= 0)
		return;
	fprintf(stderr, "%s: %s%s%s\n", what, strerror(-code), error ? ": " : "",
		error ? error->text : "");
	exit(1);
}

static void must_sql(int code, int wanted, const struct store *store)
{
	if (code == wanted)
		return;
	fprintf(stderr, "load by derivation: %s\n", sqlite3_errmsg(store->db));
	exit(1);
}

static void write_input(const char *path, unsigned long rows, bool json)
{
	FILE *file = fopen(path, "w");
	unsigned char secret[16];
	char hex[33];

	if (file == NULL) {
		perror(path);
		exit(1);
	}
	if (!json)
		fputs("device_id,gateway_id,master_secret,never_used\n", file);
	for (unsigned long i = 0; i < rows; i++) {
		randombytes_buf(secret, sizeof(secret));
		sodium_bin2hex(hex, sizeof(hex), secret, sizeof(secret));
		if (json)
			fprintf(file,
				"{\"device_id\":\"%08lx\",\"gateway_id\":\"aa\","
				"\"master_secret\":\"%s\",\"never_used\":true}\n",
				i, hex);
		else
			fprintf(file, "%08lx,aa,%s,true\n", i, hex);
	}
	if (fclose(file) != 0) {
		perror(path);
		exit(1);
	}
}

static int count_one(void *arg, const struct device_keyed *device)
{
	++*(uint64_t *)arg;
	return 0;
}

static double load(struct store *store)
{
	struct store_load_result result;
	struct error error;
	uint64_t count = 0;

	double start = clock_ns() / 1e9;
	must(store_load(store, count_one, &count, &result, &error), &error, "load");
	return clock_ns() / 1e9 - start;
}

// The other way to load: the secret of each row is opened and the keys are derived.
static double load_by_derivation(struct store *store, uint64_t rows)
{
	sqlite3_stmt *statement;
	uint64_t count = 0;
	int code;
	struct osc_params params;
	struct osc_keys keys;
	struct store_row row;

	double start = clock_ns() / 1e9;
	must_sql(sqlite3_prepare_v2(store->db,
			 "SELECT " STORE_DEVICE_COLUMNS ", secret FROM device ORDER BY id", -1,
			 &statement, NULL),
		SQLITE_OK, store);
	const int secret = sqlite3_column_count(statement) - 1;
	while ((code = sqlite3_step(statement)) == SQLITE_ROW) {
		must(row_read(&row, statement), NULL, "row");
		const void *blob = sqlite3_column_blob(statement, secret);
		int len = sqlite3_column_bytes(statement, secret);
		must(blob && (size_t)len <= SEAL_SECRET_MAX ? 0 : -EBADMSG, NULL, "secret");
		row.secret_len = len;
		memcpy(row.secret, blob, len);
		must(seal_open_secret(store, &row, &params), NULL, "secret");
		must(osc_derive(&keys, &params), NULL, "derivation");
		count++;
	}
	must_sql(code, SQLITE_DONE, store);
	sqlite3_finalize(statement);
	must(count == rows ? 0 : -ENODATA, NULL, "load by derivation");
	return clock_ns() / 1e9 - start;
}

static bool next_window(void *arg, struct store_window *window)
{
	uint64_t *left = arg;

	if (*left == 0)
		return false;
	window->id = (*left)--;
	window->window = (struct osc_window){.next = 100000 + *left, .bits = UINT64_MAX};
	return true;
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	return remove(path);
}

struct paths {
	char top[128], store[160], runtime[160], kek[160], input[160];
};

struct figures {
	double stage, commit, commit_turn, hand_out, load, derive, stop, start, load_again, check,
		check_turn;
};

static void import_all(struct store *store, const char *path, struct figures *figures)
{
	struct import_options options = {0};
	struct device_keyed *devices = calloc(256, sizeof(*devices));
	enum import_state state = IMPORT_MORE;
	struct error error;
	struct import *import;
	size_t count;

	double start = clock_ns() / 1e9;
	must(import_open_path(store, path, &options, &import, &error), &error, "import");
	while (state != IMPORT_READ)
		must(import_step(import, &state, &error), &error, "import");
	double staged = clock_ns() / 1e9;
	for (bool done = false; !done;) {
		double turn = clock_ns() / 1e9;
		must(import_write(import, &done, &error), &error, "commit");
		turn = clock_ns() / 1e9 - turn;
		figures->commit_turn = turn > figures->commit_turn ? turn : figures->commit_turn;
	}
	double committed = clock_ns() / 1e9;
	do
		must(import_next(import, devices, 256, &count, &error), &error, "hand-out");
	while (count > 0);
	figures->stage = staged - start;
	figures->commit = committed - staged;
	figures->hand_out = clock_ns() / 1e9 - committed;
	import_free(import);
	free(devices);
}

static void check_all(struct store *store, struct figures *figures)
{
	struct store_check check = {0};
	struct error error;
	bool done = false;

	while (!done) {
		double start = clock_ns() / 1e9;
		must(store_check_step(store, &check, &done, &error), &error, "check");
		double took = clock_ns() / 1e9 - start;
		figures->check += took;
		if (took > figures->check_turn)
			figures->check_turn = took;
	}
	must(check.report.problems ? -EBADMSG : 0, &check.report.problem[0], "check");
}

static void measure(const struct paths *paths, unsigned long rows, struct figures *figures)
{
	struct error error;
	struct store *store;
	struct kek *kek;
	uint64_t left = rows;

	must(kek_create(paths->kek, &error), &error, "key");
	must(kek_load(paths->kek, &kek, &error), &error, "key");
	struct store_config config = {
		.directory = paths->store, .runtime = paths->runtime, .kek = kek};
	must(store_open(&config, &store, &error), &error, "open");
	must(store_start(store, &error), &error, "start");
	import_all(store, paths->input, figures);
	figures->load = load(store);
	figures->derive = load_by_derivation(store, rows);
	double start = clock_ns() / 1e9;
	must(store_stop(store, 0, next_window, &left, &error), &error, "stop");
	figures->stop = clock_ns() / 1e9 - start;
	store_close(store);

	start = clock_ns() / 1e9;
	must(store_open(&config, &store, &error), &error, "open");
	figures->start = clock_ns() / 1e9 - start;
	figures->load_again = load(store);
	must(store_start(store, &error), &error, "start");
	check_all(store, figures);
	store_close(store);
	kek_free(kek);
}

__attribute__((noreturn)) static void mistake(const char *why)
{
	fprintf(stderr, "bench_import: %s\n", why);
	exit(2);
}

static void report(bool json, unsigned long rows, const struct figures *f, long max_rss_kib)
{
	const char *format = json
		? "{\"rows\":%lu,\"read_and_stage_s\":%.3f,\"commit_s\":%.3f,"
		  "\"commit_turn_s\":%.3f,\"hand_out_s\":%.3f,\"import_s\":%.3f,\"load_s\":%.3f,"
		  "\"load_by_derivation_s\":%.3f,\"stop_s\":%.3f,\"open_s\":%.3f,"
		  "\"load_with_windows_s\":%.3f,\"check_s\":%.3f,\"check_turn_s\":%.3f,"
		  "\"max_rss_kib\":%ld}\n"
		: "rows                 %lu\n"
		  "read and stage       %.3f s\n"
		  "commit               %.3f s\n"
		  "its longest turn     %.3f s\n"
		  "hand out             %.3f s\n"
		  "import, in all       %.3f s\n"
		  "load                 %.3f s\n"
		  "load by derivation   %.3f s\n"
		  "stop, keep windows   %.3f s\n"
		  "open                 %.3f s\n"
		  "load with windows    %.3f s\n"
		  "check                %.3f s\n"
		  "its longest turn     %.3f s\n"
		  "largest memory       %ld KiB\n";
	printf(format, rows, f->stage, f->commit, f->commit_turn, f->hand_out,
		f->stage + f->commit + f->hand_out, f->load, f->derive, f->stop, f->start,
		f->load_again, f->check, f->check_turn, max_rss_kib);
}

int main(int argc, char **argv)
{
	static const struct option long_options[] = {
		{"rows", required_argument, NULL, 'r'},
		{"input", required_argument, NULL, 'i'},
		{"directory", required_argument, NULL, 'd'},
		{"json", no_argument, NULL, 'j'},
		{0},
	};
	const char *directory = "/tmp";
	unsigned long rows = 1000000;
	bool json_input = false, json = false;
	struct figures f = {0};
	struct rusage usage;
	char *end;
	int option;

	while ((option = getopt_long(argc, argv, "", long_options, NULL)) != -1) {
		switch (option) {
		case 'r':
			rows = strtoul(optarg, &end, 10);
			if (*end != 0 || rows == 0)
				mistake("--rows is a number from 1 up");
			break;
		case 'i':
			json_input = strcmp(optarg, "json") == 0;
			if (!json_input && strcmp(optarg, "csv") != 0)
				mistake("--input is csv or json");
			break;
		case 'd':
			directory = optarg;
			break;
		case 'j':
			json = true;
			break;
		default:
			exit(2); // getopt said why
		}
	}
	if (optind != argc)
		mistake("there are no arguments but options");
	struct paths paths;
	snprintf(paths.top, sizeof(paths.top), "%s/postern-bench-XXXXXX", directory);
	if (mkdtemp(paths.top) == NULL) {
		perror(paths.top);
		return 1;
	}
	snprintf(paths.store, sizeof(paths.store), "%s/store", paths.top);
	snprintf(paths.runtime, sizeof(paths.runtime), "%s/run", paths.top);
	snprintf(paths.kek, sizeof(paths.kek), "%s/kek", paths.top);
	snprintf(paths.input, sizeof(paths.input), "%s/input", paths.top);
	write_input(paths.input, rows, json_input);
	measure(&paths, rows, &f);
	nftw(paths.top, remove_one, 8, FTW_DEPTH | FTW_PHYS);
	getrusage(RUSAGE_SELF, &usage);
	report(json, rows, &f, usage.ru_maxrss);
	return 0;
}
