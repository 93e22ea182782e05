// SPDX-License-Identifier: BSD-3-Clause
// Every implementation of AES-CCM against OpenSSL and BearSSL, which agree with each other on every
// message: random keys, lengths, AADs, batch sizes and failures, in place and out of place. Speaks
// TAP, one test for each implementation.
//
// usage: oracle MESSAGES [BATCH [SEED]] (BATCH: messages in a batch at most)

#include "crypto/aead.h"

#include <bearssl.h>
#include <errno.h>
#include <openssl/evp.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LEN_MAX    4200 // bytes of plaintext, which is beyond any packet
#define AAD_MAX    64
#define MARGIN     32 // bytes around an output that must stay as they are
#define MARGIN_SET 0xa5
#define PATHS_MAX  8

struct message {
	uint8_t key[16], nonce[13];
	uint8_t aad[AAD_MAX + 32]; // prepared as struct aead_op wants it
	uint16_t aad_len, len;
	uint8_t plain[LEN_MAX], sealed[LEN_MAX + 16];
	uint8_t damaged[LEN_MAX + 16]; // sealed, or something near it
	bool valid, in_place;
};

struct path {
	const char *name;
	struct aead_engine *engine; // NULL if this CPU lacks it
	bool failed;
};

static uint64_t state;

static uint32_t random_below(uint32_t limit)
{
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return (state >> 32) % limit;
}

static void random_fill(uint8_t *data, size_t len)
{
	for (size_t i = 0; i < len; i++)
		data[i] = random_below(256);
}

static void openssl_seal(const struct message *m, unsigned tag_len, uint8_t *out)
{
	static EVP_CIPHER_CTX *ctx;
	int n;

	if (!ctx)
		ctx = EVP_CIPHER_CTX_new();
	if (!ctx || EVP_EncryptInit_ex(ctx, EVP_aes_128_ccm(), NULL, NULL, NULL) != 1 ||
		EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_SET_IVLEN, 13, NULL) != 1 ||
		EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_SET_TAG, tag_len, NULL) != 1 ||
		EVP_EncryptInit_ex(ctx, NULL, NULL, m->key, m->nonce) != 1 ||
		EVP_EncryptUpdate(ctx, NULL, &n, NULL, m->len) != 1 ||
		(m->aad_len && EVP_EncryptUpdate(ctx, NULL, &n, m->aad + 2, m->aad_len) != 1) ||
		EVP_EncryptUpdate(ctx, out, &n, m->plain, m->len) != 1 ||
		EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_GET_TAG, tag_len, out + m->len) != 1)
		abort();
}

// With its bit-sliced AES, which shares no instruction with the others.
static void bearssl_seal(const struct message *m, unsigned tag_len, uint8_t *out)
{
	br_aes_ct64_ctrcbc_keys keys;
	br_ccm_context ccm;

	br_aes_ct64_ctrcbc_init(&keys, m->key, sizeof(m->key));
	br_ccm_init(&ccm, &keys.vtable);
	if (!br_ccm_reset(&ccm, m->nonce, sizeof(m->nonce), m->aad_len, m->len, tag_len))
		abort();
	br_ccm_aad_inject(&ccm, m->aad + 2, m->aad_len);
	br_ccm_flip(&ccm);
	memcpy(out, m->plain, m->len);
	br_ccm_run(&ccm, 1, out, m->len);
	br_ccm_get_tag(&ccm, out + m->len);
}

// Mostly what OSCORE has, sometimes what it may have.
static unsigned length_draw(void)
{
	unsigned dice = random_below(100);

	if (dice < 85)
		return random_below(81);
	return dice < 98 ? random_below(600) : random_below(LEN_MAX + 1);
}

// One message of other_of has a size of its own, the rest that of the one before: with 1 each has,
// with as many as a batch holds most batches are of one size, or but for a message or two.
static void size_draw(struct message *m, const struct message *before, unsigned other_of)
{
	const bool other = !before || random_below(other_of) == 0;

	m->len = other ? length_draw() : before->len;
	m->aad_len = other ? random_below(AAD_MAX + 1) : before->aad_len;
}

static void message_make(struct message *m, unsigned tag_len)
{
	uint8_t other[LEN_MAX + 16];
	unsigned bit;

	m->in_place = random_below(2);
	random_fill(m->key, sizeof(m->key));
	random_fill(m->nonce, sizeof(m->nonce));
	memset(m->aad, 0, sizeof(m->aad));
	m->aad[1] = m->aad_len;
	random_fill(m->aad + 2, m->aad_len);
	random_fill(m->plain, m->len);
	openssl_seal(m, tag_len, m->sealed);
	bearssl_seal(m, tag_len, other);
	if (memcmp(m->sealed, other, m->len + tag_len) != 0) {
		printf("Bail out! OpenSSL and BearSSL do not agree\n");
		exit(1);
	}
	m->valid = random_below(4) != 0;
	memcpy(m->damaged, m->sealed, m->len + tag_len);
	if (m->valid)
		return;
	bit = random_below(2) ? (m->len + random_below(tag_len)) * 8 + random_below(8)
			      : random_below((m->len + tag_len) * 8);
	m->damaged[bit / 8] ^= 1 << bit % 8;
}

// A message's output and what must not change around it.
struct place {
	uint8_t before[MARGIN], bytes[LEN_MAX + 16 + MARGIN];
};

