// SPDX-License-Identifier: BSD-3-Clause

#include "dataplane/worker/passthrough.h"

#include "base/bytes.h"
#include "dataplane/shared/bucket.h"
#include "dataplane/shared/memory.h"
#include "dataplane/shared/passthrough.h"
#include "dataplane/worker/exchanges.h"
#include "dataplane/worker/send.h"
#include "dataplane/worker/separate.h"
#include "dataplane/worker/unprotected.h"

#include <errno.h>

#define CIPHERTEXT_MIN    9      // a code, and the shortest tag
#define BUSY_MAX_AGE_S    5      // when a sender may try again that was told 5.03
#define SHOWN_MS          300000 // after which an endpoint is to show itself again
#define CHALLENGES_RATE   1000   // a second and worker
#define BURST_DIVISOR     4      // so much of a second's challenges may come at once
#define IN_FLIGHT_DIVISOR 8      // part of the exchanges that what is passed through may have
#define PREFIX_DIVISOR    4      // part of max_in_flight that one network may have
#define ECHO_CONTEXT      DP_INDEX_NONE // no device's: a value is of no use inside OSCORE

// What is known of a message.
struct passing {
	const struct dp_pass *pass;
	struct dp_flow flow;
	uint32_t context; // its share
	bool shown;
	struct dp_answer_key key; // by which copies are told
};

int dp_pass_init(struct dp_worker *w)
{
	w->pass = dp_map(sizeof(*w->pass), DP_MAP_LAZY);
	if (!w->pass)
		return -ENOMEM;
	keyed_hash_init(&w->pass->hash);
	return 0;
}

void dp_pass_free(struct dp_worker *w)
{
	dp_unmap(w->pass, sizeof(*w->pass));
	w->pass = NULL;
}

// ---- who sends

// A name of an endpoint that all workers make alike.
static uint64_t endpoint_name(const struct dp_worker *w, const struct dp_flow *flow)
{
	uint64_t name;

	_Static_assert(sizeof(name) == crypto_shorthash_BYTES, "a name is a hash");
	crypto_shorthash((uint8_t *)&name, (const uint8_t *)flow, DP_ENDPOINT_LEN, w->echo.key);
	return name;
}

bool dp_pass_is_shown(const struct dp_worker *w, const struct dp_flow *flow)
{
	const uint64_t name = endpoint_name(w, flow);
	const unsigned at = name % DP_PASS_SHOWN;

	return w->pass->shown[at].endpoint == name && w->now_ms < w->pass->shown[at].until_ms;
}

void dp_pass_echo_make(
	const struct dp_worker *w, const struct dp_flow *flow, uint8_t echo[DP_ECHO_LEN])
{
	dp_echo_make(&w->echo, ECHO_CONTEXT, DP_PASS_GENERATION, endpoint_name(w, flow), w->now_ms,
		echo);
}

// Whether the endpoint has shown that it receives, or does with this message.
static bool shows_itself(
	struct dp_worker *w, const struct dp_flow *flow, const struct coap_body *body)
{
	const uint64_t name = endpoint_name(w, flow);
	struct coap_option echo;

	if (coap_option_find(body, COAP_OPT_ECHO, &echo) &&
		dp_echo_valid(&w->echo, ECHO_CONTEXT, DP_PASS_GENERATION, name, w->now_ms,
			echo.value, echo.len)) {
		w->pass->shown[name % DP_PASS_SHOWN].endpoint = name;
		w->pass->shown[name % DP_PASS_SHOWN].until_ms = w->now_ms + SHOWN_MS;
	}
	return dp_pass_is_shown(w, flow);
}

// Where a network is counted for an entry with this slot.
static unsigned prefix_of(const struct dp_worker *w, const struct dp_flow *flow, uint16_t slot)
{
	return keyed_hash_words(&w->pass->hash, dp_flow_network(flow), slot) % DP_PASS_PREFIXES;
}

uint16_t *dp_pass_prefix_in_flight(
	const struct dp_worker *w, const struct dp_flow *flow, uint16_t slot)
{
	return &w->pass->prefix_in_flight[prefix_of(w, flow, slot)];
}

