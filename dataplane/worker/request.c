// SPDX-License-Identifier: BSD-3-Clause

#include "dataplane/worker/request.h"

#include "base/bytes.h"
#include "dataplane/coap/block.h"
#include "dataplane/shared/bucket.h"
#include "dataplane/worker/access.h"
#include "dataplane/worker/answer.h"
#include "dataplane/worker/cached.h"
#include "dataplane/worker/challenge.h"
#include "dataplane/worker/exchanges.h"
#include "dataplane/worker/fresh.h"
#include "dataplane/worker/in_place.h"
#include "dataplane/worker/inner.h"
#include "dataplane/worker/observe.h"
#include "dataplane/worker/refused.h"
#include "dataplane/worker/room.h"
#include "dataplane/worker/send.h"

#include <assert.h>

#define DP_RETRY_SECONDS 5 // least Max-Age of 5.03, up to twice as much
#define SLOW_SECONDS     2 // the same of 4.29 to a device with too much under way
#define FRESH_SECONDS    1 // the same to one that does not answer its challenges

// The only way to an answer of this file: No-Response holds for all of them (RFC 7967).
static struct pkt_answer *answer_to(struct dp_worker *w, struct pkt_vec *vec, unsigned slot,
	const struct request_options *options)
{
	struct pkt_answer *answer = dp_answer_to_slot(w, vec, slot);

	answer->no_response = options->no_response;
	return answer;
}

// Whether it is a copy of a request that was answered: it ends here, as only an answer that is made
// of nothing but the request can be the same again. What was counted of the request, logged, and
// taken from its device was so when it was taken in.
static bool answered_otherwise(struct dp_worker *w, const struct pkt_vec *vec, unsigned slot)
{
	if (likely(!vec->again[slot]))
		return false;
	dp_drop(w, vec, slot, DP_STAT_drop_duplicate_differs);
	return true;
}

// Counts an error that the worker answers with, and has it logged.
static void error_made(struct dp_worker *w, const struct pkt_vec *vec, unsigned slot,
	const struct pkt_answer *answer)
{
	dp_count(w, DP_STAT_answers_error);
	if (unlikely(w->access)) {
		struct dp_access_record record;

		dp_access_request(w, vec, slot, &record);
		dp_access_answer(w, &record, answer->plaintext[0], answer->plaintext_len);
	}
}

static void answer_error(struct dp_worker *w, struct pkt_vec *vec, unsigned slot,
	const struct request_options *options, uint8_t code, uint32_t max_age,
	const char *diagnostic)
{
	if (answered_otherwise(w, vec, slot))
		return;
	struct pkt_answer *answer = answer_to(w, vec, slot, options);

	dp_answer_error(w, answer, code, max_age, diagnostic);
	error_made(w, vec, slot, answer);
}

// Spreads the retries of devices: once to twice as many seconds.
static uint32_t retry_after(struct dp_worker *w, uint32_t seconds)
{
	return seconds + dp_jitter(w, seconds + 1);
}

// A protected 5.03.
static void answer_busy(struct dp_worker *w, struct pkt_vec *vec, unsigned slot,
	const struct request_options *options)
{
	answer_error(w, vec, slot, options, COAP_SERVICE_UNAVAILABLE,
		retry_after(w, DP_RETRY_SECONDS), NULL);
}

// Takes a request from the rate of its device: 0, or the seconds after which there is room for the
// next one.
static uint32_t rate_take(const struct dp_worker *w, struct dp_context *ctx)
{
	const struct dp_policy *policy = w->policy;
	uint32_t now = dp_bucket_now(w->now_ms);

	if (likely(!policy->rate_cost) ||
		dp_bucket_take(&ctx->rate_at, now, policy->rate_fill, policy->rate_cost))
		return 0;
	uint32_t wait = dp_bucket_missing(ctx->rate_at, now, policy->rate_fill) +
		policy->rate_cost - policy->rate_fill;

	return (wait + 1000 * DP_BUCKET_PER_MS - 1) / (1000 * DP_BUCKET_PER_MS);
}

