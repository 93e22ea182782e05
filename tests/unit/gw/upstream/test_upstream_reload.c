// SPDX-License-Identifier: BSD-3-Clause
// A configuration takes the place of another while requests wait, are under way, are collected, or
// come in blocks: each is answered once, no server gets one twice, and what is known of servers and
// was counted stays.

#include "tests/unit/gw/http/ingest.h"
#include "tests/unit/gw/upstream/h2_bed.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char lines[1024];

static const char *one(const char *scheme, uint16_t port, const char *more)
{
	snprintf(lines, sizeof(lines), "servers: [\"%s://127.0.0.1:%u\"]%s%s", scheme, port,
		*more ? ", " : "", more);
	return lines;
}

static void push_held(struct bed *bed, unsigned count)
{
	for (unsigned i = 0; i < count; i++)
		bed_push(bed, "POST path=hold |x");
}

// Nothing of what was before is left once what was under way is answered.
static void expect_held(struct bed *bed, unsigned count, const char *start)
{
	cr_expect_eq(bed_answers_like(bed, count, start), count);
	bed_settle(bed);
}

// ---- servers

// What waited goes to the new server, and what is under way at the old one is answered by it.
Test(upstream_reload, http_to_https_and_back)
{
	struct peer_pki pki = peer_pki_make();
	struct server *plain = bed_server("plain");
	struct server *tls = server_start(
		&(struct server_config){.name = "tls", .cert = pki.cert, .key = pki.key});
	struct bed *bed = bed_for(plain, "max_inflight: 4, queue: 30s");

	push_held(bed, 6);
	server_wait_requests(plain, 4);
	bed_reload(bed,
		one("https", server_port(tls), "max_inflight: 6, queue: 30s, tls: {verify: no}"));
	server_wait_requests(tls, 2);
	server_release(plain);
	cr_expect_eq(bed_answers_like(bed, 4, "2.04"), 4);
	cr_expect_not(bed_is_settled(bed));
	server_release(tls);
	expect_held(bed, 2, "2.04");
	EXPECT_ANSWER(bed_ask(bed, "GET path=ok"), "2.05 cf=0 max-age=0 |tls");
	bed_reload(bed, one("http", server_port(plain), "max_inflight: 4"));
	EXPECT_ANSWER(bed_ask(bed, "GET path=ok"), "2.05 cf=0 max-age=0 |plain");
	bed_settle(bed);
	cr_expect_eq(server_requests(plain), 5);
	cr_expect_eq(server_requests(tls), 3);
	cr_expect_eq(bed_stat(bed, UP_STAT_requests), 8);
	cr_expect_eq(bed_stat(bed, UP_STAT_attempts), 8);
	bed_end(bed);
	server_stop(plain);
	server_stop(tls);
	peer_pki_remove(&pki);
}

static void file_copy(const char *from, const char *to)
{
	char command[512];

	snprintf(command, sizeof(command), "cp %s %s", from, to);
	cr_assert_eq(system(command), 0);
}

// A connection for which the authority of before vouched is used no more, but what is under way on
// it is answered.
static void authority(struct bed *bed, const char *text, const char *ca, const struct peer_pki *pki,
	const struct peer_pki *other)
{
	bed_expect_start(bed_ask(bed, "GET path=ok"), "2.05");
	bed_reload(bed, text); // the same
	bed_expect_start(bed_ask(bed, "GET path=ok"), "2.05");
	bed_settle(bed);
	bed_push(bed, "POST path=hold |x");
	bed_wait_stat(bed, UP_STAT_attempts, 3);
	file_copy(other->cert, ca);
	bed_reload(bed, text);
	for (unsigned i = 0; i < 3; i++)
		EXPECT_ANSWER(bed_ask(bed, "GET path=ok"), "5.02 max-age=0 |backend not trusted");
	cr_expect_not(bed_is_settled(bed));
	file_copy(pki->cert, ca);
}

