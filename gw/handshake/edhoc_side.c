// SPDX-License-Identifier: BSD-3-Clause

#include "dataplane/shared/memory.h"
#include "gw/handshake/edhoc_side_inside.h"

#include <assert.h>
#include <errno.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#define ECHO_ABOVE    (RUNS_MAX / 4) // runs that wait: EDHOC_ECHO_AUTO asks then
#define AMPLIFICATION 3              // RFC 9175 section 2.4
// Bytes of a message_2 beside ID_CRED_R and proof, and of the CoAP message around it but its token.
#define MESSAGE_2_REST (2 + ECC_LEN + 1 + EDHOC_CONNECTION_MAX + 2)
#define COAP_REST      (4 + 2 + 1)

// --- message_1

// What a message_2 is long, about, with the CoAP message around it.
static size_t message_2_len(const struct edhoc_identity *identity, unsigned method, unsigned suite,
	const struct coap_msg *request)
{
	const struct edhoc_id_cred *id_cred = &identity->id_cred;

	return COAP_REST + request->token_len + MESSAGE_2_REST +
		(id_cred->map.data ? id_cred->map.len : id_cred->value.len + 1) +
		edhoc_proof_len(method, suite, EDHOC_RESPONDER);
}

// Whether the sender must show first that it receives at its address.
static bool must_show(const struct edhoc_side *side, const struct edhoc_job *job)
{
	const struct edhoc_message_1 *message = &job->message_1;
	const size_t len = message_2_len(job->message_2.identity, (unsigned)message->method,
		(unsigned)message->suite, &job->carrier.msg);

	// Whatever handshakes.echo says: places are not for who is not there.
	if (edhoc_side_in_blocks(&job->carrier, len))
		return true;
	if (side->conf.echo != EDHOC_ECHO_AUTO)
		return side->conf.echo == EDHOC_ECHO_ALWAYS;
	return side->runs.waiting.count >= ECHO_ABOVE ||
		len > (size_t)AMPLIFICATION * job->head.len;
}

// A copy of a message_1 gets the message_2 that was made, or nothing while it is made, or when its
// sender has it, as its message_3 says.
static void answer_copy_1(
	struct edhoc_side *side, const struct edhoc_job *job, const struct run *run)
{
	edhoc_side_count(side, HANDSHAKE_STAT_edhoc_copies);
	if (run->message_2)
		edhoc_side_answer_2(side, job, run);
}

// Looks at what is in a message_1, and finds what answers it. Nothing is computed.
static bool check_1(struct edhoc_side *side, struct edhoc_job *job)
{
	const struct edhoc_bytes bytes = job->carrier.message;
	const struct edhoc_identities *own = side->identities;
	struct edhoc_message_1 *message = &job->message_1;
	unsigned suites = side->conf.suites;
	enum edhoc_result result = edhoc_message_1_parse(message, bytes.data, bytes.len);

	if (result == EDHOC_OK) {
		if (message->method >= 0 && message->method < EDHOC_METHOD_COUNT)
			suites = own->suites_of[message->method];
		result = edhoc_message_1_check(message, own->methods, suites);
	}
	if (result != EDHOC_OK) {
		edhoc_side_count(side, HANDSHAKE_STAT_edhoc_refused);
		edhoc_side_error(side, &job->head, &job->carrier.msg, result, suites);
		return false;
	}
	job->message_2 = (struct edhoc_message_2){
		.message_1 = message,
		.ephemeral = &job->ephemeral,
		.identity = edhoc_identity_find(own->identity, own->count,
			(unsigned)message->method, (unsigned)message->suite, EDHOC_RESPONDER),
	};
	return true;
}

static void take_1(struct edhoc_side *side, struct edhoc_job *job)
{
	const struct coap_msg *msg = &job->carrier.msg;
	const struct dp_flow *flow = &job->head.flow;
	struct edhoc_connection *c_r = &job->message_2.c_r;
	uint8_t name[RUNS_NAME_LEN];
	bool low;

	runs_name(&side->runs, flow, DP_ENDPOINT_LEN, job->carrier.message, name);
	job->run = runs_find_message_1(&side->runs, name);
	if (job->run != RUNS_NONE) {
		answer_copy_1(side, job, runs_get(&side->runs, job->run));
		return;
	}
	if (job->carrier.asks && job->carrier.asked.num) {
		edhoc_side_fetch(side, job);
		return;
	}
	if (!check_1(side, job) || (must_show(side, job) && !edhoc_side_shown(side, job)))
		return;
	const bool has = connections_take(side->conf.connections, &job->message_1.c_i, c_r, &low);

	if (low)
		handshake_mailbox_wake(side->of.mailbox);
	if (!has) {
		edhoc_side_busy(side, &job->head, msg);
		return;
	}
	job->run = runs_begin(&side->runs, side->now_ms, dp_flow_network(flow), name, c_r);
	if (job->run == RUNS_NONE) {
		connections_put(side->conf.connections, c_r);
		edhoc_side_busy(side, &job->head, msg);
		return;
	}
	side->job_count++;
}

