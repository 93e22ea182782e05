// SPDX-License-Identifier: BSD-3-Clause
// A worker: everything that one lcore owns. Types and inlines only; each stage has a header of its
// own. Internal to dataplane/.

#ifndef POSTERN_DATAPLANE_WORKER_WORKER_H
#define POSTERN_DATAPLANE_WORKER_WORKER_H

#include "crypto/keyed_hash.h"
#include "dataplane/oscore/protect.h"
#include "dataplane/port/frame.h"
#include "dataplane/port/frame_usual.h"
#include "dataplane/port/port.h"
#include "dataplane/shared/access.h"
#include "dataplane/shared/event.h"
#include "dataplane/shared/frame_ring.h"
#include "dataplane/shared/look.h"
#include "dataplane/shared/observed.h"
#include "dataplane/shared/rate.h"
#include "dataplane/shared/refused.h"
#include "dataplane/shared/route_stats.h"
#include "dataplane/shared/setup.h"
#include "dataplane/shared/stats.h"
#include "dataplane/state/answer_index.h"
#include "dataplane/state/echo.h"
#include "dataplane/state/exchange_pool.h"
#include "dataplane/state/in_flight.h"
#include "dataplane/state/mids.h"
#include "dataplane/state/observation.h"
#include "dataplane/state/overload.h"
#include "dataplane/state/unacked.h"
#include "dataplane/state/wheel.h"

#include <rte_cycles.h>
#include <rte_mempool.h>
#include <rte_rcu_qsbr.h>
#include <rte_ring.h>

#include <stdalign.h>

#define DP_ANSWERS_BATCH AEAD_BATCH_MAX // answers sealed at once
_Static_assert(DP_ANSWERS_BATCH >= DP_BURST, "room for an answer to each packet of a burst");
#define DP_TX_ROOM       (2 * DP_BURST) // frames of a port that wait to be sent
#define DP_SLOW_PREFIXES 4096           // a power of two
#define DP_PLAINTEXT_MAX 64 // of an answer that the worker makes itself, without payload

// Options of an outer message that are read: OSCORE, and what is for proxies; each costs time
// before anything is verified.
#define DP_OUTER_OPTIONS_MAX 16

// When an empty ACK is sent: a device repeats a confirmable request after ACK_TIMEOUT at the
// earliest, and three quarters of that are left for the way.
#define DP_ACK_AFTER(ack_timeout_ms) ((ack_timeout_ms) / 4)

// Of struct dp_worker.stop: its lcore touches nothing of it any more.
#define DP_WORKER_OVER 2

// A burst on its way through the stages. All arrays are indexed by slot, a packet keeps its slot;
// live[] lists the slots of the packets that passed up to now, in order of arrival.
struct pkt_vec {
	unsigned count; // packets received
	unsigned n;     // packets in live[]
	uint8_t live[DP_BURST];
	struct rte_mbuf *mbuf[DP_BURST];
	struct dp_frame_info net[DP_BURST];
	struct coap_msg msg[DP_BURST];      // outer message
	struct osc_option option[DP_BURST]; // OSCORE option
	struct dp_context_key key[DP_BURST];
	uint64_t name[DP_BURST]; // hash of the key, for the look-up
	uint32_t context[DP_BURST];
	uint32_t generation[DP_BURST];
	uint16_t plaintext_len[DP_BURST];
	bool opened[DP_BURST];  // the payload is plaintext now, to be wiped
	bool foreign[DP_BURST]; // another worker owns the context: verified here, handed over
	bool probe[DP_BURST];   // verified only to see whether the device starts again
	// A copy of a request that was answered: the digest of that answer. It is verified and
	// answered once more, but not taken in, so that it moves no window and no bucket. 0: none.
	uint64_t again[DP_BURST];
	bool copy[DP_BURST]; // seen: who owned the context before may have the answer to it
	bool copies;         // another worker handed this one some
	bool reinjected;     // main gave them back: they do not go to the slow path again
	unsigned from;       // the worker that received it
	uint8_t aad[DP_BURST][OSC_AAD_ROOM];
	struct aead_op op[DP_BURST]; // with which packets were opened here, ...
	uint8_t op_of[DP_BURST];     // ... and which of them a slot's was; DP_OP_NONE: none
	uint32_t endpoint[DP_BURST]; // where a message of a session came from, see strangers.h
};

