// SPDX-License-Identifier: BSD-3-Clause
// What postern-load counts as what, against a server that treats requests well or badly; and
// the frames around its messages.

#include "bench/load/neighbour.h"
#include "bench/load/pcap.h"
#include "bench/load/run.h"
#include "bench/load/sources.h"
#include "tests/unit/bench/load_server.h"

#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <errno.h>
#include <sodium.h>
#include <stdlib.h>
#include <unistd.h>

#define SECOND_NS 1000000000ull

static char folder[] = "/tmp/test_load_run.XXXXXX";
static char path[sizeof(folder) + 16];
static struct load_devices devices;
static struct piv_supply supply;
static struct request_form form;
static struct option_list no_options;
static struct load_server server;
static struct load_run run;

static void bed_make(void)
{
	static const uint8_t payload[] = "hello";
	struct error f;
	bool started;

	cr_assert(sodium_init() >= 0);
	cr_assert_not_null(mkdtemp(folder));
	snprintf(path, sizeof(path), "%s/keys", folder);
	cr_assert_eq(devices_make(path, LOAD_SERVER_DEVICES, 0, AEAD_AES_CCM_16_64_128, &f), 0);
	cr_assert_eq(devices_read(&devices, path, 0, &f), 0);
	cr_assert_eq(piv_supply_open(&supply, path, LOAD_SERVER_DEVICES, &started, &f), 0);
	form = (struct request_form){.type = COAP_CON,
		.code = COAP_POST,
		.options = &no_options,
		.payload = payload,
		.payload_len = 5};
	cr_assert_eq(request_form_make(&form, &devices, LOAD_SERVER_ROOM, &f), 0);
	load_server_init(&server, &devices);
	run = (struct load_run){
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

static void bed_run(enum load_deed (*deed)(uint64_t number))
{
	struct error f;

	server.deed = deed;
	cr_assert_eq(load_run_prepare(&run, &f), 0);
	load_run_go(&run);
	cr_assert_null(run.problem);
}

static void bed_free(void)
{
	char lock[sizeof(path) + 16];
	struct error f;

	load_run_free(&run);
	request_form_free(&form);
	devices_free(&devices);
	load_server_free(&server);
	cr_assert_eq(piv_supply_close(&supply, &f), 0);
	unlink(path);
	snprintf(lock, sizeof(lock), "%s.seq", path);
	unlink(lock);
	snprintf(lock, sizeof(lock), "%s.seq.lock", path);
	unlink(lock);
	rmdir(folder);
}

// Every second request is treated well, the others in one way each.
static enum load_deed each_deed(uint64_t number)
{
	return number < 4 || number % 2 || number / 2 >= LOAD_DEED_COUNT
		? LOAD_DEED_ANSWER
		: (enum load_deed)(number / 2);
}

Test(load_run, every_deed_of_a_server_has_its_count, .init = bed_make, .fini = bed_free)
{
	const struct load_run_counts *c = &run.counts;

	// LOAD_DEED_ANSWER and LOAD_DEED_NOTHING are those before number 4.
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

static enum load_deed challenges(uint64_t number)
{
	return LOAD_DEED_CHALLENGE;
}

Test(load_run, a_challenge_is_answered_by_the_next_request, .init = bed_make, .fini = bed_free)
{
	// A sample of none: the answers of a device that is not known are opened all the same.
	run.conf.verify = UINT32_MAX;
	run.conf.window = LOAD_SERVER_DEVICES;
	bed_run(challenges);
	// This server asks each time that there is no Echo, which is every other time.
	cr_expect_eq(run.counts.answered, 64);
	cr_expect_eq(run.counts.challenges, 32);
	cr_expect_eq(server.challenged, 32);
}

static enum load_deed answers(uint64_t number)
{
	return LOAD_DEED_ANSWER;
}

static enum load_deed own_piv_later(uint64_t number)
{
	return number < 40 ? LOAD_DEED_ANSWER : LOAD_DEED_OWN_PIV;
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
	cr_assert_eq(hostile_create(&hostile, 90, &devices, &form, LOAD_SERVER_ROOM), 0);
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
	struct error f;
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
		load_server_take_request(&server,
			&(struct datagram){.data = frame + info.coap_off, .len = info.coap_len});
		server.count = 0;
		count++;
	}
	cr_expect_eq(count, 150);
	fclose(file);
	unlink(file_path);
	// What bed_free() takes along.
	cr_assert_eq(load_run_prepare(&run, &f), 0);
}

Test(load_run, ranges_of_sources_are_counted_through)
{
	static const char *const bad[] = {"", "192.0.2", "192.0.2.9-192.0.2.8", "192.0.2.1-",
		"192.0.2.1-2001:db8::1", "10.0.0.0-10.1.0.0", "2001:db8::1-2001:db9::1"};
	static const char *const bad_ports[] = {"", "0", "1-", "2-1", "1-65536", "x"};
	struct sources sources = {0};
	struct dp_flow flow;
	uint32_t endpoint;
	struct error f;

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
		struct error f;
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