// --- message_3

// A message_3 for a run that one has verified for: a copy of that one, or it is refused.
static void take_late(struct edhoc_side *side, struct edhoc_job *job, const struct run *run)
{
	const struct coap_msg *msg = &job->carrier.msg;
	struct handshake_born *born;

	if (sodium_memcmp(run->message_3, job->name, RUNS_NAME_LEN)) {
		edhoc_side_count(side, HANDSHAKE_STAT_edhoc_stray);
		edhoc_side_error(side, &job->head, msg, EDHOC_FORGED, 0);
	} else if (run->state == RUN_OVER) {
		edhoc_side_busy(side, &job->head, msg);
	} else if (job->head.kind == DP_SLOW_COMBINED) {
		// While the context is published this one waits behind that in the mailbox.
		born = edhoc_side_born(side, HANDSHAKE_AGAIN, job);
		edhoc_side_count(
			side, born ? HANDSHAKE_STAT_edhoc_again : HANDSHAKE_STAT_edhoc_failed);
		if (born)
			handshake_mailbox_put(side->of.mailbox, born);
	} else {
		edhoc_side_count(side, HANDSHAKE_STAT_edhoc_copies);
		if (run->state == RUN_STANDS)
			edhoc_side_answer(side, &job->head, msg, COAP_CHANGED,
				(struct edhoc_bytes){run->answer, run->len});
	}
}

// Whether a message_3 can belong to a run.
static bool expects_3(const struct run *run)
{
	return run->state != RUN_BEGINS &&
		(run->state != RUN_OVER || !sodium_is_zero(run->message_3, RUNS_NAME_LEN));
}

static void take_3(struct edhoc_side *side, struct edhoc_job *job)
{
	const struct edhoc_connection *c_r = &job->carrier.c_r;
	const struct coap_msg *msg = &job->carrier.msg;
	struct run *run = job->run == RUNS_NONE ? NULL : runs_get(&side->runs, job->run);

	// An error message of the Initiator is not authenticated, so it ends nothing; and no error
	// message answers one (RFC 9528 section 6), whatever its C_R is.
	if (edhoc_is_error(job->carrier.message.data, job->carrier.message.len)) {
		edhoc_side_count(side, HANDSHAKE_STAT_edhoc_malformed);
		edhoc_side_answer(side, &job->head, msg, COAP_CHANGED, (struct edhoc_bytes){0});
		return;
	}
	if (!run || !expects_3(run)) {
		edhoc_side_count(side, HANDSHAKE_STAT_edhoc_stray);
		edhoc_side_error(side, &job->head, msg, EDHOC_FORGED, 0);
		return;
	}
	// The request would have no message_4 (RFC 9668 section 3.3.1).
	if (side->conf.message_4 && job->head.kind == DP_SLOW_COMBINED) {
		edhoc_side_count(side, HANDSHAKE_STAT_edhoc_combined);
		edhoc_side_error(side, &job->head, msg, EDHOC_FORGED, 0);
		return;
	}
	runs_name(&side->runs, c_r->bytes, c_r->len, job->carrier.message, job->name);
	if (run->state != RUN_WAITS) {
		take_late(side, job, run);
		return;
	}
	if (side->at_main + side->job_count >= EDHOC_AT_MAIN) {
		edhoc_side_busy(side, &job->head, msg);
		return;
	}
	run->busy = true;
	side->job_count++;
}

// --- all of them

