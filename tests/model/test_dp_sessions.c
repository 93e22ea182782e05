// SPDX-License-Identifier: BSD-3-Clause
// Sessions of several devices with one worker, on a network and before backends that do their
// worst, against a model that is simple enough to be believed:
//
// - which packets are accepted is foretold from plain sets of Partial IVs, packet by packet;
// - a nonce of a gateway key seals one answer ever, over all restarts of a device's context;
// - an answer opens under the request that it answers, and goes to where that came from;
// - it is piggybacked if there was no empty ACK before it, else a message of its own, whose bytes
//   never change and whose message id comes not again within EXCHANGE_LIFETIME;
// - an accepted request has one answer, sooner or later, unless its device is removed first;
// - counters, exchanges and packet buffers add up.
//
// POSTERN_SEED=n replays a run, POSTERN_STEPS=n makes it longer.

#include "tests/unit/dp_bed.h"

#include <criterion/criterion.h>
#include <sodium.h>
#include <stdlib.h>

#define STEPS      100000
#define DEVICES    10
#define HISTORY    8192      // requests remembered; a power of two, as message ids index it
#define PIVS       (1 << 20) // of one key
#define NONCES     (1 << 19) // more than twice as many as a run of STEPS uses
#define QUEUE_MAX  48        // packets in one burst, so that their order is kept
#define ECHO_FRESH 60000     // milliseconds in which an Echo value is valid for certain
#define ECHO_STALE 300000    // and after which it is not

struct model_device {
	struct bed_device bed;
	struct dp_flow flow;
	uint64_t mid_ms[1 << 16]; // when it saw a message id of the gateway's last; 0: never
	bool there;
	bool own_piv;
	bool no_echo;     // it has a mark, DP_CONTEXT_FLOOR
	uint32_t keys;    // how many keys it had
	uint32_t context; // how many contexts and unknown windows it had
	uint64_t mark;    // durable
	uint64_t next;    // its sequence number
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
	bool sent; // held back until then
	bool accepted;
	bool dispatched;
	bool acked; // by an empty ACK
	bool answered;
	bool gone; // its device was removed meanwhile
	uint8_t answer[16];
};

static struct bed bed;
static struct model_device devices[DEVICES];
static struct model_request history[HISTORY];
static uint32_t serial; // of requests
static unsigned queued;
static uint64_t clock_ms; // that was let pass
static uint64_t accepted, dispatched, local_answers, frames;
static dp_handle held[BED_EXCHANGES];
static unsigned held_count;
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

// The nonce oracle: what each nonce of each sender key sealed.
static struct {
	uint8_t nonce[16]; // hash of key and nonce
	uint8_t sealed[16];
} nonces[NONCES];

static void nonce_used(
	const struct model_request *r, const struct bed_answer *answer, const uint8_t sealed[16])
{
	const struct osc_params *params = &r->device.params;
	static const uint8_t zero[16];
	uint8_t nonce[AEAD_NONCE_MAX] = {0};
	uint8_t id[16];
	crypto_generichash_state hash;

	osc_nonce(nonce, params->alg, r->device.keys.common_iv,
		answer->has_piv ? params->recipient_id : params->sender_id,
		answer->has_piv ? params->recipient_id_len : params->sender_id_len,
		answer->has_piv ? answer->piv : r->bed.piv);
	crypto_generichash_init(&hash, NULL, 0, sizeof(id));
	crypto_generichash_update(&hash, r->device.keys.recipient_key, AEAD_KEY_MAX);
	crypto_generichash_update(&hash, nonce, sizeof(nonce));
	crypto_generichash_final(&hash, id, sizeof(id));
	uint32_t at;

	memcpy(&at, id, sizeof(at));
	for (unsigned tries = 0; tries < NONCES; tries++, at++) {
		at %= NONCES;
		if (!memcmp(nonces[at].nonce, zero, 16)) {
			memcpy(nonces[at].nonce, id, 16);
			memcpy(nonces[at].sealed, sealed, 16);
			return;
		}
		if (!memcmp(nonces[at].nonce, id, 16)) {
			must(!memcmp(nonces[at].sealed, sealed, 16), "a nonce sealed twice");
			return;
		}
	}
	must(false, "the table of nonces is too small");
}

