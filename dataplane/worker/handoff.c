// SPDX-License-Identifier: BSD-3-Clause

#include "dataplane/worker/handoff.h"

#include "dataplane/worker/lanes.h"
#include "dataplane/worker/separate.h"

#include <assert.h>

#define OLD_BURST 8 // of what is not plainly new that are taken at once, at least

// What crosses: the packet, opened in place, and what need not be found out again.
struct handed {
	struct rte_mbuf *mbuf;
	uint32_t context;
	uint32_t generation;
	struct dp_frame_info net;
	uint16_t pad;
};
_Static_assert(sizeof(struct handed) == 32, "two a cache line");

// An ACK or RST: all that it says.
struct handed_ack {
	uint8_t endpoint[DP_ENDPOINT_LEN]; // of the struct dp_flow
	uint16_t mid;
	uint8_t type;
	uint8_t pad;
};
_Static_assert(sizeof(struct handed_ack) % 4 == 0, "as rte_ring wants it");

int dp_handoff_connect(struct dp_worker *const *workers, unsigned count)
{
	return dp_lanes_connect(workers, count, sizeof(struct handed), sizeof(struct handed_ack));
}

static void packets_free(struct rte_ring *ring)
{
	struct handed handed;

	while (!rte_ring_sc_dequeue_elem(ring, &handed, sizeof(handed)))
		rte_pktmbuf_free(handed.mbuf);
}

void dp_handoff_free(struct dp_worker *w)
{
	for (unsigned i = 0; i < DP_WORKERS_MAX; i++) {
		if (!w->from[i])
			continue;
		packets_free(w->from[i]->packets);
		packets_free(w->from[i]->old);
	}
	dp_lanes_free(w);
}

// Whether the owner's window says that a request is new. The owner may move it meanwhile, so it is
// a hint. Of an unknown window a recorded packet could be the next one over and over.
static bool plainly_new(const struct dp_context *ctx, uint64_t piv)
{
	return !dp_context_window_unknown(ctx) &&
		osc_window_check(&ctx->window, piv) == OSC_WINDOW_NEW;
}

void dp_handoff(struct dp_worker *w, struct pkt_vec *vec, unsigned slot, unsigned owner)
{
	assert(vec->opened[slot] && owner < w->worker_count && owner != w->id);
	struct handed handed = {
		.mbuf = vec->mbuf[slot],
		.context = vec->context[slot],
		.generation = vec->generation[slot],
		.net = vec->net[slot],
	};

	bool is_new = plainly_new(&w->contexts->context[vec->context[slot]], vec->option[slot].piv);
	struct dp_lane *lane = w->to[owner];
	struct rte_ring *ring = is_new ? lane->packets : lane->old;
	struct dp_ring_shares *shares = is_new ? &lane->packets_shares : &lane->old_shares;

	if (!dp_lane_within_share(w, ring, shares, vec->context[slot]) ||
		rte_ring_sp_enqueue_elem(ring, &handed, sizeof(handed))) {
		dp_count(w, is_new ? DP_STAT_drop_handoff_full : DP_STAT_drop_handoff_old);
		return;
	}
	dp_lane_note(w, owner);
	dp_count(w, DP_STAT_handed_over);
	// The packet and its plaintext are the owner's now.
	vec->mbuf[slot] = NULL;
	vec->opened[slot] = false;
}

