// SPDX-License-Identifier: BSD-3-Clause
// The answer index against a model that remembers everything: what it says is true, it forgets the
// oldest first, and never takes one request for another.

#include "dataplane/shared/bucket.h"
#include "dataplane/state/answer_index.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>

#define RING       (64 * 1024)
#define MODEL      4096 // records remembered; more than the ring ever holds
#define RECORD_MIN 80   // bytes of ring that any record takes at least
#define TOKEN_MAX  600
#define LEN_MAX    1472
#define STEPS      1000000
#define CONTEXTS   8
#define PIVS       512

struct model_record {
	struct dp_flow flow;
	uint64_t piv;
	uint64_t serial; // of the put, + 1; 0: empty
	uint64_t last_ms;
	uint32_t context;
	uint32_t generation;
	uint32_t seed; // of tag, token and bytes
	uint16_t token_len;
	uint16_t mid;
	uint16_t len;
	uint8_t tag_len;
	uint8_t sent;
};

static uint64_t state;

static uint64_t rnd(void)
{
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return state * UINT64_C(0x2545f4914f6cdd1d) >> 16;
}

static void seed_from_environment(void)
{
	const char *text = getenv("POSTERN_SEED");

	state = text ? strtoull(text, NULL, 0) : 88172645463325252;
}

// Bytes that belong to a record: of its tag, its token, its answer.
static void fill(uint8_t *bytes, size_t len, uint32_t seed, uint8_t what)
{
	for (size_t i = 0; i < len; i++)
		bytes[i] = (seed >> 8 * (i % 4)) + what + i / 4;
}

struct question {
	struct dp_answer_key key;
	uint8_t tag[AEAD_TAG_MAX];
	uint8_t token[TOKEN_MAX];
};

static void ask(struct question *q, const struct model_record *r)
{
	fill(q->tag, r->tag_len, r->seed, 1);
	fill(q->token, r->token_len, r->seed, 2);
	q->key = (struct dp_answer_key){
		.piv = r->piv,
		.context = r->context,
		.generation = r->generation,
		.flow = &r->flow,
		.token = q->token,
		.tag = q->tag,
		.token_len = r->token_len,
		.mid = r->mid,
		.tag_len = r->tag_len,
	};
}

static void make(struct model_record *r)
{
	*r = (struct model_record){
		.flow = {.family = rnd() % 2 ? 4 : 6,
			.remote_port = rnd() % 3,
			.remote_addr = {rnd() % 3},
			.port_id = rnd() % 2},
		.piv = rnd() % PIVS,
		.context = rnd() % CONTEXTS,
		.generation = 1 + 2 * (rnd() % 2),
		.seed = rnd(),
		.mid = rnd() % 4,
		.token_len = rnd() % 8 ? rnd() % 9 : rnd() % TOKEN_MAX,
		.len = rnd() % 4 ? rnd() % 64 : rnd() % LEN_MAX,
		.tag_len = rnd() % 2 ? 8 : 16,
	};
}

// Changes one thing by which a request is recognised.
static void spoil(struct question *q, struct model_record *r)
{
	switch (rnd() % 9) {
	case 0:
		q->key.mid ^= 1;
		break;
	case 1:
		q->key.generation += 2;
		break;
	case 2:
		q->tag[rnd() % r->tag_len] ^= 0x80;
		break;
	case 3:
		if (r->token_len)
			q->token[rnd() % r->token_len] ^= 0x80;
		else
			q->key.token_len = 1;
		break;
	case 4:
		r->flow.remote_addr[15] ^= 0x80;
		break;
	case 5:
		r->flow.local_port ^= 0x80;
		break;
	case 6:
		q->key.token_len += q->key.token_len < TOKEN_MAX ? 1 : -1;
		break;
	case 7:
		q->key.context += CONTEXTS;
		break;
	default:
		q->key.piv += PIVS;
		break;
	}
}

// Of a device that has all of its share.
static void put_within(struct dp_answer_index *answers, const struct dp_answer_key *key,
	uint64_t now_ms, const uint8_t *coap, uint16_t len)
{
	uint32_t share_at = dp_bucket_now(now_ms);

	dp_answer_index_put(answers, key, now_ms, &share_at, coap, len);
}

static size_t size_of(const struct model_record *r)
{
	return RECORD_MIN + r->token_len + r->len;
}

// The index and the model beside it.
static struct {
	struct dp_answer_index *answers;
	struct model_record model[MODEL];
	uint64_t serial; // of puts
	uint64_t now_ms;
	uint64_t seed;
	unsigned step;
	uint64_t finds, hits, young, young_missed;
} run;