static void device_keys(struct model_device *d)
{
	unsigned n = d - devices;

	bed_device_make(&d->bed, 2 + n, n % AEAD_ALG_COUNT);
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

static void device_add(struct model_device *d, bool window_known)
{
	struct dp_context *ctx;

	bed_device_add_with(&bed, &d->bed, window_known,
		(d->own_piv ? DP_CONTEXT_OWN_PIV_ALWAYS : 0) | (d->no_echo ? DP_CONTEXT_FLOOR : 0),
		d->mark);
	ctx = &dp_contexts(bed.dp)->context[d->bed.context];
	d->context++;
	// What the store sees to: a returning key goes on in a run of its own.
	ctx->run_base = d->context;
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
	const struct dp_context *ctx = &dp_contexts(bed.dp)->context[event->context];

	for (unsigned i = 0; i < DEVICES && event->type == DP_EVENT_MARK_WANTED; i++) {
		struct model_device *d = &devices[i];

		if (!d->there || d->bed.context != event->context ||
			d->bed.generation != event->generation)
			continue;
		d->mark = RTE_MAX(d->mark, event->arg);
		must(dp_mark_raise(bed.dp, event->context, event->generation, d->mark) == 0,
			"its owner asked");
	}
	if (event->type == DP_EVENT_RUN_BASE_WANTED)
		must(dp_run_base_raise(bed.dp, event->context, event->generation,
			     ctx->run_base + DEVICES) == 0,
			"main answers");
}

// The model's verdict on one packet, in order of arrival.
static void foretell(struct model_request *r)
{
	struct model_device *d = &devices[r->from];
	uint64_t piv = r->bed.piv;

	if (!d->there || r->keys != d->keys || piv < d->floor || d->seen[piv])
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
		// A window that was lost meanwhile is a new beginning: it is challenged.
		must(!r->acked || (code == COAP_UNAUTHORIZED && r->context != d->context),
			"in an ACK after an empty one");
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

	while (held_count < BED_EXCHANGES && (shared = bed_upstream_take(&bed, &handle))) {
		const uint8_t *token =
			dp_shared_body(dp_upstream(bed.dp, 0)->port[0].pool, shared) - 2;
		struct model_request *r = &history[(token[0] << 8 | token[1]) % HISTORY];

		must(r->accepted && !r->dispatched, "handed on once, when accepted");
		must(shared->request.piv == r->bed.piv, "its own Partial IV");
		must(!r->answered, "not answered before it was handed on");
		r->dispatched = true;
		dispatched++;
		held[held_count++] = handle;
	}
}

static void turn(void)
{
	bed_turn(&bed);
	queued = 0;
	take_requests();
	take_answers();
	must(bed_count(&bed, DP_STAT_rx_requests) == accepted, "%lu, foretold were %lu",
		bed_count(&bed, DP_STAT_rx_requests), accepted);
	must(bed_ends(&bed) == bed_count(&bed, DP_STAT_rx_packets), "each packet ends once");
}

static void put(const struct dp_flow *flow, const uint8_t *coap, size_t len)
{
	if (queued == QUEUE_MAX)
		turn();
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
	put(&devices[r->from].flow, r->bed.coap, r->bed.len);
	r->sent = true;
	foretell(r);
}

static struct model_request *make_request(unsigned from, uint64_t piv, bool with_echo)
{
	static const char *const paths[] = {"up", "up", "echo", "discard", "nowhere"};
	struct model_device *d = &devices[from];
	struct model_request *r = &history[serial % HISTORY];
	const char *path = paths[rnd(5)];
	uint8_t plaintext[256];
	struct coap_writer writer;

	must(!r->accepted || r->answered || r->gone, "a request was never answered");
	*r = (struct model_request){.device = d->bed,
		.from = from,
		.keys = d->keys,
		.context = d->context,
		.own_piv = d->own_piv};
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
	put(&devices[r->from].flow, coap, r->bed.len);
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
		put(&flow, r->bed.coap, r->bed.len);
		foretell(r);
	}
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
	put(&bed.flow, coap, len);
}

// An ACK or RST of somebody, for anything.
static void stray_ack(void)
{
	if (queued < QUEUE_MAX) {
		bed_send_empty(&bed, &devices[rnd(DEVICES)].flow, rnd(2) ? COAP_ACK : COAP_RST,
			rnd(1 << 16));
		queued++;
	}
}

