// SPDX-License-Identifier: BSD-3-Clause

#include "dataplane/worker/slow.h"

#include "dataplane/shared/memory.h"
#include "dataplane/worker/send.h"
#include "dataplane/worker/unprotected.h"

#include <assert.h>
#include <errno.h>

#define RING_BYTES       (64 * 1024) // of each ring with few workers, ..
#define RING_BYTES_LEAST (16 * 1024)
#define RING_WORKERS     8  // .. so many
#define BURST            32 // messages that are taken from one ring at once
#define BURST_DIVISOR    8  // so much of a second's messages may come at once
#define BUSY_MAX_AGE_S   5  // when a device may try again that was told 5.03

static struct dp_copy_ring *ring_create(const struct dp_conf *conf)
{
	return dp_copy_ring_create(
		conf->worker_count <= RING_WORKERS ? RING_BYTES : RING_BYTES_LEAST);
}

int dp_slow_attach(struct dp_worker *w, const struct dp_conf *conf, const struct dp_tables *tables)
{
	bool made = true;

	if (!tables->slow_count)
		return 0;
	struct dp_worker_slow *slow = dp_map(sizeof(*slow), DP_MAP_LAZY);

	if (!slow)
		return -ENOMEM;
	w->slow = slow;
	keyed_hash_init(&slow->prefixes);
	slow->all = dp_rate_make(conf->slow_rate, conf->slow_rate / BURST_DIVISOR + 1);
	slow->each =
		dp_rate_make(conf->slow_prefix_rate, conf->slow_prefix_rate / BURST_DIVISOR + 1);
	slow->again = ring_create(conf);
	slow->edhoc_len = conf->slow_edhoc_len;
	slow->tell = dp_rate_make(DP_SLOW_TELL_RATE, DP_SLOW_TELL_RATE);
	for (unsigned i = 0; i < tables->slow_count; i++) {
		struct dp_slow_lane *lane = &tables->slow[i]->lane[w->id];

		slow->thread[slow->count++] = tables->slow[i];
		lane->called = &w->slow_called;
		lane->requests = ring_create(conf);
		lane->answers = ring_create(conf);
		made &= lane->requests && lane->answers;
	}
	return made && slow->again ? 0 : -ENOMEM;
}

void dp_slow_free(struct dp_worker *w)
{
	struct dp_worker_slow *slow = w->slow;

	if (!slow)
		return;
	for (unsigned i = 0; i < slow->count; i++) {
		struct dp_slow_lane *lane = &slow->thread[i]->lane[w->id];

		dp_copy_ring_free(lane->requests);
		dp_copy_ring_free(lane->answers);
	}
	dp_copy_ring_free(slow->again);
	dp_unmap(slow, sizeof(*slow));
	w->slow = NULL;
}

// Whether one more message may go to the slow path now. The network that sends it is asked first,
// so that one that sends too many takes nothing of what all share.
static bool may_pass(struct dp_worker *w, const struct dp_flow *flow)
{
	struct dp_worker_slow *slow = w->slow;
	const uint64_t now = w->now_ms * (DP_RATE_SECOND / 1000), prefix = dp_flow_network(flow);
	uint64_t *full_at = &slow->full_at[keyed_hash(&slow->prefixes, &prefix, sizeof(prefix)) %
		DP_SLOW_PREFIXES];

	return dp_rate_take(full_at, now, &slow->each) &&
		dp_rate_take(&slow->all_full_at, now, &slow->all);
}

// Copies a message for the thread that has what this is the hash of. *head is complete but for what
// is the same for all.
static void give(struct dp_worker *w, const struct pkt_vec *vec, unsigned slot,
	struct dp_slow_head *head, const uint8_t *coap, uint32_t hash)
{
	struct dp_worker_slow *slow = w->slow;
	const unsigned thread = hash % slow->count;

