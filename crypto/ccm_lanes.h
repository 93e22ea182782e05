// SPDX-License-Identifier: BSD-3-Clause
// AES-CCM (RFC 3610) with 128-bit keys and L = 2 over many independent messages at once. Each
// message has a lane: 16 bytes of a vector register, its own key, lengths and AAD.
//
// This is the algorithm, written over a few primitives. A file for an instruction set defines them
// and includes this one; it is compiled with the flags of that instruction set alone.
//
// - LANES: messages that run side by side.
// - struct lanes: one 16-byte block for each of them, in named registers (gcc 12 keeps arrays in
//   memory).
// - struct schedule: the running key expansion of all lanes.
// - lanes_load(P), lanes_store(P, x): the blocks at the pointers P(0) .. P(LANES - 1).
// - lanes_load_some(P, some), lanes_store_some(P, some, x): the same with only some[i] <= 16 bytes
//   of lane i touched; loads fill up with zeros.
// - lanes_keep_some(some, x): x with zeros from byte some[i] of lane i on.
// - lanes_select(on, x, y): for lane i, x if bit i of on is set, else y.
// - lanes_xor, lanes_xor3, lanes_aesenc, lanes_aesenclast.
// - lanes_counter(b0, i): CCM's A_i made from its B_0 (RFC 3610 section 2.3).
// - schedule_start(key), schedule_next(w, rcon): round keys one after the other.
// - rank_below(keys, n, key): how many of n <= AEAD_BATCH_MAX keys are below key; the room behind
//   them is filled up with 0xffff.
// - registers_wipe(): zeros in all vector registers.
//
// All memory accesses stay inside the ranges that struct aead_op states. Nothing that is secret
// decides a branch or an address; lengths and whether a tag was right are public.

#include "crypto/aead_engine.h"

#include <stdint.h>
#include <string.h>

#define AES_ROUNDS 10
#define BLOCK      16u

// What must be wiped after a batch.
struct secrets {
	struct lanes key[AES_ROUNDS + 1]; // round keys
	_Alignas(64) uint8_t tag[LANES][BLOCK];
};

// Messages that run side by side. Those of a group with fewer than LANES messages fill it up with
// repetitions of the last one: every step loads all lanes before it stores any, so repetitions
// compute and store the same bytes even in place.
struct group {
	struct aead_op *op[LANES];
	unsigned aad_min, aad_max;   // AAD blocks of the lanes
	unsigned data_min, data_max; // payload blocks of the lanes, the last one not always whole
};

static const uint8_t zeros[BLOCK];

static unsigned aad_blocks(const struct aead_op *op)
{
	return op->aad_len ? (2u + op->aad_len + BLOCK - 1) / BLOCK : 0;
}

static unsigned data_blocks(const struct aead_op *op)
{
	return (op->len + BLOCK - 1) / BLOCK;
}

// One AES encryption of all lanes with round keys from memory; x comes with key 0 added.
INLINE struct lanes encrypt(const struct secrets *s, struct lanes x)
{
	x = lanes_aesenc(x, s->key[1]);
	x = lanes_aesenc(x, s->key[2]);
	x = lanes_aesenc(x, s->key[3]);
	x = lanes_aesenc(x, s->key[4]);
	x = lanes_aesenc(x, s->key[5]);
	x = lanes_aesenc(x, s->key[6]);
	x = lanes_aesenc(x, s->key[7]);
	x = lanes_aesenc(x, s->key[8]);
	x = lanes_aesenc(x, s->key[9]);
	return lanes_aesenclast(x, s->key[10]);
}

// Two at once: the second fills the time that the first one's chain waits, and shares its loads.
INLINE void encrypt_two(const struct secrets *s, struct lanes *x, struct lanes *y)
{
#define STEP(r) (*x = lanes_aesenc(*x, s->key[r]), *y = lanes_aesenc(*y, s->key[r]))
	STEP(1);
	STEP(2);
	STEP(3);
	STEP(4);
	STEP(5);
	STEP(6);
	STEP(7);
	STEP(8);
	STEP(9);
#undef STEP
	*x = lanes_aesenclast(*x, s->key[10]);
	*y = lanes_aesenclast(*y, s->key[10]);
}

