// SPDX-License-Identifier: BSD-3-Clause
// Stages 3 to 10: from a classified packet to a verified request whose Partial IV is committed.

#include "dataplane/worker.h"

#include <rte_hash.h>

#define ERRORS_PER_SECOND     100 // unprotected errors a worker sends at most (errors: verbose)
#define CHALLENGES_PER_SECOND 2   // to one context, of requests that are not the newest
#define AMPLIFICATION_MAX     3   // RFC 9175 section 2.4

// Keeps in live[] the slots that `keep` is true for; the others were counted and end here.
#define VEC_FILTER(vec, slot, keep)                          \
	do {                                                 \
		unsigned kept_ = 0;                          \
		for (unsigned i_ = 0; i_ < (vec)->n; i_++) { \
			unsigned slot = (vec)->live[i_];     \
			if (keep)                            \
				(vec)->live[kept_++] = slot; \
		}                                            \
		(vec)->n = kept_;                            \
	} while (0)

static void packet_flow(const struct pkt_vec *vec, unsigned slot, struct dp_flow *flow)
{
	dp_net_flow(vec->mbuf[slot], &vec->net[slot], flow);
}

// Sends bytes as they are; where the packet that they answer ends is `stat`.
static void reply(struct dp_worker *w, const struct dp_flow *flow, const uint8_t *coap,
	uint16_t len, enum dp_stat stat)
{
	dp_count(w, dp_send_coap(w, flow, coap, len) ? stat : DP_STAT_drop_no_mbuf);
}

static bool error_budget(struct dp_worker *w)
{
	if (w->now_ms - w->error_tokens_ms >= 1000) {
		w->error_tokens_ms = w->now_ms;
		w->error_tokens = ERRORS_PER_SECOND;
	}
	if (!w->error_tokens)
		return false;
	w->error_tokens--;
	return true;
}

// An unprotected error (RFC 8613 section 8.2): same token, Max-Age 0, if the policy wants it.
// Otherwise, and always when it would be larger than allowed, the packet is dropped for `reason`.
static void unprotected_error(struct dp_worker *w, const struct pkt_vec *vec, unsigned slot,
	bool wanted, uint8_t code, const char *diagnostic, enum dp_stat reason)
{
	const struct coap_msg *msg = &vec->msg[slot];
	uint8_t coap[256];
	struct coap_writer writer;

	if (wanted && error_budget(w)) {
		bool con = msg->type == COAP_CON;

		coap_writer_init(&writer, coap, sizeof(coap));
		coap_write_header(&writer, con ? COAP_ACK : COAP_NON, code,
			con ? msg->mid : w->next_mid++ & DP_MID_NON, msg->token, msg->token_len);
		coap_write_option_uint(&writer, COAP_OPT_MAX_AGE, 0);
		coap_write_payload(&writer, diagnostic, strlen(diagnostic));
		size_t len = coap_writer_len(&writer);

		if (len && len <= (size_t)AMPLIFICATION_MAX * vec->net[slot].coap_len) {
			struct dp_flow flow;

			packet_flow(vec, slot, &flow);
			reply(w, &flow, coap, len, DP_STAT_rx_errors_sent);
			return;
		}
	}
	dp_count(w, reason);
}

// RST to a confirmable message (RFC 7252 section 4.2).
static void send_rst(
	struct dp_worker *w, const struct pkt_vec *vec, unsigned slot, enum dp_stat stat)
{
	uint8_t rst[COAP_EMPTY_LEN];
	struct dp_flow flow;

	coap_empty_make(rst, COAP_RST, vec->msg[slot].mid);
	packet_flow(vec, slot, &flow);
	reply(w, &flow, rst, sizeof(rst), stat);
}