	if (!may_pass(w, &head->flow)) {
		dp_unprotected_busy(w, vec, slot, BUSY_MAX_AGE_S);
		dp_drop(w, vec, slot, DP_STAT_drop_handshake_rate);
		return;
	}
	head->len = vec->net[slot].coap_len;
	head->worker = (uint8_t)w->id;
	if (!dp_slow_put(slow->thread[thread]->lane[w->id].requests, head, coap)) {
		dp_unprotected_busy(w, vec, slot, BUSY_MAX_AGE_S);
		dp_drop(w, vec, slot, DP_STAT_drop_handshake_full);
		return;
	}
	slow->to_ring |= UINT64_C(1) << thread;
	dp_count(w, DP_STAT_rx_handshakes);
}

static const uint8_t *coap_of(const struct pkt_vec *vec, unsigned slot)
{
	return rte_pktmbuf_mtod_offset(vec->mbuf[slot], const uint8_t *, vec->net[slot].coap_off);
}

static uint32_t kid_hash(const struct dp_worker *w, const uint8_t *kid, uint8_t kid_len)
{
	struct dp_context_key key;

	dp_context_key_make(w->contexts, &key, kid, kid_len, false, NULL, 0);
	return dp_context_hash(w->contexts, &key);
}

bool dp_slow_unknown(struct dp_worker *w, struct pkt_vec *vec, unsigned slot)
{
	const struct osc_option *option = &vec->option[slot];
	struct dp_slow_head head = {.kind = DP_SLOW_UNKNOWN};
	struct dp_context_key key;

	if (!w->slow || !option->has_kid_context || option->kid_len > OSC_KID_LEN_MAX)
		return false;
	if (vec->reinjected)
		return false;
	dp_context_key_make(w->contexts, &key, option->kid, option->kid_len, false, NULL, 0);
	const uint32_t index = dp_names_find(&w->contexts->names, &key);

	if (index == DP_INDEX_NONE)
		return false;
	const struct dp_context *ctx = &w->contexts->context[index];

	if (!dp_context_live(ctx) || !(ctx->flags & DP_CONTEXT_REDERIVE))
		return false;
	pkt_flow(vec, slot, &head.flow);
	give(w, vec, slot, &head, coap_of(vec, slot), dp_context_hash(w->contexts, &key));
	return true;
}

// The plaintext stays here: it was of no use for anybody yet. The tag behind it goes along, by
// which copies are told.
void dp_slow_window(struct dp_worker *w, struct pkt_vec *vec, unsigned slot)
{
	const struct osc_option *option = &vec->option[slot];
	struct dp_slow_head head = {
		.kind = DP_SLOW_WINDOW,
		.fingerprint = w->contexts->context[vec->context[slot]].fingerprint,
	};

	sodium_memzero((uint8_t *)(uintptr_t)vec->msg[slot].body.payload, vec->plaintext_len[slot]);
	pkt_flow(vec, slot, &head.flow);
	give(w, vec, slot, &head, coap_of(vec, slot), kid_hash(w, option->kid, option->kid_len));
}

// The connection identifier in front of a message that is no message_1, if it can be one of ours: a
// byte string of so many bytes (RFC 9528 appendix A.2).
static const uint8_t *edhoc_connection(const struct coap_body *body, uint8_t len)
{
	return body->payload && body->payload_len > len && body->payload[0] == (0x40 | len)
		? body->payload + 1
		: NULL;
}

static bool is_edhoc_path(const struct coap_body *body)
{
	static const char *const segments[] = {".well-known", "edhoc"};
	struct coap_option_iter iter;
	struct coap_option option;
	unsigned n = 0;

	coap_option_iter_init(&iter, body);
	while (coap_option_next(&iter, &option)) {
		if (option.number != COAP_OPT_URI_PATH)
			continue;
		if (n == RTE_DIM(segments) || option.len != strlen(segments[n]) ||
			memcmp(option.value, segments[n], option.len))
			return false;
		n++;
	}
	return n == RTE_DIM(segments);
}

