// SPDX-License-Identifier: BSD-3-Clause

#include "dataplane/worker/handoff.h"

#include "dataplane/shared/ring.h"
#include "dataplane/worker/separate.h"

#include <assert.h>

#define HANDOFF_SLOTS \
	512           // of each ring; a full one is a counted drop, before anything is committed
#define OLD_SLOTS 64  // of each ring for what is not plainly new: anybody can send a copy again
#define OLD_BURST 8   // of these that are taken at once, at least
#define SHARE_OF  16  // of the places of a ring that is half full, a context has one in so many
#define SHARE_MS  50  // and again after so long, if it stays half full
#define ACK_SLOTS 256 // of each ring for these, which anybody can send: they fill no other ring

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

static struct rte_ring *ring_create(size_t elem, unsigned count)
{
	static unsigned serial; // names of rte_ring are unique in a process
	char name[RTE_RING_NAMESIZE];

	snprintf(name, sizeof(name), "handoff%u", serial++);
	return rte_ring_create_elem(
		name, elem, count, SOCKET_ID_ANY, RING_F_SP_ENQ | RING_F_SC_DEQ);
}

int dp_handoff_connect(struct dp_worker *const *workers, unsigned count)
{
	for (unsigned from = 0; from < count; from++) {
		for (unsigned to = 0; to < count; to++) {
			if (from == to)
				continue;
			struct rte_ring *ring = ring_create(sizeof(struct handed), HANDOFF_SLOTS);
			struct rte_ring *old = ring_create(sizeof(struct handed), OLD_SLOTS);
			struct rte_ring *acks = ring_create(sizeof(struct handed_ack), ACK_SLOTS);

			workers[from]->handoff_to[to] = ring;
			workers[to]->handoff_from[from] = ring;
			workers[from]->old_to[to] = old;
			workers[to]->old_from[from] = old;
			workers[from]->acks_to[to] = acks;
			workers[to]->acks_from[from] = acks;
			if (!ring || !old || !acks)
				return -ENOMEM;
		}
	}
	return 0;
}

size_t dp_handoff_bytes(unsigned workers)
{
	return (size_t)workers * (workers - 1) *
		((HANDOFF_SLOTS + OLD_SLOTS) * sizeof(struct handed) +
			ACK_SLOTS * sizeof(struct handed_ack) + 3 * 512);
}

static void packets_free(struct rte_ring **ring)
{
	struct handed handed;

	while (*ring && !rte_ring_sc_dequeue_elem(*ring, &handed, sizeof(handed)))
		rte_pktmbuf_free(handed.mbuf);
	rte_ring_free(*ring);
	*ring = NULL;
}

void dp_handoff_free(struct dp_worker *w)
{
	for (unsigned i = 0; i < DP_WORKERS_MAX; i++) {
		rte_ring_free(w->acks_from[i]);
		w->acks_from[i] = NULL;
		packets_free(&w->handoff_from[i]);
		packets_free(&w->old_from[i]);
	}
}

// Whether the owner's window says that a request is new. The owner may move it meanwhile, so it is
// a hint. Of an unknown window a recorded packet could be the next one over and over.
static bool plainly_new(const struct dp_context *ctx, uint64_t piv)
{
	return !dp_context_window_unknown(ctx) &&
		osc_window_check(&ctx->window, piv) == OSC_WINDOW_NEW;
}

// Whether a context may have one more place in a ring: no device keeps those of others out,
// whatever it sends, or whoever recorded it.
static bool within_share(const struct dp_worker *w, const struct rte_ring *ring,
	struct dp_ring_shares *shares, uint32_t context)
{
	unsigned places = rte_ring_get_capacity(ring);
	bool half_full = dp_ring_count(ring) >= places / 2;

	if (shares->some && (!half_full || w->now_ms - shares->since_ms >= SHARE_MS))
		*shares = (struct dp_ring_shares){0};
	if (likely(!half_full))
		return true;
	if (!shares->some) {
		shares->some = true;
		shares->since_ms = w->now_ms;
	}
	uint8_t *taken = &shares->taken[context % RTE_DIM(shares->taken)];

	return *taken < places / SHARE_OF && ++*taken;
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
	struct rte_ring *ring = is_new ? w->handoff_to[owner] : w->old_to[owner];
	struct dp_ring_shares *shares = is_new ? &w->handoff_shares[owner] : &w->old_shares[owner];

	if (!within_share(w, ring, shares, vec->context[slot]) ||
		rte_ring_sp_enqueue_elem(ring, &handed, sizeof(handed))) {
		dp_count(w, is_new ? DP_STAT_drop_handoff_full : DP_STAT_drop_handoff_old);
		return;
	}
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

	vec->count = rte_ring_sc_dequeue_burst_elem(
		w->handoff_from[from], handed, sizeof(handed[0]), DP_BURST - OLD_BURST, NULL);
	vec->count += rte_ring_sc_dequeue_burst_elem(w->old_from[from], &handed[vec->count],
		sizeof(handed[0]), DP_BURST - vec->count, NULL);
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

void dp_handoff_ack(
	struct dp_worker *w, const struct dp_flow *flow, uint8_t type, uint16_t mid, unsigned owner)
{
	struct handed_ack ack = {.mid = mid, .type = type};

	memcpy(ack.endpoint, flow, DP_ENDPOINT_LEN);
	dp_count(w,
		rte_ring_sp_enqueue_elem(w->acks_to[owner], &ack, sizeof(ack))
			? DP_STAT_drop_handoff_full
			: DP_STAT_acks_handed_over);
}

unsigned dp_handoff_acks(struct dp_worker *w)
{
	struct handed_ack acks[DP_BURST];
	unsigned taken = 0;

	for (unsigned from = 0; from < w->worker_count; from++) {
		if (from == w->id)
			continue;
		unsigned n = rte_ring_sc_dequeue_burst_elem(
			w->acks_from[from], acks, sizeof(acks[0]), DP_BURST, NULL);

		for (unsigned i = 0; i < n; i++) {
			struct dp_flow flow = {0};

			memcpy(&flow, acks[i].endpoint, DP_ENDPOINT_LEN);
			dp_separate_acked(w, &flow, acks[i].type, acks[i].mid);
		}
		taken += n;
	}
	dp_stat_add(&w->stats, DP_STAT_taken_over, taken);
	return taken;
}
