// SPDX-License-Identifier: BSD-3-Clause

#include "dataplane/worker/handoff.h"

#include "dataplane/worker/lanes.h"
#include "dataplane/worker/refused.h"
#include "dataplane/worker/separate.h"

#include <rte_ring_peek_zc.h>

#include <assert.h>

#define OLD_BURST 8 // of what is not plainly new that are taken at once, at least

// What crosses: the packet, opened in place, and all that was found out of it, so that its owner
// parses nothing again, and waits for no line of it before it needs it.
struct handed {
	struct rte_mbuf *mbuf;
	const uint8_t *coap; // the message in it
	uint64_t piv;
	uint32_t context;
	uint32_t generation;
	struct dp_frame_info net;
	uint16_t plaintext_len;
	// Of the CoAP message, offsets in it. Options end at the payload marker.
	uint16_t mid;
	uint16_t token_len;
	uint16_t kid_off;
	uint16_t payload_off;
	uint16_t option_count;
	uint8_t token_off;
	uint8_t type;
	uint8_t code;
	uint8_t kid_len;
	uint8_t piv_len;
	uint8_t oscore_count;
	bool copy; // its owner has no answer to it, but who gets it may
	bool kept; // there is a struct osc_opened in front of the packet
};
_Static_assert(sizeof(struct handed) == 64, "a cache line");

// An ACK or RST: all that it says.
struct handed_ack {
	uint8_t endpoint[DP_ENDPOINT_LEN]; // of the struct dp_flow
	uint16_t mid;
	uint8_t type;
	uint8_t pad;
};
_Static_assert(sizeof(struct handed_ack) % 4 == 0, "as rte_ring wants it");

int dp_handoff_connect(struct dp_worker *const *workers, unsigned count, unsigned to)
{
	return dp_lanes_connect(
		workers, count, to, sizeof(struct handed), sizeof(struct handed_ack));
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
	w->leaving.of[w->leaving.n++] = (struct dp_leaving_packet){
		.slot = slot,
		.owner = owner,
		.is_new = !vec->copy[slot] &&
			plainly_new(
				&w->contexts->context[vec->context[slot]], vec->option[slot].piv),
	};
}

// What the answer takes from the op of its request goes along in front of the packet: as a rule
// that is the line that ends there. False if there is no room that is this packet's alone.
static bool opened_keep(const struct pkt_vec *vec, unsigned slot)
{
	struct rte_mbuf *m = vec->mbuf[slot];
	struct osc_opened *opened = rte_pktmbuf_mtod(m, struct osc_opened *) - 1;
	unsigned op = vec->op_of[slot];

	if (op == DP_OP_NONE || rte_pktmbuf_headroom(m) < sizeof(*opened) ||
		(uintptr_t)opened % alignof(struct osc_opened) || !RTE_MBUF_DIRECT(m) ||
		rte_mbuf_refcnt_read(m) != 1)
		return false;
	if (likely(vec->op[op].aad != opened->aad)) // else it was handed on before
		osc_opened_keep(opened, &vec->op[op]);
	return true;
}

// Both ways field by field: the compiler would put a whole struct together elsewhere first.
static void handed_write(struct handed *handed, const struct pkt_vec *vec, unsigned slot)
{
	const struct coap_msg *msg = &vec->msg[slot];
	const struct osc_option *option = &vec->option[slot];
	const uint8_t *coap =
		rte_pktmbuf_mtod_offset(vec->mbuf[slot], const uint8_t *, vec->net[slot].coap_off);

	handed->mbuf = vec->mbuf[slot];
	handed->coap = coap;
	handed->piv = option->piv;
	handed->context = vec->context[slot];
	handed->generation = vec->generation[slot];
	handed->net = vec->net[slot];
	handed->plaintext_len = vec->plaintext_len[slot];
	handed->mid = msg->mid;
	handed->token_len = msg->token_len;
	handed->kid_off = option->kid - coap;
	handed->payload_off = msg->body.payload - coap;
	handed->option_count = msg->body.option_count;
	handed->token_off = msg->token - coap;
	handed->type = msg->type;
	handed->code = msg->code;
	handed->kid_len = option->kid_len;
	handed->piv_len = option->piv_len;
	handed->oscore_count = msg->body.oscore_count;
	handed->copy = vec->copy[slot];
	handed->kept = opened_keep(vec, slot);
}

