// SPDX-License-Identifier: BSD-3-Clause

#include "tests/unit/crypto/aead_vectors.h"

#include "tests/unit/guard.h"
#include "tests/unit/hex.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

struct aead_engine *engine_for(const char *isa)
{
	struct aead_engine *engine = aead_engine_create(isa);

	if (!engine && errno == ENOTSUP)
		cr_skip_test("this CPU has no %s", isa);
	cr_assert(engine, "aead_engine_create(%s): %s", isa, strerror(errno));
	return engine;
}

void aead_vectors_add(struct aead_vectors *vectors, const char *name, const char *key,
	const char *nonce, const char *aad, const char *plain, const char *sealed, bool valid)
{
	const struct aead_alg_info *info = &aead_algs[vectors->alg];
	struct aead_vector *v;
	size_t len;

	vectors->list = realloc(vectors->list, (vectors->count + 1) * sizeof(*vectors->list));
	cr_assert(vectors->list);
	v = &vectors->list[vectors->count++];
	memset(v, 0, sizeof(*v));
	snprintf(v->name, sizeof(v->name), "%s", name);
	v->valid = valid;
	v->key = hex_decode(key, &len);
	cr_assert_eq(len, info->key_len, "%s: key of %zu bytes", name, len);
	v->nonce = hex_decode(nonce, &len);
	cr_assert_eq(len, info->nonce_len, "%s: nonce of %zu bytes", name, len);
	v->aad = hex_decode(aad, &v->aad_len);
	v->sealed = hex_decode(sealed, &len);
	cr_assert_geq(len, info->tag_len, "%s: shorter than a tag", name);
	v->len = len - info->tag_len;
	cr_assert(plain || !valid, "%s: no plaintext", name);
	if (plain) {
		v->plain = hex_decode(plain, &len);
		cr_assert_eq(len, v->len, "%s: plaintext of %zu bytes", name, len);
	}
}

void aead_vectors_free(struct aead_vectors *vectors)
{
	for (size_t i = 0; i < vectors->count; i++) {
		struct aead_vector *v = &vectors->list[i];

		free(v->key);
		free(v->nonce);
		free(v->aad);
		free(v->plain);
		free(v->sealed);
	}
	free(vectors->list);
	vectors->list = NULL;
	vectors->count = 0;
}

void aead_vectors_add_random(
	struct aead_vectors *vectors, struct aead_engine *oracle, size_t len, size_t aad_len)
{
	const struct aead_alg_info *info = &aead_algs[vectors->alg];
	struct aead_op op = {.aad_len = aad_len, .len = len};
	struct aead_vector *v;
	uint8_t *prepared;
	size_t prepared_len;

	vectors->list = realloc(vectors->list, (vectors->count + 1) * sizeof(*vectors->list));
	cr_assert(vectors->list);
	v = &vectors->list[vectors->count++];
	*v = (struct aead_vector){.aad_len = aad_len, .len = len, .valid = true};
	snprintf(v->name, sizeof(v->name), "%zu bytes, %zu of AAD", len, aad_len);
	v->key = malloc(info->key_len);
	v->nonce = malloc(info->nonce_len);
	v->aad = malloc(aad_len + 1);
	v->plain = malloc(len + 1);
	v->sealed = malloc(len + info->tag_len);
	cr_assert(v->key && v->nonce && v->aad && v->plain && v->sealed);
	randombytes_buf(v->key, info->key_len);
	randombytes_buf(v->nonce, info->nonce_len);
	randombytes_buf(v->aad, aad_len);
	randombytes_buf(v->plain, len);
	prepared = aead_aad_prepare(v->aad, aad_len, &prepared_len);
	op.key = v->key;
	op.aad = prepared;
	op.in = v->plain;
	op.out = v->sealed;
	aead_op_nonce(&op, vectors->alg, v->nonce);
	cr_assert_eq(aead_seal_batch(oracle, vectors->alg, &op, 1), 1);
	free(prepared);
}

uint8_t *aead_aad_prepare(const uint8_t *aad, size_t aad_len, size_t *len)
{
	uint8_t *prepared;

	*len = aad_len ? (2 + aad_len + 15) / 16 * 16 : 0;
	prepared = calloc(1, *len + 1);
	cr_assert(prepared);
	if (aad_len) {
		prepared[0] = aad_len >> 8;
		prepared[1] = aad_len & 0xff;
		memcpy(prepared + 2, aad, aad_len);
	}
	return prepared;
}

#define BUFFER_ROOM (64 * 1024) // the longest message of an op and its tag

// The buffers of an op, each of which ends at a page that faults.
static struct op_memory {
	struct guard key, aad, in, out;
} memories[AEAD_BATCH_MAX];

