// SPDX-License-Identifier: BSD-3-Clause
// Messages of EDHOC that come in blocks.

#include "gw/handshake/edhoc_side_inside.h"

#include <string.h>

static struct blocks_taken take(struct edhoc_side *side, const struct edhoc_job *job)
{
	const struct carrier *carrier = &job->carrier;
	struct blocks_key key = {.network = dp_flow_network(&job->head.flow)};

	memcpy(key.endpoint, &job->head.flow, sizeof(key.endpoint));
	carrier_tag(carrier, key.tag);
	return blocks_take(
		side->blocks, &key, &carrier->block, carrier->message, carrier->size, side->now_ms);
}

static void answer(struct edhoc_side *side, const struct edhoc_job *job, enum handshake_stat stat,
	const struct carrier_answer *answer)
{
	edhoc_side_count(side, stat);
	edhoc_side_send(side, &job->head, &job->carrier.msg, answer);
}

// Copies the message, since a place may be given to another one before the job is done.
static bool complete(struct edhoc_side *side, struct edhoc_job *job, struct edhoc_bytes whole)
{
	memcpy(job->whole, whole.data, whole.len);
	whole.data = job->whole;
	const int code = carrier_complete(&job->carrier, whole);

	if (code)
		edhoc_side_malformed(side, job, code);
	return !code;
}

bool edhoc_side_take_part(struct edhoc_side *side, struct edhoc_job *job)
{
	// Whatever handshakes.echo says: places are not for who is not there.
	if (!edhoc_side_shown(side, job))
		return false;
	const struct blocks_taken taken = take(side, job);

	if (taken.gave_way)
		edhoc_side_count(side, HANDSHAKE_STAT_edhoc_blocks_dropped);
	switch (taken.verdict) {
	case BLOCKS_WHOLE:
		return complete(side, job, taken.whole);
	case BLOCKS_NEXT:
		answer(side, job, HANDSHAKE_STAT_edhoc_blocks,
			&(struct carrier_answer){.code = COAP_CONTINUE});
		break;
	case BLOCKS_BAD:
		edhoc_side_malformed(side, job, COAP_BAD_REQUEST);
		break;
	case BLOCKS_INCOMPLETE:
		answer(side, job, HANDSHAKE_STAT_edhoc_blocks_incomplete,
			&(struct carrier_answer){.code = COAP_REQUEST_ENTITY_INCOMPLETE});
		break;
	case BLOCKS_TOO_LARGE:
		answer(side, job, HANDSHAKE_STAT_edhoc_blocks_too_large,
			&(struct carrier_answer){
				.code = COAP_REQUEST_ENTITY_TOO_LARGE, .size_max = BLOCKS_BYTES});
		break;
	case BLOCKS_FULL:
		answer(side, job, HANDSHAKE_STAT_edhoc_blocks_full,
			&(struct carrier_answer){
				.code = COAP_SERVICE_UNAVAILABLE, .max_age_s = EDHOC_BUSY_MAX_AGE});
		break;
	}
	return false;
}
