// SPDX-License-Identifier: BSD-3-Clause
// What a configuration without mistakes becomes: values, defaults, lines; and that the schema and
// the documentation agree.

#include "gw/conf/conf.h"
#include "gw/conf/schema.h"
#include "gw/conf/show.h"
#include "gw/conf/value.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>

static struct conf *parse(const char *text)
{
	struct conf *conf = NULL;

	cr_assert_eq(conf_parse("test", text, strlen(text), &conf, stderr), 0);
	return conf;
}

static struct conf *load(const char *name)
{
	struct conf *conf = NULL;
	char path[1024];

	snprintf(path, sizeof(path), "%s/%s", DOCS, name);
	cr_assert_eq(conf_load(path, &conf, stderr), 0);
	cr_expect_str_eq(conf->path, path);
	return conf;
}

static const char least[] = "ports:\n"
			    "- name: wan0\n"
			    "  tap: dtap0\n"
			    "  addresses: [192.0.2.1/24]\n"
			    "upstreams:\n"
			    "  up: {servers: [\"http://h\"]}\n"
			    "routes:\n"
			    "- {path: /a, to: up}\n"
			    "- {path: /b, to: builtin:discard}\n"
			    "log:\n";

Test(conf, ports_and_workers_left_out_have_their_defaults)
{
	struct conf *conf = parse(least);
	const struct conf_port *port = &conf->ports[0];
	cpu_set_t cpus;

	cr_expect_eq(port->kind, CONF_PORT_TAP);
	cr_expect_eq(port->coap, 5683);
	cr_expect_str_eq(port->kernel, "pn-wan0");
	cr_expect_eq(port->mtu, 1500);
	cr_expect_eq(conf->workers.core_count, 1);
	sched_getaffinity(0, sizeof(cpus), &cpus);
	cr_expect(CPU_ISSET(conf->workers.cores[0], &cpus));
	for (unsigned cpu = conf->workers.cores[0] + 1; cpu < CPU_SETSIZE; cpu++)
		cr_expect(!CPU_ISSET(cpu, &cpus));
	cr_expect_eq(conf->workers.mode, CONF_MODE_ADAPTIVE);
	cr_expect_eq(conf->workers.loops, 1);
	cr_expect_eq(conf->workers.exchanges, 8192);
	cr_expect_eq(conf->workers.answers, 64 << 20);
	cr_expect_eq(conf->workers.huge_pages, CONF_HUGE_AUTO);
	cr_expect_null(conf->workers.isa);
	// DPDK binds the thread that reads configurations to the CPUs without a worker.
	CPU_CLR(conf->workers.cores[0], &cpus);
	if (CPU_COUNT(&cpus))
		cr_assert_eq(sched_setaffinity(0, sizeof(cpus), &cpus), 0);
	struct conf *again = parse(least);
	cr_expect_eq(again->workers.cores[0], conf->workers.cores[0]);
	conf_free(again);
	conf_free(conf);
}

Test(conf, upstreams_left_out_have_their_defaults)
{
	struct conf *conf = parse(least);

	const struct conf_upstream *up = &conf->upstreams[0];
	cr_expect_str_eq(up->name, "up");
	cr_expect_eq(up->balance, CONF_BALANCE_RR);
	cr_expect_eq(up->timeout_ms, 3000);
	cr_expect_eq(up->queue_ms, 200);
	cr_expect_eq(up->max_inflight, 1024);
	cr_expect_eq(up->max_connections, 64);
	cr_expect_eq(up->max_body, 1 << 20);
	cr_expect_eq(up->max_age_ms, 24 * 3600 * 1000);
	cr_expect_eq(up->header_count, 0);
	cr_expect_eq(up->retries.max, 2);
	cr_expect_eq(up->retries.budget, 20);
	cr_expect_eq(up->eject.errors, 5);
	cr_expect_eq(up->eject.for_ms, 30000);
	cr_expect_eq(up->eject.max_percent, 50);
	cr_expect_null(up->check.path);
	cr_expect_eq(up->check.line, 0);
	cr_expect(up->tls.verify);
	cr_expect_null(up->tls.ca);
	cr_expect_eq(up->tls.line, 0);
	conf_free(conf);
}

