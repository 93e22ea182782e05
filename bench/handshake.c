// SPDX-License-Identifier: BSD-3-Clause
// Counts the EDHOC handshakes (RFC 9528) that a Responder does in a second; help[] says how it is
// called.

#include "base/clock.h"
#include "gw/edhoc/initiator.h"
#include "gw/edhoc/responder.h"

#include <getopt.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SLOTS  64 // handshakes that are prepared at once
#define ROOM   1024
#define ROUNDS 512 // at most

static const char help[] =
	"usage: handshake [OPTION]...\n"
	"EDHOC handshakes (RFC 9528) that a Responder does in a second on the core that it runs "
	"on:\n"
	"message_1 is checked, message_2 made with a new ephemeral key, message_3 verified, and "
	"the keys\n"
	"of the OSCORE context derived. What the Initiator does in between is not in the time. One "
	"row for\n"
	"each method, suite and kind of credential; a batch is how many are worked on at once.\n"
	"      --method M     of this method only (0 to 3)\n"
	"      --suite S      of this suite only (0 to 3)\n"
	"      --quick        1.5 s a row instead of 5\n"
	"      --rival COMMAND  prints how many a rival does in a second with method 3, suite 2 "
	"and kid;\n"
	"                     runs once, before the row of these\n"
	"      --json         one JSON object a row\n"
	"      --help\n";

static void must(bool good, const char *what)
{
	if (good)
		return;
	fprintf(stderr, "handshake: %s\n", what);
	exit(1);
}

struct options {
	bool json, quick;
	int method, suite; // -1: all
	const char *rival;
};

struct row {
	unsigned method, suite;
	bool by_value; // the Initiator's CCS is in message_3, not known by its kid
	unsigned batch;
};

// An end with its credential.
struct end {
	struct edhoc_identity identity;
	uint8_t ccs[256], name[256];
};

static void end_make(struct end *end, struct edhoc_engine *engine, const struct row *row,
	enum edhoc_role role, uint8_t kid)
{
	const struct edhoc_suite *suite = &edhoc_suites[row->suite];
	struct edhoc_writer ccs = edhoc_writer(end->ccs, sizeof(end->ccs));
	struct edhoc_writer name = edhoc_writer(end->name, sizeof(end->name));
	const bool by_value = row->by_value && role == EDHOC_INITIATOR;
	struct edhoc_credential credential;
	struct edhoc_id_cred id_cred;
	struct ecc_pair pair;

	must(!ecc_pair_make(engine->ecc,
		     edhoc_static_dh(row->method, role) ? suite->agreement : suite->signature,
		     &pair),
		"no key");
	edhoc_ccs_write(&ccs, &pair.public, (struct edhoc_bytes){(const uint8_t *)"device", 6},
		(struct edhoc_bytes){&kid, 1});
	must(edhoc_credential_from_ccs(engine,
		     (struct edhoc_bytes){end->ccs, edhoc_writer_len(&ccs)},
		     &credential) == EDHOC_OK &&
			edhoc_id_cred_make(&id_cred, by_value ? EDHOC_ID_KCCS : EDHOC_ID_KID,
				&credential, (struct edhoc_bytes){&kid, 1}, &name) == EDHOC_OK &&
			edhoc_identity_init(&end->identity, engine, &credential, &id_cred,
				pair.secret) == EDHOC_OK,
		"no credential");
	sodium_memzero(&pair, sizeof(pair));
}

struct message {
	size_t len;
	uint8_t bytes[ROOM];
};

// A handshake, both ends of it.
struct slot {
	struct edhoc_session initiator, responder;
	struct message message[4]; // 1 to 3
	struct edhoc_message_1 parsed;
	struct edhoc_message_2 input;
	struct ecc_pair ephemeral;
	struct edhoc_opened opened;
	struct edhoc_credential credential;
	struct edhoc_done done;
	uint8_t room[ROOM];
};

static struct slot slots[SLOTS];
static struct edhoc_shared shared[SLOTS];
static struct ecc_pair *ephemerals[SLOTS];

// --- the Initiator, outside of the time
// ------------------------------------------------------------

static void start(struct slot *slot, struct edhoc_engine *engine, const struct row *row)
{
	struct edhoc_writer writer = edhoc_writer(slot->message[1].bytes, ROOM);
	const int64_t suite = row->suite;
	struct ecc_pair ephemeral;

	must(!ecc_pair_make(engine->ecc, edhoc_suites[row->suite].agreement, &ephemeral) &&
			edhoc_message_1_make(&(struct edhoc_start){.method = row->method,
						     .suites = &suite,
						     .n_suites = 1,
						     .c_i = {1, {1}},
						     .ephemeral = &ephemeral},
				&slot->initiator, &writer) == EDHOC_OK,
		"no message_1");
	slot->message[1].len = edhoc_writer_len(&writer);
}

