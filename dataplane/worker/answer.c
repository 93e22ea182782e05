// SPDX-License-Identifier: BSD-3-Clause
// Stages 15 to 17: answers of the upstream loops and of the worker itself are sealed in batches,
// encoded, recorded for duplicates, and queued for tx.

#include "dataplane/worker/worker.h"

#define ANSWERS_BURST  32                       // handles taken from an upstream loop in one turn
#define RUN_BASE_AHEAD (DP_COUNTER_MAX / 4 * 3) // use of a counter at which main is told
#define RUN_BASE_AGAIN (1 << 10)                // and how often again, should nothing come of it

bool dp_event_send(struct dp_worker *w, enum dp_event_type type, uint32_t context,
	uint32_t generation, uint64_t arg)
{
	struct dp_event event = {
		.type = type, .context = context, .generation = generation, .arg = arg};

	w->ring_main = true;
	if (!rte_ring_sp_enqueue_elem(w->events, &event, sizeof(event)))
		return true;
	dp_count(w, DP_STAT_events_lost);
	return false;
}

void dp_context_state_set(
	struct dp_worker *w, uint32_t index, struct dp_context *ctx, enum dp_context_state state)
{
	if (ctx->state == state)
		return;
	__atomic_store_n(&ctx->state, state, __ATOMIC_RELAXED);
	dp_event_send(w, DP_EVENT_STATE, index, ctx->generation, state);
}

// The second that the clock shows now, and a counter. Never beyond the present second, so that a
// copy of this context that starts later starts above it.
static bool clock_next(const struct dp_worker *w, const struct dp_context *ctx, uint64_t *piv,
	enum dp_stat *why_not)
{
	const struct dp_clock *clock = &w->contexts->clock;
	int64_t second = dp_clock_now(clock);
	int64_t next = ctx->own_next >> DP_CLOCK_BITS;

	if (!dp_clock_usable(clock, second) || next > second + 1) {
		*why_not = DP_STAT_drop_clock;
		return false;
	}
	if (next > second) {
		*why_not = DP_STAT_drop_own_piv_spent;
		return false;
	}
	*piv = RTE_MAX((uint64_t)second << DP_CLOCK_BITS, ctx->own_next);
	return true;
}

static bool run_next(struct dp_worker *w, uint32_t index, const struct dp_context *ctx,
	uint64_t *piv, enum dp_stat *why_not)
{
	uint32_t run = __atomic_load_n(w->run, __ATOMIC_ACQUIRE);

	if (run == DP_RUN_NONE) {
		if (!w->run_wanted)
			w->run_wanted =
				dp_event_send(w, DP_EVENT_RUN_WANTED, index, ctx->generation, 0);
		*why_not = DP_STAT_drop_no_run;
		return false;
	}
	uint64_t own_run = (uint64_t)run + ctx->run_base;

	if (ctx->own_counter > DP_COUNTER_MAX || own_run > DP_RUN_MAX) {
		*why_not = DP_STAT_drop_own_piv_spent;
		return false;
	}
	*piv = own_run << DP_COUNTER_BITS | ctx->own_counter;
	return true;
}

bool dp_own_piv_ready(struct dp_worker *w, uint32_t index, const struct dp_context *ctx,
	uint64_t *piv, enum dp_stat *why_not)
{
	return ctx->flags & DP_CONTEXT_OWN_PIV_CLOCK ? clock_next(w, ctx, piv, why_not)
						     : run_next(w, index, ctx, piv, why_not);
}

bool dp_own_piv(struct dp_worker *w, uint32_t index, struct dp_context *ctx, uint64_t *piv,
	enum dp_stat *why_not)
{
	if (!dp_own_piv_ready(w, index, ctx, piv, why_not))
		return false;
	if (ctx->flags & DP_CONTEXT_OWN_PIV_CLOCK) {
		dp_clock_use(&w->contexts->clock, *piv >> DP_CLOCK_BITS);
		ctx->own_next = *piv + 1;
		return true;
	}
	ctx->own_counter++;
	if (ctx->own_counter >= RUN_BASE_AHEAD &&
		(ctx->own_counter - RUN_BASE_AHEAD) % RUN_BASE_AGAIN == 0)
		dp_event_send(w, DP_EVENT_RUN_BASE_WANTED, index, ctx->generation, ctx->run_base);
	return true;
}

static struct dp_worker_port *find_port(struct dp_worker *w, uint16_t port_id)
{
	for (unsigned i = 0; i < w->port_count; i++)
		if (w->port[i].port_id == port_id)
			return &w->port[i];
	return NULL;
}