Test(conf, routes_left_out_have_their_defaults)
{
	struct conf *conf = parse(least);

	const struct conf_route *route = &conf->routes[0];
	cr_expect_eq(route->target, CONF_TO_UPSTREAM);
	cr_expect_eq(route->upstream, &conf->upstreams[0]);
	cr_expect_eq(route->methods, CONF_METHODS_ALL);
	cr_expect_eq(route->timeout_ms, 3000);
	cr_expect_eq(route->fetch, CONF_FETCH_POST);
	cr_expect_eq(route->idempotency, CONF_IDEMPOTENCY_IGNORED);
	cr_expect_eq(route->translate, CONF_TRANSLATE_NONE);
	cr_expect_null(route->host);
	cr_expect_eq(route->strip, 0);
	cr_expect_str_eq(route->prefix, "");
	cr_expect_eq(conf->routes[1].target, CONF_TO_DISCARD);
	cr_expect_null(conf->routes[1].upstream);
	cr_expect_eq(conf->routes[1].timeout_ms, 0);
	conf_free(conf);
}

Test(conf, devices_control_and_log_left_out_have_their_defaults)
{
	struct conf *conf = parse(least);

	cr_expect_str_eq(conf->devices.store, "/var/lib/postern");
	cr_expect_null(conf->devices.kek);
	cr_expect_eq(conf->devices.max, 1048576);
	cr_expect_eq(conf->devices.errors, CONF_ERRORS_SILENT);
	cr_expect_eq(conf->devices.replay, CONF_REPLAY_SILENT);
	cr_expect_eq(conf->devices.ack_timeout_ms, 2000);
	cr_expect_eq(conf->devices.max_in_flight, 16);
	cr_expect_eq(conf->devices.max_message, 1152);
	cr_expect_eq(conf->devices.rate, 0);
	cr_expect_eq(conf->devices.burst, 64);
	cr_expect_str_eq(conf->control.socket, "/run/postern/control.sock");
	cr_expect_eq(conf->control.mode, 0660);
	cr_expect_null(conf->control.group);
	cr_expect_str_eq(conf->runtime, "/run/postern");
	cr_expect_eq(conf->log.level, CONF_LOG_INFO);
	cr_expect_null(conf->log.access);
	cr_expect_eq(conf->log.sample, 100);
	cr_expect_eq(conf->log.rate, 1000);
	conf_free(conf);
}

static const char all[] =
	"ports:\n"
	"- name: lab\n"
	"  memif: /run/m.sock\n"
	"  memif_role: client\n"
	"  kernel: k0\n"
	"  coap: 1\n"
	"  mtu: 9000\n"
	"  addresses:\n"
	"  - 192.0.2.1/24\n"
	"  - \"2001:db8::1/64\"\n"
	"workers: {cores: [7, 2-4], mode: poll, loops: 3, isa: vaes512, huge_pages: no}\n"
	"upstreams:\n"
	"  up:\n"
	"    servers:\n"
	"    - http+unix:/run/app.sock\n"
	"    - https://h/base/\n"
	"    tls:\n"
	"      verify: false\n"
	"    timeout: 1m\n"
	"    balance: hash\n"
	"    retries: {max: 1, budget: 5%}\n"
	"    eject: {errors: 0, for: 1m, max_percent: 10%}\n"
	"    check: {path: \"/up?full=1\", interval: 5s, rise: 1, fall: 2}\n"
	"routes:\n"
	"- path: /a/*\n"
	"  methods: [GET, POST, iPATCH]\n"
	"  to: up\n"
	"  timeout: 1h\n"
	"  fetch: query\n"
	"  idempotency: honoured\n"
	"  translate: cbor-json\n"
	"  host: \"[::1]:80\"\n"
	"  strip: 1\n"
	"  prefix: /v1/\n"
	"  batch: {path: \"/in?a=b\", max: 4096, bytes: 1MB, wait: 1m, format: cbor-seq}\n"
	"- {path: /*, to: builtin:echo}\n"
	"devices: {kek: /k, errors: verbose, replay: 4.01, ack_timeout: 10s,\n"
	"  max_in_flight: 255, max_message: 9216, rate: 1000, burst: 10000}\n"
	"control: {mode: 0600, group: wheel}\n"
	"log: {level: debug, access: stderr, sample: 1%, rate: 7}\n";

