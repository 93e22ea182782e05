// SPDX-License-Identifier: BSD-3-Clause
// Authorities between a device and the one of a rule, and what of them was revoked.

#include "gw/handshake/credentials.h"
#include "tests/unit/gw/edhoc/bed.h"
#include "tests/unit/gw/edhoc/certs.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#define NOW (CERTS_NOT_BEFORE + 1000)

static struct edhoc_engine engine;
static struct certs_ca *root, *above, *below; // each is of the one before it
static struct credentials *all;
static struct edhoc_candidate found[EDHOC_CANDIDATES_MAX];
static enum edhoc_result result;
static unsigned gone;
static struct bed_bytes leaf, between[2], chain; // items; of above and below; all of them

static void gone_note(void *arg, uint64_t id)
{
	gone++;
	credentials_drop(all, id);
}

static void chain_make(void)
{
	struct certs_ca *const authorities[] = {below, above};
	struct edhoc_writer writer = edhoc_writer(leaf.data, BED_ROOM);
	struct edhoc_writer whole = edhoc_writer(chain.data, BED_ROOM);
	struct ecc_pair pair;

	cr_assert_eq(ecc_pair_make(engine.ecc, ECC_P256, &pair), 0);
	certs_make(&writer, &(struct certs_request){.key = &pair.public, .ca = below, .cn = "7"});
	leaf.len = edhoc_writer_len(&writer);
	edhoc_write_head(&whole, EDHOC_CBOR_ARRAY, 3);
	edhoc_write_raw(&whole, leaf.data, leaf.len);
	for (unsigned i = 0; i < 2; i++) {
		writer = edhoc_writer(between[i].data, BED_ROOM);
		certs_ca_item(&writer, authorities[i]);
		between[i].len = edhoc_writer_len(&writer);
		edhoc_write_raw(&whole, between[i].data, between[i].len);
	}
	chain.len = edhoc_writer_len(&whole);
}

static void begin(void)
{
	engine = bed_engine();
	root = certs_ca_make("root", NULL);
	above = certs_ca_make("above", root);
	below = certs_ca_make("below", above);
	all = credentials_create();
	cr_assert_not_null(all);
	credentials_watch(all, &(struct credentials_watch){.gone = gone_note});
	chain_make();
}

static void end(void)
{
	credentials_free(all);
	certs_ca_free(below);
	certs_ca_free(above);
	certs_ca_free(root);
	bed_engine_free(&engine);
}

TestSuite(credentials_issuers, .init = begin, .fini = end);

static void trust(const char *list)
{
	const struct trust_rule rule = {
		certs_ca_pem(root), strlen(certs_ca_pem(root)), "f-{cn}", ""};
	struct error error;
	struct trust *rules = trust_create(&rule, 1, &error);
	struct revoked *revoked = revoked_create(list, strlen(list), &error);

	cr_assert(rules && revoked);
	credentials_trust(all, rules, revoked);
	while (credentials_sift(all))
		;
}

static unsigned look_up(void)
{
	const struct edhoc_id_cred id_cred = {.kind = EDHOC_ID_X5CHAIN, .value = bed_view(&chain)};

	return credentials_find(all, &engine, &id_cred, NOW, found, &result);
}

// Lines of a list for a certificate, by its fingerprint and by its serial number.
static void lines_make(const struct bed_bytes *item, char line[2][128])
{
	struct credential_mark mark;
	char *at;

	cr_assert(credential_mark_read(bed_view(item), true, &mark));
	at = line[0] + sprintf(line[0], "sha256 ");
	for (unsigned i = 0; i < EDHOC_HASH_LEN; i++)
		at += sprintf(at, "%02x", mark.digest[i]);
	at = line[1] + sprintf(line[1], "serial ");
	for (unsigned i = 0; i < mark.serial_len; i++)
		at += sprintf(at, "%02x", mark.serial[i]);
}

Test(credentials_issuers, an_authority_that_was_revoked_vouches_for_nobody)
{
	struct credential_owner owner;
	char line[2][128];

	for (unsigned i = 0; i < 4; i++) {
		lines_make(&between[i / 2], line);
		trust("");
		cr_assert_eq(look_up(), 1);
		owner = found[0].owner;
		cr_expect_str_eq(owner.name, "f-7");
		cr_expect_eq(owner.issuers.count, 2);
		cr_assert_eq(credentials_hold(all, &owner), 0);
		gone = 0;
		trust(line[i % 2]);
		cr_expect_eq(gone, 1, "its session ends");
		cr_expect_eq(look_up(), 0);
		cr_expect_eq(result, EDHOC_UNTRUSTED);
		cr_expect_eq(credentials_hold(all, &owner), -EKEYREVOKED, "found before");
	}
}
