// SPDX-License-Identifier: BSD-3-Clause
// How rules name devices, and lists of what was revoked.

#include "gw/conf/trust_name.h"
#include "gw/handshake/revoked.h"
#include "tests/unit/gw/edhoc/bed.h"
#include "tests/unit/gw/edhoc/certs.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <string.h>

#define NOW (CERTS_NOT_BEFORE + 1000)

static struct edhoc_engine engine;
static struct certs_ca *ca;
static struct ecc_pair pair;

static void begin(void)
{
	engine = bed_engine();
	ca = certs_ca_make("factory", NULL);
	cr_assert_eq(ecc_pair_make(engine.ecc, ECC_P256, &pair), 0);
}

static void end(void)
{
	certs_ca_free(ca);
	bed_engine_free(&engine);
}

TestSuite(trust, .init = begin, .fini = end);

static struct trust *trust_of(const char *name)
{
	struct error error;
	struct trust *trust = trust_create(&(struct trust_rule){.pem = certs_ca_pem(ca),
						   .pem_len = strlen(certs_ca_pem(ca)),
						   .name = name,
						   .policy = "meters"},
		1, &error);

	cr_assert_not_null(trust, "%s", error.text);
	return trust;
}

// The name that a certificate gets; NULL: none.
static const char *named(const char *template, struct certs_request request)
{
	static struct trust_name name;
	static struct bed_bytes leaf;
	struct edhoc_writer writer = edhoc_writer(leaf.data, BED_ROOM);
	struct trust *trust = trust_of(template);

	request.key = &pair.public;
	if (!request.ca)
		request.ca = ca;
	certs_make(&writer, &request);
	leaf.len = edhoc_writer_len(&writer);
	const enum edhoc_result result =
		trust_find(trust, (struct edhoc_bytes[]){bed_view(&leaf)}, 1, NOW, &name);

	if (result == EDHOC_OK) {
		cr_assert(trust_has(trust, name.rule));
		cr_assert_str_eq(name.policy, "meters");
	}
	trust_free(trust);
	return result == EDHOC_OK ? name.name : NULL;
}

#define WITH(...) ((struct certs_request){__VA_ARGS__})

Test(trust, a_name_is_the_prefix_and_one_value)
{
	cr_assert_str_eq(named("fab-{cn}", WITH(.cn = "SN_01.a-b")), "fab-SN_01.a-b");
	cr_assert_str_eq(named("fab-{serial}", WITH(.serial_number = "0042")), "fab-0042");
	cr_assert_str_eq(named("fab-{dns}", WITH(.alt = "DNS:a.example")), "fab-a.example");
	cr_assert_str_eq(
		named("fab-{dns}", WITH(.alt = "IP:192.0.2.1,DNS:a.example")), "fab-a.example");
}

Test(trust, a_value_that_is_missing_or_there_twice_makes_no_name)
{
	cr_assert_null(named("fab-{serial}", WITH(.cn = "a")));
	cr_assert_null(named("fab-{dns}", WITH(.cn = "a")));
	cr_assert_null(named("fab-{dns}", WITH(.alt = "DNS:a.example,DNS:b.example")));
	cr_assert_null(named("fab-{cn}", WITH(.cn = "a", .cn_again = "b")));
}

Test(trust, a_value_of_other_characters_makes_no_name)
{
	static const char *const bad[] = {
		"a b", "a/b", "a:b", "a,b", "a\nb", "a\\b", "\xc3\xa4", "a*", "{cn}", "a%41"};
	char long_cn[65];

	for (unsigned i = 0; i < sizeof(bad) / sizeof(*bad); i++)
		cr_assert_null(named("fab-{cn}", WITH(.cn = bad[i])), "%s", bad[i]);
	memset(long_cn, 'a', 60);
	long_cn[59] = 0;
	cr_assert_not_null(named("fab-{cn}", WITH(.cn = long_cn)));
	long_cn[59] = 'a';
	long_cn[60] = 0;
	cr_assert_null(named("fab-{cn}", WITH(.cn = long_cn)));
}

Test(trust, a_certificate_of_another_authority_has_no_name)
{
	struct certs_ca *other = certs_ca_make("factory", NULL);

	cr_assert_null(named("fab-{cn}", WITH(.cn = "a", .ca = other)));
	cr_assert_null(named("fab-{cn}", WITH(.cn = "a", .not_after = NOW - 1)));
	cr_assert_null(named("fab-{cn}", WITH(.cn = "a", .not_before = NOW + 1)));
	certs_ca_free(other);
}

