// SPDX-License-Identifier: BSD-3-Clause
// What postern-load counts as what, against a server that does right and wrong as it is told; and
// the frames around its messages.

#include "base/clock.h"
#include "bench/load/neighbour.h"
#include "bench/load/pcap.h"
#include "bench/load/run.h"
#include "bench/load/sources.h"
#include "dataplane/oscore/protect.h"

#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <errno.h>
#include <sodium.h>
#include <stdlib.h>
#include <unistd.h>

#define DEVICES   4
#define QUEUE     256
#define ROOM      512
#define PIVS_MAX  4096
#define SECOND_NS 1000000000ull

enum deed {
	DEED_ANSWER,
	DEED_NOTHING,
	DEED_BAD_TAG,
	DEED_PLAIN,     // a response without OSCORE
	DEED_WRONG_MID, // of the acknowledgement
	DEED_TWICE,
	DEED_SEPARATE, // an empty ACK, and the answer in a CON
	DEED_RESET,
	DEED_GARBAGE,
	DEED_WRONG_ENDPOINT,
	DEED_CHALLENGE, // unless the request has an Echo
	DEED_OWN_PIV,
	DEED_COUNT,
};

// The server, in the place of a transport.
struct server {
	struct transport t;
	struct load_devices *devices;
	struct aead_engine *engine;
	enum deed (*deed)(uint64_t number);
	uint64_t requests, acks, challenged;
	bool seen[DEVICES][PIVS_MAX];
	uint64_t first_ns, deaf_from_ns, deaf_until_ns; // these two since the first request
	uint64_t hostile[HOSTILE_KINDS], hostile_bytes, reset_bytes;
	uint8_t out[TRANSPORT_BATCH][ROOM];
	struct {
		uint8_t data[ROOM];
		uint16_t len;
		uint32_t endpoint;
	} queue[QUEUE];
	unsigned first, count;
};

static uint8_t *put(struct server *s, uint32_t endpoint)
{
	unsigned at = (s->first + s->count++) % QUEUE;

	cr_assert_leq(s->count, QUEUE);
	s->queue[at].endpoint = endpoint;
	s->queue[at].len = 0;
	return s->queue[at].data;
}

static void put_done(struct server *s, const struct coap_writer *w)
{
	s->queue[(s->first + s->count - 1) % QUEUE].len = (uint16_t)coap_writer_len(w);
}

static void put_empty(struct server *s, uint32_t endpoint, enum coap_type type, uint16_t mid)
{
	struct coap_writer w;

	coap_writer_init(&w, put(s, endpoint), ROOM);
	coap_write_header(&w, type, COAP_EMPTY, mid, NULL, 0);
	put_done(s, &w);
}

static void put_answer(struct server *s, uint32_t endpoint, enum coap_type type, uint16_t mid,
	const struct coap_msg *request, const struct load_device *d, uint64_t piv, uint8_t code,
	bool own_piv)
{
	struct osc_option own = {.piv = 77, .piv_len = own_piv};
	uint8_t plaintext[64], ciphertext[96], aad[OSC_AAD_ROOM], option[16];
	struct coap_writer w;
	struct aead_op op;
	size_t len;

	coap_writer_init(&w, plaintext, sizeof(plaintext));
	coap_write_code(&w, code);
	if (code == COAP_UNAUTHORIZED)
		coap_write_option(&w, COAP_OPT_ECHO, "fresh", 5);
	coap_write_payload(&w, "x", 1);
	len = coap_writer_len(&w);
	osc_op_prepare(&op, aad, d->alg, d->recipient_key, d->common_iv, d->kid, d->kid_len, piv,
		own_piv ? d->gateway_id : d->kid, own_piv ? d->gateway_id_len : d->kid_len,
		own_piv ? own.piv : piv, plaintext, ciphertext, (uint16_t)len);
	cr_assert_eq(aead_seal_batch(s->engine, d->alg, &op, 1), 1);
	int option_len = osc_option_encode(&own, option, sizeof(option));

	coap_writer_init(&w, put(s, endpoint), ROOM);
	coap_write_header(&w, type, COAP_CHANGED, mid, request->token, request->token_len);
	coap_write_option(&w, COAP_OPT_OSCORE, option, (size_t)option_len);
	coap_write_payload(&w, ciphertext, len + aead_algs[d->alg].tag_len);
	put_done(s, &w);
}