void dp_tx(struct dp_worker *w, uint16_t port_id, struct rte_mbuf *m)
{
	struct dp_worker_port *port = find_port(w, port_id);

	if (!port) {
		dp_count(w, DP_STAT_tx_full);
		rte_pktmbuf_free(m);
		return;
	}
	if (port->tx_count == RTE_DIM(port->tx))
		dp_transmit(w, port);
	port->tx[port->tx_count++] = m;
}

// Encapsulates what stands behind the headers' room, and queues it.
static void send_mbuf(
	struct dp_worker *w, struct rte_mbuf *m, const struct dp_flow *flow, uint16_t coap_len)
{
	dp_frame_encapsulate(m, flow, coap_len);
	dp_tx(w, flow->port_id, m);
}

bool dp_send_coap(
	struct dp_worker *w, const struct dp_flow *flow, const uint8_t *coap, uint16_t len)
{
	struct rte_mbuf *m = rte_pktmbuf_alloc(w->pool);

	if (!m)
		return false;
	memcpy(rte_pktmbuf_mtod_offset(m, uint8_t *, dp_frame_overhead(flow)), coap, len);
	send_mbuf(w, m, flow, len);
	return true;
}

bool dp_send_empty(
	struct dp_worker *w, const struct dp_flow *flow, enum coap_type type, uint16_t mid)
{
	uint8_t coap[COAP_EMPTY_LEN];

	coap_empty_make(coap, type, mid);
	return dp_send_coap(w, flow, coap, sizeof(coap));
}

struct pkt_answer *dp_answer_add(struct dp_worker *w)
{
	struct answer_batch *batch = &w->batch;

	if (batch->n == DP_ANSWERS_BATCH)
		dp_answers_flush(w);
	struct pkt_answer *answer = &batch->answer[batch->n++];

	*answer = (struct pkt_answer){.exchange = DP_INDEX_NONE, .recorded = true};
	return answer;
}

struct pkt_answer *dp_answer_to_slot(struct dp_worker *w, struct pkt_vec *vec, unsigned slot)
{
	struct pkt_answer *answer = dp_answer_add(w);
	struct dp_flow *flow = &w->batch.flow[answer - w->batch.answer];
	const struct coap_msg *msg = &vec->msg[slot];
	unsigned alg = w->contexts->context[vec->context[slot]].alg;

	dp_frame_flow(vec->mbuf[slot], &vec->net[slot], flow);
	answer->flow = flow;
	answer->token = msg->token;
	answer->token_len = msg->token_len;
	answer->mid = msg->mid;
	answer->type = msg->type;
	answer->kid = vec->option[slot].kid;
	answer->kid_len = vec->option[slot].kid_len;
	answer->piv = vec->option[slot].piv;
	answer->tag_len = aead_algs[alg].tag_len;
	answer->tag = pkt_tag(vec, slot, answer->tag_len);
	answer->context = vec->context[slot];
	answer->generation = vec->generation[slot];
	return answer;
}

void dp_answer_error(struct dp_worker *w, struct pkt_answer *answer, uint8_t code, uint32_t max_age,
	const char *diagnostic)
{
	uint8_t *plaintext = w->batch.plaintext[answer - w->batch.answer];
	struct coap_writer writer;

	coap_writer_init(&writer, plaintext, DP_PLAINTEXT_MAX);
	coap_write_code(&writer, code);
	// All errors may be cached for 60 s when they do not say otherwise (RFC 7252 section 5.9).
	coap_write_option_uint(&writer, COAP_OPT_MAX_AGE, max_age);
	if (diagnostic)
		coap_write_payload(&writer, diagnostic, strlen(diagnostic));
	answer->plaintext = plaintext;
	answer->plaintext_len = coap_writer_len(&writer);
}

struct pkt_answer *dp_answer_to_exchange(struct dp_worker *w, uint32_t index)
{
	struct dp_exchange *x = &w->exchanges->worker_half[index];
	struct dp_shared *shared = dp_shared_at(w->exchanges, index);
	struct pkt_answer *answer = dp_answer_add(w);

	answer->flow = &x->flow;
	answer->token = dp_shared_request_buf(w->exchanges, shared);
	answer->token_len = shared->request.token_len;
	answer->mid = x->mid;
	answer->type = x->type;
	answer->kid = x->kid;
	answer->kid_len = x->kid_len;
	answer->piv = x->piv;
	answer->tag_len = x->tag_len;
	answer->tag = x->tag;
	answer->context = x->context;
	answer->generation = x->context_generation;
	answer->no_response = x->no_response;
	answer->separate = x->acked;
	return answer;
}