// Whether a device has as much under way as it may.
static bool in_flight_full(const struct dp_worker *w, const struct dp_context *ctx)
{
	unsigned most = dp_context_max_in_flight(ctx);

	if (!most)
		most = w->policy->max_in_flight;
	return most && ctx->in_flight_count >= RTE_MIN(most, w->in_flight_most);
}

// Makes the answer of /echo in front of the payload that the request brought: code, format and
// payload are all from there. false: the device does not take so large a one.
static bool echo_payload(struct dp_worker *w, const struct pkt_vec *vec, unsigned slot,
	const struct request_options *options, uint8_t code, const struct coap_body *body,
	const uint8_t **plaintext, uint16_t *len)
{
	const struct dp_context *ctx = &w->contexts->context[vec->context[slot]];
	uint8_t head[8];
	struct coap_writer writer;

	coap_writer_init(&writer, head, sizeof(head));
	coap_write_code(&writer, code);
	if (options->has_content_format)
		coap_write_option_uint(&writer, COAP_OPT_CONTENT_FORMAT, options->content_format);
	size_t head_len = coap_writer_len(&writer);

	head[head_len++] = COAP_PAYLOAD_MARK;
	if (body->payload_len > dp_payload_max(dp_max_message(w, ctx)) ||
		head_len + body->payload_len > dp_response_max(w, vec->mbuf[slot]->port,
						       vec->net[slot].family,
						       vec->msg[slot].token_len, ctx))
		return false;
	uint8_t *start = (uint8_t *)(uintptr_t)body->payload - head_len;

	memcpy(start, head, head_len);
	*plaintext = start;
	*len = head_len + body->payload_len;
	return true;
}

// The answer is made of nothing but the request, so that a copy gets the same. Returns its code.
static uint8_t answer_builtin(struct dp_worker *w, struct pkt_vec *vec, unsigned slot,
	const struct request_options *options, const struct dp_route *route, uint8_t code,
	const struct coap_body *body)
{
	struct dp_access_record record;
	bool echo = route->target == DP_TARGET_ECHO;
	bool get = code == COAP_GET || code == COAP_FETCH;
	bool again = vec->again[slot], access = unlikely(w->access) && !again;
	uint8_t answered = echo && get ? COAP_CONTENT : COAP_CHANGED;
	const uint8_t *plaintext = &answered;
	uint16_t len = 1;
	bool refused = false;

	if (access)
		dp_access_request(w, vec, slot, &record);
	if (echo && body->payload &&
		!echo_payload(w, vec, slot, options, answered, body, &plaintext, &len)) {
		dp_stat_add(&w->stats, DP_STAT_answers_oversize, !again);
		// What else was asked is done; only its payload is not repeated.
		refused = get;
	}
	dp_stat_add(&w->stats, DP_STAT_answers_builtin, !again);
	if (likely(!refused && !options->no_response && dp_in_place_possible(w, vec, slot))) {
		dp_in_place_add(w, vec, slot, plaintext, len);
	} else {
		struct pkt_answer *answer = answer_to(w, vec, slot, options);

		answer->plaintext = plaintext;
		if (plaintext == &answered)
			answer->plaintext =
				memcpy(w->batch.plaintext[answer - w->batch.answer], &answered, 1);
		answer->plaintext_len = len;
		answer->deterministic = true;
		if (refused)
			dp_answer_error(w, answer, COAP_INTERNAL_SERVER_ERROR, 0, DP_TOO_LARGE);
		len = answer->plaintext_len;
		answered = *answer->plaintext;
	}
	if (access)
		dp_access_answer(w, &record, answered, len);
	return answered;
}

