// SPDX-License-Identifier: BSD-3-Clause
// Sessions: whether answers, requests that are handed on, and shares are as they may be.

#include "tests/model/nonces.h"
#include "tests/model/sessions.h"

#include <sodium.h>
#include <string.h>

// Shows the oracle what an answer was sealed as.
static void nonce_used(
	const struct model_request *r, const struct bed_answer *answer, const uint8_t sealed[16])
{
	const struct osc_params *params = &r->device.params;
	uint8_t nonce[AEAD_NONCE_MAX] = {0};

	osc_nonce(nonce, params->alg, r->device.keys.common_iv,
		answer->has_piv ? params->recipient_id : params->sender_id,
		answer->has_piv ? params->recipient_id_len : params->sender_id_len,
		answer->has_piv ? answer->piv : r->bed.piv);
	must(nonce_seals(r->device.keys.recipient_key, nonce, sealed), "a nonce sealed twice");
}

// What a device does on a confirmable answer. Lost messages and those of others are the network's.
static void device_acknowledges(const struct model_device *d, uint16_t mid)
{
	struct dp_flow flow = d->flow;
	uint64_t what = rnd(8);

	if (what < 2 || queued == QUEUE_MAX)
		return;
	if (what == 2)
		flow.remote_port += rte_cpu_to_be_16(1000);
	bed.queue = rnd(4) ? d->queue : rnd(WORKERS);
	bed_send_empty(&bed, &flow, what == 3 ? COAP_RST : COAP_ACK, mid);
	queued++;
}

static void take_empty(const struct bed_answer *answer)
{
	struct model_request *r = &history[answer->msg.mid % HISTORY];

	if (answer->msg.type == COAP_RST)
		return;
	must(r->bed.mid == answer->msg.mid && r->accepted && r->bed.type == COAP_CON,
		"an ACK of nothing");
	must(answer->flow.local_port == devices[r->from].flow.remote_port, "to where it came from");
	must(r->acked || !r->answered, "an empty ACK after a piggybacked answer");
	r->acked = true;
}

// How an answer came. A NON may be what a confirmable request gets when it has timed out.
static void check_type(const struct model_request *r, const struct bed_answer *answer, uint8_t code)
{
	struct model_device *d = &devices[r->from];
	uint16_t mid = answer->msg.mid;

	if (answer->msg.type == COAP_ACK) {
		must(r->bed.type == COAP_CON && mid == r->bed.mid, "piggybacked");
		// A window that was lost meanwhile is a new beginning, and an old number of a
		// silent device a suspicion: both are challenged.
		must(!r->acked || code == COAP_UNAUTHORIZED, "in an ACK after an empty one");
		return;
	}
	if (answer->msg.type == COAP_NON) {
		must(r->bed.type == COAP_NON || (r->acked && code == COAP_GATEWAY_TIMEOUT), "type");
		must(!(mid & ~DP_MID_NON), "apart from those of CON answers");
		return;
	}
	must(r->bed.type == COAP_CON && r->acked, "a separate answer without an empty ACK");
	must(mid & ~DP_MID_NON, "apart from those of NON answers");
	must(r->answered || !d->mid_ms[mid] ||
			clock_ms - d->mid_ms[mid] > dp_exchange_lifetime_ms(DP_ACK_TIMEOUT_MS),
		"a message id again");
	d->mid_ms[mid] = clock_ms;
	device_acknowledges(d, mid);
}

static void clock_used(struct model_device *d, const struct model_request *r, uint64_t piv)
{
	int64_t second = piv >> DP_CLOCK_BITS;

	must(second <= wall_ms / 1000 || r->answered || r->acked, "ahead of the clock");
	wall_used = RTE_MAX(wall_used, second);
	if (r->keys == d->keys)
		d->clock_next = RTE_MAX(d->clock_next, (int64_t)piv + 1);
}

