// SPDX-License-Identifier: BSD-3-Clause

#include "dataplane/worker/in_place.h"

#include "dataplane/worker/answer.h"
#include "dataplane/worker/send.h"

#include <assert.h>

static uint8_t *coap_of(const struct pkt_vec *vec, unsigned slot)
{
	return rte_pktmbuf_mtod_offset(vec->mbuf[slot], uint8_t *, vec->net[slot].coap_off);
}

static uint64_t endpoint_of(const struct dp_worker *w, const struct pkt_vec *vec, unsigned slot)
{
	const struct dp_frame_info *net = &vec->net[slot];
	const struct rte_mbuf *m = vec->mbuf[slot];
	struct dp_flow flow;

	if (likely(net->family == 4)) {
		const uint8_t *ip = rte_pktmbuf_mtod_offset(m, const uint8_t *, net->l2_len);

		return dp_answer_endpoint4(
			w->answers, keyed_hash_read8(ip + 12), keyed_hash_read4(ip + 20), m->port);
	}
	pkt_flow(vec, slot, &flow);
	return dp_answer_endpoint(w->answers, &flow);
}

// Notes by what the request and its answer will be recognised, and fetches where that is written.
static void note_make(struct dp_worker *w, const struct pkt_vec *vec, unsigned slot,
	unsigned tag_len, const uint8_t *plaintext, uint16_t len, struct dp_answer_note *note)
{
	const struct coap_msg *msg = &vec->msg[slot];
	const struct dp_answer_key key = {
		.name = dp_answer_name(w->answers, vec->context[slot], vec->generation[slot],
			vec->option[slot].piv),
		.endpoint = endpoint_of(w, vec, slot),
		.token = msg->token,
		.tag = pkt_tag(vec, slot, tag_len),
		.token_len = msg->token_len,
		.mid = msg->mid,
		.tag_len = tag_len,
	};
	// A duplicate NON gets silence.
	uint64_t digest = msg->type == COAP_CON && plaintext
		? dp_answer_digest(w->answers, plaintext, len)
		: 0;

	dp_answer_index_prefetch(w->answers, key.name);
	dp_answer_note_make(w->answers, &key, digest, note);
}

// Notes the request, writes what stands in front of the plaintext, and returns where that goes.
// From here on the packet is no request any more.
static inline uint8_t *begin(struct dp_worker *w, struct pkt_vec *vec, unsigned slot,
	unsigned tag_len, const uint8_t *plaintext, uint16_t len, bool kept)
{
	struct answer_batch *batch = &w->batch;
	const struct coap_msg *msg = &vec->msg[slot];
	uint8_t *coap = coap_of(vec, slot);

	note_make(w, vec, slot, tag_len, plaintext, len, &batch->note[batch->n]);
	batch->kept[batch->n] = kept;
	// Piggybacked; else dp_in_place_prepare() gives it a message id.
	return coap +
		dp_answer_head(coap, msg->type == COAP_CON ? COAP_ACK : COAP_NON, msg->mid,
			msg->token_len);
}

// Adds the answer whose plaintext is in its place now.
static inline void end(struct dp_worker *w, struct pkt_vec *vec, unsigned slot, unsigned tag_len,
	uint8_t *text, uint16_t len)
{
	struct answer_batch *batch = &w->batch;
	const struct dp_context *ctx = &w->contexts->context[vec->context[slot]];
	unsigned i = batch->n++;

	assert(batch->n <= DP_ANSWERS_BATCH);
	batch->slot[i] = slot;
	batch->head_len[i] = text - coap_of(vec, slot) + len + tag_len;
	osc_op_again(&batch->op[i], &vec->op[vec->op_of[slot]],
		dp_context_sender_key(w->contexts, ctx), text, text, len);
}

static inline unsigned tag_len_of(
	const struct dp_worker *w, const struct pkt_vec *vec, unsigned slot)
{
	return aead_algs[w->contexts->context[vec->context[slot]].alg].tag_len;
}

void dp_in_place_add(struct dp_worker *w, struct pkt_vec *vec, unsigned slot,
	const uint8_t *plaintext, uint16_t len)
{
	unsigned tag_len = tag_len_of(w, vec, slot);

	assert(len <= vec->plaintext_len[slot]);
	uint8_t *text = begin(w, vec, slot, tag_len, plaintext, len, false);

	if (likely(len == 1)) // a code alone
		*text = *plaintext;
	else
		memmove(text, plaintext, len);
	end(w, vec, slot, tag_len, text, len);
}