// A message that cannot be processed: RST to a CON if errors are wanted, else silence.
static void reject(
	struct dp_worker *w, const struct pkt_vec *vec, unsigned slot, enum dp_stat reason)
{
	if (vec->msg[slot].type == COAP_CON && w->config->verbose_errors && error_budget(w))
		send_rst(w, vec, slot, DP_STAT_rx_format_rst);
	else
		dp_count(w, reason);
}

// An ACK or a RST, for a message of ours or none. Never answered (RFC 7252 section 4.2).
static void receive_ack(
	struct dp_worker *w, const struct pkt_vec *vec, unsigned slot, enum coap_verdict verdict)
{
	const struct coap_msg *msg = &vec->msg[slot];
	struct dp_flow flow;

	if (verdict != COAP_OK) {
		dp_count(w, DP_STAT_drop_coap_format);
		return;
	}
	unsigned owner =
		msg->code == COAP_EMPTY ? dp_mid_worker(w->mids, msg->mid) : DP_MID_WORKER_NONE;

	if (owner == DP_MID_WORKER_NONE) {
		dp_count(w, DP_STAT_drop_coap_ack);
		return;
	}
	packet_flow(vec, slot, &flow);
	if (owner == w->id)
		dp_separate_acked(w, &flow, msg->type, msg->mid);
	else
		dp_handoff_ack(w, &flow, msg->type, msg->mid, owner);
}

// Stages 3 and 4.
static bool parse_one(struct dp_worker *w, struct pkt_vec *vec, unsigned slot)
{
	struct coap_msg *msg = &vec->msg[slot];
	struct osc_option *option = &vec->option[slot];
	const uint8_t *coap =
		rte_pktmbuf_mtod_offset(vec->mbuf[slot], const uint8_t *, vec->net[slot].coap_off);
	enum coap_verdict verdict;

	msg->type = COAP_RST; // in case the message is too short to have a type
	verdict = coap_msg_parse(msg, coap, vec->net[slot].coap_len);
	if (verdict == COAP_BAD_VERSION) {
		dp_count(w, DP_STAT_drop_coap_version);
		return false;
	}
	if (msg->type == COAP_ACK || msg->type == COAP_RST) {
		receive_ack(w, vec, slot, verdict);
		return false;
	}
	if (verdict != COAP_OK) {
		reject(w, vec, slot, DP_STAT_drop_coap_format);
		return false;
	}
	if (msg->code == COAP_EMPTY && msg->type == COAP_CON) {
		send_rst(w, vec, slot, DP_STAT_rx_pings);
		return false;
	}
	if (msg->code == COAP_EMPTY || COAP_CODE_CLASS(msg->code) != 0) {
		reject(w, vec, slot, DP_STAT_drop_coap_code);
		return false;
	}
	const struct coap_body *body = &msg->body;

	if (!body->oscore) {
		unprotected_error(w, vec, slot, w->config->verbose_errors, COAP_UNAUTHORIZED,
			"OSCORE required", DP_STAT_drop_no_oscore);
		return false;
	}
	if (body->oscore_count != 1 ||
		osc_option_parse(option, body->oscore, body->oscore_len) != OSC_OPTION_OK ||
		!option->piv_len || !option->has_kid) {
		unprotected_error(w, vec, slot, w->config->verbose_errors, COAP_BAD_OPTION,
			"Failed to decode COSE", DP_STAT_drop_oscore_option);
		return false;
	}
	if (!body->payload) {
		unprotected_error(w, vec, slot, w->config->verbose_errors, COAP_BAD_REQUEST,
			"No ciphertext", DP_STAT_drop_no_ciphertext);
		return false;
	}
	if (option->kid_len > OSC_KID_LEN_MAX) {
		unprotected_error(w, vec, slot, w->config->verbose_errors, COAP_UNAUTHORIZED,
			"Security context not found", DP_STAT_drop_unknown_context);
		return false;
	}
	dp_context_key_make(&vec->key[slot], option->kid, option->kid_len, option->has_kid_context,
		option->kid_context, option->kid_context_len);
	return true;
}