// As struct dp_request has it.
static uint32_t echo_age(const struct dp_worker *w, const struct pkt_vec *vec, unsigned slot,
	const struct dp_inner *inner)
{
	uint64_t age_ms = dp_fresh_age(w, vec, slot, inner);

	return age_ms == DP_ECHO_NONE ? 0 : (uint32_t)(age_ms / 1000 + 1);
}

// Whether a request has not shown to be as young as its route asks for.
static bool is_stale(const struct dp_worker *w, const struct pkt_vec *vec, unsigned slot,
	const struct dp_inner *inner, const struct dp_route *route)
{
	return unlikely(route->fresh_ms) && dp_fresh_age(w, vec, slot, inner) > route->fresh_ms;
}

// Whether Observe has a meaning here: not with a later block of the answer (RFC 7959 section 2.6).
static bool asks_to_observe(const struct dp_inner *inner, const struct dp_route *route)
{
	return inner->options.observe && route->observe && !inner->options.later_block &&
		(inner->code == COAP_GET || inner->code == COAP_FETCH);
}

// Copies a request into both halves of its exchange.
static void exchange_fill(struct dp_worker *w, const struct pkt_vec *vec, unsigned slot,
	const struct dp_inner *inner, uint32_t index)
{
	const int route = inner->route;
	const struct coap_msg *msg = &vec->msg[slot];
	const struct osc_option *option = &vec->option[slot];
	const struct dp_context *ctx = &w->contexts->context[vec->context[slot]];
	const uint8_t *plaintext = msg->body.payload;
	uint16_t body_len = vec->plaintext_len[slot] - 1;
	struct dp_exchange *x = &w->exchanges->worker_half[index];
	struct dp_shared *shared = dp_exchange_shared(w->exchanges, index);
	uint8_t *buf = dp_shared_request_buf(shared);

	dp_frame_flow(vec->mbuf[slot], &vec->net[slot], &x->flow);
	x->piv = option->piv;
	x->context = vec->context[slot];
	x->context_generation = vec->generation[slot];
	x->mid = msg->mid;
	x->type = msg->type;
	x->away = vec->from != w->id;
	x->kid_len = option->kid_len;
	// The mask is for the compiler: no kid is longer.
	bytes_copy(x->kid, option->kid, option->kid_len & OSC_KID_LEN_MAX);
	x->tag_len = aead_algs[ctx->alg].tag_len;
	bytes_copy(x->tag, pkt_tag(vec, slot, x->tag_len), x->tag_len);
	x->no_response = inner->options.no_response;
	x->observe = unlikely(inner->options.observe == DP_OBSERVE_REGISTER) &&
		asks_to_observe(inner, &w->policy->routes[route]);
	x->observed = false;
	if (likely(w->fast_paths && vec->op_of[slot] != DP_OP_NONE))
		osc_opened_keep(&x->opened, &vec->op[vec->op_of[slot]]);
	else
		x->opened.aad[0] = x->opened.aad[1] = 0;

	bytes_copy(buf, msg->token, msg->token_len);
	memcpy(buf + msg->token_len, plaintext + 1, body_len);
	shared->abandoned = 0;
	shared->response = (struct dp_response){0};
	shared->request = (struct dp_request){
		.piv = option->piv,
		.fingerprint = ctx->fingerprint,
		.received_ms = w->now_ms,
		.received_tsc = w->now_tsc,
		.deadline_ms = w->now_ms + w->policy->routes[route].timeout_ms,
		.context = x->context,
		.context_generation = x->context_generation,
		.route = route,
		.route_slot = w->policy->routes[route].slot,
		.snapshot = w->policy->number,
		.permit = dp_context_permit(ctx),
		.response_max =
			dp_response_max(w, x->flow.port_id, x->flow.family, msg->token_len, ctx),
		.payload_max = dp_payload_max(dp_max_message(w, ctx)),
		.remote_port = rte_be_to_cpu_16(x->flow.remote_port),
		.token_len = msg->token_len,
		.body_len = body_len,
		.code = plaintext[0],
		.family = x->flow.family,
		.traced = w->tracing,
		.stale = is_stale(w, vec, slot, inner, &w->policy->routes[route]),
		.echo_age = unlikely(inner->options.has_echo) ? echo_age(w, vec, slot, inner) : 0,
	};
	memcpy(shared->request.remote_addr, x->flow.remote_addr, 16);
}

