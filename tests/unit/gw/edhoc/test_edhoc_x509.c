// SPDX-License-Identifier: BSD-3-Clause
// Certificates as credentials, and their chains.

#include "gw/edhoc/x509.h"
#include "tests/unit/gw/edhoc/bed.h"
#include "tests/unit/gw/edhoc/certs.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NOW (CERTS_NOT_BEFORE + 1000)

static struct edhoc_engine engine;

static void begin(void)
{
	engine = bed_engine();
}

static void end(void)
{
	bed_engine_free(&engine);
}

TestSuite(edhoc_x509, .init = begin, .fini = end);

static struct bed_bytes leaf;

static enum edhoc_result leaf_read(
	const struct certs_request *request, struct edhoc_credential *credential)
{
	struct edhoc_writer writer = edhoc_writer(leaf.data, BED_ROOM);

	certs_make(&writer, request);
	cr_assert_not(writer.failed);
	leaf.len = edhoc_writer_len(&writer);
	return edhoc_credential_from_x509(&engine, bed_view(&leaf), credential);
}

static bool trusted(
	const struct certs_ca *anchor, const struct edhoc_bytes *chain, unsigned n, int64_t now)
{
	struct edhoc_trust *trust =
		edhoc_trust_create(certs_ca_pem(anchor), strlen(certs_ca_pem(anchor)));

	cr_assert_not_null(trust);
	const bool good = edhoc_trust_check(trust, chain, n, now);

	edhoc_trust_free(trust);
	return good;
}

Test(edhoc_x509, key_usage_decides_about_methods)
{
	static const struct {
		const char *usage;
		enum ecc_curve curve;
		uint8_t uses;
	} cases[] = {
		{NULL, ECC_P256, EDHOC_USE_SIGN | EDHOC_USE_AGREE},
		{NULL, ECC_X25519, EDHOC_USE_AGREE},
		{NULL, ECC_ED25519, EDHOC_USE_SIGN},
		{"critical,digitalSignature", ECC_P256, EDHOC_USE_SIGN},
		{"critical,keyAgreement", ECC_P256, EDHOC_USE_AGREE},
		{"digitalSignature,keyAgreement", ECC_P256, EDHOC_USE_SIGN | EDHOC_USE_AGREE},
		{"critical,keyCertSign", ECC_P256, 0},
		{"digitalSignature", ECC_X25519, 0},
		{"keyAgreement", ECC_ED25519, 0},
		{"keyAgreement", ECC_X25519, EDHOC_USE_AGREE},
	};
	struct certs_ca *ca = certs_ca_make("root", NULL);

	for (unsigned i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct edhoc_credential credential;
		struct ecc_pair pair;

		cr_assert_eq(ecc_pair_make(engine.ecc, cases[i].curve, &pair), 0);
		cr_assert_eq(leaf_read(&(struct certs_request){.key = &pair.public,
					       .ca = ca,
					       .usage = cases[i].usage},
				     &credential),
			cases[i].uses ? EDHOC_OK : EDHOC_CREDENTIAL);
		cr_assert_eq(credential.uses, cases[i].uses);
		if (cases[i].uses)
			cr_assert(!memcmp(&credential.key, &pair.public, sizeof(pair.public)));
	}
	certs_ca_free(ca);
}

Test(edhoc_x509, a_chain_ends_at_an_anchor)
{
	struct certs_ca *root = certs_ca_make("root", NULL), *other = certs_ca_make("root", NULL);
	struct certs_ca *middle = certs_ca_make("middle", root);
	static struct bed_bytes middle_item;
	struct edhoc_writer writer = edhoc_writer(middle_item.data, BED_ROOM);
	struct edhoc_credential credential;
	struct ecc_pair pair;

	certs_ca_item(&writer, middle);
	middle_item.len = edhoc_writer_len(&writer);
	cr_assert_eq(ecc_pair_make(engine.ecc, ECC_P256, &pair), 0);
	cr_assert_eq(
		leaf_read(&(struct certs_request){.key = &pair.public, .ca = middle}, &credential),
		EDHOC_OK);
	const struct edhoc_bytes chain[] = {bed_view(&leaf), bed_view(&middle_item)};

	cr_assert(trusted(root, chain, 2, NOW));
	cr_assert(trusted(middle, chain, 1, NOW), "an anchor need not be a root");
	cr_assert_not(trusted(root, chain, 1, NOW), "the one between is missing");
	cr_assert_not(trusted(other, chain, 2, NOW), "another one of the same name");
	cr_assert_not(trusted(root, chain, 0, NOW));
	cr_assert_not(trusted(root, chain, 2, CERTS_NOT_BEFORE - 1));
	cr_assert_not(trusted(root, chain, 2, CERTS_NOT_AFTER + 1));
	leaf.data[leaf.len - 5] ^= 1;
	cr_assert_not(trusted(root, chain, 2, NOW), "a forged signature");
	certs_ca_free(middle);
	certs_ca_free(other);
	certs_ca_free(root);
}