static unsigned loop_answers(struct dp_worker *w, struct dp_loop_port *port)
{
	dp_handle handles[ANSWERS_BURST];
	unsigned n = rte_ring_sc_dequeue_burst_elem(
		port->responses, handles, sizeof(handles[0]), ANSWERS_BURST, NULL);

	if (!n)
		return 0;
	uint64_t start = rte_rdtsc();

	for (unsigned i = 0; i < n; i++) {
		struct dp_shared *shared = dp_shared_get(w->exchanges, handles[i]);

		if (!shared) // a loop that hands one back twice
			continue;
		// From here on no copy of the handle is valid, not even one in this burst.
		dp_exchange_close(shared);
		uint32_t index = shared->index;
		struct dp_exchange *x = &w->exchanges->worker_half[index];

		dp_wheel_remove(&w->wheel, w->exchanges, index);
		if (x->abandoned ||
			dp_context_live(&w->contexts->context[x->context]) !=
				x->context_generation) {
			dp_count(w, DP_STAT_answers_late);
			dp_in_flight_remove(w->in_flight, index);
			dp_exchange_give(w->exchanges, index);
			continue;
		}
		struct pkt_answer *answer = dp_answer_to_exchange(w, index);

		answer->exchange = index;
		if (!shared->response.len || shared->response.len > shared->request.response_max) {
			dp_count(w, DP_STAT_answers_oversize);
			dp_answer_error(w, answer, COAP_INTERNAL_SERVER_ERROR, 0, DP_TOO_LARGE);
			continue;
		}
		answer->plaintext = dp_shared_response(w->exchanges, shared);
		answer->plaintext_len = shared->response.len;
	}
	dp_stage_end(w, DP_STAGE_upstream, start, n);
	return n;
}

unsigned dp_loop_answers(struct dp_worker *w)
{
	unsigned n = 0;

	for (unsigned i = 0; i < w->loop_count; i++)
		n += loop_answers(w, w->loop[i].port);
	return n;
}

// The device gets its answer now; the memory comes back with the handle.
static void timed_out(struct dp_worker *w, uint32_t index)
{
	struct dp_exchange *x = &w->exchanges->worker_half[index];

	if (dp_context_live(&w->contexts->context[x->context]) == x->context_generation) {
		uint32_t clone = x->acked ? dp_separate_clone(w, index) : DP_INDEX_NONE;
		struct pkt_answer *answer = dp_answer_to_exchange(w, index);

		answer->exchange = clone;
		dp_answer_error(w, answer, COAP_GATEWAY_TIMEOUT, 0, NULL);
		x->nonce_spent = true;
		dp_count(w, DP_STAT_exchange_timeouts);
	}
	x->abandoned = true;
	__atomic_store_n(&dp_shared_at(w->exchanges, index)->abandoned, 1, __ATOMIC_RELAXED);
}

unsigned dp_deadlines(struct dp_worker *w)
{
	uint64_t start = rte_rdtsc();
	unsigned n = 0;
	uint32_t index;

	dp_wheel_move(&w->wheel, w->exchanges);
	while (n < ANSWERS_BURST &&
		(index = dp_wheel_expire(&w->wheel, w->exchanges, w->now_ms)) != DP_INDEX_NONE) {
		const struct dp_exchange *x = &w->exchanges->worker_half[index];

		n++;
		if (x->delivering)
			dp_separate_again(w, index);
		else if (w->now_ms < dp_shared_at(w->exchanges, index)->request.deadline_ms)
			dp_separate_begin(w, index);
		else
			timed_out(w, index);
	}
	if (n)
		dp_stage_end(w, DP_STAGE_timers, start, n);
	return n;
}

// Whether the device asked not to hear of answers of this class (RFC 7967 section 2).
static bool not_wanted(const struct pkt_answer *answer)
{
	return answer->no_response >> (COAP_CODE_CLASS(answer->plaintext[0]) - 1) & 1;
}

// Everything in front of the ciphertext. Returns its length, 0 if it does not fit.
static size_t encode_head(
	struct dp_worker *w, const struct pkt_answer *answer, uint8_t *coap, size_t room)
{
	const struct dp_context *ctx = &w->contexts->context[answer->context];
	struct osc_option option = {0};
	uint8_t value[OSC_OPTION_LEN_MAX];
	struct coap_writer writer;

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
	enum coap_type type = COAP_ACK; // piggybacked
	uint16_t mid = answer->mid;

