// SPDX-License-Identifier: BSD-3-Clause
// Who a credential stands for: devices of the store, certificates of authorities, what was revoked,
// and names.

#include "gw/handshake/credentials.h"
#include "tests/unit/gw/edhoc/bed.h"
#include "tests/unit/gw/edhoc/certs.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

#define NOW (CERTS_NOT_BEFORE + 1000)

static struct edhoc_engine engine;
static struct certs_ca *ca;
static struct credentials *all;
static struct edhoc_candidate found[EDHOC_CANDIDATES_MAX];
static enum edhoc_result result;
static uint64_t gone[512], changed[16];
static unsigned gone_count, changed_count;

static void gone_note(void *arg, uint64_t id)
{
	gone[gone_count++] = id;
	credentials_drop(all, id);
}

static void changed_note(void *arg, const struct credential_owner *owner)
{
	changed[changed_count++] = owner->id;
}

static void begin(void)
{
	engine = bed_engine();
	ca = certs_ca_make("factory", NULL);
	all = credentials_create();
	cr_assert_not_null(all);
	credentials_watch(
		all, &(struct credentials_watch){.gone = gone_note, .changed = changed_note});
}

static void end(void)
{
	credentials_free(all);
	certs_ca_free(ca);
	bed_engine_free(&engine);
}

TestSuite(credentials, .init = begin, .fini = end);

// A credential that somebody has.
struct device {
	struct ecc_pair pair;
	struct bed_bytes item, kid;
};

static void ccs_make(struct device *device, uint8_t kid)
{
	struct edhoc_writer writer = edhoc_writer(device->item.data, BED_ROOM);

	cr_assert_eq(ecc_pair_make(engine.ecc, ECC_P256, &device->pair), 0);
	device->kid.len = 1;
	device->kid.data[0] = kid;
	edhoc_ccs_write(
		&writer, &device->pair.public, (struct edhoc_bytes){0}, bed_view(&device->kid));
	device->item.len = edhoc_writer_len(&writer);
}

static void cert_make(struct device *device, struct certs_request request)
{
	struct edhoc_writer writer = edhoc_writer(device->item.data, BED_ROOM);

	cr_assert_eq(ecc_pair_make(engine.ecc, ECC_P256, &device->pair), 0);
	request.key = &device->pair.public;
	if (!request.ca)
		request.ca = ca;
	certs_make(&writer, &request);
	device->item.len = edhoc_writer_len(&writer);
	device->kid.len = 0;
}

#define CERT(device, ...) cert_make(device, (struct certs_request){__VA_ARGS__})

static void put(const struct device *device, uint64_t id, const char *name, const char *policy)
{
	struct device_settings settings = {.max_message = 500};

	strcpy(settings.policy, policy);
	cr_assert_eq(credentials_put(all,
			     &(struct credential_row){.id = id,
				     .name = name,
				     .settings = &settings,
				     .x509 = !device->kid.len,
				     .item = bed_view(&device->item),
				     .kid = bed_view(&device->kid)}),
		0);
}

static void trust(const char *name, const char *list)
{
	const struct trust_rule rule = {certs_ca_pem(ca), strlen(certs_ca_pem(ca)), name, "meters"};
	struct error error;
	struct trust *rules = name ? trust_create(&rule, 1, &error) : NULL;
	struct revoked *revoked = list ? revoked_create(list, strlen(list), &error) : NULL;

	cr_assert((rules || !name) && (revoked || !list));
	credentials_trust(all, rules, revoked);
	while (credentials_sift(all))
		;
}

static unsigned look_up(enum edhoc_id_cred_kind kind, struct edhoc_bytes value)
{
	const struct edhoc_id_cred id_cred = {
		.kind = kind, .value = value, .x5t_alg = EDHOC_X5T_SHA256_64};

	return credentials_find(all, &engine, &id_cred, NOW, found, &result);
}

static unsigned by_kid(uint8_t kid)
{
	return look_up(EDHOC_ID_KID, (struct edhoc_bytes){&kid, 1});
}