Test(upstream_reload, another_authority_under_the_same_name)
{
	struct peer_pki pki = peer_pki_make(), other = peer_pki_make();
	struct server *server = server_start(
		&(struct server_config){.name = "tls", .cert = pki.cert, .key = pki.key});
	char ca[96], more[256];

	snprintf(ca, sizeof(ca), "%s/ca.pem", pki.dir);
	file_copy(pki.cert, ca);
	snprintf(more, sizeof(more), "tls: {ca: %s, server_name: postern.test}", ca);
	const char *text = one("https", server_port(server), more);
	struct bed *bed = bed_make(text);
	authority(bed, text, ca, &pki, &other);
	server_wait_requests(server, 3);
	cr_expect_not(bed_is_settled(bed));
	server_release(server);
	expect_held(bed, 1, "2.04");
	bed_reload(bed, text);
	EXPECT_ANSWER(bed_ask(bed, "GET path=ok"), "2.05 cf=0 max-age=0 |tls");
	bed_settle(bed);
	cr_expect_eq(server_requests(server), 4);
	bed_end(bed);
	server_stop(server);
	unlink(ca);
	peer_pki_remove(&pki);
	peer_pki_remove(&other);
}

Test(upstream_reload, another_authority_of_http2)
{
	struct peer_pki pki = peer_pki_make(), other = peer_pki_make();
	struct h2_server *server = h2_server_start(
		&(struct h2_server_config){.name = "tls", .cert = pki.cert, .key = pki.key});
	char ca[96], more[256];

	snprintf(ca, sizeof(ca), "%s/ca.pem", pki.dir);
	file_copy(pki.cert, ca);
	snprintf(more, sizeof(more), "tls: {ca: %s, server_name: postern.test}", ca);
	const char *text = one("h2", h2_server_port(server), more);
	struct bed *bed = bed_make(text);
	authority(bed, text, ca, &pki, &other);
	h2_server_wait_requests(server, 3);
	h2_server_release(server);
	expect_held(bed, 1, "2.04");
	bed_reload(bed, text);
	bed_expect_start(bed_ask(bed, "GET path=ok"), "2.05");
	bed_settle(bed);
	cr_expect_eq(h2_server_requests(server), 4);
	bed_end(bed);
	h2_server_stop(server);
	unlink(ca);
	peer_pki_remove(&pki);
	peer_pki_remove(&other);
}

// Both engines have requests at the same time.
Test(upstream_reload, http1_to_http2_and_back)
{
	struct server *old = bed_server("h1");
	struct h2_server *new = h2_bed_server("h2");
	struct bed *bed = bed_for(old, "max_inflight: 2, queue: 30s");

	push_held(bed, 3);
	server_wait_requests(old, 2);
	bed_reload(bed, one("h2c", h2_server_port(new), "max_inflight: 8, queue: 30s"));
	push_held(bed, 2);
	h2_server_wait_requests(new, 3);
	server_release(old);
	cr_expect_eq(bed_answers_like(bed, 2, "2.04"), 2);
	cr_expect_not(bed_is_settled(bed)); // the one that waited is at the new server
	h2_server_release(new);
	expect_held(bed, 3, "2.04");
	bed_expect_start(bed_ask(bed, "GET path=ok"), "2.05");
	bed_reload(bed, one("http", server_port(old), ""));
	EXPECT_ANSWER(bed_ask(bed, "GET path=ok"), "2.05 cf=0 max-age=0 |h1");
	bed_settle(bed);
	cr_expect_eq(server_requests(old), 3);
	cr_expect_eq(h2_server_requests(new), 4);
	h2_server_wait_left(new, 1); // it is told, and reads it when its thread runs
	cr_expect_eq(h2_server_left(new), 1);
	bed_end(bed);
	server_stop(old);
	h2_server_stop(new);
}

