// SPDX-License-Identifier: BSD-3-Clause
// A worker: everything one lcore owns, and the stages that a burst passes (see docs/pipeline.md).
// Internal to dataplane/.

#ifndef POSTERN_DATAPLANE_WORKER_WORKER_H
#define POSTERN_DATAPLANE_WORKER_WORKER_H

#include "dataplane/oscore/protect.h"
#include "dataplane/port/frame.h"
#include "dataplane/port/port.h"
#include "dataplane/shared/access.h"
#include "dataplane/shared/event.h"
#include "dataplane/shared/frame_ring.h"
#include "dataplane/shared/setup.h"
#include "dataplane/shared/stats.h"
#include "dataplane/state/answer_index.h"
#include "dataplane/state/echo.h"
#include "dataplane/state/exchange_pool.h"
#include "dataplane/state/in_flight.h"
#include "dataplane/state/mids.h"
#include "dataplane/state/overload.h"
#include "dataplane/state/unacked.h"
#include "dataplane/state/wheel.h"

#include <rte_cycles.h>
#include <rte_mempool.h>
#include <rte_rcu_qsbr.h>
#include <rte_ring.h>

#include <stdalign.h>

#define DP_ANSWERS_BATCH AEAD_BATCH_MAX // answers sealed at once
// Diagnostic of an answer that the device would not take.
#define DP_TOO_LARGE     "Answer is too large for the device"
#define DP_PLAINTEXT_MAX 64 // of an answer that the worker makes itself, without payload

// Options of a message that are read. Of the outer one: OSCORE, and what is for proxies; each costs
// time before anything is verified. Of the inner one: paths and queries have one a segment.
#define DP_OUTER_OPTIONS_MAX 16
#define DP_INNER_OPTIONS_MAX 64

// A device that hears nothing of a confirmable request sends it again after ACK_TIMEOUT at least:
// what an empty ACK leaves of that is for the way to it.
#define DP_ACK_AFTER(ack_timeout_ms) ((ack_timeout_ms) / 4)

// A burst on its way through the stages. All arrays are indexed by slot, a packet keeps its slot;
// live[] lists the slots of the packets still in the race, in order of arrival.
struct pkt_vec {
	unsigned count; // packets received
	unsigned n;     // packets in live[]
	uint8_t live[DP_BURST];
	struct rte_mbuf *mbuf[DP_BURST];
	struct dp_frame_info net[DP_BURST];
	struct coap_msg msg[DP_BURST];      // outer message
	struct osc_option option[DP_BURST]; // OSCORE option
	struct dp_context_key key[DP_BURST];
	uint32_t context[DP_BURST];
	uint32_t generation[DP_BURST];
	uint16_t plaintext_len[DP_BURST];
	bool opened[DP_BURST];  // the payload is plaintext now, to be wiped
	bool foreign[DP_BURST]; // another worker owns the context: verified here, handed over
	bool probe[DP_BURST];   // verified only to see whether the device starts again
	uint8_t aad[DP_BURST][OSC_AAD_ROOM];
};

// Keeps in live[] the slots that `keep` is true for; the others were counted and end here.
#define VEC_FILTER(vec, slot, keep)                          \
	do {                                                 \
		unsigned kept_ = 0;                          \
		for (unsigned i_ = 0; i_ < (vec)->n; i_++) { \
			unsigned slot = (vec)->live[i_];     \
			if (keep)                            \
				(vec)->live[kept_++] = slot; \
		}                                            \
		(vec)->n = kept_;                            \
	} while (0)

// An answer to be sealed and sent. Pointers stay valid until the batch is flushed.
struct pkt_answer {
	const struct dp_flow *flow;
	const uint8_t *token;
	const uint8_t *kid; // of the request
	const uint8_t *tag; // of the request
	const uint8_t *plaintext;
	uint64_t piv;     // of the request
	uint64_t own_piv; // if has_own_piv
	uint32_t context;
	uint32_t generation;
	uint32_t exchange; // taken back when the answer is sent; DP_INDEX_NONE: none
	uint16_t plaintext_len;
	uint16_t token_len;
	uint16_t mid;
	uint8_t type; // of the request
	uint8_t kid_len;
	uint8_t tag_len;
	uint8_t no_response; // value of the No-Response option (RFC 7967)
	bool has_own_piv : 1;
	bool recorded : 1; // in the answer index; not an Echo challenge
	bool separate : 1; // the request got an empty ACK: CON if there is an exchange, else NON
};