void take_answers(void)
{
	struct bed_answer answer;
	struct coap_body body;
	struct coap_option echo;

	while (bed_receive(&bed, &answer)) {
		frames++;
		if (answer.msg.code == COAP_EMPTY) {
			take_empty(&answer);
			continue;
		}
		if (!answer.protected) {
			must(COAP_CODE_CLASS(answer.msg.code) == 4, "an unprotected answer");
			continue;
		}
		uint8_t sealed[16];
		uint16_t mid = answer.msg.token[0] << 8 | answer.msg.token[1];
		struct model_request *r = &history[mid % HISTORY];

		must(answer.msg.token_len == 2 && r->bed.mid == mid, "whose answer is it?");
		must(bed_open(&r->device, &r->bed, &answer), "bound to its own request");
		check_type(r, &answer, answer.plaintext[0]);
		crypto_generichash(sealed, sizeof(sealed), answer.msg.body.payload,
			answer.msg.body.payload_len, NULL, 0);
		nonce_used(r, &answer, sealed);
		struct model_device *d = &devices[r->from];

		if (d->by_clock)
			clock_used(d, r, answer.piv);
		must(coap_body_parse(&body, answer.plaintext + 1, answer.plaintext_len - 1) ==
				COAP_OK,
			"an answer is sound");
		if (answer.plaintext[0] == COAP_UNAUTHORIZED &&
			coap_option_find(&body, COAP_OPT_ECHO, &echo)) {
			must(answer.has_piv, "a challenge has an own Partial IV");
			if (r->keys == d->keys) {
				d->echo_context = d->context;
				d->echo_ms = clock_ms;
				d->echo_len = echo.len;
				memcpy(d->echo, echo.value, echo.len);
			}
			continue;
		}
		must(answer.flow.local_port == d->flow.remote_port, "to where it came from");
		must(r->accepted, "an answer to what was not accepted");
		must(!r->gone, "an answer of a context that is gone");
		must(answer.has_piv == r->own_piv, "own Partial IV");
		if (r->answered) {
			must(!memcmp(r->answer, sealed, 16), "two answers to one request");
			continue;
		}
		r->answered = true;
		memcpy(r->answer, sealed, 16);
		local_answers += !r->dispatched;
	}
}

void take_requests(void)
{
	dp_handle handle;
	struct dp_shared *shared;

	for (unsigned i = 0; i < WORKERS;) {
		struct dp_loop_port *port = &dp_loop(bed.dp, 0)->port[i];

		if (!dp_loop_receive(port, &handle, 1)) {
			i++;
			continue;
		}
		shared = dp_shared_get(port->pool, handle);
		must(shared && held_count < RTE_DIM(held), "an exchange comes once");
		const uint8_t *token = dp_shared_body(shared) - 2;
		struct model_request *r = &history[(token[0] << 8 | token[1]) % HISTORY];

		must(r->accepted && !r->dispatched, "handed on once, when accepted");
		must(shared->request.piv == r->bed.piv, "its own Partial IV");
		must(!r->answered, "not answered before it was handed on");
		r->dispatched = true;
		dispatched++;
		held[held_count++] = (struct held){handle, i};
	}
}

// Between turns an exchange is free, with the loop (the model holds its handle), or waits for an
// ACK.
static void check_state(unsigned worker, uint32_t index, enum dp_exchange_state at, bool is_free)
{
	bool is_held = false;

	for (unsigned h = 0; h < held_count; h++)
		is_held |= held[h].worker == worker && dp_handle_index(held[h].handle) == index;
	must(is_free == (at == DP_EXCHANGE_FREE), "exchange %u: free, state %d", index, at);
	must(is_held == dp_exchange_is_held(at), "exchange %u: held, state %d", index, at);
	must(is_free || is_held || dp_exchange_is_delivering(at), "exchange %u: state %d", index,
		at);
}

void check_shares(void)
{
	for (unsigned i = 0; i < WORKERS; i++) {
		const struct dp_exchange_pool *pool = bed_exchanges(&bed, i);
		const struct dp_exchange *all = dp_exchange_at(pool, 0);
		unsigned under_way[DEVICES] = {0}, unacked[DEVICES] = {0}, waiting = 0;
		bool is_free[BED_EXCHANGES] = {false};

		for (uint32_t x = pool->free_head; x != DP_INDEX_NONE; x = all[x].next)
			is_free[x] = true;
		for (unsigned x = 0; x < BED_EXCHANGES; x++) {
			waiting += dp_exchange_is_delivering(all[x].state);
			check_state(i, x, all[x].state, is_free[x]);
			for (unsigned k = 0; k < DEVICES && !is_free[x]; k++) {
				if (!devices[k].there || devices[k].bed.context != all[x].context ||
					devices[k].bed.generation != all[x].context_generation)
					continue;
				under_way[k]++;
				unacked[k] += dp_exchange_is_delivering(all[x].state);
			}
		}
		must(waiting == dp_worker_unacked(bed.dp, i), "%u, %u", waiting,
			dp_worker_unacked(bed.dp, i));
		for (unsigned k = 0; k < DEVICES; k++) {
			const struct model_device *d = &devices[k];
			const struct dp_context *ctx =
				&dp_contexts(bed.dp)->context[d->bed.context];
			unsigned listed = 0;

			if (!d->there || dp_context_live(ctx) != d->bed.generation ||
				ctx->owner != i)
				continue;
			for (uint32_t x = ctx->in_flight; x != DP_INDEX_NONE; x = all[x].next)
				listed++;
			must(ctx->in_flight_count == under_way[k] && listed == under_way[k],
				"device %u: %u counted, %u listed, %u under way", k,
				ctx->in_flight_count, listed, under_way[k]);
			must(dp_contexts(bed.dp)->side[d->bed.context].unacked_count == unacked[k],
				"device %u: unacked", k);
		}
	}
}