// An upstream goes with requests waiting and under way; one of its name that comes later counts on.
Test(upstream_reload, an_upstream_goes_and_comes_back)
{
	struct server *stays = bed_server("stays"), *goes = bed_server("goes");
	char text[512];

	snprintf(text, sizeof(text),
		"servers: [\"http://127.0.0.1:%u\"]}, other: {servers: [\"http://127.0.0.1:%u\"], "
		"max_inflight: 2, queue: 30s, check: {path: /healthz, interval: 100ms}",
		server_port(stays), server_port(goes));
	bed_routes = "- {path: /b0/*, to: other, strip: 1}\n";
	struct bed *bed = bed_make(text);
	const struct up_slot *slot = up_slot_find(bed->slots, "other");
	const struct up_server_slot *server = slot->servers;

	for (unsigned i = 0; i < 4; i++)
		bed_push(bed, "POST path=b0 path=hold |x");
	server_wait_requests(goes, 2);
	bed_routes = "";
	bed_reload(bed, one("http", server_port(stays), ""));
	EXPECT_ANSWER(bed_ask(bed, "GET path=ok"), "2.05 cf=0 max-age=0 |stays");
	cr_expect_not(bed_is_settled(bed));
	server_release(goes);
	expect_held(bed, 4, "2.04");
	cr_expect_eq(up_slot_stat(slot, UP_STAT_returned), 4);
	cr_expect_eq(up_slots_gone(bed->slots, UP_STAT_returned), 4);
	bed_routes = "- {path: /b0/*, to: other, strip: 1}\n";
	bed_reload(bed, text);
	bed_expect_start(bed_ask(bed, "POST path=b0 path=ok |x"), "2.04");
	bed_settle(bed);
	cr_expect_eq(up_slot_find(bed->slots, "other"), slot);
	cr_expect_eq(up_server_slot_find(slot, server->url), server);
	cr_expect_eq(up_slot_stat(slot, UP_STAT_returned), 5);
	cr_expect_eq(up_slots_gone(bed->slots, UP_STAT_returned), 4);
	cr_expect_eq(server_requests(goes), 5);
	bed_routes = "";
	bed_end(bed);
	server_stop(stays);
	server_stop(goes);
}

static struct up_server_slot *server_of(struct bed *bed, const struct server *server)
{
	char url[64];

	snprintf(url, sizeof(url), "http://127.0.0.1:%u", server_port(server));
	return up_server_slot_find(up_loop_slot(bed->loop, 0), url);
}

static const char *three(struct server *const server[3], unsigned a, unsigned b, unsigned c)
{
	snprintf(lines, sizeof(lines),
		"balance: hash, servers: [\"http://127.0.0.1:%u\", {url: \"http://127.0.0.1:%u\", "
		"weight: 1}, \"http://127.0.0.1:%u\"]",
		server_port(server[a]), server_port(server[b]), server_port(server[c]));
	return lines;
}

// What an operator said of a server holds in whatever place it stands, until it is gone.
Test(upstream_reload, orders_stay)
{
	struct server *server[] = {bed_server("0"), bed_server("1"), bed_server("2")};
	struct bed *bed = bed_make(three(server, 0, 1, 2));

	server_of(bed, server[0])->drain = true;
	server_of(bed, server[2])->maint = true;
	up_slot_touch(up_loop_slot(bed->loop, 0));
	up_loop_wake(bed->loop);
	bed_wait_up(bed, 1);
	bed_reload(bed, three(server, 2, 0, 1));
	for (bed->device = 1; bed->device < 20; bed->device++)
		EXPECT_ANSWER(bed_ask(bed, "GET path=ok"), "2.05 cf=0 max-age=0 |1");
	bed_settle(bed);
	cr_expect_eq(up_loop_servers_up(bed->loop, 0), 1);
	bed_reload(bed, one("http", server_port(server[1]), ""));
	bed_settle(bed);
	bed_reload(bed, three(server, 0, 1, 2));
	bed_settle(bed);
	cr_expect_eq(up_loop_servers_up(bed->loop, 0), 3);
	bed_end(bed);
	for (unsigned i = 0; i < 3; i++)
		server_stop(server[i]);
}

#define DEVICES 40

static void ask_all(struct bed *bed, char place[DEVICES])
{
	for (unsigned i = 0; i < DEVICES; i++) {
		bed->device = i + 1;
		const char *answer = bed_ask(bed, "GET path=ok");

		place[i] = answer[strlen(answer) - 1];
	}
}

