// SPDX-License-Identifier: BSD-3-Clause

#include "dataplane/worker/seal.h"

#include "base/bytes.h"
#include "dataplane/worker/answer.h"
#include "dataplane/worker/exchanges.h"
#include "dataplane/worker/in_place.h"
#include "dataplane/worker/look.h"
#include "dataplane/worker/own_piv.h"
#include "dataplane/worker/send.h"
#include "dataplane/worker/separate.h"

#include <sodium.h>

#define OUTER_OBSERVE_MASK 0xffffff // RFC 7641 section 2: 3 bytes

// Whether a device needs an answer to go on with a body (RFC 7967 section 2.1: block-wise
// transfer).
static bool is_of_blocks(uint8_t code)
{
	return code == COAP_CONTINUE || code == COAP_REQUEST_ENTITY_INCOMPLETE ||
		code == COAP_REQUEST_ENTITY_TOO_LARGE;
}

// Whether the device asked not to hear of answers of this class (RFC 7967 section 2).
static bool not_wanted(const struct pkt_answer *answer)
{
	return !is_of_blocks(answer->plaintext[0]) &&
		answer->no_response >> (COAP_CODE_CLASS(answer->plaintext[0]) - 1) & 1;
}

// The type and message id of an answer.
static enum coap_type message_id(
	struct dp_worker *w, const struct pkt_answer *answer, uint16_t *mid)
{
	*mid = answer->mid;
	if (unlikely(answer->notification))
		return answer->type;
	if (unlikely(answer->separate && answer->exchange != DP_INDEX_NONE)) {
		*mid = w->exchanges->worker_half[answer->exchange].own_mid;
		return COAP_CON; // RFC 7252 section 5.2.2
	}
	if (answer->type == COAP_NON || answer->separate) {
		*mid = dp_mid_non(w->mids, answer->flow);
		return COAP_NON; // section 5.2.3
	}
	return COAP_ACK; // piggybacked
}

// Everything in front of the ciphertext. Returns its length, 0 if it does not fit.
static size_t encode_head(
	struct dp_worker *w, const struct pkt_answer *answer, uint8_t *coap, size_t room)
{
	const struct dp_context *ctx = &w->contexts->context[answer->context];
	struct osc_option option = {0};
	uint8_t value[OSC_OPTION_LEN_MAX];
	struct coap_writer writer;
	uint16_t mid;
	enum coap_type type = message_id(w, answer, &mid);

	if (likely(w->fast_paths && !answer->has_own_piv && answer->token_len <= 8 &&
		    answer->token_len + 6u < room)) {
		bytes_copy(coap + 4, answer->token, answer->token_len);
		return dp_answer_head(coap, type, mid, answer->token_len);
	}
	if (answer->has_own_piv) {
		option.piv = answer->own_piv;
		option.piv_len = 1; // its presence; encoded in as few bytes as possible
		// RFC 8613 section 5 lets an answer name its sender. uoscore takes the nonce's id
		// from here, and cannot open an answer with a Partial IV and no kid.
		option.has_kid = true;
		option.kid = ctx->sender_id;
		option.kid_len = ctx->sender_id_len;
	}
	int value_len = osc_option_encode(&option, value, sizeof(value));

	if (value_len < 0)
		return 0;
	coap_writer_init(&writer, coap, room);
	// The outer code is the same for all answers (RFC 8613 section 4.2), but for notifications:
	// proxies on the way know these by it, and by a number that rises (section 4.1.3.5).
	coap_write_header(&writer, type, answer->observe ? COAP_CONTENT : COAP_CHANGED, mid,
		answer->token, answer->token_len);
	if (answer->observe)
		coap_write_option_uint(
			&writer, COAP_OPT_OBSERVE, answer->own_piv & OUTER_OBSERVE_MASK);
	coap_write_option(&writer, COAP_OPT_OSCORE, value, value_len);
	size_t len = coap_writer_len(&writer);

	if (!len || len == room)
		return 0;
	coap[len++] = COAP_PAYLOAD_MARK;
	return len;
}

static uint64_t digest(const struct dp_worker *w, const struct pkt_answer *answer)
{
	return dp_answer_digest(w->answers, answer->plaintext, answer->plaintext_len);
}

// Whether the same answer can be made again of the same request.
static bool is_deterministic(const struct pkt_answer *answer)
{
	return answer->deterministic && !answer->has_own_piv;
}

