// SPDX-License-Identifier: BSD-3-Clause
// ECDH on P-256 against NIST's vectors of Debian's collection, in batches as they come: points that
// are none, and keys and secrets that were changed, are among the others.

#include "crypto/ecc.h"
#include "tests/unit/crypto/rsp.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <openssl/bn.h>
#include <sodium.h>
#include <string.h>

#define RECORDS_MAX 32 // of a file

// What a record says of itself.
enum verdict {
	CORRECT,
	POINT_X_BAD = 1,
	POINT_Y_BAD = 2,
	OWN_X_BAD = 5,
	OWN_Y_BAD = 6,
	KEY_CHANGED = 7,
	SHARED_CHANGED = 8,
	CORRECT_WITH_ZERO = 13,
};

struct record {
	struct ecc_pair pair;
	struct ecc_public peer;
	uint8_t shared[ECC_LEN];
	int verdict;
};

static struct record records[RECORDS_MAX];

// Zeros in front may be missing.
static void number_read(const struct rsp *rsp, const char *name, uint8_t out[ECC_LEN])
{
	BIGNUM *number = NULL;

	cr_assert(BN_hex2bn(&number, rsp_get(rsp, name)), "%s", name);
	cr_assert_eq(BN_bn2binpad(number, out, ECC_LEN), ECC_LEN, "%s", name);
	BN_free(number);
}

static unsigned file_read(const char *path)
{
	struct rsp *rsp = rsp_open(path);
	unsigned n = 0;

	while (rsp_next(rsp)) {
		struct record *record = &records[n];

		// Names of sections stay known in those that follow.
		if (!rsp_get(rsp, "EC - SHA256") || rsp_get(rsp, "ED - SHA384"))
			continue;
		cr_assert_lt(n, RECORDS_MAX);
		number_read(rsp, "dsIUT", record->pair.secret);
		number_read(rsp, "QsIUTx", record->pair.public.x);
		number_read(rsp, "QsIUTy", record->pair.public.y);
		number_read(rsp, "QsCAVSx", record->peer.x);
		number_read(rsp, "QsCAVSy", record->peer.y);
		number_read(rsp, "Z", record->shared);
		cr_assert_eq(sscanf(rsp_get(rsp, "Result"), "%*c (%d", &record->verdict), 1);
		n++;
	}
	rsp_close(rsp);
	return n;
}

static void record_check(
	struct ecc_engine *engine, const struct record *record, const struct ecc_job *job)
{
	const bool same = !memcmp(job->shared, record->shared, ECC_LEN);
	struct ecc_pair pair;

	switch (record->verdict) {
	case POINT_X_BAD:
	case POINT_Y_BAD:
		cr_assert_eq(job->err, -EINVAL);
		cr_assert(sodium_is_zero(job->shared, ECC_LEN));
		return;
	case OWN_X_BAD:
	case OWN_Y_BAD:
		cr_assert_not(ecc_public_valid(engine, &record->pair.public));
		return;
	case KEY_CHANGED:
	case SHARED_CHANGED:
		cr_assert_eq(job->err, 0);
		cr_assert_not(same);
		return;
	case CORRECT:
	case CORRECT_WITH_ZERO:
		cr_assert_eq(job->err, 0);
		cr_assert(same);
		cr_assert_eq(ecc_pair_from_secret(engine, ECC_P256, record->pair.secret, &pair), 0);
		cr_assert(!memcmp(&pair, &record->pair, sizeof(pair)));
		return;
	}
	cr_assert(false, "a result that is not known: %d", record->verdict);
}

static void file_check(struct ecc_engine *engine, const char *path)
{
	struct ecc_job jobs[RECORDS_MAX], *list[RECORDS_MAX];
	const unsigned n = file_read(path);

	cr_assert_gt(n, 20);
	for (unsigned i = 0; i < n; i++) {
		jobs[i] = (struct ecc_job){
			.pair = &records[i].pair, .public = &records[i].peer, .err = 1};
		list[i] = &jobs[i];
	}
	ecc_shared_batch(engine, list, n);
	for (unsigned i = 0; i < n; i++)
		record_check(engine, &records[i], &jobs[i]);
	for (unsigned i = 0; i < n; i++) {
		jobs[i].err =
			ecc_shared(engine, &records[i].pair, &records[i].peer, jobs[i].shared);
		record_check(engine, &records[i], &jobs[i]);
	}
}

Test(ecdh_vectors, static_unified)
{
	cr_assert_geq(sodium_init(), 0);
	for (const char *const *isa = ecc_isa_names(); *isa; isa++) {
		struct ecc_engine *engine = ecc_engine_create(*isa);

		if (!engine) {
			cr_assert_eq(errno, ENOTSUP);
			continue;
		}
		file_check(engine,
			"asymmetric/ECDH/KASValidityTest_ECCStaticUnified_NOKC_ZZOnly_init.fax");
		file_check(engine,
			"asymmetric/ECDH/KASValidityTest_ECCStaticUnified_NOKC_ZZOnly_resp.fax");
		ecc_engine_free(engine);
	}
}