// Opens a request. Returns whether it has an Echo.
static bool open_request(
	struct server *s, const struct load_device *d, uint64_t piv, const struct coap_msg *msg)
{
	uint8_t plaintext[ROOM], aad[OSC_AAD_ROOM];
	int len = osc_plaintext_len(d->alg, msg->body.payload_len);
	struct coap_option echo;
	struct coap_body body;
	struct aead_op op;

	cr_assert_gt(len, 0);
	osc_op_prepare(&op, aad, d->alg, d->sender_key, d->common_iv, d->kid, d->kid_len, piv,
		d->kid, d->kid_len, piv, msg->body.payload, plaintext, (uint16_t)len);
	cr_assert_eq(aead_open_batch(s->engine, d->alg, &op, 1), 1, "a request does not verify");
	cr_assert_eq(plaintext[0], COAP_POST);
	cr_assert_eq(coap_body_parse(&body, plaintext + 1, (size_t)len - 1), COAP_OK);
	cr_assert_eq(body.payload_len, 5);
	return coap_option_find(&body, COAP_OPT_ECHO, &echo);
}

static void take_request(struct server *s, const struct datagram *datagram)
{
	struct load_device *d = NULL;
	struct osc_option option;
	struct coap_msg msg;
	uint8_t *plain;
	struct coap_writer w;

	cr_assert_eq(coap_msg_parse(&msg, datagram->data, datagram->len), COAP_OK);
	if (msg.code == COAP_EMPTY) {
		cr_assert_eq(msg.type, COAP_ACK);
		cr_assert_eq(msg.mid, 0x1234);
		s->acks++;
		return;
	}
	cr_assert_eq(osc_option_parse(&option, msg.body.oscore, msg.body.oscore_len), 0);
	for (unsigned i = 0; i < DEVICES; i++) {
		struct load_device *one = &s->devices->device[i];

		if (one->kid_len != option.kid_len || memcmp(one->kid, option.kid, option.kid_len))
			continue;
		d = one;
		cr_assert_lt(option.piv, PIVS_MAX);
		cr_assert_not(s->seen[i][option.piv], "a Partial IV comes twice");
		s->seen[i][option.piv] = true;
		cr_assert_eq(datagram->endpoint, transport_endpoint(&s->t, i));
	}
	cr_assert_not_null(d);
	bool echo = open_request(s, d, option.piv, &msg);
	enum deed deed = s->deed(s->requests++);
	uint32_t e = datagram->endpoint;

	switch (deed) {
	case DEED_NOTHING:
		break;
	case DEED_PLAIN:
		plain = put(s, e);
		coap_writer_init(&w, plain, ROOM);
		coap_write_header(
			&w, COAP_ACK, COAP_UNAUTHORIZED, msg.mid, msg.token, msg.token_len);
		put_done(s, &w);
		break;
	case DEED_SEPARATE:
		put_empty(s, e, COAP_ACK, msg.mid);
		put_answer(s, e, COAP_CON, 0x1234, &msg, d, option.piv, COAP_CONTENT, false);
		break;
	case DEED_RESET:
		put_empty(s, e, COAP_RST, msg.mid);
		break;
	case DEED_GARBAGE:
		coap_writer_init(&w, put(s, e), ROOM);
		coap_write_header(&w, COAP_ACK, COAP_CONTENT, msg.mid, msg.token, msg.token_len);
		coap_write_payload(&w, "x", 1);
		put_done(s, &w);
		s->queue[(s->first + s->count - 1) % QUEUE].data[0] |= 15; // length of the token
		break;
	case DEED_CHALLENGE:
		s->challenged += !echo;
		put_answer(s, e, COAP_ACK, msg.mid, &msg, d, option.piv,
			echo ? COAP_CHANGED : COAP_UNAUTHORIZED, !echo);
		break;
	default:
		put_answer(s, deed == DEED_WRONG_ENDPOINT ? !e : e, COAP_ACK,
			msg.mid + (deed == DEED_WRONG_MID), &msg, d, option.piv, COAP_CHANGED,
			deed == DEED_OWN_PIV);
		if (deed == DEED_BAD_TAG)
			s->queue[(s->first + s->count - 1) % QUEUE]
				.data[s->queue[(s->first + s->count - 1) % QUEUE].len - 1] ^= 1;
		if (deed == DEED_TWICE)
			put_answer(
				s, e, COAP_ACK, msg.mid, &msg, d, option.piv, COAP_CHANGED, false);
		break;
	}
}

