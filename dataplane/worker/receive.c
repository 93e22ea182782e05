// SPDX-License-Identifier: BSD-3-Clause

#include "dataplane/worker/receive.h"

#include "dataplane/oscore/request.h"
#include "dataplane/worker/handoff.h"
#include "dataplane/worker/limit.h"
#include "dataplane/worker/passthrough.h"
#include "dataplane/worker/separate.h"
#include "dataplane/worker/slow.h"
#include "dataplane/worker/strangers.h"
#include "dataplane/worker/unprotected.h"

// An ACK or a RST, for a message of ours or none. Never answered (RFC 7252 section 4.2).
static void receive_ack(
	struct dp_worker *w, const struct pkt_vec *vec, unsigned slot, enum coap_verdict verdict)
{
	const struct coap_msg *msg = &vec->msg[slot];
	struct dp_flow flow;

	if (verdict != COAP_OK) {
		dp_drop(w, vec, slot, DP_STAT_drop_coap_format);
		return;
	}
	unsigned owner = DP_MID_WORKER_NONE;

	if (msg->code == COAP_EMPTY)
		owner = msg->type == COAP_RST && w->observations
			? dp_mid_worker_any(w->mids, msg->mid)
			: dp_mid_worker(w->mids, msg->mid);
	if (owner == DP_MID_WORKER_NONE) {
		dp_drop(w, vec, slot, DP_STAT_drop_coap_ack);
		return;
	}
	pkt_flow(vec, slot, &flow);
	enum dp_stat end = owner == w->id ? dp_separate_acked(w, &flow, msg->type, msg->mid)
					  : dp_handoff_ack(w, &flow, msg->type, msg->mid, owner);

	dp_count(w, end);
	if (end == DP_STAT_drop_coap_ack || end == DP_STAT_drop_handoff_full)
		dp_refused(w, vec, slot, end);
}

// Parses a message of any kind. False unless it is a request that names a context, and has been
// counted then.
static bool parse_any(struct dp_worker *w, struct pkt_vec *vec, unsigned slot)
{
	struct coap_msg *msg = &vec->msg[slot];
	struct osc_option *option = &vec->option[slot];
	const uint8_t *coap =
		rte_pktmbuf_mtod_offset(vec->mbuf[slot], const uint8_t *, vec->net[slot].coap_off);
	enum coap_verdict verdict;

	msg->type = COAP_RST; // in case the message is too short to have a type
	verdict = coap_msg_parse_max(msg, coap, vec->net[slot].coap_len, DP_OUTER_OPTIONS_MAX);
	if (verdict == COAP_BAD_VERSION) {
		dp_drop(w, vec, slot, DP_STAT_drop_coap_version);
		return false;
	}
	if (msg->type == COAP_ACK || msg->type == COAP_RST) {
		receive_ack(w, vec, slot, verdict);
		return false;
	}
	if (verdict != COAP_OK) {
		dp_unprotected_reject(w, vec, slot,
			verdict == COAP_MANY_OPTIONS ? DP_STAT_drop_many_options
						     : DP_STAT_drop_coap_format);
		return false;
	}
	if (msg->code == COAP_EMPTY && msg->type == COAP_CON) {
		dp_unprotected_rst(w, vec, slot, DP_STAT_rx_pings);
		return false;
	}
	if (msg->code == COAP_EMPTY || COAP_CODE_CLASS(msg->code) != 0) {
		dp_unprotected_reject(w, vec, slot, DP_STAT_drop_coap_code);
		return false;
	}
	const struct coap_body *body = &msg->body;

	if (!body->oscore) {
		if (!dp_slow_edhoc(w, vec, slot))
			dp_unprotected_error(w, vec, slot, w->policy->verbose_errors,
				COAP_UNAUTHORIZED, "OSCORE required", DP_STAT_drop_no_oscore);
		return false;
	}
	if (body->has_block) {
		// A fragment of a message (RFC 8613 section 4.1.3.4.2), whose tag is in the last
		// one: it would count as a forgery.
		dp_unprotected_error(w, vec, slot, w->policy->verbose_errors, COAP_BAD_OPTION,
			"No blocks outside OSCORE", DP_STAT_drop_outer_block);
		return false;
	}
	if (body->oscore_count != 1 ||
		osc_option_parse(option, body->oscore, body->oscore_len) != OSC_OPTION_OK ||
		!option->piv_len || !option->has_kid) {
		dp_unprotected_error(w, vec, slot, w->policy->verbose_errors, COAP_BAD_OPTION,
			"Failed to decode COSE", DP_STAT_drop_oscore_option);
		return false;
	}
	if (body->has_edhoc) {
		// Critical: it says that the payload is not ciphertext alone (RFC 9668 section
		// 3.2), so nothing can be opened here.
		if (!dp_slow_combined(w, vec, slot))
			dp_unprotected_error(w, vec, slot, w->policy->verbose_errors,
				COAP_BAD_OPTION, "EDHOC is not supported", DP_STAT_drop_edhoc);
		return false;
	}
	if (!body->payload) {
		dp_unprotected_error(w, vec, slot, w->policy->verbose_errors, COAP_BAD_REQUEST,
			"No ciphertext", DP_STAT_drop_no_ciphertext);
		return false;
	}
	return true;
}