// Stages 5 and 6.
static void lookup(struct dp_worker *w, struct pkt_vec *vec)
{
	const void *keys[DP_BURST];
	hash_sig_t hashes[DP_BURST];
	int32_t positions[DP_BURST];
	unsigned kept = 0;

	for (unsigned i = 0; i < vec->n; i++) {
		keys[i] = &vec->key[vec->live[i]];
		hashes[i] = dp_context_hash(w->contexts, keys[i]);
	}
	rte_hash_lookup_with_hash_bulk(w->contexts->hash, keys, hashes, vec->n, positions);
	for (unsigned i = 0; i < vec->n; i++) {
		if (positions[i] < 0)
			continue;
		rte_prefetch0(&w->contexts->context[positions[i]]);
		rte_prefetch0(&w->contexts->context[positions[i]].window);
	}
	for (unsigned i = 0; i < vec->n; i++) {
		unsigned slot = vec->live[i];
		const struct dp_context *ctx = NULL;
		uint32_t generation = 0;

		if (positions[i] >= 0) {
			ctx = &w->contexts->context[positions[i]];
			generation = dp_context_live(ctx);
		}
		if (!generation) {
			unprotected_error(w, vec, slot, w->config->verbose_errors,
				COAP_UNAUTHORIZED, "Security context not found",
				DP_STAT_drop_unknown_context);
			continue;
		}
		uint8_t owner = __atomic_load_n(&ctx->owner, __ATOMIC_RELAXED);

		if (owner == DP_OWNER_MAIN) {
			dp_count(w, DP_STAT_drop_context_gone);
			continue;
		}
		int plaintext_len = osc_plaintext_len(ctx->alg, vec->msg[slot].body.payload_len);

		if (plaintext_len < 0) {
			unprotected_error(w, vec, slot, w->config->verbose_errors, COAP_BAD_REQUEST,
				"No ciphertext", DP_STAT_drop_no_ciphertext);
			continue;
		}
		vec->context[slot] = positions[i];
		vec->generation[slot] = generation;
		vec->plaintext_len[slot] = plaintext_len;
		vec->foreign[slot] = owner != w->id && owner != DP_OWNER_NONE;
		vec->live[kept++] = slot;
	}
	vec->n = kept;
}

static bool exchange_matches(
	const struct dp_exchange_pool *pool, uint32_t index, const struct dp_answer_key *key)
{
	const struct dp_exchange *x = &pool->worker_half[index];
	struct dp_shared *shared = dp_shared_at(pool, index);

	return x->piv == key->piv && x->mid == key->mid && x->tag_len == key->tag_len &&
		!memcmp(x->tag, key->tag, key->tag_len) &&
		shared->request.token_len == key->token_len &&
		!memcmp(dp_shared_request_buf(pool, shared), key->token, key->token_len) &&
		dp_flow_same_endpoint(&x->flow, key->flow);
}

