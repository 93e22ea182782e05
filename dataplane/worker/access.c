// SPDX-License-Identifier: BSD-3-Clause

#include "dataplane/worker/access.h"

#include "dataplane/shared/frame_ring.h"
#include "dataplane/worker/inner.h"

int dp_access_init(struct dp_worker *w, unsigned percent)
{
	w->access_percent = percent;
	if (!percent)
		return 0;
	w->access = dp_frame_ring_create(DP_ACCESS_SLOTS, sizeof(struct dp_access_record));
	return w->access ? 0 : -ENOMEM;
}

static void path_read(struct dp_access_record *record, const uint8_t *options, uint16_t len)
{
	struct coap_option_iter iter;
	struct coap_option option;
	struct coap_writer writer;
	struct coap_body body;

	record->path_len = 0;
	record->path_cut = false;
	switch (coap_body_parse_max(&body, options, len, DP_INNER_OPTIONS_MAX)) {
	case COAP_OK:
		break;
	case COAP_MANY_OPTIONS:
		record->path_cut = true;
		return;
	default:
		return;
	}
	coap_writer_init(&writer, record->path, sizeof(record->path));
	coap_option_iter_init(&iter, &body);
	while (coap_option_next(&iter, &option)) {
		if (option.number != COAP_OPT_URI_PATH)
			continue;
		coap_write_option(&writer, COAP_OPT_URI_PATH, option.value, option.len);
		if (!coap_writer_len(&writer)) {
			record->path_cut = true;
			return;
		}
		record->path_len = coap_writer_len(&writer);
	}
}

void dp_access_request(struct dp_worker *w, const struct pkt_vec *vec, unsigned slot,
	struct dp_access_record *record)
{
	const uint8_t *plaintext = vec->msg[slot].body.payload;

	// The low bits of the time-stamp counter alone may have a pattern.
	record->sampled = ((uint32_t)rte_rdtsc() * UINT32_C(0x9e3779b1) >> 16) % 100 <
		__atomic_load_n(&w->access_percent, __ATOMIC_RELAXED);
	if (!record->sampled)
		return;
	record->answered_ms = w->now_ms;
	record->snapshot = w->policy->number;
	record->context = vec->context[slot];
	record->generation = vec->generation[slot];
	record->in = vec->plaintext_len[slot] - 1;
	record->method = plaintext[0];
	path_read(record, plaintext + 1, record->in);
}

void dp_access_answer(
	struct dp_worker *w, struct dp_access_record *record, uint8_t code, uint16_t len)
{
	if (!record->sampled)
		return;
	record->code = code;
	record->out = len;
	// No more than is written, so that nothing else of the stack goes with it.
	uint16_t bytes = offsetof(struct dp_access_record, path) + record->path_len;

	if (!dp_frame_ring_push(w->access, 0, record, bytes))
		dp_count(w, DP_STAT_access_lost);
}
