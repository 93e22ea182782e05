// SPDX-License-Identifier: BSD-3-Clause
// Sessions: requests on their way to the gateway.

#include "tests/model/sessions.h"

#include <string.h>

void turn(void)
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

void put(unsigned from, const struct dp_flow *flow, const uint8_t *coap, size_t len)
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

bool echo_is_doubtful(const struct model_request *r)
{
	uint64_t age = clock_ms - r->echo_ms;

	return r->echo_context == devices[r->from].context && age > ECHO_FRESH && age <= ECHO_STALE;
}

void send_request(struct model_request *r)
{
	if (echo_is_doubtful(r))
		return;
	put(r->from, &devices[r->from].flow, r->bed.coap, r->bed.len);
	r->sent = true;
	foretell(r);
}

bool clock_was_set(const struct model_request *r)
{
	return devices[r->from].by_clock && r->number < set_serial;
}

bool ended(const struct model_request *r)
{
	return !r->accepted || r->answered || r->gone || r->leaving || clock_was_set(r);
}

struct model_request *make_request(unsigned from, uint64_t piv, bool with_echo)
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

struct model_request *some_request(void)
{
	uint64_t back = 1 + rnd(rnd(2) ? 20 : HISTORY / 2);

	return back > serial ? NULL : &history[(serial - back) % HISTORY];
}