struct answer_batch {
	unsigned n;
	struct pkt_answer answer[DP_ANSWERS_BATCH];
	// For answers made from a packet of the burst.
	struct dp_flow flow[DP_ANSWERS_BATCH];
	uint8_t plaintext[DP_ANSWERS_BATCH][DP_PLAINTEXT_MAX];
	struct rte_mbuf *mbuf[DP_ANSWERS_BATCH]; // NULL: there was none
	uint8_t *coap[DP_ANSWERS_BATCH]; // where the message is, in the mbuf or dp_worker.spare
	uint8_t aad[DP_ANSWERS_BATCH][OSC_AAD_ROOM];
};

struct dp_worker_port {
	uint16_t port_id;
	uint16_t mtu;
	struct dp_port_addresses addresses;
	unsigned tx_count;
	struct rte_mbuf *tx[2 * DP_BURST];
};

// Of a ring between workers that is half full: how many places each context took since then. A few
// contexts share a count.
struct dp_ring_shares {
	uint64_t since_ms;
	bool some; // of the counts are not 0
	uint8_t taken[256];
};

// The worker's end of the rings to one upstream loop.
struct dp_worker_loop {
	struct dp_loop_port *port;
	struct dp_doorbell *bell;
	bool ring; // pushed something this turn
};

struct dp_worker {
	// Set up by main before the start, then read only.
	const struct dp_policy *const *current_config; // main swaps, atomic
	unsigned id;
	unsigned lcore;
	struct rte_mempool *pool;
	uint8_t *spare;      // [DP_ANSWERS_BATCH] for answers that find no mbuf
	size_t spare_stride; // bytes of each
	struct aead_engine *engine;
	struct dp_context_table *contexts;
	struct dp_exchange_pool *exchanges;
	unsigned in_flight_most;        // of these, for any one context with a limit
	struct dp_in_flight *in_flight; // of these
	struct dp_unacked *unacked;     // of these
	struct dp_answer_index *answers;
	struct dp_mids *mids;
	unsigned loop_count;
	struct dp_worker_loop loop[DP_LOOPS_MAX];
	struct dp_doorbell *main_bell;
	struct rte_ring *events;                       // worker -> main, struct dp_event
	struct rte_ring *commands;                     // main -> worker, struct dp_command
	struct rte_ring *handoff_to[DP_WORKERS_MAX];   // by the other worker's number
	struct rte_ring *handoff_from[DP_WORKERS_MAX]; // the same
	struct rte_ring *old_to[DP_WORKERS_MAX];       // the same, for what is not plainly new
	struct rte_ring *old_from[DP_WORKERS_MAX];
	struct dp_ring_shares handoff_shares[DP_WORKERS_MAX]; // of handoff_to
	struct dp_ring_shares old_shares[DP_WORKERS_MAX];     // of old_to
	struct rte_ring *acks_to[DP_WORKERS_MAX];             // the same, for ACKs and RSTs
	struct rte_ring *acks_from[DP_WORKERS_MAX];
	struct dp_frame_ring *to_kernel;
	struct dp_frame_ring *from_kernel;
	struct dp_frame_ring *access; // worker -> main, struct dp_access_record; NULL: none wanted
	unsigned access_percent;      // of the requests that have one
	struct rte_rcu_qsbr *qsbr;
	const uint32_t *run; // of this start, DP_RUN_NONE before it is granted; main writes, atomic
	struct dp_echo_key echo;
	unsigned port_count;
	struct dp_worker_port port[DP_PORTS_MAX];
	bool nap_when_idle;
	bool share_cpus;
	bool affinity_kid; // a context that nobody owns goes to the worker that its key hashes to
	unsigned worker_count;
	uint32_t ack_timeout_ms;

