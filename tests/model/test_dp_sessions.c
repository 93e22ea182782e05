// SPDX-License-Identifier: BSD-3-Clause
// Sessions of several devices with several workers, on a network and before backends that do their
// worst, with a main that is late and a clock that is set, against a model that is simple enough to
// be believed:
//
// - which packets are accepted is foretold from plain sets of Partial IVs, packet by packet;
// - a nonce of a gateway key seals one answer ever, over all restarts of a device's context;
// - an answer opens under the request that it answers, and goes to where that came from;
// - it is piggybacked if there was no empty ACK before it, else a message of its own, whose bytes
//   never change and whose message id comes not again within EXCHANGE_LIFETIME;
// - an accepted request has one answer, sooner or later, unless its device is removed first;
// - counters, exchanges and packet buffers add up, and what counts as under way is.
//
// POSTERN_SEED=n replays a run, POSTERN_STEPS=n makes it longer.

#include "dataplane/shared/bucket.h"
#include "tests/model/nonces.h"
#include "tests/unit/dataplane/worker/bed_inside.h"

#include <criterion/criterion.h>
#include <sodium.h>
#include <stdlib.h>

#ifdef __SANITIZE_ADDRESS__
#define STEPS 200000
#else
#define STEPS 1600000 // for a million packets
#endif
#define SETTLE     10000 // steps between two rests
#define DEVICES    12
#define WORKERS    BED_WORKERS_MAX
#define HISTORY    8192      // requests remembered; a power of two, as message ids index it
#define PIVS       (1 << 20) // of one key
#define FLOOD      544       // copies; more than a ring between workers holds
#define QUEUE_MAX  48        // packets in one burst, so that their order is kept
#define ECHO_FRESH 60000     // milliseconds in which an Echo value is valid for certain
#define ECHO_STALE 300000    // and after which it is not
#define CLOCK_FULL 900       // own Partial IVs of one second, after which the model lets it pass

struct model_device {
	struct bed_device bed;
	struct dp_flow flow;
	unsigned queue; // of the worker where its packets arrive
	unsigned batch; // with packets of it in a queue; all are in batch_queue
	unsigned batch_queue;
	uint64_t mid_ms[1 << 16]; // when it saw a message id of the gateway's last; 0: never
	bool there;
	bool own_piv;
	bool by_clock;                 // these are from the clock
	bool no_echo;                  // it has a mark, DP_CONTEXT_FLOOR
	bool contextual;               // it has an ID Context, and says so or not
	struct model_device *namesake; // has the same kid; NULL: none
	int64_t clock_next;            // by_clock: no own Partial IV of this context is below
	uint32_t base;                 // highest run base that its keys had
	uint32_t keys;                 // how many keys it had
	uint32_t context;              // how many contexts and unknown windows it had
	uint64_t mark;                 // durable
	uint64_t next;                 // its sequence number
	// What the gateway may know of it.
	bool window_known;
	uint64_t floor;   // everything below is refused
	uint64_t highest; // accepted, + 1
	uint8_t *seen;    // [PIVS] accepted
	// What it was told.
	uint32_t echo_context; // the context that made the Echo value; 0: none
	uint64_t echo_ms;
	uint8_t echo[40];
	uint16_t echo_len;
};

struct model_request {
	struct bed_request bed;
	struct bed_device device; // as it was
	unsigned from;
	uint32_t keys, context;
	uint32_t echo_context; // its Echo value is for this context
	uint64_t echo_ms;
	bool own_piv;
	bool by_kid; // it does not say its ID Context
	bool sent;   // held back until then
	bool accepted;
	bool dispatched;
	bool acked; // by an empty ACK
	bool answered;
	bool leaving; // its device was removed, but its owner may answer still
	bool gone;    // and its owner let go of it
	uint32_t number;
	uint8_t answer[16];
};

static struct bed bed;
static struct model_device devices[DEVICES];
static struct model_request history[HISTORY];
static uint32_t serial; // of requests
static unsigned queued;
static uint64_t clock_ms; // that was let pass
static uint64_t accepted, dispatched, local_answers, frames, floods;
static struct held {
	dp_handle handle;
	unsigned worker;
} held[WORKERS * BED_EXCHANGES];
static unsigned held_count;
static bool whole_names;   // of all devices, for now
static unsigned batch = 1; // packets that are in the queues together
static int64_t wall_ms;    // the clock that own Partial IVs are made of, since the epoch
static bool wall_stands;
static int64_t wall_used;   // highest second of it that was used
static uint32_t set_serial; // when it was set last
static bool leaving;        // some of history[] are
static uint64_t state, seed;
static unsigned step;