// A message with a name that no device has. True if it ends with the slow path, which is for those
// with a kid context, or is passed through. Strangers send many that are neither.
static inline __attribute__((always_inline)) bool is_of_others(
	struct dp_worker *w, struct pkt_vec *vec, unsigned slot)
{
	if (likely(!vec->option[slot].has_kid_context && !w->policy->pass))
		return false;
	return dp_slow_unknown(w, vec, slot) || (w->policy->pass && dp_pass_take(w, vec, slot));
}

// Ends a message with a name that no device has.
static inline __attribute__((always_inline)) void end_unknown(
	struct dp_worker *w, const struct pkt_vec *vec, unsigned slot)
{
	bool told = w->policy->verbose_errors;

	if (unlikely(w->slow && w->slow->edhoc_len &&
		    vec->option[slot].kid_len == w->slow->edhoc_len))
		told = told || dp_slow_tells(w, vec, slot);
	dp_unprotected_error(w, vec, slot, told, COAP_UNAUTHORIZED, "Security context not found",
		DP_STAT_drop_unknown_context);
}

static bool parse_one(struct dp_worker *w, struct pkt_vec *vec, unsigned slot)
{
	const struct osc_option *option = &vec->option[slot];
	const uint8_t *coap =
		rte_pktmbuf_mtod_offset(vec->mbuf[slot], const uint8_t *, vec->net[slot].coap_off);
	const bool usual = w->fast_paths &&
		osc_request_usual(
			&vec->msg[slot], &vec->option[slot], coap, vec->net[slot].coap_len);

	if (unlikely(!usual) && !parse_any(w, vec, slot))
		return false;
	if (!dp_context_possible(w->contexts, option->kid_len, option->has_kid_context,
		    option->kid_context_len)) {
		if (is_of_others(w, vec, slot))
			return false;
		end_unknown(w, vec, slot);
		return false;
	}
	if (likely(usual && !option->has_kid_context))
		dp_context_key_short(&vec->key[slot], option->kid, option->kid_len);
	else
		dp_context_key_make(w->contexts, &vec->key[slot], option->kid, option->kid_len,
			option->has_kid_context, option->kid_context, option->kid_context_len);
	return true;
}

// The look-up comes when the whole burst is parsed: until then the line that it reads is fetched.
static bool look_ahead(struct dp_worker *w, struct pkt_vec *vec, unsigned slot)
{
	const struct dp_names *names = &w->contexts->names;

	vec->name[slot] = dp_names_hash(names, &vec->key[slot]);
	dp_names_prefetch(names, vec->name[slot]);
	return true;
}

void dp_parse(struct dp_worker *w, struct pkt_vec *vec)
{
	VEC_FILTER(vec, slot, parse_one(w, vec, slot) && look_ahead(w, vec, slot));
}

static void context_prefetch(const struct dp_worker *w, uint32_t index)
{
	if (index == DP_INDEX_NONE)
		return;
	rte_prefetch0(&w->contexts->context[index]);
	rte_prefetch0(&w->contexts->context[index].window);
}

// Finds whom the names are of. Those that their home does not answer wait for one line more.
static void names_find(const struct dp_worker *w, const struct pkt_vec *vec, uint32_t *index)
{
	const struct dp_names *names = &w->contexts->names;
	uint8_t far[DP_BURST];
	unsigned count = 0;

	for (unsigned i = 0; i < vec->n; i++) {
		uint64_t name = vec->name[vec->live[i]];

		index[i] = dp_names_near(names, name);
		if (unlikely(index[i] == DP_NAME_FAR)) {
			dp_names_prefetch_far(names, name);
			far[count++] = i;
			continue;
		}
		context_prefetch(w, index[i]);
	}
	for (unsigned k = 0; k < count; k++) {
		unsigned i = far[k], slot = vec->live[i];

		index[i] = dp_names_far(names, &vec->key[slot], vec->name[slot]);
		context_prefetch(w, index[i]);
	}
}

