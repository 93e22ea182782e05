// SPDX-License-Identifier: BSD-3-Clause
// AES-CCM (RFC 3610) with 128-bit keys and L = 2 over many independent messages at once. Each
// message has a lane: 16 bytes of a vector register, its own key, lengths and AAD.
//
// This file has the algorithm for one group of messages, written over a few primitives;
// crypto/ccm_batch.h makes groups out of a batch. There is one C file for each instruction set: it
// defines the primitives, includes both files, and is compiled with that set's flags.
//
// - LANES: the number of messages that one struct lanes holds.
// - HALVES: 2 if the registers suffice to work on two struct lanes at once, else 1. One alone
//   leaves the AES units idle: each round of a CBC-MAC waits for the one before it.
// - LANES_FUSE: 1 if the registers suffice to encrypt while keys are expanded. If 0, also vector_t,
//   which is the type of the registers r0 to r7 of struct lanes, and vector_aesenc,
//   vector_aesenclast, vector_once for one of them.
// - struct lanes: one 16-byte block for each of them, in named registers (gcc 12 keeps arrays in
//   memory).
// - struct schedule: the running key expansion of all lanes.
// - lanes_load(P), lanes_store(P, x): the blocks at the pointers P(0) .. P(LANES - 1).
// - lanes_load_8(P), lanes_store_8(P, x): only their first 8 bytes; the load fills up with zeros.
// - struct some, some_left(some, len, before): for each lane i the bytes of its message in the
//   block that begins at byte `before`: len[i] - before, but at least 0 and at most 16.
// - lanes_load_some(P, some), lanes_store_some(P, some, x): load and store that touch only so many
//   bytes; the load fills up with zeros.
// - lanes_keep_some(some, x): x with zeros behind so many bytes.
// - struct choice, lanes_above(values, x): the lanes whose values[i], 16 bits wide, is above x.
// - lanes_select(choice, x, y): x in the chosen lanes, else y.
// - lanes_differ_8(x, y), lanes_differ_16(x, y): bit i is set if the first 8 or 16 bytes of lane i
//   differ.
// - lanes_xor, lanes_xor3, lanes_aesenc, lanes_aesenclast.
// - lanes_once(x): x in registers, so that it is loaded once.
// - lanes_counter(b0): CCM's A_0 made from its B_0 (RFC 3610 section 2.3).
// - lanes_count(a0, i): A_i made from A_0, or the same of both with a key added.
// - schedule_start(key), schedule_next(w, rcon), schedule_key(w): the round keys one after the
// other.
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

// What the engine keeps of LANES messages until they are done, and until it is wiped.
struct half {
	struct lanes key[AES_ROUNDS + 1]; // round keys
	struct lanes counter;             // A_0 with round key 0 added
	struct lanes mac;                 // of B_0
	struct lanes pad[2];              // A_0 encrypted, which makes the MAC a tag; the next A_i
};

struct secrets {
	struct half half[HALVES];
};
_Static_assert(sizeof(struct secrets) <= AEAD_SECRETS_ROOM, "the engine has room");

// Messages that are worked on at once, LANES or HALVES * LANES of them. A group with fewer is
// filled up with repetitions of its last message. These are all in one half with it, since a group
// of two halves has more than LANES messages; every step loads all lanes of a half before it stores
// any. So repetitions compute and store the same bytes, also where in and out are equal.
struct group {
	const struct aead_op *op;
	const uint16_t *len;         // their lengths in bytes
	const uint16_t *aad_blocks;  // and AAD blocks
	unsigned aad_min, aad_max;   // of all aad_blocks
	unsigned data_min, data_max; // of all messages' payload blocks, incomplete ones included
	unsigned len_min;            // of all len
	bool short_tag;              // 8 bytes, else 16
};

// The lanes of both halves; b is unused in a group of LANES messages.
struct both {
	struct lanes a, b;
};

static const uint8_t zeros[BLOCK];

// Makes the compiler read the round keys from memory. Else it keeps them in registers, of which
// there are too few, and spills them to other places.
#define KEYS_FROM_MEMORY(s) __asm__ volatile("" : : "r"(s) : "memory")

#define EACH_ROUND(STEP)                    \
	do {                                \
		STEP(1, lanes_aesenc);      \
		STEP(2, lanes_aesenc);      \
		STEP(3, lanes_aesenc);      \
		STEP(4, lanes_aesenc);      \
		STEP(5, lanes_aesenc);      \
		STEP(6, lanes_aesenc);      \
		STEP(7, lanes_aesenc);      \
		STEP(8, lanes_aesenc);      \
		STEP(9, lanes_aesenc);      \
		STEP(10, lanes_aesenclast); \
	} while (0)