// CBC-MAC over the AAD, which is prepared in whole blocks.
INLINE struct lanes aad_mac(const struct secrets *s, const struct group *g, struct lanes mac)
{
	unsigned a = 0;

#define AAD(i)         (g->op[i]->aad + BLOCK * a)
#define AAD_OR_ZERO(i) (a < aad_blocks(g->op[i]) ? AAD(i) : zeros)
	for (; a < g->aad_min; a++)
		mac = encrypt(s, lanes_xor3(mac, lanes_load(AAD), s->key[0]));
	for (; a < g->aad_max; a++) {
		struct lanes next = encrypt(s, lanes_xor3(mac, lanes_load(AAD_OR_ZERO), s->key[0]));
		unsigned on = 0;

		for (unsigned i = 0; i < LANES; i++)
			on |= (a < aad_blocks(g->op[i])) << i;
		mac = lanes_select(on, next, mac);
	}
	return mac;
#undef AAD
#undef AAD_OR_ZERO
}

// Takes payload block b through the key stream; returns its plaintext, padded with zeros.
INLINE struct lanes data_crypt(
	const struct group *g, unsigned b, struct lanes stream, const bool sealing)
{
	struct lanes in, out;

#define IN(i)  (g->op[i]->in + BLOCK * b)
#define OUT(i) (g->op[i]->out + BLOCK * b)
	if (b + 1 < g->data_min) {
		in = lanes_load(IN);
		out = lanes_xor(in, stream);
		lanes_store(OUT, out);
	} else {
		uint8_t some[LANES];

		for (unsigned i = 0; i < LANES; i++) {
			unsigned len = g->op[i]->len, before = BLOCK * b;
			unsigned left = len > before ? len - before : 0;

			some[i] = left < BLOCK ? left : BLOCK;
		}
		in = lanes_load_some(IN, some);
		out = lanes_keep_some(some, lanes_xor(in, stream));
		lanes_store_some(OUT, some, out);
	}
	return sealing ? in : out;
#undef IN
#undef OUT
}

// The MAC after payload block b, for the lanes that have one.
INLINE struct lanes data_mac_keep(
	const struct group *g, unsigned b, struct lanes next, struct lanes mac)
{
	unsigned on = 0;

	if (b < g->data_min)
		return next;
	for (unsigned i = 0; i < LANES; i++)
		on |= (g->op[i]->len > BLOCK * b) << i;
	return lanes_select(on, next, mac);
}

INLINE struct lanes data_step(const struct secrets *s, const struct group *g, unsigned b,
	struct lanes stream, struct lanes mac, const bool sealing)
{
	struct lanes plain = data_crypt(g, b, stream, sealing);
	struct lanes next = encrypt(s, lanes_xor3(mac, plain, s->key[0]));

	return data_mac_keep(g, b, next, mac);
}

// The same, and meanwhile the key stream of a later block.
INLINE struct lanes data_step_ahead(const struct secrets *s, const struct group *g, unsigned b,
	struct lanes stream, struct lanes mac, const bool sealing, unsigned ahead,
	struct lanes *ahead_stream)
{
	struct lanes plain = data_crypt(g, b, stream, sealing);
	struct lanes next = lanes_xor3(mac, plain, s->key[0]);

#define B0(i) (g->op[i]->b0)
	*ahead_stream = lanes_xor(lanes_counter(lanes_load(B0), ahead + 1), s->key[0]);
#undef B0
	encrypt_two(s, &next, ahead_stream);
	return data_mac_keep(g, b, next, mac);
}