static void later(void)
{
	uint64_t ms = rnd(8) ? rnd(60) : rnd(2000);

	turn();
	bed_later(&bed, ms);
	clock_ms += ms;
	turn();
	while (!rte_ring_empty(bed.w->events)) // a poll does bounded work
		dp_poll(bed.dp, on_event, NULL);
	turn(); // what main said holds from here on
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
	struct dp_shared *shared = dp_shared_get(dp_upstream(bed.dp, 0)->port[0].pool, held[i]);
	uint8_t plaintext[1500] = {codes[rnd(4)], COAP_PAYLOAD_MARK};
	size_t len = rnd(3) ? 1 : 3 + rnd(200);

	must(shared, "a handle is good until it is handed back");
	for (size_t k = 2; k < len; k++)
		plaintext[k] = rnd(256);
	if (rnd(16) == 0)
		len = rnd(2) ? 0 : shared->request.response_max + 1; // does not fit
	bed_upstream_answer(&bed, held[i], plaintext, len);
	if (rnd(16) == 0)
		dp_upstream_respond(&dp_upstream(bed.dp, 0)->port[0], held[i]); // twice
	held[i] = held[--held_count];
}

static void backend(void)
{
	turn();
	if (held_count)
		respond(rnd(held_count));
}

static void remove_device(struct model_device *d)
{
	struct dp_context_key key;

	turn();
	for (unsigned i = 0; i < HISTORY; i++)
		if (&devices[history[i].from] == d && history[i].accepted && !history[i].answered)
			history[i].gone = true;
	bed_device_key(&d->bed, &key);
	must(dp_device_remove(bed.dp, &key) == 0, "it is there");
	d->there = false;
	// Packets and answers meet a context that is on its way out.
	if (rnd(2))
		again();
	// A poll does bounded work.
	for (unsigned polls = 0; dp_devices_retiring(bed.dp); polls++) {
		must(polls < 64, "nobody holds it");
		turn();
		dp_poll(bed.dp, on_event, NULL);
	}
}

static void come_and_go(void)
{
	struct model_device *d = &devices[rnd(DEVICES)];

	if (d->there) {
		remove_device(d);
		if (rnd(2))
			return;
	}
	turn();
	if (rnd(2)) {
		device_keys(d);
		device_add(d, true);
	} else {
		device_add(d, false);
	}
}

static void policy(void)
{
	bed.config.verbose_errors = rnd(2);
	bed.config.verbose_replay = rnd(2);
}

static void one_step(void)
{
	static void (*const operations[])(void) = {good, good, good, good, good, good, good, again,
		again, again, old_number, forged, forged, from_elsewhere, rubbish, stray_ack, later,
		later, backend, backend, backend, turn, policy, resync};
	uint64_t n = rnd(RTE_DIM(operations) * 20);

	if (n == 0)
		come_and_go();
	else
		operations[n % RTE_DIM(operations)]();
}

// Faults stop: every device gets an answer to a request of its own.
static void settle(void)
{
	turn();
	while (held_count)
		respond(0);
	later();
	bed_later(&bed, BED_TIMEOUT_MS + 1000);
	clock_ms += BED_TIMEOUT_MS + 1000;
	turn();
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
			bed_later(&bed, 1000);
			clock_ms += 1000;
			r = make_request(i, d->next++, true);
			send_request(r);
			turn();
			while (held_count)
				respond(0);
			later();
		} while (!r->answered);
	}
	for (unsigned i = 0; i < HISTORY; i++)
		must(!history[i].accepted || history[i].answered || history[i].gone,
			"a request was never answered");
	// Separate answers that nobody acknowledges end, too: after 93 s at most.
	for (unsigned i = 0; i < 40; i++) {
		bed_later(&bed, 2500);
		clock_ms += 2500;
		turn();
	}
	must(dp_worker_exchanges_free(bed.dp, 0) == BED_EXCHANGES, "exchanges are missing");
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
	bed_make(&bed);
	bed_stop_clock(&bed); // the model knows no other time than its own
	// Here exchanges are to run out; the overload ladder, which is there to prevent that, has
	// tests of its own.
	dp_overload_init(&bed.w->overload, UINT32_MAX, bed.w->now_ms);
	dp_run_grant(bed.dp, 1);
	for (unsigned i = 0; i < DEVICES; i++) {
		devices[i].flow = bed.flow;
		devices[i].flow.remote_port = rte_cpu_to_be_16(40000 + i);
		devices[i].own_piv = i % 3 == 2;
		devices[i].no_echo = i % 5 == 4;
		devices[i].seen = calloc(1, PIVS);
		must(devices[i].seen, "memory");
		device_keys(&devices[i]);
		device_add(&devices[i], i % 2);
	}
	for (step = 0; step < count; step++) {
		one_step();
		if (step % (STEPS / 10) == STEPS / 10 - 1)
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
	bed_free(&bed);
	for (unsigned i = 0; i < DEVICES; i++)
		free(devices[i].seen);
}
