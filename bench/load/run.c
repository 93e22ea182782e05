// SPDX-License-Identifier: BSD-3-Clause

#include "bench/load/run.h"

#include "base/clock.h"
#include "dataplane/oscore/protect.h"

#include <errno.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define PLAINTEXT_ROOM 65536
#define WAIT_MIN_NS    10000    // shorter ones are spun away
#define WAIT_MAX_NS    20000000 // also between two looks at `stop`
#define SECOND_NS      1000000000ull

static bool is_counted(const struct load_run *run, const struct load_flight_slot *slot)
{
	return slot->due_ns >= run->from_ns;
}

// --- answers -------------------------------------------------------------------------------------

// Answers of one burst that are to be opened.
struct opening {
	unsigned n;
	struct aead_op op[TRANSPORT_BATCH];
	uint8_t aad[TRANSPORT_BATCH][OSC_AAD_ROOM];
	uint8_t alg[TRANSPORT_BATCH];
	struct load_flight_slot *slot[TRANSPORT_BATCH];
	uint32_t generation[TRANSPORT_BATCH];
	bool own_piv[TRANSPORT_BATCH];
};

static void answered(struct load_run *run, struct load_flight_slot *slot, uint64_t now)
{
	if (is_counted(run, slot)) {
		load_count(&run->counts.answered);
		if (now < run->end_ns)
			load_count(&run->counts.in_time);
		histogram_add(&run->latency, now - slot->due_ns);
	}
	load_flight_end(&run->flight, slot);
}

// From now on the server takes it for a replay.
static void request_is_old(struct load_run *run, const struct load_flight_slot *slot)
{
	uint8_t token[LOAD_FLIGHT_TOKEN_LEN];

	if (!run->hostile)
		return;
	load_flight_token(&run->flight, slot, token);
	hostile_see_answer(run->hostile, token);
}

static bool wants_opening(struct load_run *run, const struct load_device *device, bool own_piv)
{
	if (++run->sample >= run->conf.verify) {
		run->sample = 0;
		return true;
	}
	// A challenge carries a Partial IV, and no answer before it may have been opened.
	return !device->known || (own_piv && !device->own_piv);
}

// Puts an answer among those to be opened. false: it cannot be one.
static bool opening_add(struct opening *o, const struct load_device *d,
	struct load_flight_slot *slot, const struct osc_option *option,
	const struct coap_body *body)
{
	int len = osc_plaintext_len(d->alg, body->payload_len);

	if (len < 0)
		return false;
	// In place: the ciphertext is in a buffer that is ours until the next burst.
	const struct osc_id_piv request = {d->kid, d->kid_len, slot->piv};
	const struct osc_id_piv own = {d->gateway_id, d->gateway_id_len, option->piv};
	const struct osc_op_input input = {
		.alg = d->alg,
		.key = d->recipient_key,
		.common_iv = d->common_iv,
		.request = request,
		.nonce = option->piv_len ? own : request,
		.in = body->payload,
		.out = (uint8_t *)body->payload,
		.len = (uint16_t)len,
	};

	osc_op_prepare(&o->op[o->n], o->aad[o->n], &input);
	o->alg[o->n] = d->alg;
	o->slot[o->n] = slot;
	o->generation[o->n] = slot->generation;
	o->own_piv[o->n] = option->piv_len;
	o->n++;
	return true;
}

// Keeps the Echo of a challenge (RFC 9175 section 2.3) for the device's next request.
static bool take_challenge(struct load_device *device, const struct coap_body *body)
{
	struct coap_option echo;

	if (!coap_option_find(body, COAP_OPT_ECHO, &echo) ||
		!coap_option_len_ok(COAP_OPT_ECHO, echo.len) || !echo.len)
		return false;
	if (!device->echo)
		device->echo = malloc(UINT8_MAX);
	if (!device->echo)
		return false;
	memcpy(device->echo, echo.value, echo.len);
	device->echo_len = (uint8_t)echo.len;
	return true;
}

