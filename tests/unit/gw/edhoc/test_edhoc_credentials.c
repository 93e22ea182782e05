// SPDX-License-Identifier: BSD-3-Clause
// CWT Claims Sets as credentials, and the names of credentials.

#include "tests/unit/gw/edhoc/bed.h"
#include "tests/unit/gw/edhoc/traces.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct edhoc_engine engine;

static void begin(void)
{
	engine = bed_engine();
}

static void end(void)
{
	bed_engine_free(&engine);
}

TestSuite(edhoc_credentials, .init = begin, .fini = end);

// --- CCS ---------------------------------------------------------------------------------------

#define X      \
	"5820" \
	"b1a3e89460e88d3a8d54211dc95f0b903ff205eb71912d6db8f4af980d2db83a"
#define PX     \
	"5820" \
	"bbc34960526ea4d32e940cad2a234148ddc21791a12afbcbac93622046dd44f0"
#define PY     \
	"5820" \
	"4519e257236b2a0ce2023f0931f1f386ca7afda64fcde0108c224c51eabf6072"

// Reads a copy of exactly its length, which stays (the credential points into it).
static enum edhoc_result read(const char *hex, struct edhoc_credential *credential)
{
	static struct bed_bytes in;
	static uint8_t *copy;

	bed_hex(&in, hex);
	free(copy);
	copy = malloc(in.len);
	memcpy(copy, in.data, in.len);
	return edhoc_credential_from_ccs(&engine, (struct edhoc_bytes){copy, in.len}, credential);
}

Test(edhoc_credentials, the_example_of_rfc_9528)
{
	struct edhoc_credential credential;

	cr_assert_eq(read("a202"
			  "77"
			  "34322d35302d33312d46462d45462d33372d33322d3339"
			  "08a101a4"
			  "0101024100200421" X,
			     &credential),
		EDHOC_OK);
	cr_assert_eq(credential.key.curve, ECC_X25519);
	cr_assert_eq(credential.uses, EDHOC_USE_AGREE);
	cr_assert(credential.subject.len == 23 && !memcmp(credential.subject.data, "42-50", 5));
	cr_assert(credential.kid.len == 1 && credential.kid.data[0] == 0);
	cr_assert(edhoc_credential_valid_at(&credential, INT64_MIN));
	cr_assert(edhoc_credential_valid_at(&credential, INT64_MAX));
}

Test(edhoc_credentials, what_is_written_is_read)
{
	static const uint8_t kid[] = {0x32, 1};

	for (unsigned i = 0; i < 3 * 4; i++) {
		uint8_t room[256];
		struct edhoc_writer writer = edhoc_writer(room, sizeof(room));
		const struct edhoc_bytes subject = {(const uint8_t *)"dev", i & 1 ? 3 : 0};
		const struct edhoc_bytes name = {kid, i & 2 ? 2 : 0};
		struct edhoc_credential credential;
		struct ecc_pair pair;

		cr_assert_eq(ecc_pair_make(engine.ecc, i / 4, &pair), 0);
		edhoc_ccs_write(&writer, &pair.public, subject, name);
		cr_assert_not(writer.failed);
		cr_assert_eq(
			edhoc_credential_from_ccs(&engine,
				(struct edhoc_bytes){room, edhoc_writer_len(&writer)}, &credential),
			EDHOC_OK);
		cr_assert(!memcmp(&credential.key, &pair.public, sizeof(pair.public)));
		cr_assert(credential.subject.len == subject.len && credential.kid.len == name.len);
	}
}

Test(edhoc_credentials, a_key_of_p256_may_be_compressed)
{
	struct edhoc_credential whole, odd, even;

	cr_assert_eq(read("a108a101a401022001"
			  "21" PX "22" PY,
			     &whole),
		EDHOC_OK);
	cr_assert_eq(read("a108a101a401022001"
			  "21" PX "22f5",
			     &odd),
		EDHOC_OK);
	cr_assert_eq(read("a108a101a401022001"
			  "21" PX "22f4",
			     &even),
		EDHOC_OK);
	cr_assert_arr_neq(odd.key.y, even.key.y, ECC_LEN);
	cr_assert_arr_eq(whole.key.y, (whole.key.y[31] & 1 ? &odd : &even)->key.y, ECC_LEN);
	cr_assert_eq(whole.uses, EDHOC_USE_SIGN | EDHOC_USE_AGREE);
	cr_assert_eq(read("a108a101a301022001"
			  "21" PX,
			     &even),
		EDHOC_OK);
}

