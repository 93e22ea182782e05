// SPDX-License-Identifier: BSD-3-Clause
// What becomes of a packet at its owner does not depend on where it arrived.

#include "tests/unit/dataplane/worker/bed_inside.h"

#include <criterion/criterion.h>

static struct bed bed;
static struct bed_device device;
static struct bed_request request;
static struct bed_answer answer;

static void no_event(void *arg, const struct dp_event *event)
{
}

static void device_remove(void)
{
	struct dp_context_key key;

	bed_device_key(&device, &key);
	cr_assert_eq(dp_device_remove(bed.dp, &key), 0);
	bed_turn(&bed);
	dp_poll(bed.dp, no_event, NULL);
}

// A request of its own makes worker 0 the owner.
static void claim(void)
{
	bed.queue = 0;
	bed_seal_path(&device, &request, COAP_CON, 0, 0, COAP_POST, "echo", "x");
	bed_send_request(&bed, &request);
	bed_turn(&bed);
	cr_assert(bed_receive(&bed, &answer));
}

static uint32_t chance(uint32_t below)
{
	static uint64_t state = 1;

	state = state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
	return (state >> 33) % below;
}

// The same ciphertext in another message: with a token of any length, and options around the OSCORE
// option, some of which are refused.
static void dress_otherwise(struct bed_request *r)
{
	static const uint16_t around[] = {COAP_OPT_URI_HOST, COAP_OPT_HOP_LIMIT,
		COAP_OPT_PROXY_SCHEME, COAP_OPT_SIZE1, 65000};
	const struct bed_request plain = *r;
	uint8_t token[300];
	uint8_t value[20];
	struct coap_writer writer;
	struct coap_msg msg;

	cr_assert_eq(coap_msg_parse(&msg, plain.coap, plain.len), COAP_OK);
	memset(token, chance(256), sizeof(token));
	memset(value, chance(4), sizeof(value));
	coap_writer_init(&writer, r->coap, sizeof(r->coap));
	coap_write_header(&writer, msg.type, msg.code, msg.mid, token,
		chance(4) ? chance(9) : chance(sizeof(token)));
	if (chance(4) == 0)
		coap_write_option(&writer, around[0], value, 1 + chance(sizeof(value) - 1));
	coap_write_option(&writer, COAP_OPT_OSCORE, msg.body.oscore, msg.body.oscore_len);
	for (unsigned i = 1; i < RTE_DIM(around); i++)
		if (chance(6) == 0)
			coap_write_option(&writer, around[i], value,
				around[i] == COAP_OPT_HOP_LIMIT ? 1 : chance(sizeof(value)));
	coap_write_payload(&writer, msg.body.payload, msg.body.payload_len);
	r->len = coap_writer_len(&writer);
	cr_assert(r->len);
}

// How a request arrives: here or elsewhere, and where the worker takes its fast paths or not.
struct way {
	bool away, fast;
};

// What became of it.
struct end {
	uint64_t count[DP_STAT_answers_separate + 1];
	bool answered;
	struct bed_answer answer;
};

static void backend_answers(void)
{
	static const uint8_t content[] = {COAP_CONTENT, 0xff, 'c', 'o', 'l', 'd'};
	dp_handle handle;

	if (!bed_upstream_take(&bed, &handle))
		return;
	bed_upstream_answer(&bed, handle, content, sizeof(content));
	bed_turn(&bed);
}

// The keys are those of before each time, so that even the bytes of the answers are the same.
static void arrive(const struct bed_request *sealed, struct way way, struct end *end)
{
	bed_fast_paths(&bed, way.fast);
	claim();
	for (unsigned i = 0; i < RTE_DIM(end->count); i++)
		end->count[i] = bed_count(&bed, i);
	bed.queue = way.away;
	bed_send_request(&bed, sealed);
	bed_turn(&bed);
	backend_answers();
	for (unsigned i = 0; i < RTE_DIM(end->count); i++)
		end->count[i] = bed_count(&bed, i) - end->count[i];
	cr_assert_eq(end->count[DP_STAT_handed_over], way.away);
	end->count[DP_STAT_handed_over] = 0;
	end->answered = bed_receive(&bed, &end->answer);
	// The driver would put any other buffer into the cache of the wrong lcore.
	if (end->answered && end->answer.protected)
		cr_assert_eq(end->answer.mbuf->pool, bed_worker_pool(&bed, 0));
	device_remove();
	bed_device_add(&bed, &device, true);
}

static void expect_same_end(const struct end *want, struct end *got, unsigned n, struct way way)
{
	cr_assert_arr_eq(want->count, got->count, sizeof(want->count), "request %u, %d, %d", n,
		way.away, way.fast);
	cr_assert_eq(want->answered, got->answered);
	if (!want->answered)
		return;
	cr_assert_eq(want->answer.len, got->answer.len);
	if (want->answer.msg.type == COAP_NON) // it has a message id of its own
		memcpy(got->answer.coap + 2, want->answer.coap + 2, 2);
	cr_assert(!memcmp(want->answer.coap, got->answer.coap, want->answer.len),
		"request %u, %d, %d", n, way.away, way.fast);
}