void dp_lookup(struct dp_worker *w, struct pkt_vec *vec)
{
	uint32_t index[DP_BURST];
	unsigned kept = 0;

	names_find(w, vec, index);
	for (unsigned i = 0; i < vec->n; i++) {
		unsigned slot = vec->live[i];
		const struct dp_context *ctx = NULL;
		uint32_t generation = 0;

		if (index[i] != DP_INDEX_NONE) {
			ctx = &w->contexts->context[index[i]];
			generation = dp_context_live(ctx);
		}
		if (!generation) {
			if (is_of_others(w, vec, slot))
				continue;
			end_unknown(w, vec, slot);
			continue;
		}
		uint8_t owner = dp_context_owner(ctx);

		if (owner == DP_OWNER_MAIN) {
			dp_drop(w, vec, slot, DP_STAT_drop_context_gone);
			continue;
		}
		int plaintext_len = osc_plaintext_len(ctx->alg, vec->msg[slot].body.payload_len);

		if (plaintext_len < 0) {
			dp_unprotected_error(w, vec, slot, w->policy->verbose_errors,
				COAP_BAD_REQUEST, "No ciphertext", DP_STAT_drop_no_ciphertext);
			continue;
		}
		vec->context[slot] = index[i];
		vec->generation[slot] = generation;
		vec->plaintext_len[slot] = plaintext_len;
		vec->foreign[slot] = owner != w->id && owner != DP_OWNER_NONE;
		vec->copy[slot] = false;
		vec->live[kept++] = slot;
	}
	vec->n = kept;
}

// Tags that did not verify, in whichever worker and whoever owns the context: an attacker chooses
// where packets arrive. The counts are in a line that good packets do not touch, and packets in a
// row are one write to it.
static void forged(struct dp_worker *w, const struct pkt_vec *vec, const uint8_t *slots, unsigned n)
{
	for (unsigned i = 0, run; i < n; i += run) {
		uint32_t index = vec->context[slots[i]];
		uint32_t generation = vec->generation[slots[i]];

		for (run = 1; i + run < n; run++)
			if (vec->context[slots[i + run]] != index ||
				vec->generation[slots[i + run]] != generation)
				break;
		dp_limit_forged(w, index, generation, run);
	}
}

void dp_open(struct dp_worker *w, struct pkt_vec *vec)
{
	uint8_t slots[DP_BURST];
	bool ok[DP_BURST];
	uint32_t algs = 0;
	uint8_t flags = 0;
	unsigned first = 0;

	for (unsigned i = 0; i < vec->n; i++) {
		const struct dp_context *ctx = &w->contexts->context[vec->context[vec->live[i]]];

		algs |= 1 << ctx->alg;
		flags |= ctx->flags;
	}
	if (flags & DP_CONTEXT_OWN_PIV_PLAIN)
		dp_strangers(w, vec);
	for (; algs; algs &= algs - 1) {
		enum aead_alg alg = __builtin_ctz(algs);
		struct aead_op *ops = &vec->op[first];
		unsigned n = 0;

		for (unsigned i = 0; i < vec->n; i++) {
			unsigned slot = vec->live[i];
			const struct dp_context *ctx = &w->contexts->context[vec->context[slot]];
			const struct osc_option *option = &vec->option[slot];
			uint8_t *payload = (uint8_t *)(uintptr_t)vec->msg[slot].body.payload;

			if (ctx->alg != alg)
				continue;
			const struct osc_id_piv request = {
				option->kid, option->kid_len, option->piv};
			const struct osc_op_input input = {
				.alg = alg,
				.key = dp_context_recipient_key(w->contexts, ctx),
				.common_iv = ctx->common_iv,
				.request = request,
				.nonce = request,
				.in = payload,
				.out = payload,
				.len = vec->plaintext_len[slot],
			};

			osc_op_prepare(&ops[n], vec->aad[slot], &input);
			vec->op_of[slot] = first + n;
			slots[n++] = slot;
		}
		first += n;
		aead_open_batch(w->engine, alg, ops, n);
		for (unsigned i = 0; i < n; i++) {
			ok[slots[i]] = ops[i].result == AEAD_OK;
			vec->opened[slots[i]] = true;
		}
	}
	unsigned kept = 0, failed = 0;

	for (unsigned i = 0; i < vec->n; i++) {
		unsigned slot = vec->live[i];

		if (ok[slot]) {
			vec->live[kept++] = slot;
			continue;
		}
		slots[failed++] = slot;
		dp_unprotected_error(w, vec, slot, w->policy->verbose_errors, COAP_BAD_REQUEST,
			"Decryption failed", DP_STAT_drop_tag);
	}
	vec->n = kept;
	forged(w, vec, slots, failed);
}
