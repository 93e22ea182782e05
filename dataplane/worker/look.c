// SPDX-License-Identifier: BSD-3-Clause

#include "dataplane/worker/look.h"

#include "dataplane/port/headers.h"
#include "dataplane/worker/look_match.h"
#include "dataplane/worker/trace.h"

#include <rte_ethdev.h>

#include <assert.h>

static struct dp_look_worker *mine(const struct dp_worker *w, struct dp_look *look)
{
	return &look->worker[w->id];
}

static bool is_of_context(const struct dp_look *look, uint32_t context, uint32_t generation)
{
	return look->context == DP_INDEX_NONE ||
		(look->context == context && look->generation == generation);
}

static bool endpoint_known(const struct dp_look_worker *of, const uint8_t *endpoint)
{
	for (unsigned i = 0; i < of->endpoint_count; i++)
		if (!memcmp(of->endpoint[i], endpoint, DP_ENDPOINT_LEN))
			return true;
	return false;
}

// In the place of the one that was learned first.
static void endpoint_learn(struct dp_look_worker *of, const struct dp_flow *flow)
{
	if (endpoint_known(of, (const uint8_t *)flow))
		return;
	memcpy(of->endpoint[of->endpoint_next], flow, DP_ENDPOINT_LEN);
	of->endpoint_next = (of->endpoint_next + 1) % DP_LOOK_ENDPOINTS;
	of->endpoint_count = RTE_MIN(of->endpoint_count + 1, (unsigned)DP_LOOK_ENDPOINTS);
}

static bool wanted_in(const struct dp_worker *w, struct dp_look *look, const struct pkt_vec *vec,
	unsigned slot, bool coap)
{
	struct dp_flow flow;

	if (look->has_port && vec->mbuf[slot]->port != look->port_id)
		return false;
	if (look->context == DP_INDEX_NONE)
		return true;
	if (!coap)
		return false;
	if (dp_look_names(w, look, vec, slot))
		return true;
	pkt_flow(vec, slot, &flow); // its ACKs
	return endpoint_known(mine(w, look), (const uint8_t *)&flow);
}

// Writes the endpoint of a frame that was made for a device. False if it is no UDP.
static bool endpoint_of(const struct rte_mbuf *m, uint16_t port_id, struct dp_flow *flow)
{
	const uint8_t *p = rte_pktmbuf_mtod(m, const uint8_t *);
	unsigned at = 2 * MAC_LEN, len = rte_pktmbuf_data_len(m), addr_len;

	*flow = (struct dp_flow){.port_id = port_id};
	if (len < ETH_LEN + VLAN_LEN + IPV4_LEN_MIN + UDP_LEN)
		return false;
	if (load_be16(p + at) == ETHERTYPE_VLAN)
		at += VLAN_LEN;
	uint16_t type = load_be16(p + at);

	at += 2;
	if (type == ETHERTYPE_IPV4 && p[at] == (4 << 4 | IPV4_LEN_MIN / 4) &&
		p[at + 9] == IPPROTO_UDP) {
		flow->family = 4;
		addr_len = 4;
		at += 12;
	} else if (type == ETHERTYPE_IPV6 && len >= at + IPV6_LEN + UDP_LEN &&
		p[at + 6] == IPPROTO_UDP) {
		flow->family = 6;
		addr_len = 16;
		at += 8;
	} else {
		return false;
	}
	memcpy(flow->local_addr, p + at, addr_len);
	memcpy(flow->remote_addr, p + at + addr_len, addr_len);
	at += 2 * addr_len;
	memcpy(&flow->local_port, p + at, 2);
	memcpy(&flow->remote_port, p + at + 2, 2);
	return true;
}

static bool wanted_out(const struct dp_worker *w, struct dp_look *look,
	const struct dp_worker_port *port, const struct rte_mbuf *m)
{
	struct dp_flow flow;

	if (look->has_port && port->port_id != look->port_id)
		return false;
	return look->context == DP_INDEX_NONE ||
		(endpoint_of(m, port->port_id, &flow) &&
			endpoint_known(mine(w, look), (const uint8_t *)&flow));
}