Test(conf, headers_are_texts_or_files)
{
	struct conf *conf = parse("ports: [{name: a, tap: t0, addresses: [192.0.2.1/24]}]\n"
				  "upstreams:\n"
				  "  up:\n"
				  "    servers: [\"http://h\"]\n"
				  "    headers:\n"
				  "      Authorization: {file: /etc/postern/ingest.token}\n"
				  "      X-Site: \"plant 7\"\n"
				  "routes:\n"
				  "- {path: /a/*, to: up, headers: {x-site: {text: 7}, X-Y: no}}\n"
				  "- {path: /*, to: up}\n");
	const struct conf_upstream *up = &conf->upstreams[0];
	const struct conf_route *route = &conf->routes[0];

	cr_assert_eq(up->header_count, 2);
	cr_expect_str_eq(up->headers[0].name, "Authorization");
	cr_expect_eq(up->headers[0].kind, CONF_HEADER_FILE);
	cr_expect_str_eq(up->headers[0].value, "/etc/postern/ingest.token");
	cr_expect_eq(up->headers[0].line, 6);
	cr_expect_eq(up->headers[1].kind, CONF_HEADER_TEXT);
	cr_expect_str_eq(up->headers[1].value, "plant 7");
	cr_expect_eq(up->headers[1].line, 7);
	cr_assert_eq(route->header_count, 2);
	cr_expect_str_eq(route->headers[0].value, "7");
	cr_expect_str_eq(route->headers[1].value, "no");
	cr_expect_eq(conf->routes[1].header_count, 0);
	conf_free(conf);
}

Test(conf, ports_and_workers_given_are_there_with_their_lines)
{
	struct conf *conf = parse(all);
	const struct conf_port *port = &conf->ports[0];

	cr_expect_eq(port->kind, CONF_PORT_MEMIF);
	cr_expect_str_eq(port->device, "/run/m.sock");
	cr_expect_eq(port->memif_role, CONF_MEMIF_CLIENT);
	cr_expect_str_eq(port->kernel, "k0");
	cr_expect_eq(port->coap, 1);
	cr_expect_eq(port->mtu, 9000);
	cr_expect_eq(port->line, 2);
	cr_expect_eq(port->address_count, 2);
	cr_expect_eq(port->addresses[1].family, AF_INET6);
	cr_expect_eq(port->addresses[1].line, 10);
	cr_assert_eq(conf->workers.core_count, 4);
	cr_expect_arr_eq(conf->workers.cores, ((uint16_t[]){7, 2, 3, 4}), 8);
	cr_expect_eq(conf->workers.mode, CONF_MODE_POLL);
	cr_expect_eq(conf->workers.loops, 3);
	cr_expect_str_eq(conf->workers.isa, "vaes512");
	cr_expect_eq(conf->workers.huge_pages, CONF_HUGE_NO);
	cr_expect_eq(conf->workers.line, 11);
	conf_free(conf);
}

Test(conf, upstreams_given_are_there_with_their_lines)
{
	struct conf *conf = parse(all);

	const struct conf_upstream *up = &conf->upstreams[0];
	cr_expect_eq(up->line, 13);
	cr_expect_str_eq(up->servers[0].unix_path, "/run/app.sock");
	cr_expect_eq(up->servers[1].line, 16);
	cr_expect_str_eq(up->servers[1].base, "/base");
	cr_expect_eq(up->tls.line, 17);
	cr_expect(!up->tls.verify);
	cr_expect_eq(up->balance, CONF_BALANCE_HASH);
	cr_expect_eq(up->retries.max, 1);
	cr_expect_eq(up->retries.budget, 5);
	cr_expect_eq(up->eject.errors, 0);
	cr_expect_eq(up->eject.for_ms, 60000);
	cr_expect_eq(up->eject.max_percent, 10);
	cr_expect_str_eq(up->check.path, "/up?full=1");
	cr_expect_eq(up->check.interval_ms, 5000);
	cr_expect_eq(up->check.timeout_ms, 1000);
	cr_expect_eq(up->check.rise, 1);
	cr_expect_eq(up->check.fall, 2);
	cr_expect_eq(up->check.line, 23);
	conf_free(conf);
}

