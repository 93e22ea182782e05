// SPDX-License-Identifier: BSD-3-Clause

#include "dataplane/worker/request.h"

#include "dataplane/coap/path.h"
#include "dataplane/shared/bucket.h"
#include "dataplane/worker/access.h"
#include "dataplane/worker/answer.h"
#include "dataplane/worker/exchanges.h"
#include "dataplane/worker/send.h"

#include <assert.h>

#define DP_RETRY_SECONDS 5 // least Max-Age of 5.03, up to twice as much
#define SLOW_SECONDS     2 // the same of 4.29 to a device with too much under way

// What the worker itself must know of the options.
struct request_options {
	uint8_t no_response;
	bool has_content_format;
	bool bad_path;
	uint32_t content_format;
	struct dp_path path;
};

// Spares the room of the segments.
static void request_options_init(struct request_options *options)
{
	options->no_response = 0;
	options->has_content_format = false;
	options->bad_path = false;
	options->path.count = 0;
}

// What to do with a request; code 0: go on.
struct request_verdict {
	uint8_t code;
	const char *diagnostic;
	bool silent; // answer nothing
};

static const struct request_verdict go_on;

static struct request_verdict refuse(uint8_t code, const char *diagnostic)
{
	return (struct request_verdict){.code = code, .diagnostic = diagnostic};
}

// RFC 8768 section 3.
static struct request_verdict check_hop_limit(const struct coap_option *option)
{
	if (option->len != 1 || option->value[0] == 0)
		return refuse(COAP_BAD_REQUEST, "Bad Hop-Limit");
	return option->value[0] == 1 ? refuse(COAP_HOP_LIMIT_REACHED, "postern") : go_on;
}

// Options of the outer message. Class E ones and unknown ones are discarded there (RFC 8613
// section 8.2 step 1); what is left are those meant for proxies.
static struct request_verdict check_outer(const struct coap_body *body)
{
	struct request_verdict verdict;
	struct coap_option_iter iter;
	struct coap_option option;

	if (body->option_count == body->oscore_count)
		return go_on;
	coap_option_iter_init(&iter, body);
	while (coap_option_next(&iter, &option)) {
		switch (option.number) {
		case COAP_OPT_PROXY_URI:
		case COAP_OPT_PROXY_SCHEME:
			return refuse(COAP_PROXYING_NOT_SUPPORTED, "No forward proxy here");
		case COAP_OPT_HOP_LIMIT:
			verdict = check_hop_limit(&option);
			if (verdict.code)
				return verdict;
			break;
		default:
			break;
		}
	}
	return go_on;
}

// An option that cannot be processed (RFC 7252 sections 5.4.1, 5.4.3 and 5.4.5): unknown, of a
// wrong length, or once too often. Elective ones are ignored.
static struct request_verdict unrecognised(const struct coap_option *option, uint8_t type)
{
	if (!COAP_OPT_IS_CRITICAL(option->number))
		return go_on;
	struct request_verdict verdict = refuse(COAP_BAD_OPTION, "Unrecognised critical option");

	verdict.silent = type == COAP_NON; // section 5.4.1: rejected
	return verdict;
}

static struct request_verdict check_option(
	const struct coap_option *option, bool again, uint8_t type, struct request_options *options)
{
	if (option->number == COAP_OPT_HOP_LIMIT) // of any length
		return check_hop_limit(option);
	if (!coap_option_known(option->number) ||
		!coap_option_len_ok(option->number, option->len) ||
		(again && !coap_option_repeatable(option->number)))
		return unrecognised(option, type);
	switch (option->number) {
	case COAP_OPT_OSCORE: // RFC 8613 section 4.1.3.7
		return refuse(COAP_BAD_OPTION, "OSCORE inside OSCORE");
	case COAP_OPT_PROXY_URI:
	case COAP_OPT_PROXY_SCHEME:
		return refuse(COAP_PROXYING_NOT_SUPPORTED, "No forward proxy here");
	case COAP_OPT_BLOCK1:
	case COAP_OPT_BLOCK2:
	case COAP_OPT_Q_BLOCK1:
	case COAP_OPT_Q_BLOCK2:
		return refuse(COAP_BAD_OPTION, "Block-wise transfer is not supported");
	case COAP_OPT_EDHOC: // not inside OSCORE, and not supported (RFC 9668 section 3.1)
		return unrecognised(option, type);
	case COAP_OPT_NO_RESPONSE:
		options->no_response = option->len ? option->value[0] : 0;
		break;
	case COAP_OPT_CONTENT_FORMAT:
		options->has_content_format = coap_option_uint(option, &options->content_format);
		break;
	case COAP_OPT_URI_PATH:
		// A segment behind an empty one: only the last one may be empty.
		options->bad_path |= !coap_segment_ok(option->value, option->len) ||
			(options->path.count &&
				!options->path.segment[options->path.count - 1].len) ||
			!dp_path_add(&options->path, option);
		break;
	default:
		break;
	}
	return go_on;
}

