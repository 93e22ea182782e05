// SPDX-License-Identifier: BSD-3-Clause

#include "dataplane/worker/refused.h"

#include "dataplane/oscore/option.h"
#include "dataplane/port/headers.h"
#include "dataplane/shared/memory.h"

#include <errno.h>

// Seconds after which each reason may be copied once more: all of them together stay below
// DP_REFUSED_A_SECOND, so that no flood of some takes away what the others get.
#define SHARE_SECONDS ((DP_REFUSED_REASONS + DP_REFUSED_A_SECOND - 1) / DP_REFUSED_A_SECOND)

int dp_refused_init(struct dp_worker *w)
{
	w->refused = dp_map(sizeof(*w->refused), DP_MAP_LAZY);
	if (!w->refused)
		return -ENOMEM;
	for (unsigned i = 0; i < DP_REFUSED_REASONS; i++)
		w->refused->reason[i].left = DP_REFUSED_AT_ONCE;
	return 0;
}

void dp_refused_free(struct dp_worker *w)
{
	dp_unmap(w->refused, sizeof(*w->refused));
}

void dp_refused_second(struct dp_worker *w)
{
	struct dp_refused *refused = w->refused;

	w->refused_ms = w->now_ms + 1000;
	w->refused_wanted = 0;
	refused->left = DP_REFUSED_A_SECOND;
	const bool share = ++refused->seconds % SHARE_SECONDS == 0;

	for (unsigned i = 0; i < DP_REFUSED_REASONS; i++) {
		struct dp_refused_reason *reason = &refused->reason[i];

		if (share && reason->left < DP_REFUSED_AT_ONCE)
			reason->left++;
		w->refused_wanted |= (uint64_t)(reason->left > 0) << i;
	}
}

// Readers that see any of the new words see that the number is 0, or the new one.
static void place_write(struct dp_worker *w, const struct dp_refused_packet *packet)
{
	const unsigned index = packet->reason - DP_REFUSED_FIRST;
	struct dp_refused_reason *reason = &w->refused->reason[index];
	struct dp_refused_place *place = &reason->place[reason->count % DP_REFUSED_KEPT];
	uint64_t word[DP_REFUSED_WORDS];

	memcpy(word, packet, sizeof(word));
	__atomic_store_n(&place->number, 0, __ATOMIC_RELAXED);
	for (unsigned i = 0; i < DP_REFUSED_WORDS; i++)
		__atomic_store_n(&place->word[i], word[i], __ATOMIC_RELEASE);
	__atomic_store_n(&place->number, ++reason->count, __ATOMIC_RELEASE);
	if (!--reason->left)
		w->refused_wanted &= ~(UINT64_C(1) << index);
	if (!--w->refused->left)
		w->refused_wanted = 0;
}

// ---- messages

// Whom the kid is of. What is not named by a context of ours stays without one.
static void context_find(const struct dp_worker *w, const struct osc_option *option,
	struct dp_refused_packet *packet)
{
	struct dp_context_key key;

	if (!dp_context_possible(
		    w->contexts, option->kid_len, option->has_kid_context, option->kid_context_len))
		return;
	dp_context_key_make(w->contexts, &key, option->kid, option->kid_len,
		option->has_kid_context, option->kid_context, option->kid_context_len);
	uint32_t index = dp_names_find(&w->contexts->names, &key);

	if (index == DP_INDEX_NONE)
		return;
	packet->generation = dp_context_live(&w->contexts->context[index]);
	if (packet->generation)
		packet->context = index;
}

static void option_write(const struct dp_worker *w, const uint8_t *coap,
	const struct coap_body *body, struct dp_refused_packet *packet)
{
	const bool is_why = packet->reason == DP_STAT_drop_oscore_option;
	struct osc_option option;

	if (osc_option_parse(&option, body->oscore, body->oscore_len) != OSC_OPTION_OK) {
		if (is_why)
			packet->bad_at = body->oscore - coap +
				osc_option_bad_at(body->oscore, body->oscore_len);
		return;
	}
	if (is_why) // one of several, or without what a request needs
		packet->bad_at = body->oscore - coap;
	packet->has_piv = option.piv_len;
	packet->piv = option.piv;
	packet->has_kid_context = option.has_kid_context;
	packet->kid_context_len = option.kid_context_len;
	if (option.has_kid_context)
		memcpy(packet->kid_context, option.kid_context,
			RTE_MIN(option.kid_context_len, DP_REFUSED_KID_CONTEXT));
	packet->has_kid = option.has_kid;
	if (!option.has_kid)
		return;
	packet->kid_len = option.kid_len;
	memcpy(packet->kid, option.kid, RTE_MIN(option.kid_len, DP_REFUSED_KID));
	context_find(w, &option, packet);
}