static unsigned by_value(const struct device *device)
{
	return look_up(device->kid.len ? EDHOC_ID_KCCS : EDHOC_ID_X5CHAIN, bed_view(&device->item));
}

static struct credential_mark mark_of(const struct device *device)
{
	struct credential_mark mark;

	cr_assert(credential_mark_read(bed_view(&device->item), !device->kid.len, &mark));
	return mark;
}

static unsigned by_hash(const struct device *device, size_t len)
{
	const struct credential_mark mark = mark_of(device);

	return look_up(EDHOC_ID_X5T, (struct edhoc_bytes){mark.digest, len});
}

Test(credentials, a_device_is_found_by_each_name_of_its_credential)
{
	static struct device ccs, cert, other;

	ccs_make(&ccs, 1);
	CERT(&cert, .cn = "a");
	ccs_make(&other, 2);
	put(&ccs, 7, "ccs", "p");
	put(&cert, 8, "cert", "");
	cr_assert_eq(credentials_count(all), 2);

	cr_assert_eq(by_kid(1), 1);
	cr_assert_eq(result, EDHOC_OK);
	cr_assert_eq(found[0].owner.id, 7);
	cr_assert_str_eq(found[0].owner.name, "ccs");
	cr_assert_str_eq(found[0].owner.policy, "p");
	cr_assert_eq(found[0].owner.max_message, 500);
	cr_assert_eq(found[0].owner.not_after, INT64_MAX);
	cr_assert(!memcmp(&found[0].credential.key, &ccs.pair.public, sizeof(ccs.pair.public)));
	cr_assert_eq(found[0].credential.item.data, found[0].item);
	cr_assert_eq(by_value(&ccs), 1);
	cr_assert_eq(found[0].owner.id, 7);

	cr_assert_eq(by_value(&cert), 1);
	cr_assert_eq(found[0].owner.id, 8);
	cr_assert_eq(found[0].owner.not_after, CERTS_NOT_AFTER);
	cr_assert_eq(by_hash(&cert, 8), 1);
	cr_assert_eq(by_hash(&cert, 32), 1);
	cr_assert(!memcmp(&found[0].credential.key, &cert.pair.public, sizeof(cert.pair.public)));

	cr_assert_eq(by_kid(2), 0);
	cr_assert_eq(result, EDHOC_UNKNOWN);
	cr_assert_eq(by_value(&other), 0);
	cr_assert_eq(result, EDHOC_UNKNOWN);
}

Test(credentials, a_kid_of_many_gives_four)
{
	static struct device device[6];
	bool seen[6] = {0};

	for (unsigned i = 0; i < 6; i++) {
		ccs_make(&device[i], 9);
		put(&device[i], i + 1, "x", "");
		cr_assert_eq(by_kid(9), i < 4 ? i + 1 : 4);
	}
	for (unsigned i = 0; i < 4; i++) {
		cr_assert_not(seen[found[i].owner.id - 1], "each once");
		seen[found[i].owner.id - 1] = true;
	}
	for (unsigned i = 0; i < 5; i++)
		credentials_take(all, i + 1);
	cr_assert_eq(by_kid(9), 1);
	cr_assert_eq(found[0].owner.id, 6);
}

Test(credentials, one_of_many_devices_is_found)
{
	static struct device device;
	char name[16];

	for (uint64_t id = 1; id <= 3000; id++) {
		ccs_make(&device, 0);
		device.kid.len = 2;
		memcpy(device.kid.data, &id, 2);
		struct edhoc_writer writer = edhoc_writer(device.item.data, BED_ROOM);

		edhoc_ccs_write(&writer, &device.pair.public, (struct edhoc_bytes){0},
			bed_view(&device.kid));
		device.item.len = edhoc_writer_len(&writer);
		snprintf(name, sizeof(name), "n%u", (unsigned)id);
		put(&device, id, name, "");
	}
	for (uint64_t id = 1; id <= 3000; id++) {
		cr_assert_eq(look_up(EDHOC_ID_KID, (struct edhoc_bytes){(uint8_t *)&id, 2}), 1);
		cr_assert_eq(found[0].owner.id, id);
		if (id % 2)
			credentials_take(all, id);
	}
	cr_assert_eq(credentials_count(all), 1500);
	for (uint64_t id = 1; id <= 3000; id++)
		cr_assert_eq(look_up(EDHOC_ID_KID, (struct edhoc_bytes){(uint8_t *)&id, 2}),
			id % 2 ? 0 : 1);
}