// The first option that is refused decides, but all are read: No-Response comes late and holds for
// the refusal too.
static struct request_verdict check_inner(
	const struct coap_body *body, uint8_t type, struct request_options *options)
{
	struct request_verdict first = go_on;
	struct coap_option_iter iter;
	struct coap_option option;
	uint32_t before = UINT32_MAX;

	coap_option_iter_init(&iter, body);
	while (coap_option_next(&iter, &option)) {
		struct request_verdict verdict =
			check_option(&option, option.number == before, type, options);

		before = option.number;
		if (!first.code)
			first = verdict;
	}
	return first;
}

// The only way to an answer of this file: No-Response holds for all of them (RFC 7967).
static struct pkt_answer *answer_to(struct dp_worker *w, struct pkt_vec *vec, unsigned slot,
	const struct request_options *options)
{
	struct pkt_answer *answer = dp_answer_to_slot(w, vec, slot);

	answer->no_response = options->no_response;
	return answer;
}

static void answer_error(struct dp_worker *w, struct pkt_vec *vec, unsigned slot,
	const struct request_options *options, uint8_t code, uint32_t max_age,
	const char *diagnostic)
{
	struct pkt_answer *answer = answer_to(w, vec, slot, options);

	dp_answer_error(w, answer, code, max_age, diagnostic);
	dp_count(w, DP_STAT_answers_error);
	if (unlikely(w->access)) {
		struct dp_access_record record;

		dp_access_request(w, vec, slot, &record);
		dp_access_answer(w, &record, answer);
	}
}

// Spreads the retries of devices: once to twice as many seconds.
static uint32_t retry_after(uint32_t seconds)
{
	uint32_t spread = (uint32_t)rte_rdtsc() * UINT32_C(0x9e3779b1) >> 16;

	return seconds + spread % (seconds + 1);
}