// The loop that a request goes to: all of a route may have one home.
static unsigned loop_of(const struct dp_worker *w, const struct dp_route *route, uint32_t context)
{
	return unlikely(route->home) ? route->home - 1u : dp_loop_of(context, w->loop_count);
}

// Hands a request to an upstream loop. Returns 0, or the code of the error that it is answered
// with.
static uint8_t dispatch(
	struct dp_worker *w, struct pkt_vec *vec, unsigned slot, const struct dp_inner *inner)
{
	const struct request_options *options = &inner->options;
	const struct coap_msg *msg = &vec->msg[slot];
	const struct dp_context *ctx = &w->contexts->context[vec->context[slot]];
	uint16_t body_len = vec->plaintext_len[slot] - 1;

	if (answered_otherwise(w, vec, slot))
		return 0;
	if (msg->token_len + body_len > w->exchanges->shared.data_room) {
		// The port handed us a packet beyond its MTU.
		answer_error(w, vec, slot, options, COAP_REQUEST_ENTITY_TOO_LARGE, 0, NULL);
		return COAP_REQUEST_ENTITY_TOO_LARGE;
	}
	if (in_flight_full(w, ctx)) {
		dp_count(w, DP_STAT_in_flight_refused);
		answer_error(w, vec, slot, options, COAP_TOO_MANY_REQUESTS,
			retry_after(w, SLOW_SECONDS), NULL);
		return COAP_TOO_MANY_REQUESTS;
	}
	uint32_t index = dp_exchange_obtain(w);

	if (index == DP_INDEX_NONE) {
		dp_count(w, DP_STAT_exchange_none_free);
		answer_busy(w, vec, slot, options);
		return COAP_SERVICE_UNAVAILABLE;
	}
	exchange_fill(w, vec, slot, inner, index);
	const struct dp_shared *shared = dp_exchange_shared(w->exchanges, index);
	dp_handle handle = dp_handle_make(index, shared->generation);
	const struct dp_route *route = &w->policy->routes[inner->route];
	struct dp_worker_loop *loop = &w->loop[loop_of(w, route, vec->context[slot])];
	uint64_t due_ms = shared->request.deadline_ms;

	if (rte_ring_sp_enqueue_elem(loop->port->requests, &handle, sizeof(handle))) {
		dp_exchange_end(w, index);
		dp_count(w, DP_STAT_upstream_full);
		answer_busy(w, vec, slot, options);
		return COAP_SERVICE_UNAVAILABLE;
	}
	loop->ring = true;
	dp_exchange_to(&w->exchanges->worker_half[index], DP_EXCHANGE_HELD);
	dp_in_flight_add(w->in_flight, index);
	if (msg->type == COAP_CON)
		due_ms = RTE_MIN(due_ms, w->now_ms + DP_ACK_AFTER(w->ack_timeout_ms));
	dp_wheel_insert(&w->wheel, w->exchanges, index, due_ms);
	dp_count(w, DP_STAT_exchanges_started);
	return 0;
}

// Reads a request. Returns whether there is one to be performed; if not, it was refused.
static bool request_read(
	struct dp_worker *w, struct pkt_vec *vec, unsigned slot, struct dp_inner *inner)
{
	const struct coap_msg *msg = &vec->msg[slot];
	const uint8_t *plaintext = msg->body.payload;
	uint16_t len = vec->plaintext_len[slot];
	struct dp_context *ctx = &w->contexts->context[vec->context[slot]];
	uint32_t too_fast_s = likely(!vec->again[slot]) ? rate_take(w, ctx) : 0;
	const struct dp_inner_rules rules = dp_inner_rules_of(w->policy, ctx);

