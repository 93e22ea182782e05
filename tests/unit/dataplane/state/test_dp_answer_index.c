// SPDX-License-Identifier: BSD-3-Clause
// The answer index against a model that remembers everything: what it says is true, it forgets the
// oldest first, and never takes one request for another.

#include "crypto/aead.h"
#include "dataplane/shared/bucket.h"
#include "dataplane/state/answer_index.h"

#include <rte_common.h>

#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#define RING      (64 * 1024)
#define MODEL     4096 // records remembered; more than the ring ever holds
#define RECORD    32   // bytes of ring that any record takes, and a multiple of that
#define TOKEN_MAX 600
#define LEN_MAX   1472
#define STEPS     1000000
#define CONTEXTS  8
#define PIVS      512

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
	uint16_t len; // of its bytes; 0: there is a digest, or silence
	uint8_t tag_len;
	uint8_t sent;
	bool silent;
	uint64_t first_ms;
	uint64_t digest; // if len is 0
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

static void name_make(const struct dp_answer_index *answers, struct dp_answer_key *key)
{
	key->name = dp_answer_name(answers, key->context, key->generation, key->piv);
}

static void ask(
	const struct dp_answer_index *answers, struct question *q, const struct model_record *r)
{
	fill(q->tag, r->tag_len, r->seed, 1);
	fill(q->token, r->token_len, r->seed, 2);
	q->key = (struct dp_answer_key){
		.piv = r->piv,
		.context = r->context,
		.generation = r->generation,
		.endpoint = dp_answer_endpoint(answers, &r->flow),
		.token = q->token,
		.tag = q->tag,
		.token_len = r->token_len,
		.mid = r->mid,
		.tag_len = r->tag_len,
	};
	name_make(answers, &q->key);
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
	if (r->flow.family == 6)
		r->flow.remote_addr[15] = rnd() % 2;
	if (rnd() % 2)
		return;
	r->len = 0;
	r->digest = rnd() % 4 ? rnd() + 1 : 0;
}