bool dp_slow_edhoc(struct dp_worker *w, struct pkt_vec *vec, unsigned slot)
{
	const struct coap_msg *msg = &vec->msg[slot];
	struct dp_slow_head head = {.kind = DP_SLOW_EDHOC};

	if (!w->slow || !w->slow->edhoc_len)
		return false;
	if (msg->body.has_edhoc) {
		// Told also with silent errors (RFC 9668 section 3.3.1).
		dp_unprotected_error(w, vec, slot,
			w->policy->verbose_errors || dp_slow_tells(w, vec, slot), COAP_BAD_REQUEST,
			"EDHOC option without OSCORE", DP_STAT_drop_edhoc);
		return true;
	}
	if (msg->code != COAP_POST || !is_edhoc_path(&msg->body))
		return false;
	pkt_flow(vec, slot, &head.flow);
	// All blocks of a message go to the thread that has made message_2 for its endpoint.
	const uint8_t *c_r =
		msg->body.has_block ? NULL : edhoc_connection(&msg->body, w->slow->edhoc_len);
	const uint32_t hash = c_r
		? kid_hash(w, c_r, w->slow->edhoc_len)
		: (uint32_t)keyed_hash(&w->slow->prefixes, &head.flow, DP_ENDPOINT_LEN);

	give(w, vec, slot, &head, coap_of(vec, slot), hash);
	return true;
}

bool dp_slow_combined(struct dp_worker *w, struct pkt_vec *vec, unsigned slot)
{
	const struct osc_option *option = &vec->option[slot];
	struct dp_slow_head head = {.kind = DP_SLOW_COMBINED};

	if (!w->slow || !w->slow->edhoc_len || vec->reinjected ||
		option->kid_len != w->slow->edhoc_len)
		return false;
	pkt_flow(vec, slot, &head.flow);
	give(w, vec, slot, &head, coap_of(vec, slot), kid_hash(w, option->kid, option->kid_len));
	return true;
}

bool dp_slow_tells(struct dp_worker *w, const struct pkt_vec *vec, unsigned slot)
{
	struct dp_flow flow;

	pkt_flow(vec, slot, &flow);
	const uint64_t prefix = dp_flow_network(&flow);
	uint64_t *full_at =
		&w->slow->told_at[keyed_hash(&w->slow->prefixes, &prefix, sizeof(prefix)) %
			DP_SLOW_PREFIXES];

	return dp_rate_take(full_at, w->now_ms * (DP_RATE_SECOND / 1000), &w->slow->tell);
}

// A NON has a message id that its endpoint does not know yet.
static void answer_send(struct dp_worker *w, const struct dp_slow_head *head)
{
	const bool non = (head->coap[0] >> 4 & 3) == COAP_NON;
	struct rte_mbuf *m = rte_pktmbuf_alloc(w->pool);

	if (!m || dp_frame_overhead(&head->flow) + head->len > rte_pktmbuf_tailroom(m)) {
		rte_pktmbuf_free(m);
		dp_count(w, DP_STAT_handshake_answers_lost);
		return;
	}
	uint8_t *coap = rte_pktmbuf_mtod_offset(m, uint8_t *, dp_frame_overhead(&head->flow));

	memcpy(coap, head->coap, head->len);
	if (non) {
		const uint16_t mid = dp_mid_non(w->mids, &head->flow);

		coap[2] = (uint8_t)(mid >> 8);
		coap[3] = (uint8_t)mid;
	}
	dp_send_mbuf(w, m, &head->flow, head->len);
	dp_count(w, DP_STAT_handshake_answers);
}