// Finds out again what was known of a packet where it came from.
static bool take_one(struct dp_worker *w, struct pkt_vec *vec, unsigned slot)
{
	struct coap_msg *msg = &vec->msg[slot];
	const struct dp_context *ctx = &w->contexts->context[vec->context[slot]];
	const uint8_t *coap =
		rte_pktmbuf_mtod_offset(vec->mbuf[slot], const uint8_t *, vec->net[slot].coap_off);

	if (coap_msg_parse_max(msg, coap, vec->net[slot].coap_len, DP_OUTER_OPTIONS_MAX) !=
			COAP_OK ||
		osc_option_parse(&vec->option[slot], msg->body.oscore, msg->body.oscore_len) !=
			OSC_OPTION_OK) {
		dp_count(w, DP_STAT_drop_coap_format);
		return false;
	}
	vec->opened[slot] = true;
	vec->foreign[slot] = false;
	if (dp_context_live(ctx) != vec->generation[slot]) {
		// Which part of it is plaintext is not known any more: all is wiped.
		vec->plaintext_len[slot] = msg->body.payload_len;
		dp_count(w, DP_STAT_drop_context_gone);
		return false;
	}
	vec->plaintext_len[slot] = msg->body.payload_len - aead_algs[ctx->alg].tag_len;
	return true;
}

unsigned dp_handoff_take(struct dp_worker *w, unsigned from, struct pkt_vec *vec)
{
	struct handed handed[DP_BURST];

	unsigned left, left_old;

	vec->count = rte_ring_sc_dequeue_burst_elem(
		w->from[from]->packets, handed, sizeof(handed[0]), DP_BURST - OLD_BURST, &left);
	vec->count += rte_ring_sc_dequeue_burst_elem(w->from[from]->old, &handed[vec->count],
		sizeof(handed[0]), DP_BURST - vec->count, &left_old);
	if (left || left_old)
		dp_lane_unfinished(w, from);
	vec->n = 0;
	for (unsigned slot = 0; slot < vec->count; slot++) {
		assert(handed[slot].context < w->contexts->entries);
		vec->mbuf[slot] = handed[slot].mbuf;
		vec->net[slot] = handed[slot].net;
		vec->context[slot] = handed[slot].context;
		vec->generation[slot] = handed[slot].generation;
		vec->opened[slot] = false;
		if (take_one(w, vec, slot))
			vec->live[vec->n++] = slot;
	}
	dp_stat_add(&w->stats, DP_STAT_taken_over, vec->count);
	return vec->count;
}

// Anybody can send ACKs. One that answers nothing of its worker's is seen here, by a hash that no
// stranger can make meet; what else there is for one endpoint has its share of the ring.
void dp_handoff_ack(
	struct dp_worker *w, const struct dp_flow *flow, uint8_t type, uint16_t mid, unsigned owner)
{
	struct handed_ack ack = {.mid = mid, .type = type};
	struct dp_lane *lane = w->to[owner];

	if (!dp_unacked_possible(w->peer[owner]->unacked, flow, mid)) {
		dp_count(w, DP_STAT_drop_coap_ack);
		return;
	}
	memcpy(ack.endpoint, flow, DP_ENDPOINT_LEN);
	if (!dp_lane_within_share(w, lane->acks, &lane->acks_shares,
		    keyed_hash(&w->endpoints, ack.endpoint, DP_ENDPOINT_LEN)) ||
		rte_ring_sp_enqueue_elem(lane->acks, &ack, sizeof(ack))) {
		dp_count(w, DP_STAT_drop_handoff_full);
		return;
	}
	dp_lane_note(w, owner);
	dp_count(w, DP_STAT_acks_handed_over);
}

unsigned dp_handoff_acks(struct dp_worker *w, unsigned from)
{
	struct handed_ack acks[DP_BURST];
	unsigned left;
	unsigned n = rte_ring_sc_dequeue_burst_elem(
		w->from[from]->acks, acks, sizeof(acks[0]), DP_BURST, &left);

	if (left)
		dp_lane_unfinished(w, from);
	for (unsigned i = 0; i < n; i++) {
		struct dp_flow flow = {0};

		memcpy(&flow, acks[i].endpoint, DP_ENDPOINT_LEN);
		dp_separate_acked(w, &flow, acks[i].type, acks[i].mid);
	}
	dp_stat_add(&w->stats, DP_STAT_taken_over, n);
	return n;
}