	// The worker's own.
	const struct dp_policy *config; // read again each turn
	struct dp_wheel wheel;
	struct dp_overload overload;
	uint64_t tsc_start;
	uint64_t ms_start;
	uint64_t tsc_per_ms;
	uint64_t now_ms;          // CLOCK_MONOTONIC, read once a turn
	uint64_t error_tokens_ms; // when the budget of unprotected errors was last filled
	unsigned error_tokens;
	bool ring_main;
	uint32_t started_s; // CLOCK_MONOTONIC
	bool limits_lost;   // an event of DP_LIMIT_USE found no room
	bool run_wanted;    // asked main for a run
	bool full_burst;    // a port had one this turn
	uint64_t jitter;    // state of the generator that spreads retransmissions
	struct pkt_vec vec;
	struct answer_batch batch;

	uint32_t stop; // main: sets; atomic
	alignas(64) struct dp_stats stats;
	alignas(64) uint64_t heartbeat; // worker writes, main reads
	uint64_t answers_oldest_ms;     // worker writes now and then, main reads
};

// Makes a worker and all it owns. NULL and a sentence in err on failure.
struct dp_worker *dp_worker_create(const struct dp_conf *conf, const struct dp_tables *tables,
	unsigned id, char *err, size_t err_len);
void dp_worker_free(struct dp_worker *w);
// Bytes that one takes of EAL's memory.
size_t dp_worker_eal_bytes(unsigned loops, uint32_t exchanges, uint16_t mtu, unsigned ports);
// Gives a started port, with a queue for this worker, to it.
void dp_worker_attach(struct dp_worker *w, uint16_t port_id, uint16_t mtu,
	const struct dp_port_addresses *addresses);
// Starts the clocks and counters of the loop; dp_worker_run() does it by itself.
void dp_worker_begin(struct dp_worker *w);

// Sets the clock of the loop to the kernel's again: the TSC alone would run away from it.
void dp_worker_set_clock(struct dp_worker *w);

// How long an idle worker naps, in nanoseconds, after a nap of that length (0: none yet) and so
// much time without work.
uint32_t dp_nap_ns(uint32_t last_ns, uint64_t silent_ms);
// One turn of the loop: everything from the rings to tx. Returns how much work it found.
unsigned dp_worker_turn(struct dp_worker *w);
// The loop, as an lcore function.
int dp_worker_run(void *worker);

// Stages 3-10: outer message to committed plaintext (receive.c). vec holds classified packets.
void dp_receive(struct dp_worker *w, struct pkt_vec *vec);
// Stages 8 and 10 for packets that another worker opened (receive.c).
void dp_receive_handed(struct dp_worker *w, struct pkt_vec *vec);
// Sends bytes as they are; where the packet that they answer ends is `stat`.
void dp_reply(struct dp_worker *w, const struct dp_flow *flow, const uint8_t *coap, uint16_t len,
	enum dp_stat stat);
// An unprotected error (RFC 8613 section 8.2): same token, Max-Age 0, if the policy wants it.
// The packet ends in `reason`, whether or not an error is sent.
void dp_unprotected_error(struct dp_worker *w, const struct pkt_vec *vec, unsigned slot,
	bool wanted, uint8_t code, const char *diagnostic, enum dp_stat reason);
// Stages 7 and 8 (replay.c): keeps what the window lets pass. The memory that tells a copy from a
// replay is asked for ahead of its use.
void dp_window(struct dp_worker *w, struct pkt_vec *vec);
// Stage 10, in order of arrival: the only place where a window moves, after the tag verified.
void dp_commit(struct dp_worker *w, struct pkt_vec *vec);
// A verified request that is not new, nor a copy of one that is known (replay.c): it ends here.
void dp_replay(struct dp_worker *w, const struct pkt_vec *vec, unsigned slot);
// Answers with a protected 4.01 and an Echo value of this phase, under this own Partial IV.
void dp_challenge_send(
	struct dp_worker *w, struct pkt_vec *vec, unsigned slot, uint64_t phase, uint64_t own_piv);
// Whether a verified request brings a value of this phase.
bool dp_echo_brought(
	const struct dp_worker *w, const struct pkt_vec *vec, unsigned slot, uint64_t phase);