unsigned dp_slow_answers(struct dp_worker *w)
{
	const uint64_t main_bit = UINT64_C(1) << DP_SLOW_MAIN;
	struct dp_worker_slow *slow = w->slow;
	unsigned n = 0;

	slow->unfinished |= __atomic_exchange_n(&w->slow_called, 0, __ATOMIC_ACQUIRE);
	for (uint64_t called = slow->unfinished & ~main_bit; called; called &= called - 1) {
		const unsigned thread = __builtin_ctzll(called);
		struct dp_copy_ring *ring = slow->thread[thread]->lane[w->id].answers;
		const struct dp_slow_head *head;
		unsigned taken = 0;

		while (taken < BURST && (head = dp_slow_peek(ring)) != NULL) {
			answer_send(w, head);
			dp_copy_ring_pop(ring);
			taken++;
		}
		if (taken < BURST)
			slow->unfinished &= ~(UINT64_C(1) << thread);
		n += taken;
	}
	// What is left is looked at in the next turn.
	if (slow->unfinished & ~main_bit)
		__atomic_fetch_or(&w->slow_called, slow->unfinished & ~main_bit, __ATOMIC_RELAXED);
	return n;
}

// Makes the packet of a request once more, as it could have come.
static bool packet_make(struct dp_worker *w, struct pkt_vec *vec, const struct dp_slow_head *head)
{
	const struct dp_worker_port *port = dp_port_find(w, head->flow.port_id);
	const unsigned slot = vec->count;
	struct dp_flow turned = head->flow;
	struct rte_mbuf *m = rte_pktmbuf_alloc(w->pool);
	enum dp_stat drop;

	memcpy(turned.local_addr, head->flow.remote_addr, sizeof(turned.local_addr));
	memcpy(turned.remote_addr, head->flow.local_addr, sizeof(turned.remote_addr));
	memcpy(turned.local_mac, head->flow.remote_mac, sizeof(turned.local_mac));
	memcpy(turned.remote_mac, head->flow.local_mac, sizeof(turned.remote_mac));
	turned.local_port = head->flow.remote_port;
	turned.remote_port = head->flow.local_port;
	if (!m || !port || dp_frame_overhead(&turned) + head->len > rte_pktmbuf_tailroom(m)) {
		rte_pktmbuf_free(m);
		return false;
	}
	memcpy(rte_pktmbuf_mtod_offset(m, uint8_t *, dp_frame_overhead(&turned)), head->coap,
		head->len);
	dp_frame_encapsulate(m, &turned, head->len);
	m->port = head->flow.port_id;
	if (dp_frame_classify(m, &port->addresses, &vec->net[slot], &drop) != DP_FRAME_COAP) {
		rte_pktmbuf_free(m); // its address is the port's no more
		return false;
	}
	vec->mbuf[slot] = m;
	vec->opened[slot] = false;
	vec->live[vec->n++] = slot;
	vec->count++;
	return true;
}

unsigned dp_slow_reinjected(struct dp_worker *w, struct pkt_vec *vec)
{
	const uint64_t main_bit = UINT64_C(1) << DP_SLOW_MAIN;
	struct dp_worker_slow *slow = w->slow;
	const struct dp_slow_head *head;
	unsigned taken = 0;

	if (!(slow->unfinished & main_bit))
		return 0;
	vec->count = vec->n = 0;
	vec->from = w->id;
	vec->copies = false;
	vec->reinjected = true;
	while (taken < BURST && (head = dp_slow_peek(slow->again)) != NULL) {
		dp_count(w,
			packet_make(w, vec, head) ? DP_STAT_reinjected : DP_STAT_reinjected_lost);
		dp_copy_ring_pop(slow->again);
		taken++;
	}
	if (taken < BURST)
		slow->unfinished &= ~main_bit;
	else
		__atomic_fetch_or(&w->slow_called, main_bit, __ATOMIC_RELAXED);
	return vec->count;
}

void dp_slow_ring(struct dp_worker *w)
{
	for (uint64_t to = w->slow->to_ring; to; to &= to - 1)
		dp_doorbell_ring(&w->slow->thread[__builtin_ctzll(to)]->bell);
	w->slow->to_ring = 0;
}