	if (value_len < 0)
		return 0;
	if (unlikely(answer->separate && answer->exchange != DP_INDEX_NONE)) {
		type = COAP_CON; // RFC 7252 section 5.2.2
		mid = w->exchanges->worker_half[answer->exchange].own_mid;
	} else if (answer->type == COAP_NON || answer->separate) {
		type = COAP_NON; // section 5.2.3
		mid = dp_mid_non(w->mids, answer->flow);
	}
	coap_writer_init(&writer, coap, room);
	// The outer code tells nothing.
	coap_write_header(&writer, type, COAP_CHANGED, mid, answer->token, answer->token_len);
	coap_write_option(&writer, COAP_OPT_OSCORE, value, value_len);
	size_t len = coap_writer_len(&writer);

	if (!len || len == room)
		return 0;
	coap[len++] = COAP_PAYLOAD_MARK;
	return len;
}

static void record(
	struct dp_worker *w, const struct pkt_answer *answer, const uint8_t *coap, uint16_t len)
{
	if (!answer->recorded)
		return;
	const struct dp_answer_key key = {
		.piv = answer->piv,
		.context = answer->context,
		.generation = answer->generation,
		.flow = answer->flow,
		.token = answer->token,
		.tag = answer->tag,
		.token_len = answer->token_len,
		.mid = answer->mid,
		.tag_len = answer->tag_len,
	};

	// A duplicate NON gets silence (its answer may be lost as the request may be).
	dp_answer_index_put(w->answers, &key, w->now_ms,
		&w->contexts->context[answer->context].share_at, coap,
		answer->type == COAP_CON ? len : 0);
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
	if (answer->exchange == DP_INDEX_NONE ||
		w->exchanges->worker_half[answer->exchange].delivering)
		return;
	dp_in_flight_remove(w->in_flight, answer->exchange);
	dp_exchange_give(w->exchanges, answer->exchange);
}

// Whether a backend did what was asked, so that the device must not be told to try again.
static bool is_performed(const struct dp_worker *w, const struct pkt_answer *answer)
{
	if (answer->exchange == DP_INDEX_NONE || COAP_CODE_CLASS(answer->plaintext[0]) != 2)
		return false;
	uint8_t code = dp_shared_at(w->exchanges, answer->exchange)->request.code;

	return code != COAP_GET && code != COAP_FETCH;
}

// In the place of an answer that does not fit one datagram, or that the device does not take (its
// limit may have changed since it asked): an error without words, or the code alone of what was
// done, which fits behind any token that a request of at least this length came with.
static void answer_shorten(struct dp_worker *w, struct pkt_answer *answer)
{
	uint8_t class = COAP_CODE_CLASS(answer->plaintext[0]);
	uint8_t code = class == 4 || class == 5 ? answer->plaintext[0] : COAP_INTERNAL_SERVER_ERROR;

	if (is_performed(w, answer))
		answer->plaintext_len = 1;
	else
		dp_answer_error(w, answer, code, 0, NULL);
}

// Writes the head, and shortens an answer that is too large. Returns the head's length, 0 if no
// answer at all fits.
static size_t place_head(struct dp_worker *w, struct pkt_answer *answer, uint8_t *coap)
{
	const struct dp_worker_port *port = find_port(w, answer->flow->port_id);
	uint16_t headers = dp_frame_overhead(answer->flow);
	// The MTU counts what is behind Ethernet and VLAN.
	size_t room = port ? port->mtu + 14u + (answer->flow->has_vlan ? 4 : 0) - headers : 0;
	size_t taken = dp_context_max_message(&w->contexts->context[answer->context]);
	size_t head = encode_head(w, answer, coap, room);

	// Only a long token of the device's own can make an error without words too large for it:
	// that is sent all the same. A challenge too, for nothing is left of it without its Echo.
	if (!answer->recorded)
		taken = room;
	if (head && head + answer->plaintext_len + answer->tag_len > RTE_MIN(room, taken)) {
		dp_count(w, DP_STAT_answers_oversize);
		answer_shorten(w, answer);
	}
	return head + answer->plaintext_len + answer->tag_len <= room ? head : 0;
}

