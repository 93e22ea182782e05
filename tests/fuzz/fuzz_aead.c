// SPDX-License-Identifier: BSD-3-Clause
// Batches of arbitrary ops: every implementation does with them what OpenSSL does.
//
// The input is read as: algorithm, ways; then for each op two bytes of length, one of AAD length,
// one of damage; keys, nonces and contents are made from what follows, over and over.

#include "crypto/aead.h"
#include "tests/fuzz/fuzz.h"

#include <stdbool.h>
#include <string.h>

#define LEN_MAX 2000 // bytes of plaintext
#define ISA_MAX 8

struct input {
	const uint8_t *data;
	size_t len, at;
};

static uint8_t take(struct input *input)
{
	return input->at < input->len ? input->data[input->at++] : 0;
}

static void fill(struct input *input, uint8_t *out, size_t len, uint8_t salt)
{
	for (size_t i = 0; i < len; i++) {
		const size_t at = input->at + i;

		out[i] = (input->len ? input->data[at % input->len] : 0) ^ salt ^ (uint8_t)(i * 29);
	}
}

struct message {
	uint8_t key[AEAD_KEY_MAX], nonce[AEAD_NONCE_MAX], aad[272];
	uint8_t plain[LEN_MAX], sealed[LEN_MAX + AEAD_TAG_MAX];
	uint8_t out[LEN_MAX + AEAD_TAG_MAX];
	uint16_t len;
	uint8_t aad_len;
	bool damaged;
};

static struct message messages[AEAD_BATCH_MAX];
static struct aead_engine *engines[ISA_MAX], *oracle;
static unsigned engine_count;

static void engines_create(void)
{
	for (const char *const *isa = aead_isa_names(); *isa; isa++) {
		struct aead_engine *engine = aead_engine_create(*isa);

		if (engine)
			engines[engine_count++] = engine;
	}
	oracle = aead_engine_create("openssl");
	FUZZ_CHECK(oracle);
}

static struct aead_op op_make(
	enum aead_alg alg, struct message *m, const uint8_t *in, size_t in_len, bool in_place)
{
	struct aead_op op = {
		.key = m->key,
		.aad = m->aad_len ? m->aad : NULL,
		.in = in,
		.out = m->out,
		.aad_len = m->aad_len,
		.len = m->len,
	};

	if (in_place)
		op.in = memcpy(m->out, in, in_len);
	aead_op_nonce(&op, alg, m->nonce);
	return op;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct input input = {data, len, 0};
	const enum aead_alg alg = take(&input) % AEAD_ALG_COUNT;
	const unsigned tag_len = aead_algs[alg].tag_len;
	const uint8_t ways = take(&input);
	const unsigned count = 1 + (len > 2 ? (len - 3) / 4 % AEAD_BATCH_MAX : 0);
	struct aead_op ops[AEAD_BATCH_MAX];
	unsigned valid = 0;

	if (!oracle)
		engines_create();
	for (unsigned i = 0; i < count; i++) {
		struct message *m = &messages[i];
		struct aead_op op;
		uint8_t damage;

		m->len = (take(&input) << 8 | take(&input)) % (LEN_MAX + 1);
		m->aad_len = take(&input);
		damage = take(&input);
		fill(&input, m->key, sizeof(m->key), 1);
		fill(&input, m->nonce, sizeof(m->nonce), i);
		fill(&input, m->plain, m->len, 3);
		memset(m->aad, 0, sizeof(m->aad));
		m->aad[1] = m->aad_len;
		fill(&input, m->aad + 2, m->aad_len, 4);
		op = op_make(alg, m, m->plain, m->len, false);
		op.out = m->sealed;
		FUZZ_CHECK(aead_seal_batch(oracle, alg, &op, 1) == 1);
		m->damaged = damage & 1;
		valid += !m->damaged;
	}
	for (unsigned e = 0; e < engine_count; e++) {
		for (unsigned i = 0; i < count; i++)
			ops[i] = op_make(
				alg, &messages[i], messages[i].plain, messages[i].len, ways & 1);
		FUZZ_CHECK(aead_seal_batch(engines[e], alg, ops, count) == count);
		for (unsigned i = 0; i < count; i++) {
			struct message *m = &messages[i];

			FUZZ_CHECK(ops[i].result == AEAD_OK);
			FUZZ_CHECK(memcmp(m->out, m->sealed, m->len + tag_len) == 0);
		}
		for (unsigned i = 0; i < count; i++) {
			struct message *m = &messages[i];

			m->sealed[ways % (m->len + tag_len)] ^= m->damaged;
			ops[i] = op_make(alg, m, m->sealed, m->len + tag_len, ways & 2);
		}
		FUZZ_CHECK(aead_open_batch(engines[e], alg, ops, count) == valid);
		for (unsigned i = 0; i < count; i++) {
			struct message *m = &messages[i];

			m->sealed[ways % (m->len + tag_len)] ^= m->damaged;
			FUZZ_CHECK((ops[i].result == AEAD_OK) == !m->damaged);
			for (unsigned k = 0; k < m->len; k++)
				FUZZ_CHECK(m->out[k] == (m->damaged ? 0 : m->plain[k]));
		}
	}
	return 0;
}
