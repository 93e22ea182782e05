// SPDX-License-Identifier: BSD-3-Clause

#include "tests/fuzz/twins.h"

// Counters that may differ: none.
static void stats_compare(const struct twins *twins)
{
	for (unsigned s = 0; s < DP_STAT_COUNT; s++) {
		uint64_t fast = dp_stat_read(&twins->w[0]->stats, s);
		uint64_t slow = dp_stat_read(&twins->w[1]->stats, s);

		if (fast != slow)
			twins_differ("%s is %ld too high with fast paths", dp_stat_infos[s].name,
				(long)(fast - slow));
	}
}

static void con_note(struct twins *twins, const uint8_t *frame, unsigned len)
{
	struct rte_mbuf m = {.buf_addr = (void *)(uintptr_t)frame,
		.buf_len = len,
		.data_len = len,
		.pkt_len = len,
		.nb_segs = 1};
	// As if it was for us: only the addresses are looked at.
	unsigned at = 14 + (frame[12] == 0x81 ? 4 : 0);
	bool ipv6 = frame[at - 2] == 0x86;
	unsigned coap = at + (ipv6 ? 48 : 28);
	struct dp_frame_info info = {.l2_len = at,
		.l3_len = ipv6 ? 40 : 20,
		.family = ipv6 ? 6 : 4,
		.has_vlan = at > 14};
	struct dp_flow sent;

	if (len < coap + 4 || (frame[coap] & 0x30) != COAP_CON << 4)
		return;
	dp_frame_flow(&m, &info, &sent);
	struct twins_con *con = &twins->con[twins->con_count++ % RTE_DIM(twins->con)];

	con->flow = sent;
	memcpy(con->flow.local_addr, sent.remote_addr, 16);
	memcpy(con->flow.remote_addr, sent.local_addr, 16);
	memcpy(con->flow.local_mac, sent.remote_mac, 6);
	memcpy(con->flow.remote_mac, sent.local_mac, 6);
	con->flow.local_port = sent.remote_port;
	con->flow.remote_port = sent.local_port;
	con->flow.vlan_tci = at > 14 ? frame[14] << 8 | frame[15] : 0;
	con->mid = frame[coap + 2] << 8 | frame[coap + 3];
}

static void frames_compare(struct twins *twins, unsigned port)
{
	const struct twins_side *fast = &twins_side[0], *slow = &twins_side[1];

	for (unsigned n = 0; n < RTE_MIN(fast->sent_count[port], slow->sent_count[port]); n++) {
		struct rte_mbuf *m[2] = {fast->sent[port][n], slow->sent[port][n]};
		const uint8_t *data[2] = {
			rte_pktmbuf_mtod(m[0], uint8_t *), rte_pktmbuf_mtod(m[1], uint8_t *)};

		if (m[0]->data_len != m[1]->data_len || memcmp(data[0], data[1], m[0]->data_len)) {
			twins_dump("fast", data[0], m[0]->data_len);
			twins_dump("slow", data[1], m[1]->data_len);
			twins_differ("port %u, frame %u sent", port, n);
		}
		for (unsigned i = 0; i < 2; i++)
			if (m[i]->nb_segs != 1 || m[i]->next || m[i]->pkt_len != m[i]->data_len ||
				rte_mbuf_refcnt_read(m[i]) != 1 ||
				(m[i]->pool != twins->w[i]->pool &&
					m[i]->pool != twins_side[i].exact) ||
				m[i]->ol_flags & RTE_MBUF_F_TX_OFFLOAD_MASK)
				twins_differ(
					"port %u, frame %u sent: mbuf of plane %u", port, n, i);
		con_note(twins, data[0], m[0]->data_len);
		rte_pktmbuf_free(m[0]);
		rte_pktmbuf_free(m[1]);
	}
	if (fast->sent_count[port] != slow->sent_count[port])
		twins_differ("port %u: %u and %u frames sent", port, fast->sent_count[port],
			slow->sent_count[port]);
}

static void contexts_compare(const struct twins *twins)
{
	const struct dp_context_table *fast = dp_contexts(twins->dp[0]);
	const struct dp_context_table *slow = dp_contexts(twins->dp[1]);

	for (unsigned k = 0; k < TWINS_DEVICES; k++) {
		uint32_t index = twins->device[k].context;

		if (memcmp(&fast->context[index], &slow->context[index],
			    sizeof(fast->context[index])))
			twins_differ("context of device %u", k);
		if (memcmp(&fast->side[index], &slow->side[index], sizeof(fast->side[index])))
			twins_differ("side table of device %u", k);
	}
}