Test(edhoc_x509, the_leaf_alone_may_be_too_old)
{
	struct certs_ca *root = certs_ca_make("root", NULL);
	struct edhoc_credential credential;
	struct ecc_pair pair;

	cr_assert_eq(ecc_pair_make(engine.ecc, ECC_P256, &pair), 0);
	cr_assert_eq(leaf_read(&(struct certs_request){.key = &pair.public,
				       .ca = root,
				       .not_before = CERTS_NOT_BEFORE,
				       .not_after = NOW - 1},
			     &credential),
		EDHOC_OK);
	cr_assert_not(trusted(root, &(struct edhoc_bytes){leaf.data, leaf.len}, 1, NOW));
	cr_assert_not(edhoc_credential_valid_at(&credential, NOW));
	cr_assert(edhoc_credential_valid_at(&credential, NOW - 2));
	cr_assert_eq(credential.not_before, CERTS_NOT_BEFORE);
	certs_ca_free(root);
}

Test(edhoc_x509, an_unknown_critical_extension_is_not_trusted)
{
	struct certs_ca *root = certs_ca_make("root", NULL);
	struct edhoc_credential credential;
	struct ecc_pair pair;

	cr_assert_eq(ecc_pair_make(engine.ecc, ECC_P256, &pair), 0);
	cr_assert_eq(leaf_read(
			     &(struct certs_request){
				     .key = &pair.public, .ca = root, .critical_unknown = true},
			     &credential),
		EDHOC_OK);
	cr_assert_not(trusted(root, &(struct edhoc_bytes){leaf.data, leaf.len}, 1, NOW));
	certs_ca_free(root);
}

// A leaf that is no authority signs nothing.
Test(edhoc_x509, a_device_is_no_authority)
{
	struct certs_ca *root = certs_ca_make("root", NULL);
	struct certs_ca *rogue = certs_ca_make("device", root);
	static struct bed_bytes device;
	struct edhoc_credential credential;
	struct ecc_pair pair;

	// A certificate of the device with the same name, without CA:TRUE.
	cr_assert_eq(ecc_pair_make(engine.ecc, ECC_P256, &pair), 0);
	cr_assert_eq(
		leaf_read(&(struct certs_request){.key = &pair.public, .ca = root}, &credential),
		EDHOC_OK);
	device = leaf;
	cr_assert_eq(
		leaf_read(&(struct certs_request){.key = &pair.public, .ca = rogue}, &credential),
		EDHOC_OK);
	cr_assert_not(trusted(
		root, (const struct edhoc_bytes[]){bed_view(&leaf), bed_view(&device)}, 2, NOW));
	certs_ca_free(rogue);
	certs_ca_free(root);
}

Test(edhoc_x509, what_is_no_certificate)
{
	struct certs_ca *root = certs_ca_make("root", NULL);
	struct edhoc_credential credential;
	static struct bed_bytes good, bad;
	struct edhoc_writer writer;
	struct ecc_pair pair;

	cr_assert_eq(ecc_pair_make(engine.ecc, ECC_P256, &pair), 0);
	cr_assert_eq(
		leaf_read(&(struct certs_request){.key = &pair.public, .ca = root}, &credential),
		EDHOC_OK);
	good = leaf;
	for (size_t len = 0; len < good.len; len++) { // cut
		uint8_t *copy = malloc(len ?: 1);

		memcpy(copy, good.data, len);
		cr_assert_eq(edhoc_credential_from_x509(
				     &engine, (struct edhoc_bytes){copy, len}, &credential),
			EDHOC_CREDENTIAL);
		free(copy);
	}
	// A byte behind the DER, inside of the item; and behind the item.
	writer = edhoc_writer(bad.data, BED_ROOM);
	memcpy(leaf.data, good.data, good.len);
	leaf.data[good.len] = 0;
	edhoc_write_bytes(&writer, leaf.data + 3, good.len - 3 + 1);
	bad.len = edhoc_writer_len(&writer);
	cr_assert_eq(
		edhoc_credential_from_x509(&engine, bed_view(&bad), &credential), EDHOC_CREDENTIAL);
	leaf.len = good.len + 1;
	cr_assert_eq(edhoc_credential_from_x509(&engine, bed_view(&leaf), &credential),
		EDHOC_CREDENTIAL);
	certs_ca_free(root);
}

Test(edhoc_x509, trust_is_made_of_certificates_only)
{
	struct certs_ca *root = certs_ca_make("root", NULL);
	static char pem[9000];
	struct edhoc_trust *trust;

	errno = 0;
	cr_assert_null(edhoc_trust_create("", 0));
	cr_assert_eq(errno, EINVAL);
	cr_assert_null(edhoc_trust_create("nothing", 7));
	snprintf(pem, sizeof(pem), "%s%s", certs_ca_pem(root), certs_ca_pem(root));
	trust = edhoc_trust_create(pem, strlen(pem));
	cr_assert_not_null(trust);
	edhoc_trust_free(trust);
	strcat(pem, "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n");
	cr_assert_null(edhoc_trust_create(pem, strlen(pem)));
	cr_assert_eq(errno, EINVAL);
	certs_ca_free(root);
}