Test(trust, a_template_has_a_prefix_and_one_value_at_its_end)
{
	static const char *const bad[] = {"", "{cn}", "fab-", "fab-{cn}x", "fab-{CN}", "fab {cn}",
		"fab-{cn}{dns}", "fab-{serial", "f\xc3\xa4{cn}", "fab-{}",
		"0123456789012345678901234567890123456789012345678{cn}"};
	enum conf_trust_value value;
	size_t len;

	for (unsigned i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		struct error error;
		const struct trust_rule rule = {.pem = certs_ca_pem(ca),
			.pem_len = strlen(certs_ca_pem(ca)),
			.name = bad[i]};

		cr_assert_not(conf_trust_name_split(bad[i], &len, &value), "%s", bad[i]);
		cr_assert_null(trust_create(&rule, 1, &error), "%s", bad[i]);
		cr_assert_eq(error.code, -EINVAL);
	}
	cr_assert(conf_trust_name_split("a{dns}", &len, &value));
	cr_assert(len == 1 && value == CONF_TRUST_DNS);
}

Test(trust, prefixes_that_overlap_are_refused)
{
	const struct trust_rule rules[] = {
		{certs_ca_pem(ca), strlen(certs_ca_pem(ca)), "fab-{cn}", NULL},
		{certs_ca_pem(ca), strlen(certs_ca_pem(ca)), "fab-b-{cn}", NULL},
	};
	struct error error;

	cr_assert_null(trust_create(rules, 2, &error));
	cr_assert_eq(error.code, -EINVAL);
	cr_assert(conf_trust_names_overlap("fab-b-{cn}", "fab-{cn}"));
	cr_assert(conf_trust_names_overlap("a{cn}", "a{dns}"));
	cr_assert_not(conf_trust_names_overlap("fab-{cn}", "fac-{cn}"));
}

Test(trust, what_is_no_certificate_is_no_authority)
{
	static const char *const bad[] = {"", "x", "-----BEGIN CERTIFICATE-----\nAAAA\n"};

	for (unsigned i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		struct error error;

		cr_assert_null(trust_create(
			&(struct trust_rule){bad[i], strlen(bad[i]), "fab-{cn}", NULL}, 1, &error));
		cr_assert_eq(error.code, -EINVAL);
	}
}

// --- What was revoked

#define DIGEST "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"

static struct revoked *list_of(const char *text)
{
	struct error error;
	char *copy = strdup(text);
	struct revoked *revoked = revoked_create(copy, strlen(text), &error);

	free(copy);
	return revoked;
}

Test(trust, a_list_of_what_was_revoked)
{
	struct credential_mark mark = {.serial_len = 2, .serial = {1, 0xff}};
	struct credential_mark none = {0};
	struct revoked *revoked = list_of("# two\n\n  sha256 " DIGEST "  # stolen\r\n"
					  "serial=00:01:FF\nserial 07");

	cr_assert_not_null(revoked);
	cr_assert_eq(revoked_count(revoked), 3);
	cr_assert(revoked_has(revoked, &mark));
	mark.serial[1] = 0xfe;
	cr_assert_not(revoked_has(revoked, &mark));
	for (uint8_t i = 0; i < EDHOC_HASH_LEN; i++)
		mark.digest[i] = i;
	cr_assert(revoked_has(revoked, &mark));
	mark.digest[31] ^= 1;
	cr_assert_not(revoked_has(revoked, &mark));
	cr_assert_not(revoked_has(revoked, &none));
	cr_assert_not(revoked_has(NULL, &mark));
	revoked_free(revoked);
	revoked = list_of("");
	cr_assert_not_null(revoked);
	cr_assert_not(revoked_has(revoked, &mark));
	revoked_free(revoked);
}

Test(trust, a_list_with_anything_else_is_refused_as_a_whole)
{
	static const char *const bad[] = {"sha256", "sha256 ", "sha256 00", "sha256" DIGEST,
		"sha256 " DIGEST "00", "serial 00", "serial", "serial 0", "serial xx",
		"serial 010203040506070809101112131415161718192021", DIGEST, "name dev-1",
		"sha256 " DIGEST " serial 01", "\xff", "serial 01\nserial"};

	for (unsigned i = 0; i < sizeof(bad) / sizeof(*bad); i++)
		cr_assert_null(list_of(bad[i]), "%s", bad[i]);
}