// Stage 7b: whether a request whose Partial IV was seen is a copy of one that we know. Answers it,
// or is silent, as RFC 7252 section 4.5 asks; false: it is a replay.
static bool duplicate(struct dp_worker *w, const struct pkt_vec *vec, unsigned slot)
{
	const struct dp_context *ctx = &w->contexts->context[vec->context[slot]];
	const struct coap_msg *msg = &vec->msg[slot];
	unsigned tag_len = aead_algs[ctx->alg].tag_len;
	struct dp_flow flow;
	const uint8_t *bytes;
	uint16_t len;

	packet_flow(vec, slot, &flow);
	const struct dp_answer_key key = {
		.piv = vec->option[slot].piv,
		.context = vec->context[slot],
		.generation = vec->generation[slot],
		.flow = &flow,
		.token = msg->token,
		.tag = pkt_tag(vec, slot, tag_len),
		.token_len = msg->token_len,
		.mid = msg->mid,
		.tag_len = tag_len,
	};

	switch (dp_answers_find(w->answers, &key, w->now_ms, &bytes, &len)) {
	case DP_ANSWER_RESEND:
		if (msg->type == COAP_NON) {
			// An ACK was sent, and a NON is never acknowledged.
			dp_count(w, DP_STAT_drop_duplicate_silent);
			return true;
		}
		reply(w, &flow, bytes, len,
			len == COAP_EMPTY_LEN ? DP_STAT_rx_duplicates_acked
					      : DP_STAT_rx_duplicates_answered);
		return true;
	case DP_ANSWER_SILENT:
		dp_count(w, DP_STAT_drop_duplicate_silent);
		return true;
	case DP_ANSWER_NONE:
		break;
	}
	// The list of a context that nobody owns may be another worker's a moment later.
	if (__atomic_load_n(&ctx->owner, __ATOMIC_RELAXED) != w->id)
		return false;
	for (uint32_t i = ctx->in_flight; i != DP_INDEX_NONE;
		i = w->exchanges->worker_half[i].next) {
		if (exchange_matches(w->exchanges, i, &key)) {
			dp_separate_copy(w, i, &flow, msg->type);
			return true;
		}
	}
	return false;
}

static void replay(struct dp_worker *w, const struct pkt_vec *vec, unsigned slot)
{
	unprotected_error(w, vec, slot, w->config->verbose_replay, COAP_UNAUTHORIZED,
		"Replay detected", DP_STAT_drop_replay);
}

static bool window_unknown(const struct dp_context *ctx)
{
	return ctx->state == DP_CONTEXT_WINDOW_UNKNOWN || ctx->state == DP_CONTEXT_ECHO_PENDING;
}

// Whether this second's one too old packet of a context may be verified.
static bool probe_budget(struct dp_worker *w, struct dp_context *ctx)
{
	uint16_t second = w->now_ms / 1000;

	if (ctx->owner != w->id || ctx->probe_second == second)
		return false;
	ctx->probe_second = second;
	return true;
}

// What the window says of a request: it lets pass what is new. That of a context that nobody owns
// may be read: commit looks again.
static enum osc_window_verdict window_verdict(
	const struct dp_worker *w, const struct pkt_vec *vec, unsigned slot)
{
	const struct dp_context *ctx = &w->contexts->context[vec->context[slot]];
	uint64_t piv = vec->option[slot].piv;

	if (vec->foreign[slot]) // its owner looks
		return OSC_WINDOW_NEW;
	if (window_unknown(ctx)) // nothing is known but a lower limit
		return piv >= ctx->window.next ? OSC_WINDOW_NEW : OSC_WINDOW_OLD;
	return osc_window_check(&ctx->window, piv);
}

// Whether a copy of a request gets what a replay of it gets, which is nothing: of a NON, unless
// replays are told. Then the memory of what was answered need not be asked which of them it is.
static bool copy_is_as_replay(const struct dp_worker *w, const struct pkt_vec *vec, unsigned slot)
{
	return vec->msg[slot].type == COAP_NON && !w->config->verbose_replay;
}

// A request that did not pass: a copy, which of a context of unknown window may be one of what was
// accepted before a resync, or a replay. One that is only too old may be verified as a probe: true.
static bool window_probe(struct dp_worker *w, const struct pkt_vec *vec, unsigned slot,
	enum osc_window_verdict verdict)
{
	struct dp_context *ctx = &w->contexts->context[vec->context[slot]];

	if (duplicate(w, vec, slot))
		return false;
	if (verdict == OSC_WINDOW_OLD && probe_budget(w, ctx))
		return true;
	replay(w, vec, slot);
	return false;
}