// A protected 5.03.
static void answer_busy(struct dp_worker *w, struct pkt_vec *vec, unsigned slot,
	const struct request_options *options)
{
	answer_error(w, vec, slot, options, COAP_SERVICE_UNAVAILABLE, retry_after(DP_RETRY_SECONDS),
		NULL);
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

// Largest response plaintext that fits one datagram with an own Partial IV, and that the device
// takes.
static uint16_t response_max(struct dp_worker *w, const struct dp_flow *flow, uint16_t token_len,
	const struct dp_context *ctx)
{
	// CoAP header with the longest token length, OSCORE option with flags, Partial IV and kid,
	// payload marker, tag.
	unsigned around = 4 + 2 + token_len + 2 + 1 + OSC_PIV_LEN_MAX + ctx->sender_id_len + 1 +
		aead_algs[ctx->alg].tag_len;
	unsigned headers = dp_frame_overhead(flow) - 14 - (flow->has_vlan ? 4 : 0);
	const struct dp_worker_port *port = dp_port_find(w, flow->port_id);
	unsigned mtu = port ? port->mtu : 0;
	unsigned room = headers < mtu ? mtu - headers : 0;

	room = RTE_MIN(room, dp_context_max_message(ctx));
	return around < room ? room - around : 0;
}

// Makes the answer of /echo in front of the payload that the request brought: code, format and
// payload are all from there. false: the device does not take so large a one.
static bool echo_payload(struct dp_worker *w, const struct pkt_answer *answer,
	const struct request_options *options, uint8_t code, const struct coap_body *body,
	uint8_t **start, uint16_t *len)
{
	const struct dp_context *ctx = &w->contexts->context[answer->context];
	uint8_t head[8];
	struct coap_writer writer;

	coap_writer_init(&writer, head, sizeof(head));
	coap_write_code(&writer, code);
	if (options->has_content_format)
		coap_write_option_uint(&writer, COAP_OPT_CONTENT_FORMAT, options->content_format);
	size_t head_len = coap_writer_len(&writer);

	head[head_len++] = COAP_PAYLOAD_MARK;
	*len = head_len + body->payload_len;
	if (body->payload_len > dp_payload_max(dp_context_max_message(ctx)) ||
		*len > response_max(w, answer->flow, answer->token_len, ctx))
		return false;
	*start = (uint8_t *)(uintptr_t)body->payload - head_len;
	memcpy(*start, head, head_len);
	return true;
}

static void answer_builtin(struct dp_worker *w, struct pkt_vec *vec, unsigned slot,
	const struct request_options *options, const struct dp_route *route, uint8_t code,
	const struct coap_body *body)
{
	struct pkt_answer *answer = answer_to(w, vec, slot, options);
	struct dp_access_record record;
	uint8_t *start = w->batch.plaintext[answer - w->batch.answer];
	bool echo = route->target == DP_TARGET_ECHO;
	bool get = code == COAP_GET || code == COAP_FETCH;
	uint8_t answered = echo && get ? COAP_CONTENT : COAP_CHANGED;

	if (unlikely(w->access))
		dp_access_request(w, vec, slot, &record);
	answer->plaintext = start;
	if (!echo || !body->payload) {
		start[0] = answered;
		answer->plaintext_len = 1;
	} else if (echo_payload(
			   w, answer, options, answered, body, &start, &answer->plaintext_len)) {
		answer->plaintext = start;
	} else if (get) {
		dp_count(w, DP_STAT_answers_oversize);
		dp_answer_error(w, answer, COAP_INTERNAL_SERVER_ERROR, 0, DP_TOO_LARGE);
	} else {
		// What was asked is done; only its payload is not repeated.
		dp_count(w, DP_STAT_answers_oversize);
		start[0] = answered;
		answer->plaintext_len = 1;
	}
	dp_count(w, DP_STAT_answers_builtin);
	if (unlikely(w->access))
		dp_access_answer(w, &record, answer);
}

// Copies a request into both halves of its exchange.
static void exchange_fill(struct dp_worker *w, const struct pkt_vec *vec, unsigned slot,
	const struct request_options *options, int route, uint32_t index)
{
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
	x->kid_len = option->kid_len;
	memcpy(x->kid, option->kid, option->kid_len);
	x->tag_len = aead_algs[ctx->alg].tag_len;
	memcpy(x->tag, pkt_tag(vec, slot, x->tag_len), x->tag_len);
	x->no_response = options->no_response;

	memcpy(buf, msg->token, msg->token_len);
	memcpy(buf + msg->token_len, plaintext + 1, body_len);
	shared->abandoned = 0;
	shared->response.len = 0;
	shared->request = (struct dp_request){
		.piv = option->piv,
		.fingerprint = ctx->fingerprint,
		.received_ms = w->now_ms,
		.deadline_ms = w->now_ms + w->policy->routes[route].timeout_ms,
		.context = x->context,
		.context_generation = x->context_generation,
		.route = route,
		.response_max = response_max(w, &x->flow, msg->token_len, ctx),
		.payload_max = dp_payload_max(dp_context_max_message(ctx)),
		.remote_port = rte_be_to_cpu_16(x->flow.remote_port),
		.token_len = msg->token_len,
		.body_len = body_len,
		.code = plaintext[0],
		.family = x->flow.family,
	};
	memcpy(shared->request.remote_addr, x->flow.remote_addr, 16);
}

static void dispatch(struct dp_worker *w, struct pkt_vec *vec, unsigned slot,
	const struct request_options *options, int route)
{
	const struct coap_msg *msg = &vec->msg[slot];
	const struct dp_context *ctx = &w->contexts->context[vec->context[slot]];
	uint16_t body_len = vec->plaintext_len[slot] - 1;

	if (msg->token_len + body_len > w->exchanges->shared.data_room) {
		// The port handed us a packet beyond its MTU.
		answer_error(w, vec, slot, options, COAP_REQUEST_ENTITY_TOO_LARGE, 0, NULL);
		return;
	}
	if (in_flight_full(w, ctx)) {
		dp_count(w, DP_STAT_in_flight_refused);
		answer_error(w, vec, slot, options, COAP_TOO_MANY_REQUESTS,
			retry_after(SLOW_SECONDS), NULL);
		return;
	}
	uint32_t index = dp_exchange_obtain(w);

	if (index == DP_INDEX_NONE) {
		dp_count(w, DP_STAT_exchange_none_free);
		answer_busy(w, vec, slot, options);
		return;
	}
	exchange_fill(w, vec, slot, options, route, index);
	const struct dp_shared *shared = dp_exchange_shared(w->exchanges, index);
	dp_handle handle = dp_handle_make(index, shared->generation);
	struct dp_worker_loop *loop = &w->loop[dp_loop_of(vec->context[slot], w->loop_count)];
	uint64_t due_ms = shared->request.deadline_ms;

	if (rte_ring_sp_enqueue_elem(loop->port->requests, &handle, sizeof(handle))) {
		dp_exchange_end(w, index);
		dp_count(w, DP_STAT_upstream_full);
		answer_busy(w, vec, slot, options);
		return;
	}
	loop->ring = true;
	dp_exchange_to(&w->exchanges->worker_half[index], DP_EXCHANGE_HELD);
	dp_in_flight_add(w->in_flight, index);
	if (msg->type == COAP_CON)
		due_ms = RTE_MIN(due_ms, w->now_ms + DP_ACK_AFTER(w->ack_timeout_ms));
	dp_wheel_insert(&w->wheel, w->exchanges, index, due_ms);
	dp_count(w, DP_STAT_exchanges_started);
}

static void request_one(struct dp_worker *w, struct pkt_vec *vec, unsigned slot)
{
	const uint8_t *plaintext = vec->msg[slot].body.payload;
	assert(vec->opened[slot] && vec->plaintext_len[slot]);
	uint8_t code = plaintext[0];
	struct request_options options;
	struct request_verdict verdict;
	struct coap_body body;
	uint32_t too_fast_s = rate_take(w, &w->contexts->context[vec->context[slot]]);
	enum coap_verdict parsed = coap_body_parse_max(
		&body, plaintext + 1, vec->plaintext_len[slot] - 1, DP_INNER_OPTIONS_MAX);

	request_options_init(&options);
	if (parsed == COAP_MANY_OPTIONS) {
		answer_error(w, vec, slot, &options, COAP_BAD_REQUEST, 0, "Too many options");
		return;
	}
	if (parsed != COAP_OK || code == COAP_EMPTY || COAP_CODE_CLASS(code) != 0) {
		answer_error(w, vec, slot, &options, COAP_BAD_REQUEST, 0, "Bad inner message");
		return;
	}
	verdict = check_inner(&body, vec->msg[slot].type, &options);
	if (!verdict.code)
		verdict = check_outer(&vec->msg[slot].body);
	if (!verdict.code && code > COAP_IPATCH)
		verdict = refuse(COAP_METHOD_NOT_ALLOWED, "Unknown method");
	if (!verdict.code && options.bad_path)
		verdict = refuse(COAP_BAD_REQUEST, "Bad Uri-Path");
	if (verdict.silent) {
		dp_count(w, DP_STAT_requests_rejected);
		return;
	}
	if (too_fast_s) {
		dp_count(w, DP_STAT_rate_refused);
		answer_error(w, vec, slot, &options, COAP_TOO_MANY_REQUESTS, too_fast_s, NULL);
		return;
	}
	if (verdict.code) {
		answer_error(w, vec, slot, &options, verdict.code, 0, verdict.diagnostic);
		return;
	}
	int route = dp_route_find(w->policy->index, &options.path, code);

	if (route == DP_ROUTE_NONE) {
		answer_error(w, vec, slot, &options, COAP_NOT_FOUND, 0, NULL);
	} else if (route == DP_ROUTE_METHOD) {
		answer_error(w, vec, slot, &options, COAP_METHOD_NOT_ALLOWED, 0, NULL);
	} else if (w->policy->routes[route].low_priority && w->overload.rung >= DP_RUNG_LOW) {
		dp_count(w, DP_STAT_overload_refused);
		answer_busy(w, vec, slot, &options);
	} else if (w->policy->routes[route].target == DP_TARGET_UPSTREAM) {
		dispatch(w, vec, slot, &options, route);
	} else {
		answer_builtin(w, vec, slot, &options, &w->policy->routes[route], code, &body);
	}
}

void dp_request(struct dp_worker *w, struct pkt_vec *vec)
{
	for (unsigned i = 0; i < vec->n; i++)
		request_one(w, vec, vec->live[i]);
}