Test(conf, routes_given_are_there_with_their_lines)
{
	struct conf *conf = parse(all);

	const struct conf_route *route = &conf->routes[0];
	cr_expect_eq(route->line, 25);
	cr_expect_eq(route->path.count, 1);
	cr_expect(route->path.rest);
	cr_expect_eq(route->methods, 1 << 1 | 1 << 2 | 1 << 7);
	cr_expect_eq(route->timeout_ms, 3600000);
	cr_expect_eq(route->fetch, CONF_FETCH_QUERY);
	cr_expect_eq(route->idempotency, CONF_IDEMPOTENCY_HONOURED);
	cr_expect_eq(route->translate, CONF_TRANSLATE_CBOR_JSON);
	cr_expect_str_eq(route->host, "[::1]:80");
	cr_expect_eq(route->strip, 1);
	cr_expect_str_eq(route->prefix, "/v1");
	cr_expect_eq(route->batch.line, 35);
	cr_expect_str_eq(route->batch.path, "/in?a=b");
	cr_expect_eq(route->batch.max, 4096);
	cr_expect_eq(route->batch.bytes, 1 << 20);
	cr_expect_eq(route->batch.wait_ms, 60000);
	cr_expect_eq(route->batch.format, CONF_BATCH_CBOR_SEQ);
	cr_expect_eq(conf->routes[1].batch.line, 0);
	cr_expect_eq(conf->routes[1].target, CONF_TO_ECHO);
	cr_expect_eq(conf_line(conf, &route->strip), 33);
	conf_free(conf);
}

Test(conf, devices_control_and_log_given_are_there_with_their_lines)
{
	struct conf *conf = parse(all);

	cr_expect_str_eq(conf->devices.kek, "/k");
	cr_expect_eq(conf->devices.errors, CONF_ERRORS_VERBOSE);
	cr_expect_eq(conf->devices.replay, CONF_REPLAY_UNAUTHORIZED);
	cr_expect_eq(conf->devices.ack_timeout_ms, 10000);
	cr_expect_eq(conf->devices.max_in_flight, 255);
	cr_expect_eq(conf->devices.max_message, 9216);
	cr_expect_eq(conf->devices.rate, 1000);
	cr_expect_eq(conf->devices.burst, 10000);
	cr_expect_eq(conf->control.mode, 0600);
	cr_expect_str_eq(conf->control.group, "wheel");
	cr_expect_eq(conf->log.level, CONF_LOG_DEBUG);
	cr_expect_str_eq(conf->log.access, CONF_ACCESS_STDERR);
	cr_expect_eq(conf->log.sample, 1);
	cr_expect_eq(conf->log.rate, 7);
	cr_expect_eq(conf_line(conf, &conf->devices.kek), 37);
	cr_expect_eq(conf_line(conf, &conf->devices.max), 0);
	conf_free(conf);
}

// Some editors write one; lines and columns are counted as if it were not there.
Test(conf, byte_order_mark_is_passed_over)
{
	static const char text[] = "\xef\xbb\xbfports:\n"
				   "- {name: wan0, tap: dtap0, addresses: [192.0.2.1/24]}\n"
				   "routes: [{path: /a, to: builtin:discard}]\n";
	static const char bad[] = "\xef\xbb\xbfparts:\n";
	struct conf *conf = parse(text);
	char *errors;
	size_t len;
	FILE *out = open_memstream(&errors, &len);

	cr_expect_eq(conf->ports[0].line, 2);
	conf_free(conf);
	cr_expect_eq(conf_parse("f", bad, sizeof(bad) - 1, &conf, out), -EINVAL);
	fclose(out);
	cr_expect_eq(strncmp(errors, "f:1:1: ", 7), 0, "%s", errors);
	free(errors);
}

// A later route may take what an earlier one leaves.
Test(conf, routes_that_overlap_are_no_mistake)
{
	conf_free(parse("ports: [{name: a, tap: t, addresses: [192.0.2.1/24]}]\n"
			"routes:\n"
			"- {path: /a/b, to: builtin:echo}\n"
			"- {path: /*/b, methods: [GET], to: builtin:echo}\n"
			"- {path: /*/b, to: builtin:echo}\n"
			"- {path: /a, methods: [GET], to: builtin:discard}\n"
			"- {path: /a/*, to: builtin:echo}\n"));
}

Test(conf, the_example_loads)
{
	struct conf *conf = load("example.yaml");

	cr_expect_eq(conf->port_count, 2);
	cr_expect_eq(conf->upstream_count, 3);
	cr_expect_eq(conf->route_count, 6);
	conf_free(conf);
}

static char *described(void)
{
	char *text = NULL;
	size_t len;
	FILE *out = open_memstream(&text, &len);

	conf_describe(out);
	fclose(out);
	return text;
}