// Stage 7. The memory that tells a copy from a replay is asked for ahead of its use.
static void window_all(struct dp_worker *w, struct pkt_vec *vec)
{
	bool keep[DP_BURST];
	enum osc_window_verdict verdict[DP_BURST];
	uint8_t old[DP_BURST];
	unsigned n = 0, kept = 0;

	for (unsigned i = 0; i < vec->n; i++) {
		unsigned slot = vec->live[i];

		verdict[slot] = window_verdict(w, vec, slot);
		keep[slot] = verdict[slot] == OSC_WINDOW_NEW;
		kept += keep[slot];
		vec->probe[slot] = false;
		if (keep[slot])
			continue;
		if (verdict[slot] == OSC_WINDOW_SEEN && copy_is_as_replay(w, vec, slot)) {
			dp_count(w, DP_STAT_drop_seen_non);
			continue;
		}
		dp_answers_prefetch(w->answers, vec->context[slot], vec->option[slot].piv);
		old[n++] = slot;
	}
	if (kept == vec->n)
		return;
	for (unsigned i = 0; i < n; i++)
		dp_answers_prefetch_record(
			w->answers, vec->context[old[i]], vec->option[old[i]].piv);
	for (unsigned i = 0; i < n; i++)
		keep[old[i]] = vec->probe[old[i]] = window_probe(w, vec, old[i], verdict[old[i]]);
	VEC_FILTER(vec, slot, keep[slot]);
}

// Asks main for a higher mark; at most one question at a time.
static void mark_want(struct dp_worker *w, uint32_t index, struct dp_context *ctx, uint64_t mark)
{
	if (ctx->mark_wanted)
		return;
	ctx->mark_wanted = dp_event_send(w, DP_EVENT_MARK_WANTED, index, ctx->generation, mark);
}

// The device's Partial IVs count the messages under its key, and ours are about as many.
static void limit_use(
	struct dp_worker *w, uint32_t index, const struct dp_context *ctx, uint64_t before)
{
	if (before < DP_LIMIT_USES && ctx->window.next >= DP_LIMIT_USES)
		dp_event_send(w, DP_EVENT_LIMIT, index, ctx->generation, DP_LIMIT_USE);
	else if (before <= DP_LIMIT_USES / 2)
		dp_event_send(w, DP_EVENT_LIMIT, index, ctx->generation, DP_LIMIT_USE_HALF);
}

static void limit_forgery(struct dp_worker *w, uint32_t index, const struct dp_context *ctx)
{
	uint32_t limit = dp_limit_forgeries(ctx->alg);

	if (ctx->failed == limit / 2)
		dp_event_send(w, DP_EVENT_LIMIT, index, ctx->generation, DP_LIMIT_FORGERY_HALF);
	else if (ctx->failed == limit)
		dp_event_send(w, DP_EVENT_LIMIT, index, ctx->generation, DP_LIMIT_FORGERY);
}

// Stage 9: in place, grouped by algorithm. Packets keep their order.
static void open_all(struct dp_worker *w, struct pkt_vec *vec)
{
	struct aead_op ops[DP_BURST];
	uint8_t slots[DP_BURST];
	bool ok[DP_BURST];
	uint32_t algs = 0;

	for (unsigned i = 0; i < vec->n; i++)
		algs |= 1 << w->contexts->context[vec->context[vec->live[i]]].alg;
	for (; algs; algs &= algs - 1) {
		enum aead_alg alg = __builtin_ctz(algs);
		unsigned n = 0;

		for (unsigned i = 0; i < vec->n; i++) {
			unsigned slot = vec->live[i];
			const struct dp_context *ctx = &w->contexts->context[vec->context[slot]];
			const struct osc_option *option = &vec->option[slot];
			uint8_t *payload = (uint8_t *)(uintptr_t)vec->msg[slot].body.payload;

			if (ctx->alg != alg)
				continue;
			osc_op_prepare(&ops[n], vec->aad[slot], alg,
				dp_context_recipient_key(w->contexts, ctx), ctx->common_iv,
				option->kid, option->kid_len, option->piv, option->kid,
				option->kid_len, option->piv, payload, payload,
				vec->plaintext_len[slot]);
			slots[n++] = slot;
		}
		aead_open_batch(w->engine, alg, ops, n);
		for (unsigned i = 0; i < n; i++) {
			ok[slots[i]] = ops[i].result == AEAD_OK;
			vec->opened[slots[i]] = true;
		}
	}
	unsigned kept = 0;

	for (unsigned i = 0; i < vec->n; i++) {
		unsigned slot = vec->live[i];

		if (ok[slot]) {
			vec->live[kept++] = slot;
			continue;
		}
		struct dp_context *ctx = &w->contexts->context[vec->context[slot]];

		if (ctx->owner == w->id) {
			ctx->failed++;
			limit_forgery(w, vec->context[slot], ctx);
		}
		unprotected_error(w, vec, slot, w->config->verbose_errors, COAP_BAD_REQUEST,
			"Decryption failed", DP_STAT_drop_tag);
	}
	vec->n = kept;
}