// The message is parsed once more, as far as it was never changed: the payload is not read, for it
// may have been decrypted in place.
void dp_refused_copy(
	struct dp_worker *w, const struct pkt_vec *vec, unsigned slot, enum dp_stat reason)
{
	const uint8_t *coap =
		rte_pktmbuf_mtod_offset(vec->mbuf[slot], const uint8_t *, vec->net[slot].coap_off);
	size_t shown = vec->net[slot].coap_len;
	struct dp_refused_packet packet = {
		.ms = w->now_ms,
		.context = DP_INDEX_NONE,
		.len = vec->net[slot].coap_len,
		.bad_at = DP_REFUSED_NOWHERE,
		.reason = reason,
		.has_source = true,
		.opened = vec->opened[slot],
	};
	struct dp_flow flow;
	struct coap_msg msg;

	pkt_flow(vec, slot, &flow);
	packet.port_id = flow.port_id;
	packet.source_family = flow.family;
	packet.source_port = flow.remote_port;
	memcpy(packet.source, flow.remote_addr, sizeof(packet.source));
	packet.fault = coap_msg_parse_max(&msg, coap, packet.len, DP_OUTER_OPTIONS_MAX);
	if (packet.fault != COAP_OK)
		packet.bad_at = coap_msg_bad_at(coap, packet.len, DP_OUTER_OPTIONS_MAX);
	else if (reason == DP_STAT_drop_coap_code)
		packet.bad_at = 1;
	else if (msg.body.oscore)
		option_write(w, coap, &msg.body, &packet);
	if (packet.opened)
		shown = packet.fault == COAP_OK && msg.body.payload
			? (size_t)(msg.body.payload - coap)
			: 0;
	packet.bytes_len = RTE_MIN(shown, (size_t)DP_REFUSED_BYTES);
	memcpy(packet.bytes, coap, packet.bytes_len);
	place_write(w, &packet);
}

// ---- frames

// Where it comes from, if it says so in the bytes that are kept.
static void source_write(struct dp_refused_packet *packet)
{
	const uint8_t *p = packet->bytes;
	unsigned at = ETH_LEN, addr_len = 4, udp = 0;

	if (packet->bytes_len < ETH_LEN + IPV4_LEN_MIN + VLAN_LEN)
		return;
	if (load_be16(p + 12) == ETHERTYPE_VLAN)
		at += VLAN_LEN;
	const uint16_t type = load_be16(p + at - 2);

	if (type == ETHERTYPE_IPV4) {
		packet->source_family = 4;
		if (p[at + 9] == IPPROTO_UDP)
			udp = at + (p[at] & 0xf) * 4;
		at += 12;
	} else if (type == ETHERTYPE_IPV6 && packet->bytes_len >= at + IPV6_LEN) {
		packet->source_family = 6;
		addr_len = 16;
		if (p[at + 6] == IPPROTO_UDP)
			udp = at + IPV6_LEN;
		at += 8;
	} else {
		return;
	}
	packet->has_source = true;
	memcpy(packet->source, p + at, addr_len);
	if (udp && udp + 2 <= packet->bytes_len)
		memcpy(&packet->source_port, p + udp, 2);
}

// Of a driver that lies about lengths nothing is believed.
void dp_refused_copy_frame(
	struct dp_worker *w, const struct rte_mbuf *m, uint16_t port_id, enum dp_stat reason)
{
	const uint32_t in_buffer = m->data_off < m->buf_len ? m->buf_len - m->data_off : 0;
	const uint32_t room = RTE_MIN(in_buffer, (uint32_t)m->data_len);
	struct dp_refused_packet packet = {
		.ms = w->now_ms,
		.context = DP_INDEX_NONE,
		.port_id = port_id,
		.len = RTE_MIN(m->pkt_len, (uint32_t)UINT16_MAX),
		.bad_at = DP_REFUSED_NOWHERE,
		.reason = reason,
		.frame = true,
		.bytes_len = RTE_MIN(room, (uint32_t)DP_REFUSED_BYTES),
	};

	memcpy(packet.bytes, rte_pktmbuf_mtod(m, const uint8_t *), packet.bytes_len);
	source_write(&packet);
	place_write(w, &packet);
}