// What was known of a packet where it came from. Not its OSCORE option's value, nor a kid context.
static void handed_read(const struct handed *handed, struct pkt_vec *vec, unsigned slot)
{
	struct osc_option *option = &vec->option[slot];
	struct coap_msg *msg = &vec->msg[slot];
	const uint8_t *coap = handed->coap;
	const uint8_t *token = coap + handed->token_off;
	const uint8_t *options = token + handed->token_len;
	const uint8_t *payload = coap + handed->payload_off;

	vec->mbuf[slot] = handed->mbuf;
	vec->net[slot] = handed->net;
	vec->context[slot] = handed->context;
	vec->generation[slot] = handed->generation;
	vec->plaintext_len[slot] = handed->plaintext_len;
	vec->opened[slot] = true;
	vec->op_of[slot] = handed->kept ? slot : DP_OP_NONE;
	vec->copy[slot] = handed->copy;
	vec->copies |= handed->copy;
	option->piv = handed->piv;
	option->kid = coap + handed->kid_off;
	option->kid_context = NULL;
	option->piv_len = handed->piv_len;
	option->kid_len = handed->kid_len;
	option->kid_context_len = 0;
	option->has_kid = true;
	option->has_kid_context = false;
	msg->type = handed->type;
	msg->code = handed->code;
	msg->mid = handed->mid;
	msg->token_len = handed->token_len;
	msg->token = token;
	msg->body.options = options;
	msg->body.payload = payload;
	msg->body.options_len = payload - 1 - options;
	msg->body.payload_len = handed->net.coap_len - handed->payload_off;
	msg->body.option_count = handed->option_count;
	msg->body.oscore_len = 0;
	msg->body.oscore = NULL;
	msg->body.oscore_count = handed->oscore_count;
	msg->body.has_edhoc = false;
	msg->body.has_block = false;
}

// The element of a ring at place i of those that were reserved, or came.
static struct handed *handed_at(const struct rte_ring_zc_data *places, unsigned i)
{
	return i < places->n1 ? (struct handed *)places->ptr1 + i
			      : (struct handed *)places->ptr2 + (i - places->n1);
}

// Puts into one ring all leaving packets that are for it, and keeps the others. What finds no place
// ends here, before anything is committed.
static void ring_fill(struct dp_worker *w, struct pkt_vec *vec, unsigned owner, bool is_new)
{
	struct dp_lane *lane = w->to[owner];
	struct rte_ring *ring = is_new ? lane->packets : lane->old;
	struct dp_ring_shares *shares = is_new ? &lane->packets_shares : &lane->old_shares;
	struct rte_ring_zc_data places;
	const enum dp_stat drop = is_new ? DP_STAT_drop_handoff_full : DP_STAT_drop_handoff_old;
	uint8_t slots[DP_BURST];
	unsigned n = 0, refused = 0, kept = 0, one = 0; // of those that find no place
	bool roomy = dp_lane_roomy(ring, w->leaving.n, shares);

	for (unsigned i = 0; i < w->leaving.n; i++) {
		const struct dp_leaving_packet *packet = &w->leaving.of[i];

		if (packet->owner != owner || packet->is_new != is_new)
			w->leaving.of[kept++] = *packet;
		else if (likely(roomy) ||
			dp_lane_within_share(w, ring, n, shares, vec->context[packet->slot]))
			slots[n++] = packet->slot;
		else {
			one = packet->slot;
			refused++;
		}
	}
	w->leaving.n = kept;
	unsigned put =
		rte_ring_enqueue_zc_burst_elem_start(ring, sizeof(struct handed), n, &places, NULL);

	for (unsigned i = 0; i < put; i++) {
		handed_write(handed_at(&places, i), vec, slots[i]);
		// The packet and its plaintext are the owner's now.
		vec->mbuf[slots[i]] = NULL;
		vec->opened[slots[i]] = false;
	}
	rte_ring_enqueue_zc_elem_finish(ring, put);
	if (put)
		dp_lane_note(w, owner);
	dp_stat_add(&w->stats, DP_STAT_handed_over, put);
	if (put < n)
		one = slots[put];
	refused += n - put;
	dp_stat_add(&w->stats, drop, refused);
	if (refused)
		dp_refused(w, vec, one, drop);
}

void dp_handoff_send(struct dp_worker *w, struct pkt_vec *vec)
{
	while (w->leaving.n)
		ring_fill(w, vec, w->leaving.of[0].owner, w->leaving.of[0].is_new);
	dp_lanes_call(w);
}