// Records what a duplicate gets: these bytes, or without them the same answer, sealed again.
static void record(
	struct dp_worker *w, const struct pkt_answer *answer, const uint8_t *coap, uint16_t len)
{
	if (!answer->recorded)
		return;
	const struct dp_answer_key key = {
		.name = answer->name,
		.piv = answer->piv,
		.endpoint = dp_answer_endpoint(w->answers, answer->flow),
		.context = answer->context,
		.generation = answer->generation,
		.token = answer->token,
		.tag = answer->tag,
		.token_len = answer->token_len,
		.mid = answer->mid,
		.tag_len = answer->tag_len,
	};
	uint32_t *share_at = &w->contexts->context[answer->context].share_at;

	if (answer->type == COAP_CON && coap) {
		dp_answer_index_put(w->answers, &key, w->now_ms, share_at, coap, len);
		return;
	}
	// A duplicate NON gets silence (its answer may be lost as the request may be).
	struct dp_answer_note note;

	dp_answer_note_make(
		w->answers, &key, answer->type == COAP_CON ? digest(w, answer) : 0, &note);
	dp_answer_index_note(w->answers, &note, w->now_ms, share_at);
}

// What is recorded of a request that got an empty ACK: a duplicate gets it again.
static void record_ack(struct dp_worker *w, const struct pkt_answer *answer)
{
	uint8_t ack[COAP_EMPTY_LEN];

	coap_empty_make(ack, COAP_ACK, answer->mid);
	record(w, answer, ack, sizeof(ack));
}

// An answer that the device does not want: a CON still gets its ACK.
static void suppress(struct dp_worker *w, const struct pkt_answer *answer)
{
	record_ack(w, answer);
	if (answer->type == COAP_CON && !answer->separate &&
		!dp_send_empty(w, answer->flow, COAP_ACK, answer->mid))
		dp_count(w, DP_STAT_answers_no_mbuf);
	dp_count(w, DP_STAT_answers_unwanted);
}

// What happens once to every answer, sent or not: its exchange is taken back, unless it waits for
// an ACK.
static void answer_done(struct dp_worker *w, const struct pkt_answer *answer)
{
	if (unlikely(answer->stored))
		sodium_memzero(
			w->stored + (answer - w->batch.answer) * w->spare_stride, w->spare_stride);
	if (answer->exchange == DP_INDEX_NONE ||
		dp_exchange_is_delivering(w->exchanges->worker_half[answer->exchange].state))
		return;
	dp_exchange_end(w, answer->exchange);
}

// Whether a backend did what was asked, so that an error would make the device do it twice.
static bool is_performed(const struct dp_worker *w, const struct pkt_answer *answer)
{
	if (answer->exchange == DP_INDEX_NONE || COAP_CODE_CLASS(answer->plaintext[0]) != 2)
		return false;
	uint8_t code = dp_exchange_shared(w->exchanges, answer->exchange)->request.code;

	return code != COAP_GET && code != COAP_FETCH;
}

// In the place of an answer that does not fit one datagram, or that the device does not take (its
// limit may have changed since it asked): an error without words, or the code alone of what was
// done, which fits behind any token that a request of at least this length came with.
static void answer_shorten(struct dp_worker *w, struct pkt_answer *answer)
{
	uint8_t class = COAP_CODE_CLASS(answer->plaintext[0]);
	uint8_t code = class == 4 || class == 5 ? answer->plaintext[0] : COAP_INTERNAL_SERVER_ERROR;

	answer->deterministic = false;
	if (is_performed(w, answer))
		answer->plaintext_len = 1;
	else
		dp_answer_error(w, answer, code, 0, NULL);
}

// Writes the head, and shortens an answer that is too large. Returns the head's length, 0 if no
// answer at all fits.
static size_t place_head(struct dp_worker *w, struct pkt_answer *answer, uint8_t *coap)
{
	const struct dp_worker_port *port = dp_port_find(w, answer->flow->port_id);
	uint16_t headers = dp_frame_overhead(answer->flow);
	// The MTU counts what is behind Ethernet and VLAN.
	size_t room = port ? port->mtu + 14u + (answer->flow->has_vlan ? 4 : 0) - headers : 0;
	size_t taken = dp_max_message(w, &w->contexts->context[answer->context]);
	size_t head = encode_head(w, answer, coap, room);

	// Only a long token of the device's own can make an error without words too large for it:
	// that is sent all the same. A challenge too, for nothing is left of it without its Echo.
	if (answer->whole)
		taken = room;
	if (head && head + answer->plaintext_len + answer->tag_len > RTE_MIN(room, taken)) {
		if (answer->again)
			return 0;
		dp_count(w, DP_STAT_answers_oversize);
		answer_shorten(w, answer);
	}
	return head + answer->plaintext_len + answer->tag_len <= room ? head : 0;
}

