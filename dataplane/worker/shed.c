// SPDX-License-Identifier: BSD-3-Clause

#include "dataplane/worker/shed.h"

#include "dataplane/worker/refused.h"

void dp_rung_entered(struct dp_worker *w, enum dp_rung rung)
{
	static const enum dp_stat stats[DP_RUNG_COUNT] = {
		[DP_RUNG_LOW] = DP_STAT_overload_low,
		[DP_RUNG_NON] = DP_STAT_overload_non,
		[DP_RUNG_CON] = DP_STAT_overload_con,
	};

	dp_count(w, stats[rung]);
}

// Copies of requests that were answered have their own limit, and what another worker owns is for
// that one to refuse.
static bool overload_spares(struct dp_worker *w, const struct pkt_vec *vec, unsigned slot)
{
	if (vec->foreign[slot] || vec->again[slot])
		return true;
	if (vec->msg[slot].type == COAP_NON) {
		dp_drop(w, vec, slot, DP_STAT_drop_overload_non);
		return false;
	}
	if (w->overload.rung < DP_RUNG_CON)
		return true;
	dp_drop(w, vec, slot, DP_STAT_drop_overload_con);
	return false;
}

void dp_shed(struct dp_worker *w, struct pkt_vec *vec)
{
	if (unlikely(w->overload.rung >= DP_RUNG_NON))
		VEC_FILTER(vec, slot, overload_spares(w, vec, slot));
}