#define DP_OP_NONE 0xff

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
	uint64_t name; // dp_answer_name() of the request
	const struct dp_flow *flow;
	const uint8_t *token;
	const uint8_t *kid; // of the request
	const uint8_t *tag; // of the request
	const uint8_t *plaintext;
	uint64_t piv;     // of the request
	uint64_t own_piv; // if has_own_piv
	uint64_t again;   // to a copy: pkt_vec.again. Another answer than that is not sealed
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
	bool recorded : 1; // in the answer index; not a challenge to what was not accepted
	bool whole : 1;    // never shortened: an Echo challenge
	// The request and the configuration decide plaintext and nonce: a digest is recorded
	bool deterministic : 1;
	bool stored : 1;       // the plaintext is in dp_worker.stored, and wiped at the end
	bool notification : 1; // type and mid are those that it is sent with
	bool observe : 1;      // an own Partial IV, and Observe outside, too
	bool sent : 1;         // it was sealed and given to the port
	bool separate : 1; // the request got an empty ACK: CON if there is an exchange, else NON
};

#define DP_SLOT_NONE 0xff

struct answer_batch {
	unsigned n;
	uint8_t slot[DP_ANSWERS_BATCH]; // of the burst whose buffer the answer is made in, see
					// in_place.h; DP_SLOT_NONE: answer[] describes it
	struct aead_op op[DP_ANSWERS_BATCH];
	uint16_t head_len[DP_ANSWERS_BATCH]; // bytes in front of the ciphertext; in place: of all
	struct dp_answer_note note[DP_ANSWERS_BATCH]; // of the request of one in place
	bool kept[DP_ANSWERS_BATCH]; // of one in place: its bytes are recorded, not a digest
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
	struct dp_frame_usual usual; // made of these
	unsigned tx_count;
	struct rte_mbuf *tx[DP_TX_ROOM];
};

// Of a ring between workers that is half full: how many places each context, or the endpoint of an
// ACK, took since then. A few share a count.
struct dp_ring_shares {
	uint64_t since_ms;
	bool some; // of the counts are not 0
	uint8_t taken[256];
};

// A packet of a burst that goes to the owner of its context.
struct dp_leaving_packet {
	uint8_t slot;
	uint8_t owner;
	bool is_new; // plainly, by the owner's window
	bool copy;   // as in struct pkt_vec
};

// The rings from one worker to another, and how the first one shares out their places.
struct dp_lane {
	struct rte_ring *packets;
	struct rte_ring *old;  // packets that are not plainly new
	struct rte_ring *acks; // ACKs and RSTs
	struct dp_ring_shares packets_shares;
	struct dp_ring_shares old_shares;
	struct dp_ring_shares acks_shares;
};

// The worker's end of the rings to one upstream loop.
struct dp_worker_loop {
	struct dp_loop_port *port;
	struct dp_doorbell *bell;
	bool ring; // pushed something this turn
};

// The worker's end of the slow path, see slow.h.
struct dp_worker_slow {
	unsigned count; // threads
	struct dp_slow *thread[DP_SLOW_THREADS_MAX];
	struct dp_copy_ring *again; // main -> worker: requests that are reinjected
	uint64_t to_ring;           // bit n: put something for thread n this turn
	uint64_t unfinished;        // bits as in `slow_called`: left something in its ring
	struct keyed_hash prefixes;
	uint8_t edhoc_len;                  // as dp_conf.slow_edhoc_len
	struct dp_rate all, each;           // for messages that are copied there
	uint64_t all_full_at;               // bucket of rate.h
	uint64_t full_at[DP_SLOW_PREFIXES]; // of the prefixes of sources; a few share one
	struct dp_rate tell;                // who may learn that a session is unknown
	uint64_t told_at[DP_SLOW_PREFIXES]; // the same buckets for that
};