// By the hash each device stays with its server, wherever that stands, and only those of one that
// is gone move.
Test(upstream_reload, devices_stay_with_their_server)
{
	struct server *server[] = {bed_server("0"), bed_server("1"), bed_server("2")};
	struct bed *bed = bed_make(three(server, 0, 1, 2));
	char before[DEVICES], after[DEVICES];
	unsigned moved = 0;

	ask_all(bed, before);
	bed_reload(bed, three(server, 2, 0, 1));
	ask_all(bed, after);
	bed_settle(bed);
	cr_expect_arr_eq(before, after, DEVICES);
	snprintf(lines, sizeof(lines),
		"balance: hash, servers: [\"http://127.0.0.1:%u\", \"http://127.0.0.1:%u\"]",
		server_port(server[2]), server_port(server[1]));
	bed_reload(bed, lines);
	ask_all(bed, after);
	bed_settle(bed);
	for (unsigned i = 0; i < DEVICES; i++) {
		cr_expect(before[i] == after[i] || before[i] == '0');
		cr_expect_neq(after[i], '0');
		moved += before[i] != after[i];
	}
	cr_expect_gt(moved, 0);
	bed_end(bed);
	for (unsigned i = 0; i < 3; i++)
		server_stop(server[i]);
}

// ---- requests

// More than a turn takes are in the ring when the last was pushed: all of them come before the old
// configuration is over.
Test(upstream_reload, the_ring_is_emptied_first)
{
	bed_exchanges = 512;

	struct server *server = bed_server("one");
	struct bed *bed = bed_for(server, "");

	for (unsigned round = 0; round < 20; round++) {
		bed_switch(bed, one("http", server_port(server), round % 2 ? "" : "queue: 3s"));
		bed->snapshot--;
		for (unsigned i = 0; i < 300; i++)
			bed_push_quietly(bed, "GET path=none", LONG_MS);
		bed_last_pushed(bed);
		bed->snapshot++;
		cr_expect_eq(bed_answers_like(bed, 300, "4.04"), 300);
		bed_settle(bed);
	}
	cr_expect_eq(server_requests(server), 0);
	bed_end(bed);
	server_stop(server);
}

// ---- batches

static const char *take_batch(
	struct ingest *ingest, const struct ingest_request *r, unsigned number)
{
	return INGEST_OK;
}

static void push_readings(struct bed *bed, unsigned first, unsigned count)
{
	for (unsigned i = first; i < first + count; i++) {
		bed->device = i;
		bed_push(bed, "POST path=b0 cf=50 |{\"v\":1}");
	}
}

// Records that wait are sent once nothing comes to them any more, whether their route stays or not.
Test(upstream_reload, records_wait)
{
	static const char batch[] =
		"- {path: /b0, to: up, timeout: 10s, batch: {path: /in, wait: 5s}}\n";
	struct ingest *ingest = ingest_start(take_batch, NULL);
	const char *text = one("http", ingest_port(ingest), "");

	bed_routes = ""; // batches come with a reload
	struct bed *bed = bed_make(text);
	bed_routes = batch;
	bed_reload(bed, text);
	bed_settle(bed);
	push_readings(bed, 1, 3);
	bed_wait_stat(bed, UP_STAT_batched, 3);
	bed_reload(bed, text);
	push_readings(bed, 4, 2);
	cr_expect_eq(bed_answers_like(bed, 3, "2.04"), 3);
	bed_settle(bed);
	cr_expect_eq(bed->out, 2);
	bed_routes = "";
	bed_reload(bed, text);
	cr_expect_eq(bed_answers_like(bed, 2, "2.04"), 2);
	bed_settle(bed);
	cr_expect_eq(ingest_count(ingest), 2);
	cr_expect_eq(ingest_get(ingest, 0)->records, 3);
	cr_expect_eq(ingest_get(ingest, 1)->records, 2);
	cr_expect_eq(bed_stat(bed, UP_STAT_batched), 5);
	bed_end(bed);
	ingest_stop(ingest);
}

static const char *hold_batch(
	struct ingest *ingest, const struct ingest_request *r, unsigned number)
{
	if (!number)
		ingest_hold(ingest);
	return INGEST_OK;
}