Test(credentials, a_credential_of_another_time_is_not_accepted)
{
	static struct device old, young;

	CERT(&old, .cn = "a", .not_after = NOW - 1);
	CERT(&young, .cn = "b", .not_before = NOW + 1);
	put(&old, 1, "old", "");
	put(&young, 2, "young", "");
	cr_assert_eq(by_value(&old), 0);
	cr_assert_eq(result, EDHOC_UNTRUSTED);
	cr_assert_eq(by_hash(&young, 8), 0);
	cr_assert_eq(result, EDHOC_UNTRUSTED);
}

Test(credentials, a_certificate_without_a_use_is_not_accepted)
{
	static struct device device;

	CERT(&device, .cn = "a", .usage = "critical,keyCertSign");
	put(&device, 1, "a", "");
	cr_assert_eq(by_value(&device), 0);
	cr_assert_eq(result, EDHOC_CREDENTIAL);
	CERT(&device, .cn = "a", .usage = "critical,keyAgreement");
	trust("fab-{cn}", NULL);
	cr_assert_eq(by_value(&device), 1);
	cr_assert_not(edhoc_credential_fits(&found[0].credential, 0, 2, EDHOC_INITIATOR));
	cr_assert(edhoc_credential_fits(&found[0].credential, 3, 2, EDHOC_INITIATOR));
}

Test(credentials, what_was_revoked_is_not_accepted)
{
	static struct device ccs, cert, by_rule;
	struct credential_owner owner[3];
	char list[256], *at = list;

	ccs_make(&ccs, 1);
	CERT(&cert, .cn = "a", .serial = 0x1234);
	CERT(&by_rule, .cn = "b", .serial = 0x5678);
	put(&ccs, 1, "ccs", "");
	put(&cert, 2, "cert", "");
	trust("fab-{cn}", "");
	cr_assert_eq(by_kid(1), 1);
	owner[0] = found[0].owner;
	cr_assert_eq(by_hash(&cert, 8), 1);
	owner[1] = found[0].owner;
	cr_assert_eq(by_value(&by_rule), 1);
	owner[2] = found[0].owner;
	for (unsigned i = 0; i < 3; i++)
		cr_assert_eq(credentials_hold(all, &owner[i]), 0);

	const struct credential_mark mark = mark_of(&ccs);

	at += sprintf(at, "sha256 ");
	for (unsigned i = 0; i < EDHOC_HASH_LEN; i++)
		at += sprintf(at, "%02x", mark.digest[i]);
	sprintf(at, "\nserial 1234\nserial 5678\n");
	trust("fab-{cn}", list);
	cr_assert_eq(gone_count, 3, "sessions of all three end");
	cr_assert_eq(by_kid(1), 0);
	cr_assert_eq(result, EDHOC_UNTRUSTED);
	cr_assert_eq(by_hash(&cert, 8), 0);
	cr_assert_eq(result, EDHOC_UNTRUSTED);
	cr_assert_eq(by_value(&by_rule), 0);
	cr_assert_eq(result, EDHOC_UNTRUSTED);
	for (unsigned i = 0; i < 3; i++)
		cr_assert_eq(credentials_hold(all, &owner[i]), -EKEYREVOKED, "found before");
	trust("fab-{cn}", NULL);
	cr_assert_eq(by_kid(1), 1);
	cr_assert_eq(by_value(&by_rule), 1);
}

#define MANY_USED 300

static void hold_ccs(uint64_t id, const struct credential_owner *as)
{
	struct credential_owner owner = *as;

	owner.id = id;
	cr_assert_eq(credentials_hold(all, &owner), 0);
}