static bool has_valid_echo(struct dp_worker *w, const struct pkt_vec *vec, unsigned slot)
{
	const struct dp_context *ctx = &w->contexts->context[vec->context[slot]];
	const uint8_t *plaintext = vec->msg[slot].body.payload;
	struct coap_body inner;
	struct coap_option echo;

	return coap_body_parse(&inner, plaintext + 1, vec->plaintext_len[slot] - 1) == COAP_OK &&
		coap_option_find(&inner, COAP_OPT_ECHO, &echo) &&
		dp_echo_valid(&w->echo, vec->context[slot], vec->generation[slot],
			ctx->unknown_phases, w->now_ms, echo.value, echo.len);
}

// A protected 4.01 with only Echo, under an own Partial IV (RFC 8613 appendix B.1.2).
static void challenge(struct dp_worker *w, struct pkt_vec *vec, unsigned slot)
{
	uint32_t index = vec->context[slot];
	struct dp_context *ctx = &w->contexts->context[index];
	uint64_t piv = vec->option[slot].piv;
	uint64_t own_piv;
	enum dp_stat why_not;

	if (piv < ctx->challenged) {
		uint16_t second = w->now_ms / 1000;

		if (ctx->challenge_second != second) {
			ctx->challenge_second = second;
			ctx->challenges = 0;
		}
		if (ctx->challenges >= CHALLENGES_PER_SECOND) {
			dp_count(w, DP_STAT_drop_challenge_limit);
			return;
		}
		ctx->challenges++;
	}
	if (!dp_own_piv(w, index, ctx, &own_piv, &why_not)) {
		// A copy of this request will be challenged as if it was the first.
		dp_count(w, why_not);
		return;
	}
	if (piv >= ctx->challenged)
		ctx->challenged = piv + 1;

	struct pkt_answer *answer = dp_answer_to_slot(w, vec, slot);
	uint8_t *plaintext = w->batch.plaintext[answer - w->batch.answer];
	uint8_t echo[DP_ECHO_LEN];
	struct coap_writer writer;

	dp_echo_make(&w->echo, index, vec->generation[slot], ctx->unknown_phases, w->now_ms, echo);
	coap_writer_init(&writer, plaintext, DP_PLAINTEXT_MAX);
	coap_write_code(&writer, COAP_UNAUTHORIZED);
	coap_write_option(&writer, COAP_OPT_ECHO, echo, sizeof(echo));
	answer->plaintext = plaintext;
	answer->plaintext_len = coap_writer_len(&writer);
	answer->has_own_piv = true;
	answer->own_piv = own_piv;
	answer->recorded = false;
	dp_count(w, DP_STAT_rx_challenges);
	if (ctx->state == DP_CONTEXT_WINDOW_UNKNOWN)
		dp_context_state_set(w, index, ctx, DP_CONTEXT_ECHO_PENDING);
}