// A packet of nobody: nothing that a server would take, unless it came before.
static void take_hostile(struct server *s, const struct datagram *datagram)
{
	const struct load_device *d = NULL;
	struct osc_option option;
	struct coap_msg msg;
	uint64_t at;

	s->hostile_bytes += datagram->len;
	if (coap_msg_parse(&msg, datagram->data, datagram->len) != COAP_OK ||
		msg.code == COAP_EMPTY || COAP_CODE_CLASS(msg.code) != 0 ||
		msg.body.oscore_count != 1 ||
		osc_option_parse(&option, msg.body.oscore, msg.body.oscore_len) ||
		msg.body.payload_len < 8) {
		s->hostile[HOSTILE_MALFORMED]++;
		put_empty(s, datagram->endpoint, COAP_RST, 0);
		s->reset_bytes += COAP_EMPTY_LEN;
		return;
	}
	cr_assert_gt(msg.body.payload_len, 8);
	for (at = 0; at < DEVICES; at++) {
		d = &s->devices->device[at];
		if (d->kid_len == option.kid_len && !memcmp(d->kid, option.kid, option.kid_len))
			break;
	}
	if (at == DEVICES) {
		s->hostile[HOSTILE_UNKNOWN_KID]++;
	} else if (option.piv < PIVS_MAX && s->seen[at][option.piv]) {
		open_request(s, d, option.piv, &msg);
		s->hostile[HOSTILE_REPLAY]++;
	} else {
		uint8_t plaintext[ROOM], aad[OSC_AAD_ROOM];
		struct aead_op op;

		osc_op_prepare(&op, aad, d->alg, d->sender_key, d->common_iv, d->kid, d->kid_len,
			option.piv, d->kid, d->kid_len, option.piv, msg.body.payload, plaintext,
			msg.body.payload_len - aead_algs[d->alg].tag_len);
		cr_assert_eq(
			aead_open_batch(s->engine, d->alg, &op, 1), 0, "a forgery must not verify");
		s->hostile[HOSTILE_BAD_TAG]++;
	}
}

static bool is_deaf(struct server *s)
{
	uint64_t now = clock_ns();

	if (!s->first_ns)
		s->first_ns = now;
	now -= s->first_ns;
	return now >= s->deaf_from_ns && now < s->deaf_until_ns;
}

static unsigned server_buffers(struct transport *t, struct datagram *datagrams, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		datagrams[i].data = ((struct server *)t)->out[i];
	return n;
}

static unsigned server_send(struct transport *t, struct datagram *datagrams, unsigned n)
{
	struct server *s = (struct server *)t;

	if (is_deaf(s))
		return 0;
	// Some, as a full queue takes.
	n = n > 3 ? 3 : n;
	for (unsigned i = 0; i < n; i++) {
		if (datagrams[i].endpoint < t->endpoints - t->hostile)
			take_request(s, &datagrams[i]);
		else
			take_hostile(s, &datagrams[i]);
	}
	return n;
}