static struct message messages[AEAD_BATCH_MAX];
static struct place places[AEAD_BATCH_MAX];

static void op_make(struct aead_op *op, enum aead_alg alg, const struct message *m, struct place *p,
	bool sealing)
{
	const unsigned tag_len = aead_algs[alg].tag_len;
	const uint8_t *in = sealing ? m->plain : m->damaged;
	const size_t in_len = sealing ? m->len : m->len + tag_len;

	memset(p, MARGIN_SET, sizeof(*p));
	if (m->in_place)
		memcpy(p->bytes, in, in_len);
	*op = (struct aead_op){
		.key = m->key,
		.aad = m->aad_len ? m->aad : NULL,
		.in = m->in_place ? p->bytes : in,
		.out = p->bytes,
		.aad_len = m->aad_len,
		.len = m->len,
		.result = 0xff,
	};
	aead_op_nonce(op, alg, m->nonce);
}

static bool all_are(const uint8_t *data, size_t len, uint8_t value)
{
	for (size_t i = 0; i < len; i++) {
		if (data[i] != value)
			return false;
	}
	return true;
}

static bool op_right(const struct aead_op *op, unsigned tag_len, const struct message *m,
	const struct place *p, bool sealing)
{
	const size_t sealed_len = m->len + tag_len;
	const size_t written = sealing || m->in_place ? sealed_len : m->len;

	if (!all_are(p->before, MARGIN, MARGIN_SET) ||
		!all_are(p->bytes + written, MARGIN, MARGIN_SET))
		return false;
	if (sealing)
		return op->result == AEAD_OK && memcmp(p->bytes, m->sealed, sealed_len) == 0;
	if (m->in_place && memcmp(p->bytes + m->len, m->damaged + m->len, tag_len) != 0)
		return false;
	if (m->valid)
		return op->result == AEAD_OK && memcmp(p->bytes, m->plain, m->len) == 0;
	return op->result == AEAD_FAILED && all_are(p->bytes, m->len, 0);
}

static bool batch_right(struct aead_engine *engine, enum aead_alg alg, unsigned n, bool sealing)
{
	struct aead_op ops[AEAD_BATCH_MAX];
	unsigned good, valid = 0;

	for (unsigned i = 0; i < n; i++) {
		op_make(&ops[i], alg, &messages[i], &places[i], sealing);
		valid += sealing || messages[i].valid;
	}
	good = sealing ? aead_seal_batch(engine, alg, ops, n)
		       : aead_open_batch(engine, alg, ops, n);
	for (unsigned i = 0; i < n; i++) {
		if (op_right(&ops[i], aead_algs[alg].tag_len, &messages[i], &places[i], sealing))
			continue;
		printf("# %s %s: message %u of %u, %u bytes, %u of AAD, %s, %s place\n",
			aead_algs[alg].name, sealing ? "seal" : "open", i, n, messages[i].len,
			messages[i].aad_len, messages[i].valid ? "valid" : "damaged",
			messages[i].in_place ? "in" : "out of");
		return false;
	}
	return good == valid;
}

int main(int argc, char **argv)
{
	const unsigned long wanted = argc > 1 ? strtoul(argv[1], NULL, 0) : 0;
	struct path paths[PATHS_MAX];
	unsigned count = 0, bad = 0;
	unsigned long done = 0;

	const unsigned long most = argc > 2 ? strtoul(argv[2], NULL, 0) : AEAD_BATCH_MAX;

	state = argc > 3 ? strtoul(argv[3], NULL, 0) : 1;
	if (!wanted || !state || most < 1 || most > AEAD_BATCH_MAX) {
		fprintf(stderr, "usage: %s MESSAGES [BATCH [SEED]]\n", argv[0]);
		return 2;
	}
	for (const char *const *name = aead_isa_names(); *name; name++) {
		paths[count] = (struct path){*name, aead_engine_create(*name), false};
		if (!paths[count].engine && errno != ENOTSUP)
			return 1;
		count++;
	}
	while (done < wanted) {
		const enum aead_alg alg =
			random_below(2) ? AEAD_AES_CCM_16_64_128 : AEAD_AES_CCM_16_128_128;
		const unsigned n = 1 + random_below(most);

		const unsigned other_of = random_below(3) ? 1 : AEAD_BATCH_MAX;

		for (unsigned i = 0; i < n; i++) {
			size_draw(&messages[i], i ? &messages[i - 1] : NULL, other_of);
			message_make(&messages[i], aead_algs[alg].tag_len);
		}
		for (unsigned p = 0; p < count; p++) {
			if (paths[p].engine && !paths[p].failed)
				paths[p].failed = !batch_right(paths[p].engine, alg, n, true) ||
					!batch_right(paths[p].engine, alg, n, false);
		}
		done += n;
	}
	printf("1..%u\n", count);
	for (unsigned p = 0; p < count; p++) {
		const char *not = paths[p].failed ? "not " : "";

		if (paths[p].engine)
			printf("%sok %u - %s, %lu messages\n", not, p + 1, paths[p].name, done);
		else
			printf("ok %u - %s # SKIP this CPU has no %s\n", p + 1, paths[p].name,
				paths[p].name);
		bad += paths[p].failed;
		aead_engine_free(paths[p].engine);
	}
	return bad != 0;
}