static void go_on(struct slot *slot, struct edhoc_engine *engine, const struct end *initiator,
	const struct end *responder)
{
	struct edhoc_writer writer = edhoc_writer(slot->message[3].bytes, ROOM);
	struct edhoc_opened opened;
	struct edhoc_done done;

	must(edhoc_message_2_open(engine, &slot->initiator, slot->message[2].bytes,
		     slot->message[2].len, slot->room, &opened) == EDHOC_OK &&
			edhoc_message_2_verify(engine, &slot->initiator, &opened,
				&responder->identity.credential) == EDHOC_OK &&
			edhoc_message_3_make(engine, &slot->initiator, &initiator->identity,
				(struct edhoc_bytes){0}, &writer, &done) == EDHOC_OK,
		"no message_3");
	slot->message[3].len = edhoc_writer_len(&writer);
}

// --- the Responder
// ---------------------------------------------------------------------------------

static void answer(struct slot *at, unsigned n, struct edhoc_engine *engine, const struct row *row,
	const struct end *responder)
{
	for (unsigned i = 0; i < n; i++)
		ephemerals[i] = &at[i].ephemeral;
	must(!ecc_pairs_make(engine->ecc, edhoc_suites[row->suite].agreement, ephemerals, n),
		"no ephemeral key");
	for (unsigned i = 0; i < n; i++) {
		struct slot *slot = &at[i];

		must(edhoc_message_1_parse(&slot->parsed, slot->message[1].bytes,
			     slot->message[1].len) == EDHOC_OK &&
				edhoc_message_1_check(&slot->parsed, 0xf, 0xf) == EDHOC_OK,
			"message_1 refused");
		slot->input = (struct edhoc_message_2){.message_1 = &slot->parsed,
			.identity = &responder->identity,
			.c_r = {3, {7, 7, (uint8_t)i}},
			.ephemeral = &slot->ephemeral};
		must(edhoc_message_2_begin(&slot->input, &shared[i]) == EDHOC_OK,
			"message_1 refused");
	}
	edhoc_shared_run(engine, shared, n);
	for (unsigned i = 0; i < n; i++) {
		struct edhoc_writer writer = edhoc_writer(at[i].message[2].bytes, ROOM);

		must(edhoc_message_2_finish(&at[i].input, &shared[i], &at[i].responder, &writer) ==
				EDHOC_OK,
			"no message_2");
		at[i].message[2].len = edhoc_writer_len(&writer);
	}
}

static void verify(struct slot *at, unsigned n, struct edhoc_engine *engine, const struct row *row,
	const struct end *initiator)
{
	struct osc_params params;
	struct osc_keys keys;

	for (unsigned i = 0; i < n; i++) {
		struct slot *slot = &at[i];

		must(edhoc_message_3_open(engine, &slot->responder, slot->message[3].bytes,
			     slot->message[3].len, slot->room, &slot->opened) == EDHOC_OK,
			"message_3 refused");
		if (row->by_value)
			must(edhoc_credential_from_ccs(engine, slot->opened.plaintext.id_cred.value,
				     &slot->credential) == EDHOC_OK,
				"credential refused");
		else
			slot->credential = initiator->identity.credential;
		must(edhoc_message_3_begin(&slot->responder, &slot->credential, &shared[i]) ==
				EDHOC_OK,
			"credential refused");
	}
	edhoc_shared_run(engine, shared, n);
	for (unsigned i = 0; i < n; i++) {
		must(edhoc_message_3_finish(engine, &at[i].responder, &at[i].opened,
			     &at[i].credential, &shared[i], &at[i].done) == EDHOC_OK,
			"message_3 refused");
		edhoc_oscore(&at[i].done, EDHOC_RESPONDER, &params);
		must(!osc_derive(&keys, &params), "no keys");
		sodium_memzero(&params, sizeof(params));
		sodium_memzero(&keys, sizeof(keys));
	}
}

static int by_size(const void *a, const void *b)
{
	const double one = *(const double *)a, other = *(const double *)b;

	return (one > other) - (one < other);
}

// Microseconds that a handshake takes, the median of rounds.
static double measure(
	const struct row *row, struct edhoc_engine *engine, uint64_t ns, double *least)
{
	static double us[ROUNDS];
	static struct end initiator, responder;
	const uint64_t until = clock_ns() + ns;
	unsigned rounds = 0;

	end_make(&initiator, engine, row, EDHOC_INITIATOR, 0x2b);
	end_make(&responder, engine, row, EDHOC_RESPONDER, 0x0a);
	do {
		uint64_t taken = 0, from;

		for (unsigned i = 0; i < SLOTS; i++)
			start(&slots[i], engine, row);
		from = clock_ns();
		for (unsigned i = 0; i < SLOTS; i += row->batch)
			answer(&slots[i], row->batch, engine, row, &responder);
		taken += clock_ns() - from;
		for (unsigned i = 0; i < SLOTS; i++)
			go_on(&slots[i], engine, &initiator, &responder);
		from = clock_ns();
		for (unsigned i = 0; i < SLOTS; i += row->batch)
			verify(&slots[i], row->batch, engine, row, &initiator);
		taken += clock_ns() - from;
		us[rounds++] = (double)taken / 1000 / SLOTS;
	} while (rounds < ROUNDS && clock_ns() < until);
	edhoc_identity_fini(&initiator.identity);
	edhoc_identity_fini(&responder.identity);
	qsort(us, rounds, sizeof(*us), by_size);
	*least = us[0];
	return us[rounds / 2];
}

