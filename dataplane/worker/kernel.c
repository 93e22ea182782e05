// SPDX-License-Identifier: BSD-3-Clause

#include "dataplane/worker/kernel.h"

#include "dataplane/worker/refused.h"
#include "dataplane/worker/send.h"

#define FROM_KERNEL_BURST 32
#define NEIGHBOUR_SLOTS   128 // of the ring to the kernel, for neighbours alone

unsigned dp_kernel_take(struct dp_worker *w)
{
	const uint8_t *frame;
	uint16_t port_id;
	uint16_t len;
	unsigned n = 0;

	while (n < FROM_KERNEL_BURST &&
		(frame = dp_frame_ring_peek(w->from_kernel, &port_id, &len)) != NULL) {
		struct rte_mbuf *m = rte_pktmbuf_alloc(w->pool);

		if (!m || len > rte_pktmbuf_tailroom(m)) {
			dp_count(w, DP_STAT_from_kernel_lost);
			rte_pktmbuf_free(m);
		} else {
			memcpy(rte_pktmbuf_append(m, len), frame, len);
			dp_tx(w, port_id, m);
			dp_count(w, DP_STAT_from_kernel);
		}
		dp_frame_ring_pop(w->from_kernel);
		n++;
	}
	return n;
}

// Strangers may send more than main takes. Places are kept for ARP and ND, without which the
// gateway would soon be unreachable.
void dp_kernel_give(struct dp_worker *w, uint16_t port_id, const struct rte_mbuf *m)
{
	uint32_t kept_free = dp_frame_is_neighbour(m) ? 0 : NEIGHBOUR_SLOTS;

	// What the kernel does not get from us in one piece it would have to reassemble.
	if (m->nb_segs != 1) {
		dp_drop_frame(w, m, port_id, DP_STAT_drop_multi_segment);
	} else if (dp_frame_ring_push_below(w->to_kernel, kept_free, port_id,
			   rte_pktmbuf_mtod(m, const void *), rte_pktmbuf_data_len(m))) {
		dp_count(w, DP_STAT_punted);
		w->ring_main = true;
	} else {
		dp_drop_frame(w, m, port_id, DP_STAT_drop_kernel_full);
	}
}