// Those that are in use are looked at a few at a time. What is found or held meanwhile is looked up
// in the new list, and those that are put into other chains then are not passed over.
Test(credentials, what_is_in_use_is_sifted_in_slices)
{
	static struct device ccs, other;
	struct credential_owner owner, fine;
	unsigned slices = 1;
	char list[128], *at = list;

	ccs_make(&ccs, 1);
	ccs_make(&other, 2);
	for (uint64_t id = 1; id <= MANY_USED; id++)
		put(&ccs, id, "ccs", "");
	for (uint64_t id = MANY_USED + 1; id <= 3 * MANY_USED; id++)
		put(&other, id, "other", "");
	cr_assert_eq(by_kid(1), 4);
	owner = found[0].owner;
	cr_assert_eq(by_kid(2), 4);
	fine = found[0].owner;
	for (uint64_t id = 1; id <= MANY_USED; id++)
		hold_ccs(id, &owner);
	at += sprintf(at, "sha256 ");
	for (unsigned i = 0; i < EDHOC_HASH_LEN; i++)
		at += sprintf(at, "%02x", owner.mark.digest[i]);
	credentials_trust(all, NULL, revoked_create(list, strlen(list), NULL));
	cr_assert_eq(by_kid(1), 0);
	cr_assert_eq(credentials_hold(all, &owner), -EKEYREVOKED);
	cr_assert_eq(gone_count, 0);
	for (unsigned i = 0; i < 2; i++)
		cr_assert(credentials_sift(all));
	cr_assert(gone_count > 0 && gone_count < MANY_USED);
	for (uint64_t id = MANY_USED + 1; id <= 3 * MANY_USED; id++) {
		hold_ccs(id, &fine); // the table grows
		cr_assert_eq(by_kid(1), 0);
	}
	while (credentials_sift(all))
		slices++;
	cr_assert_geq(slices, 3 * MANY_USED / 128);
	cr_assert_eq(gone_count, MANY_USED, "all of them, and no other");
	cr_assert_not(credentials_sift(all));
}

Test(credentials, a_rule_makes_a_device_of_a_certificate)
{
	static struct device device;
	struct credential_owner owner;

	CERT(&device, .cn = "7");
	cr_assert_eq(by_value(&device), 0, "without a rule");
	cr_assert_eq(result, EDHOC_UNTRUSTED);
	trust("fab-{cn}", NULL);
	cr_assert_eq(by_value(&device), 1);
	owner = found[0].owner;
	cr_assert(owner.id & CREDENTIAL_BY_RULE);
	cr_assert_str_eq(owner.name, "fab-7");
	cr_assert_str_eq(owner.policy, "meters");
	cr_assert_eq(by_hash(&device, 8), 0, "a hash alone names what is in the store");
	cr_assert_eq(result, EDHOC_UNKNOWN);
	cr_assert_eq(credentials_hold(all, &owner), 0);
	cr_assert_eq(credentials_hold(all, &owner), 0, "two sessions");
	trust("fab-{cn}", NULL);
	cr_assert_eq(gone_count, 0, "the same rule");
	trust("new-{cn}", NULL);
	cr_assert_eq(gone_count, 1);
	cr_assert_eq(gone[0], owner.id);
	cr_assert_eq(credentials_hold(all, &owner), -EKEYREVOKED);
}

// The certificate of a device that is in the store is that device, whatever a rule says.
Test(credentials, the_store_comes_before_rules)
{
	static struct device device;

	CERT(&device, .cn = "7");
	trust("fab-{cn}", NULL);
	put(&device, 3, "mine", "");
	cr_assert_eq(by_value(&device), 1);
	cr_assert_eq(found[0].owner.id, 3);
	cr_assert_str_eq(found[0].owner.name, "mine");
	CERT(&device, .cn = "8", .not_after = NOW - 1);
	put(&device, 4, "old", "");
	cr_assert_eq(by_value(&device), 0);
}