static unsigned server_receive(struct transport *t, struct datagram *datagrams, unsigned n)
{
	static uint8_t in[TRANSPORT_BATCH][ROOM];
	struct server *s = (struct server *)t;
	unsigned count = 0;

	while (count < n && s->count) {
		memcpy(in[count], s->queue[s->first].data, ROOM);
		datagrams[count] = (struct datagram){.data = in[count],
			.len = s->queue[s->first].len,
			.endpoint = s->queue[s->first].endpoint};
		s->first = (s->first + 1) % QUEUE;
		s->count--;
		count++;
	}
	return count;
}

static const struct transport_ops server_ops = {
	.buffers = server_buffers, .send = server_send, .receive = server_receive};

static char folder[] = "/tmp/test_load_run.XXXXXX";
static char path[sizeof(folder) + 16];
static struct load_devices devices;
static struct piv_supply supply;
static struct request_form form;
static struct option_list no_options;
static struct server server;
static struct run run;

static void bed_make(void)
{
	static const uint8_t payload[] = "hello";
	struct failure f;
	bool started;

	cr_assert(sodium_init() >= 0);
	cr_assert_not_null(mkdtemp(folder));
	snprintf(path, sizeof(path), "%s/keys", folder);
	cr_assert_eq(devices_make(path, DEVICES, 0, AEAD_AES_CCM_16_64_128, &f), 0);
	cr_assert_eq(devices_read(&devices, path, 0, &f), 0);
	cr_assert_eq(piv_supply_open(&supply, path, DEVICES, &started, &f), 0);
	form = (struct request_form){.type = COAP_CON,
		.code = COAP_POST,
		.options = &no_options,
		.payload = payload,
		.payload_len = 5};
	cr_assert_eq(request_form_make(&form, &devices, ROOM, &f), 0);
	server.t = (struct transport){
		.ops = &server_ops, .endpoints = 2, .stride = 1, .len_max = ROOM};
	server.devices = &devices;
	server.engine = aead_engine_create(NULL);
	run = (struct run){
		.conf = {.window = 8,
			.requests = 64,
			.duration_ns = 60 * SECOND_NS,
			.timeout_ns = SECOND_NS,
			.verify = 1},
		.devices = &devices,
		.form = &form,
		.transport = &server.t,
		.supply = &supply,
	};
}

static void bed_run(enum deed (*deed)(uint64_t number))
{
	struct failure f;

	server.deed = deed;
	cr_assert_eq(run_prepare(&run, &f), 0);
	run_go(&run);
	cr_assert_null(run.problem);
}

static void bed_free(void)
{
	char lock[sizeof(path) + 16];
	struct failure f;

	run_free(&run);
	request_form_free(&form);
	devices_free(&devices);
	aead_engine_free(server.engine);
	cr_assert_eq(piv_supply_close(&supply, &f), 0);
	unlink(path);
	snprintf(lock, sizeof(lock), "%s.seq", path);
	unlink(lock);
	snprintf(lock, sizeof(lock), "%s.seq.lock", path);
	unlink(lock);
	rmdir(folder);
}

// Every second request is treated well, the others in one way each.
static enum deed each_deed(uint64_t number)
{
	return number < 4 || number % 2 || number / 2 >= DEED_COUNT ? DEED_ANSWER
								    : (enum deed)(number / 2);
}

Test(load_run, every_deed_of_a_server_has_its_count, .init = bed_make, .fini = bed_free)
{
	const struct run_counts *c = &run.counts;

	// DEED_ANSWER and DEED_NOTHING are those before number 4.
	bed_run(each_deed);
	cr_expect_eq(c->sent, 64);
	// Nobody answers these: bad tag, wrong message id, reset, garbage, wrong endpoint. What is
	// not protected is no answer either, but nothing is waited for.
	cr_expect_eq(c->lost, 5);
	cr_expect_eq(c->unprotected, 1);
	cr_expect_eq(c->plain_code[COAP_UNAUTHORIZED], 1);
	cr_expect_eq(c->answered, 64 - 5 - 1);
	cr_expect_eq(c->opened, c->answered);
	cr_expect_eq(c->failed, 1);
	cr_expect_eq(c->mismatched, 2);
	cr_expect_eq(c->unmatched, 1);
	cr_expect_eq(c->resets, 1);
	cr_expect_eq(c->malformed, 1);
	cr_expect_eq(c->acknowledged, 1);
	cr_expect_eq(c->separate, 1);
	cr_expect_eq(server.acks, 1, "a confirmable answer is acknowledged");
	cr_expect_eq(c->challenges, 1);
	cr_expect_eq(c->code[COAP_UNAUTHORIZED], 1);
	cr_expect_eq(c->code[COAP_CONTENT], 1);
	cr_expect_eq(c->code[COAP_CHANGED], c->answered - 2);
	cr_expect_eq(run.latency.count, c->answered);
}