// Copies a frame, with the VLAN tag that the driver took out of it.
static void frame_copy(struct dp_copy_ring *ring, const struct rte_mbuf *m, uint16_t port_id,
	enum dp_copy_kind kind, uint64_t now)
{
	const uint8_t *frame = rte_pktmbuf_mtod(m, const uint8_t *);
	const uint16_t len = rte_pktmbuf_data_len(m);
	const bool tag = kind == DP_COPY_FRAME_IN && m->ol_flags & RTE_MBUF_F_RX_VLAN_STRIPPED &&
		len >= 2 * MAC_LEN && len <= UINT16_MAX - VLAN_LEN;
	const uint16_t copied = len + (tag ? VLAN_LEN : 0);
	struct dp_copy *copy = dp_copy_ring_put(ring, sizeof(*copy) + copied);

	if (!copy)
		return;
	*copy = (struct dp_copy){
		.tsc = now,
		.wire_len = m->pkt_len + (tag ? VLAN_LEN : 0),
		.port_id = port_id,
		.len = copied,
		.kind = kind,
	};
	if (!tag) {
		memcpy(copy->bytes, frame, len);
		return;
	}
	memcpy(copy->bytes, frame, 2 * MAC_LEN);
	store_be16(copy->bytes + 2 * MAC_LEN, ETHERTYPE_VLAN);
	store_be16(copy->bytes + 2 * MAC_LEN + 2, m->vlan_tci);
	memcpy(copy->bytes + 2 * MAC_LEN + VLAN_LEN, frame + 2 * MAC_LEN, len - 2 * MAC_LEN);
}

void dp_look_received(struct dp_worker *w, const struct pkt_vec *vec)
{
	struct dp_look *look = w->look[DP_LOOK_CAPTURE];
	const uint64_t now = rte_rdtsc();
	uint64_t coap = 0;

	if (!look || look->plain)
		return;
	for (unsigned i = 0; i < vec->n; i++)
		coap |= UINT64_C(1) << vec->live[i];
	for (unsigned slot = 0; slot < vec->count; slot++)
		if (wanted_in(w, look, vec, slot, coap >> slot & 1))
			frame_copy(mine(w, look)->ring, vec->mbuf[slot], vec->mbuf[slot]->port,
				DP_COPY_FRAME_IN, now);
	dp_copy_ring_publish(mine(w, look)->ring);
}

unsigned dp_look_send(struct dp_worker *w, struct dp_worker_port *port)
{
	struct dp_look *look = w->look[DP_LOOK_CAPTURE];
	uint64_t end[DP_TX_ROOM + 1]; // in the ring, of the copies of so many frames
	const uint64_t now = rte_rdtsc();

	if (!look || look->plain)
		return rte_eth_tx_burst(port->port_id, w->id, port->tx, port->tx_count);
	struct dp_copy_ring *ring = mine(w, look)->ring;

	end[0] = dp_copy_ring_mark(ring);
	for (unsigned i = 0; i < port->tx_count; i++) {
		if (wanted_out(w, look, port, port->tx[i]))
			frame_copy(ring, port->tx[i], port->port_id, DP_COPY_FRAME_OUT, now);
		end[i + 1] = dp_copy_ring_mark(ring);
	}
	// The frames are the driver's from here on.
	unsigned sent = rte_eth_tx_burst(port->port_id, w->id, port->tx, port->tx_count);

	dp_copy_ring_forget(ring, end[sent]);
	dp_copy_ring_publish(ring);
	return sent;
}

// Copies a message as it would be without OSCORE: type, message id and token of the outer one
// around what was inside.
static void message_copy(struct dp_copy_ring *ring, const struct dp_flow *flow,
	enum dp_copy_kind kind, const uint8_t *head, unsigned head_len, const uint8_t *plaintext,
	unsigned len)
{
	struct dp_copy *copy = dp_copy_ring_put(ring, sizeof(*copy) + head_len + len - 1);

	assert(len && head_len >= COAP_EMPTY_LEN);
	if (!copy)
		return;
	*copy = (struct dp_copy){
		.tsc = rte_rdtsc(),
		.wire_len = head_len + len - 1,
		.port_id = flow->port_id,
		.len = head_len + len - 1,
		.kind = kind,
	};
	memcpy(copy->endpoint, flow, DP_ENDPOINT_LEN);
	memcpy(copy->bytes, head, head_len);
	copy->bytes[1] = plaintext[0];
	memcpy(copy->bytes + head_len, plaintext + 1, len - 1);
}