Test(credentials, a_certificate_does_not_get_the_name_of_a_device_of_the_store)
{
	static struct device device;
	struct credential_owner owner;

	CERT(&device, .cn = "7");
	trust("fab-{cn}", NULL);
	cr_assert_eq(credentials_name_put(all, "fab-7"), 0);
	cr_assert_eq(by_value(&device), 0);
	cr_assert_eq(result, EDHOC_UNTRUSTED);
	credentials_name_take(all, "fab-7");
	cr_assert_eq(by_value(&device), 1);
	owner = found[0].owner;
	cr_assert_eq(credentials_name_put(all, "fab-7"), 0);
	cr_assert_eq(credentials_hold(all, &owner), -EEXIST, "the device came meanwhile");
	credentials_name_take(all, "fab-7");
	cr_assert_eq(credentials_hold(all, &owner), 0);
	cr_assert_eq(credentials_name_put(all, "fab-8"), 0);
	cr_assert_eq(gone_count, 0);
	cr_assert_eq(credentials_name_put(all, "fab-7"), 0);
	cr_assert_eq(gone_count, 1, "the device of the store takes its name");
}

Test(credentials, a_name_in_use_goes_to_the_certificate_that_was_issued_later)
{
	static struct device first, later;
	struct credential_owner owner, other;

	CERT(&first, .cn = "7");
	CERT(&later, .cn = "7", .not_before = NOW - 5);
	trust("fab-{cn}", NULL);
	cr_assert_eq(by_value(&first), 1);
	owner = found[0].owner;
	cr_assert_eq(credentials_hold(all, &owner), 0);
	cr_assert_eq(by_value(&later), 1);
	other = found[0].owner;
	cr_assert_eq(credentials_hold(all, &other), 0);
	cr_assert_eq(gone_count, 1);
	cr_assert_eq(gone[0], owner.id);
	cr_assert_eq(by_value(&first), 0, "older");
	cr_assert_eq(result, EDHOC_UNTRUSTED);
	cr_assert_eq(credentials_hold(all, &owner), -EEXIST);
	credentials_drop(all, other.id);
	cr_assert_eq(by_value(&first), 1, "nobody has the name any more");
}

Test(credentials, two_of_the_same_time_do_not_share_a_name)
{
	static struct device first, second;
	struct credential_owner owner;

	CERT(&first, .cn = "7");
	CERT(&second, .cn = "7");
	trust("fab-{cn}", NULL);
	cr_assert_eq(by_value(&first), 1);
	owner = found[0].owner;
	cr_assert_eq(credentials_hold(all, &owner), 0);
	cr_assert_eq(by_value(&second), 0);
	cr_assert_eq(by_value(&first), 1);
}

Test(credentials, what_is_removed_ends_and_what_is_changed_is_told)
{
	static struct device device;
	struct credential_owner owner;

	ccs_make(&device, 1);
	put(&device, 5, "a", "p");
	cr_assert_eq(by_kid(1), 1);
	owner = found[0].owner;
	put(&device, 5, "a", "q");
	cr_assert_eq(changed_count, 0, "nobody uses it");
	cr_assert_eq(credentials_hold(all, &owner), 0);
	cr_assert_str_eq(owner.policy, "q", "brought up to date");
	put(&device, 5, "a", "r");
	cr_assert_eq(changed_count, 1);
	credentials_end(all, 5);
	cr_assert_eq(gone_count, 1, "it must begin again");
	cr_assert_eq(credentials_hold(all, &owner), 0);
	gone_count = 0;
	cr_assert_eq(credentials_count(all), 1);
	credentials_take(all, 5);
	cr_assert_eq(gone_count, 1);
	cr_assert_eq(gone[0], 5);
	cr_assert_eq(credentials_hold(all, &owner), -ENOENT);
	credentials_take(all, 5);
	cr_assert_eq(gone_count, 1);
}