Test(edhoc_credentials, what_is_no_ccs)
{
	static const char *const bad[] = {
		"00", "80", "a0",
		"a102"
		"6161", // no key
		"a108a101a301012004"
		"21" X "00", // bytes behind it
		"bf08a101a301012004"
		"21" X "ff", // indefinite
		"a108a101a301022004"
		"21" X, // kty
		"a108a101a301012005"
		"21" X, // X448
		"a108a101a301012001"
		"21" X, // P-256 as OKP
		"a108a101a401012004"
		"21" X "22f4", // y of X25519
		"a108a101a401012004"
		"21" X "22" X,
		"a108a101a401022001"
		"21" PX "22" PX, // not on the curve
		"a108a101a301022001"
		"21"
		"5820"
		"ffffffff00000001000000000000000000000000ffffffffffffffffffffffff", // x = p
		"a108a101a301012004"
		"21"
		"581f"
		"b1a3e89460e88d3a8d54211dc95f0b903ff205eb71912d6db8f4af980d2db8", // 31 bytes
		"a108a101a401012004"
		"21" X "235820"
		"b1a3e89460e88d3a8d54211dc95f0b903ff205eb71912d6db8f4af980d2db83a", // a private key
		"a108a201a301012004"
		"21" X "0200", // two members of cnf
		"a108a102a301012004"
		"21" X, // no COSE_Key
		"a208a101a301012004"
		"21" X "026161", // claims not in order
		"a208a101a301012004"
		"21" X "08a101a301012004"
		"21" X, // twice
		"a108a101a301012004"
		"21"
		"6061",
		"a2024161"
		"08a101a301012004"
		"21" X, // sub is bytes
		"a2026180"
		"08a101a301012004"
		"21" X, // sub is no UTF-8
		"a204f93c00"
		"08a101a301012004"
		"21" X, // exp is a float
		"a108a101a401010326"
		"2004"
		"21" X, // ES256 with X25519
		"a108a101a401010481022004"
		"21" X, // verify with X25519
	};
	struct edhoc_credential credential;

	cr_assert_eq(read("a108a101a301012004"
			  "21" X,
			     &credential),
		EDHOC_OK);
	for (unsigned i = 0; i < sizeof(bad) / sizeof(*bad); i++)
		cr_assert_eq(read(bad[i], &credential), EDHOC_CREDENTIAL, "%s", bad[i]);
}

Test(edhoc_credentials, claims_and_parameters_that_do_not_count_are_skipped)
{
	struct edhoc_credential credential;

	// Issuer, audience, a parameter and a claim with texts as names.
	cr_assert_eq(read("a4016569737375650308"
			  "08a101a401012004"
			  "21" X "6161a0"
			  "616201",
			     &credential),
		EDHOC_OK);
	cr_assert_eq(credential.key.curve, ECC_X25519);
	cr_assert_eq(credential.subject.len, 0);
}

Test(edhoc_credentials, alg_and_key_ops_narrow_what_a_key_is_for)
{
	struct edhoc_credential credential;

	cr_assert_eq(read("a108a101a4010203262001"
			  "21" PX,
			     &credential),
		EDHOC_OK);
	cr_assert_eq(credential.uses, EDHOC_USE_SIGN);
	cr_assert_eq(read("a108a101a401020481022001"
			  "21" PX,
			     &credential),
		EDHOC_OK);
	cr_assert_eq(credential.uses, EDHOC_USE_SIGN);
	cr_assert_eq(read("a108a101a4010204802001"
			  "21" PX,
			     &credential),
		EDHOC_OK);
	cr_assert_eq(credential.uses, EDHOC_USE_AGREE);
	cr_assert(edhoc_credential_fits(&credential, 3, 2, EDHOC_INITIATOR));
	cr_assert_not(edhoc_credential_fits(&credential, 0, 2, EDHOC_INITIATOR));
	cr_assert(edhoc_credential_fits(&credential, 2, 2, EDHOC_INITIATOR));
	cr_assert_not(edhoc_credential_fits(&credential, 2, 2, EDHOC_RESPONDER));
	cr_assert_not(edhoc_credential_fits(&credential, 3, 0, EDHOC_INITIATOR));
	cr_assert_eq(read("a108a101a401020481612001"
			  "21" PX,
			     &credential),
		EDHOC_CREDENTIAL);
}

