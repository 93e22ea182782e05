// SPDX-License-Identifier: BSD-3-Clause
// A reload step by step, with ends of loops, workers and clients of the test's own, wrapped by the
// linker: what comes before what, and that a reload that is refused leaves nothing behind.

#include "gw/conf/schema.h"
#include "tests/unit/gw/daemon/reload_bed.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define TEXT_MAX 4096

// ---- configurations

// Each key that takes effect at a start only stands in it.
static const char base[] =
	"ports: [{name: wan0, tap: dtap0, addresses: [192.0.2.1/24], coap: 5683, kernel: pn-a, "
	"mtu: 1500}, {name: lan0, memif: /run/a.sock, memif_role: server, "
	"addresses: [198.51.100.1/24]}]\n"
	"workers: {cores: [0], share_cpus: no, mode: adaptive, affinity: rss, loops: 3, "
	"exchanges: 8192, answers: 64MB, huge_pages: auto, isa: auto}\n"
	"upstreams: {up: {servers: [\"http://10.9.0.2:8080\"], timeout: 3s}}\n"
	"routes: [{path: /t/*, to: up}, {path: /u, to: \"builtin:echo\"}]\n"
	"bodies: {memory: 256MB, per_device: 4, keep: 30s, idle: 100s}\n"
	"cache: {memory: 8MB, entries: 5000}\n"
	"observe: {entries: 7000}\n"
	"devices: {store: /var/lib/a, kek: /etc/a, max: 1024, ack_timeout: 2s}\n"
	"control: {socket: /run/control.sock, mode: \"0660\", group: root}\n"
	"handshakes: {threads: 1, rate: 10000, prefix_rate: 2000, device_rate: 4, "
	"sessions: 9000, keep: 2h, max_age: 12h, echo: auto}\n"
	"edhoc: {identity: /etc/e, methods: [3], suites: [2], c_r_length: 3, tell_unknown: no, "
	"message_4: no}\n"
	"metrics: {listen: \"127.0.0.1:9683\", server_urls: no}\n"
	"push: {listen: \"off\", max_body: 3MB}\n"
	"runtime: /run/a\n"
	"seccomp: enforce\n"
	"log: {access: /tmp/a.json, level: info}\n";

static const struct {
	const char *from, *to;
} changes[] = {
	{"name: wan0", "name: wan1"},
	{"tap: dtap0", "tap: dtap1"},
	{"tap: dtap0", "pci: \"0000:01:00.0\""},
	{"tap: dtap0", "af_packet: eth0"},
	{"tap: dtap0, addresses: [192.0.2.1/24], coap: 5683, kernel: pn-a",
		"af_xdp: eth0, addresses: [192.0.2.1/24], coap: 5683"},
	{"192.0.2.1/24", "192.0.2.9/24"},
	{"coap: 5683", "coap: 5684"},
	{"kernel: pn-a", "kernel: pn-b"},
	{"mtu: 1500", "mtu: 1400"},
	{"/run/a.sock", "/run/b.sock"},
	{"memif_role: server", "memif_role: client"},
	{"cores: [0]", "cores: [1]"},
	{"share_cpus: no", "share_cpus: yes"},
	{"mode: adaptive", "mode: poll"},
	{"affinity: rss", "affinity: kid"},
	{"loops: 3", "loops: 2"},
	{"exchanges: 8192", "exchanges: 4096"},
	{"answers: 64MB", "answers: 32MB"},
	{"huge_pages: auto", "huge_pages: no"},
	{"isa: auto", "isa: ref"},
	{"memory: 256MB", "memory: 128MB"},
	{"per_device: 4", "per_device: 5"},
	{"keep: 30s", "keep: 31s"},
	{"idle: 100s", "idle: 101s"},
	{"cache: {memory: 8MB", "cache: {memory: 9MB"},
	{"entries: 5000", "entries: 6000"},
	{"entries: 7000", "entries: 8000"},
	{"/var/lib/a", "/var/lib/b"},
	{"kek: /etc/a", "kek: /etc/b"},
	{"max: 1024", "max: 2048"},
	{"ack_timeout: 2s", "ack_timeout: 3s"},
	{"/run/control.sock", "/run/other.sock"},
	{"0660", "0600"},
	{"group: root", "group: daemon"},
	{"127.0.0.1:9683", "127.0.0.1:9684"},
	{"server_urls: no", "server_urls: yes"},
	{"listen: \"off\"", "listen: \"/run/push.sock\""},
	{"max_body: 3MB", "max_body: 2MB"},
	{"threads: 1", "threads: 2"},
	{" rate: 10000", " rate: 9000"},
	{"prefix_rate: 2000", "prefix_rate: 1000"},
	{"device_rate: 4", "device_rate: 5"},
	{"sessions: 9000", "sessions: 9001"},
	{"keep: 2h", "keep: 3h"},
	{"max_age: 12h", "max_age: 13h"},
	{"echo: auto", "echo: always"},
	{"methods: [3]", "methods: [0]"},
	{"suites: [2]", "suites: [3]"},
	{"c_r_length: 3", "c_r_length: 4"},
	{"tell_unknown: no", "tell_unknown: yes"},
	{"message_4: no", "message_4: yes"},
	{"runtime: /run/a", "runtime: /run/b"},
	{"seccomp: enforce", "seccomp: log"},
	{"access: /tmp/a.json", "access: stderr"},
};