static enum deed challenges(uint64_t number)
{
	return DEED_CHALLENGE;
}

Test(load_run, a_challenge_is_answered_by_the_next_request, .init = bed_make, .fini = bed_free)
{
	// A sample of none: the answers of a device that is not known are opened all the same.
	run.conf.verify = UINT32_MAX;
	run.conf.window = DEVICES;
	bed_run(challenges);
	// This server asks each time that there is no Echo, which is every other time.
	cr_expect_eq(run.counts.answered, 64);
	cr_expect_eq(run.counts.challenges, 32);
	cr_expect_eq(server.challenged, 32);
}

static enum deed answers(uint64_t number)
{
	return DEED_ANSWER;
}

static enum deed own_piv_later(uint64_t number)
{
	return number < 40 ? DEED_ANSWER : DEED_OWN_PIV;
}

Test(load_run, a_sample_is_one_of_so_many, .init = bed_make, .fini = bed_free)
{
	run.conf.verify = 16;
	run.conf.window = 1;
	bed_run(answers);
	cr_expect_eq(run.counts.answered, 64);
	// The first of each device beside the sample.
	cr_expect(run.counts.opened >= 4 && run.counts.opened <= 4 + 4, "%lu", run.counts.opened);
}

Test(load_run, what_may_be_a_challenge_is_opened, .init = bed_make, .fini = bed_free)
{
	run.conf.verify = 64;
	run.conf.window = 1;
	bed_run(own_piv_later);
	// Answers get Partial IVs of their own: the first such one of each device.
	cr_expect(run.counts.opened >= 8 && run.counts.opened <= 9, "%lu", run.counts.opened);
}

// No coordinated omission: a server that stops for 300 ms kept those waiting that were due.
Test(load_run, latency_counts_from_when_a_request_was_due, .init = bed_make, .fini = bed_free)
{
	run.conf.rate = 1000;
	run.conf.requests = 1000;
	run.conf.window = 200;
	run.conf.timeout_ns = 30 * SECOND_NS;
	server.deaf_from_ns = 300000000;
	server.deaf_until_ns = 600000000;
	bed_run(answers);
	cr_expect_eq(run.counts.lost, 0);
	cr_expect_eq(run.counts.sent + run.counts.unsent, 1000);
	cr_expect_geq(run.latency.max, 250000000);
	// 300 of 1 000 waited between 0 and 300 ms.
	cr_expect_geq(histogram_percentile(&run.latency, 90), 150000000);
}

Test(load_run, the_warm_up_is_not_counted, .init = bed_make, .fini = bed_free)
{
	run.conf.rate = 1000;
	run.conf.requests = 0;
	run.conf.window = 2000;
	run.conf.warm_up_ns = SECOND_NS / 5;
	run.conf.duration_ns = SECOND_NS / 10;
	bed_run(answers);
	cr_expect(server.requests + run.counts.unsent >= 299, "%lu", server.requests);
	cr_expect(run.counts.sent <= 101, "%lu", run.counts.sent);
	cr_expect_eq(run.latency.count, run.counts.answered);
}

