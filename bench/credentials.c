// SPDX-License-Identifier: BSD-3-Clause
// usage: bench_credentials [--devices N] [--json]
// Memory and times of the index of credentials of EDHOC (gw/handshake/credentials.h) with N (1 000
// 000) devices of the store, each with a CCS that has a kid of four bytes: what a device takes, how
// long it takes to put one in, and to find one by its kid and by its CCS, with a reading of the
// key, which is part of finding it.

#include "gw/handshake/credentials.h"

#include "base/clock.h"

#include <errno.h>
#include <getopt.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CCS_MAX  160
#define KEYS     64 // different ones: to make each is what would take longest
#define LOOK_UPS 200000

static struct ecc_pair pair[KEYS];

static void must(bool good, const char *what)
{
	if (good)
		return;
	fprintf(stderr, "bench_credentials: %s\n", what);
	exit(1);
}

static size_t resident_bytes(void)
{
	FILE *file = fopen("/proc/self/statm", "re");
	unsigned long pages = 0;

	must(file && fscanf(file, "%*u %lu", &pages) == 1, "statm");
	fclose(file);
	return pages * 4096;
}

static void kid_make(uint32_t number, uint8_t kid[4])
{
	for (unsigned i = 0; i < 4; i++)
		kid[i] = (uint8_t)(number >> 8 * (3 - i));
}

static size_t ccs_make(uint32_t number, uint8_t ccs[CCS_MAX])
{
	struct edhoc_writer writer = edhoc_writer(ccs, CCS_MAX);
	uint8_t kid[4];
	char name[16];

	kid_make(number, kid);
	snprintf(name, sizeof(name), "e%u", number);
	edhoc_ccs_write(&writer, &pair[number % KEYS].public,
		(struct edhoc_bytes){(const uint8_t *)name, strlen(name)},
		(struct edhoc_bytes){kid, sizeof(kid)});
	must(!writer.failed, "a CCS is too long");
	return edhoc_writer_len(&writer);
}

static void put(struct credentials *credentials, uint32_t number)
{
	static const struct device_settings settings;
	uint8_t ccs[CCS_MAX], kid[4];
	char name[16];

	kid_make(number, kid);
	snprintf(name, sizeof(name), "e%u", number);
	const struct credential_row row = {.id = number + 1,
		.name = name,
		.settings = &settings,
		.item = {ccs, ccs_make(number, ccs)},
		.kid = {kid, sizeof(kid)}};

	must(!credentials_put(credentials, &row), strerror(errno));
}

// Nanoseconds of one look-up.
static double find(struct credentials *credentials, struct edhoc_engine *engine, uint32_t devices,
	enum edhoc_id_cred_kind kind)
{
	static struct edhoc_candidate candidate[EDHOC_CANDIDATES_MAX];
	enum edhoc_result result;
	uint64_t taken = 0;

	for (unsigned i = 0; i < LOOK_UPS; i++) {
		const uint32_t number = randombytes_uniform(devices);
		uint8_t ccs[CCS_MAX], kid[4];
		const size_t len = ccs_make(number, ccs);

		kid_make(number, kid);
		const struct edhoc_id_cred id_cred = {.kind = kind,
			.value = kind == EDHOC_ID_KID ? (struct edhoc_bytes){kid, sizeof(kid)}
						      : (struct edhoc_bytes){ccs, len}};
		const uint64_t from = clock_ns();
		const unsigned n =
			credentials_find(credentials, engine, &id_cred, 0, candidate, &result);

		taken += clock_ns() - from;
		must(n == 1 && candidate[0].owner.id == number + 1, "another one was found");
	}
	return (double)taken / LOOK_UPS;
}

int main(int argc, char **argv)
{
	static const struct option longs[] = {
		{"devices", required_argument, NULL, 'd'}, {"json", no_argument, NULL, 'j'}, {0}};
	uint32_t devices = 1000000;
	bool json = false;
	int c;

	while ((c = getopt_long(argc, argv, "", longs, NULL)) != -1) {
		if (c == 'd')
			devices = (uint32_t)strtoul(optarg, NULL, 10);
		else if (c == 'j')
			json = true;
		else
			return 2;
	}
	if (optind != argc || !devices || sodium_init() < 0)
		return 2;
	struct edhoc_engine engine = {aead_engine_create(NULL), ecc_engine_create(NULL)};
	struct credentials *credentials = credentials_create();

	must(engine.aead && engine.ecc && credentials, strerror(errno));
	for (unsigned i = 0; i < KEYS; i++)
		must(!ecc_pair_make(engine.ecc, ECC_P256, &pair[i]), "no key");
	const size_t before = resident_bytes();
	const uint64_t from = clock_ns();

	for (uint32_t i = 0; i < devices; i++)
		put(credentials, i);
	const double put_ns = (double)(clock_ns() - from) / devices;
	const double bytes = (double)(resident_bytes() - before) / devices;
	const double kid_ns = find(credentials, &engine, devices, EDHOC_ID_KID);
	const double kccs_ns = find(credentials, &engine, devices, EDHOC_ID_KCCS);

	if (json)
		printf("{\"bench\":\"credentials\",\"devices\":%u,\"bytes_each\":%.0f,\"put_ns\":%."
		       "0f,"
		       "\"find_by_kid_ns\":%.0f,\"find_by_value_ns\":%.0f}\n",
			devices, bytes, put_ns, kid_ns, kccs_ns);
	else
		printf("%u devices: %.0f bytes each, %.0f ns to put one in, %.0f ns to find one by "
		       "its "
		       "kid, %.0f ns by its CCS\n",
			devices, bytes, put_ns, kid_ns, kccs_ns);
	credentials_free(credentials);
	ecc_engine_free(engine.ecc);
	aead_engine_free(engine.aead);
	return 0;
}