static void put_one(void)
{
	struct model_record *r = &run.model[run.serial % MODEL];
	uint8_t coap[LEN_MAX];
	struct question q;

	make(r);
	r->serial = ++run.serial;
	r->last_ms = run.now_ms;
	fill(coap, r->len, r->seed, 3);
	ask(&q, r);
	put_within(run.answers, &q.key, run.now_ms, coap, r->len);
}

// How many bytes were written behind the record that was put so many puts ago, at least: what
// cannot be there any more must not be found, and what must be there is. Counting ends beyond the
// ring.
static size_t bytes_behind(uint64_t back)
{
	size_t behind = 0;

	for (uint64_t i = run.serial - back; i < run.serial && behind <= RING; i++)
		behind += size_of(&run.model[i % MODEL]);
	return behind;
}

// What was found is the record's, and is sent again where it may be.
static void check_found(
	struct model_record *r, enum dp_answer_verdict verdict, const uint8_t *bytes, uint16_t len)
{
	bool resend = r->len && r->sent < DP_ANSWER_RESENDS_MAX &&
		run.now_ms - r->last_ms >= DP_ANSWER_RESEND_MS;
	uint8_t expected[LEN_MAX];

	cr_assert_eq(verdict, resend ? DP_ANSWER_RESEND : DP_ANSWER_SILENT, "seed %lu step %u",
		run.seed, run.step);
	if (!resend)
		return;
	fill(expected, r->len, r->seed, 3);
	cr_assert_eq(len, r->len);
	cr_assert_arr_eq(bytes, expected, len, "seed %lu step %u: other bytes", run.seed, run.step);
	r->sent++;
	r->last_ms = run.now_ms;
}

static void find_one(void)
{
	// One of the youngest, or any.
	uint64_t back = 1 + rnd() % (rnd() % 2 ? 64 : MODEL / 2);

	if (back > run.serial)
		return;
	struct model_record *r = &run.model[(run.serial - back) % MODEL];
	struct model_record asked = *r;
	bool spoiled = rnd() % 4 == 0;
	const uint8_t *bytes = NULL;
	struct question q;
	uint16_t len = 0;

	ask(&q, &asked);
	if (spoiled)
		spoil(&q, &asked);
	enum dp_answer_verdict verdict =
		dp_answer_index_find(run.answers, &q.key, run.now_ms, &bytes, &len);

	if (spoiled) {
		cr_assert_eq(
			verdict, DP_ANSWER_NONE, "seed %lu step %u: foreign", run.seed, run.step);
		return;
	}
	size_t behind = bytes_behind(back);

	run.finds++;
	if (behind > RING)
		cr_assert_eq(
			verdict, DP_ANSWER_NONE, "seed %lu step %u: too old", run.seed, run.step);
	if (behind < RING / 2) {
		run.young++;
		run.young_missed += verdict == DP_ANSWER_NONE;
	}
	if (verdict == DP_ANSWER_NONE)
		return;
	run.hits++;
	check_found(r, verdict, bytes, len);
}

Test(dp_answer_index, agrees_with_a_model)
{
	run.answers = dp_answer_index_create(RING);
	run.now_ms = 1000;
	cr_assert_not_null(run.answers);
	seed_from_environment();
	run.seed = state;
	for (run.step = 0; run.step < STEPS; run.step++) {
		run.now_ms += rnd() % 100;
		if (rnd() % 3 == 0)
			put_one();
		else if (run.serial)
			find_one();
	}
	printf("# %lu finds, %lu hits, %lu of %lu young ones forgotten\n", run.finds, run.hits,
		run.young_missed, run.young);
	// The index is a cache of its own: a full bucket may forget early, but rarely.
	cr_expect_gt(run.hits, run.finds / 8, "%lu of %lu", run.hits, run.finds);
	cr_expect_leq(run.young_missed, run.young / 200, "%lu of %lu young ones forgotten",
		run.young_missed, run.young);
	dp_answer_index_free(run.answers);
}

