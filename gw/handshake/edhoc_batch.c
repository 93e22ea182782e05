// SPDX-License-Identifier: BSD-3-Clause
// The part of EDHOC that takes long, for many messages at once.

#include "gw/handshake/edhoc_side_inside.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define MESSAGE_4_MAX (EDHOC_TAG_MAX + 3) // without EAD_4

// Takes an ephemeral key, of which some are made ahead. False if the library fails.
static bool ephemeral_take(struct edhoc_side *side, enum ecc_curve curve, struct ecc_pair *pair)
{
	struct ecc_pair *pairs[EDHOC_AHEAD];
	unsigned *n = &side->ahead[curve].count;

	if (!*n) {
		for (unsigned i = 0; i < EDHOC_AHEAD; i++)
			pairs[i] = &side->ahead[curve].pair[i];
		if (ecc_pairs_make(side->engine.ecc, curve, pairs, EDHOC_AHEAD))
			return false;
		*n = EDHOC_AHEAD;
	}
	struct ecc_pair *from = &side->ahead[curve].pair[--*n];

	*pair = *from;
	sodium_memzero(from, sizeof(*from));
	return true;
}

// Lets the ECDH of a job be done with the others'.
static void share(struct edhoc_side *side, struct edhoc_job *job, unsigned *sharing)
{
	if (job->result == EDHOC_OK)
		side->sharing[(*sharing)++] = job;
}

// --- message_1

static void begin_1(struct edhoc_side *side, struct edhoc_job *job, struct edhoc_shared *shared)
{
	const enum ecc_curve curve = edhoc_suites[job->message_1.suite].agreement;

	job->result = ephemeral_take(side, curve, &job->ephemeral)
		? edhoc_message_2_begin(&job->message_2, shared)
		: EDHOC_FAILED;
}

static void finish_1(struct edhoc_side *side, struct edhoc_job *job, struct edhoc_shared *shared)
{
	struct run *run = runs_get(&side->runs, job->run);
	uint8_t room[EDHOC_MESSAGE_MAX];
	struct edhoc_writer writer = edhoc_writer(room, sizeof(room));

	job->result = edhoc_message_2_finish(&job->message_2, shared, &run->session, &writer);
	const struct edhoc_bytes bytes = {room, edhoc_writer_len(&writer)};

	if (job->result != EDHOC_OK)
		return;
	run->apart = edhoc_side_in_blocks(&job->carrier, bytes.len);
	if (!run->apart) {
		memcpy(run->answer, room, bytes.len);
		run->len = (uint16_t)bytes.len;
	} else if (!edhoc_side_keep_2(side, job, bytes)) {
		job->result = EDHOC_FAILED;
	}
}

static void end_1(struct edhoc_side *side, struct edhoc_job *job)
{
	const struct run *run = runs_get(&side->runs, job->run);

	sodium_memzero(&job->ephemeral, sizeof(job->ephemeral));
	if (job->result == EDHOC_OK) {
		runs_wait(&side->runs, job->run);
		edhoc_side_count(side, HANDSHAKE_STAT_edhoc_answered);
		edhoc_side_answer_2(side, job, run);
		return;
	}
	runs_drop(&side->runs, job->run);
	edhoc_side_count(side,
		edhoc_result_is_ours(job->result) ? HANDSHAKE_STAT_edhoc_failed
						  : HANDSHAKE_STAT_edhoc_refused);
	edhoc_side_error(side, &job->head, &job->carrier.msg, job->result, 0);
}

// --- message_3

// Goes on to the first candidate, from the present one on, that fits method and suite.
static enum edhoc_result candidate_next(const struct edhoc_side *side, struct edhoc_job *job)
{
	const struct edhoc_session *session = &runs_get(&side->runs, job->run)->session;

	for (; job->at < job->candidates; job->at++)
		if (edhoc_credential_fits(&job->candidate[job->at].credential, session->method,
			    session->suite, EDHOC_INITIATOR))
			return EDHOC_OK;
	return EDHOC_CREDENTIAL;
}

static void begin_3(struct edhoc_side *side, struct edhoc_job *job, struct edhoc_shared *shared)
{
	const struct edhoc_session *session = &runs_get(&side->runs, job->run)->session;
	const struct edhoc_bytes message = job->carrier.message;

	job->at = job->candidates = 0;
	job->result = edhoc_message_3_open(
		&side->engine, session, message.data, message.len, job->room, &job->opened);
	if (job->result != EDHOC_OK)
		return;
	job->candidates = side->conf.find(side->conf.credentials, &side->engine,
		&job->opened.plaintext.id_cred, time(NULL), job->candidate, &job->result);
	if (job->candidates)
		job->result = candidate_next(side, job);
	if (job->result == EDHOC_OK)
		job->result =
			edhoc_message_3_begin(session, &job->candidate[job->at].credential, shared);
}