static uint32_t share_of(const struct dp_worker *w, const struct dp_flow *flow)
{
	const uint64_t hash = keyed_hash_words(&w->pass->hash, dp_flow_network(flow), UINT64_MAX);

	return w->contexts->entries + w->id * DP_PASS_SHARES + hash % DP_PASS_SHARES;
}

// ---- copies

static void passing_make(struct dp_worker *w, const struct pkt_vec *vec, unsigned slot,
	const struct dp_pass *pass, struct passing *p)
{
	const struct coap_msg *msg = &vec->msg[slot];

	p->pass = pass;
	pkt_flow(vec, slot, &p->flow);
	p->context = share_of(w, &p->flow);
	p->key = (struct dp_answer_key){
		.endpoint = dp_answer_endpoint(w->answers, &p->flow),
		.context = p->context,
		.generation = DP_PASS_GENERATION,
		.flow = &p->flow,
		.token = msg->token,
		.tag = pkt_tag(vec, slot, DP_PASS_TAG),
		.token_len = msg->token_len,
		.mid = msg->mid,
		.tag_len = DP_PASS_TAG,
	};
	// All of it, so that no list of what has one name is longer than by chance.
	p->key.piv = dp_answer_request(w->answers, &p->key);
	p->key.name = dp_answer_name(w->answers, p->context, DP_PASS_GENERATION, p->key.piv);
}

// Whether it is a copy of a message that is known by endpoint and message id; it ends here then
// (RFC 7252 section 4.5).
static bool duplicate(
	struct dp_worker *w, const struct pkt_vec *vec, unsigned slot, const struct passing *p)
{
	struct dp_answer_found found;
	const enum dp_answer_verdict verdict =
		dp_answer_index_find(w->answers, &p->key, w->now_ms, &found);

	if (verdict == DP_ANSWER_NONE) {
		const uint32_t index = dp_in_flight_find(w->in_flight, &p->key);

		if (index == DP_INDEX_NONE)
			return false;
		const enum dp_stat end = dp_separate_copy(w, index, &p->flow, vec->msg[slot].type);

		dp_count(w, end);
		if (end == DP_STAT_drop_duplicate_silent)
			dp_refused(w, vec, slot, end);
		return true;
	}
	// Who knows the tag of a long message can send a short one with it.
	if (verdict != DP_ANSWER_RESEND || vec->msg[slot].type == COAP_NON ||
		(found.len > DP_PASS_AMPLIFICATION_MAX * vec->net[slot].coap_len &&
			!dp_pass_is_shown(w, &p->flow))) {
		dp_drop(w, vec, slot, DP_STAT_drop_duplicate_silent);
		return true;
	}
	dp_reply(w, &p->flow, found.bytes, found.len,
		found.len == COAP_EMPTY_LEN ? DP_STAT_rx_duplicates_acked
					    : DP_STAT_rx_duplicates_answered);
	return true;
}

// ---- what may pass

// Why a message may not pass.
struct unfit {
	uint8_t code; // 0: it may
	const char *diagnostic;
};

// A proxy counts down, and this one is the last (RFC 8768 section 3): there is no Hop-Limit in
// HTTP.
static struct unfit hop_limit_fits(const struct coap_option *option)
{
	if (option->len != 1 || !option->value[0])
		return (struct unfit){COAP_BAD_REQUEST, "Bad Hop-Limit"};
	return option->value[0] == 1 ? (struct unfit){COAP_HOP_LIMIT_REACHED, "postern"}
				     : (struct unfit){0};
}

// Whether an option outside OSCORE may be left out on the way: those of class E are, since the
// server would discard them (RFC 8613 section 4.1); Uri-Host and Uri-Port have led here; what a
// proxy must understand and does not, may not (RFC 7252 section 5.7.1).
static struct unfit option_fits(const struct coap_option *option)
{
	const uint16_t number = option->number;

