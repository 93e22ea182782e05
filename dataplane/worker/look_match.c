// SPDX-License-Identifier: BSD-3-Clause

#include "dataplane/worker/look_match.h"

bool dp_look_names(const struct dp_worker *w, const struct dp_look *look, const struct pkt_vec *vec,
	unsigned slot)
{
	const uint8_t *coap =
		rte_pktmbuf_mtod_offset(vec->mbuf[slot], const uint8_t *, vec->net[slot].coap_off);
	struct osc_option option;
	struct dp_context_key key;
	struct coap_msg msg;

	if (coap_msg_parse_max(&msg, coap, vec->net[slot].coap_len, DP_OUTER_OPTIONS_MAX) !=
			COAP_OK ||
		msg.body.oscore_count != 1 ||
		osc_option_parse(&option, msg.body.oscore, msg.body.oscore_len) != OSC_OPTION_OK ||
		!option.has_kid)
		return false;
	if (!dp_context_possible(
		    w->contexts, option.kid_len, option.has_kid_context, option.kid_context_len))
		return false;
	dp_context_key_make(w->contexts, &key, option.kid, option.kid_len, option.has_kid_context,
		option.kid_context, option.kid_context_len);
	return dp_names_find(&w->contexts->names, &key) == look->context &&
		dp_context_live(&w->contexts->context[look->context]) == look->generation;
}