	if (likely(w->fast_paths && !too_fast_s) &&
		dp_inner_read_usual(inner, &rules, &msg->body, plaintext, len))
		return true;
	struct request_verdict verdict =
		dp_inner_read(inner, &rules, &msg->body, msg->type, plaintext, len);

	if (verdict.silent) {
		if (!answered_otherwise(w, vec, slot))
			dp_count(w, DP_STAT_requests_rejected);
		return false;
	}
	if (too_fast_s && !verdict.malformed) {
		dp_count(w, DP_STAT_rate_refused);
		answer_error(
			w, vec, slot, &inner->options, COAP_TOO_MANY_REQUESTS, too_fast_s, NULL);
		return false;
	}
	if (verdict.code)
		answer_error(w, vec, slot, &inner->options, verdict.code, 0, verdict.diagnostic);
	return !verdict.code;
}

// Whether a builtin cannot answer as the Block options say: it takes no parts of a body and sends
// none.
static bool needs_blocks(const struct request_options *options, const struct dp_route *route,
	const struct coap_body *body)
{
	if (options->has_block1 || options->later_block)
		return true;
	return options->szx != DP_SZX_NONE && route->target == DP_TARGET_ECHO &&
		body->payload_len > coap_block_size(options->szx);
}

// Whether it has a payload of a Content-Format that the route does not take. Those of GET and
// DELETE are ignored.
static bool is_of_other_format(const struct dp_inner *inner, const struct dp_route *route)
{
	const struct request_options *options = &inner->options;

	if (inner->code == COAP_GET || inner->code == COAP_DELETE)
		return false;
	if (!options->has_content_format)
		return inner->body.payload;
	for (unsigned i = 0; i < route->format_count; i++)
		if (route->formats[i] == options->content_format)
			return false;
	return true;
}

// Whether it begins something: not a copy of what was answered, and no further block of a body.
static bool begins(const struct pkt_vec *vec, unsigned slot, const struct dp_inner *inner)
{
	struct coap_option option;
	struct coap_block block;

	if (vec->again[slot] || inner->options.later_block)
		return false;
	return !inner->options.has_block1 ||
		!coap_option_find(&inner->body, COAP_OPT_BLOCK1, &option) ||
		!coap_block_read(&block, &option) || !block.num;
}

// Answers a request that did not show to be fresh. It was verified and accepted, so this is its one
// answer, under its own nonce. Returns its code.
static uint8_t answer_stale(struct dp_worker *w, struct pkt_vec *vec, unsigned slot,
	const struct request_options *options)
{
	if (!dp_fresh_take(w, vec->context[slot])) {
		dp_count(w, DP_STAT_fresh_refused);
		answer_error(w, vec, slot, options, COAP_TOO_MANY_REQUESTS,
			retry_after(w, FRESH_SECONDS), NULL);
		return COAP_TOO_MANY_REQUESTS;
	}
	struct pkt_answer *answer = dp_answer_to_slot(w, vec, slot);

	dp_challenge_write(w, answer, DP_ECHO_FRESH);
	dp_count(w, DP_STAT_fresh_challenges);
	error_made(w, vec, slot, answer);
	return COAP_UNAUTHORIZED;
}

// Whether a request may go to a route that asks for freshness. A copy is answered as it was.
static bool is_fresh(const struct dp_worker *w, const struct pkt_vec *vec, unsigned slot,
	const struct dp_inner *inner, const struct dp_route *route)
{
	return vec->again[slot] || !dp_fresh_due(inner) || !is_stale(w, vec, slot, inner, route);
}