// What the rival prints; 0 without one.
static double rival_ask(const char *command)
{
	FILE *out = command ? popen(command, "r") : NULL;
	double rate = 0;

	if (out) {
		must(fscanf(out, "%lf", &rate) == 1 && rate > 0, "the rival says nothing");
		pclose(out);
	}
	return rate;
}

static void show(const struct row *row, double us, double least, double rival, bool json)
{
	const char *credential = row->by_value ? "ccs-value" : "ccs-kid";
	const double rate = 1e6 / us;

	if (json) {
		printf("{\"bench\":\"handshake\",\"method\":%u,\"suite\":%u,\"credential\":\"%s\","
		       "\"batch\":%u,\"per_second_median\":%.0f,\"us_median\":%.2f,"
		       "\"us_min\":%.2f,\"vs\":{",
			row->method, row->suite, credential, row->batch, rate, us, least);
		if (rival > 0)
			printf("\"rival\":%.3f", rate / rival);
		printf("}}\n");
		return;
	}
	printf("%6u %6u  %-10s %6u %12.0f %10.2f %10.2f", row->method, row->suite, credential,
		row->batch, rate, us, least);
	if (rival > 0)
		printf("  rival %.2fx", rate / rival);
	printf("\n");
}

static struct options options_read(int argc, char **argv)
{
	static const struct option longs[] = {
		{"help", no_argument, NULL, 'h'},
		{"json", no_argument, NULL, 'j'},
		{"method", required_argument, NULL, 'm'},
		{"quick", no_argument, NULL, 'q'},
		{"rival", required_argument, NULL, 'r'},
		{"suite", required_argument, NULL, 's'},
		{NULL, 0, NULL, 0},
	};
	struct options options = {.method = -1, .suite = -1};
	int option;

	while ((option = getopt_long(argc, argv, "", longs, NULL)) != -1)
		switch (option) {
		case 'h':
			fputs(help, stdout);
			exit(0);
		case 'j':
			options.json = true;
			break;
		case 'm':
			options.method = atoi(optarg);
			break;
		case 'q':
			options.quick = true;
			break;
		case 'r':
			options.rival = optarg;
			break;
		case 's':
			options.suite = atoi(optarg);
			break;
		default:
			fputs(help, stderr);
			exit(2);
		}
	if (optind != argc) {
		fputs(help, stderr);
		exit(2);
	}
	return options;
}

int main(int argc, char **argv)
{
	static const struct row rows[] = {
		{3, 2, false, 1},
		{3, 2, false, 8},
		{3, 2, false, 64},
		{3, 2, true, 1},
		{3, 2, true, 8},
		{3, 0, false, 1},
		{3, 0, false, 8},
		{3, 0, false, 64},
		{3, 0, true, 8},
		{0, 2, false, 1},
		{0, 2, false, 8},
		{0, 0, false, 1},
		{0, 0, false, 8},
		{1, 2, false, 1},
		{1, 0, false, 1},
		{2, 2, false, 1},
		{2, 0, false, 1},
		{3, 3, false, 1},
		{3, 3, false, 8},
		{3, 1, false, 1},
	};
	const struct options options = options_read(argc, argv);
	struct edhoc_engine engine;

	must(sodium_init() >= 0, "libsodium does not start");
	engine.aead = aead_engine_create(NULL);
	engine.ecc = ecc_engine_create(NULL);
	must(engine.aead && engine.ecc, "no engine");
	setvbuf(stdout, NULL, _IOLBF, 0);
	if (!options.json)
		printf("method  suite  credential  batch   per second         us   least us\n");
	for (unsigned i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		const struct row *row = &rows[i];
		double least;

		if ((options.method >= 0 && row->method != (unsigned)options.method) ||
			(options.suite >= 0 && row->suite != (unsigned)options.suite))
			continue;
		const double rival = i ? 0 : rival_ask(options.rival);
		const double us = measure(
			row, &engine, UINT64_C(1000000) * (options.quick ? 1500 : 5000), &least);

		show(row, us, least, rival, options.json);
	}
	aead_engine_free(engine.aead);
	ecc_engine_free(engine.ecc);
	return 0;
}