// Whether an answer may go out again under the nonce that it was sealed with before: it is the
// same, byte by byte.
static bool is_same_again(const struct dp_worker *w, const struct pkt_answer *answer)
{
	const struct dp_context *ctx = &w->contexts->context[answer->context];

	return is_deterministic(answer) && !(ctx->flags & DP_CONTEXT_OWN_PIV) &&
		!not_wanted(answer) && digest(w, answer) == answer->again;
}

// Describes how an answer is sealed. From here on its nonce is spent.
static void spend(struct dp_worker *w, const struct pkt_answer *answer, uint8_t aad[OSC_AAD_ROOM],
	uint8_t *out, struct aead_op *op)
{
	const struct dp_context *ctx = &w->contexts->context[answer->context];
	const uint8_t *key = dp_context_sender_key(w->contexts, ctx);

	if (answer->exchange != DP_INDEX_NONE) {
		struct dp_exchange *x = &w->exchanges->worker_half[answer->exchange];

		dp_exchange_to(x, answer->separate ? DP_EXCHANGE_SEALED_ACKED : DP_EXCHANGE_SEALED);
		if (likely(osc_opened_aad_len(&x->opened) && !answer->has_own_piv)) {
			osc_op_later(
				op, &x->opened, key, answer->plaintext, out, answer->plaintext_len);
			return;
		}
	}
	const struct osc_id_piv request = {answer->kid, answer->kid_len, answer->piv};
	const struct osc_id_piv own = {ctx->sender_id, ctx->sender_id_len, answer->own_piv};
	const struct osc_op_input input = {
		.alg = ctx->alg,
		.key = key,
		.common_iv = ctx->common_iv,
		.request = request,
		.nonce = answer->has_own_piv ? own : request,
		.in = answer->plaintext,
		.out = out,
		.len = answer->plaintext_len,
	};

	osc_op_prepare(op, aad, &input);
}

// Decides message id and nonce, allocates the packet and writes the head. false: nothing is to be
// sealed.
static bool prepare(struct dp_worker *w, unsigned i)
{
	struct answer_batch *batch = &w->batch;
	struct pkt_answer *answer = &batch->answer[i];
	struct dp_context *ctx = &w->contexts->context[answer->context];
	struct dp_exchange *x = answer->exchange == DP_INDEX_NONE
		? NULL
		: &w->exchanges->worker_half[answer->exchange];

	if (unlikely(answer->again) && !is_same_again(w, answer)) {
		dp_count(w, DP_STAT_drop_duplicate_differs);
		return false;
	}
	if (not_wanted(answer)) {
		suppress(w, answer);
		return false;
	}
	if (unlikely(answer->separate) && x && !dp_separate_mid(w, answer->exchange)) {
		dp_separate_later(w, answer);
		return false;
	}
	if (!answer->has_own_piv && (ctx->flags & DP_CONTEXT_OWN_PIV || answer->observe)) {
		enum dp_stat why_not;

		if (!dp_own_piv(w, answer->context, ctx, &answer->own_piv, &why_not)) {
			dp_count(w, DP_STAT_answers_no_piv);
			dp_separate_later(w, answer);
			return false;
		}
		answer->has_own_piv = true;
	}
	struct rte_mbuf *m = rte_pktmbuf_alloc(w->pool);
	uint8_t *coap;

	if (likely(m)) {
		coap = rte_pktmbuf_mtod_offset(m, uint8_t *, dp_frame_overhead(answer->flow));
	} else if (answer->again) {
		dp_count(w, DP_STAT_drop_no_mbuf);
		return false;
	} else {
		// Its Partial IV is spent, so no copy of the request will be served again: it is
		// sealed all the same, and a copy gets the bytes.
		dp_count(w, DP_STAT_answers_no_mbuf);
		if (!answer->recorded)
			return false;
		coap = w->spare + i * w->spare_stride;
	}
	size_t head = place_head(w, answer, coap);

	if (!head) {
		dp_count(w,
			answer->again ? DP_STAT_drop_duplicate_differs : DP_STAT_answers_no_room);
		rte_pktmbuf_free(m);
		return false;
	}
	spend(w, answer, batch->aad[i], coap + head, &batch->op[i]);
	batch->mbuf[i] = m;
	batch->coap[i] = coap;
	batch->head_len[i] = head;
	return true;
}

