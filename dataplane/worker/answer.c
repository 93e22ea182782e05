// SPDX-License-Identifier: BSD-3-Clause

#include "dataplane/worker/answer.h"

#include <assert.h>

struct pkt_answer *dp_answer_add(struct dp_worker *w)
{
	struct answer_batch *batch = &w->batch;

	assert(batch->n < DP_ANSWERS_BATCH);
	batch->slot[batch->n] = DP_SLOT_NONE;
	struct pkt_answer *answer = &batch->answer[batch->n++];

	*answer = (struct pkt_answer){.exchange = DP_INDEX_NONE, .recorded = true};
	return answer;
}

// Fetches where the answer will be recorded.
static void name_make(const struct dp_worker *w, struct pkt_answer *answer)
{
	answer->name = dp_answer_name(w->answers, answer->context, answer->generation, answer->piv);
	dp_answer_index_prefetch(w->answers, answer->name);
}

struct pkt_answer *dp_answer_to_slot(struct dp_worker *w, struct pkt_vec *vec, unsigned slot)
{
	struct pkt_answer *answer = dp_answer_add(w);
	struct dp_flow *flow = &w->batch.flow[answer - w->batch.answer];
	const struct coap_msg *msg = &vec->msg[slot];
	unsigned alg = w->contexts->context[vec->context[slot]].alg;

	dp_frame_flow(vec->mbuf[slot], &vec->net[slot], flow);
	answer->flow = flow;
	answer->token = msg->token;
	answer->token_len = msg->token_len;
	answer->mid = msg->mid;
	answer->type = msg->type;
	answer->kid = vec->option[slot].kid;
	answer->kid_len = vec->option[slot].kid_len;
	answer->piv = vec->option[slot].piv;
	answer->tag_len = aead_algs[alg].tag_len;
	answer->tag = pkt_tag(vec, slot, answer->tag_len);
	answer->context = vec->context[slot];
	answer->generation = vec->generation[slot];
	answer->again = vec->again[slot];
	name_make(w, answer);
	return answer;
}

void dp_answer_error(struct dp_worker *w, struct pkt_answer *answer, uint8_t code, uint32_t max_age,
	const char *diagnostic)
{
	uint8_t *plaintext = w->batch.plaintext[answer - w->batch.answer];
	struct coap_writer writer;

	coap_writer_init(&writer, plaintext, DP_PLAINTEXT_MAX);
	coap_write_code(&writer, code);
	// All errors may be cached for 60 s when they do not say otherwise (RFC 7252 section 5.9).
	coap_write_option_uint(&writer, COAP_OPT_MAX_AGE, max_age);
	if (diagnostic)
		coap_write_payload(&writer, diagnostic, strlen(diagnostic));
	answer->plaintext = plaintext;
	answer->plaintext_len = coap_writer_len(&writer);
	answer->deterministic = false;
}

struct pkt_answer *dp_answer_to_exchange(struct dp_worker *w, uint32_t index)
{
	struct dp_exchange *x = &w->exchanges->worker_half[index];
	struct dp_shared *shared = dp_exchange_shared(w->exchanges, index);
	struct pkt_answer *answer = dp_answer_add(w);

	answer->flow = &x->flow;
	answer->token = dp_shared_request_buf(shared);
	answer->token_len = shared->request.token_len;
	answer->mid = x->mid;
	answer->type = x->type;
	answer->kid = x->kid;
	answer->kid_len = x->kid_len;
	answer->piv = x->piv;
	answer->tag_len = x->tag_len;
	answer->tag = x->tag;
	answer->context = x->context;
	answer->generation = x->context_generation;
	answer->no_response = x->no_response;
	answer->separate = dp_exchange_is_acked(x->state);
	name_make(w, answer);
	return answer;
}