Test(edhoc_credentials, a_ccs_expires)
{
	struct edhoc_credential credential;

	cr_assert_eq(read("a3041a000186a0051903e8"
			  "08a101a301012004"
			  "21" X,
			     &credential),
		EDHOC_OK);
	cr_assert_not(edhoc_credential_valid_at(&credential, 999));
	cr_assert(edhoc_credential_valid_at(&credential, 1000));
	cr_assert(edhoc_credential_valid_at(&credential, 99999));
	cr_assert_not(edhoc_credential_valid_at(&credential, 100000), "on or after exp");
}

Test(edhoc_credentials, an_identity_has_the_private_key_of_its_credential)
{
	struct edhoc_id_cred id_cred = {.kind = EDHOC_ID_KID};
	struct edhoc_credential credential;
	struct edhoc_identity identity;
	struct bed_bytes secret;

	bed_hex(&secret, trace_static_dh.sk_r);
	cr_assert_eq(read(trace_static_dh.cred_r, &credential), EDHOC_OK);
	cr_assert_eq(edhoc_identity_init(&identity, &engine, &credential, &id_cred, secret.data),
		EDHOC_OK);
	cr_assert(edhoc_identity_find(&identity, 1, 3, 2, EDHOC_RESPONDER) == &identity);
	cr_assert(edhoc_identity_find(&identity, 1, 0, 3, EDHOC_RESPONDER) == &identity);
	cr_assert_null(edhoc_identity_find(&identity, 1, 3, 1, EDHOC_RESPONDER));
	edhoc_identity_fini(&identity);
	secret.data[4] ^= 1;
	cr_assert_eq(edhoc_identity_init(&identity, &engine, &credential, &id_cred, secret.data),
		EDHOC_CREDENTIAL);
	memset(secret.data, 0, ECC_LEN);
	cr_assert_eq(edhoc_identity_init(&identity, &engine, &credential, &id_cred, secret.data),
		EDHOC_CREDENTIAL);
}

// --- ID_CRED -----------------------------------------------------------------------------------

static enum edhoc_result name_read(const char *hex, struct edhoc_id_cred *id_cred)
{
	static struct bed_bytes in;
	static uint8_t *copy;
	struct edhoc_reader reader;
	enum edhoc_result result;

	bed_hex(&in, hex);
	free(copy);
	copy = malloc(in.len ?: 1);
	memcpy(copy, in.data, in.len);
	reader = edhoc_reader(copy, in.len);
	result = edhoc_id_cred_read(&reader, id_cred);
	cr_assert(result == EDHOC_MALFORMED || !edhoc_reader_left(&reader), "%s", hex);
	return result;
}

Test(edhoc_credentials, names_that_are_known)
{
	uint8_t room[EDHOC_KID_MAP_MAX];
	struct edhoc_id_cred id_cred;
	struct edhoc_bytes map;

	cr_assert_eq(name_read("32", &id_cred), EDHOC_OK);
	cr_assert(id_cred.kind == EDHOC_ID_KID && id_cred.value.len == 1);
	map = edhoc_id_cred_map(&id_cred, room);
	cr_assert(map.len == 4 && !memcmp(map.data, "\xa1\x04\x41\x32", 4));
	cr_assert_eq(name_read("40", &id_cred), EDHOC_OK);
	cr_assert(id_cred.value.len == 0);
	cr_assert_eq(name_read("5820"
			       "00000000000000000000000000000000"
			       "00000000000000000000000000000000",
			     &id_cred),
		EDHOC_OK);
	map = edhoc_id_cred_map(&id_cred, room);
	cr_assert_eq(map.len, EDHOC_KID_MAP_MAX);
	cr_assert_eq(name_read("a11822822e4879f2a41b510c1f9b", &id_cred), EDHOC_OK);
	cr_assert(id_cred.kind == EDHOC_ID_X5T && id_cred.x5t_alg == EDHOC_X5T_SHA256_64);
	cr_assert_eq(name_read("a10ea102"
			       "6161",
			     &id_cred),
		EDHOC_OK);
	cr_assert(id_cred.kind == EDHOC_ID_KCCS && id_cred.value.len == 4);
	cr_assert_eq(name_read("a1182141ff", &id_cred), EDHOC_OK);
	cr_assert(id_cred.kind == EDHOC_ID_X5CHAIN);
}

