// SPDX-License-Identifier: BSD-3-Clause
// The parts of postern-load: percentiles, requests under way, sealing, devices, sequence numbers.

#include "bench/load/devices.h"
#include "bench/load/flight.h"
#include "bench/load/histogram.h"
#include "bench/load/piv.h"
#include "bench/load/request.h"
#include "tests/unit/dataplane/oscore/rfc8613_vectors.h"
#include "tests/unit/hex.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <sodium.h>
#include <stdlib.h>
#include <unistd.h>

static char folder[] = "/tmp/test_load.XXXXXX";
static char path[sizeof(folder) + 16];

static void make_folder(void)
{
	cr_assert(sodium_init() >= 0);
	cr_assert_not_null(mkdtemp(folder));
	snprintf(path, sizeof(path), "%s/keys", folder);
}

static void remove_folder(void)
{
	static const char *const names[] = {"keys", "keys.seq", "keys.seq.lock"};
	char file[sizeof(folder) + 32];

	for (unsigned i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		snprintf(file, sizeof(file), "%s/%s", folder, names[i]);
		unlink(file);
	}
	rmdir(folder);
}

static int compare(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

Test(load, percentiles_are_those_of_the_sorted_values_to_one_in_128)
{
	enum { COUNT = 100000 };
	static uint64_t values[COUNT];
	static struct histogram h;
	static const double percents[] = {0.01, 1, 50, 90, 99, 99.9, 99.99, 100};

	for (unsigned i = 0; i < COUNT; i++) {
		// Of all magnitudes, from nothing to a minute.
		values[i] = randombytes_random() >> randombytes_uniform(32);
		values[i] *= i % 16;
		histogram_add(&h, values[i]);
	}
	qsort(values, COUNT, sizeof(values[0]), compare);
	for (unsigned i = 0; i < sizeof(percents) / sizeof(percents[0]); i++) {
		uint64_t right = values[(size_t)(COUNT * percents[i] / 100 + 0.5) - 1];
		uint64_t got = histogram_percentile(&h, percents[i]);

		cr_expect(got >= right && got <= right + right / 128 + 1,
			"%g %%: %lu instead of %lu", percents[i], got, right);
	}
	cr_expect_eq(histogram_percentile(&h, 100), values[COUNT - 1]);
	cr_expect_eq(h.min, values[0]);
	// What no bucket holds is in the last one, and max is exact.
	histogram_add(&h, UINT64_MAX);
	cr_expect_eq(h.max, UINT64_MAX);
	cr_expect_eq(h.bucket[HISTOGRAM_BUCKETS - 1], 1);
}

Test(load, a_token_names_one_request_only)
{
	uint8_t first[LOAD_FLIGHT_TOKEN_LEN] = {0}, token[LOAD_FLIGHT_TOKEN_LEN] = {0};
	struct load_flight_slot *slot, *other;
	struct load_flight flight;

	cr_assert_eq(load_flight_create(&flight, 2), 0);
	cr_expect_null(load_flight_oldest(&flight));
	slot = load_flight_begin(&flight, first);
	other = load_flight_begin(&flight, token);
	cr_expect_eq(load_flight_oldest(&flight), slot);
	cr_expect_null(load_flight_begin(&flight, token), "both slots are used");
	cr_expect_eq(load_flight_find(&flight, first, sizeof(first)), slot);
	load_flight_end(&flight, slot);
	cr_expect_null(load_flight_find(&flight, first, sizeof(first)), "its answer came already");
	cr_expect_eq(load_flight_oldest(&flight), other);
	cr_expect_eq(load_flight_begin(&flight, token), slot);
	cr_expect_null(load_flight_find(&flight, first, sizeof(first)), "a late answer");
	cr_expect_eq(load_flight_find(&flight, token, sizeof(token)), slot);
	cr_expect_null(load_flight_find(&flight, token, sizeof(token) - 1));
	memset(token, 0xff, sizeof(token));
	cr_expect_null(load_flight_find(&flight, token, sizeof(token)), "no such slot");
	load_flight_end(&flight, other);
	cr_expect_eq(load_flight_oldest(&flight), slot);
	cr_expect_eq(flight.count, 1);
	load_flight_free(&flight);
}

static void write_file(const char *text)
{
	FILE *file = fopen(path, "w");

	cr_assert_not_null(file);
	fputs(text, file);
	cr_assert_eq(fclose(file), 0);
}

// RFC 8613 appendix C.4, but for the token, which has eight bytes here.
Test(load, a_sealed_request_is_the_one_of_the_rfc, .init = make_folder, .fini = remove_folder)
{
	const struct rfc8613_message *vector = &rfc8613_messages[0];
	struct option_list options = {0};
	struct load_devices devices;
	struct error f;
	uint8_t out[3][2048];
	struct aead_engine *engine = aead_engine_create(NULL);
	const size_t head = 8; // header and token of the vector
	size_t len;
	uint8_t *wanted = hex_decode(vector->protected, &len);

	write_file("{\"device_id\":\"\",\"gateway_id\":\"01\",\"never_used\":true,"
		   "\"master_secret\":\"0102030405060708090a0b0c0d0e0f10\","
		   "\"master_salt\":\"9e7ca92223786340\"}\n"
		   "{\"device_id\":\"07\",\"gateway_id\":\"01\",\"algorithm\":24,"
		   "\"master_secret\":\"0102030405060708090a0b0c0d0e0f10\",\"never_used\":true}\n");
	cr_assert_eq(devices_read(&devices, path, 0, &f), 0, "%s", f.text);
	cr_assert_eq(devices.count, 2);
	cr_assert_eq(option_add_words(&options, "uri-host=localhost", &f), 0);
	cr_assert_eq(option_add_words(&options, "uri-path=tv1", &f), 0);

	struct request_form form = {.type = COAP_CON, .code = COAP_GET, .options = &options};
	cr_assert_eq(request_form_make(&form, &devices, sizeof(out[0]), &f), 0, "%s", f.text);
	unsigned rfc = devices.device[0].kid_len ? 1 : 0; // they are in random order
	struct request_item items[3];
	for (unsigned i = 0; i < 3; i++)
		items[i] = (struct request_item){
			.device = &devices.device[i == 1 ? rfc : !rfc],
			.piv = vector->request_piv + (i == 2),
			.mid = 0x5d1f,
			.out = out[i],
		};
	cr_assert_eq(request_seal_batch(&form, engine, items, 3), 0);
	cr_expect_eq(items[1].len, len - head + 4 + LOAD_FLIGHT_TOKEN_LEN);
	cr_expect_eq(out[1][0], 0x48);
	cr_expect_arr_eq(out[1] + 1, wanted + 1, 3);
	cr_expect_arr_eq(out[1] + 4 + LOAD_FLIGHT_TOKEN_LEN, wanted + head, len - head);
	cr_expect_eq(items[0].len, items[1].len + 8 + 1, "a tag of 16 bytes, a kid of one");
	cr_expect(memcmp(out[0], out[2], items[0].len), "another Partial IV");
	request_form_free(&form);
	cr_expect_eq(request_form_make(&form, &devices, 64, &f), -EMSGSIZE);
	request_form_free(&form);
	free(wanted);
	option_list_free(&options);
	devices_free(&devices);
	aead_engine_free(engine);
}

Test(load, devices_that_were_made_are_read_again, .init = make_folder, .fini = remove_folder)
{
	struct load_devices devices;
	bool seen[1000] = {0};
	struct error f;

	cr_assert_eq(devices_make(path, 1000, 0xfffffc18, AEAD_CHACHA20_POLY1305, &f), 0);
	cr_expect_eq(devices_make(path, 1, 0, AEAD_CHACHA20_POLY1305, &f), -EEXIST,
		"nobody's secrets are written over");
	cr_assert_eq(devices_read(&devices, path, 0, &f), 0, "%s", f.text);
	cr_expect_eq(devices.count, 1000);
	for (size_t i = 0; i < devices.count; i++) {
		const struct load_device *d = &devices.device[i];
		uint32_t id =
			(uint32_t)d->kid[0] << 24 | d->kid[1] << 16 | d->kid[2] << 8 | d->kid[3];

		cr_assert_eq(d->kid_len, 4);
		cr_assert_eq(d->alg, AEAD_CHACHA20_POLY1305);
		cr_assert(id >= 0xfffffc18 && !seen[id - 0xfffffc18]);
		seen[id - 0xfffffc18] = true;
	}
	devices_free(&devices);
	cr_expect_eq(devices_read(&devices, path, 10, &f), 0);
	cr_expect_eq(devices.count, 10);
	devices_free(&devices);
	cr_expect_lt(devices_read(&devices, path, 1001, &f), 0, "there are fewer");
	devices_free(&devices);
	write_file("device_id,gateway_id,master_secret\n01,00,aa\n02,00,ab\n0x,00,ab\n");
	cr_expect_lt(devices_read(&devices, path, 0, &f), 0);
	cr_expect_not_null(strstr(f.text, "line 4"), "%s", f.text);
	devices_free(&devices);
}

// A device that is there twice would seal two requests under one number.
Test(load, the_same_keys_twice_are_refused, .init = make_folder, .fini = remove_folder)
{
	// The row that is the same as the first: written otherwise, and with the ends exchanged.
	static const char *const same[] = {"0A,0b,00aA,\n", "0b,0a,00aa,\n", "0a,0b,00aa,00\n"};
	static const char *const other[] = {"0c,0d,00aa,\n", "0a,0b,00ab,\n", "0a,0b,00aa,01\n"};
	struct load_devices devices;
	char text[256];
	struct error f;

	for (unsigned i = 0; i < 3; i++) {
		snprintf(text, sizeof(text),
			"device_id,gateway_id,master_secret,master_salt\n0a,0b,00aa,\n01,00,cc,\n%"
			"s",
			same[i]);
		write_file(text);
		cr_expect_eq(devices_read(&devices, path, 0, &f), -EINVAL, "%s", same[i]);
		cr_expect_not_null(strstr(f.text, "devices 1 and 3"), "%s", f.text);
		devices_free(&devices);
		cr_expect_eq(devices_read(&devices, path, 2, &f), 0, "only the others are used");
		devices_free(&devices);
	}
	for (unsigned i = 0; i < 3; i++) {
		snprintf(text, sizeof(text),
			"device_id,gateway_id,master_secret,master_salt\n0a,0b,00aa,\n%s",
			other[i]);
		write_file(text);
		cr_expect_eq(devices_read(&devices, path, 0, &f), 0, "%s: %s", other[i], f.text);
		devices_free(&devices);
	}
	// Only the other end has another name: the device seals under the same key.
	write_file("device_id,gateway_id,master_secret\n0a,0b,00aa\n0a,0c,00aa\n");
	cr_expect_eq(devices_read(&devices, path, 0, &f), -EINVAL);
	devices_free(&devices);
}

// Whatever ends a run, the next begins above all that it used.
Test(load, numbers_go_on_from_run_to_run, .init = make_folder, .fini = remove_folder)
{
	struct piv_supply supply;
	struct error f;
	bool started;
	uint64_t piv, next = 0;

	write_file("");
	for (unsigned run = 0; run < 4; run++) {
		bool crash = run == 2;
		uint64_t many = run == 1 ? 1000 : 10; // beyond both blocks of the start

		cr_assert_eq(piv_supply_open(&supply, path, 1u << 18, &started, &f), 0);
		cr_expect_eq(started, run == 0);
		cr_expect_eq(supply.block, 64);
		for (uint64_t i = 0; i < many; i++) {
			if (!piv_take(&supply, &piv)) {
				cr_assert_eq(piv_supply_fill(&supply, &f), 0);
				cr_assert(piv_take(&supply, &piv));
			}
			cr_assert(piv >= next, "%lu again, %lu is next", piv, next);
			cr_expect(run == 3 || piv == next, "none is left out");
			next = piv + 1;
		}
		if (crash)
			free(supply.path);
		else
			cr_assert_eq(piv_supply_close(&supply, &f), 0);
	}
}

// Two at once: what one gives back must not be what the other has.
Test(load, what_others_took_since_stays_taken, .init = make_folder, .fini = remove_folder)
{
	struct piv_supply one, two;
	uint64_t piv, last;
	struct error f;
	bool started;

	write_file("");
	cr_assert_eq(piv_supply_open(&one, path, 1u << 18, &started, &f), 0);
	cr_assert_eq(piv_supply_open(&two, path, 1u << 18, &started, &f), 0);
	cr_assert(piv_take(&one, &piv) && piv_take(&two, &last));
	cr_expect_gt(last, piv);
	cr_assert_eq(piv_supply_close(&one, &f), 0);
	cr_assert_eq(piv_supply_close(&two, &f), 0);
	cr_assert_eq(piv_supply_open(&one, path, 1u << 18, &started, &f), 0);
	cr_assert(piv_take(&one, &piv));
	cr_expect_eq(piv, last + 1);
	cr_assert_eq(piv_supply_close(&one, &f), 0);
}
