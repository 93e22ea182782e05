// SPDX-License-Identifier: BSD-3-Clause
// Sessions: what devices, backends, main and strangers do.

#include "dataplane/dp_inside.h"
#include "dataplane/shared/bucket.h"
#include "tests/model/sessions.h"

#include <string.h>

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

void pass(uint64_t ms)
{
	bed_later(&bed, ms);
	clock_ms += ms;
	wall_ms += wall_stands ? 0 : ms;
}

void later(void)
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
	int rc;

	if (rnd(2)) // contexts that are to move are told so now
		poll_all();
	while ((rc = dp_resync(bed.dp, d->bed.context, d->bed.generation, d->mark)) == -EAGAIN) {
		turn();
		poll_all();
	}
	must(!rc, "it is there");
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

void respond(unsigned i)
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

// A request that is on its way to the owner of its context when that begins to drain: it is not
// accepted any more.
static void on_its_way(struct model_device *d)
{
	uint8_t owner = dp_contexts(bed.dp)->context[d->bed.context].owner;

	// The owner of one that moves is told later, and accepts it.
	if (owner >= WORKERS || d->next + 1 > PIVS || !dp_worker_get(bed.dp, 0)->affinity_kid)
		return;
	struct model_request *r = make_request(d - devices, d->next++, false);

	bed.queue = (owner + 1) % WORKERS;
	bed_send(&bed, &d->flow, r->bed.coap, r->bed.len);
	bed_turn_one(&bed, bed.queue);
	r->sent = true;
}

static void remove_device(struct model_device *d)
{
	struct dp_context_key key;

	turn();
	d->drains = rnd(2);
	if (d->drains || rnd(2)) // an owner with room for events takes its commands
		poll_all();
	for (unsigned i = 0; i < HISTORY; i++) {
		struct model_request *r = &history[i];

		if (&devices[r->from] != d || !r->accepted || r->answered || r->leaving || r->gone)
			continue;
		leaving = r->leaving = true;
		r->draining = d->drains;
	}
	// What its owner accepts before it is told is in flight, too.
	if (rnd(2))
		main_is_late(d);
	else if (d->drains)
		on_its_way(d);
	bed_device_name(&bed, &d->bed, &key);
	must((d->drains ? dp_context_drain(bed.dp, &key) : dp_device_remove(bed.dp, &key)) == 0,
		"it is there");
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
		if (d->drains || rnd(2)) {
			d->drains = false;
			device_keys(d);
			device_add(d, true);
		} else {
			keys_free(d);
			device_add(d, false);
		}
	}
	meet_the_retired(d);
}

// /echo and /discard change places, so that copies of what they answered would get other answers.
static void reload(void)
{
	static struct dp_route routes[16];

	must(bed.policy.route_count <= RTE_DIM(routes), "room");
	for (unsigned i = 0; i < bed.policy.route_count; i++) {
		struct dp_route route = bed.policy.routes[i];

		if (route.target == DP_TARGET_ECHO)
			route.target = DP_TARGET_DISCARD;
		else if (route.target == DP_TARGET_DISCARD)
			route.target = DP_TARGET_ECHO;
		routes[i] = route;
	}
	bed.policy.routes = routes;
}

static void policy(void)
{
	if (rnd(8) == 0)
		reload();
	bed.policy.verbose_errors = rnd(2);
	bed.policy.verbose_replay = rnd(2);
	bed.policy.max_in_flight = rnd(3);
	bed.policy.rate_cost = rnd(4) ? 0 : 100 * DP_BUCKET_PER_MS;
	bed.policy.rate_fill = 4 * bed.policy.rate_cost;
}

void one_step(void)
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