#define CHANGES (sizeof(changes) / sizeof(changes[0]))

static void file_change(const char *from, const char *to)
{
	file_write_changed(base, from, to);
}

static void set_up(void)
{
	reload_bed_make(base);
}

TestSuite(reload, .init = set_up, .fini = reload_bed_free);

// ---- turns

// A whole reload of what is in the file.
static void go_on(void)
{
	const uint16_t number = (uint16_t)(gateway.snapshot->number + 1);

	begin();
	cr_assert_eq(errors, 0, "%s", error_text);
	loops_take(number);
	cr_expect(reload_turn(&gateway));
	cr_expect_eq(ends, 1);
	workers_left = true;
	cr_expect_not(reload_turn(&gateway));
	loops_settle();
	cr_expect_not(reload_turn(&gateway));
	cr_expect_eq(gateway.reload.phase, RELOAD_IDLE);
	cr_expect_eq(gateway.snapshot->number, number);
}

// One after the other, the loops take it; the workers get it when the last one has.
Test(reload, loops_have_it_before_the_workers)
{
	file_change("timeout: 3s", "timeout: 4s");
	begin();
	for (unsigned i = 0; i < LOOPS; i++) {
		cr_expect(reload_turn(&gateway), "main comes again soon");
		cr_expect_eq(swaps, 0);
		cr_expect_eq(gateway.snapshot->number, 1);
		cr_expect_eq(ends, 0, "it is said to be used");
		cr_expect(loops[i].switched);
		loops[i].has = 2;
	}
	cr_expect(reload_turn(&gateway));
	cr_expect_eq(swaps, 1);
	cr_expect_eq(policy->number, 2);
	cr_expect_eq(ends, 1);
	workers_left = true;
	reload_turn(&gateway);
	loops_settle();
	reload_turn(&gateway);
}

// Each wait lasts until the last one is there, however many turns main takes meanwhile.
Test(reload, the_old_one_is_there_until_nobody_has_it)
{
	file_change("timeout: 3s", "timeout: 4s");
	begin();
	loops_take(2);
	reload_turn(&gateway);
	records = 7;
	for (unsigned i = 0; i < 5; i++) {
		cr_expect(reload_turn(&gateway));
		cr_expect_eq(records, 7, "before the workers are done no look is the last one");
	}
	cr_expect_eq(gateway.reload.before->number, 1);
	workers_left = true;
	cr_expect_not(reload_turn(&gateway));
	cr_expect_eq(records, 0);
	for (unsigned i = 0; i < LOOPS; i++) {
		cr_expect_eq(freed, 0);
		cr_expect_not(reload_turn(&gateway));
		loops[i].settled = true;
	}
	reload_turn(&gateway);
	cr_expect_eq(freed, 1);
	cr_expect_null(gateway.reload.before);
	cr_expect_eq(gateway.reload.phase, RELOAD_IDLE);
	go_on();
	cr_expect_eq(freed, 2);
}

// ---- what is refused

static char seen[NAMES_MAX][CONF_DIFF_KEY_MAX];
static unsigned seen_count, start_keys;

// All keys of effect "start" at and below this one were seen.
static void expect_seen(const struct conf_key *key, const char *name, enum conf_effect effect)
{
	char below[CONF_DIFF_KEY_MAX];

	if (key->type == CONF_LIST || key->type == CONF_MAP) {
		snprintf(below, sizeof(below), "%s[]", name);
		expect_seen(key->item, below, effect);
	} else if (key->type == CONF_GROUP) {
		for (const struct conf_key *k = key->keys; k->name; k++) {
			snprintf(below, sizeof(below), "%s%s%s", name, *name ? "." : "", k->name);
			expect_seen(k, below, k->effect != CONF_AS_GROUP ? k->effect : effect);
		}
	} else if (effect == CONF_AT_START) {
		start_keys++;
		cr_expect(was_told(seen, seen_count, name), "%s is not among the changes", name);
	}
}