static void take_opened(struct load_run *run, const struct opening *o, unsigned i, uint64_t now)
{
	const struct aead_op *op = &o->op[i];
	struct load_flight_slot *slot = o->slot[i];
	struct coap_body body;

	// A copy of it in the same burst was taken already.
	if (!slot->used || slot->generation != o->generation[i]) {
		load_count(&run->counts.unmatched);
		return;
	}
	unsigned class = op->result == AEAD_OK ? COAP_CODE_CLASS(op->out[0]) : 0;
	if ((class != 2 && class != 4 && class != 5) ||
		coap_body_parse(&body, op->out + 1, op->len - 1u) != COAP_OK) {
		load_count(&run->counts.failed);
		return;
	}
	struct load_device *device = &run->devices->device[slot->device];
	bool challenge = op->out[0] == COAP_UNAUTHORIZED && take_challenge(device, &body);

	device->known = !challenge;
	if (!challenge) {
		device->own_piv = o->own_piv[i];
		request_is_old(run, slot);
	}
	if (is_counted(run, slot)) {
		load_count(&run->counts.opened);
		load_count(&run->counts.code[op->out[0]]);
		if (challenge)
			load_count(&run->counts.challenges);
	}
	answered(run, slot, now);
}

static void take_response(struct load_run *run, const struct coap_msg *msg, uint32_t endpoint,
	struct opening *o, uint64_t now)
{
	struct load_flight_slot *slot = load_flight_find(&run->flight, msg->token, msg->token_len);
	struct osc_option option;

	if (run->conf.reflected) {
		if (slot)
			answered(run, slot, now);
		else
			load_count(&run->counts.unmatched);
		return;
	}
	if (msg->type == COAP_CON && run->ack_count < TRANSPORT_BATCH)
		run->ack[run->ack_count++] =
			(struct datagram){.endpoint = endpoint, .len = msg->mid};
	if (!slot) {
		load_count(&run->counts.unmatched);
		return;
	}
	if (slot->endpoint != endpoint || (msg->type == COAP_ACK && msg->mid != slot->mid)) {
		load_count(&run->counts.mismatched);
		return;
	}
	if (!msg->body.oscore_count) {
		// Any sender may have made it up, but the server will send no other answer: do not
		// wait for one.
		load_count(&run->counts.unprotected);
		load_count(&run->counts.plain_code[msg->code]);
		load_flight_end(&run->flight, slot);
		return;
	}
	struct load_device *device = &run->devices->device[slot->device];

	if (msg->body.oscore_count > 1 ||
		osc_option_parse(&option, msg->body.oscore, msg->body.oscore_len)) {
		load_count(&run->counts.failed);
		return;
	}
	if (msg->type != COAP_ACK && run->form->type == COAP_CON && is_counted(run, slot))
		load_count(&run->counts.separate);
	if (!wants_opening(run, device, option.piv_len)) {
		request_is_old(run, slot);
		answered(run, slot, now);
	} else if (!opening_add(o, device, slot, &option, &msg->body))
		load_count(&run->counts.failed);
}

static void take_datagram(
	struct load_run *run, const struct datagram *datagram, struct opening *o, uint64_t now)
{
	struct coap_msg msg;

	if (run->hostile &&
		datagram->endpoint >= run->transport->endpoints - run->transport->hostile) {
		run->hostile->counts.received++;
		run->hostile->counts.bytes_received += datagram->len;
		return;
	}
	if (coap_msg_parse(&msg, datagram->data, datagram->len) != COAP_OK) {
		load_count(&run->counts.malformed);
		return;
	}
	if (msg.code == COAP_EMPTY) {
		if (msg.type == COAP_RST)
			load_count(&run->counts.resets);
		else if (msg.type == COAP_ACK)
			load_count(&run->counts.acknowledged);
		return;
	}
	take_response(run, &msg, datagram->endpoint, o, now);
}

// Returns how many datagrams there were.
static unsigned receive(struct load_run *run)
{
	struct datagram datagrams[TRANSPORT_BATCH];
	struct opening o;
	unsigned n = run->transport->ops->receive(run->transport, datagrams, TRANSPORT_BATCH);

	if (!n)
		return 0;
	uint64_t now = clock_ns();

	o.n = 0;
	for (unsigned i = 0; i < n; i++)
		take_datagram(run, &datagrams[i], &o, now);
	aead_run_mixed(aead_open_batch, run->engine, o.op, o.alg, o.n);
	for (unsigned i = 0; i < o.n; i++)
		take_opened(run, &o, i, now);
	return n;
}

static void expire(struct load_run *run, uint64_t now)
{
	struct load_flight_slot *slot;

	while ((slot = load_flight_oldest(&run->flight)) &&
		now >= slot->sent_ns + run->conf.timeout_ns) {
		if (is_counted(run, slot))
			load_count(&run->counts.lost);
		load_flight_end(&run->flight, slot);
	}
}

// --- requests ------------------------------------------------------------------------------------

static uint64_t due_ns(const struct load_run *run, uint64_t number)
{
	return run->start_ns + (uint64_t)((double)number / run->conf.rate * 1e9);
}