static void finish_3(struct edhoc_side *side, struct edhoc_job *job, struct edhoc_shared *shared)
{
	const struct edhoc_session *session = &runs_get(&side->runs, job->run)->session;

	job->result = edhoc_message_3_finish(&side->engine, session, &job->opened,
		&job->candidate[job->at].credential, shared, &job->done);
	// A kid may name several.
	while (job->result == EDHOC_FORGED && ++job->at < job->candidates &&
		candidate_next(side, job) == EDHOC_OK)
		job->result = edhoc_message_3_verify(&side->engine, session, &job->opened,
			&job->candidate[job->at].credential, &job->done);
}

// A number for keys that tells nothing of them.
static uint64_t fingerprint(const struct edhoc_side *side, const struct osc_keys *keys)
{
	uint8_t hash[crypto_generichash_BYTES_MIN];
	uint64_t number;

	crypto_generichash(hash, sizeof(hash), keys->recipient_key, sizeof(keys->recipient_key),
		side->runs.key, sizeof(side->runs.key));
	memcpy(&number, hash, sizeof(number));
	return number;
}

static struct handshake_session *session_make(struct edhoc_side *side, const struct edhoc_job *job)
{
	struct handshake_session *session = calloc(1, sizeof(*session));
	struct osc_params params;

	if (!session)
		return NULL;
	edhoc_oscore(&job->done, EDHOC_RESPONDER, &params);
	session->owner = job->candidate[job->at].owner;
	session->method = job->done.method;
	session->suite = job->done.suite;
	session->alg = params.alg;
	session->c_i = job->done.c_i;
	session->c_r = job->done.c_r;
	session->run = job->run;
	session->combined = job->head.kind == DP_SLOW_COMBINED;
	const int err = osc_derive(&session->keys, &params);

	sodium_memzero(&params, sizeof(params));
	if (err) {
		free(session);
		return NULL;
	}
	session->fingerprint = fingerprint(side, &session->keys);
	return session;
}

// What message_3 will be answered with, once its context is published.
static bool message_4_make(
	struct edhoc_side *side, const struct edhoc_job *job, struct edhoc_writer *out)
{
	return !side->conf.message_4 ||
		edhoc_message_4_make(&side->engine, &job->done, (struct edhoc_bytes){0}, out) ==
		EDHOC_OK;
}

// Gives main what was agreed on.
static bool agreed(struct edhoc_side *side, struct edhoc_job *job)
{
	struct handshake_born *born = edhoc_side_born(side, HANDSHAKE_AGREED, job);
	uint8_t room[MESSAGE_4_MAX];
	struct edhoc_writer message_4 = edhoc_writer(room, sizeof(room));

	if (!born)
		return false;
	born->session = session_make(side, job);
	if (!born->session || !message_4_make(side, job, &message_4)) {
		handshake_born_free(born);
		return false;
	}
	runs_verified(&side->runs, job->run, job->name,
		(struct edhoc_bytes){room, edhoc_writer_len(&message_4)});
	side->at_main++;
	edhoc_side_count(side, HANDSHAKE_STAT_edhoc_agreed);
	handshake_mailbox_put(side->of.mailbox, born);
	return true;
}

static void end_3(struct edhoc_side *side, struct edhoc_job *job)
{
	enum handshake_stat stat = HANDSHAKE_STAT_edhoc_unknown;

	if (job->result == EDHOC_OK && !agreed(side, job))
		job->result = EDHOC_FAILED;
	sodium_memzero(&job->done, sizeof(job->done));
	sodium_memzero(&job->opened, sizeof(job->opened));
	sodium_memzero(job->room, job->carrier.message.len);
	if (job->result == EDHOC_OK)
		return;
	runs_get(&side->runs, job->run)->busy = false;
	if (job->result == EDHOC_FORGED)
		stat = HANDSHAKE_STAT_edhoc_forged;
	else if (edhoc_result_is_ours(job->result))
		stat = HANDSHAKE_STAT_edhoc_failed;
	else if (job->result == EDHOC_MALFORMED)
		stat = HANDSHAKE_STAT_edhoc_malformed;
	edhoc_side_count(side, stat);
	edhoc_side_error(side, &job->head, &job->carrier.msg, job->result, 0);
}

void edhoc_side_flush(struct edhoc_side *side, uint64_t now_ms)
{
	const unsigned n = side->job_count;
	unsigned sharing = 0;

	side->now_ms = now_ms;
	side->job_count = 0;
	for (unsigned i = 0; i < n; i++) {
		struct edhoc_job *job = &side->job[i];
		struct edhoc_shared *shared = &side->shared[sharing];

		if (job->carrier.prefix == EDHOC_PREFIX_MESSAGE_1)
			begin_1(side, job, shared);
		else
			begin_3(side, job, shared);
		share(side, job, &sharing);
	}
	edhoc_shared_run(&side->engine, side->shared, sharing);
	for (unsigned i = 0; i < sharing; i++) {
		struct edhoc_job *job = side->sharing[i];

		if (job->carrier.prefix == EDHOC_PREFIX_MESSAGE_1)
			finish_1(side, job, &side->shared[i]);
		else
			finish_3(side, job, &side->shared[i]);
	}
	for (unsigned i = 0; i < n; i++) {
		struct edhoc_job *job = &side->job[i];

		if (job->carrier.prefix == EDHOC_PREFIX_MESSAGE_1)
			end_1(side, job);
		else
			end_3(side, job);
	}
}
