// SPDX-License-Identifier: BSD-3-Clause

#include "dataplane/worker/send.h"

#include "dataplane/worker/look.h"

#include <rte_ethdev.h>

#include <assert.h>

void dp_tx(struct dp_worker *w, uint16_t port_id, struct rte_mbuf *m)
{
	struct dp_worker_port *port = dp_port_find(w, port_id);

	if (!port) {
		dp_count(w, DP_STAT_tx_full);
		rte_pktmbuf_free(m);
		return;
	}
	if (port->tx_count == RTE_DIM(port->tx))
		dp_transmit(w, port);
	port->tx[port->tx_count++] = m;
}

void dp_send_mbuf(
	struct dp_worker *w, struct rte_mbuf *m, const struct dp_flow *flow, uint16_t coap_len)
{
	assert(dp_frame_overhead(flow) + coap_len <= rte_pktmbuf_tailroom(m));
	dp_frame_encapsulate(m, flow, coap_len);
	dp_tx(w, flow->port_id, m);
}

bool dp_send_coap(
	struct dp_worker *w, const struct dp_flow *flow, const uint8_t *coap, uint16_t len)
{
	struct rte_mbuf *m = rte_pktmbuf_alloc(w->pool);

	if (!m)
		return false;
	memcpy(rte_pktmbuf_mtod_offset(m, uint8_t *, dp_frame_overhead(flow)), coap, len);
	dp_send_mbuf(w, m, flow, len);
	return true;
}

bool dp_send_empty(
	struct dp_worker *w, const struct dp_flow *flow, enum coap_type type, uint16_t mid)
{
	uint8_t coap[COAP_EMPTY_LEN];

	coap_empty_make(coap, type, mid);
	return dp_send_coap(w, flow, coap, sizeof(coap));
}

void dp_transmit(struct dp_worker *w, struct dp_worker_port *port)
{
	uint64_t start = rte_rdtsc();
	uint64_t bytes = 0;

	if (!port->tx_count)
		return;
	for (unsigned i = 0; i < port->tx_count; i++)
		bytes += port->tx[i]->pkt_len;
	unsigned sent = unlikely(w->looked)
		? dp_look_send(w, port)
		: rte_eth_tx_burst(port->port_id, w->id, port->tx, port->tx_count);

	for (unsigned i = sent; i < port->tx_count; i++)
		bytes -= port->tx[i]->pkt_len;
	if (sent < port->tx_count) {
		dp_stat_add(&w->stats, DP_STAT_tx_full, port->tx_count - sent);
		rte_pktmbuf_free_bulk(port->tx + sent, port->tx_count - sent);
	}
	dp_stat_add(&w->stats, DP_STAT_tx_packets, sent);
	dp_stat_add(&w->stats, DP_STAT_tx_bytes, bytes);
	dp_stage_end(w, DP_STAGE_tx, start, sent);
	port->tx_count = 0;
}

void dp_reply(struct dp_worker *w, const struct dp_flow *flow, const uint8_t *coap, uint16_t len,
	enum dp_stat stat)
{
	dp_count(w, dp_send_coap(w, flow, coap, len) ? stat : DP_STAT_drop_no_mbuf);
}