static char *docs_read(const char *name)
{
	char path[1024], *text = calloc(1, CONF_FILE_MAX);

	snprintf(path, sizeof(path), "%s/%s", DOCS, name);
	FILE *file = fopen(path, "r");
	cr_assert(file, "%s", path);
	cr_assert_gt(fread(text, 1, CONF_FILE_MAX - 1, file), 0);
	fclose(file);
	return text;
}

// A line "#key: value" is a key that may be left out; "# text" is a comment.
static void keys_uncomment(char *text)
{
	char *to = text;

	for (char *from = text; *from; from++)
		if (*from != '#' || from[1] == ' ')
			*to++ = *from;
	*to = 0;
}

Test(conf, the_reference_loads_and_stands_in_the_docs)
{
	char *reference = described(), *docs = docs_read("config.md"), *rest;

	conf_free(parse(reference));
	const char *at = strstr(docs, "## Reference");
	for (char *line = strtok_r(reference, "\n", &rest); line;
		line = strtok_r(NULL, "\n", &rest)) {
		at = strstr(at ? at : docs, line);
		cr_assert(at, "docs/config.md lacks this line, or has it elsewhere:\n%s", line);
		at += strlen(line);
	}
	free(docs);
	free(reference);
}

// Every sample and default of the reference, taken as values, is told only for standing beside
// what excludes it.
Test(conf, the_samples_of_the_reference_are_values_that_fit)
{
	char *reference = described(), *said = NULL;
	struct conf *conf;
	size_t len;
	FILE *errors = open_memstream(&said, &len);

	keys_uncomment(reference);
	cr_expect_neq(conf_parse("f", reference, strlen(reference), &conf, errors), 0);
	fclose(errors);
	for (char *line = strtok(said, "\n"); line; line = strtok(NULL, "\n"))
		cr_expect(strstr(line, "cannot stand beside pci") ||
				strstr(line, "memif_role: has no use without memif"),
			"%s", line);
	free(said);
	free(reference);
}

static void schema_check(const struct conf_key *keys, const char *man)
{
	unsigned count = 0;

	for (const struct conf_key *key = keys; key->name; key++, count++) {
		char why[CONF_WHY_MAX] = "", text[1024], bold[64];
		uint64_t field[sizeof(struct conf_server) / 8] = {0};

		cr_expect(key->help && key->help[strlen(key->help) - 1] == '.', "%s", key->name);
		snprintf(bold, sizeof(bold), "*%s*", key->name);
		cr_expect(strstr(man, bold), "%s is not in the man page", key->name);
		if (key->preset) {
			cr_expect_eq(conf_value_parse(key, key->preset, field, why), CONF_OK,
				"default of %s: %s", key->name, why);
			conf_value_free(key, field);
			snprintf(text, sizeof(text), "%s", key->preset);
			cr_expect(strstr(man, text), "default %s of %s is not in the man page",
				text, key->name);
			cr_expect(!key->required, "%s", key->name);
		} else if (key->type < CONF_SCALARS) {
			cr_expect(key->sample, "%s", key->name);
		}
		if (key->keys)
			schema_check(key->keys, man);
		if (key->item && key->item->keys)
			schema_check(key->item->keys, man);
	}
	cr_expect_lt(count, CONF_KEYS_MAX);
}

Test(conf, each_key_has_help_a_default_that_fits_and_a_place_in_the_man_page)
{
	char *man = docs_read("postern.yaml.5.scd");

	schema_check(conf_schema.keys, man);
	free(man);
}

// Whether each value below a group says once when it takes effect, itself or by what it is in.
static void effect_check(const struct conf_key *keys, bool said)
{
	for (const struct conf_key *key = keys; key->name; key++) {
		bool here = key->effect != CONF_AS_GROUP;

		cr_expect(!(said && here), "%s says again what its group says", key->name);
		if (key->type == CONF_GROUP)
			effect_check(key->keys, said || here);
		else if (key->item && key->item->keys)
			effect_check(key->item->keys, said || here);
		else
			cr_expect(said || here, "%s does not say when it takes effect", key->name);
	}
}

Test(conf, each_key_says_when_it_takes_effect)
{
	effect_check(conf_schema.keys, false);
}

