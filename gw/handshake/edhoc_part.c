// SPDX-License-Identifier: BSD-3-Clause
// Messages of EDHOC that come in blocks, and message_2 that go in blocks.

#include "gw/handshake/edhoc_side_inside.h"

#include <string.h>

static struct blocks_key key_of(const struct edhoc_job *job)
{
	struct blocks_key key = {.network = dp_flow_network(&job->head.flow)};

	memcpy(key.endpoint, &job->head.flow, sizeof(key.endpoint));
	return key;
}

static struct blocks_taken take(struct edhoc_side *side, const struct edhoc_job *job)
{
	const struct carrier *carrier = &job->carrier;
	struct blocks_key key = key_of(job);

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

// --- message_2

bool edhoc_side_in_blocks(const struct carrier *carrier, size_t len)
{
	return len > RUNS_ANSWER_MAX ||
		(carrier->asks && len > coap_block_size(carrier->asked.szx));
}

static struct blocks_key key_of_2(const struct edhoc_job *job, const struct run *run)
{
	struct blocks_key key = key_of(job);

	_Static_assert(sizeof(key.tag) == RUNS_NAME_LEN, "the name of message_1");
	memcpy(key.tag, run->message_1, sizeof(key.tag));
	return key;
}

bool edhoc_side_keep_2(
	struct edhoc_side *side, const struct edhoc_job *job, struct edhoc_bytes bytes)
{
	const struct blocks_key key = key_of_2(job, runs_get(&side->runs, job->run));

	return blocks_keep(side->given, &key, bytes, side->now_ms);
}

static void give(struct edhoc_side *side, const struct edhoc_job *job, struct edhoc_bytes whole)
{
	const struct carrier *carrier = &job->carrier;
	struct coap_block block = {.szx = COAP_SZX_MAX};

	if (carrier->asks)
		block = carrier->asked;
	const uint64_t at = coap_block_offset(&block);
	const size_t size = coap_block_size(block.szx);

	if (!whole.len) {
		answer(side, job, HANDSHAKE_STAT_edhoc_blocks_incomplete,
			&(struct carrier_answer){.code = COAP_REQUEST_ENTITY_INCOMPLETE});
		return;
	}
	if (at >= whole.len) {
		edhoc_side_malformed(side, job, COAP_BAD_REQUEST);
		return;
	}
	block.more = whole.len - at > size;
	answer(side, job, HANDSHAKE_STAT_edhoc_blocks_given,
		&(struct carrier_answer){
			.code = COAP_CHANGED,
			.edhoc = true,
			.block = &block,
			.size = block.num ? 0 : (uint32_t)whole.len,
			.payload = {whole.data + at, block.more ? size : whole.len - (size_t)at},
		});
}

void edhoc_side_answer_2(
	struct edhoc_side *side, const struct edhoc_job *job, const struct run *run)
{
	const struct blocks_key key = key_of_2(job, run);
	const struct edhoc_bytes whole = run->apart ? blocks_kept(side->given, &key)
						    : (struct edhoc_bytes){run->answer, run->len};

	if (run->apart || job->carrier.asks)
		give(side, job, whole);
	else
		edhoc_side_answer(side, &job->head, &job->carrier.msg, COAP_CHANGED, whole);
}

void edhoc_side_fetch(struct edhoc_side *side, const struct edhoc_job *job)
{
	const struct blocks_key key = key_of(job);

	// A block may be more than three times as long as what asks for it.
	if (edhoc_side_shown(side, job))
		give(side, job,
			job->carrier.fetches ? blocks_newest(side->given, key.endpoint)
					     : (struct edhoc_bytes){0});
}