// All this was written by another core last.
static void prefetch(const struct dp_worker *w, const struct handed *handed)
{
	const struct dp_context *ctx = &w->contexts->context[handed->context];
	const uint8_t *frame = handed->coap - handed->net.coap_off;

	rte_prefetch0(ctx);
	rte_prefetch0(&ctx->window);
	rte_prefetch0(dp_side(w, handed->context)); // dp_move_note()
	rte_prefetch0(frame - sizeof(struct osc_opened));
	rte_prefetch0(frame);
	rte_prefetch0(frame + RTE_CACHE_LINE_SIZE);
	rte_prefetch0(handed->mbuf);
	rte_prefetch0(&handed->mbuf->next); // for burst_end_handed()
}

// Adds what is in a ring, at most so many. Returns how many are left.
static unsigned ring_take(
	struct dp_worker *w, struct rte_ring *ring, struct pkt_vec *vec, unsigned most)
{
	struct rte_ring_zc_data places;
	unsigned left = 0;
	unsigned n = rte_ring_dequeue_zc_burst_elem_start(
		ring, sizeof(struct handed), most, &places, &left);

	for (unsigned i = 0; i < n; i++) {
		const struct handed *handed = handed_at(&places, i);

		assert(handed->context < w->contexts->entries);
		prefetch(w, handed);
		handed_read(handed, vec, vec->count++);
	}
	rte_ring_dequeue_zc_elem_finish(ring, n);
	return left;
}

// What could only be read once it was here.
static void slot_complete(struct dp_worker *w, struct pkt_vec *vec, unsigned slot)
{
	const struct dp_context *ctx = &w->contexts->context[vec->context[slot]];

	// It may have gone to another worker meanwhile.
	vec->foreign[slot] = dp_context_owner(ctx) != w->id;
	if (likely(vec->op_of[slot] != DP_OP_NONE))
		osc_opened_op(
			rte_pktmbuf_mtod(vec->mbuf[slot], struct osc_opened *) - 1, &vec->op[slot]);
	if (dp_context_live(ctx) == vec->generation[slot])
		vec->live[vec->n++] = slot;
	else
		dp_drop(w, vec, slot, DP_STAT_drop_context_gone);
}

unsigned dp_handoff_take(struct dp_worker *w, unsigned from, struct pkt_vec *vec)
{
	vec->count = 0;
	vec->n = 0;
	vec->from = from;
	vec->copies = false;
	vec->reinjected = false;
	unsigned left = ring_take(w, w->from[from]->packets, vec, DP_BURST - OLD_BURST);

	left += ring_take(w, w->from[from]->old, vec, DP_BURST - vec->count);
	if (left)
		dp_lane_unfinished(w, from);
	for (unsigned slot = 0; slot < vec->count; slot++)
		slot_complete(w, vec, slot);
	dp_stat_add(&w->stats, DP_STAT_taken_over, vec->count);
	return vec->count;
}

// Anybody can send ACKs. One that answers nothing of its worker's is seen here, by a hash that no
// stranger can make meet; what else there is for one endpoint has its share of the ring.
enum dp_stat dp_handoff_ack(
	struct dp_worker *w, const struct dp_flow *flow, uint8_t type, uint16_t mid, unsigned owner)
{
	struct handed_ack ack = {.mid = mid, .type = type};
	struct dp_lane *lane = w->to[owner];

	const struct dp_observations *observations = w->peer[owner]->observations;

	if (!dp_unacked_possible(w->peer[owner]->unacked, flow, mid) &&
		(!observations || !dp_observation_possible(observations, flow, mid)))
		return DP_STAT_drop_coap_ack;
	memcpy(ack.endpoint, flow, DP_ENDPOINT_LEN);
	if (!dp_lane_within_share(w, lane->acks, 0, &lane->acks_shares,
		    keyed_hash(&w->endpoints, ack.endpoint, DP_ENDPOINT_LEN)) ||
		rte_ring_sp_enqueue_elem(lane->acks, &ack, sizeof(ack)))
		return DP_STAT_drop_handoff_full;
	dp_lane_note(w, owner);
	return DP_STAT_acks_handed_over;
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
		dp_count(w, dp_separate_acked(w, &flow, acks[i].type, acks[i].mid));
	}
	dp_stat_add(&w->stats, DP_STAT_taken_over, n);
	return n;
}