Test(conf, policies)
{
	static const char text[] = "ports: [{name: p, tap: t, addresses: [192.0.2.1/24]}]\n"
				   "routes: [{path: /*, to: builtin:echo}]\n"
				   "policies:\n"
				   "  meters:\n"
				   "    allow:\n"
				   "      - {path: /t/*, methods: [POST, PUT]}\n"
				   "      - {path: /time}\n"
				   "  nothing: {allow: []}\n";
	struct conf *conf;

	cr_assert_eq(conf_parse("f", text, sizeof(text) - 1, &conf, stderr), 0);
	cr_assert_eq(conf->policy_count, 2);
	cr_expect_str_eq(conf->policies[0].name, "meters");
	cr_assert_eq(conf->policies[0].allow_count, 2);
	cr_expect_str_eq(conf->policies[0].allow[0].path.text, "/t/*");
	cr_expect_eq(conf->policies[0].allow[0].methods, 1 << 2 | 1 << 3);
	cr_expect_eq(conf->policies[0].allow[1].methods, CONF_METHODS_ALL);
	cr_expect_str_eq(conf->policies[1].name, "nothing");
	cr_expect_eq(conf->policies[1].allow_count, 0);
	conf_free(conf);
}

// ---- conf_show()

struct shown {
	const char *key;
	char value[CONF_SHOWN_MAX];
	bool given, seen;
	unsigned all, hidden;
};

static void note(void *arg, const struct conf_shown *shown)
{
	struct shown *wanted = arg;

	wanted->all++;
	wanted->hidden += strstr(shown->value, "Secret") != NULL;
	if (strcmp(shown->key, wanted->key))
		return;
	cr_expect_not(wanted->seen, "%s: once", shown->key);
	wanted->seen = true;
	wanted->given = shown->given;
	snprintf(wanted->value, sizeof(wanted->value), "%s", shown->value);
}

// value: NULL: it has none.
static void expect_shown(const struct conf *conf, const char *key, const char *value, bool given)
{
	struct shown wanted = {.key = key};

	conf_show(conf, note, &wanted);
	cr_expect_gt(wanted.all, 30);
	cr_expect_eq(wanted.hidden, 0, "no secret");
	cr_assert_eq(wanted.seen, value != NULL, "%s", key);
	if (!value)
		return;
	cr_expect_str_eq(wanted.value, value, "%s: %s", key, wanted.value);
	cr_expect_eq(wanted.given, given, "%s", key);
}

Test(conf, values_in_use_are_shown_as_in_a_file_and_no_secret)
{
	struct conf *conf =
		parse("ports:\n"
		      "- {name: wan0, tap: dtap0, addresses: [192.0.2.1/24, \"2001:db8::1/64\"]}\n"
		      "workers: {exchanges: 4096, answers: 64MB}\n"
		      "upstreams:\n"
		      "  up:\n"
		      "    servers: [\"http://h\", {url: \"http://i:81/b\", weight: 2}]\n"
		      "    timeout: 1500ms\n"
		      "    headers: {X-A: textSecret, X-B: {file: /etc/token}}\n"
		      "routes:\n"
		      "- {path: \"/a/*\", to: up, methods: [GET, iPATCH], priority: low}\n"
		      "control: {mode: \"0600\"}\n"
		      "log: {sample: 7%}\n");

	expect_shown(conf, "ports[0].tap", "dtap0", true);
	expect_shown(conf, "ports[0].pci", NULL, false);
	expect_shown(conf, "ports[0].addresses[1]", "2001:db8::1/64", true);
	expect_shown(conf, "ports[0].kernel", "pn-wan0", false);
	expect_shown(conf, "ports[0].mtu", "1500", false);
	expect_shown(conf, "workers.answers", "64MB", true);
	expect_shown(conf, "workers.share_cpus", "false", false);
	expect_shown(conf, "workers.isa", NULL, false);
	expect_shown(conf, "upstreams.up.servers[0].url", "http://h", true);
	expect_shown(conf, "upstreams.up.servers[0].weight", "1", false);
	expect_shown(conf, "upstreams.up.servers[1].weight", "2", true);
	expect_shown(conf, "upstreams.up.timeout", "1500ms", true);
	expect_shown(conf, "upstreams.up.headers.X-A.text", "(hidden)", true);
	expect_shown(conf, "upstreams.up.headers.X-B.file", "/etc/token", true);
	expect_shown(conf, "routes[0].path", "/a/*", true);
	expect_shown(conf, "routes[0].methods", "[GET, iPATCH]", true);
	expect_shown(conf, "routes[0].priority", "low", true);
	expect_shown(conf, "control.mode", "\"0600\"", true);
	expect_shown(conf, "log.sample", "7%", true);
	expect_shown(conf, "log.rate", "1000", false);
	conf_free(conf);
}