// Changes one thing by which a request is recognised.
static void spoil(const struct dp_answer_index *answers, struct question *q, struct model_record *r)
{
	switch (rnd() % 10) {
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
		r->flow.remote_addr[rnd() % (r->flow.family == 4 ? 4 : 16)] ^= 0x80;
		break;
	case 5:
		r->flow.local_port ^= 0x80;
		break;
	case 8:
		r->flow.port_id ^= 0x80;
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
	q->key.endpoint = dp_answer_endpoint(answers, &r->flow);
	name_make(answers, &q->key);
}

// Of a device that has all of its share.
static void put_within(struct dp_answer_index *answers, const struct dp_answer_key *key,
	uint64_t now_ms, const uint8_t *coap, uint16_t len)
{
	uint32_t share_at = dp_bucket_now(now_ms);

	dp_answer_index_put(answers, key, now_ms, &share_at, coap, len);
}

static void note_within(struct dp_answer_index *answers, const struct dp_answer_key *key,
	uint64_t now_ms, uint64_t digest)
{
	uint32_t share_at = dp_bucket_now(now_ms);

	struct dp_answer_note note;

	dp_answer_note_make(answers, key, digest, &note);
	dp_answer_index_note(answers, &note, now_ms, &share_at);
}

static size_t size_of(const struct model_record *r)
{
	return RECORD + (r->len + RECORD - 1) / RECORD * RECORD;
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
	r->first_ms = r->last_ms = run.now_ms;
	fill(coap, r->len, r->seed, 3);
	ask(run.answers, &q, r);
	if (r->len)
		put_within(run.answers, &q.key, run.now_ms, coap, r->len);
	else
		note_within(run.answers, &q.key, run.now_ms, r->digest);
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
	struct model_record *r, enum dp_answer_verdict verdict, const struct dp_answer_found *found)
{
	bool resend = (r->len || r->digest) && r->sent < DP_ANSWER_RESENDS_MAX &&
		run.now_ms - r->last_ms >= DP_ANSWER_RESEND_MS &&
		run.now_ms - r->first_ms <= DP_ANSWER_KEPT_MS;
	uint8_t expected[LEN_MAX];

	cr_assert_eq(verdict,
		!resend          ? DP_ANSWER_SILENT
			: r->len ? DP_ANSWER_RESEND
				 : DP_ANSWER_AGAIN,
		"seed %lu step %u", run.seed, run.step);
	if (!resend)
		return;
	r->sent++;
	r->last_ms = run.now_ms;
	if (!r->len) {
		cr_assert_eq(found->digest, r->digest, "seed %lu step %u: another digest", run.seed,
			run.step);
		return;
	}
	fill(expected, r->len, r->seed, 3);
	cr_assert_eq(found->len, r->len);
	cr_assert_arr_eq(found->bytes, expected, r->len, "seed %lu step %u: other bytes", run.seed,
		run.step);
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
	struct dp_answer_found found;
	struct question q;

	ask(run.answers, &q, &asked);
	if (spoiled)
		spoil(run.answers, &q, &asked);
	enum dp_answer_verdict verdict =
		dp_answer_index_find(run.answers, &q.key, run.now_ms, &found);

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
	check_found(r, verdict, &found);
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
	struct dp_answer_found found;
	struct question q;
	unsigned held = 0;

	for (unsigned i = 0; i < 1000; i++) {
		r.piv = i;
		ask(answers, &q, &r);
		put_within(answers, &q.key, 10 * i, coap, sizeof(coap));
	}
	for (unsigned i = 1000; i-- > 0;) {
		r.piv = i;
		ask(answers, &q, &r);
		bool there =
			dp_answer_index_find(answers, &q.key, 100000, &found) != DP_ANSWER_NONE;

		if (there)
			cr_assert_eq(held, 999 - i, "a hole at %u", i);
		held += there;
	}
	cr_expect_geq(held, RING / size_of(&r) - 2);
	cr_expect_eq(dp_answer_index_oldest_ms(answers, 10000), 10000 - 10 * (1000 - held));
	dp_answer_index_free(answers);
}

// A record has 32 bits of its time; a ring that does not turn holds it for longer.
Test(dp_answer_index, the_oldest_is_older_than_its_time_goes_round)
{
	const uint64_t day = 24 * 3600 * 1000, start = 100 * day;
	struct dp_answer_index *answers = dp_answer_index_create(RING);
	struct model_record r = {.tag_len = 8, .len = 1000};
	static uint8_t coap[1000];
	struct question q;

	for (unsigned i = 0; i < 400; i++) {
		uint64_t held = RTE_MIN(i, RING / size_of(&r) - 1) * day;

		r.piv = i;
		ask(answers, &q, &r);
		put_within(answers, &q.key, start + i * day, coap, sizeof(coap));
		uint64_t oldest = dp_answer_index_oldest_ms(answers, start + i * day);

		cr_assert_geq(oldest, held - RTE_MIN(held, day), "after %u days", i);
		cr_assert_leq(oldest, held + 2 * day, "after %u days", i);
	}
	cr_expect_gt(dp_answer_index_oldest_ms(answers, start + 399 * day), UINT32_MAX);
	dp_answer_index_free(answers);
}

#define NOTES     (RING / RECORD)
#define LONG      (30 * RECORD + 1) // bytes of an answer whose record ends one byte into its last 32
#define LONG_EACH (RING / (32 * RECORD))

// A bucket has so many bits of an offset that four turns of the ring look alike. After as many, the
// place of a note is the end of a record of one byte more, with any byte: it is the note no more.
Test(dp_answer_index, a_record_leaves_nothing_of_those_before_it)
{
	struct dp_answer_index *answers = dp_answer_index_create(RING);
	struct model_record r = {.tag_len = 8};
	static uint8_t coap[LONG];
	struct dp_answer_found found;
	struct question q;

	for (unsigned byte = 0; byte < 64; byte++) {
		uint64_t first = r.piv;

		for (; r.piv < first + NOTES; r.piv++) {
			r.mid = r.piv; // so that their hashes begin with all bytes
			ask(answers, &q, &r);
			note_within(answers, &q.key, 1000, 1);
		}
		coap[LONG - 1] = byte;
		for (unsigned i = 0; i < 4 * LONG_EACH; i++, r.piv++) {
			ask(answers, &q, &r);
			put_within(answers, &q.key, 1000, coap, LONG);
		}
		struct model_record old = r;

		for (old.piv = first; old.piv < first + NOTES; old.piv++) {
			old.mid = old.piv;
			ask(answers, &q, &old);
			cr_assert_eq(dp_answer_index_find(answers, &q.key, 2000, &found),
				DP_ANSWER_NONE, "byte %u: note %lu", byte, old.piv - first);
		}
	}
	dp_answer_index_free(answers);
}

Test(dp_answer_index, a_ring_is_as_large_as_its_offsets_can_say)
{
	cr_expect_null(dp_answer_index_create(DP_ANSWERS_BYTES_MAX + 1));
	cr_expect_eq(errno, EINVAL);
}

Test(dp_answer_index, an_answer_longer_than_the_ring_is_not_kept)
{
	struct dp_answer_index *answers = dp_answer_index_create(1);
	static uint8_t big[UINT16_MAX];
	static const uint8_t tag[8];
	struct dp_answer_key key = {
		.token = big, .tag = tag, .tag_len = 8, .token_len = UINT16_MAX};
	struct dp_answer_found found;

	cr_expect_eq(dp_answer_index_oldest_ms(answers, 5), 0, "nothing is held");
	put_within(answers, &key, 1, big, sizeof(big));
	cr_expect_eq(dp_answer_index_find(answers, &key, 1000, &found), DP_ANSWER_NONE);
	put_within(answers, &key, 1, big, DP_ANSWER_SHARE_MIN - RECORD);
	cr_expect_eq(dp_answer_index_find(answers, &key, 1000, &found), DP_ANSWER_RESEND);
	cr_expect_eq(found.len, DP_ANSWER_SHARE_MIN - RECORD);
	dp_answer_index_free(answers);
}

// What a ring holds by its size is found, up to the end.
Test(dp_answer_index, all_that_the_ring_holds_is_found)
{
	static const struct {
		uint16_t len; // of the bytes; 0: a digest
	} cases[] = {{0}, {40}};
	static const double ages[] = {0.01, 0.5, 0.9, 0.95, 0.989};
	const size_t bytes = 4 << 20;
	static uint8_t coap[40];

	for (unsigned c = 0; c < RTE_DIM(cases); c++) {
		struct dp_answer_index *answers = dp_answer_index_create(bytes);
		struct model_record r = {.tag_len = 8, .len = cases[c].len};
		uint64_t holds = bytes / size_of(&r), all = 3 * holds;
		struct dp_answer_found found;
		struct question q;

		for (r.piv = 0; r.piv < all; r.piv++) {
			r.context = r.piv % 1000;
			ask(answers, &q, &r);
			if (r.len)
				put_within(answers, &q.key, 1000, coap, r.len);
			else
				note_within(answers, &q.key, 1000, 1);
		}
		for (unsigned i = 0; i < RTE_DIM(ages); i++) {
			uint64_t some = holds / 100, there = 0;

			for (uint64_t k = 0; k < some; k++) {
				r.piv = all - 1 - (uint64_t)(ages[i] * holds) - k;
				r.context = r.piv % 1000;
				ask(answers, &q, &r);
				there += dp_answer_index_find(answers, &q.key, 2000, &found) >=
					DP_ANSWER_RESEND;
			}
			printf("# %u bytes, at %.2f of the ring: %lu of %lu\n", cases[c].len,
				ages[i], there, some);
			cr_expect_geq(there, 0.999 * some);
		}
		dp_answer_index_free(answers);
	}
}

#define HONEST 10
#define EACH   20 // answers of each
#define SMALL  24 // bytes of one
#define FLOOD  100000

static bool known(struct dp_answer_index *answers, uint32_t context, uint64_t piv, uint64_t now_ms,
	uint16_t want_len)
{
	struct model_record r = {.tag_len = 8, .context = context, .piv = piv};
	struct dp_answer_found found;
	struct question q;

	ask(answers, &q, &r);
	return dp_answer_index_find(answers, &q.key, now_ms, &found) == DP_ANSWER_RESEND &&
		found.len == want_len;
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
			ask(answers, &q, &r);
			dp_answer_index_put(
				answers, &q.key, now_ms, &share_at[r.context], coap, SMALL);
		}
		r.context = HONEST;
		for (unsigned i = 0; i < FLOOD; i++) {
			r.piv = (uint64_t)round * FLOOD + i;
			ask(answers, &q, &r);
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
		cr_expect_geq(of_flood, RING / DP_ANSWER_BEYOND / (2 * RECORD) - 8);
		cr_expect_leq(
			of_flood, (RING / DP_ANSWER_BEYOND + DP_ANSWER_SHARE_MIN) / (2 * RECORD));
		now_ms += 247000; // all have their shares again
	}
	dp_answer_index_free(answers);
}