// Sends one sealed answer.
static void finish(struct dp_worker *w, unsigned i)
{
	const struct pkt_answer *answer = &w->batch.answer[i];
	struct rte_mbuf *m = w->batch.mbuf[i];
	const uint8_t *coap = w->batch.coap[i];
	uint16_t coap_len = w->batch.head_len[i] + answer->plaintext_len + answer->tag_len;

	if (unlikely(answer->again)) {
		dp_send_mbuf(w, m, answer->flow, coap_len);
		dp_count(w, DP_STAT_rx_duplicates_answered);
		return;
	}
	if (unlikely(answer->separate)) {
		record_ack(w, answer);
		dp_separate_sent(w, answer, coap, coap_len);
	} else {
		record(w, answer, is_deterministic(answer) ? NULL : coap, coap_len);
	}
	if (unlikely(!m))
		return;
	dp_send_mbuf(w, m, answer->flow, coap_len);
	w->batch.answer[i].sent = true;
	dp_count(w, unlikely(answer->notification) ? DP_STAT_notifications : DP_STAT_answers);
}

static enum aead_alg alg_of(const struct dp_worker *w, unsigned i)
{
	const struct answer_batch *batch = &w->batch;
	unsigned slot = batch->slot[i];
	uint32_t context = slot == DP_SLOT_NONE ? batch->answer[i].context : w->vec.context[slot];

	return w->contexts->context[context].alg;
}

// Seals those of the batch that ready[] lists, of several algorithms.
static void seal_mixed(
	struct dp_worker *w, const uint8_t *ready, unsigned ready_count, uint32_t algs)
{
	struct answer_batch *batch = &w->batch;
	struct aead_op of_alg[DP_ANSWERS_BATCH];
	uint8_t members[DP_ANSWERS_BATCH];

	for (; algs; algs &= algs - 1) {
		enum aead_alg alg = __builtin_ctz(algs);
		unsigned n = 0;

		for (unsigned r = 0; r < ready_count; r++) {
			if (alg_of(w, ready[r]) != alg)
				continue;
			of_alg[n] = batch->op[ready[r]];
			members[n++] = ready[r];
		}
		aead_seal_batch(w->engine, alg, of_alg, n);
		for (unsigned k = 0; k < n; k++)
			batch->op[members[k]].result = of_alg[k].result;
	}
}

// Sends an answer, if it was sealed.
static void send_one(struct dp_worker *w, unsigned i)
{
	struct answer_batch *batch = &w->batch;
	bool in_place = batch->slot[i] != DP_SLOT_NONE;

	if (unlikely(batch->op[i].result != AEAD_OK)) {
		dp_count(w, DP_STAT_answers_seal_failed);
		if (in_place) { // burst_end() frees its packet
			if (w->vec.from != w->id)
				rte_pktmbuf_free(batch->mbuf[i]);
			return;
		}
		if (batch->answer[i].again)
			dp_count(w, DP_STAT_drop_duplicate_silent);
		rte_pktmbuf_free(batch->mbuf[i]);
	} else if (in_place) {
		dp_in_place_send(w, i);
	} else {
		finish(w, i);
	}
}

void dp_answers_flush(struct dp_worker *w)
{
	struct answer_batch *batch = &w->batch;
	uint8_t ready[DP_ANSWERS_BATCH];
	unsigned n = 0;
	uint32_t algs = 0;
	uint64_t start = rte_rdtsc();

	if (!batch->n)
		return;
	for (unsigned i = 0; i < batch->n; i++) {
		if (batch->slot[i] != DP_SLOT_NONE)
			dp_in_place_prepare(w, i);
		else if (!prepare(w, i))
			continue;
		algs |= 1 << alg_of(w, i);
		ready[n++] = i;
	}
	if (unlikely(w->looked))
		dp_look_answers(w, ready, n);
	if (likely(n == batch->n && !(algs & (algs - 1))))
		aead_seal_batch(w->engine, __builtin_ctz(algs), batch->op, n);
	else
		seal_mixed(w, ready, n, algs);
	if (w->vec.from != w->id)
		dp_in_place_buffers(w, ready, n);
	for (unsigned r = 0; r < n; r++)
		send_one(w, ready[r]);
	for (unsigned i = 0; i < batch->n; i++)
		if (batch->slot[i] == DP_SLOT_NONE)
			answer_done(w, &batch->answer[i]);
	dp_stage_end(w, DP_STAGE_seal, start, batch->n);
	batch->n = 0;
}