	if (number == COAP_OPT_HOP_LIMIT)
		return hop_limit_fits(option);
	if (number == COAP_OPT_PROXY_URI || number == COAP_OPT_PROXY_SCHEME ||
		(!coap_option_known(number) &&
			(COAP_OPT_IS_CRITICAL(number) || COAP_OPT_IS_UNSAFE(number))))
		return (struct unfit){COAP_BAD_OPTION, "Not passed through"};
	return (struct unfit){0};
}

static struct unfit message_fits(
	const struct dp_worker *w, const struct pkt_vec *vec, unsigned slot)
{
	const struct coap_body *body = &vec->msg[slot].body;
	struct coap_option_iter iter;
	struct coap_option option;

	if (body->payload_len < CIPHERTEXT_MIN ||
		vec->net[slot].coap_len > w->exchanges->shared.data_room)
		return (struct unfit){COAP_BAD_OPTION, "Not passed through"};
	coap_option_iter_init(&iter, body);
	while (coap_option_next(&iter, &option)) {
		const struct unfit unfit = option_fits(&option);

		if (unfit.code)
			return unfit;
	}
	return (struct unfit){0};
}

// So many of `most`, but half for who may not be where he says he is: who has shown that he is
// finds room left by all who have not.
static uint32_t part_of(const struct passing *p, uint32_t most)
{
	return RTE_MAX(p->shown ? most : most / 2, 1u);
}

static struct dp_rate rate_of(const struct passing *p, struct dp_rate rate)
{
	if (!p->shown)
		rate.fill = RTE_MAX(rate.fill / 2, rate.cost);
	return rate;
}

// Largest message that fits one datagram.
static uint16_t datagram_max(struct dp_worker *w, const struct dp_flow *flow)
{
	const struct dp_worker_port *port = dp_port_find(w, flow->port_id);
	const unsigned headers = (flow->family == 4 ? 20 : 40) + 8;
	const unsigned mtu = port ? port->mtu : 0;

	return headers < mtu ? RTE_MIN(mtu - headers, w->exchanges->shared.data_room) : 0;
}

// An unprotected 4.01 with nothing but Echo and Max-Age 0 (RFC 9175 section 2.3).
static void challenge(
	struct dp_worker *w, const struct pkt_vec *vec, unsigned slot, const struct passing *p)
{
	const struct dp_rate rate = dp_rate_make(CHALLENGES_RATE, CHALLENGES_RATE / BURST_DIVISOR);
	const struct coap_msg *msg = &vec->msg[slot];
	const bool con = msg->type == COAP_CON;
	uint8_t echo[DP_ECHO_LEN], *coap = w->spare;
	struct coap_writer writer;

	if (!dp_rate_take(
		    &w->pass->challenges_full_at, w->now_ms * (DP_RATE_SECOND / 1000), &rate)) {
		dp_drop(w, vec, slot, DP_STAT_drop_pass_rate);
		return;
	}
	dp_pass_echo_make(w, &p->flow, echo);
	coap_writer_init(&writer, coap, datagram_max(w, &p->flow));
	coap_write_header(&writer, con ? COAP_ACK : COAP_NON, COAP_UNAUTHORIZED,
		con ? msg->mid : dp_mid_non(w->mids, &p->flow), msg->token, msg->token_len);
	coap_write_option_uint(&writer, COAP_OPT_MAX_AGE, 0);
	coap_write_option(&writer, COAP_OPT_ECHO, echo, sizeof(echo));
	const size_t len = coap_writer_len(&writer);

	if (!len) {
		dp_drop(w, vec, slot, DP_STAT_drop_pass_option);
		return;
	}
	dp_reply(w, &p->flow, coap, (uint16_t)len, DP_STAT_rx_pass_challenges);
}

// Ends a message that comes at the wrong time: 5.03, which says when to come again.
static void refuse(struct dp_worker *w, const struct pkt_vec *vec, unsigned slot,
	uint32_t max_age_s, enum dp_stat reason)
{
	dp_unprotected_busy(w, vec, slot, max_age_s);
	dp_drop(w, vec, slot, reason);
}