static void memories_create(void)
{
	for (unsigned i = 0; i < AEAD_BATCH_MAX; i++) {
		memories[i].key = guard_create(AEAD_KEY_MAX);
		memories[i].aad = guard_create(BUFFER_ROOM);
		memories[i].in = guard_create(BUFFER_ROOM);
		memories[i].out = guard_create(BUFFER_ROOM);
	}
}

static void op_lay_out(struct op_memory *memory, struct aead_op *op, enum aead_alg alg,
	const struct aead_vector *v, bool seal, bool in_place)
{
	const struct aead_alg_info *info = &aead_algs[alg];
	const size_t sealed_len = v->len + info->tag_len;
	const size_t in_len = seal ? v->len : sealed_len;
	// In place, sealing needs room for the tag and opening leaves the tag where it is.
	const size_t out_len = seal || in_place ? sealed_len : v->len;
	size_t aad_len;
	uint8_t *aad = aead_aad_prepare(v->aad, v->aad_len, &aad_len);
	uint8_t *key, *prepared, *in;

	key = guard_take(&memory->key, info->key_len);
	memcpy(key, v->key, info->key_len);
	prepared = guard_take(&memory->aad, aad_len);
	memcpy(prepared, aad, aad_len);
	free(aad);
	in = guard_take(&memory->in, in_len);
	memset(op, 0, sizeof(*op));
	op->out = guard_take(&memory->out, out_len);
	memset(op->out, 0x5a, out_len);
	if (in_place)
		in = op->out;
	memcpy(in, seal ? v->plain : v->sealed, in_len);
	op->key = key;
	op->aad = v->aad_len ? prepared : NULL;
	op->in = in;
	op->aad_len = v->aad_len;
	op->len = v->len;
	op->result = 0xff;
	aead_op_nonce(op, alg, v->nonce);
}

static void op_check(const struct op_memory *memory, const struct aead_op *op, enum aead_alg alg,
	const struct aead_vector *v, bool seal)
{
	const size_t sealed_len = v->len + aead_algs[alg].tag_len;

	cr_expect_eq(op->result, v->valid ? AEAD_OK : AEAD_FAILED, "%s: %s", v->name,
		v->valid ? "refused" : "accepted");
	if (seal)
		cr_expect_arr_eq(op->out, v->sealed, sealed_len, "%s: sealed wrongly", v->name);
	else if (v->valid)
		cr_expect_arr_eq(op->out, v->plain, v->len, "%s: opened wrongly", v->name);
	else
		cr_expect(sodium_is_zero(op->out, v->len), "%s: plaintext left", v->name);
	if (!seal && op->out == op->in)
		cr_expect_arr_eq(op->out + v->len, v->sealed + v->len, aead_algs[alg].tag_len,
			"%s: written behind the plaintext", v->name);
	cr_expect(guard_intact(&memory->key), "%s: written before the key", v->name);
	cr_expect(guard_intact(&memory->aad), "%s: written before the AAD", v->name);
	cr_expect(guard_intact(&memory->in), "%s: written before the input", v->name);
	cr_expect(guard_intact(&memory->out), "%s: written before the output", v->name);
}

void aead_batch_check(struct aead_engine *engine, enum aead_alg alg,
	const struct aead_vector *const *list, unsigned n, bool seal, bool in_place)
{
	struct aead_op ops[AEAD_BATCH_MAX];
	unsigned good, valid = 0;

	if (!memories[0].key.map)
		memories_create();
	for (unsigned i = 0; i < n; i++) {
		op_lay_out(&memories[i], &ops[i], alg, list[i], seal, in_place);
		valid += list[i]->valid;
	}
	good = seal ? aead_seal_batch(engine, alg, ops, n) : aead_open_batch(engine, alg, ops, n);
	cr_expect_eq(good, valid);
	for (unsigned i = 0; i < n; i++)
		op_check(&memories[i], &ops[i], alg, list[i], seal);
}

// Runs the vectors in batches of at most batch; only valid ones can be sealed.
static void all_check(struct aead_engine *engine, const struct aead_vectors *vectors,
	unsigned batch, bool seal, bool in_place)
{
	const struct aead_vector *list[AEAD_BATCH_MAX];
	unsigned n = 0;

	for (size_t i = 0; i < vectors->count; i++) {
		if (vectors->list[i].valid || !seal)
			list[n++] = &vectors->list[i];
		if (n == batch || (n && i == vectors->count - 1)) {
			aead_batch_check(engine, vectors->alg, list, n, seal, in_place);
			n = 0;
		}
	}
}

void aead_vectors_check(struct aead_engine *engine, const struct aead_vectors *vectors)
{
	static const unsigned batches[] = {1, 3, AEAD_BATCH_MAX};

	cr_assert_gt(vectors->count, 0, "no vectors");
	for (unsigned i = 0; i < sizeof(batches) / sizeof(batches[0]); i++) {
		for (unsigned way = 0; way < 4; way++)
			all_check(engine, vectors, batches[i], way & 1, way & 2);
	}
}
