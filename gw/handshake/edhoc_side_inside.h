// SPDX-License-Identifier: BSD-3-Clause
// What the files of a thread's EDHOC side have in common.

#ifndef POSTERN_GW_HANDSHAKE_EDHOC_SIDE_INSIDE_H
#define POSTERN_GW_HANDSHAKE_EDHOC_SIDE_INSIDE_H

#include "gw/handshake/blocks.h"
#include "gw/handshake/carrier.h"
#include "gw/handshake/edhoc_side.h"
#include "gw/handshake/runs.h"

#define EDHOC_BATCH        32   // messages that are worked on at once
#define EDHOC_DATAGRAM     2048 // bytes of a datagram that is taken; longer messages come in blocks
#define EDHOC_AHEAD        8    // ephemeral keys of a curve that are made at once
#define EDHOC_CURVES       2    // for key agreement
#define EDHOC_AT_MAIN      1024 // sessions that wait for main
#define EDHOC_BUSY_MAX_AGE 5    // seconds: when a device may try again that was told 5.03

// A message that is worked on.
struct edhoc_job {
	struct dp_slow_head head;
	uint8_t coap[EDHOC_DATAGRAM]; // of a message in blocks, the one that came last
	uint8_t whole[BLOCKS_BYTES];  // the payload of such a message
	struct carrier carrier;
	uint32_t run;
	enum edhoc_result result;
	// message_1:
	struct edhoc_message_1 message_1;
	struct edhoc_message_2 message_2;
	struct ecc_pair ephemeral;
	// message_3:
	uint8_t name[RUNS_NAME_LEN];
	uint8_t room[EDHOC_MESSAGE_MAX];
	struct edhoc_opened opened;
	struct edhoc_candidate candidate[EDHOC_CANDIDATES_MAX];
	unsigned candidates, at; // at: the one that is tried
	struct edhoc_done done;
};

struct edhoc_side {
	struct edhoc_side_conf conf;
	struct edhoc_side_of of;
	struct edhoc_engine engine;
	struct edhoc_identities *identities;
	struct runs runs;
	struct blocks *blocks;
	struct blocks *given; // message_2 that are fetched in blocks
	struct {
		unsigned count;
		struct ecc_pair pair[EDHOC_AHEAD];
	} ahead[EDHOC_CURVES];
	unsigned at_main;
	uint64_t now_ms;       // of this turn
	struct edhoc_job *job; // [EDHOC_BATCH]
	unsigned job_count;
	struct edhoc_shared shared[EDHOC_BATCH];
	struct edhoc_job *sharing[EDHOC_BATCH];
};

static inline void edhoc_side_count(struct edhoc_side *side, enum handshake_stat stat)
{
	handshake_count(side->of.stats, stat);
}

void edhoc_side_send(struct edhoc_side *side, const struct dp_slow_head *to,
	const struct coap_msg *request, const struct carrier_answer *answer);
// Sends an answer. A payload is EDHOC.
void edhoc_side_answer(struct edhoc_side *side, const struct dp_slow_head *to,
	const struct coap_msg *request, uint8_t code, struct edhoc_bytes payload);
// Sends the error message for a result; suites: as edhoc_error_write() has them.
void edhoc_side_error(struct edhoc_side *side, const struct dp_slow_head *to,
	const struct coap_msg *request, enum edhoc_result result, unsigned suites);
// An unprotected 5.03, counted.
void edhoc_side_busy(
	struct edhoc_side *side, const struct dp_slow_head *to, const struct coap_msg *request);
// Whether the sender of a message has shown to receive at its address; else it is challenged.
bool edhoc_side_shown(struct edhoc_side *side, const struct edhoc_job *job)
	__attribute__((warn_unused_result));
// Takes in a part of a message. True: it is the last one, and the job has the message. Else it was
// answered.
bool edhoc_side_take_part(struct edhoc_side *side, struct edhoc_job *job)
	__attribute__((warn_unused_result));
// Whether a message_2 of so many bytes is fetched in blocks.
bool edhoc_side_in_blocks(const struct carrier *carrier, size_t len)
	__attribute__((warn_unused_result));
// Keeps message_2 of the job's run for that. False: there is no place.
bool edhoc_side_keep_2(struct edhoc_side *side, const struct edhoc_job *job,
	struct edhoc_bytes bytes) __attribute__((warn_unused_result));
// Answers a message_1 with message_2 of its run, or with the block of it that is asked for.
void edhoc_side_answer_2(
	struct edhoc_side *side, const struct edhoc_job *job, const struct run *run);
// A request for a block of the message_2 that its endpoint got last; with a message_1, of which
// nothing is known, for one of none.
void edhoc_side_fetch(struct edhoc_side *side, const struct edhoc_job *job);
// What carries a message is answered with the code of an error.
void edhoc_side_malformed(struct edhoc_side *side, const struct edhoc_job *job, int code);
// Makes something for main of a message; of a combined request, of what is left of it. NULL without
// memory.
struct handshake_born *edhoc_side_born(
	struct edhoc_side *side, enum handshake_kind kind, const struct edhoc_job *job);

#endif