#define DP_PASS_PREFIXES 4096 // a power of two
#define DP_PASS_SHOWN    4096 // the same

// What a worker remembers of senders whose messages are passed through, see passthrough.h. Nothing
// of it is touched, nor mapped by the kernel, before there is such a message.
struct dp_worker_pass {
	struct keyed_hash hash;
	uint32_t in_flight;                    // at upstream loops
	uint32_t in_flight_of[DP_ROUTE_SLOTS]; // of these, by dp_pass.slot
	uint64_t full_at[DP_ROUTE_SLOTS];      // buckets of rate.h, the same
	uint64_t challenges_full_at;
	// By slot and network of the sender; a few share one.
	uint16_t prefix_in_flight[DP_PASS_PREFIXES];
	uint64_t prefix_full_at[DP_PASS_PREFIXES];
	// Endpoints that have answered an Echo challenge. Who pushes out another costs it one more.
	struct {
		uint64_t endpoint; // keyed hash
		uint64_t until_ms;
	} shown[DP_PASS_SHOWN];
};

struct dp_worker {
	// Set up by main before the start, then read only.
	const struct dp_policy *const *current_policy; // main swaps, atomic
	struct dp_look *const *current_looks;          // [DP_LOOK_COUNT], main swaps, atomic
	unsigned id;
	unsigned lcore;
	struct rte_mempool *pool;
	uint8_t *spare;      // [DP_ANSWERS_BATCH] for answers that find no mbuf
	size_t spare_stride; // bytes of each
	struct aead_engine *engine;
	struct dp_context_table *contexts;
	struct dp_reps *reps; // NULL: nothing is stored
	uint8_t *stored; // [DP_ANSWERS_BATCH] plaintexts that are made of it, spare_stride each
	struct dp_observations *observations; // of these; NULL: nobody observes
	struct dp_observed_ask *observed_ask; // if somebody may
	struct dp_exchange_pool *exchanges;
	unsigned in_flight_most;        // of these, for any one context with a limit
	struct dp_in_flight *in_flight; // of these
	struct dp_unacked *unacked;     // of these
	struct dp_answer_index *answers;
	struct dp_mids *mids;
	struct dp_route_stats *route_stats; // [DP_ROUTE_SLOTS], written by this worker
	unsigned loop_count;
	struct dp_worker_loop loop[DP_LOOPS_MAX];
	struct dp_doorbell *main_bell;
	struct rte_ring *events;                // worker -> main, struct dp_event
	struct rte_ring *commands;              // main -> worker, struct dp_command
	struct dp_worker *peer[DP_WORKERS_MAX]; // by number; of others only what any worker may use
	struct dp_lane *to[DP_WORKERS_MAX];     // to the worker of that number
	struct dp_lane *from[DP_WORKERS_MAX];
	void *lanes; // memory of those to this worker
	size_t lanes_bytes;
	struct keyed_hash endpoints; // for the shares of ACKs
	struct dp_frame_ring *to_kernel;
	struct dp_frame_ring *from_kernel;
	struct dp_frame_ring *access; // worker -> main, struct dp_access_record; NULL: none wanted
	unsigned access_percent;      // of the requests that have one; main writes, atomic
	struct rte_rcu_qsbr *qsbr;
	const uint32_t *run; // of this start, DP_RUN_NONE before it is granted; main writes, atomic
	struct dp_echo_key echo;
	unsigned port_count;
	struct dp_worker_port port[DP_PORTS_MAX];
	bool nap_when_idle;
	bool share_cpus;
	bool fast_paths;   // packets of the usual shape take them; tests compare with the slow ones
	bool affinity_kid; // an unclaimed context goes to the worker that its key hashes to
	unsigned worker_count;
	uint32_t ack_timeout_ms;