Test(reload, each_key_of_the_start_is_named_and_nothing_changes)
{
	for (size_t i = 0; i < CHANGES; i++) {
		file_change(changes[i].from, changes[i].to);
		begin();
		cr_assert_neq(told_count, 0, "%s: %s", changes[i].to, error_text);
		cr_expect_eq(start_count, told_count, "%s", changes[i].to);
		expect_refused(CTL_NEEDS_START, told[0]);
		for (unsigned k = 0; k < told_count && seen_count < NAMES_MAX; k++)
			strcpy(seen[seen_count++], told[k]);
	}
	expect_seen(&conf_schema, "", CONF_AS_GROUP);
	cr_expect_gt(start_keys, 30);
	file_change("timeout: 3s", "timeout: 4s");
	go_on();
}

// A kid is a device's or passed through. Whose device the store is about to have, or may have,
// nobody else gets.
Test(reload, no_new_name_is_passed_through_while_those_of_devices_are_not_known)
{
	static int a_doubt;

	file_change("runtime: /run/a\n", "runtime: /run/a\npassthrough: [{kid: \"0a\", to: up}]\n");
	gateway.taking = 1;
	begin();
	expect_refused(CTL_BUSY, "devices are being added, and passthrough has new names");
	gateway.taking = 0;
	gateway.resync_waiting = 1;
	begin();
	expect_refused(CTL_BUSY, "devices wait for a resync, and passthrough has new names");
	gateway.resync_waiting = 0;
	gateway.registry.waiting = (struct registry_waiting *)&a_doubt;
	begin();
	expect_refused(CTL_BUSY, "a device waits for its place, and passthrough has new names");
	gateway.registry.waiting = NULL;
	gateway.doubts = (struct doubt *)&a_doubt;
	begin();
	expect_refused(CTL_BUSY,
		"what became of a device is not known yet, and passthrough has new names");
	// Without new names nothing is in the way.
	file_change("timeout: 3s", "timeout: 4s");
	go_on();
	gateway.doubts = NULL;
}

// Along with keys that a reload may change.
Test(reload, one_key_of_the_start_refuses_all)
{
	char text[TEXT_MAX];

	snprintf(text, sizeof(text), "%s", base);
	memcpy(strstr(text, "timeout: 3s"), "timeout: 9s", 11);
	memcpy(strstr(text, "mtu: 1500"), "mtu: 1400", 9);
	file_write(text);
	begin();
	expect_refused(CTL_NEEDS_START, "ports[0].mtu");
	cr_expect_eq(start_count, 1);
	cr_expect(was_told(told, told_count, "upstreams.up.timeout"));
}

Test(reload, a_file_with_mistakes)
{
	file_change("timeout: 3s", "timeout: 3 parsecs");
	begin();
	expect_refused(CTL_BAD_CONFIG, "has mistakes");
	file_write("ports: [");
	begin();
	expect_refused(CTL_BAD_CONFIG, "has mistakes");
	file_write("");
	begin();
	expect_refused(CTL_BAD_CONFIG, "has mistakes");
	unlink(path);
	begin();
	expect_refused(CTL_BAD_CONFIG, path);
	cr_assert_eq(mkfifo(path, 0600), 0);
	begin();
	expect_refused(CTL_BAD_CONFIG, "is not a file");
	unlink(path);
	file_write(base);
	go_on();
}

Test(reload, a_certificate_that_is_not_there)
{
	file_change(
		"\"http://10.9.0.2:8080\"]", "\"https://10.9.0.2\"], tls: {ca: /nowhere/ca.pem}");
	fails_in = 0; // who reads it
	begin();
	expect_refused(CTL_BAD_CONFIG, "");
	fails_in = -1;
	file_write(base);
	go_on();
}

// Whichever loop it is: what the others prepared is given back, and so is the snapshot.
Test(reload, a_loop_that_cannot)
{
	file_change("timeout: 3s", "timeout: 4s");
	for (fails_in = 0; fails_in < LOOPS; fails_in++) {
		begin();
		expect_refused(CTL_BAD_CONFIG, "cannot");
		cr_expect_eq(freed, (unsigned)fails_in + 1);
	}
	fails_in = -1;
	go_on();
}