// What is remembered under the Partial IV of a request, by its tag.
enum dp_remembered {
	DP_REMEMBERED_NONE,
	DP_REMEMBERED_SAME,  // this message, perhaps in another envelope
	DP_REMEMBERED_OTHER, // another one
};
// Whether an old number could tell anything of this context here (suspicion.c).
bool dp_suspicion_possible(const struct dp_worker *w, const struct dp_context *ctx);
// Before a request with an old number is verified, which is no copy of one that is known: whether
// it is worth that. One in a second and context is.
bool dp_suspicion_probe(struct dp_worker *w, const struct pkt_vec *vec, unsigned slot);
// After it was verified: it ends here. in_burst: what of its burst was accepted under the same
// Partial IV.
void dp_suspicion(
	struct dp_worker *w, struct pkt_vec *vec, unsigned slot, enum dp_remembered in_burst);
// Hand-off between workers (handoff.c): rings for each pair, 0 or -errno.
int dp_handoff_connect(struct dp_worker *const *workers, unsigned count)
	__attribute__((warn_unused_result));
size_t dp_handoff_bytes(unsigned workers); // of EAL's memory
void dp_handoff_free(struct dp_worker *w);
// Hands an opened packet to the owner of its context, or counts its drop.
void dp_handoff(struct dp_worker *w, struct pkt_vec *vec, unsigned slot, unsigned owner);
// Fills vec with packets from another worker: how many came.
unsigned dp_handoff_take(struct dp_worker *w, unsigned from, struct pkt_vec *vec);
// Counts a rung of the overload ladder that was entered (worker.c).
void dp_rung_entered(struct dp_worker *w, enum dp_rung rung);
// Hands an ACK or RST to the worker that made its message id, or counts its drop.
void dp_handoff_ack(struct dp_worker *w, const struct dp_flow *flow, uint8_t type, uint16_t mid,
	unsigned owner);
// Takes those that other workers received: how many came.
unsigned dp_handoff_acks(struct dp_worker *w);
// The access log (access.c), where dp_worker.access is there: its ring, 0 or -errno; ...
int dp_access_init(struct dp_worker *w, unsigned percent) __attribute__((warn_unused_result));
// ... what a request in a slot of the burst says, before its plaintext is written over; ...
void dp_access_request(struct dp_worker *w, const struct pkt_vec *vec, unsigned slot,
	struct dp_access_record *record);
// ... and what it is answered by the worker. The record goes to main, or is lost and counted.
void dp_access_answer(
	struct dp_worker *w, struct dp_access_record *record, const struct pkt_answer *answer);
// Limits of a key (limit.c): after a request was accepted with more than half of DP_LIMIT_USES,
// where window.next was `before` it; ...
void dp_limit_uses(
	struct dp_worker *w, uint32_t index, const struct dp_context *ctx, uint64_t before);
// ... and after tags did not verify under a context of this generation, whoever owns it.
void dp_limit_forged(struct dp_worker *w, uint32_t index, uint32_t generation, uint32_t count);
// Stages 11-13 (request.c).
void dp_request(struct dp_worker *w, struct pkt_vec *vec);
// Takes away the exchanges of a context that is removed (request.c).
void dp_context_abandon(struct dp_worker *w, uint32_t context);
// Separate answers (separate.c): an exchange for a new request, DP_INDEX_NONE if there is none. Of
// the device with most answers that wait for their ACK, the oldest gives way.
uint32_t dp_exchange_obtain(struct dp_worker *w);
// The backend is slow: an empty ACK, unless there is no message id for the answer to come.
void dp_separate_begin(struct dp_worker *w, uint32_t index);
// A copy of a request whose exchange is still there, from where that came from.
void dp_separate_copy(
	struct dp_worker *w, uint32_t index, const struct dp_flow *flow, enum coap_type type);
// The deadline of a request that got an empty ACK: an exchange like it, to deliver a 5.04 while the
// upstream loop holds this one. DP_INDEX_NONE if none is free.
uint32_t dp_separate_clone(struct dp_worker *w, uint32_t index);
// Before the separate answer of an exchange is sealed: it has a message id, and not too old a one.
// false, counted: there is none now.
bool dp_separate_mid(struct dp_worker *w, uint32_t index) __attribute__((warn_unused_result));
// A separate answer was sealed and is sent: its bytes are kept until the ACK.
void dp_separate_sent(
	struct dp_worker *w, const struct pkt_answer *answer, const uint8_t *coap, uint16_t len);