// Opens or seals a group, all but the tags: those are left in s->tag. streams is how many blocks
// of key stream are made while the keys are expanded, which is when AES units would wait: 1, 2, or
// 3 for three payload blocks and more.
INLINE void group_crypt(
	struct secrets *s, const struct group *g, const unsigned streams, const bool sealing)
{
#define KEY(i) (g->op[i]->key)
#define B0(i)  (g->op[i]->b0)
	struct lanes key = lanes_load(KEY), b0 = lanes_load(B0);
	struct schedule expansion = schedule_start(key);
	struct lanes mac = lanes_xor(b0, key);
	struct lanes mask = lanes_xor(lanes_counter(b0, 0), key);
	struct lanes stream1 = lanes_xor(lanes_counter(b0, 1), key);
	struct lanes stream2 = lanes_xor(lanes_counter(b0, 2), key);
	struct lanes stream3 = lanes_xor(lanes_counter(b0, 3), key);
#undef KEY
#undef B0
	const unsigned blocks = g->data_max;
	unsigned b = 0;

	s->key[0] = key;
#define STEP(r, rcon, aes)                             \
	do {                                           \
		key = schedule_next(&expansion, rcon); \
		s->key[r] = key;                       \
		mac = aes(mac, key);                   \
		mask = aes(mask, key);                 \
		stream1 = aes(stream1, key);           \
		if (streams >= 2)                      \
			stream2 = aes(stream2, key);   \
		if (streams >= 3)                      \
			stream3 = aes(stream3, key);   \
	} while (0)
	STEP(1, 0x01, lanes_aesenc);
	STEP(2, 0x02, lanes_aesenc);
	STEP(3, 0x04, lanes_aesenc);
	STEP(4, 0x08, lanes_aesenc);
	STEP(5, 0x10, lanes_aesenc);
	STEP(6, 0x20, lanes_aesenc);
	STEP(7, 0x40, lanes_aesenc);
	STEP(8, 0x80, lanes_aesenc);
	STEP(9, 0x1b, lanes_aesenc);
	STEP(10, 0x36, lanes_aesenclast);
#undef STEP

	mac = aad_mac(s, g, mac);
	if (streams == 3) {
		for (; b + 3 < blocks; b++) {
			struct lanes ahead;

			mac = data_step_ahead(s, g, b, stream1, mac, sealing, b + 3, &ahead);
			stream1 = stream2;
			stream2 = stream3;
			stream3 = ahead;
		}
	}
	if (b < blocks)
		mac = data_step(s, g, b++, stream1, mac, sealing);
	if (streams >= 2)
		mac = data_step(s, g, b++, stream2, mac, sealing);
	if (streams >= 3)
		mac = data_step(s, g, b, stream3, mac, sealing);

	mac = lanes_xor(mac, mask);
#define TAG(i) (s->tag[i])
	lanes_store(TAG, mac);
#undef TAG
}

// All differences of two tags at once; tag_len is 8 or 16.
static bool tag_equal(const uint8_t *a, const uint8_t *b, unsigned tag_len)
{
	uint64_t x[2] = {0}, y[2] = {0};

	memcpy(x, a, 8);
	memcpy(y, b, 8);
	if (tag_len == 16) {
		memcpy(x + 1, a + 8, 8);
		memcpy(y + 1, b + 8, 8);
	}
	return ((x[0] ^ y[0]) | (x[1] ^ y[1])) == 0;
}

static void tags_verify(const struct secrets *s, const struct group *g, unsigned tag_len)
{
	for (unsigned i = 0; i < LANES; i++) {
		struct aead_op *op = g->op[i];

		if (tag_equal(s->tag[i], op->in + op->len, tag_len)) {
			op->result = AEAD_OK;
		} else {
			op->result = AEAD_FAILED;
			memset(op->out, 0, op->len);
		}
	}
}

static void tags_write(const struct secrets *s, const struct group *g, unsigned tag_len)
{
	for (unsigned i = 0; i < LANES; i++) {
		struct aead_op *op = g->op[i];

		memcpy(op->out + op->len, s->tag[i], 8);
		if (tag_len == 16)
			memcpy(op->out + op->len + 8, s->tag[i] + 8, 8);
		op->result = AEAD_OK;
	}
}

// One straight line of code for each number of payload blocks that is common.
#define GROUP_FUNCTION(name, streams, sealing)                                               \
	static __attribute__((noinline)) void name(struct secrets *s, const struct group *g) \
	{                                                                                    \
		group_crypt(s, g, streams, sealing);                                         \
	}
