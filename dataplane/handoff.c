// SPDX-License-Identifier: BSD-3-Clause
// Verified packets on their way to the worker that owns their context. A packet is opened where it
// arrived, so that nothing unverified can fill these rings; the owner goes on at its window.

#include "dataplane/worker.h"

#define HANDOFF_SLOTS \
	512 // of each ring; a full one is a counted drop, before anything is committed

// What crosses: the packet, opened in place, and what need not be found out again.
struct handed {
	struct rte_mbuf *mbuf;
	uint32_t context;
	uint32_t generation;
	struct dp_net_info net;
	uint16_t pad;
};
_Static_assert(sizeof(struct handed) == 32, "two a cache line");

int dp_handoff_connect(struct dp_worker *const *workers, unsigned count)
{
	static unsigned serial; // names of rte_ring are unique in a process
	char name[RTE_RING_NAMESIZE];

	for (unsigned from = 0; from < count; from++) {
		for (unsigned to = 0; to < count; to++) {
			if (from == to)
				continue;
			snprintf(name, sizeof(name), "handoff%u", serial++);
			struct rte_ring *ring = rte_ring_create_elem(name, sizeof(struct handed),
				HANDOFF_SLOTS, SOCKET_ID_ANY, RING_F_SP_ENQ | RING_F_SC_DEQ);

			if (!ring)
				return -ENOMEM;
			workers[from]->handoff_to[to] = ring;
			workers[to]->handoff_from[from] = ring;
		}
	}
	return 0;
}

size_t dp_handoff_bytes(unsigned workers)
{
	return (size_t)workers * (workers - 1) * (HANDOFF_SLOTS * sizeof(struct handed) + 512);
}

void dp_handoff_free(struct dp_worker *w)
{
	for (unsigned i = 0; i < DP_WORKERS_MAX; i++) {
		struct handed handed;

		if (!w->handoff_from[i])
			continue;
		while (!rte_ring_sc_dequeue_elem(w->handoff_from[i], &handed, sizeof(handed)))
			rte_pktmbuf_free(handed.mbuf);
		rte_ring_free(w->handoff_from[i]);
		w->handoff_from[i] = NULL;
	}
}

void dp_handoff(struct dp_worker *w, struct pkt_vec *vec, unsigned slot, unsigned owner)
{
	struct handed handed = {
		.mbuf = vec->mbuf[slot],
		.context = vec->context[slot],
		.generation = vec->generation[slot],
		.net = vec->net[slot],
	};

	if (rte_ring_sp_enqueue_elem(w->handoff_to[owner], &handed, sizeof(handed))) {
		dp_count(w, DP_STAT_drop_handoff_full);
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

	if (coap_msg_parse(msg, coap, vec->net[slot].coap_len) != COAP_OK ||
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
		w->handoff_from[from], handed, sizeof(handed[0]), DP_BURST, NULL);
	vec->n = 0;
	for (unsigned slot = 0; slot < vec->count; slot++) {
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