// Whether a packet of this burst that is committed already is the same request.
static bool copy_in_burst(
	const struct dp_worker *w, const struct pkt_vec *vec, unsigned committed, unsigned slot)
{
	unsigned tag_len = aead_algs[w->contexts->context[vec->context[slot]].alg].tag_len;
	struct dp_flow flow;
	struct dp_flow other_flow;

	packet_flow(vec, slot, &flow);
	for (unsigned i = 0; i < committed; i++) {
		unsigned other = vec->live[i];
		const struct coap_msg *msg = &vec->msg[other];

		if (vec->context[other] != vec->context[slot] ||
			vec->option[other].piv != vec->option[slot].piv ||
			msg->mid != vec->msg[slot].mid ||
			msg->token_len != vec->msg[slot].token_len ||
			memcmp(msg->token, vec->msg[slot].token, msg->token_len) ||
			memcmp(pkt_tag(vec, other, tag_len), pkt_tag(vec, slot, tag_len), tag_len))
			continue;
		packet_flow(vec, other, &other_flow);
		if (dp_flow_same_endpoint(&other_flow, &flow))
			return true;
	}
	return false;
}

// Claims a context that nobody owns, here or for the worker that it is to go to. Returns its owner.
static uint8_t claim(
	struct dp_worker *w, const struct pkt_vec *vec, unsigned slot, struct dp_context *ctx)
{
	uint8_t owner = __atomic_load_n(&ctx->owner, __ATOMIC_RELAXED);

	if (likely(owner != DP_OWNER_NONE))
		return owner;
	uint8_t home = w->id;

	if (w->affinity_kid)
		home = dp_context_hash(w->contexts, &vec->key[slot]) % w->worker_count;
	// Who is faster has it; the packet of the others is handed to it.
	if (__atomic_compare_exchange_n(
		    &ctx->owner, &owner, home, false, __ATOMIC_ACQUIRE, __ATOMIC_RELAXED))
		owner = home;
	return owner;
}

// The upper rungs of the overload ladder, before anything is decrypted or committed: a packet that
// is dropped here is new when it comes again. Copies of requests that were answered passed stage
// 7b, and what another worker owns is for that one to refuse.
static bool overload_spares(struct dp_worker *w, const struct pkt_vec *vec, unsigned slot)
{
	if (vec->foreign[slot])
		return true;
	if (vec->msg[slot].type == COAP_NON) {
		dp_count(w, DP_STAT_drop_overload_non);
		return false;
	}
	if (w->overload.rung < DP_RUNG_CON)
		return true;
	dp_count(w, DP_STAT_drop_overload_con);
	return false;
}

static void overload(struct dp_worker *w, struct pkt_vec *vec)
{
	if (unlikely(w->overload.rung >= DP_RUNG_NON))
		VEC_FILTER(vec, slot, overload_spares(w, vec, slot));
}