	// The worker's own.
	const struct dp_policy *policy;      // *current_policy, read again each turn
	struct dp_look *look[DP_LOOK_COUNT]; // the same of current_looks; NULL: nobody looks
	bool tracing;                        // a packet that is traced is alone in the burst
	uint32_t trace_number;               // of it; 0: another worker began it
	bool looked;                         // somebody does
	struct dp_wheel wheel;
	struct dp_overload overload;
	uint64_t tsc_start;
	uint64_t ms_start;
	uint64_t tsc_per_ms;
	uint64_t now_ms;         // CLOCK_MONOTONIC, read once a turn
	uint64_t now_tsc;        // of the same moment
	uint64_t refused_wanted; // bit n: the next packet dropped for reason n is to be copied
	uint64_t refused_ms;     // when the next second of these begins
	struct dp_refused *refused;
	uint64_t error_tokens_ms; // when the budget of unprotected errors was last filled
	unsigned error_tokens;
	bool ring_main;
	uint32_t started_s;    // CLOCK_MONOTONIC
	bool limits_lost;      // an event of DP_LIMIT_USE found no room
	bool run_wanted;       // asked main for a run
	uint64_t base_again_s; // before it no base is asked for beside answers owed
	uint64_t moves_ms;     // when main was last asked to move a context
	bool full_burst;       // a port had one this turn
	uint64_t to_call;      // bit n: put something into the rings to worker n since it called it
	uint64_t unfinished;   // bit n: left something in the rings from worker n
	uint64_t jitter;       // state of dp_jitter()
	alignas(64) struct pkt_vec vec; // its arrays start with a cache line
	struct {
		unsigned n;
		struct dp_leaving_packet of[DP_BURST];
	} leaving;
	struct answer_batch batch;
	struct {
		bool walking;    // over the observers of a slot, see dp_observation_walk()
		uint16_t policy; // number of the policy that the sweep is for
		uint32_t sweep;  // cursor of dp_observation_sweep()
		unsigned loop;   // whose changes come next
	} observing;
	struct dp_worker_slow *slow; // main makes it at the start; NULL: there is none
	struct dp_worker_pass *pass; // main makes it at the start

	uint32_t stop;    // main: 1; the worker then: DP_WORKER_OVER; atomic
	uint32_t drain_s; // the same: new requests are refused for so long; 0: they are not
	alignas(64) uint64_t called; // bit n: worker n has put something into its rings; atomic
	uint64_t slow_called;        // the same of threads of the slow path and DP_SLOW_MAIN
	alignas(64) struct dp_stats stats;
	alignas(64) uint64_t heartbeat; // worker writes, main reads
	uint64_t answers_oldest_ms;     // worker writes now and then, main reads
	uint64_t answers_written;       // the same: bytes, within shares
	// The worker's own, used while somebody traces.
	uint64_t trace_before[DP_STAT_COUNT]; // counters in front of a stage
};

static inline struct dp_side *dp_side(const struct dp_worker *w, uint32_t context)
{
	return &w->contexts->side[context];
}

static inline void dp_count(struct dp_worker *w, enum dp_stat stat)
{
	dp_stat_add(&w->stats, stat, 1);
}

// Spreads retransmissions and retries, so it need not be hard to guess: a linear congruential
// generator.
static inline uint32_t dp_jitter(struct dp_worker *w, uint32_t below)
{
	w->jitter = w->jitter * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
	return (w->jitter >> 32) * below >> 32;
}

static inline uint64_t dp_stage_end(
	struct dp_worker *w, enum dp_stage stage, uint64_t start, unsigned packets)
{
	uint64_t now = rte_rdtsc();

	dp_stage_add(&w->stats, stage, now - start, packets);
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

// The largest CoAP message that a device takes, in bytes.
static inline uint16_t dp_max_message(const struct dp_worker *w, const struct dp_context *ctx)
{
	uint16_t most = dp_context_max_message(ctx);

	if (likely(!most))
		most = w->policy->max_message;
	return likely(most) ? most : DP_MESSAGE_DEFAULT;
}

#endif