// How many requests may be sent now.
static unsigned sendable(struct load_run *run, uint64_t now)
{
	uint64_t n = run->conf.window - run->flight.count;

	if (run->conf.rate > 0) {
		uint64_t due = (uint64_t)((double)(now - run->start_ns) / 1e9 * run->conf.rate) + 1;

		n = due <= run->made ? 0 : due - run->made < n ? due - run->made : n;
	}
	if (run->conf.requests && n > run->conf.requests - run->made)
		n = run->conf.requests - run->made;
	return n < TRANSPORT_BATCH ? (unsigned)n : TRANSPORT_BATCH;
}

// The next device in turn, under a number that it has not used.
static bool next_request(struct load_run *run, struct request_item *item, uint32_t *index)
{
	if (run->next_device == 0 && !piv_take(run->supply, &run->piv))
		return false;
	*index = (uint32_t)run->next_device;
	item->device = &run->devices->device[run->next_device];
	item->piv = run->piv;
	if (++run->next_device == run->devices->count)
		run->next_device = 0;
	return true;
}

static void end_sending(struct load_run *run, uint64_t now)
{
	run->sending = false;
	if (now < run->end_ns)
		run->end_ns = now;
	run->seconds = run->end_ns > run->from_ns ? (double)(run->end_ns - run->from_ns) / 1e9 : 0;
	if (run->conf.rate > 0) {
		uint64_t due =
			(uint64_t)((double)(run->end_ns - run->start_ns) / 1e9 * run->conf.rate);

		if (run->conf.requests && due > run->conf.requests)
			due = run->conf.requests;
		run->counts.unsent = due > run->made ? due - run->made : 0;
	}
}

// Seals up to n requests and makes them pending.
static void make_requests(struct load_run *run, unsigned n, uint64_t now)
{
	struct transport *t = run->transport;
	struct request_item items[TRANSPORT_BATCH];
	unsigned made = 0;

	n = t->ops->buffers(t, run->pending, n);
	while (made < n) {
		struct request_item *item = &items[made];
		struct datagram *datagram = &run->pending[made];
		struct load_flight_slot *slot;
		uint32_t index;

		if (!next_request(run, item, &index))
			break;
		// Of the next batch: its keys are on their way then.
		__builtin_prefetch(item->device + TRANSPORT_BATCH);
		datagram->endpoint = transport_endpoint(t, index);
		slot = load_flight_begin(&run->flight, item->token);
		item->mid = run->mid[datagram->endpoint]++;
		item->out = datagram->data;
		slot->due_ns = run->conf.rate > 0 ? due_ns(run, run->made) : now;
		slot->sent_ns = now;
		slot->piv = item->piv;
		slot->device = index;
		slot->endpoint = datagram->endpoint;
		slot->mid = item->mid;
		if (is_counted(run, slot))
			load_count(&run->counts.sent);
		run->made++;
		made++;
	}
	if (made && request_seal_batch(run->form, run->engine, items, made)) {
		run->problem = "the cipher failed";
		end_sending(run, now);
		if (t->ops->give_back)
			t->ops->give_back(t, run->pending, n);
		return;
	}
	for (unsigned i = 0; i < made; i++) {
		run->pending[i].len = items[i].len;
		if (run->hostile)
			hostile_see_request(run->hostile, &items[i]);
	}
	if (made < n && t->ops->give_back)
		t->ops->give_back(t, run->pending + made, n - made);
	if (made && t->ops->seal)
		t->ops->seal(t, run->pending, made);
	run->pending_first = 0;
	run->pending_count = made;
}

// Up to n packets of a sender without keys, all from one endpoint.
static void make_hostile(struct load_run *run, uint64_t n)
{
	struct transport *t = run->transport;
	struct hostile *hostile = run->hostile;
	uint32_t endpoint = t->endpoints - 1 - hostile->made / TRANSPORT_BATCH % t->hostile;

	n = t->ops->buffers(t, run->pending, n < TRANSPORT_BATCH ? (unsigned)n : TRANSPORT_BATCH);
	for (unsigned i = 0; i < n; i++) {
		run->pending[i].endpoint = endpoint;
		run->pending[i].len = hostile_make(hostile, run->piv, run->pending[i].data);
	}
	if (n && t->ops->seal)
		t->ops->seal(t, run->pending, (unsigned)n);
	run->pending_first = 0;
	run->pending_count = (unsigned)n;
}

