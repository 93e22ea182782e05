// SPDX-License-Identifier: BSD-3-Clause

#include "dataplane/worker/unprotected.h"

#include "dataplane/worker/send.h"

#define ERRORS_PER_SECOND 100 // unprotected errors a worker sends at most (errors: verbose)
#define AMPLIFICATION_MAX 3   // RFC 9175 section 2.4
#define ERROR_ROOM        256 // bytes of an unprotected error

static bool error_budget(struct dp_worker *w)
{
	if (w->now_ms - w->error_tokens_ms >= 1000) {
		w->error_tokens_ms = w->now_ms;
		w->error_tokens = ERRORS_PER_SECOND;
	}
	if (!w->error_tokens)
		return false;
	w->error_tokens--;
	return true;
}

struct outer_error {
	uint8_t code;
	uint32_t max_age_s;
	const char *diagnostic;
};

// Writes an unprotected error into coap; 0 if it would be larger than the sender may be sent.
static size_t error_write(uint8_t coap[ERROR_ROOM], const struct coap_msg *msg, uint16_t mid,
	const struct outer_error *error, size_t max)
{
	bool con = msg->type == COAP_CON;
	struct coap_writer writer;

	coap_writer_init(&writer, coap, ERROR_ROOM);
	coap_write_header(
		&writer, con ? COAP_ACK : COAP_NON, error->code, mid, msg->token, msg->token_len);
	coap_write_option_uint(&writer, COAP_OPT_MAX_AGE, error->max_age_s);
	coap_write_payload(&writer, error->diagnostic, strlen(error->diagnostic));
	size_t len = coap_writer_len(&writer);

	return len <= max ? len : 0;
}

static void error_send(struct dp_worker *w, const struct pkt_vec *vec, unsigned slot,
	const struct outer_error *error)
{
	const struct coap_msg *msg = &vec->msg[slot];
	size_t max = (size_t)AMPLIFICATION_MAX * vec->net[slot].coap_len;
	uint8_t coap[ERROR_ROOM];
	struct dp_flow flow;

	if (!error_budget(w))
		return;
	pkt_flow(vec, slot, &flow);
	uint16_t mid = msg->type == COAP_CON ? msg->mid : dp_mid_non(w->mids, &flow);
	size_t len = error_write(coap, msg, mid, error, max);

	if (!len) { // a short request leaves no room for the text
		const struct outer_error bare = {error->code, error->max_age_s, ""};

		len = error_write(coap, msg, mid, &bare, max);
	}
	// Counted beside the reason, which is where the packet ends.
	if (len && dp_send_coap(w, &flow, coap, len))
		dp_count(w, DP_STAT_rx_errors_sent);
}

void dp_unprotected_error_send(struct dp_worker *w, const struct pkt_vec *vec, unsigned slot,
	uint8_t code, const char *diagnostic)
{
	error_send(w, vec, slot, &(struct outer_error){code, 0, diagnostic});
}

void dp_unprotected_busy(
	struct dp_worker *w, const struct pkt_vec *vec, unsigned slot, uint32_t max_age_s)
{
	error_send(w, vec, slot, &(struct outer_error){COAP_SERVICE_UNAVAILABLE, max_age_s, ""});
}

void dp_unprotected_rst(
	struct dp_worker *w, const struct pkt_vec *vec, unsigned slot, enum dp_stat stat)
{
	uint8_t rst[COAP_EMPTY_LEN];
	struct dp_flow flow;

	coap_empty_make(rst, COAP_RST, vec->msg[slot].mid);
	pkt_flow(vec, slot, &flow);
	dp_reply(w, &flow, rst, sizeof(rst), stat);
}

void dp_unprotected_reject(
	struct dp_worker *w, const struct pkt_vec *vec, unsigned slot, enum dp_stat reason)
{
	struct dp_flow flow;

	if (vec->msg[slot].type == COAP_CON && w->policy->verbose_errors && error_budget(w)) {
		pkt_flow(vec, slot, &flow);
		// Counted beside the reason, which is where the packet ends.
		if (dp_send_empty(w, &flow, COAP_RST, vec->msg[slot].mid))
			dp_count(w, DP_STAT_rx_format_rst);
	}
	dp_drop(w, vec, slot, reason);
}
