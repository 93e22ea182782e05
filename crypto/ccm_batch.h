// SPDX-License-Identifier: BSD-3-Clause
// Makes groups of like messages out of a batch, for crypto/ccm_lanes.h, and cleans up behind them.

#include <immintrin.h>

#define GROUP_MAX (HALVES * LANES) // messages of one group

// A batch, in the order in which its messages are worked on.
struct batch {
	const struct aead_op *op; // the caller's, or copy
	bool short_tag;
	bool alike; // all have the lengths of the first
	_Alignas(64) uint16_t len[AEAD_BATCH_MAX];
	_Alignas(64) uint16_t aad_blocks[AEAD_BATCH_MAX];
	_Alignas(64) uint16_t data_blocks[AEAD_BATCH_MAX]; // unless all are alike
	uint8_t order[AEAD_BATCH_MAX];                     // the caller's op of each place
	_Alignas(64) struct aead_op copy[AEAD_BATCH_MAX];
};

_Static_assert(AEAD_BATCH_MAX % GROUP_MAX == 0, "the last group has room");
_Static_assert(offsetof(struct aead_op, len) == offsetof(struct aead_op, aad_len) + 2 &&
		sizeof(((struct aead_op *)NULL)->len) == 2 &&
		sizeof(((struct aead_op *)NULL)->aad_len) == 2,
	"one load reads both lengths");

#define SIZES_AT(op) (&(op)->aad_len)

// Both lengths of four ops. Written to an array one by one and read as a vector, they would wait
// for all older stores.
INLINE __m128i four_sizes(const struct aead_op *a, const struct aead_op *b, const struct aead_op *c,
	const struct aead_op *d)
{
#define SIZES(op) _mm_loadu_si32(SIZES_AT(op))
	return _mm_unpacklo_epi64(
		_mm_unpacklo_epi32(SIZES(a), SIZES(b)), _mm_unpacklo_epi32(SIZES(c), SIZES(d)));
#undef SIZES
}

INLINE uint32_t op_sizes(const struct aead_op *op)
{
	uint32_t sizes;

	memcpy(&sizes, SIZES_AT(op), sizeof(sizes));
	return sizes;
}

INLINE __m128i data_blocks(__m128i len)
{
	// 16-bit numbers: a sum of the halves does not overflow.
	const __m128i whole = _mm_srli_epi16(len, 4);
	const __m128i rest = _mm_and_si128(len, _mm_set1_epi16(BLOCK - 1));

	return _mm_sub_epi16(whole, _mm_cmpgt_epi16(rest, _mm_setzero_si128()));
}

// Blocks of an AAD of at most 0xfeff bytes with its two bytes of length; 0 of an empty one.
INLINE __m128i aad_blocks(__m128i len)
{
	const __m128i empty = _mm_cmpeq_epi16(len, _mm_setzero_si128());
	const __m128i padded = _mm_add_epi16(len, _mm_set1_epi16(2 + BLOCK - 1));

	return _mm_andnot_si128(empty, _mm_srli_epi16(padded, 4));
}

// Most batches of a worker have messages of one size, which one pass over them says. Returns
// whether this is one, and then their lengths stand in the batch.
INLINE bool batch_alike(struct batch *batch, const struct aead_op *ops, unsigned n)
{
	const uint32_t first = op_sizes(ops);
	uint32_t differ = 0;
	__m128i len, aad;

	for (unsigned i = 1; i < n; i++) {
		differ |= op_sizes(ops + i) ^ first;
		// The compiler would put vectors together.
		__asm__("" : "+r"(differ));
	}
	if (differ)
		return false;
	len = _mm_set1_epi16(ops->len);
	aad = aad_blocks(_mm_set1_epi16(ops->aad_len));
	for (unsigned i = 0; i < n || i % GROUP_MAX; i += 8) {
		_mm_store_si128((__m128i *)(batch->len + i), len);
		_mm_store_si128((__m128i *)(batch->aad_blocks + i), aad);
	}
	return true;
}