static void kernel_compare(const struct twins *twins)
{
	for (;;) {
		const uint8_t *frame[2];
		uint16_t port[2], len[2];

		for (unsigned i = 0; i < 2; i++)
			frame[i] = dp_frame_ring_peek(twins->w[i]->to_kernel, &port[i], &len[i]);
		if (!frame[0] && !frame[1])
			return;
		if (!frame[0] || !frame[1] || len[0] != len[1] || port[0] != port[1] ||
			memcmp(frame[0], frame[1], len[0]))
			twins_differ("a frame for the kernel");
		for (unsigned i = 0; i < 2; i++)
			dp_frame_ring_pop(twins->w[i]->to_kernel);
	}
}

static void events_compare(const struct twins *twins)
{
	for (;;) {
		struct dp_event event[2] = {0};
		unsigned came = 0;

		for (unsigned i = 0; i < 2; i++)
			came += !rte_ring_dequeue_elem(
				twins->w[i]->events, &event[i], sizeof(event[i]));
		if (!came)
			return;
		if (came != 2 || event[0].type != event[1].type ||
			event[0].context != event[1].context || event[0].arg != event[1].arg ||
			event[0].generation != event[1].generation)
			twins_differ("an event for main");
		for (unsigned i = 0; i < 2; i++) {
			const struct dp_event *e = &event[i];
			int rc = 0;

			if (e->type == DP_EVENT_RUN_BASE_WANTED)
				rc = dp_run_base_raise(
					twins->dp[i], e->context, e->generation, e->arg);
			else if (e->type == DP_EVENT_MARK_WANTED)
				rc = dp_mark_raise(twins->dp[i], e->context, e->generation, e->arg);
			twins_must(!rc, "a command has no room");
		}
	}
}

static void access_compare(const struct twins *twins)
{
	for (;;) {
		struct dp_access_record record[2];
		unsigned came = 0;

		for (unsigned i = 0; i < 2; i++)
			came += dp_access_take(twins->dp[i], 0, &record[i]);
		if (!came)
			return;
		const struct dp_access_record *a = &record[0], *b = &record[1];

		if (came != 2 || a->answered_ms != b->answered_ms || a->context != b->context ||
			a->generation != b->generation || a->in != b->in || a->out != b->out ||
			a->path_len != b->path_len || a->method != b->method ||
			a->code != b->code || a->path_cut != b->path_cut ||
			memcmp(a->path, b->path, a->path_len))
			twins_differ("a record of the access log");
	}
}

static void request_compare(const struct twins *twins, unsigned loop, const dp_handle handle[2])
{
	struct dp_shared *shared[2];

	for (unsigned i = 0; i < 2; i++)
		shared[i] = dp_shared_get(dp_loop(twins->dp[i], loop)->port[0].pool, handle[i]);
	if (handle[0] != handle[1] || !shared[0] || !shared[1])
		twins_differ("handle of a request");
	const struct dp_request *request = &shared[0]->request;

	shared[0]->request.received_tsc = shared[1]->request.received_tsc; // it runs on
	if (memcmp(request, &shared[1]->request,
		    offsetof(struct dp_request, remote_addr) + sizeof(request->remote_addr)) ||
		memcmp(dp_shared_request_buf(shared[0]), dp_shared_request_buf(shared[1]),
			request->token_len + request->body_len) ||
		shared[0]->abandoned != shared[1]->abandoned)
		twins_differ("a request for an upstream loop");
}

static void requests_compare(struct twins *twins)
{
	for (unsigned loop = 0; loop < dp_loop_count(twins->dp[0]); loop++) {
		for (;;) {
			dp_handle handle[2];
			unsigned came = 0;

			for (unsigned i = 0; i < 2; i++)
				came += dp_loop_receive(
					&dp_loop(twins->dp[i], loop)->port[0], &handle[i], 1);
			if (!came)
				break;
			if (came != 2)
				twins_differ("how many requests go to an upstream loop");
			request_compare(twins, loop, handle);
			twins_must(twins->held_count < TWINS_PATIENCE, "requests without end");
			twins->held[twins->held_count++] = handle[0];
		}
	}
	twins_must(twins->held_count <= TWINS_EXCHANGES, "more requests than exchanges");
	if (twins->w[0]->exchanges->free_count != twins->w[1]->exchanges->free_count)
		twins_differ("free exchanges");
}

void twins_compare(struct twins *twins)
{
	stats_compare(twins);
	for (unsigned port = 0; port < TWINS_PORTS; port++)
		frames_compare(twins, port);
	contexts_compare(twins);
	requests_compare(twins);
	kernel_compare(twins);
	events_compare(twins);
	access_compare(twins);
}