// Nine of ten packets are hostile, of each kind; none of them verifies that has not been answered
// before; and what comes back to them is counted, and is no answer.
Test(load_run, hostile_packets_come_beside_the_requests, .init = bed_make, .fini = bed_free)
{
	static struct hostile hostile;
	uint64_t sum = 0;

	server.t.endpoints = 2 + HOSTILE_ENDPOINTS;
	server.t.hostile = HOSTILE_ENDPOINTS;
	cr_assert_eq(hostile_create(&hostile, 90, &devices, &form, ROOM), 0);
	run.hostile = &hostile;
	run.conf.requests = 400;
	run.conf.window = 1; // so that each is answered before the next comes
	bed_run(answers);
	cr_expect_eq(run.counts.sent, 400);
	cr_expect_eq(run.counts.answered, 400);
	cr_expect_eq(run.counts.unmatched + run.counts.malformed + run.counts.resets, 0);
	for (unsigned i = 0; i < HOSTILE_KINDS; i++) {
		cr_expect_gt(server.hostile[i], 300, "kind %u", i);
		sum += hostile.counts.sent[i];
		cr_expect(i != HOSTILE_REPLAY || server.hostile[i] == hostile.counts.sent[i],
			"what is called a replay is one");
		cr_expect(i != HOSTILE_BAD_TAG || server.hostile[i] == hostile.counts.sent[i]);
	}
	cr_expect_eq(sum, 399 * 9);
	cr_expect_eq(hostile.counts.bytes_sent, server.hostile_bytes);
	cr_expect(hostile.counts.bytes_received > 0 &&
			hostile.counts.bytes_received <= server.reset_bytes,
		"what the last of them were answered may not be waited for");
	hostile_free(&hostile);
}

// A capture file has frames that a gateway takes, checksums and all, and no number twice.
Test(load_run, captures_have_good_frames, .init = bed_make, .fini = bed_free)
{
	struct sources sources = {.ports = 2, .port_first = 4000, .endpoints = 3};
	struct dp_port_addresses port = {.coap_port = htons(5683),
		.mac = {2, 0, 0, 0, 0, 1},
		.count = 1,
		.address = {{.family = 6}}};
	struct pcap_conf conf = {.path = folder,
		.requests = 150,
		.sources = &sources,
		.port = 5683,
		.source_mac = {2, 0, 0, 0, 0, 2},
		.server_mac = {2, 0, 0, 0, 0, 1}};
	char file_path[sizeof(folder) + 16];
	uint8_t head[24], record[16], frame[2048];
	struct failure f;
	unsigned count = 0;

	cr_assert_eq(sources_parse_addresses(&sources, "2001:db8::2-2001:db8::3", &f), 0);
	cr_assert_eq(inet_pton(AF_INET6, "2001:db8::1", conf.server), 1);
	memcpy(port.address[0].addr, conf.server, 16);
	cr_expect_lt(pcap_write(&conf, &form, &devices, &supply, &f), 0, "that is a folder");
	snprintf(file_path, sizeof(file_path), "%s/pcap", folder);
	conf.path = file_path;
	cr_assert_eq(pcap_write(&conf, &form, &devices, &supply, &f), 0, "%s", f.text);
	FILE *file = fopen(file_path, "r");
	cr_assert_not_null(file);
	cr_assert_eq(fread(head, sizeof(head), 1, file), 1);
	server.deed = answers;
	while (fread(record, sizeof(record), 1, file) == 1) {
		struct rte_mbuf m = {.buf_addr = frame, .buf_len = sizeof(frame), .nb_segs = 1};
		struct dp_frame_info info;
		enum dp_stat drop;
		uint32_t len;

		memcpy(&len, record + 8, sizeof(len));
		cr_assert_leq(len, sizeof(frame));
		cr_assert_eq(fread(frame, len, 1, file), 1);
		m.data_len = (uint16_t)len;
		m.pkt_len = len;
		cr_assert_eq(dp_frame_classify(&m, &port, &info, &drop), DP_FRAME_COAP);
		// The server looks for Partial IVs that come twice.
		server.t.endpoints = 1;
		take_request(&server,
			&(struct datagram){.data = frame + info.coap_off, .len = info.coap_len});
		server.count = 0;
		count++;
	}
	cr_expect_eq(count, 150);
	fclose(file);
	unlink(file_path);
	// What bed_free() takes along.
	cr_assert_eq(run_prepare(&run, &f), 0);
}