// Reads the lengths of n ops, eight at a time; the last one's stand for those behind it. Returns
// whether all have as many blocks as the first.
INLINE bool batch_measure(struct batch *batch, const struct aead_op *ops, unsigned n)
{
	const __m128i low16 = _mm_set1_epi32(0xffff);
	__m128i differ = _mm_setzero_si128(), data_first = differ, aad_first = differ;

	for (unsigned i = 0; i < n || i % GROUP_MAX; i += 8) {
		const struct aead_op *op = ops + i;
		__m128i low, high, len, aad, data;

		if (i + 8 <= n) {
			low = four_sizes(op, op + 1, op + 2, op + 3);
			high = four_sizes(op + 4, op + 5, op + 6, op + 7);
		} else {
#define OP(k) (ops + (i + (k) < n ? i + (k) : n - 1))
			low = four_sizes(OP(0), OP(1), OP(2), OP(3));
			high = four_sizes(OP(4), OP(5), OP(6), OP(7));
#undef OP
		}
		len = _mm_packus_epi32(_mm_srli_epi32(low, 16), _mm_srli_epi32(high, 16));
		aad = aad_blocks(
			_mm_packus_epi32(_mm_and_si128(low, low16), _mm_and_si128(high, low16)));
		data = data_blocks(len);
		_mm_store_si128((__m128i *)(batch->len + i), len);
		_mm_store_si128((__m128i *)(batch->aad_blocks + i), aad);
		_mm_store_si128((__m128i *)(batch->data_blocks + i), data);
		if (i == 0) {
			data_first = _mm_shuffle_epi32(_mm_shufflelo_epi16(data, 0), 0);
			aad_first = _mm_shuffle_epi32(_mm_shufflelo_epi16(aad, 0), 0);
		}
		differ = _mm_or_si128(differ,
			_mm_or_si128(
				_mm_xor_si128(data, data_first), _mm_xor_si128(aad, aad_first)));
	}
	return _mm_testz_si128(differ, differ);
}

// The least of the first n numbers, eight at a time.
INLINE unsigned values_least(const uint16_t *values, unsigned n)
{
	__m128i low = _mm_load_si128((const __m128i *)values);

	for (unsigned i = 8; i < n; i += 8)
		low = _mm_min_epu16(low, _mm_load_si128((const __m128i *)(values + i)));
	return _mm_extract_epi16(_mm_minpos_epu16(low), 0);
}

// Which of the first n numbers, eight at a time, are x: bit i is number i. They become the greatest
// there are.
INLINE uint64_t values_take(uint16_t *values, unsigned n, unsigned x)
{
	const __m128i wanted = _mm_set1_epi16(x);
	uint64_t members = 0;

	for (unsigned i = 0; i < n; i += 8) {
		__m128i *eight = (__m128i *)(values + i), is;

		is = _mm_cmpeq_epi16(_mm_load_si128(eight), wanted);
		_mm_store_si128(eight, _mm_or_si128(_mm_load_si128(eight), is));
		members |= (uint64_t)(_mm_movemask_epi8(_mm_packs_epi16(is, is)) & 0xff) << i;
	}
	return members;
}

// Copies the ops in the order of their payload blocks, so that each group has messages of like size
// and few lanes idle.
static void batch_sort(struct batch *batch, const struct aead_op *ops, unsigned n)
{
	for (unsigned place = 0; place < n;) {
		uint64_t left =
			values_take(batch->data_blocks, n, values_least(batch->data_blocks, n));

		left &= UINT64_MAX >> (AEAD_BATCH_MAX - n); // without repetitions
		for (; left; left &= left - 1) {
			batch->order[place] = __builtin_ctzll(left);
			batch->copy[place] = ops[batch->order[place]];
			place++;
		}
	}
	batch->op = batch->copy;
	(void)batch_measure(batch, batch->copy, n);
}

// Fills the last group up with repetitions of its last message. Copies its ops, unless all are
// copies already.
INLINE void group_fill(struct batch *batch, unsigned first, unsigned n, unsigned end)
{
	if (batch->op != batch->copy)
		memcpy(batch->copy + first, batch->op + first,
			(n - first) * sizeof(batch->copy[0]));
	for (unsigned place = n; place < end; place++)
		batch->copy[place] = batch->copy[n - 1];
}

// Least and greatest of `lanes` numbers, eight at a time.
INLINE void values_range(const uint16_t *values, unsigned lanes, unsigned *min, unsigned *max)
{
	const __m128i ones = _mm_set1_epi16(-1);
	__m128i low = _mm_load_si128((const __m128i *)values), high = low;

	for (unsigned i = 8; i < lanes; i += 8) {
		const __m128i next = _mm_load_si128((const __m128i *)(values + i));

		low = _mm_min_epu16(low, next);
		high = _mm_max_epu16(high, next);
	}
	*min = _mm_extract_epi16(_mm_minpos_epu16(low), 0);
	*max = _mm_extract_epi16(_mm_minpos_epu16(_mm_xor_si128(high, ones)), 0) ^ 0xffff;
}