Test(reload, one_while_another_is_under_way)
{
	file_change("timeout: 3s", "timeout: 4s");
	begin();
	const unsigned switched = prepared;

	for (int phase = 0; phase < 3; phase++) {
		ends = errors = 0;
		reload_begin(&gateway, REQUEST, false);
		cr_expect_eq(errors, 1);
		cr_expect_eq(error_code, CTL_BUSY);
		cr_expect_eq(prepared, switched);
		loops_take(2);
		workers_left = phase >= 1;
		reload_turn(&gateway);
	}
	cr_expect_eq(gateway.reload.phase, RELOAD_SETTLE);
	loops_settle();
	reload_turn(&gateway);
	cr_expect_eq(swaps, 1);
	go_on();
}

// Nobody reads an answer and tries again: what the file has by then is not lost.
Test(reload, a_signal_while_another_is_under_way_is_obeyed_afterwards)
{
	file_change("timeout: 3s", "timeout: 4s");
	begin();
	file_change("timeout: 3s", "timeout: 5s");
	reload_begin(&gateway, NULL, false);
	reload_begin(&gateway, NULL, false);
	loops_take(2);
	reload_turn(&gateway);
	cr_expect_eq(swaps, 1);
	workers_left = true;
	reload_turn(&gateway);
	loops_settle();
	cr_expect(reload_turn(&gateway), "the next one has begun");
	cr_expect_eq(gateway.reload.phase, RELOAD_LOOPS);
	loops_take(3);
	reload_turn(&gateway);
	cr_expect_eq(swaps, 2);
	cr_expect_eq(gateway.snapshot->conf->upstreams[0].timeout_ms, 5000);
	workers_left = true;
	reload_turn(&gateway);
	loops_settle();
	reload_turn(&gateway);
	cr_expect_eq(gateway.reload.phase, RELOAD_IDLE, "once is enough");
}

Test(reload, a_dry_run_changes_nothing)
{
	file_change("timeout: 3s", "timeout: 4s");
	reload_begin(&gateway, REQUEST, true);
	cr_expect_eq(ends, 1);
	cr_expect(was_told(told, told_count, "upstreams.up.timeout"));
	cr_expect_eq(prepared, 0);
	cr_expect_eq(freed, 1);
	cr_expect_eq(gateway.reload.phase, RELOAD_IDLE);
	cr_expect_not(loops[0].switched);
	cr_expect_not(reload_turn(&gateway));
}

// ---- the log

Test(reload, the_log_follows_it)
{
	file_change("level: info", "level: debug, format: json");
	go_on();
	cr_expect_eq(logged_level, CONF_LOG_DEBUG);
	cr_expect(logged_json);
	file_write(base);
	go_on();
	cr_expect_eq(logged_level, CONF_LOG_INFO);
	cr_expect_not(logged_json);
}

// ---- counters

static uint16_t slot_of(const char *pattern)
{
	const struct snapshot *snapshot = gateway.snapshot;

	for (size_t i = 0; i < snapshot->conf->route_count; i++)
		if (!strcmp(snapshot->conf->routes[i].path.text, pattern))
			return snapshot->routes.route[i].slot;
	cr_assert_fail("there is no route %s", pattern);
	return 0;
}

static uint64_t up_requests(void)
{
	return up_slot_stat(up_slot_find(gateway.slots, "up"), UP_STAT_requests);
}

// What was counted is there after each reload, also of what went and came back.
Test(reload, counters_outlive_it)
{
	struct up_slot *up = up_slot_find(gateway.slots, "up");
	const uint16_t route = slot_of("/t/*");

	up->loop[0].stat[UP_STAT_requests] = 40;
	up->loop[LOOPS - 1].stat[UP_STAT_requests] = 2;
	file_change("timeout: 3s", "timeout: 4s");
	go_on();
	cr_expect_eq(up_slot_find(gateway.slots, "up"), up);
	cr_expect_eq(up_requests(), 42);
	cr_expect_eq(slot_of("/t/*"), route);
	file_change("[{path: /t/*, to: up}, ", "[");
	go_on();
	file_change("[{path: /t/*, to: up}, ", "[{path: /new, to: up}, {path: /t/*, to: up}, ");
	go_on();
	cr_expect_eq(slot_of("/t/*"), route);
	cr_expect_neq(slot_of("/new"), route);
	file_change("{up: {servers: [\"http://10.9.0.2:8080\"], timeout: 3s}}\n"
		    "routes: [{path: /t/*, to: up}, ",
		"{other: {servers: [\"http://10.9.0.2:8080\"]}}\nroutes: [");
	go_on();
	cr_expect_eq(up_requests(), 42);
	cr_expect_eq(up_slots_gone(gateway.slots, UP_STAT_requests), 42);
	file_write(base);
	go_on();
	cr_expect_eq(up_requests(), 42);
}