bool dp_in_place_fits(
	const struct dp_worker *w, const struct pkt_vec *vec, unsigned slot, uint32_t len)
{
	const struct rte_mbuf *m = vec->mbuf[slot];
	// The head of an answer is at most that of dp_answer_head() with a token of 8 bytes.
	unsigned around = vec->net[slot].coap_off + 4 + 8 + 2 + tag_len_of(w, vec, slot) + 4;

	return around + (uint64_t)len <= m->buf_len - (unsigned)m->data_off;
}

uint8_t *dp_in_place_keep_begin(struct dp_worker *w, struct pkt_vec *vec, unsigned slot)
{
	return begin(
		w, vec, slot, tag_len_of(w, vec, slot), NULL, 0, vec->msg[slot].type == COAP_CON);
}

void dp_in_place_keep_end(
	struct dp_worker *w, struct pkt_vec *vec, unsigned slot, uint8_t *text, uint16_t len)
{
	end(w, vec, slot, tag_len_of(w, vec, slot), text, len);
}

void dp_in_place_prepare(struct dp_worker *w, unsigned i)
{
	struct pkt_vec *vec = &w->vec;
	unsigned slot = w->batch.slot[i];
	uint8_t *coap = coap_of(vec, slot);
	struct dp_flow flow;

	if (likely(vec->msg[slot].type == COAP_CON))
		return;
	pkt_flow(vec, slot, &flow);
	uint16_t mid = dp_mid_non(w->mids, &flow); // RFC 7252 section 5.2.3

	coap[2] = mid >> 8;
	coap[3] = mid & 0xff;
}

void dp_in_place_buffers(struct dp_worker *w, const uint8_t *ready, unsigned n)
{
	struct answer_batch *batch = &w->batch;
	struct rte_mbuf *found[DP_ANSWERS_BATCH];
	uint8_t want[DP_ANSWERS_BATCH];
	unsigned count = 0;

	for (unsigned r = 0; r < n; r++)
		if (batch->slot[ready[r]] != DP_SLOT_NONE)
			want[count++] = ready[r];
	if (!count)
		return;
	if (unlikely(rte_pktmbuf_alloc_bulk(w->pool, found, count)))
		for (unsigned k = 0; k < count; k++)
			found[k] = rte_pktmbuf_alloc(w->pool);
	for (unsigned k = 0; k < count; k++)
		batch->mbuf[want[k]] = found[k];
}

// The frame of an answer in another worker's buffer goes out in one of this worker's: the driver
// would give that one back to this lcore's cache of the other's pool. burst_end_handed() returns
// it.
static void send_copy(struct dp_worker *w, unsigned i)
{
	unsigned slot = w->batch.slot[i];
	const struct rte_mbuf *request = w->vec.mbuf[slot];
	const struct dp_frame_info *net = &w->vec.net[slot];
	struct rte_mbuf *m = w->batch.mbuf[i];
	uint16_t coap_len = w->batch.head_len[i];

	if (unlikely(!m)) {
		// A copy of the request is answered by sealing the same again.
		dp_count(w, DP_STAT_answers_no_mbuf);
		return;
	}
	assert(net->coap_off + coap_len + 4 <= rte_pktmbuf_tailroom(m));
	dp_frame_return_copy(m, request, net, coap_len);
	dp_tx(w, request->port, m);
	dp_count(w, DP_STAT_answers);
}

void dp_in_place_send(struct dp_worker *w, unsigned i)
{
	struct pkt_vec *vec = &w->vec;
	unsigned slot = w->batch.slot[i];
	uint16_t coap_len = w->batch.head_len[i];
	uint8_t *end = coap_of(vec, slot) + coap_len;
	const uint8_t *plaintext = vec->msg[slot].body.payload;
	const uint8_t *plaintext_end = plaintext + vec->plaintext_len[slot];
	struct rte_mbuf *m = vec->mbuf[slot];

	uint32_t *share_at = &w->contexts->context[vec->context[slot]].share_at;

	if (unlikely(w->batch.kept[i]))
		dp_answer_index_keep(w->answers, &w->batch.note[i], w->now_ms, share_at,
			coap_of(vec, slot), coap_len);
	else
		dp_answer_index_note(w->answers, &w->batch.note[i], w->now_ms, share_at);
	// What is left of the request's plaintext must not stay behind in the pool.
	if (plaintext_end > end)
		memset(end, 0, plaintext_end - end);
	vec->opened[slot] = false;
	if (vec->from != w->id) {
		send_copy(w, i);
		return;
	}
	dp_frame_return(m, &vec->net[slot], coap_len);
	vec->mbuf[slot] = NULL;
	dp_tx(w, m->port, m);
	dp_count(w, DP_STAT_answers);
}