// A batch is under way, and another waits for its place, when their upstream goes over to another
// server.
Test(upstream_reload, batches_are_under_way)
{
	struct ingest *ingest = ingest_start(hold_batch, NULL);
	struct ingest *other = ingest_start(take_batch, NULL);

	bed_routes = "- {path: /b0, to: up, timeout: 10s, batch: {path: /in, max: 2, wait: 5s}}\n";
	struct bed *bed = bed_make(one("http", ingest_port(ingest), "max_inflight: 1, queue: 30s"));
	push_readings(bed, 1, 3);
	ingest_wait(ingest, 1);
	bed_wait_stat(bed, UP_STAT_batched, 3);
	bed_reload(bed, one("http", ingest_port(other), "max_inflight: 1, queue: 30s"));
	bed_wait_stat(bed, UP_STAT_waiting, 1);
	cr_expect_not(bed_is_settled(bed));
	ingest_release(ingest);
	cr_expect_eq(bed_answers_like(bed, 3, "2.04"), 3);
	bed_settle(bed);
	cr_expect_eq(ingest_count(ingest), 1);
	cr_expect_eq(ingest_get(ingest, 0)->records, 2);
	cr_expect_eq(ingest_count(other), 1);
	cr_expect_eq(ingest_get(other, 0)->records, 1);
	bed_end(bed);
	bed_routes = "";
	ingest_stop(ingest);
	ingest_stop(other);
}

// ---- bodies of many blocks

static void begin(struct bed *bed, const char *request)
{
	char line[256];

	snprintf(line, sizeof(line), "%s block1=08 |0123456789abcdef", request);
	EXPECT_ANSWER(bed_ask(bed, line), "2.31 block1=08");
}

static void end(struct bed *bed, const char *request)
{
	char line[256];

	snprintf(line, sizeof(line), "%s block1=10 |wxyz", request);
	bed_push(bed, line);
}

Test(upstream_reload, bodies_are_half_there)
{
	struct server *server = bed_server("one");
	const char *text = one("http", server_port(server), "");

	bed_routes = "- {path: /b0/*, to: up, strip: 1}\n";
	struct bed *bed = bed_make(text);
	begin(bed, "PUT path=echo");
	bed->device = 8;
	begin(bed, "PUT path=b0 path=echo");
	bed_routes = "";
	bed_reload(bed, text);
	bed_settle(bed);
	bed->device = 0;
	end(bed, "PUT path=echo");
	const char *answer = bed_pull(bed, NULL);
	bed_expect_start(answer, "2.04 ");
	bed_expect_part(answer, "0123456789abcdefwxyz");
	// Its route is gone: what came before is not taken for a part of what comes to another.
	bed->device = 8;
	end(bed, "PUT path=b0 path=echo");
	bed_expect_start(bed_pull(bed, NULL), "4.08");
	cr_expect_eq(server_requests(server), 1);
	bed_end(bed);
	server_stop(server);
}

// The whole body is at a server when its route goes, and a device asks again for the answer.
Test(upstream_reload, bodies_are_under_way)
{
	struct server *server = bed_server("one"), *other = bed_server("two");

	bed_routes = "- {path: /b0/*, to: up, strip: 1}\n";
	struct bed *bed = bed_make(one("http", server_port(server), ""));
	begin(bed, "PUT path=hold");
	end(bed, "PUT path=hold");
	bed->device = 8;
	begin(bed, "PUT path=b0 path=hold");
	end(bed, "PUT path=b0 path=hold");
	server_wait_requests(server, 2);
	bed_routes = "";
	bed_reload(bed, one("http", server_port(other), ""));
	bed->device = 0;
	end(bed, "PUT path=hold"); // of the new one; joins
	bed_wait_stat(bed, UP_STAT_requests, 5);
	cr_expect_not(bed_is_settled(bed));
	server_release(server);
	expect_held(bed, 3, "2.04");
	end(bed, "PUT path=hold");
	bed_expect_start(bed_pull(bed, NULL), "2.04");
	cr_expect_eq(server_requests(server), 2);
	cr_expect_eq(server_requests(other), 0);
	bed_end(bed);
	server_stop(server);
	server_stop(other);
}
