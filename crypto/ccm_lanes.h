// SPDX-License-Identifier: BSD-3-Clause
// AES-CCM (RFC 3610) with 128-bit keys and L = 2 over many independent messages at once. Each
// message has a lane: 16 bytes of a vector register, its own key, lengths and AAD.
//
// This file has the algorithm, written over a few primitives. There is one C file for each
// instruction set: it defines the primitives, includes this file, and is compiled with that set's
// flags.
//
// - LANES: the number of messages that are worked on at once.
// - LANES_FUSE: 1 if the registers suffice to encrypt while keys are expanded. If 0, also vector_t,
//   which is the type of the registers r0 to r7 of struct lanes, and vector_aesenc,
//   vector_aesenclast, vector_once for one of them.
// - struct lanes: one 16-byte block for each of them, in named registers (gcc 12 keeps arrays in
//   memory).
// - struct schedule: the running key expansion of all lanes.
// - lanes_load(P), lanes_store(P, x): the blocks at the pointers P(0) .. P(LANES - 1).
// - struct some, some_left(some, len, before): for each lane i the bytes of its message in the
//   block that begins at byte `before`: len[i] - before, but at least 0 and at most 16.
// - lanes_load_some(P, some), lanes_store_some(P, some, x): load and store that touch only so many
//   bytes; the load fills up with zeros.
// - lanes_keep_some(some, x): x with zeros behind so many bytes.
// - struct choice, lanes_above(values, x): the lanes whose values[i], 16 bits wide, is above x.
// - lanes_select(choice, x, y): x in the chosen lanes, else y.
// - lanes_xor, lanes_xor3, lanes_aesenc, lanes_aesenclast.
// - lanes_once(x): x in registers, so that it is loaded once.
// - lanes_counter(b0): CCM's A_0 made from its B_0 (RFC 3610 section 2.3).
// - lanes_count(a0, i): A_i made from A_0, or the same of both with a key added.
// - schedule_start(key), schedule_next(w, rcon): round keys one after the other.
// - rank_below(keys, n, key): how many of n <= AEAD_BATCH_MAX keys are below key; the room behind
//   them is filled up with 0xffff.
// - registers_wipe(): zeros in all vector registers.
// - LANES_FEW, LANES_FEW_BY: optional; up to LANES_FEW messages are passed to LANES_FEW_BY.
// - SPILL_ROOM: optional; bytes of stack to wipe after a batch, if less than usual will do.
//
// All memory accesses stay inside the ranges that struct aead_op states. Nothing that is secret
// decides a branch or an address; lengths and whether a tag was right are public.

#include "crypto/aead_engine.h"

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define AES_ROUNDS 10
#define BLOCK      16u

// What is wiped after a batch.
struct secrets {
	struct lanes key[AES_ROUNDS + 1]; // round keys
	struct lanes counter;             // A_0 with round key 0 added
	_Alignas(64) uint8_t tag[AEAD_BATCH_MAX][BLOCK];
};

// LANES messages that are worked on at once. A group with fewer is filled up with repetitions of
// its last message: every step loads all lanes before it stores any, so repetitions compute and
// store the same bytes, also where in and out are equal.
struct group {
	const struct aead_op *op;    // LANES of them
	const uint16_t *len;         // their lengths in bytes
	const uint16_t *aad_blocks;  // and AAD blocks
	unsigned aad_min, aad_max;   // of all aad_blocks
	unsigned data_min, data_max; // of all messages' payload blocks, incomplete ones included
};

static const uint8_t zeros[BLOCK];

// Makes the compiler read the round keys from memory. Else it keeps them in registers, of which
// there are too few, and spills them to other places.
#define KEYS_FROM_MEMORY(s) __asm__ volatile("" : : "r"(s) : "memory")