Test(credentials, what_is_in_use_is_found_by_id_and_by_name)
{
	static struct device device, certificate;
	struct credential_owner owner;

	ccs_make(&device, 1);
	put(&device, 5, "a", "p");
	cr_assert_eq(credentials_name_put(all, "a"), 0);
	cr_assert_eq(by_kid(1), 1);
	cr_expect_null(credentials_used_by(all, "a"), "nobody uses it");
	owner = found[0].owner;
	cr_assert_eq(credentials_hold(all, &owner), 0);
	cr_assert_not_null(credentials_used_by(all, "a"));
	cr_expect_eq(credentials_used_by(all, "a")->id, 5);
	cr_expect_eq(credentials_used(all, 5), credentials_used_by(all, "a"));
	// The same device again, as "device add" with other settings has it.
	cr_assert_eq(credentials_name_put(all, "a"), 0);
	cr_expect_eq(gone_count, 0, "its name is its own");
	put(&device, 5, "b", "p");
	cr_expect_null(credentials_used_by(all, "a"));
	cr_expect_not_null(credentials_used_by(all, "b"));

	trust("fab-{cn}", NULL);
	CERT(&certificate, .cn = "1", .not_before = 10, .not_after = NOW + 100);
	cr_assert_eq(by_value(&certificate), 1);
	owner = found[0].owner;
	cr_assert_eq(credentials_hold(all, &owner), 0);
	cr_assert_not_null(credentials_used_by(all, "fab-1"));
	cr_expect_eq(credentials_used_by(all, "fab-1")->id, owner.id);
	credentials_end(all, owner.id);
	cr_expect_null(credentials_used_by(all, "fab-1"));
	cr_expect_null(credentials_used(all, owner.id));
}

// A name is there or not, however often it was put in, and those around it stay.
Test(credentials, names_of_many_devices)
{
	char name[16];

	for (unsigned i = 0; i < 2000; i++) {
		snprintf(name, sizeof(name), "fab-%u", i);
		cr_assert_eq(credentials_name_put(all, name), 0);
		if (i % 3 == 0)
			cr_assert_eq(credentials_name_put(all, name), 0);
	}
	for (unsigned i = 0; i < 2000; i++) {
		snprintf(name, sizeof(name), "fab-%u", i);
		if (i % 2)
			credentials_name_take(all, name);
	}
	trust("fab-{cn}", NULL);
	for (unsigned i = 0; i < 2000; i += 41) {
		static struct device device;

		snprintf(name, sizeof(name), "%u", i);
		CERT(&device, .cn = name);
		cr_assert_eq(by_value(&device), i % 2 ? 1 : 0, "%u", i);
	}
}

static void *look_up_often(void *arg)
{
	struct edhoc_engine mine = bed_engine();
	static const uint8_t kid = 1;
	const struct edhoc_id_cred id_cred = {.kind = EDHOC_ID_KID, .value = {&kid, 1}};
	struct edhoc_candidate *candidates = calloc(EDHOC_CANDIDATES_MAX, sizeof(*candidates));
	enum edhoc_result why;

	for (unsigned i = 0; i < 2000; i++) {
		const unsigned n = credentials_find(all, &mine, &id_cred, NOW, candidates, &why);

		cr_assert(n >= 1 && n <= 4);
		for (unsigned j = 0; j < n; j++)
			cr_assert_eq(candidates[j].owner.name[0], 'x');
	}
	free(candidates);
	bed_engine_free(&mine);
	return NULL;
}

Test(credentials, threads_look_up_while_main_changes)
{
	static struct device device[8];
	pthread_t thread[2];

	ccs_make(&device[0], 1);
	put(&device[0], 100, "x", "");
	for (unsigned i = 0; i < 2; i++)
		cr_assert_eq(pthread_create(&thread[i], NULL, look_up_often, NULL), 0);
	for (unsigned i = 1; i < 8; i++)
		ccs_make(&device[i], 1);
	for (unsigned round = 0; round < 500; round++) {
		for (unsigned i = 1; i < 8; i++)
			put(&device[i], i, "x", "");
		trust(round % 2 ? "fab-{cn}" : NULL, round % 3 ? "serial 99" : NULL);
		for (unsigned i = 1; i < 8; i++)
			credentials_take(all, i);
	}
	for (unsigned i = 0; i < 2; i++)
		pthread_join(thread[i], NULL);
}