#define must(cond, ...)                                                                        \
	do {                                                                                   \
		if (!(cond)) {                                                                 \
			fprintf(stderr, "POSTERN_SEED=%lu, step %u: " #cond "\n", seed, step); \
			cr_assert_fail(__VA_ARGS__);                                           \
		}                                                                              \
	} while (0)

static uint64_t rnd(uint64_t below)
{
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return (state * UINT64_C(0x2545f4914f6cdd1d) >> 16) % below;
}

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

static void device_keys(struct model_device *d)
{
	unsigned n = d - devices;

	bed_device_make(&d->bed, n % 4 == 2 ? 1 + n : 2 + n, n % AEAD_ALG_COUNT);
	d->bed.params.has_id_context = d->contextual;
	d->bed.params.id_context_len = d->contextual;
	d->bed.params.id_context[0] = n;
	d->keys++;
	memcpy(d->bed.params.secret, &d->keys, sizeof(d->keys));
	d->bed.params.secret[sizeof(d->keys)] = n;
	cr_assert_eq(osc_derive(&d->bed.keys, &d->bed.params), 0);
	d->next = rnd(3) ? 0 : rnd(1000);
	d->echo_context = 0;
	d->highest = 0;
	d->floor = 0;
	d->mark = 0;
	memset(d->seen, 0, PIVS);
}

static int64_t wall_read(void)
{
	return wall_ms / 1000 + DP_CLOCK_EPOCH_S;
}

static void device_add(struct model_device *d, bool window_known)
{
	uint8_t own_piv = d->by_clock ? DP_CONTEXT_OWN_PIV_CLOCK
		: d->own_piv          ? DP_CONTEXT_OWN_PIV_ALWAYS
				      : 0;
	struct dp_context *ctx;

	bed_device_add_with(&bed, &d->bed, window_known,
		own_piv | (d->no_echo ? DP_CONTEXT_FLOOR : 0), d->mark);
	ctx = &dp_contexts(bed.dp)->context[d->bed.context];
	d->context++;
	if (d->by_clock)
		// New keys begin at once, others in the second after all that were used.
		d->clock_next =
			(window_known ? wall_ms / 1000 : RTE_MAX(wall_ms / 1000, wall_used) + 1)
			<< DP_CLOCK_BITS;
	else
		// What the store sees to: a returning key goes on in a run of its own.
		ctx->run_base = ++d->base;
	d->there = true;
	d->window_known = window_known || d->no_echo;
	if (d->no_echo && !window_known) {
		// Below the mark anything may have been accepted.
		d->floor = d->mark;
		d->highest = d->mark;
	} else if (!window_known) {
		// A lower limit is all that is left of what was known.
		ctx->window.next = d->highest ? rnd(d->highest + 1) : 0;
		d->floor = ctx->window.next;
		d->highest = 0;
		memset(d->seen, 0, PIVS);
	}
}

// In the place of main.
static void on_event(void *arg, const struct dp_event *event)
{
	for (unsigned i = 0; i < DEVICES; i++) {
		struct model_device *d = &devices[i];

		if (!d->there || d->bed.context != event->context ||
			d->bed.generation != event->generation)
			continue;
		if (event->type == DP_EVENT_RUN_BASE_WANTED)
			must(dp_run_base_raise(
				     bed.dp, event->context, event->generation, ++d->base) == 0,
				"main answers");
		if (event->type != DP_EVENT_MARK_WANTED)
			continue;
		d->mark = RTE_MAX(d->mark, event->arg);
		must(dp_mark_raise(bed.dp, event->context, event->generation, d->mark) == 0,
			"its owner asked");
	}
}

// A poll does bounded work.
static void poll_all(void)
{
	bool more = true;

	while (more) {
		dp_poll(bed.dp, on_event, NULL);
		more = false;
		for (unsigned i = 0; i < WORKERS; i++)
			more |= bed_events_count(&bed, i) > 0;
	}
	if (!leaving || dp_devices_retiring(bed.dp))
		return;
	for (unsigned i = 0; i < HISTORY; i++) {
		history[i].gone |= history[i].leaving;
		history[i].leaving = false;
	}
	leaving = false;
}

// The model's verdict on one packet, in order of arrival.
static void foretell(struct model_request *r)
{
	struct model_device *d = &devices[r->from];
	uint64_t piv = r->bed.piv;

	if (!d->there || r->keys != d->keys || piv < d->floor || d->seen[piv])
		return;
	if (r->by_kid && d->namesake && d->namesake->there)
		return;
	if (d->by_clock && d->clock_next >> DP_CLOCK_BITS > wall_ms / 1000)
		return;
	if (d->no_echo && piv >= d->mark)
		return;
	if (!d->window_known) {
		if (!r->echo_context || r->echo_context != d->context ||
			clock_ms - r->echo_ms > ECHO_STALE)
			return;
		d->window_known = true;
		d->floor = piv;
	} else if (piv + OSC_WINDOW_SIZE < d->highest) {
		return;
	}
	d->seen[piv] = 1;
	if (piv + 1 > d->highest)
		d->highest = piv + 1;
	must(!r->accepted, "a request accepted twice");
	r->accepted = true;
	accepted++;
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

static void take_answers(void)
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

static void take_requests(void)
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

// Each exchange that is taken counts once for its context, as what it waits for, and in no list
// for one that is gone.
static void check_shares(void)
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

static void turn(void)
{
	bed_turn(&bed);
	queued = 0;
	batch++;
	take_requests();
	take_answers();
	must(bed_count(&bed, DP_STAT_rx_requests) == accepted, "%lu, foretold were %lu",
		bed_count(&bed, DP_STAT_rx_requests), accepted);
	must(bed_ends(&bed) ==
			bed_count(&bed, DP_STAT_rx_packets) + bed_count(&bed, DP_STAT_taken_over),
		"each packet ends once");
	check_shares();
	// Not more in one second than it has numbers for.
	for (unsigned i = 0; i < DEVICES; i++)
		if (devices[i].by_clock &&
			devices[i].clock_next >> DP_CLOCK_BITS == wall_ms / 1000 &&
			devices[i].clock_next % (1 << DP_CLOCK_BITS) > CLOCK_FULL)
			wall_ms += 1000 - wall_ms % 1000;
}

// Packets of one device keep their order, for the model has to know it: in one batch they come to
// one worker, which mostly is the device's.
static void put(unsigned from, const struct dp_flow *flow, const uint8_t *coap, size_t len)
{
	struct model_device *d = &devices[from];
	unsigned queue = rnd(8) ? d->queue : rnd(WORKERS);

	if (queued == QUEUE_MAX || (d->batch == batch && d->batch_queue != queue && rnd(2)))
		turn();
	bed.queue = d->batch == batch ? d->batch_queue : queue;
	d->batch = batch;
	d->batch_queue = bed.queue;
	bed_send(&bed, flow, coap, len);
	queued++;
}

// Whether the gateway's clock decides, and not the model.
static bool echo_is_doubtful(const struct model_request *r)
{
	uint64_t age = clock_ms - r->echo_ms;

	return r->echo_context == devices[r->from].context && age > ECHO_FRESH && age <= ECHO_STALE;
}

static void send_request(struct model_request *r)
{
	if (echo_is_doubtful(r))
		return;
	put(r->from, &devices[r->from].flow, r->bed.coap, r->bed.len);
	r->sent = true;
	foretell(r);
}

// It has an answer, or nobody is to give it one any more: a clock that is set may keep an answer
// from being sealed.
static bool ended(const struct model_request *r)
{
	return !r->accepted || r->answered || r->gone || r->leaving ||
		(devices[r->from].by_clock && r->number < set_serial);
}

static struct model_request *make_request(unsigned from, uint64_t piv, bool with_echo)
{
	static const char *const paths[] = {"up", "up", "echo", "discard", "nowhere"};
	struct model_device *d = &devices[from];
	struct model_request *r = &history[serial % HISTORY];
	const char *path = paths[rnd(5)];
	uint8_t plaintext[256];
	struct coap_writer writer;

	must(ended(r), "a request was never answered");
	d->bed.sends_id_context = d->contextual && (whole_names || rnd(2));
	*r = (struct model_request){.device = d->bed,
		.from = from,
		.keys = d->keys,
		.context = d->context,
		.own_piv = d->own_piv || d->by_clock,
		.by_kid = d->contextual && !d->bed.sends_id_context,
		.number = serial};
	coap_writer_init(&writer, plaintext, sizeof(plaintext));
	coap_write_code(&writer, rnd(2) ? COAP_GET : COAP_POST);
	coap_write_option(&writer, COAP_OPT_URI_PATH, path, strlen(path));
	if (with_echo && d->echo_context && clock_ms - d->echo_ms < ECHO_FRESH / 2) {
		coap_write_option(&writer, COAP_OPT_ECHO, d->echo, d->echo_len);
		r->echo_context = d->echo_context;
		r->echo_ms = d->echo_ms;
	}
	coap_write_payload(&writer, &serial, rnd(5));
	bed_seal(&d->bed, &r->bed, rnd(2) ? COAP_CON : COAP_NON, serial, piv, plaintext,
		coap_writer_len(&writer));
	serial++;
	return r;
}

static struct model_request *some_request(void)
{
	uint64_t back = 1 + rnd(rnd(2) ? 20 : HISTORY / 2);

	return back > serial ? NULL : &history[(serial - back) % HISTORY];
}

static void good(void)
{
	unsigned from = rnd(DEVICES);
	struct model_device *d = &devices[from];

	if (d->next + 1000 > PIVS)
		return;
	// Gaps: of nothing, within the window, beyond it.
	d->next += rnd(8) ? 0 : rnd(4) ? rnd(10) : rnd(200);
	struct model_request *r = make_request(from, d->next++, rnd(8) != 0);

	if (rnd(5)) // else it is late
		send_request(r);
}

// A device that starts its sequence numbers again, or whose packets were lost.
static void old_number(void)
{
	unsigned from = rnd(DEVICES);

	if (devices[from].next)
		send_request(make_request(from,
			rnd(2) ? rnd(devices[from].next)
			       : devices[from].next - 1 - rnd(RTE_MIN(devices[from].next, 80u)),
			false));
}

static void again(void)
{
	struct model_request *r = some_request();

	if (!r)
		return;
	for (unsigned copies = 1 + rnd(3); copies--;)
		send_request(r);
}

static void forged(void)
{
	struct model_request *r = some_request();
	uint8_t coap[BED_MESSAGE_MAX];

	if (!r)
		return;
	memcpy(coap, r->bed.coap, r->bed.len);
	if (rnd(2)) {
		coap[r->bed.len - 1 - rnd(8)] ^= 1 << rnd(8); // the tag
	} else {
		// Another Partial IV: behind header, token, and the option's first two bytes.
		coap[4 + 2 + 2] ^= 1 << rnd(8);
	}
	put(r->from, &devices[r->from].flow, coap, r->bed.len);
}

static void from_elsewhere(void)
{
	struct model_request *r = some_request();
	struct dp_flow flow;

	if (!r || !r->sent || echo_is_doubtful(r))
		return;
	flow = devices[r->from].flow;
	flow.remote_port += rte_cpu_to_be_16(1000);
	// Whoever is first with the bytes is answered; here only ever the second.
	if (r->accepted || r->keys != devices[r->from].keys) {
		put(r->from, &flow, r->bed.coap, r->bed.len);
		foretell(r);
	}
}

// Copies of a recorded packet at a worker that is not its owner, whose way to the owner they fill.
// What another device sends the same way passes, as the model foretells.
static void flood(void)
{
	struct model_request *r = some_request();
	unsigned other = rnd(DEVICES);

	if (!r || !r->accepted || r->keys != devices[r->from].keys)
		return;
	turn();
	const struct model_device *d = &devices[r->from], *o = &devices[other];
	const struct dp_context *contexts = dp_contexts(bed.dp)->context;

	if (!d->there || !d->window_known || !o->there || !o->window_known || o->by_clock)
		return;
	uint8_t owner = contexts[d->bed.context].owner;

	if (owner >= WORKERS || contexts[o->bed.context].owner != owner)
		return;
	struct dp_flow flow = d->flow;

	flow.remote_port += rte_cpu_to_be_16(1000);
	bed.queue = (owner + 1) % WORKERS;

	for (unsigned i = 0; i < FLOOD; i++) {
		bed_send(&bed, &flow, r->bed.coap, r->bed.len);
		if (i % 32 == 31)
			bed_turn_one(&bed, bed.queue);
	}
	r = make_request(other, devices[other].next++, false);
	bed_send(&bed, &o->flow, r->bed.coap, r->bed.len);
	r->sent = true;
	foretell(r);
	bed_turn_one(&bed, bed.queue);
	turn();
	floods++;
}

static void rubbish(void)
{
	uint8_t coap[64];
	size_t len = rnd(sizeof(coap));

	for (size_t i = 0; i < len; i++)
		coap[i] = rnd(256);
	if (len)
		coap[0] = 0x40 | rnd(2) << 4 | rnd(16);
	// An Empty CON is a ping: its RST is no answer of the model's.
	if (len >= 2 && !coap[1])
		coap[1] = 1;
	put(rnd(DEVICES), &bed.flow, coap, len);
}

// An ACK or RST of somebody, for anything.
static void stray_ack(void)
{
	if (queued < QUEUE_MAX) {
		bed.queue = rnd(WORKERS);
		bed_send_empty(&bed, &devices[rnd(DEVICES)].flow, rnd(2) ? COAP_ACK : COAP_RST,
			rnd(1 << 16));
		queued++;
	}
}

static void pass(uint64_t ms)
{
	bed_later(&bed, ms);
	clock_ms += ms;
	wall_ms += wall_stands ? 0 : ms;
}

static void later(void)
{
	// At times so long that an old number is a suspicion.
	uint64_t ms = rnd(400) ? rnd(8) ? rnd(60) : rnd(2000) : 94000;

	turn();
	pass(ms);
	turn();
	poll_all();
	turn(); // what main said holds from here on
}

// The clock that own Partial IVs are made of is set, stands, or comes to the border of a second.
static void set_clock(void)
{
	turn();
	switch (rnd(6)) {
	case 0:
		wall_ms += 1000 * (1 + rnd(rnd(8) ? 3 : 600));
		break;
	case 1:
		wall_ms -= RTE_MIN(wall_ms, (int64_t)(1000 * (1 + rnd(rnd(8) ? 3 : 600))));
		break;
	case 2:
		wall_stands = !wall_stands;
		break;
	case 3:
		wall_ms += 999 - wall_ms % 1000;
		break;
	case 4:
		wall_ms += 1000 - wall_ms % 1000;
		break;
	case 5: // right again
		wall_ms = RTE_MAX(wall_ms, 1000 * wall_used);
		wall_stands = false;
	}
	set_serial = serial;
}

// A device moves, and from now on another worker has its packets.
static void move(void)
{
	devices[rnd(DEVICES)].queue = rnd(WORKERS);
}

// An operator distrusts what is known of a device.
static void resync(void)
{
	struct model_device *d = &devices[rnd(DEVICES)];

	if (!d->there || rnd(20))
		return;
	turn();
	must(dp_resync(bed.dp, d->bed.context, d->bed.generation, d->mark) == 0, "it is there");
	turn();
	d->context++;
	if (d->no_echo) {
		d->floor = RTE_MAX(d->floor, d->mark);
		d->highest = RTE_MAX(d->highest, d->mark);
	} else if (d->window_known) {
		d->floor = RTE_MAX(d->floor, d->highest);
		d->window_known = false;
	}
}

static void respond(unsigned i)
{
	static const uint8_t codes[] = {
		COAP_CONTENT, COAP_CHANGED, COAP_NOT_FOUND, COAP_BAD_GATEWAY};
	struct dp_loop_port *port = &dp_loop(bed.dp, 0)->port[held[i].worker];
	struct dp_shared *shared = dp_shared_get(port->pool, held[i].handle);
	uint8_t plaintext[1500] = {codes[rnd(4)], COAP_PAYLOAD_MARK};
	size_t len = rnd(3) ? 1 : 3 + rnd(200);

	must(shared, "a handle is good until it is handed back");
	for (size_t k = 2; k < len; k++)
		plaintext[k] = rnd(256);
	if (rnd(16) == 0)
		len = rnd(2) ? 0 : shared->request.response_max + 1; // does not fit
	memcpy(dp_shared_response(shared), plaintext, len);
	shared->response.len = len;
	dp_loop_respond(port, held[i].handle);
	if (rnd(16) == 0)
		dp_loop_respond(port, held[i].handle); // twice
	held[i] = held[--held_count];
}

static void backend(void)
{
	turn();
	if (held_count)
		respond(rnd(held_count));
}

// More commands than a worker takes in a turn, and in front of those that follow.
static void main_is_late(const struct model_device *d)
{
	for (unsigned i = 0; i < 40; i++)
		(void)!dp_run_base_raise(bed.dp, d->bed.context, d->bed.generation, 0);
}

static void remove_device(struct model_device *d)
{
	struct dp_context_key key;

	turn();
	for (unsigned i = 0; i < HISTORY; i++)
		if (&devices[history[i].from] == d && history[i].accepted && !history[i].answered)
			leaving = history[i].leaving = true;
	if (rnd(2))
		main_is_late(d);
	bed_device_name(&bed, &d->bed, &key);
	must(dp_device_remove(bed.dp, &key) == 0, "it is there");
	d->there = false;
}

// Packets and answers meet a context that is on its way out, and one that is there in its place.
static void meet_the_retired(struct model_device *d)
{
	if (rnd(2))
		wall_ms += 1000 - (rnd(2) ? wall_ms % 1000 : 0);
	while (held_count && rnd(8))
		respond(rnd(held_count));
	if (rnd(2))
		again();
	for (unsigned n = rnd(3); d->there && n; n--)
		send_request(make_request(d - devices, d->next++, rnd(2)));
}

// As the registry does it.
static void keys_free(const struct model_device *d)
{
	for (unsigned polls = 0;
		dp_key_retiring(bed.dp, d->bed.params.alg, d->bed.keys.recipient_key); polls++) {
		must(polls < 64, "nobody holds it");
		turn();
		poll_all();
	}
}

static void come_and_go(void)
{
	struct model_device *d = &devices[rnd(DEVICES)];

	turn();
	if (d->there) {
		for (unsigned n = rnd(6); n; n--)
			send_request(make_request(d - devices, d->next++, rnd(2)));
		remove_device(d);
	}
	if (rnd(2)) {
		if (rnd(2)) {
			device_keys(d);
			device_add(d, true);
		} else {
			keys_free(d);
			device_add(d, false);
		}
	}
	meet_the_retired(d);
}

static void policy(void)
{
	bed.policy.verbose_errors = rnd(2);
	bed.policy.verbose_replay = rnd(2);
	bed.policy.max_in_flight = rnd(3);
	bed.policy.rate_cost = rnd(4) ? 0 : 100 * DP_BUCKET_PER_MS;
	bed.policy.rate_fill = 4 * bed.policy.rate_cost;
}

static void one_step(void)
{
	static void (*const operations[])(void) = {good, good, good, good, good, good, good, again,
		again, again, old_number, forged, forged, from_elsewhere, rubbish, stray_ack, later,
		later, backend, backend, backend, turn, policy, resync, set_clock, move};
	uint64_t n = rnd(RTE_DIM(operations) * 20);

	if (n == 0)
		come_and_go();
	else if (n == 1 && rnd(16) == 0)
		flood();
	else
		operations[n % RTE_DIM(operations)]();
}

// Faults stop: every device gets an answer to a request of its own.
static void settle(void)
{
	turn();
	while (held_count)
		respond(0);
	wall_stands = false;
	whole_names = true;
	for (unsigned i = 0; i < DEVICES; i++)
		wall_used = RTE_MAX(wall_used, devices[i].clock_next >> DP_CLOCK_BITS);
	wall_ms = RTE_MAX(wall_ms, 1000 * wall_used);
	later();
	pass(BED_TIMEOUT_MS + 1000);
	later();
	for (unsigned i = 0; i < DEVICES; i++) {
		struct model_device *d = &devices[i];
		struct model_request *r;
		unsigned tries = 0;

		if (!d->there) {
			device_keys(d);
			device_add(d, true);
		}
		do {
			// A device without Echo first has to pass its mark.
			must(tries++ < (d->no_echo ? 3 + DP_MARK_AHEAD : 3),
				"device %u gets no answer", i);
			pass(1000);
			r = make_request(i, d->next++, true);
			send_request(r);
			turn();
			while (held_count)
				respond(0);
			later();
		} while (!r->answered);
	}
	whole_names = false;
	for (unsigned i = 0; i < HISTORY; i++)
		must(ended(&history[i]), "a request was never answered");
	// Separate answers that nobody acknowledges end, too: after 93 s at most.
	for (unsigned i = 0; i < 40; i++) {
		pass(2500);
		turn();
	}
	for (unsigned i = 0; i < WORKERS; i++)
		must(dp_worker_exchanges_free(bed.dp, i) == BED_EXCHANGES, "exchanges are missing");
	must(accepted == dispatched + local_answers, "%lu %lu %lu", accepted, dispatched,
		local_answers);
	must(frames ==
			bed_count(&bed, DP_STAT_answers) +
				bed_count(&bed, DP_STAT_rx_duplicates_answered) +
				bed_count(&bed, DP_STAT_rx_duplicates_acked) +
				bed_count(&bed, DP_STAT_acks_sent) +
				bed_count(&bed, DP_STAT_tx_retransmits) +
				bed_count(&bed, DP_STAT_rx_errors_sent) +
				bed_count(&bed, DP_STAT_rx_format_rst),
		"every frame sent was counted");
}

Test(dp_sessions, agree_with_the_model)
{
	const char *text = getenv("POSTERN_SEED");
	const char *steps = getenv("POSTERN_STEPS");
	unsigned count = steps ? strtoul(steps, NULL, 0) : STEPS;

	if (text)
		seed = strtoull(text, NULL, 0);
	else
		randombytes_buf(&seed, sizeof(seed));
	state = (seed + 1) * UINT64_C(0x9e3779b97f4a7c15) | 1;
	bed_make_workers(&bed, WORKERS, rnd(2));
	bed_stop_clock(&bed); // the model knows no other time than its own
	dp_contexts(bed.dp)->clock.read = wall_read;
	wall_ms = 1000000000;
	// Here exchanges are to run out; the overload ladder, which is there to prevent that, has
	// tests of its own.
	bed_never_overloaded(&bed);
	dp_run_grant(bed.dp, 1);
	for (unsigned i = 0; i < DEVICES; i++) {
		devices[i].flow = bed.flow;
		devices[i].flow.remote_port = rte_cpu_to_be_16(40000 + i);
		devices[i].queue = i % WORKERS;
		devices[i].by_clock = i % 6 == 5;
		devices[i].own_piv = i % 6 == 2;
		devices[i].no_echo = i % 5 == 4;
		// Four in a row: one by itself, two with one kid, of which the second of the last
		// four has no ID Context, and one whose kid is its own.
		devices[i].contextual = i % 4 && i != 10;
		devices[i].namesake = i % 4 == 1 ? &devices[i + 1]
			: i % 4 == 2             ? &devices[i - 1]
						 : NULL;
		devices[i].seen = calloc(1, PIVS);
		must(devices[i].seen, "memory");
		device_keys(&devices[i]);
		device_add(&devices[i], i % 2);
	}
	for (step = 0; step < count; step++) {
		one_step();
		if (step % SETTLE == SETTLE - 1)
			settle();
	}
	settle();
	printf("# %u steps, %lu packets, %lu accepted, %lu handed on, %lu answers, %lu copies "
	       "answered, %lu challenges, %lu timeouts\n",
		count, bed_count(&bed, DP_STAT_rx_packets), accepted, dispatched,
		bed_count(&bed, DP_STAT_answers), bed_count(&bed, DP_STAT_rx_duplicates_answered),
		bed_count(&bed, DP_STAT_rx_challenges), bed_count(&bed, DP_STAT_exchange_timeouts));
	printf("# %lu separate answers, %lu retransmissions, %lu ACKs, %lu RSTs, %lu given up\n",
		bed_count(&bed, DP_STAT_answers_separate), bed_count(&bed, DP_STAT_tx_retransmits),
		bed_count(&bed, DP_STAT_rx_acks), bed_count(&bed, DP_STAT_rx_rsts),
		bed_count(&bed, DP_STAT_answers_given_up));
	printf("# %lu refused for what is under way, %lu for the rate\n",
		bed_count(&bed, DP_STAT_in_flight_refused), bed_count(&bed, DP_STAT_rate_refused));
	printf("# %lu floods of copies between workers, %lu suspicions\n", floods,
		bed_count(&bed, DP_STAT_rx_suspicions));
	printf("# %lu handed over, %lu refused by the clock, %lu dropped of a context that is "
	       "gone\n",
		bed_count(&bed, DP_STAT_handed_over),
		bed_count(&bed, DP_STAT_drop_clock) + bed_count(&bed, DP_STAT_drop_own_piv_spent),
		bed_count(&bed, DP_STAT_drop_context_gone));
	bed_free(&bed);
	for (unsigned i = 0; i < DEVICES; i++)
		free(devices[i].seen);
}