// Empty acknowledgements of answers that came as confirmable messages (RFC 7252 section 4.2).
static void make_acks(struct load_run *run)
{
	struct transport *t = run->transport;
	unsigned n = t->ops->buffers(t, run->pending, run->ack_count);

	for (unsigned i = 0; i < n; i++) {
		struct coap_writer w;

		coap_writer_init(&w, run->pending[i].data, COAP_EMPTY_LEN);
		coap_write_header(&w, COAP_ACK, COAP_EMPTY, run->ack[i].len, NULL, 0);
		run->pending[i].endpoint = run->ack[i].endpoint;
		run->pending[i].len = COAP_EMPTY_LEN;
	}
	if (n && t->ops->seal)
		t->ops->seal(t, run->pending, n);
	run->ack_count = 0;
	run->pending_first = 0;
	run->pending_count = n;
}

// Returns how many went out.
static unsigned send_pending(struct load_run *run)
{
	unsigned n = run->pending_count
		? run->transport->ops->send(
			  run->transport, run->pending + run->pending_first, run->pending_count)
		: 0;

	run->pending_first += n;
	run->pending_count -= n;
	return n;
}

static unsigned send_some(struct load_run *run, uint64_t now)
{
	unsigned sent = send_pending(run), n;

	if (!run->pending_count && run->ack_count) {
		make_acks(run);
		sent += send_pending(run);
	}
	if (run->pending_count || !run->sending)
		return sent;
	if (run->hostile && hostile_due(run->hostile, run->made)) {
		make_hostile(run, hostile_due(run->hostile, run->made));
		return sent + send_pending(run);
	}
	n = sendable(run, now);
	if (!n)
		return sent;
	make_requests(run, n, now);
	return sent + send_pending(run);
}

// --- the loop ------------------------------------------------------------------------------------

static void wait_for_something(struct load_run *run, uint64_t now)
{
	const struct load_flight_slot *oldest = load_flight_oldest(&run->flight);
	uint64_t until = now + WAIT_MAX_NS;

	if (run->sending && run->end_ns < until)
		until = run->end_ns;
	if (oldest && oldest->sent_ns + run->conf.timeout_ns < until)
		until = oldest->sent_ns + run->conf.timeout_ns;
	if (run->sending && run->conf.rate > 0 && run->flight.count < run->conf.window &&
		due_ns(run, run->made) < until)
		until = due_ns(run, run->made);
	if (until > now + WAIT_MIN_NS)
		run->transport->ops->wait(run->transport, until - now);
}

static bool is_over(const struct load_run *run, uint64_t now)
{
	return now >= run->end_ns || (run->conf.requests && run->made == run->conf.requests) ||
		atomic_load_explicit(&run->stop, memory_order_relaxed);
}

// Ends a turn of the loop. Turns that did nothing are waiting, slept or not.
static void note_time(struct load_run *run, unsigned done)
{
	uint64_t now = clock_ns();

	if (done && run->sending && run->turn_ns >= run->from_ns)
		run->busy += (double)(now - run->turn_ns) / 1e9;
	run->turn_ns = now;
}

static double cpu_seconds(void)
{
	struct timespec time;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
	return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

void load_run_go(struct load_run *run)
{
	run->sending = true;
	run->start_ns = clock_ns();
	run->from_ns = run->start_ns + run->conf.warm_up_ns;
	run->end_ns = run->conf.duration_ns ? run->from_ns + run->conf.duration_ns : UINT64_MAX;
	run->piv_first = run->supply->now.next;
	run->turn_ns = run->start_ns;
	while (run->sending || run->flight.count || run->pending_count || run->ack_count) {
		unsigned done = receive(run);
		uint64_t now = clock_ns();

		if (run->sending && is_over(run, now))
			end_sending(run, now);
		done += send_some(run, now);
		expire(run, now);
		if (!done && !run->pending_count && run->transport->ops->wait)
			wait_for_something(run, now);
		note_time(run, done);
	}
	run->cpu_seconds = cpu_seconds();
	run->piv_last = run->piv;
	atomic_store_explicit(&run->done, true, memory_order_release);
}

int load_run_prepare(struct load_run *run, struct error *f)
{
	uint32_t endpoints = run->transport->endpoints;

	run->engine = aead_engine_create(NULL);
	run->mid = calloc(endpoints, sizeof(*run->mid));
	if (!run->engine || !run->mid || load_flight_create(&run->flight, run->conf.window))
		return error_set(
			f, -ENOMEM, "no memory for %u requests under way", run->conf.window);
	randombytes_buf(run->mid, endpoints * sizeof(*run->mid));
	return 0;
}

void load_run_free(struct load_run *run)
{
	aead_engine_free(run->engine);
	free(run->mid);
	load_flight_free(&run->flight);
}