Test(dp_answer_index, the_oldest_is_overwritten_first)
{
	struct dp_answer_index *answers = dp_answer_index_create(RING);
	struct model_record r = {.tag_len = 8, .len = 1000};
	static uint8_t coap[1000];
	struct question q;
	const uint8_t *bytes;
	unsigned held = 0;
	uint16_t len;

	for (unsigned i = 0; i < 1000; i++) {
		r.piv = i;
		ask(&q, &r);
		put_within(answers, &q.key, 10 * i, coap, sizeof(coap));
	}
	for (unsigned i = 1000; i-- > 0;) {
		r.piv = i;
		ask(&q, &r);
		bool there = dp_answer_index_find(answers, &q.key, 100000, &bytes, &len) !=
			DP_ANSWER_NONE;

		if (there)
			cr_assert_eq(held, 999 - i, "a hole at %u", i);
		held += there;
	}
	cr_expect_geq(held, RING / 1160 - 2);
	cr_expect_eq(dp_answer_index_oldest_ms(answers, 10000), 10000 - 10 * (1000 - held));
	dp_answer_index_free(answers);
}

Test(dp_answer_index, an_answer_longer_than_the_ring_is_not_kept)
{
	struct dp_answer_index *answers = dp_answer_index_create(1);
	static uint8_t big[UINT16_MAX];
	static const uint8_t tag[8];
	const struct dp_flow flow = {0};
	struct dp_answer_key key = {
		.flow = &flow, .token = big, .tag = tag, .tag_len = 8, .token_len = UINT16_MAX};
	const uint8_t *bytes;
	uint16_t len;

	cr_expect_eq(dp_answer_index_oldest_ms(answers, 5), 0, "nothing is held");
	put_within(answers, &key, 1, big, sizeof(big));
	cr_expect_eq(dp_answer_index_find(answers, &key, 1000, &bytes, &len), DP_ANSWER_NONE);
	key.token_len = 8;
	put_within(answers, &key, 1, big, 16);
	cr_expect_eq(dp_answer_index_find(answers, &key, 1000, &bytes, &len), DP_ANSWER_RESEND);
	cr_expect_eq(len, 16);
	dp_answer_index_free(answers);
}

#define HONEST 10
#define EACH   20 // answers of each
#define SMALL  24 // bytes of one
#define FLOOD  100000

static bool known(struct dp_answer_index *answers, uint32_t context, uint64_t piv, uint64_t now_ms,
	uint16_t want_len)
{
	struct model_record r = {.tag_len = 8, .context = context, .piv = piv};
	struct question q;
	const uint8_t *bytes;
	uint16_t len = 0;

	ask(&q, &r);
	return dp_answer_index_find(answers, &q.key, now_ms, &bytes, &len) == DP_ANSWER_RESEND &&
		len == want_len;
}

// A device that sends without end forgets its own answers, and no others.
Test(dp_answer_index, beyond_its_share_a_device_overwrites_only_its_like)
{
	struct dp_answer_index *answers = dp_answer_index_create(RING);
	uint32_t share_at[HONEST + 1] = {0};
	static uint8_t coap[SMALL];
	struct question q;
	unsigned of_flood = 0;
	uint64_t now_ms = 1000;

	for (unsigned round = 0; round < 3; round++) {
		struct model_record r = {.tag_len = 8};

		for (unsigned i = 0; i < HONEST * EACH; i++) {
			r.context = i % HONEST;
			r.piv = round * EACH + i / HONEST;
			ask(&q, &r);
			dp_answer_index_put(
				answers, &q.key, now_ms, &share_at[r.context], coap, SMALL);
		}
		r.context = HONEST;
		for (unsigned i = 0; i < FLOOD; i++) {
			r.piv = (uint64_t)round * FLOOD + i;
			ask(&q, &r);
			dp_answer_index_put(
				answers, &q.key, now_ms, &share_at[HONEST], coap, SMALL);
		}
		now_ms += DP_ANSWER_RESEND_MS;
		unsigned forgotten = 0;

		for (unsigned i = 0; i < HONEST * EACH; i++)
			forgotten += !known(
				answers, i % HONEST, round * EACH + i / HONEST, now_ms, SMALL);
		// More answers than a bucket of the index has ways for meet by chance now and then.
		cr_assert_leq(forgotten, 5, "round %u: %u answers are forgotten", round, forgotten);
		// The newest of the flood, as many as the second ring holds.
		of_flood = 0;
		for (unsigned i = 0; i < FLOOD; i++)
			of_flood +=
				known(answers, HONEST, (uint64_t)round * FLOOD + i, now_ms, SMALL);
		cr_expect_geq(of_flood, RING / DP_ANSWER_BEYOND / (RECORD_MIN + 8 + SMALL) - 8);
		cr_expect_leq(of_flood,
			(RING / DP_ANSWER_BEYOND + DP_ANSWER_SHARE_MIN) / (RECORD_MIN + 8 + SMALL));
		now_ms += 247000; // all have their shares again
	}
	dp_answer_index_free(answers);
}