void edhoc_side_take(struct edhoc_side *side, const struct dp_slow_head *head, uint64_t now_ms)
{
	side->now_ms = now_ms;
	if (side->job_count == EDHOC_BATCH)
		edhoc_side_flush(side, now_ms);
	struct edhoc_job *job = &side->job[side->job_count];
	struct carrier *carrier = &job->carrier;
	int code = -1;

	if (head->len <= sizeof(job->coap)) {
		job->head = *head;
		memcpy(job->coap, head->coap, head->len);
		code = head->kind == DP_SLOW_COMBINED
			? carrier_read_combined(carrier, job->coap, head->len)
			: carrier_read(carrier, job->coap, head->len);
	}
	if (code) {
		edhoc_side_malformed(side, job, code);
		return;
	}
	if (carrier->fetches)
		edhoc_side_fetch(side, job);
	if (carrier->fetches || (carrier->part && !edhoc_side_take_part(side, job)))
		return;
	if (carrier->prefix == EDHOC_PREFIX_MESSAGE_1) {
		take_1(side, job);
		return;
	}
	job->run = runs_find_c_r(&side->runs, &carrier->c_r);
	if (job->run != RUNS_NONE && runs_get(&side->runs, job->run)->busy) {
		// What becomes of the one before is to be known first.
		edhoc_side_flush(side, now_ms);
		edhoc_side_take(side, head, now_ms);
		return;
	}
	take_3(side, job);
}

void edhoc_side_settle(struct edhoc_side *side, struct handshake_born *born)
{
	const struct handshake_session *session = born->session;
	const struct dp_slow_head to = {.flow = born->flow, .worker = (uint8_t)born->worker};
	const struct run *run = runs_get(&side->runs, session->run);
	struct coap_msg msg;

	runs_settle(&side->runs, session->run, session->published);
	side->at_main--;
	if ((!session->combined || !session->published) &&
		coap_msg_parse(&msg, born->coap, born->len) == COAP_OK) {
		if (session->published)
			edhoc_side_answer(side, &to, &msg, COAP_CHANGED,
				(struct edhoc_bytes){run->answer, run->len});
		else
			edhoc_side_busy(side, &to, &msg);
	}
	if (!session->published && !session->c_r_lost)
		connections_put(side->conf.connections, &session->c_r);
	handshake_born_free(born);
}

bool edhoc_side_turn(struct edhoc_side *side, uint64_t now_ms)
{
	runs_turn(&side->runs, now_ms);
	(void)blocks_turn(side->given, now_ms);
	for (unsigned n = blocks_turn(side->blocks, now_ms); n; n--)
		edhoc_side_count(side, HANDSHAKE_STAT_edhoc_blocks_timed_out);
	return side->runs.waiting.count || blocks_count(side->given) || blocks_count(side->blocks);
}

// --- life

static void connection_back(void *arg, const struct edhoc_connection *c_r)
{
	struct edhoc_side *side = arg;

	connections_put(side->conf.connections, c_r);
}

struct edhoc_identities *edhoc_side_identify(
	struct edhoc_side *side, struct edhoc_identities *identities)
{
	struct edhoc_identities *before = side->identities;

	assert(!side->job_count);
	side->identities = identities;
	return before;
}

void edhoc_side_free(struct edhoc_side *side)
{
	if (!side)
		return;
	runs_fini(&side->runs);
	blocks_free(side->blocks);
	blocks_free(side->given);
	edhoc_identities_free(side->identities);
	ecc_engine_free(side->engine.ecc);
	aead_engine_free(side->engine.aead);
	if (side->job)
		sodium_memzero(side->job, EDHOC_BATCH * sizeof(*side->job));
	dp_unmap(side->job, EDHOC_BATCH * sizeof(*side->job));
	sodium_memzero(side, sizeof(*side));
	free(side);
}

struct edhoc_side *edhoc_side_create(
	const struct edhoc_side_conf *conf, const struct edhoc_side_of *of)
{
	struct edhoc_side *side = calloc(1, sizeof(*side));
	int rc = -ENOMEM;

	if (!side)
		return NULL;
	side->conf = *conf;
	side->of = *of;
	side->engine.aead = aead_engine_create(NULL);
	side->engine.ecc = ecc_engine_create(NULL);
	side->job = dp_map(EDHOC_BATCH * sizeof(*side->job), DP_MAP_LAZY);
	side->blocks = blocks_create();
	side->given = blocks_create();
	side->runs.unused_c_r = connection_back;
	side->runs.arg = side;
	if (side->engine.aead && side->engine.ecc && side->job && side->blocks && side->given)
		rc = runs_init(&side->runs);
	if (!rc) {
		side->identities = edhoc_identities_create(
			conf->own, conf->own_count, conf->methods, conf->suites);
		rc = side->identities ? 0 : -errno;
	}
	if (rc) {
		edhoc_side_free(side);
		errno = -rc;
		return NULL;
	}
	return side;
}