INLINE void group_measure(
	struct group *g, const struct batch *batch, unsigned first, unsigned lanes)
{
	unsigned len_max;

	g->len = batch->len + first;
	g->aad_blocks = batch->aad_blocks + first;
	g->short_tag = batch->short_tag;
	if (batch->alike) {
		g->aad_min = g->aad_max = batch->aad_blocks[0];
		g->len_min = len_max = batch->len[0];
	} else {
		lanes = lanes < 8 ? 8 : lanes;
		values_range(g->aad_blocks, lanes, &g->aad_min, &g->aad_max);
		values_range(g->len, lanes, &g->len_min, &len_max);
	}
	g->data_min = (g->len_min + BLOCK - 1) / BLOCK;
	g->data_max = (len_max + BLOCK - 1) / BLOCK;
}

// Writes the results; `differ` has the places of the tags that are not right. Returns how many are.
INLINE unsigned batch_results(
	const struct batch *batch, struct aead_op *ops, unsigned n, uint64_t differ)
{
	unsigned failed = 0;

	for (unsigned i = 0; i < n; i++)
		ops[i].result = AEAD_OK;
	if (n < 64)
		differ &= (UINT64_C(1) << n) - 1; // without repetitions
	for (; differ; differ &= differ - 1) {
		unsigned place = __builtin_ctzll(differ);
		struct aead_op *op = &ops[batch->op == ops ? place : batch->order[place]];

		memset(op->out, 0, op->len);
		op->result = AEAD_FAILED;
		failed++;
	}
	return n - failed;
}

// Bytes of stack in which the group functions may have spilled registers, more than the largest
// frame of theirs. tests/aead/residue.c looks for what is left.
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

_Static_assert(AEAD_SECRETS_ROOM % sizeof(struct lanes) == 0, "wiped in whole lanes");

// In the widest registers: memset() takes twice as long, and what comes next waits for its end.
static void secrets_wipe(uint8_t *secrets, size_t len)
{
	for (size_t i = 0; i < len; i += sizeof(struct lanes)) {
		struct lanes *kept = (struct lanes *)(secrets + i);

		*kept = (struct lanes){0};
		__asm__ volatile("" : : "r"(kept) : "memory"); // the stores are not dead
	}
}

INLINE unsigned batch_run(struct aead_engine *engine, enum aead_alg alg, struct aead_op *ops,
	unsigned n, const bool sealing)
{
	struct secrets *s = (struct secrets *)engine->secrets;
	uint64_t differ = 0;
	struct batch batch;

	batch.op = ops;
	batch.short_tag = aead_algs[alg].tag_len == 8;
	batch.alike = batch_alike(&batch, ops, n);
	if (!batch.alike && !batch_measure(&batch, ops, n))
		batch_sort(&batch, ops, n);
	if (engine->secrets_len < sizeof(*s))
		engine->secrets_len = sizeof(*s);
	for (unsigned first = 0; first < n; first += GROUP_MAX) {
		const unsigned lanes = n - first > LANES ? GROUP_MAX : LANES;
		struct group g = {.op = batch.op + first};

		if (n - first < lanes) {
			group_fill(&batch, first, n, first + lanes);
			g.op = batch.copy + first;
		}
		group_measure(&g, &batch, first, lanes);
		differ |= group_run(s, &g, lanes, sealing) << first;
	}
	spills_wipe();
	registers_wipe();
	return batch_results(&batch, ops, n, differ);
}

static unsigned ccm_open(
	struct aead_engine *engine, enum aead_alg alg, struct aead_op *ops, unsigned n)
{
#ifdef LANES_FEW
	if (n <= LANES_FEW)
		return LANES_FEW_BY.open(engine, alg, ops, n);
#endif
	return batch_run(engine, alg, ops, n, false);
}

static unsigned ccm_seal(
	struct aead_engine *engine, enum aead_alg alg, struct aead_op *ops, unsigned n)
{
#ifdef LANES_FEW
	if (n <= LANES_FEW)
		return LANES_FEW_BY.seal(engine, alg, ops, n);
#endif
	return batch_run(engine, alg, ops, n, true);
}
