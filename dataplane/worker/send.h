// SPDX-License-Identifier: BSD-3-Clause
// Stage 17: frames on their way to a port.

#ifndef POSTERN_DATAPLANE_WORKER_SEND_H
#define POSTERN_DATAPLANE_WORKER_SEND_H

#include "dataplane/worker/worker.h"

// The worker's end of a port, NULL if it has no such port.
static inline struct dp_worker_port *dp_port_find(struct dp_worker *w, uint16_t port_id)
{
	for (unsigned i = 0; i < w->port_count; i++)
		if (w->port[i].port_id == port_id)
			return &w->port[i];
	return NULL;
}

// Queues a complete frame; a full queue is sent first.
void dp_tx(struct dp_worker *w, uint16_t port_id, struct rte_mbuf *m);
// Hands what is queued to the driver, and drops, counted, what it does not take.
void dp_transmit(struct dp_worker *w, struct dp_worker_port *port);
// Writes the headers of a flow in front of the CoAP message that stands behind their room, and
// queues the frame.
void dp_send_mbuf(
	struct dp_worker *w, struct rte_mbuf *m, const struct dp_flow *flow, uint16_t coap_len);
// Sends a copy of CoAP bytes to a flow. false, for the caller to count, if there is no mbuf.
bool dp_send_coap(struct dp_worker *w, const struct dp_flow *flow, const uint8_t *coap,
	uint16_t len) __attribute__((warn_unused_result));
// The same for an Empty message: an ACK or a RST.
bool dp_send_empty(struct dp_worker *w, const struct dp_flow *flow, enum coap_type type,
	uint16_t mid) __attribute__((warn_unused_result));
// The same for bytes with which the packet ends that they answer: `stat` counts it, or that there
// is no mbuf.
void dp_reply(struct dp_worker *w, const struct dp_flow *flow, const uint8_t *coap, uint16_t len,
	enum dp_stat stat);

#endif