// Does what the route says, or answers why not. Returns the code of the answer, 0 if an upstream
// loop has the request.
static uint8_t perform(struct dp_worker *w, struct pkt_vec *vec, unsigned slot,
	const struct dp_inner *inner, const struct dp_route *route)
{
	const uint32_t drain_s = __atomic_load_n(&w->drain_s, __ATOMIC_RELAXED);

	if (unlikely(drain_s) && begins(vec, slot, inner)) {
		dp_count(w, DP_STAT_drain_refused);
		answer_error(w, vec, slot, &inner->options, COAP_SERVICE_UNAVAILABLE,
			retry_after(w, drain_s), NULL);
		return COAP_SERVICE_UNAVAILABLE;
	}
	if (unlikely(route->format_count) && is_of_other_format(inner, route)) {
		answer_error(w, vec, slot, &inner->options, COAP_UNSUPPORTED_CONTENT_FORMAT, 0,
			route->formats_say);
		return COAP_UNSUPPORTED_CONTENT_FORMAT;
	}
	if (route->low_priority && w->overload.rung >= DP_RUNG_LOW) {
		dp_stat_add(&w->stats, DP_STAT_overload_refused, !vec->again[slot]);
		answer_busy(w, vec, slot, &inner->options);
		return COAP_SERVICE_UNAVAILABLE;
	}
	if (unlikely(route->fresh_ms) && !is_fresh(w, vec, slot, inner, route))
		return answer_stale(w, vec, slot, &inner->options);
	if (unlikely(route->cache_id)) {
		bool ends = false;
		uint8_t code = unlikely(asks_to_observe(inner, route))
			? dp_observe(w, vec, slot, inner, route, &ends)
			: 0;

		if (!code && !ends)
			code = dp_cached(w, vec, slot, inner, route);
		if (code)
			return code;
	}
	if (route->target == DP_TARGET_UPSTREAM ||
		(route->target == DP_TARGET_CORE && !inner->options.has_block1))
		return dispatch(w, vec, slot, inner);
	if (unlikely(needs_blocks(&inner->options, route, &inner->body))) {
		answer_error(w, vec, slot, &inner->options, COAP_BAD_OPTION, 0,
			"Block-wise transfer is not supported here");
		return COAP_BAD_OPTION;
	}
	return answer_builtin(w, vec, slot, &inner->options, route, inner->code, &inner->body);
}

static void request_one(struct dp_worker *w, struct pkt_vec *vec, unsigned slot)
{
	struct dp_inner inner;

	assert(vec->opened[slot] && vec->plaintext_len[slot]);
	if (!request_read(w, vec, slot, &inner))
		return;
	// Before the routes, which are none of its business then.
	if (unlikely(inner.forbidden) &&
		dp_context_permit(&w->contexts->context[vec->context[slot]]) == DP_PERMIT_OVER) {
		dp_stat_add(&w->stats, DP_STAT_session_over, !vec->again[slot]);
		answer_error(
			w, vec, slot, &inner.options, COAP_UNAUTHORIZED, 0, "The session is over");
		return;
	}
	if (unlikely(inner.forbidden)) {
		dp_stat_add(&w->stats, DP_STAT_policy_refused, !vec->again[slot]);
		answer_error(w, vec, slot, &inner.options, COAP_FORBIDDEN, 0,
			"Not allowed by the policy of the device");
		return;
	}
	if (inner.route < 0) {
		answer_error(w, vec, slot, &inner.options,
			inner.route == DP_ROUTE_METHOD ? COAP_METHOD_NOT_ALLOWED : COAP_NOT_FOUND,
			0, NULL);
		return;
	}
	const struct dp_route *route = &w->policy->routes[inner.route];
	uint8_t code = perform(w, vec, slot, &inner, route);

	if (unlikely(vec->again[slot])) // counted when it was taken in
		return;
	struct dp_route_stats *stats = &w->route_stats[route->slot];

	dp_route_count(&stats->requests);
	if (code)
		dp_route_count(&stats->answers[dp_answer_class(code)]);
}

void dp_request(struct dp_worker *w, struct pkt_vec *vec)
{
	for (unsigned i = 0; i < vec->n; i++)
		request_one(w, vec, vec->live[i]);
}