static void accepted_copy(struct dp_worker *w, struct dp_look *look, const struct pkt_vec *vec)
{
	struct dp_flow flow;

	for (unsigned i = 0; i < vec->n; i++) {
		unsigned slot = vec->live[i];
		const struct coap_msg *msg = &vec->msg[slot];
		const uint8_t *coap = rte_pktmbuf_mtod_offset(
			vec->mbuf[slot], const uint8_t *, vec->net[slot].coap_off);

		if (!is_of_context(look, vec->context[slot], vec->generation[slot]) ||
			(look->has_port && vec->mbuf[slot]->port != look->port_id))
			continue;
		pkt_flow(vec, slot, &flow);
		message_copy(mine(w, look)->ring, &flow, DP_COPY_PLAIN_IN, coap,
			msg->token + msg->token_len - coap, msg->body.payload,
			vec->plaintext_len[slot]);
	}
	dp_copy_ring_publish(mine(w, look)->ring);
}

void dp_look_stage(struct dp_worker *w, const struct pkt_vec *vec, enum dp_stage stage)
{
	struct dp_look *look = w->look[DP_LOOK_CAPTURE];
	struct dp_flow flow;

	if (!look)
		return;
	if (stage == DP_STAGE_commit && look->context != DP_INDEX_NONE)
		for (unsigned i = 0; i < vec->n; i++) {
			unsigned slot = vec->live[i];

			if (!is_of_context(look, vec->context[slot], vec->generation[slot]))
				continue;
			pkt_flow(vec, slot, &flow);
			endpoint_learn(mine(w, look), &flow);
		}
	if (stage == DP_STAGE_inner && look->plain)
		accepted_copy(w, look, vec);
}

// Bytes of a head in front of its options: with an extended length of the token (RFC 8974).
static unsigned head_len(unsigned token_len)
{
	return 4 + (token_len < 13 ? 0 : token_len < 269 ? 1 : 2) + token_len;
}

static void answer_copy(struct dp_worker *w, struct dp_look *look, unsigned i)
{
	const struct answer_batch *batch = &w->batch;
	const struct pkt_answer *answer = &batch->answer[i];
	const struct pkt_vec *vec = &w->vec;
	unsigned slot = batch->slot[i];
	const uint8_t *coap = batch->coap[i];
	unsigned token_len = answer->token_len;
	uint32_t context = answer->context, generation = answer->generation;
	struct dp_flow flow;

	if (slot != DP_SLOT_NONE) { // made in the packet of its request
		coap = rte_pktmbuf_mtod_offset(
			vec->mbuf[slot], const uint8_t *, vec->net[slot].coap_off);
		token_len = vec->msg[slot].token_len;
		context = vec->context[slot];
		generation = vec->generation[slot];
		pkt_flow(vec, slot, &flow);
	} else if (batch->mbuf[i]) {
		flow = *answer->flow;
	} else {
		return; // there is no packet to send it in
	}
	if (!is_of_context(look, context, generation) ||
		(look->has_port && flow.port_id != look->port_id))
		return;
	message_copy(mine(w, look)->ring, &flow, DP_COPY_PLAIN_OUT, coap, head_len(token_len),
		batch->op[i].in, batch->op[i].len);
}

void dp_look_answers(struct dp_worker *w, const uint8_t *ready, unsigned n)
{
	struct dp_look *look = w->look[DP_LOOK_CAPTURE];

	if (w->look[DP_LOOK_TRACE])
		dp_trace_answers(w, ready, n);
	if (!look || !look->plain)
		return;
	for (unsigned r = 0; r < n; r++)
		answer_copy(w, look, ready[r]);
	dp_copy_ring_publish(mine(w, look)->ring);
}