// Encrypts one block of each lane by AES-128; the caller has added round key 0 to x.
INLINE struct lanes encrypt(const struct secrets *s, struct lanes x)
{
	KEYS_FROM_MEMORY(s);
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

// Encrypts two blocks of each lane: the rounds of one run while those of the other wait, and each
// round key is loaded once for both.
#if LANES_FUSE
INLINE void encrypt_two(const struct secrets *s, struct lanes *x, struct lanes *y)
{
	struct lanes key;

#define STEP(r, aes)                         \
	do {                                 \
		key = lanes_once(s->key[r]); \
		*x = aes(*x, key);           \
		*y = aes(*y, key);           \
	} while (0)
	KEYS_FROM_MEMORY(s);
	STEP(1, lanes_aesenc);
	STEP(2, lanes_aesenc);
	STEP(3, lanes_aesenc);
	STEP(4, lanes_aesenc);
	STEP(5, lanes_aesenc);
	STEP(6, lanes_aesenc);
	STEP(7, lanes_aesenc);
	STEP(8, lanes_aesenc);
	STEP(9, lanes_aesenc);
	STEP(10, lanes_aesenclast);
#undef STEP
}
#else
// Registers suffice for half of the lanes.
INLINE void encrypt_two(const struct secrets *s, struct lanes *x, struct lanes *y)
{
	KEYS_FROM_MEMORY(s);
#define ONE(r, aes, half_lane)                                   \
	do {                                                     \
		vector_t key = vector_once(s->key[r].half_lane); \
                                                                 \
		x->half_lane = aes(x->half_lane, key);           \
		y->half_lane = aes(y->half_lane, key);           \
	} while (0)
#define LOW(r, aes)              \
	do {                     \
		ONE(r, aes, r0); \
		ONE(r, aes, r1); \
		ONE(r, aes, r2); \
		ONE(r, aes, r3); \
	} while (0)
#define HIGH(r, aes)             \
	do {                     \
		ONE(r, aes, r4); \
		ONE(r, aes, r5); \
		ONE(r, aes, r6); \
		ONE(r, aes, r7); \
	} while (0)
#define HALF(part)                           \
	do {                                 \
		part(1, vector_aesenc);      \
		part(2, vector_aesenc);      \
		part(3, vector_aesenc);      \
		part(4, vector_aesenc);      \
		part(5, vector_aesenc);      \
		part(6, vector_aesenc);      \
		part(7, vector_aesenc);      \
		part(8, vector_aesenc);      \
		part(9, vector_aesenc);      \
		part(10, vector_aesenclast); \
	} while (0)
	HALF(LOW);
	HALF(HIGH);
#undef HALF
#undef HIGH
#undef LOW
#undef ONE
}
#endif

// Goes on with the CBC-MAC over the AAD, whose padded form is whole blocks (struct aead_op).
INLINE struct lanes aad_mac(const struct secrets *s, const struct group *g, struct lanes mac)
{
	unsigned a = 0;

#define AAD(i)         (g->op[i].aad + BLOCK * a)
#define AAD_OR_ZERO(i) (a < g->aad_blocks[i] ? AAD(i) : zeros)
	for (; a < g->aad_min; a++)
		mac = encrypt(s, lanes_xor3(mac, lanes_load(AAD), s->key[0]));
	for (; a < g->aad_max; a++) {
		struct lanes next = encrypt(s, lanes_xor3(mac, lanes_load(AAD_OR_ZERO), s->key[0]));
		struct choice more = lanes_above(g->aad_blocks, a);

		mac = lanes_select(&more, next, mac);
	}
	return mac;
#undef AAD
#undef AAD_OR_ZERO
}

// Encrypts or decrypts payload block b with its key stream. Returns the plaintext, padded with
// zeros.
INLINE struct lanes data_crypt(
	const struct group *g, unsigned b, struct lanes stream, const bool sealing)
{
	struct lanes in, out;

#define IN(i)  (g->op[i].in + BLOCK * b)
#define OUT(i) (g->op[i].out + BLOCK * b)
	if (b + 1 < g->data_min) {
		in = lanes_load(IN);
		out = lanes_xor(in, stream);
		lanes_store(OUT, out);
	} else {
		struct some some;

		some_left(&some, g->len, BLOCK * b);
		in = lanes_load_some(IN, &some);
		out = lanes_keep_some(&some, lanes_xor(in, stream));
		lanes_store_some(OUT, &some, out);
	}
	return sealing ? in : out;
#undef IN
#undef OUT
}

// Adds payload block b to the MAC of those lanes that have such a block.
INLINE struct lanes data_mac_keep(
	const struct group *g, unsigned b, struct lanes next, struct lanes mac)
{
	struct choice more;

	if (b < g->data_min)
		return next;
	more = lanes_above(g->len, BLOCK * b);
	return lanes_select(&more, next, mac);
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

	*ahead_stream = lanes_count(s->counter, ahead + 1);
	encrypt_two(s, &next, ahead_stream);
	return data_mac_keep(g, b, next, mac);
}

// How many blocks of key stream are kept ready where a message has many blocks. With few registers
// one must do: each step makes the next one's.
#define STREAMS_MANY (LANES_FUSE ? 3 : 1)

// Key stream that is ready, of the payload blocks that come next.
struct streams {
	struct lanes first, second, third; // as many as group_crypt() makes first
};

// Encrypts or decrypts the whole payload. Returns the MAC over AAD and plaintext.
INLINE struct lanes data_mac(const struct secrets *s, const struct group *g, struct lanes mac,
	const struct streams *ready, const unsigned streams, const bool sealing)
{
	struct lanes stream1 = ready->first, stream2 = ready->second, stream3 = ready->third;
	const unsigned blocks = g->data_max;
	unsigned b = 0;

	if (streams == STREAMS_MANY) {
		for (; b + streams < blocks; b++) {
			struct lanes ahead;

			mac = data_step_ahead(s, g, b, stream1, mac, sealing, b + streams, &ahead);
			stream1 = streams == 1 ? ahead : stream2;
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
	return mac;
}

// Opens or seals a group but for its tags: it writes the tags it computes to `tag`, and the caller
// compares or copies them. `streams` blocks of key stream are made first, while the AES units would
// idle: as many as the group has payload blocks, or STREAMS_MANY.
INLINE void group_crypt(struct secrets *s, const struct group *group, uint8_t (*tag)[BLOCK],
	const unsigned streams, const bool sealing)
{
	const struct group copy = *group, *g = &copy; // which no store can change
#define KEY(i) (g->op[i].key)
#define B0(i)  (g->op[i].b0)
	struct lanes key = lanes_load(KEY), b0 = lanes_load(B0);
	struct schedule expansion = schedule_start(key);
	struct lanes mac = lanes_xor(b0, key);
	struct lanes mask = lanes_xor(lanes_counter(b0), key);
	struct streams ready = {lanes_count(mask, 1), lanes_count(mask, 2), lanes_count(mask, 3)};
#undef KEY
#undef B0

	s->key[0] = key;
	if (streams == STREAMS_MANY)
		s->counter = mask;
#if LANES_FUSE
#define STEP(r, rcon, aes)                                     \
	do {                                                   \
		key = schedule_next(&expansion, rcon);         \
		s->key[r] = key;                               \
		mac = aes(mac, key);                           \
		mask = aes(mask, key);                         \
		ready.first = aes(ready.first, key);           \
		if (streams >= 2)                              \
			ready.second = aes(ready.second, key); \
		if (streams >= 3)                              \
			ready.third = aes(ready.third, key);   \
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
#else
	for (unsigned r = 1, rcon = 1; r <= AES_ROUNDS; r++) {
		s->key[r] = schedule_next(&expansion, rcon);
		rcon = rcon == 0x80 ? 0x1b : rcon << 1;
	}
	encrypt_two(s, &mac, &mask);
	ready.first = encrypt(s, ready.first);
#endif

	mac = aad_mac(s, g, mac);
	mac = data_mac(s, g, mac, &ready, streams, sealing);
	mac = lanes_xor(mac, mask);
#define TAG(i) (tag[i])
	lanes_store(TAG, mac);
#undef TAG
}

// Has code without branches for each of the common numbers of payload blocks.
#define GROUP_FUNCTION(name, streams, sealing)                                  \
	static __attribute__((noinline)) void name(                             \
		struct secrets *s, const struct group *g, uint8_t(*tag)[BLOCK]) \
	{                                                                       \
		group_crypt(s, g, tag, streams, sealing);                       \
	}
GROUP_FUNCTION(open_many, STREAMS_MANY, false)
GROUP_FUNCTION(seal_many, STREAMS_MANY, true)
#if LANES_FUSE
GROUP_FUNCTION(open_1, 1, false)
GROUP_FUNCTION(open_2, 2, false)
GROUP_FUNCTION(seal_1, 1, true)
GROUP_FUNCTION(seal_2, 2, true)
#endif

// Declares a secret public to the test of constant time, which defines this; here it does nothing.
#ifndef DECLASSIFY
#define DECLASSIFY(x) ((void)(x))
#endif

// Returns whether two tags differ, without a branch on their bytes.
INLINE bool tag_differs(const uint8_t *a, const uint8_t *b, const unsigned tag_len)
{
	uint64_t x[2] = {0}, y[2] = {0};

	memcpy(x, a, tag_len);
	memcpy(y, b, tag_len);
	return ((x[0] ^ y[0]) | (x[1] ^ y[1])) != 0;
}

// A batch, in the order in which its messages are worked on.
struct batch {
	const struct aead_op *op; // the caller's, or copy
	unsigned groups;
	bool uniform; // all have the same lengths
	_Alignas(64) uint16_t len[AEAD_BATCH_MAX];
	_Alignas(64) uint16_t aad_blocks[AEAD_BATCH_MAX];
	uint8_t place[AEAD_BATCH_MAX]; // of the caller's op i in copy
	_Alignas(64) struct aead_op copy[AEAD_BATCH_MAX];
};

_Static_assert(AEAD_BATCH_MAX % LANES == 0, "the last group has room");
_Static_assert(offsetof(struct aead_op, len) == offsetof(struct aead_op, aad_len) + 2 &&
		sizeof(((struct aead_op *)NULL)->len) == 2 &&
		sizeof(((struct aead_op *)NULL)->aad_len) == 2,
	"one load reads both lengths");

INLINE void batch_measure(struct batch *batch, const struct aead_op *ops, unsigned n)
{
	_Alignas(64) uint32_t sizes[AEAD_BATCH_MAX];
	const unsigned full = batch->groups * LANES;
	uint32_t differ = 0;

	for (unsigned i = 0; i < n; i++) {
		memcpy(&sizes[i], &ops[i].aad_len, sizeof(sizes[i]));
		differ |= sizes[i] ^ sizes[0];
	}
	batch->uniform = !differ;
	for (unsigned first = 0; first < full; first += LANES) {
		for (unsigned i = first; i < first + LANES; i++) {
			uint32_t size = differ ? sizes[i] : sizes[0], aad_len = size & 0xffff;

			batch->len[i] = size >> 16;
			batch->aad_blocks[i] = aad_len ? (aad_len + 2 + BLOCK - 1) / BLOCK : 0;
		}
	}
}

// Sorting by size puts messages of like size into one group, so that few lanes idle. A payload
// block costs two encryptions, an AAD block one. The low bits hold the index, which makes all keys
// unique.
#define INDEX_BITS 6
_Static_assert(1 << INDEX_BITS == AEAD_BATCH_MAX, "an index fits");

static uint16_t sort_key(unsigned len, unsigned aad_blocks, unsigned index)
{
	unsigned data_blocks = (len + BLOCK - 1) / BLOCK;

	data_blocks = data_blocks < 126 ? data_blocks : 126;
	aad_blocks = aad_blocks < 7 ? aad_blocks : 7;
	return (data_blocks << 3 | aad_blocks) << INDEX_BITS | index;
}

// Orders the ops so that each group has messages of like size, and fills up the last group with
// repetitions of its last message. Copies ops only if their own order does not do.
static void batch_sort(struct batch *batch, const struct aead_op *ops, unsigned n)
{
	_Alignas(64) uint16_t keys[AEAD_BATCH_MAX], lens[AEAD_BATCH_MAX], aads[AEAD_BATCH_MAX];
	const unsigned full = batch->groups * LANES;

	if (batch->uniform && n == full) {
		batch->op = ops;
		return;
	}
	memcpy(lens, batch->len, sizeof(lens));
	memcpy(aads, batch->aad_blocks, sizeof(aads));
	for (unsigned i = 0; i < AEAD_BATCH_MAX && !batch->uniform; i++)
		keys[i] = i < n ? sort_key(lens[i], aads[i], i) : 0xffff;
	for (unsigned i = 0; i < n; i++) {
		unsigned place = batch->uniform ? i : rank_below(keys, n, keys[i]);

		batch->place[i] = place;
		batch->copy[place] = ops[i];
		batch->len[place] = lens[i];
		batch->aad_blocks[place] = aads[i];
	}
	for (unsigned place = n; place < full; place++) {
		batch->copy[place] = batch->copy[n - 1];
		batch->len[place] = batch->len[n - 1];
		batch->aad_blocks[place] = batch->aad_blocks[n - 1];
	}
	batch->op = batch->copy;
}

static struct group batch_group(const struct batch *batch, unsigned index)
{
	struct group g = {
		.op = batch->op + index * LANES,
		.len = batch->len + index * LANES,
		.aad_blocks = batch->aad_blocks + index * LANES,
	};
	unsigned len_min = g.len[0], len_max = g.len[0];

	g.aad_min = g.aad_max = g.aad_blocks[0];
	for (unsigned i = 1; i < LANES && !batch->uniform; i++) {
		g.aad_min = g.aad_blocks[i] < g.aad_min ? g.aad_blocks[i] : g.aad_min;
		g.aad_max = g.aad_blocks[i] > g.aad_max ? g.aad_blocks[i] : g.aad_max;
		len_min = g.len[i] < len_min ? g.len[i] : len_min;
		len_max = g.len[i] > len_max ? g.len[i] : len_max;
	}
	g.data_min = (len_min + BLOCK - 1) / BLOCK;
	g.data_max = (len_max + BLOCK - 1) / BLOCK;
	return g;
}

INLINE void group_run(
	struct secrets *s, const struct group *g, uint8_t (*tag)[BLOCK], const bool sealing)
{
#if LANES_FUSE
	if (g->data_max <= 1)
		(sealing ? seal_1 : open_1)(s, g, tag);
	else if (g->data_max == 2)
		(sealing ? seal_2 : open_2)(s, g, tag);
	else
#endif
		(sealing ? seal_many : open_many)(s, g, tag);
}

INLINE unsigned tags_verify(const struct secrets *s, const struct batch *batch, struct aead_op *ops,
	unsigned n, const unsigned tag_len)
{
	unsigned failed = 0;

	for (unsigned i = 0; i < n; i++) {
		const uint8_t *tag = s->tag[batch->op == ops ? i : batch->place[i]];
		bool differs = tag_differs(tag, ops[i].in + ops[i].len, tag_len);

		DECLASSIFY(&differs);
		ops[i].result = differs ? AEAD_FAILED : AEAD_OK;
		failed += differs;
	}
	if (!failed)
		return n;
	for (unsigned i = 0; i < n; i++) {
		if (ops[i].result != AEAD_OK)
			memset(ops[i].out, 0, ops[i].len);
	}
	return n - failed;
}

INLINE unsigned tags_write(const struct secrets *s, const struct batch *batch, struct aead_op *ops,
	unsigned n, const unsigned tag_len)
{
	for (unsigned i = 0; i < n; i++) {
		const uint8_t *tag = s->tag[batch->op == ops ? i : batch->place[i]];

		memcpy(ops[i].out + ops[i].len, tag, tag_len);
		ops[i].result = AEAD_OK;
	}
	return n;
}

// Bytes of stack in which the group functions may have spilled registers, more than the largest
// frame of theirs; wiping variables does not reach these. tests/aead/residue.c looks for what is
// left.
#ifndef SPILL_ROOM
#define SPILL_ROOM 2560
#endif

static __attribute__((noinline)) void spills_wipe(void)
{
	struct lanes spills[SPILL_ROOM / sizeof(struct lanes)];

	for (unsigned i = 0; i < SPILL_ROOM / sizeof(struct lanes); i++) {
		spills[i] = (struct lanes){0};
		__asm__ volatile("" : : "r"(spills) : "memory");
	}
}

// Wipes the secrets of n messages, vector by vector: for so few bytes memset() takes longer to
// start than to run.
INLINE void secrets_wipe(struct secrets *s, unsigned n)
{
	for (unsigned r = 0; r <= AES_ROUNDS; r++) {
		s->key[r] = (struct lanes){0};
		__asm__ volatile("" : : "r"(s) : "memory"); // neither dead nor a memset()
	}
	s->counter = (struct lanes){0};
	for (unsigned i = 0; i < n; i += LANES) {
		memset(s->tag[i], 0, sizeof(struct lanes));
		__asm__ volatile("" : : "r"(s) : "memory");
	}
	spills_wipe();
	registers_wipe();
}

INLINE unsigned batch_run(enum aead_alg alg, struct aead_op *ops, unsigned n, const bool sealing)
{
	const bool short_tag = aead_algs[alg].tag_len == 8;
	struct batch batch;
	struct secrets s;
	unsigned good;

	batch.groups = (n + LANES - 1) / LANES;
	batch_measure(&batch, ops, n);
	batch_sort(&batch, ops, n);
	for (unsigned i = 0; i < batch.groups; i++) {
		struct group g = batch_group(&batch, i);

		group_run(&s, &g, s.tag + i * LANES, sealing);
	}
	if (sealing)
		good = short_tag ? tags_write(&s, &batch, ops, n, 8)
				 : tags_write(&s, &batch, ops, n, 16);
	else
		good = short_tag ? tags_verify(&s, &batch, ops, n, 8)
				 : tags_verify(&s, &batch, ops, n, 16);
	secrets_wipe(&s, batch.groups * LANES);
	return good;
}

static unsigned ccm_open(
	struct aead_engine *engine, enum aead_alg alg, struct aead_op *ops, unsigned n)
{
#ifdef LANES_FEW
	if (n <= LANES_FEW)
		return LANES_FEW_BY.open(engine, alg, ops, n);
#endif
	return batch_run(alg, ops, n, false);
}

static unsigned ccm_seal(
	struct aead_engine *engine, enum aead_alg alg, struct aead_op *ops, unsigned n)
{
#ifdef LANES_FEW
	if (n <= LANES_FEW)
		return LANES_FEW_BY.seal(engine, alg, ops, n);
#endif
	return batch_run(alg, ops, n, true);
}