// It could not be sealed for now.
void dp_separate_later(struct dp_worker *w, const struct pkt_answer *answer);
// No ACK in time: once more, or given up.
void dp_separate_again(struct dp_worker *w, uint32_t index);
// Ends the delivery, and gives the exchange back.
void dp_separate_end(struct dp_worker *w, uint32_t index);
// An ACK or RST of this worker's message id came, perhaps.
void dp_separate_acked(struct dp_worker *w, const struct dp_flow *flow, uint8_t type, uint16_t mid);
// Stages 15-17 (answer.c): answers of the upstream loops, deadlines, seal, encode.
unsigned dp_loop_answers(struct dp_worker *w);
unsigned dp_deadlines(struct dp_worker *w);
// Adds an answer to the batch (a full one is flushed first), zeroed but for exchange.
struct pkt_answer *dp_answer_add(struct dp_worker *w);
// An answer to the request of an exchange.
struct pkt_answer *dp_answer_to_exchange(struct dp_worker *w, uint32_t index);
// An answer to the request in a slot of the burst, its flow and token taken from the packet.
struct pkt_answer *dp_answer_to_slot(struct dp_worker *w, struct pkt_vec *vec, unsigned slot);
// Makes the plaintext of an answer added last: a code, Max-Age of that many seconds, a diagnostic.
void dp_answer_error(struct dp_worker *w, struct pkt_answer *answer, uint8_t code, uint32_t max_age,
	const char *diagnostic);
// Seals, encodes and queues all answers of the batch.
void dp_answers_flush(struct dp_worker *w);
// Next own Partial IV of a context; false if there is none now, and why not.
bool dp_own_piv(struct dp_worker *w, uint32_t index, struct dp_context *ctx, uint64_t *piv,
	enum dp_stat *why_not);
// The same without using it up: whether an answer could have one now.
bool dp_own_piv_ready(struct dp_worker *w, uint32_t index, const struct dp_context *ctx,
	uint64_t *piv, enum dp_stat *why_not);
// Sends CoAP bytes as they are to a flow. false, for the caller to count, if there is no mbuf.
bool dp_send_coap(struct dp_worker *w, const struct dp_flow *flow, const uint8_t *coap,
	uint16_t len) __attribute__((warn_unused_result));
// The same for an Empty message: an ACK or a RST.
bool dp_send_empty(struct dp_worker *w, const struct dp_flow *flow, enum coap_type type,
	uint16_t mid) __attribute__((warn_unused_result));
// Queues a complete frame; a full queue is sent first.
void dp_tx(struct dp_worker *w, uint16_t port_id, struct rte_mbuf *m);
// Hands what is queued to the driver (worker.c).
void dp_transmit(struct dp_worker *w, struct dp_worker_port *port);
// Tells main; false, counted, if it could not.
bool dp_event_send(struct dp_worker *w, enum dp_event_type type, uint32_t context,
	uint32_t generation, uint64_t arg);
// Changes the visible state of a context.
void dp_context_state_set(
	struct dp_worker *w, uint32_t index, struct dp_context *ctx, enum dp_context_state state);

static inline struct dp_side *dp_side(const struct dp_worker *w, uint32_t context)
{
	return &w->contexts->side[context];
}

static inline void dp_count(struct dp_worker *w, enum dp_stat stat)
{
	dp_stat_add(&w->stats, stat, 1);
}

// Looks how many exchanges are in use: before each burst, for the overload ladder.
static inline void dp_exchanges_watch(struct dp_worker *w)
{
	enum dp_rung rung = dp_overload_exchanges(&w->overload,
		w->exchanges->count - w->exchanges->free_count - dp_unacked_count(w->unacked));

	if (rung)
		dp_rung_entered(w, rung);
}

static inline uint64_t dp_stage_end(
	struct dp_worker *w, enum dp_stage stage, uint64_t start, unsigned packets)
{
	uint64_t now = rte_rdtsc();

	w->stats.cycles[stage] += now - start;
	w->stats.packets[stage] += packets;
	return now;
}

static inline void pkt_flow(const struct pkt_vec *vec, unsigned slot, struct dp_flow *flow)
{
	dp_frame_flow(vec->mbuf[slot], &vec->net[slot], flow);
}

static inline const uint8_t *pkt_tag(const struct pkt_vec *vec, unsigned slot, unsigned tag_len)
{
	const struct coap_body *body = &vec->msg[slot].body;

	return body->payload + body->payload_len - tag_len;
}

#endif