// Whether as many wait for their answers as may.
static bool is_full(const struct dp_worker *w, const struct passing *p)
{
	const struct dp_worker_pass *all = w->pass;
	const uint32_t most = w->exchanges->shared.count / IN_FLIGHT_DIVISOR;
	const uint16_t slot = p->pass->slot;

	return all->in_flight >= part_of(p, most) ||
		all->in_flight_of[slot] >= part_of(p, p->pass->max_in_flight) ||
		all->prefix_in_flight[prefix_of(w, &p->flow, slot)] >=
		part_of(p, p->pass->max_in_flight / PREFIX_DIVISOR);
}

// Whether a message may be handed to an upstream loop now. Else it ends here.
static bool may_pass(
	struct dp_worker *w, const struct pkt_vec *vec, unsigned slot, const struct passing *p)
{
	const uint64_t now = w->now_ms * (DP_RATE_SECOND / 1000);
	const struct dp_rate all = rate_of(p, p->pass->all);
	const struct dp_rate prefix = rate_of(p, p->pass->prefix);
	const uint16_t counted = p->pass->slot;
	const uint32_t drain_s = __atomic_load_n(&w->drain_s, __ATOMIC_RELAXED);

	if (drain_s || w->overload.rung) {
		refuse(w, vec, slot, drain_s ? drain_s : BUSY_MAX_AGE_S, DP_STAT_drop_pass_full);
		return false;
	}
	// A network first: one that sends too much takes nothing of what all share.
	if (!dp_rate_take(
		    &w->pass->prefix_full_at[prefix_of(w, &p->flow, counted)], now, &prefix)) {
		refuse(w, vec, slot, BUSY_MAX_AGE_S, DP_STAT_drop_pass_rate);
		return false;
	}
	if (!p->shown && p->pass->echo_always) {
		challenge(w, vec, slot, p);
		return false;
	}
	if (is_full(w, p)) {
		refuse(w, vec, slot, BUSY_MAX_AGE_S, DP_STAT_drop_pass_full);
		return false;
	}
	if (!dp_rate_take(&w->pass->full_at[counted], now, &all)) {
		refuse(w, vec, slot, BUSY_MAX_AGE_S, DP_STAT_drop_pass_rate);
		return false;
	}
	return true;
}

// ---- handing it on

// Largest answer, with its code in front, that fits one datagram and what devices take.
static uint16_t response_max(struct dp_worker *w, const struct dp_flow *flow, uint16_t token_len)
{
	const unsigned taken = w->policy->max_message ? w->policy->max_message : DP_MESSAGE_DEFAULT;
	const unsigned room = RTE_MIN(datagram_max(w, flow), taken), around = 4u + 2 + token_len;

	return around < room ? room - around + 1 : 0;
}

static void exchange_fill(struct dp_worker *w, const struct pkt_vec *vec, unsigned slot,
	const struct passing *p, uint32_t index)
{
	const struct coap_msg *msg = &vec->msg[slot];
	const uint8_t *end = msg->body.payload + msg->body.payload_len;
	struct dp_exchange *x = dp_exchange_at(w->exchanges, index);
	struct dp_shared *shared = dp_exchange_shared(w->exchanges, index);
	uint8_t *buf = dp_shared_request_buf(shared);

	x->flow = p->flow;
	x->piv = p->key.piv;
	x->context = p->context;
	x->context_generation = DP_PASS_GENERATION;
	x->mid = msg->mid;
	x->mid_ms = w->now_ms - DP_MID_KEPT_MS - 1; // it has none of its own yet
	x->type = msg->type;
	x->away = false;
	x->kid_len = 0;
	x->tag_len = DP_PASS_TAG;
	memcpy(x->tag, p->key.tag, DP_PASS_TAG);
	x->no_response = 0;
	x->observe = x->observed = false;
	x->opened.aad[0] = x->opened.aad[1] = 0;
	bytes_copy(buf, msg->token, msg->token_len);
	memcpy(buf + msg->token_len, msg->body.options, end - msg->body.options);
	shared->abandoned = 0;
	shared->response = (struct dp_response){0};
	shared->request = (struct dp_request){
		.received_ms = w->now_ms,
		.received_tsc = w->now_tsc,
		.deadline_ms = w->now_ms + p->pass->timeout_ms,
		.context = p->context,
		.context_generation = DP_PASS_GENERATION,
		.route = p->pass->route,
		.route_slot = p->pass->slot,
		.snapshot = w->policy->number,
		.response_max = response_max(w, &p->flow, msg->token_len),
		.remote_port = rte_be_to_cpu_16(p->flow.remote_port),
		.token_len = msg->token_len,
		.body_len = end - msg->body.options,
		.code = msg->code,
		.family = p->flow.family,
		.pass = true,
	};
	shared->request.payload_max = shared->request.response_max;
	memcpy(shared->request.remote_addr, p->flow.remote_addr, 16);
}