GROUP_FUNCTION(open_1, 1, false)
GROUP_FUNCTION(open_2, 2, false)
GROUP_FUNCTION(open_many, 3, false)
GROUP_FUNCTION(seal_1, 1, true)
GROUP_FUNCTION(seal_2, 2, true)
GROUP_FUNCTION(seal_many, 3, true)

static void group_run(struct secrets *s, const struct group *g, unsigned tag_len, bool sealing)
{
	if (g->data_max <= 1)
		(sealing ? seal_1 : open_1)(s, g);
	else if (g->data_max == 2)
		(sealing ? seal_2 : open_2)(s, g);
	else
		(sealing ? seal_many : open_many)(s, g);
	if (sealing)
		tags_write(s, g, tag_len);
	else
		tags_verify(s, g, tag_len);
}

// Messages of like size side by side waste the fewest lanes: a payload block costs two of AES, an
// AAD block one. The low bits keep keys apart.
#define INDEX_BITS 6
_Static_assert(1 << INDEX_BITS == AEAD_BATCH_MAX, "an index fits");

static uint16_t sort_key(const struct aead_op *op, unsigned index)
{
	unsigned data = data_blocks(op), aad = aad_blocks(op);

	if (data > 126)
		data = 126;
	if (aad > 7)
		aad = 7;
	return (data << 3 | aad) << INDEX_BITS | index;
}

static void batch_sort(struct aead_op *ops, unsigned n, struct aead_op **sorted)
{
	_Alignas(64) uint16_t keys[AEAD_BATCH_MAX];
	unsigned differ = 0;

	for (unsigned i = 0; i < n; i++) {
		keys[i] = sort_key(&ops[i], i);
		differ |= (keys[i] ^ keys[0]) >> INDEX_BITS;
	}
	if (!differ) {
		for (unsigned i = 0; i < n; i++)
			sorted[i] = &ops[i];
		return;
	}
	for (unsigned i = n; i < AEAD_BATCH_MAX; i++)
		keys[i] = 0xffff;
	for (unsigned i = 0; i < n; i++)
		sorted[rank_below(keys, n, keys[i])] = &ops[i];
}

static void group_measure(struct group *g)
{
	g->aad_min = g->aad_max = aad_blocks(g->op[0]);
	g->data_min = g->data_max = data_blocks(g->op[0]);
	for (unsigned i = 1; i < LANES; i++) {
		unsigned aad = aad_blocks(g->op[i]), data = data_blocks(g->op[i]);

		g->aad_min = aad < g->aad_min ? aad : g->aad_min;
		g->aad_max = aad > g->aad_max ? aad : g->aad_max;
		g->data_min = data < g->data_min ? data : g->data_min;
		g->data_max = data > g->data_max ? data : g->data_max;
	}
}

INLINE unsigned batch_run(enum aead_alg alg, struct aead_op *ops, unsigned n, const bool sealing)
{
	const unsigned tag_len = aead_algs[alg].tag_len;
	struct aead_op *sorted[AEAD_BATCH_MAX];
	struct secrets s;
	struct group g;
	unsigned good = 0;

	batch_sort(ops, n, sorted);
	for (unsigned first = 0; first < n; first += LANES) {
		for (unsigned i = 0; i < LANES; i++)
			g.op[i] = sorted[first + i < n ? first + i : n - 1];
		group_measure(&g);
		group_run(&s, &g, tag_len, sealing);
	}
	memset(&s, 0, sizeof(s));
	__asm__ volatile("" : : "r"(&s) : "memory"); // the wipe is not a dead store
	registers_wipe();
	for (unsigned i = 0; i < n; i++)
		good += ops[i].result == AEAD_OK;
	return good;
}

static unsigned ccm_open(
	struct aead_engine *engine, enum aead_alg alg, struct aead_op *ops, unsigned n)
{
	return batch_run(alg, ops, n, false);
}

static unsigned ccm_seal(
	struct aead_engine *engine, enum aead_alg alg, struct aead_op *ops, unsigned n)
{
	return batch_run(alg, ops, n, true);
}