// Decides message id and nonce, allocates the packet and writes the head. false: nothing is to be
// sealed.
static bool prepare(struct dp_worker *w, unsigned i, uint16_t *head_len, struct aead_op *op)
{
	struct answer_batch *batch = &w->batch;
	struct pkt_answer *answer = &batch->answer[i];
	struct dp_context *ctx = &w->contexts->context[answer->context];
	struct dp_exchange *x = answer->exchange == DP_INDEX_NONE
		? NULL
		: &w->exchanges->worker_half[answer->exchange];

	if (not_wanted(answer)) {
		suppress(w, answer);
		return false;
	}
	if (unlikely(answer->separate) && x && !dp_separate_mid(w, answer->exchange)) {
		dp_separate_later(w, answer);
		return false;
	}
	if (!answer->has_own_piv && (ctx->flags & DP_CONTEXT_OWN_PIV || (x && x->nonce_spent))) {
		enum dp_stat why_not;

		if (!dp_own_piv(w, answer->context, ctx, &answer->own_piv, &why_not)) {
			dp_count(w, DP_STAT_answers_no_piv);
			dp_separate_later(w, answer);
			return false;
		}
		answer->has_own_piv = true;
	}
	uint16_t overhead = dp_frame_overhead(answer->flow);
	struct rte_mbuf *m = rte_pktmbuf_alloc(w->pool);
	uint8_t *coap;

	if (likely(m)) {
		coap = rte_pktmbuf_mtod_offset(m, uint8_t *, overhead);
	} else {
		// Its Partial IV is spent, so no copy of the request will be served again: it is
		// sealed all the same, and a copy gets the bytes.
		dp_count(w, DP_STAT_answers_no_mbuf);
		if (!answer->recorded)
			return false;
		coap = w->spare + i * w->spare_stride;
	}
	if (answer->recorded)
		dp_answer_index_prefetch(w->answers, answer->context, answer->piv);
	size_t head = place_head(w, answer, coap);

	if (!head) {
		dp_count(w, DP_STAT_answers_no_room);
		rte_pktmbuf_free(m);
		return false;
	}
	osc_op_prepare(op, batch->aad[i], ctx->alg, dp_context_sender_key(w->contexts, ctx),
		ctx->common_iv, answer->kid, answer->kid_len, answer->piv,
		answer->has_own_piv ? ctx->sender_id : answer->kid,
		answer->has_own_piv ? ctx->sender_id_len : answer->kid_len,
		answer->has_own_piv ? answer->own_piv : answer->piv, answer->plaintext, coap + head,
		answer->plaintext_len);
	if (x)
		x->nonce_spent = true;
	batch->mbuf[i] = m;
	batch->coap[i] = coap;
	*head_len = head;
	return true;
}

// Sends one sealed answer.
static void finish(struct dp_worker *w, unsigned i, uint16_t head_len, bool sealed)
{
	const struct pkt_answer *answer = &w->batch.answer[i];
	struct rte_mbuf *m = w->batch.mbuf[i];
	const uint8_t *coap = w->batch.coap[i];
	uint16_t coap_len = head_len + answer->plaintext_len + answer->tag_len;

	if (!sealed) {
		dp_count(w, DP_STAT_answers_seal_failed);
		rte_pktmbuf_free(m);
		return;
	}
	if (unlikely(answer->separate)) {
		record_ack(w, answer);
		dp_separate_sent(w, answer, coap, coap_len);
	} else {
		record(w, answer, coap, coap_len);
	}
	if (unlikely(!m))
		return;
	send_mbuf(w, m, answer->flow, coap_len);
	dp_count(w, DP_STAT_answers);
}

void dp_answers_flush(struct dp_worker *w)
{
	struct answer_batch *batch = &w->batch;
	struct aead_op ops[DP_ANSWERS_BATCH];
	struct aead_op of_alg[DP_ANSWERS_BATCH];
	uint16_t head_len[DP_ANSWERS_BATCH];
	uint8_t ready[DP_ANSWERS_BATCH];
	uint8_t members[DP_ANSWERS_BATCH];
	unsigned ready_count = 0;
	uint32_t algs = 0;
	uint64_t start = rte_rdtsc();

	if (!batch->n)
		return;
	for (unsigned i = 0; i < batch->n; i++) {
		if (!prepare(w, i, &head_len[i], &ops[i]))
			continue;
		algs |= 1 << w->contexts->context[batch->answer[i].context].alg;
		ready[ready_count++] = i;
	}
	for (; algs; algs &= algs - 1) {
		enum aead_alg alg = __builtin_ctz(algs);
		unsigned n = 0;

		for (unsigned r = 0; r < ready_count; r++) {
			unsigned i = ready[r];

			if (w->contexts->context[batch->answer[i].context].alg != alg)
				continue;
			of_alg[n] = ops[i];
			members[n++] = i;
		}
		aead_seal_batch(w->engine, alg, of_alg, n);
		for (unsigned k = 0; k < n; k++)
			finish(w, members[k], head_len[members[k]], of_alg[k].result == AEAD_OK);
	}
	for (unsigned i = 0; i < batch->n; i++)
		answer_done(w, &batch->answer[i]);
	dp_stage_end(w, DP_STAGE_seal, start, batch->n);
	batch->n = 0;
}