Test(load_run, ranges_of_sources_are_counted_through)
{
	static const char *const bad[] = {"", "192.0.2", "192.0.2.9-192.0.2.8", "192.0.2.1-",
		"192.0.2.1-2001:db8::1", "10.0.0.0-10.1.0.0", "2001:db8::1-2001:db9::1"};
	static const char *const bad_ports[] = {"", "0", "1-", "2-1", "1-65536", "x"};
	struct sources sources = {0};
	struct dp_flow flow;
	uint32_t endpoint;
	struct failure f;

	for (unsigned i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		cr_expect_eq(sources_parse_addresses(&sources, bad[i], &f), -EINVAL, "%s", bad[i]);
	for (unsigned i = 0; i < sizeof(bad_ports) / sizeof(bad_ports[0]); i++)
		cr_expect_eq(sources_parse_ports(&sources, bad_ports[i], &f), -EINVAL, "%s",
			bad_ports[i]);
	cr_assert_eq(sources_parse_addresses(&sources, "192.0.2.254-192.0.3.1", &f), 0);
	cr_assert_eq(sources_parse_ports(&sources, "1000-1009", &f), 0);
	cr_expect_eq(sources.addresses, 4);
	cr_expect_eq(sources.ports, 10);
	sources.endpoints = 35;
	for (uint32_t i = 0; i < 40; i++) {
		sources_flow(&sources, i, &flow);
		cr_expect_eq(
			sources_endpoint(&sources, flow.local_addr, flow.local_port, &endpoint),
			i < 35);
		cr_expect(i >= 35 || endpoint == i);
	}
	cr_expect_eq(flow.local_port, htons(1009));
	cr_expect_arr_eq(flow.local_addr, "\xc0\x00\x03\x01\0\0\0\0", 8);
	cr_expect_not(sources_endpoint(&sources, flow.local_addr, htons(1010), &endpoint));
	cr_assert_eq(sources_parse_addresses(&sources, "2001:db8::ffff-2001:db8::1:0", &f), 0);
	sources_flow(&sources, 10, &flow);
	cr_expect_arr_eq(flow.local_addr, "\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\x01\0\0", 16);
}

// Two of them that ask each other.
Test(load_run, neighbours_find_each_other)
{
	static const char *const addresses[][2] = {
		{"192.0.2.1", "192.0.2.2-192.0.2.3"}, {"2001:db8::1", "2001:db8::2-2001:db8::3"}};

	for (unsigned i = 0; i < 2; i++) {
		struct sources gateway = {.ports = 1}, fleet = {.ports = 1};
		uint8_t question[NEIGHBOUR_FRAME_MAX], answer[NEIGHBOUR_FRAME_MAX];
		struct neighbour a = {.sources = &gateway, .mac = {2, 0, 0, 0, 0, 1}};
		struct neighbour b = {.sources = &fleet, .mac = {2, 0, 0, 0, 0, 2}};
		struct failure f;
		uint16_t len;

		cr_assert_eq(sources_parse_addresses(&gateway, addresses[i][0], &f), 0);
		cr_assert_eq(sources_parse_addresses(&fleet, addresses[i][1], &f), 0);
		memcpy(b.server, gateway.first, 16);
		len = neighbour_ask(&b, question);
		// The MAC in the option at the end is that of the frame.
		for (uint16_t cut = 0; cut < 42; cut++)
			cr_assert_eq(neighbour_take(&a, question, cut, answer), 0, "%u of %u bytes",
				cut, len);
		len = neighbour_take(&a, question, len, answer);
		cr_assert_gt(len, 0);
		cr_expect_arr_eq(answer, b.mac, 6);
		cr_expect_eq(neighbour_take(&b, answer, len, question), 0);
		cr_expect(b.known);
		cr_expect_arr_eq(b.server_mac, a.mac, 6);
		// Of an address that nobody has here.
		a.sources = &fleet;
		len = neighbour_ask(&b, question);
		cr_expect_eq(neighbour_take(&a, question, len, answer), 0);
	}
}