Test(edhoc_credentials, names_that_are_not)
{
	static const char *const unsupported[] = {"a1182341"
						  "61",
		"a10d8140", "a1182041ff", "a1616141ff",
		"a2044132"
		"0a4101",
		"a2182141ff"
		"0441ff",
		"a2024101"
		"0140",
		"a118228238"
		"2b4101",
		"a118228261"
		"6141ff",
		"5821"
		"0000000000000000000000000000000000000000000000000000000000000000"
		"00"};
	static const char *const malformed[] = {"", "a0", "4132", "a1044132", "80", "f5", "6161",
		"a11822", "a118228141ff",
		"a11822822e47"
		"01020304050607",
		"a11822822f48"
		"0102030405060708",
		"a1182282"
		"2e6101",
		"a11821", "a10e", "a1f541ff", "bf044132ff",
		"a2"
		"0441ff",
		"a10e"
		"a201010101"};
	struct edhoc_id_cred id_cred;

	for (unsigned i = 0; i < sizeof(unsupported) / sizeof(*unsupported); i++)
		cr_assert_eq(name_read(unsupported[i], &id_cred), EDHOC_ID_CRED, "%s: %s",
			unsupported[i], edhoc_result_text(name_read(unsupported[i], &id_cred)));
	for (unsigned i = 0; i < sizeof(malformed) / sizeof(*malformed); i++)
		cr_assert_eq(
			name_read(malformed[i], &id_cred), EDHOC_MALFORMED, "%s", malformed[i]);
}

Test(edhoc_credentials, x5t_is_compared_with_both_hashes)
{
	struct edhoc_id_cred id_cred;
	struct bed_end end;
	uint8_t hash[EDHOC_HASH_LEN];
	struct edhoc_bytes der;
	char hex[200] = "a11822822f5820";

	bed_end_take(&end, &engine, trace_signatures.sk_r, trace_signatures.cred_r,
		trace_signatures.id_cred_r, true);
	cr_assert(edhoc_id_cred_is_hash_of(&end.identity.id_cred, &end.identity.credential));
	der = (struct edhoc_bytes){end.item.data + 2, end.item.len - 2};
	edhoc_hash(hash, &der, 1);
	for (unsigned i = 0; i < EDHOC_HASH_LEN; i++)
		sprintf(hex + strlen(hex), "%02x", hash[i]);
	cr_assert_eq(name_read(hex, &id_cred), EDHOC_OK);
	cr_assert_eq(id_cred.x5t_alg, EDHOC_X5T_SHA256);
	cr_assert(edhoc_id_cred_is_hash_of(&id_cred, &end.identity.credential));
	hex[strlen(hex) - 1] ^= 1; // the last digit, which SHA-256/64 would not see
	cr_assert_eq(name_read(hex, &id_cred), EDHOC_OK);
	cr_assert_not(edhoc_id_cred_is_hash_of(&id_cred, &end.identity.credential));
	bed_end_free(&end);
}

Test(edhoc_credentials, chains_of_x5chain_are_bounded)
{
	struct edhoc_bytes chain[EDHOC_CHAIN_MAX];
	struct edhoc_id_cred id_cred;

	cr_assert_eq(name_read("a1182141ff", &id_cred), EDHOC_OK);
	cr_assert_eq(edhoc_id_cred_chain(&id_cred, chain), 1);
	cr_assert(chain[0].len == 2 && chain[0].data[0] == 0x41);
	cr_assert_eq(name_read("a118218241ff4201ff", &id_cred), EDHOC_OK);
	cr_assert_eq(edhoc_id_cred_chain(&id_cred, chain), 2);
	cr_assert(chain[1].len == 3);
	cr_assert_eq(name_read("a11821844141414241434144", &id_cred), EDHOC_OK);
	cr_assert_eq(edhoc_id_cred_chain(&id_cred, chain), 4);
	cr_assert_eq(name_read("a118218541414142414341444145", &id_cred), EDHOC_OK);
	cr_assert_eq(edhoc_id_cred_chain(&id_cred, chain), 0, "five");
	cr_assert_eq(name_read("a118218141ff", &id_cred), EDHOC_OK);
	cr_assert_eq(edhoc_id_cred_chain(&id_cred, chain), 0, "an array of one");
	cr_assert_eq(name_read("a118218241ff01", &id_cred), EDHOC_OK);
	cr_assert_eq(edhoc_id_cred_chain(&id_cred, chain), 0, "no byte string");
	cr_assert_eq(name_read("a1182101", &id_cred), EDHOC_OK);
	cr_assert_eq(edhoc_id_cred_chain(&id_cred, chain), 0);
}