// What is kept of the share's use of the answer index would seem to lie ahead after some hours.
static void share_used(struct dp_worker *w, uint32_t context)
{
	struct dp_context *ctx = &w->contexts->context[context];
	const uint32_t now_s = w->now_ms / 1000;

	if (unlikely(dp_bucket_is_aged(ctx->last_accepted_s, now_s)))
		ctx->share_at = dp_bucket_age(
			ctx->share_at, dp_bucket_now(w->now_ms), now_s - ctx->last_accepted_s);
	ctx->last_accepted_s = now_s;
}

static void hand_on(
	struct dp_worker *w, const struct pkt_vec *vec, unsigned slot, const struct passing *p)
{
	struct dp_worker_loop *loop = &w->loop[dp_loop_of(p->context, w->loop_count)];
	// Not dp_exchange_obtain(): no answer of a device gives way to who is not verified.
	const uint32_t index = dp_exchange_take(w->exchanges);

	if (index == DP_INDEX_NONE) {
		refuse(w, vec, slot, BUSY_MAX_AGE_S, DP_STAT_drop_pass_full);
		return;
	}
	exchange_fill(w, vec, slot, p, index);
	const struct dp_shared *shared = dp_exchange_shared(w->exchanges, index);
	dp_handle handle = dp_handle_make(index, shared->generation);
	uint64_t due_ms = shared->request.deadline_ms;

	if (rte_ring_sp_enqueue_elem(loop->port->requests, &handle, sizeof(handle))) {
		dp_exchange_end(w, index);
		refuse(w, vec, slot, BUSY_MAX_AGE_S, DP_STAT_drop_pass_full);
		return;
	}
	loop->ring = true;
	w->pass->in_flight++;
	w->pass->in_flight_of[p->pass->slot]++;
	++*dp_pass_prefix_in_flight(w, &p->flow, p->pass->slot);
	share_used(w, p->context);
	dp_exchange_to(dp_exchange_at(w->exchanges, index), DP_EXCHANGE_HELD);
	dp_in_flight_add(w->in_flight, index);
	if (vec->msg[slot].type == COAP_CON)
		due_ms = RTE_MIN(due_ms, w->now_ms + DP_ACK_AFTER(w->ack_timeout_ms));
	dp_wheel_insert(&w->wheel, w->exchanges, index, due_ms);
	dp_route_count(&w->route_stats[p->pass->slot].requests);
	dp_count(w, DP_STAT_exchanges_started);
	dp_count(w, DP_STAT_rx_passed);
}

bool dp_pass_take(struct dp_worker *w, struct pkt_vec *vec, unsigned slot)
{
	const struct dp_pass *pass = dp_pass_find(w->policy->pass, &vec->option[slot]);
	struct passing p;

	if (!pass)
		return false;
	const struct unfit unfit = message_fits(w, vec, slot);

	if (unfit.code) {
		dp_unprotected_error(w, vec, slot, w->policy->verbose_errors, unfit.code,
			unfit.diagnostic, DP_STAT_drop_pass_option);
		return true;
	}
	passing_make(w, vec, slot, pass, &p);
	if (duplicate(w, vec, slot, &p))
		return true;
	p.shown = shows_itself(w, &p.flow, &vec->msg[slot].body);
	if (may_pass(w, vec, slot, &p))
		hand_on(w, vec, slot, &p);
	return true;
}