Test(dp_handed, a_packet_that_is_handed_over_ends_as_one_that_is_not)
{
	static const char *const paths[] = {
		"echo", "discard", "discard", "nowhere", "get", "..", "up/x"};
	static const uint16_t headrooms[] = {0, 0, 0, 8, 63, 64, 66, 200};
	static const struct way ways[] = {
		{false, false}, {true, false}, {false, true}, {true, true}};

	bed_make_workers(&bed, 2, false);
	bed_stop_clock(&bed);
	for (unsigned n = 0; n < 400; n++) {
		enum aead_alg alg = n / 100 == 3 ? chance(AEAD_ALG_COUNT) : AEAD_AES_CCM_16_64_128;
		struct bed_request sealed;
		struct end end[RTE_DIM(ways)];

		bed_device_make(&device, 0x0a, alg);
		bed_device_add(&bed, &device, true);
		bed_seal_path(&device, &sealed, chance(2) ? COAP_CON : COAP_NON, n,
			1 + chance(50000), COAP_POST, paths[chance(RTE_DIM(paths))],
			chance(3) ? "a payload" : NULL);
		if (chance(2))
			dress_otherwise(&sealed);
		for (unsigned i = 0; i < RTE_DIM(ways); i++) {
			bed.headroom = headrooms[chance(RTE_DIM(headrooms))];
			arrive(&sealed, ways[i], &end[i]);
			if (i)
				expect_same_end(&end[0], &end[i], n, ways[i]);
		}
		device_remove();
	}
	bed_free(&bed);
}

static unsigned handed_post(uint64_t piv, const char *path, const char *payload)
{
	bed.queue = 1;
	bed_seal_path(&device, &request, COAP_CON, piv, piv, COAP_POST, path, payload);
	bed_send_request(&bed, &request);
	bed_turn(&bed);
	return bed_count(&bed, DP_STAT_handed_over);
}

// The record of an answer does not need a buffer, so the device gets it when it asks again.
Test(dp_handed, an_answer_without_a_buffer_is_that_of_the_next_copy)
{
	static const char *const paths[] = {"discard", "echo"};
	struct rte_mbuf *all[8192];

	bed_make_workers(&bed, 2, false);
	bed_device_make(&device, 0x0a, AEAD_AES_CCM_16_64_128);
	bed_device_add(&bed, &device, true);
	claim();
	for (unsigned i = 0; i < RTE_DIM(paths); i++) {
		unsigned n = bed_mbufs_take(&bed, all, RTE_DIM(all));

		handed_post(1 + i, paths[i], "a payload");
		cr_expect_not(bed_receive(&bed, &answer));
		cr_expect_eq(bed_count(&bed, DP_STAT_answers_no_mbuf), 1 + i);
		cr_expect_eq(bed_count(&bed, DP_STAT_answers), 1);
		rte_pktmbuf_free_bulk(all, n);
		bed_later(&bed, DP_ANSWER_RESEND_MS);
		bed_send_request(&bed, &request);
		bed_turn(&bed);
		cr_assert(bed_receive(&bed, &answer));
		cr_expect(bed_open(&device, &request, &answer));
		cr_expect_eq(answer.plaintext[0], COAP_CHANGED);
		cr_expect_eq(bed_count(&bed, DP_STAT_rx_duplicates_answered), 1 + i);
	}
	bed_free(&bed);
}

// Each of a burst is answered for itself, whether in its own buffer or elsewhere.
Test(dp_handed, all_of_a_burst_are_answered)
{
	enum { N = 48 };
	static const char *const paths[] = {"echo", "discard", "echo", "nowhere"};
	static struct bed_request requests[N];
	struct bed_device devices[2];
	char payload[16];

	bed_make_workers(&bed, 2, false);
	for (unsigned i = 0; i < RTE_DIM(devices); i++) {
		bed_device_make(&devices[i], 0x0a + i, AEAD_AES_CCM_16_64_128);
		bed_device_add(&bed, &devices[i], true);
		device = devices[i];
		claim();
	}
	bed.queue = 1;
	for (unsigned i = 0; i < N; i++) {
		snprintf(payload, sizeof(payload), "reading %u", i);
		bed_seal_path(&devices[i & 1], &requests[i], i % 5 ? COAP_CON : COAP_NON, i, 1 + i,
			COAP_POST, paths[i % RTE_DIM(paths)], payload);
		bed_send_request(&bed, &requests[i]);
	}
	bed_turn(&bed);
	cr_expect_eq(bed_count(&bed, DP_STAT_handed_over), N);
	for (unsigned i = 0; i < N; i++) {
		cr_assert(bed_receive(&bed, &answer));
		cr_assert(bed_open(&devices[i & 1], &requests[i], &answer), "answer %u", i);
		snprintf(payload, sizeof(payload), "reading %u", i);
		if (!strcmp(paths[i % RTE_DIM(paths)], "echo"))
			cr_expect(!memcmp(answer.plaintext + 2, payload, strlen(payload)));
	}
	bed_free(&bed);
}

#define MARKER "what a device said in confidence"

static void expect_no_marker(struct rte_mempool *pool, void *arg, void *obj, unsigned index)
{
	const struct rte_mbuf *m = obj;

	cr_expect_null(memmem(m->buf_addr, m->buf_len, MARKER, strlen(MARKER)), "buffer %u of %s",
		index, pool->name);
}

Test(dp_handed, no_plaintext_stays_behind)
{
	static const char *const paths[] = {"discard", "echo", "nowhere"};

	bed_make_workers(&bed, 2, false);
	bed_device_make(&device, 0x0a, AEAD_AES_CCM_16_64_128);
	bed_device_add(&bed, &device, true);
	claim();
	for (unsigned i = 0; i < RTE_DIM(paths); i++) {
		cr_assert_eq(handed_post(1 + i, paths[i], MARKER), 1 + i);
		cr_assert(bed_receive(&bed, &answer));
	}
	for (unsigned i = 0; i < 2; i++)
		rte_mempool_obj_iter(bed_worker_pool(&bed, i), expect_no_marker, NULL);
	bed_free(&bed);
}
