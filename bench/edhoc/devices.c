// SPDX-License-Identifier: BSD-3-Clause

#include "bench/edhoc/devices.h"

#include <errno.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void die(const char *what)
{
	fprintf(stderr, "bench_edhoc_load: %s\n", what);
	exit(1);
}

static size_t digits(uint8_t *out, size_t room, const char *text)
{
	size_t len;

	if (sodium_hex2bin(out, room, text, strlen(text), NULL, &len, NULL))
		die("not hexadecimal");
	return len;
}

void devices_init(struct devices *devices, const char *seed, unsigned suite, const char *gateway)
{
	if (suite != 0 && suite != 2)
		die("suite 0 or 2");
	devices->suite = suite;
	devices->engine = (struct edhoc_engine){aead_engine_create(NULL), ecc_engine_create(NULL)};
	if (!devices->engine.aead || !devices->engine.ecc)
		die(strerror(errno));
	if (digits(devices->seed, SEED_LEN, seed) != SEED_LEN)
		die("the seed has 64 digits");
	if (!gateway)
		return;
	const size_t len = digits(devices->gateway_item, sizeof(devices->gateway_item), gateway);

	if (edhoc_credential_from_ccs(&devices->engine,
		    (struct edhoc_bytes){devices->gateway_item, len},
		    &devices->gateway) != EDHOC_OK)
		die("the gateway's credential is no CCS");
}

// Its name, kid, private key and CCS.
static size_t device_begin(
	struct devices *devices, uint32_t number, struct device *device, uint8_t secret[ECC_LEN])
{
	struct edhoc_writer ccs = edhoc_writer(device->ccs, sizeof(device->ccs));
	struct ecc_pair pair;

	snprintf(device->name, sizeof(device->name), "e%u", number);
	for (unsigned i = 0; i < 4; i++)
		device->kid[i] = (uint8_t)(number >> 8 * (3 - i));
	crypto_generichash(
		secret, ECC_LEN, (const uint8_t *)&number, sizeof(number), devices->seed, SEED_LEN);
	if (ecc_pair_from_secret(
		    devices->engine.ecc, edhoc_suites[devices->suite].agreement, secret, &pair))
		die("no key");
	edhoc_ccs_write(&ccs, &pair.public,
		(struct edhoc_bytes){(const uint8_t *)device->name, strlen(device->name)},
		(struct edhoc_bytes){device->kid, sizeof(device->kid)});
	sodium_memzero(&pair, sizeof(pair));
	return edhoc_writer_len(&ccs);
}

void device_make(struct devices *devices, uint32_t number, struct device *device)
{
	struct edhoc_writer name = edhoc_writer(device->id_cred, sizeof(device->id_cred));
	struct edhoc_credential credential;
	struct edhoc_id_cred id_cred;
	uint8_t secret[ECC_LEN];
	const size_t len = device_begin(devices, number, device, secret);

	if (edhoc_credential_from_ccs(&devices->engine, (struct edhoc_bytes){device->ccs, len},
		    &credential) != EDHOC_OK ||
		edhoc_id_cred_make(&id_cred, EDHOC_ID_KID, &credential,
			(struct edhoc_bytes){device->kid, sizeof(device->kid)},
			&name) != EDHOC_OK ||
		edhoc_identity_init(&device->identity, &devices->engine, &credential, &id_cred,
			secret) != EDHOC_OK)
		die("no credential");
	sodium_memzero(secret, sizeof(secret));
}

void devices_print(struct devices *devices, uint32_t count)
{
	char text[2 * DEVICE_CCS_MAX + 1];
	uint8_t secret[ECC_LEN];

	puts("name,credential");
	for (uint32_t i = 0; i < count; i++) {
		struct device device;
		const size_t len = device_begin(devices, i, &device, secret);

		printf("%s,%s\n", device.name, sodium_bin2hex(text, sizeof(text), device.ccs, len));
	}
	sodium_memzero(secret, sizeof(secret));
}