// Encrypts one block of each lane by AES-128; the caller has added round key 0 to x.
INLINE struct both encrypt(const struct secrets *s, struct both x, const bool two)
{
#define STEP(r, aes)                                                \
	do {                                                        \
		x.a = aes(x.a, s->half[0].key[r]);                  \
		if (two)                                            \
			x.b = aes(x.b, s->half[HALVES - 1].key[r]); \
	} while (0)
	KEYS_FROM_MEMORY(s);
	EACH_ROUND(STEP);
#undef STEP
	return x;
}

// Encrypts two blocks of each lane: the rounds of one run while those of the other wait, and each
// round key is loaded once for both.
#if LANES_FUSE
INLINE void encrypt_two(const struct secrets *s, struct both *x, struct both *y, const bool two)
{
	struct lanes key;

#define STEP(r, aes)                                                  \
	do {                                                          \
		key = lanes_once(s->half[0].key[r]);                  \
		x->a = aes(x->a, key);                                \
		y->a = aes(y->a, key);                                \
		if (two) {                                            \
			key = lanes_once(s->half[HALVES - 1].key[r]); \
			x->b = aes(x->b, key);                        \
			y->b = aes(y->b, key);                        \
		}                                                     \
	} while (0)
	KEYS_FROM_MEMORY(s);
	EACH_ROUND(STEP);
#undef STEP
}
#else
// Registers suffice for half of the lanes.
INLINE void encrypt_two(const struct secrets *s, struct both *x, struct both *y, const bool two)
{
	(void)two;
	KEYS_FROM_MEMORY(s);
#define ONE(r, aes, part)                                           \
	do {                                                        \
		vector_t key = vector_once(s->half[0].key[r].part); \
                                                                    \
		x->a.part = aes(x->a.part, key);                    \
		y->a.part = aes(y->a.part, key);                    \
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
#define PART(part)                           \
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
	PART(LOW);
	PART(HIGH);
#undef PART
#undef HIGH
#undef LOW
#undef ONE
}
#endif

// Goes on with x and meanwhile encrypts counter block A_i.
INLINE struct both encrypt_beside(struct secrets *s, struct both x, unsigned i, const bool two)
{
	struct both counter;

	counter.a = lanes_count(s->half[0].counter, i);
	if (two)
		counter.b = lanes_count(s->half[HALVES - 1].counter, i);
	encrypt_two(s, &x, &counter, two);
	s->half[0].pad[i != 0] = counter.a;
	if (two)
		s->half[HALVES - 1].pad[i != 0] = counter.b;
	return x;
}

// Loads keys and B_0 of one half. Returns the key expansion; *mac is B_0 with round key 0 added.
INLINE struct schedule half_load(struct half *s, const struct aead_op *op, struct lanes *mac)
{
#define KEY(i) (op[i].key)
#define B0(i)  (op[i].b0)
	const struct lanes key = lanes_load(KEY), b0 = lanes_load(B0);
#undef KEY
#undef B0

	s->key[0] = key;
	s->counter = lanes_xor(lanes_counter(b0), key);
	*mac = lanes_xor(b0, key);
	return schedule_start(key);
}

// Expands the keys and encrypts B_0; if the registers do not suffice for that, A_0 beside it.
#define COUNTER_NEXT (LANES_FUSE ? 0 : 1) // the first A_i that is still to be encrypted
INLINE void group_start(struct secrets *s, const struct aead_op *op, const bool two)
{
	struct schedule now_a, now_b, next_a, next_b;
	struct both key, mac;

	next_a = half_load(&s->half[0], op, &mac.a);
	if (two)
		next_b = half_load(&s->half[HALVES - 1], op + LANES, &mac.b);
#if LANES_FUSE
		// The next round's words are computed before this round's keys are made of them:
		// all waits for these.
#define STEP(r, rcon_next, aes)                                   \
	do {                                                      \
		now_a = next_a;                                   \
		next_a = schedule_next(now_a, rcon_next);         \
		if (two) {                                        \
			now_b = next_b;                           \
			next_b = schedule_next(now_b, rcon_next); \
		}                                                 \
		key.a = schedule_key(now_a);                      \
		s->half[0].key[r] = key.a;                        \
		mac.a = aes(mac.a, key.a);                        \
		if (two) {                                        \
			key.b = schedule_key(now_b);              \
			s->half[HALVES - 1].key[r] = key.b;       \
			mac.b = aes(mac.b, key.b);                \
		}                                                 \
	} while (0)
	next_a = schedule_next(next_a, 0x01);
	if (two)
		next_b = schedule_next(next_b, 0x01);
	STEP(1, 0x02, lanes_aesenc);
	STEP(2, 0x04, lanes_aesenc);
	STEP(3, 0x08, lanes_aesenc);
	STEP(4, 0x10, lanes_aesenc);
	STEP(5, 0x20, lanes_aesenc);
	STEP(6, 0x40, lanes_aesenc);
	STEP(7, 0x80, lanes_aesenc);
	STEP(8, 0x1b, lanes_aesenc);
	STEP(9, 0x36, lanes_aesenc);
	STEP(10, 0, lanes_aesenclast); // what comes next is not used
#undef STEP
#else
	for (unsigned r = 1, rcon = 1; r <= AES_ROUNDS; r++) {
		next_a = schedule_next(next_a, rcon);
		s->half[0].key[r] = schedule_key(next_a);
		rcon = rcon == 0x80 ? 0x1b : rcon << 1;
	}
	(void)next_b, (void)now_a, (void)now_b, (void)key;
	mac = encrypt_beside(s, mac, 0, false);
#endif
	s->half[0].mac = mac.a;
	if (two)
		s->half[HALVES - 1].mac = mac.b;
}

INLINE struct both both_xor3(struct both x, struct both y, const struct secrets *s, const bool two)
{
	x.a = lanes_xor3(x.a, y.a, s->half[0].key[0]);
	if (two)
		x.b = lanes_xor3(x.b, y.b, s->half[HALVES - 1].key[0]);
	return x;
}

INLINE struct both both_above(
	struct both x, struct both y, const uint16_t *values, unsigned above, const bool two)
{
	struct choice choice = lanes_above(values, above);

	x.a = lanes_select(&choice, x.a, y.a);
	if (two) {
		choice = lanes_above(values + LANES, above);
		x.b = lanes_select(&choice, x.b, y.b);
	}
	return x;
}

// One block of the AAD, and beside it what of A_0 and A_1 is still to be encrypted.
INLINE struct both aad_step(
	struct secrets *s, const struct group *g, struct both x, unsigned *counter, const bool two)
{
	if (*counter > (g->data_max > 0))
		return encrypt(s, x, two);
	return encrypt_beside(s, x, (*counter)++, two);
}

// Goes on with the CBC-MAC over the AAD, whose padded form is whole blocks (struct aead_op).
INLINE struct both aad_mac(struct secrets *s, const struct group *g, struct both mac,
	unsigned *counter, const bool two)
{
	struct both block;
	unsigned a = 0;

#define AAD(i)           (g->op[i].aad + BLOCK * a)
#define AAD_B(i)         AAD((i) + LANES)
#define AAD_OR_ZERO(i)   (a < g->aad_blocks[i] ? AAD(i) : zeros)
#define AAD_OR_ZERO_B(i) AAD_OR_ZERO((i) + LANES)
	for (; a < g->aad_min; a++) {
		block.a = lanes_load(AAD);
		if (two)
			block.b = lanes_load(AAD_B);
		mac = aad_step(s, g, both_xor3(mac, block, s, two), counter, two);
	}
	for (; a < g->aad_max; a++) {
		struct both next;

		block.a = lanes_load(AAD_OR_ZERO);
		if (two)
			block.b = lanes_load(AAD_OR_ZERO_B);
		next = aad_step(s, g, both_xor3(mac, block, s, two), counter, two);
		mac = both_above(next, mac, g->aad_blocks, a, two);
	}
	return mac;
#undef AAD
#undef AAD_B
#undef AAD_OR_ZERO
#undef AAD_OR_ZERO_B
}

// Encrypts or decrypts payload block b of one half. Returns the plaintext, padded with zeros.
INLINE struct lanes data_crypt(const struct aead_op *op, const uint16_t *len, unsigned b,
	bool complete, struct lanes stream, const bool sealing)
{
	struct lanes in, out;

#define IN(i)  (op[i].in + BLOCK * b)
#define OUT(i) (op[i].out + BLOCK * b)
	if (complete) {
		in = lanes_load(IN);
		out = lanes_xor(in, stream);
		lanes_store(OUT, out);
	} else {
		struct some some;

		some_left(&some, len, BLOCK * b);
		in = lanes_load_some(IN, &some);
		out = lanes_keep_some(&some, lanes_xor(in, stream));
		lanes_store_some(OUT, &some, out);
	}
	return sealing ? in : out;
#undef IN
#undef OUT
}

// Encrypts or decrypts the whole payload. Returns the MAC over AAD and plaintext.
INLINE struct both data_mac(struct secrets *s, const struct group *g, struct both mac,
	const bool two, const bool sealing)
{
	for (unsigned b = 0; b < g->data_max; b++) {
		const bool complete = BLOCK * (b + 1) <= g->len_min;
		struct both plain, next;

		plain.a = data_crypt(g->op, g->len, b, complete, s->half[0].pad[1], sealing);
		plain.b = plain.a; // of one group, nobody looks at it
		if (two)
			plain.b = data_crypt(g->op + LANES, g->len + LANES, b, complete,
				s->half[HALVES - 1].pad[1], sealing);
		next = both_xor3(mac, plain, s, two);
		next = b + 1 < g->data_max ? encrypt_beside(s, next, b + 2, two)
					   : encrypt(s, next, two);
		mac = b < g->data_min ? next : both_above(next, mac, g->len, BLOCK * b, two);
	}
	return mac;
}

// Declares a secret public to the test of constant time, which defines this; here it does nothing.
#ifndef DECLASSIFY
#define DECLASSIFY(x) ((void)(x))
#endif

// Writes the tags of one half behind the ciphertexts, or compares them with those there. Returns
// which lanes differ, without a branch on their bytes.
INLINE uint64_t half_tags(const struct aead_op *op, const uint16_t *len, struct lanes tag,
	bool short_tag, const bool sealing)
{
	struct lanes want;
	uint64_t differ;

#define IN_TAG(i)  (op[i].in + len[i])
#define OUT_TAG(i) (op[i].out + len[i])
	if (sealing) {
		if (short_tag)
			lanes_store_8(OUT_TAG, tag);
		else
			lanes_store(OUT_TAG, tag);
		return 0;
	}
	if (short_tag)
		want = lanes_load_8(IN_TAG);
	else
		want = lanes_load(IN_TAG);
	differ = short_tag ? lanes_differ_8(tag, want) : lanes_differ_16(tag, want);
	DECLASSIFY(&differ);
	return differ;
#undef IN_TAG
#undef OUT_TAG
}

// Opens or seals what group_start() has begun. Returns the lanes whose tags differ.
INLINE uint64_t group_finish(
	struct secrets *s, const struct group *group, const bool two, const bool sealing)
{
	const struct group copy = *group, *g = &copy; // which no store can change
	struct both mac = {.a = s->half[0].mac};
	unsigned counter = COUNTER_NEXT;
	uint64_t differ;

	if (two)
		mac.b = s->half[HALVES - 1].mac;
	mac = aad_mac(s, g, mac, &counter, two);
	for (; counter <= (g->data_max > 0); counter++)
		(void)encrypt_beside(s, mac, counter, two); // the AAD was short
	mac = data_mac(s, g, mac, two, sealing);
	differ = half_tags(
		g->op, g->len, lanes_xor(mac.a, s->half[0].pad[0]), g->short_tag, sealing);
	if (two)
		differ |=
			half_tags(g->op + LANES, g->len + LANES,
				lanes_xor(mac.b, s->half[HALVES - 1].pad[0]), g->short_tag, sealing)
			<< LANES;
	return differ;
}

#define GROUP_FUNCTIONS(halves, two)                                     \
	static __attribute__((noinline)) void start_##halves(            \
		struct secrets *s, const struct aead_op *op)             \
	{                                                                \
		group_start(s, op, two);                                 \
	}                                                                \
	static __attribute__((noinline))                                 \
	uint64_t open_##halves(struct secrets *s, const struct group *g) \
	{                                                                \
		return group_finish(s, g, two, false);                   \
	}                                                                \
	static __attribute__((noinline))                                 \
	uint64_t seal_##halves(struct secrets *s, const struct group *g) \
	{                                                                \
		return group_finish(s, g, two, true);                    \
	}
GROUP_FUNCTIONS(one, false)
#if HALVES == 2
GROUP_FUNCTIONS(two, true)
#endif

// Opens or seals a group of LANES messages, or of twice as many. Returns the lanes whose tags
// differ.
INLINE uint64_t group_run(
	struct secrets *s, const struct group *g, unsigned lanes, const bool sealing)
{
#if HALVES == 2
	if (lanes > LANES) {
		start_two(s, g->op);
		return (sealing ? seal_two : open_two)(s, g);
	}
#endif
	(void)lanes;
	start_one(s, g->op);
	return (sealing ? seal_one : open_one)(s, g);
}