// Stage 10, in order of arrival: the only place where a window moves, after the tag verified.
static void commit_all(struct dp_worker *w, struct pkt_vec *vec)
{
	unsigned kept = 0;

	for (unsigned i = 0; i < vec->n; i++) {
		unsigned slot = vec->live[i];
		uint32_t index = vec->context[slot];
		struct dp_context *ctx = &w->contexts->context[index];
		uint64_t piv = vec->option[slot].piv;
		uint64_t own_piv;
		enum dp_stat why_not;

		if (dp_context_live(ctx) != vec->generation[slot]) {
			dp_count(w, DP_STAT_drop_context_gone);
			continue;
		}
		uint8_t owner = claim(w, vec, slot, ctx);

		if (owner == DP_OWNER_MAIN) {
			dp_count(w, DP_STAT_drop_context_gone);
			continue;
		}
		if (owner != w->id) {
			dp_handoff(w, vec, slot, owner);
			continue;
		}
		uint64_t before = ctx->window.next;

		ctx->last_seen_s = w->now_ms / 1000;
		if (vec->probe[slot]) {
			if (ctx->state == DP_CONTEXT_ACTIVE)
				dp_context_state_set(w, index, ctx, DP_CONTEXT_REPLAY_LOCKED);
			replay(w, vec, slot);
			continue;
		}
		if (ctx->flags & DP_CONTEXT_OWN_PIV &&
			!dp_own_piv_ready(w, index, ctx, &own_piv, &why_not)) {
			// Not accepted, so that its retransmission can be, and be answered.
			dp_count(w, why_not);
			continue;
		}
		if (window_unknown(ctx)) {
			if (piv < ctx->window.next) {
				replay(w, vec, slot);
				continue;
			}
			if (!has_valid_echo(w, vec, slot)) {
				challenge(w, vec, slot);
				continue;
			}
			osc_window_open_at(&ctx->window, piv);
			ctx->challenged = 0;
			dp_context_state_set(w, index, ctx, DP_CONTEXT_ACTIVE);
		} else if (ctx->flags & DP_CONTEXT_FLOOR && piv >= ctx->mark) {
			// Its retransmission passes, once the mark is durable.
			mark_want(w, index, ctx, piv + 1 + DP_MARK_AHEAD);
			dp_count(w, DP_STAT_drop_above_mark);
			continue;
		} else if (osc_window_commit(&ctx->window, piv) != OSC_WINDOW_NEW) {
			// Two copies of one Partial IV in a burst both passed stage 7.
			if (copy_is_as_replay(w, vec, slot))
				dp_count(w, DP_STAT_drop_seen_non);
			else if (copy_in_burst(w, vec, kept, slot))
				dp_count(w, DP_STAT_drop_duplicate_silent);
			else if (!duplicate(w, vec, slot))
				replay(w, vec, slot);
			continue;
		} else if (ctx->state == DP_CONTEXT_REPLAY_LOCKED) {
			dp_context_state_set(w, index, ctx, DP_CONTEXT_ACTIVE);
		}
		ctx->accepted++;
		if (ctx->flags & DP_CONTEXT_FLOOR &&
			ctx->mark - ctx->window.next < DP_MARK_AHEAD / 2)
			mark_want(w, index, ctx, ctx->window.next + DP_MARK_AHEAD);
		if (unlikely(ctx->window.next > DP_LIMIT_USES / 2))
			limit_use(w, index, ctx, before);
		vec->live[kept++] = slot;
	}
	vec->n = kept;
	dp_stat_add(&w->stats, DP_STAT_rx_requests, kept);
}

void dp_receive_handed(struct dp_worker *w, struct pkt_vec *vec)
{
	uint64_t start = rte_rdtsc();
	unsigned n = vec->n;

	window_all(w, vec);
	overload(w, vec);
	start = dp_stage_end(w, DP_STAGE_window, start, n);
	n = vec->n;
	commit_all(w, vec);
	dp_stage_end(w, DP_STAGE_commit, start, n);
}

void dp_receive(struct dp_worker *w, struct pkt_vec *vec)
{
	uint64_t start = rte_rdtsc();
	unsigned n = vec->n;

	for (unsigned i = 0; i < vec->n; i++)
		vec->opened[vec->live[i]] = false;
	VEC_FILTER(vec, slot, parse_one(w, vec, slot));
	start = dp_stage_end(w, DP_STAGE_parse, start, n);
	if (!(n = vec->n))
		return;
	lookup(w, vec);
	start = dp_stage_end(w, DP_STAGE_lookup, start, n);
	if (!(n = vec->n))
		return;
	window_all(w, vec);
	overload(w, vec);
	start = dp_stage_end(w, DP_STAGE_window, start, n);
	if (!(n = vec->n))
		return;
	open_all(w, vec);
	start = dp_stage_end(w, DP_STAGE_open, start, n);
	if (!(n = vec->n))
		return;
	commit_all(w, vec);
	dp_stage_end(w, DP_STAGE_commit, start, n);
}
