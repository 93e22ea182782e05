// SPDX-License-Identifier: BSD-3-Clause
// Every kind of mistake in a configuration, and what is said about it and where.

#include "gw/conf/conf.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define PORT      "ports: [{name: a, tap: t0, addresses: [192.0.2.1/24]}]\n"
#define ROUTE     "routes: [{path: /*, to: builtin:echo}]\n"
#define PORT_WITH "ports:\n- name: a\n  tap: t0\n  addresses: [192.0.2.1/24]\n"
#define UPSTREAM  "upstreams:\n  up:\n    servers: [\"http://h\"]\n"

// What conf_parse() says of a text that ends where its memory ends; NULL if it loads.
static char *said_of(const char *text, size_t len)
{
	char *copy = malloc(len ? len : 1), *said = NULL;
	size_t said_len;
	FILE *errors = open_memstream(&said, &said_len);
	struct conf *conf = NULL;

	memcpy(copy, text, len);
	int rc = conf_parse("f", copy, len, &conf, errors);
	fclose(errors);
	free(copy);
	cr_assert_eq(rc == 0, conf != NULL);
	cr_assert_eq(rc == 0, said_len == 0, "%d: %s", rc, said);
	conf_free(conf);
	if (rc)
		return said;
	free(said);
	return NULL;
}

struct mistake {
	const char *text;
	const char *said;
};

static void each_is_told(const struct mistake *mistakes, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		char *said = said_of(mistakes[i].text, strlen(mistakes[i].text));
		cr_expect_str_eq(said ? said : "nothing", mistakes[i].said,
			"case %zu\n%s\ngives\n%s", i, mistakes[i].text, said);
		free(said);
	}
}

#define TEST_MISTAKES(name, ...)                                                \
	Test(conf_mistakes, name)                                               \
	{                                                                       \
		static const struct mistake mistakes[] = {__VA_ARGS__};         \
		each_is_told(mistakes, sizeof(mistakes) / sizeof(mistakes[0])); \
	}

Test(conf_mistakes, what_the_cases_start_from_has_none)
{
	cr_expect_null(said_of(PORT ROUTE, strlen(PORT ROUTE)));
	cr_expect_null(said_of(PORT_WITH ROUTE, strlen(PORT_WITH ROUTE)));
	cr_expect_null(said_of(PORT ROUTE UPSTREAM, strlen(PORT ROUTE UPSTREAM)));
}

// clang-format off
TEST_MISTAKES(what_is_not_one_yaml_document_is_refused,
	{"", "f:1:1: the file is empty\n"},
	{"# only this\n", "f:1:1: the file is empty\n"},
	{"just words", "f:1:1: must be a map of keys, not one value\n"},
	{"[a]", "f:1:1: must be a map of keys, not a list\n"},
	{"a: [1, 2", "f:2:1: not YAML: did not find expected ',' or ']' while parsing a flow sequence\n"},
	{"a: b: c", "f:1:5: not YAML: mapping values are not allowed in this context\n"},
	{"a:\n\t- b", "f:2:1: not YAML: a tab; lines are indented with spaces\n"},
	{"a: \x01", "f:1:4: not a text: control characters are not allowed\n"},
	{"\xc3\xa9: b\n\xc3\xa9: \xff", "f:2:4: not a text: invalid leading UTF-8 octet\n"},
	{PORT ROUTE "---\n" PORT ROUTE, "f:3:1: a second document; a configuration is one document\n"},
	{"[[[[[[[[[[[[[[[[[[", "f:1:17: more than 16 lists and maps inside each other\n"})

TEST_MISTAKES(anchors_aliases_and_tags_are_refused,
	{"a: &x [y]\nb: *x\nc: [*x, *x]",
		"f:1:4: an anchor (&); anchors and aliases cannot be used here\n"
		"f:2:4: an alias (*); anchors and aliases cannot be used here\n"
		"f:3:5: an alias (*); anchors and aliases cannot be used here\n"
		"f:3:9: an alias (*); anchors and aliases cannot be used here\n"},
	{"a: &x {b: *x}",
		"f:1:4: an anchor (&); anchors and aliases cannot be used here\n"
		"f:1:11: an alias (*); anchors and aliases cannot be used here\n"},
	{"a: !!int 5", "f:1:4: a tag (!); tags cannot be used here\n"},
	{"a: !x {}\nb: !y []",
		"f:1:4: a tag (!); tags cannot be used here\n"
		"f:2:4: a tag (!); tags cannot be used here\n"})

TEST_MISTAKES(keys_are_known_there_once_and_words,
	{PORT ROUTE "log: {levl: info}", "f:3:7: log.levl: unknown key; did you mean level?\n"},
	{PORT ROUTE "wrokers: {}", "f:3:1: wrokers: unknown key; did you mean workers?\n"},
	{PORT ROUTE "colour: red", "f:3:1: colour: unknown key\n"},
	{PORT ROUTE "<<: {}", "f:3:1: <<: unknown key\n"},
	{PORT ROUTE "\"a\\e[31mb\\u009b\": c", "f:3:1: a?[31mb?: unknown key\n"},
	{PORT_WITH "  mtu: 1500\n  mtu: 1400\n" ROUTE,
		"f:6:3: ports[0].mtu: is there twice, the first time in line 5\n"},
	{PORT ROUTE "log: {}\nlog: {}", "f:4:1: log: is there twice, the first time in line 3\n"},
	{PORT ROUTE UPSTREAM "  up: {servers: [\"http://h\"]}",
		"f:6:3: upstreams.up: is there twice, the first time in line 4\n"},
	{PORT ROUTE "? [a]\n: b", "f:3:3: a key must be one word, not a list\n"},
	{PORT ROUTE "upstreams:\n  {a: b}: c", "f:4:3: upstreams: a key must be one word, not a map\n"})

TEST_MISTAKES(required_keys_are_there,
	{"{}", "f:1:1: needs the key ports\nf:1:1: needs the key routes\n"},
	{ROUTE "ports: [{}]",
		"f:2:9: ports[0]: needs one of the keys pci, tap, af_packet, af_xdp or memif\n"
		"f:2:9: ports[0]: needs the key addresses\n"
		"f:2:9: ports[0]: needs the key name\n"},
	{ROUTE "ports: []", "f:2:8: ports: is empty; it needs at least one entry\n"},
	{ROUTE "ports:", "f:2:7: ports: has no value; it must be a list of 1 to 16 entries\n"},
	{ROUTE "ports: ~", "f:2:8: ports: has no value; it must be a list of 1 to 16 entries\n"},
	{PORT "routes: [{path: /a}]", "f:2:10: routes[0]: needs the key to\n"},
	{PORT "routes: [{to: builtin:echo}]", "f:2:10: routes[0]: needs the key path\n"},
	{PORT ROUTE "upstreams: {}", "f:3:12: upstreams: is empty; it needs at least one entry\n"},
	{PORT ROUTE "upstreams:\n  up:\n    timeout: 1s\n",
		"f:4:3: upstreams.up: needs the key servers\n"},
	{PORT ROUTE "upstreams:\n  up:\n", "f:4:3: upstreams.up: needs the key servers\n"},
	{PORT ROUTE "upstreams:\n  up:\n    servers: []\n",
		"f:5:14: upstreams.up.servers: is empty; it needs at least one entry\n"})

TEST_MISTAKES(values_have_their_types,
	{PORT ROUTE "workers: [a]", "f:3:10: workers: must be a map of keys, not a list\n"},
	{PORT ROUTE "workers: 4", "f:3:10: workers: must be a map of keys, not one value\n"},
	{ROUTE "ports: {a: b}", "f:2:8: ports: must be a list of 1 to 16 entries, not a map\n"},
	{ROUTE "ports: [a]", "f:2:9: ports[0]: must be a map of keys, not one value\n"},
	{PORT ROUTE "upstreams: [a]", "f:3:12: upstreams: must be a map of 1 to 1024 names, not a list\n"},
	{PORT ROUTE "workers: {exchanges: [64]}",
		"f:3:22: workers.exchanges: must be a whole number, 64 to 1048576, not a list\n"},
	{PORT ROUTE "workers: {exchanges: \"64\"}",
		"f:3:22: workers.exchanges: must be a whole number, 64 to 1048576, without quotes\n"},
	{PORT ROUTE "workers: {exchanges: }",
		"f:3:22: workers.exchanges: has no value; it must be a whole number, 64 to 1048576\n"},
	{PORT ROUTE "workers: {cores: 2}",
		"f:3:18: workers.cores: must be a list of CPU numbers and ranges, at most 64 CPUs, not one value\n"},
	{PORT ROUTE "workers: {cores: [[2]]}",
		"f:3:19: workers.cores[0]: must be a number or a range, not a list\n"},
	{PORT "routes: [{path: /*, to: builtin:echo, methods: GET}]",
		"f:2:48: routes[0].methods: must be a list of GET, POST, PUT, DELETE, FETCH, PATCH or iPATCH, not one value\n"},
	{PORT "routes: [{path: /*, to: builtin:echo, methods: [[GET]]}]",
		"f:2:49: routes[0].methods[0]: must be GET, POST, PUT, DELETE, FETCH, PATCH or iPATCH, not a list\n"},
	{PORT "\"routes\\0x\": [{path: /a, to: builtin:echo, methods: [\"GET\\0x\"]}]",
		"f:2:1: a word with a NUL character in it\n"
		"f:2:54: a word with a NUL character in it\n"},
	{PORT ROUTE "runtime: \"/a\\nb\"", "f:3:10: runtime: has a control character in it\n"})

TEST_MISTAKES(numbers_are_whole_and_in_range,
	{PORT_WITH "  mtu: 1279\n" ROUTE,
		"f:5:8: ports[0].mtu: must be a whole number, 1280 to 9000, not \"1279\"\n"},
	{PORT_WITH "  mtu: 9001\n" ROUTE,
		"f:5:8: ports[0].mtu: must be a whole number, 1280 to 9000, not \"9001\"\n"},
	{PORT_WITH "  coap: 65536\n" ROUTE,
		"f:5:9: ports[0].coap: must be a whole number, 1 to 65535, not \"65536\"\n"},
	{PORT_WITH "  coap: -1\n" ROUTE,
		"f:5:9: ports[0].coap: must be a whole number, 1 to 65535, not \"-1\"\n"},
	{PORT_WITH "  coap: 0x10\n" ROUTE,
		"f:5:9: ports[0].coap: must be a whole number, 1 to 65535, not \"0x10\"\n"},
	{PORT_WITH "  coap: 0123\n" ROUTE,
		"f:5:9: ports[0].coap: must be a whole number, 1 to 65535, not \"0123\"\n"},
	{PORT_WITH "  coap: 5683 x\n" ROUTE,
		"f:5:9: ports[0].coap: must be a whole number, 1 to 65535, not \"5683 x\"\n"},
	{PORT_WITH "  coap: 18446744073709557299\n" ROUTE, // 2^64 + 5683
		"f:5:9: ports[0].coap: must be a whole number, 1 to 65535, not \"18446744073709557299\"\n"})

TEST_MISTAKES(quantities_have_units,
	{PORT ROUTE UPSTREAM "    timeout: 3",
		"f:6:14: upstreams.up.timeout: must be a time with its unit (ms, s, m, h), 1ms to 1h, not \"3\"\n"},
	{PORT ROUTE UPSTREAM "    timeout: 1.5s",
		"f:6:14: upstreams.up.timeout: must be a time with its unit (ms, s, m, h), 1ms to 1h, not \"1.5s\"\n"},
	{PORT ROUTE UPSTREAM "    timeout: 3 s",
		"f:6:14: upstreams.up.timeout: must be a time with its unit (ms, s, m, h), 1ms to 1h, not \"3 s\"\n"},
	{PORT ROUTE UPSTREAM "    timeout: 61m",
		"f:6:14: upstreams.up.timeout: must be a time with its unit (ms, s, m, h), 1ms to 1h, not \"61m\"\n"},
	{PORT ROUTE UPSTREAM "    timeout: 0s",
		"f:6:14: upstreams.up.timeout: must be a time with its unit (ms, s, m, h), 1ms to 1h, not \"0s\"\n"},
	{PORT ROUTE UPSTREAM "    max_body: 64",
		"f:6:15: upstreams.up.max_body: must be a size with its unit (B, KB, MB, GB), 1B to 64MB, not \"64\"\n"},
	{PORT ROUTE UPSTREAM "    max_body: 64kb",
		"f:6:15: upstreams.up.max_body: must be a size with its unit (B, KB, MB, GB), 1B to 64MB, not \"64kb\"\n"},
	{PORT ROUTE UPSTREAM "    max_body: 17179869185GB", // 2^64 + 2^30
		"f:6:15: upstreams.up.max_body: must be a size with its unit (B, KB, MB, GB), 1B to 64MB, not \"17179869185GB\"\n"},
	{PORT ROUTE "workers: {answers: 512KB}",
		"f:3:20: workers.answers: must be a size with its unit (B, KB, MB, GB), 1MB to 16GB, not \"512KB\"\n"})

TEST_MISTAKES(words_and_forms_are_checked,
	{PORT ROUTE "workers: {mode: Poll}", "f:3:17: workers.mode: must be adaptive or poll, not \"Poll\"\n"},
	{PORT ROUTE UPSTREAM "    tls: {verify: maybe}",
		"f:6:5: upstreams.up.tls: has no use, since no server is https or h2\n"
		"f:6:19: upstreams.up.tls.verify: must be true or false, not \"maybe\"\n"},
	{PORT ROUTE "control: {mode: 660x}",
		"f:3:17: control.mode: must be permissions in octal such as \"0660\", not \"660x\"\n"},
	{PORT ROUTE "control: {mode: \"4755\"}",
		"f:3:17: control.mode: must be permissions in octal such as \"0660\", not \"4755\"\n"},
	{PORT ROUTE "control: {group: \"a b\"}",
		"f:3:18: control.group: must be the name of a group, at most 32 bytes, not \"a b\"\n"},
	{PORT ROUTE "control: {socket: run/x}",
		"f:3:19: control.socket: must be an absolute path, at most 107 bytes, not \"run/x\"\n"},
	{PORT ROUTE "devices: {kek: secret}",
		"f:3:16: devices.kek: must be credential or the absolute path of a file, at most 1024 bytes, not \"secret\"\n"},
	{PORT ROUTE "devices: {replay: 4.02}", "f:3:19: devices.replay: must be silent or 4.01, not \"4.02\"\n"},
	{PORT ROUTE "devices: {ack_timeout: 90s}", "f:3:24: devices.ack_timeout: must be a time with its unit (ms, s, m, h), 1s to 1m, not \"90s\"\n"},
	{PORT ROUTE "devices: {max_in_flight: 256}", "f:3:26: devices.max_in_flight: must be a whole number, 1 to 255, not \"256\"\n"},
	{PORT ROUTE "devices: {max_message: 63}", "f:3:24: devices.max_message: must be a whole number, 64 to 9216, not \"63\"\n"},
	{PORT ROUTE "devices: {max_in_flight: 26}\nworkers: {exchanges: 100}", "f:3:26: devices.max_in_flight: must be at most a quarter of workers.exchanges, 25\n"},
	{PORT ROUTE "devices: {rate: -1}", "f:3:17: devices.rate: must be a whole number, 0 to 1000, not \"-1\"\n"},
	{PORT ROUTE "runtime: run", "f:3:10: runtime: must be an absolute path, at most 1024 bytes, not \"run\"\n"},
	{PORT ROUTE "workers: {isa: AVX}",
		"f:3:16: workers.isa: must be auto or the name of an engine, at most 31 bytes, not \"AVX\"\n"},
	{ROUTE "ports: [{name: Wan, tap: t0, addresses: [192.0.2.1/24]}]",
		"f:2:16: ports[0].name: must be a name of lower-case letters, digits, - and _ that begins with a letter, at most 15 bytes, not \"Wan\"\n"},
	{ROUTE "ports: [{name: a, tap: a/b, addresses: [192.0.2.1/24]}]",
		"f:2:24: ports[0].tap: must be the name of a network device, at most 15 bytes, not \"a/b\"\n"},
	{ROUTE "ports: [{name: a, tap: abcdefghijklmnop, addresses: [192.0.2.1/24]}]",
		"f:2:24: ports[0].tap: must be the name of a network device, at most 15 bytes, not \"abcdefghijklmnop\"\n"},
	{ROUTE "ports: [{name: a, pci: \"01:00.0\", addresses: [192.0.2.1/24]}]",
		"f:2:24: ports[0].pci: must be a PCI address in lower case such as \"0000:01:00.0\", at most 12 bytes, not \"01:00.0\"\n"},
	{ROUTE "ports: [{name: a, memif: \"/a,id=1\", addresses: [192.0.2.1/24]}]",
		"f:2:26: ports[0].memif: must be an absolute path of letters, digits, _, -, . and /, at most 107 bytes, not \"/a,id=1\"\n"},
	{PORT ROUTE "upstreams: {\"a b\": {servers: [\"http://h\"]}}",
		"f:3:13: upstreams.a b: must be a name of letters, digits, _, . and - (those with builtin:, none and gone are there already), at most 63 bytes, not \"a b\"\n"},
	{PORT ROUTE "upstreams: {\"builtin:echo\": {servers: [\"http://h\"]}}",
		"f:3:13: upstreams.builtin:echo: must be a name of letters, digits, _, . and - (those with builtin:, none and gone are there already), at most 63 bytes, not \"builtin:echo\"\n"})

TEST_MISTAKES(a_listener_has_an_address_or_a_path,
	{PORT ROUTE "metrics: {listen: \"127.0.0.1\"}",
		"f:3:19: metrics.listen: must be off, ADDRESS:PORT with an IPv6 address in brackets that is not link-local, or the absolute path of a UNIX socket, at most 107 bytes, not \"127.0.0.1\"\n"},
	{PORT ROUTE "metrics: {listen: \"127.0.0.1:0\"}",
		"f:3:19: metrics.listen: must be off, ADDRESS:PORT with an IPv6 address in brackets that is not link-local, or the absolute path of a UNIX socket, at most 107 bytes, not \"127.0.0.1:0\"\n"},
	{PORT ROUTE "metrics: {listen: \"127.0.0.1:65536\"}",
		"f:3:19: metrics.listen: must be off, ADDRESS:PORT with an IPv6 address in brackets that is not link-local, or the absolute path of a UNIX socket, at most 107 bytes, not \"127.0.0.1:65536\"\n"},
	{PORT ROUTE "metrics: {listen: \"127.0.0.1:0080\"}",
		"f:3:19: metrics.listen: must be off, ADDRESS:PORT with an IPv6 address in brackets that is not link-local, or the absolute path of a UNIX socket, at most 107 bytes, not \"127.0.0.1:0080\"\n"},
	{PORT ROUTE "metrics: {listen: \"::1:9683\"}",
		"f:3:19: metrics.listen: must be off, ADDRESS:PORT with an IPv6 address in brackets that is not link-local, or the absolute path of a UNIX socket, at most 107 bytes, not \"::1:9683\"\n"},
	{PORT ROUTE "metrics: {listen: \"[::1]9683\"}",
		"f:3:19: metrics.listen: must be off, ADDRESS:PORT with an IPv6 address in brackets that is not link-local, or the absolute path of a UNIX socket, at most 107 bytes, not \"[::1]9683\"\n"},
	{PORT ROUTE "metrics: {listen: \"[127.0.0.1]:80\"}",
		"f:3:19: metrics.listen: must be off, ADDRESS:PORT with an IPv6 address in brackets that is not link-local, or the absolute path of a UNIX socket, at most 107 bytes, not \"[127.0.0.1]:80\"\n"},
	{PORT ROUTE "metrics: {listen: \"[fe80::1]:9683\"}",
		"f:3:19: metrics.listen: must be off, ADDRESS:PORT with an IPv6 address in brackets that is not link-local, or the absolute path of a UNIX socket, at most 107 bytes, not \"[fe80::1]:9683\"\n"},
	{PORT ROUTE "metrics: {listen: \"localhost:9683\"}",
		"f:3:19: metrics.listen: must be off, ADDRESS:PORT with an IPv6 address in brackets that is not link-local, or the absolute path of a UNIX socket, at most 107 bytes, not \"localhost:9683\"\n"},
	{PORT ROUTE "metrics: {listen: \"*:9683\"}",
		"f:3:19: metrics.listen: must be off, ADDRESS:PORT with an IPv6 address in brackets that is not link-local, or the absolute path of a UNIX socket, at most 107 bytes, not \"*:9683\"\n"},
	{PORT ROUTE "metrics: {listen: \"/\"}",
		"f:3:19: metrics.listen: must be off, ADDRESS:PORT with an IPv6 address in brackets that is not link-local, or the absolute path of a UNIX socket, at most 107 bytes, not \"/\"\n"},
	{PORT ROUTE "metrics: {listen: \"no\"}",
		"f:3:19: metrics.listen: must be off, ADDRESS:PORT with an IPv6 address in brackets that is not link-local, or the absolute path of a UNIX socket, at most 107 bytes, not \"no\"\n"},
	{PORT ROUTE "metrics: {listen: \"[::1:80\"}",
		"f:3:19: metrics.listen: must be off, ADDRESS:PORT with an IPv6 address in brackets that is not link-local, or the absolute path of a UNIX socket, at most 107 bytes, not \"[::1:80\"\n"},
	{PORT ROUTE "metrics: {listen: \"[]:80\"}",
		"f:3:19: metrics.listen: must be off, ADDRESS:PORT with an IPv6 address in brackets that is not link-local, or the absolute path of a UNIX socket, at most 107 bytes, not \"[]:80\"\n"},
	{PORT ROUTE "metrics: {listen: \"[:80\"}",
		"f:3:19: metrics.listen: must be off, ADDRESS:PORT with an IPv6 address in brackets that is not link-local, or the absolute path of a UNIX socket, at most 107 bytes, not \"[:80\"\n"},
	{PORT ROUTE "metrics: {hosts: [a.example, \"b:80\"]}",
		"f:3:30: metrics.hosts[1]: must be a host name or address, at most 253 bytes, not \"b:80\"\n"},
	{PORT ROUTE "upstreams: {none: {servers: [\"http://h\"]}}",
		"f:3:13: upstreams.none: must be a name of letters, digits, _, . and - (those with builtin:, none and gone are there already), at most 63 bytes, not \"none\"\n"})

TEST_MISTAKES(a_port_is_of_one_kind,
	{PORT_WITH "  pci: \"0000:01:00.0\"\n" ROUTE, "f:5:3: ports[0].pci: cannot stand beside tap\n"},
	{PORT_WITH "  memif: /a\n  af_xdp: eth0\n" ROUTE,
		"f:5:3: ports[0].memif: cannot stand beside tap\n"
		"f:6:3: ports[0].af_xdp: cannot stand beside tap\n"},
	{ROUTE "ports: [{name: a, addresses: [192.0.2.1/24]}]",
		"f:2:9: ports[0]: needs one of the keys pci, tap, af_packet, af_xdp or memif\n"},
	{PORT_WITH "  memif_role: client\n" ROUTE, "f:5:15: ports[0].memif_role: has no use without memif\n"},
	{ROUTE "ports: [{name: a, af_xdp: e0, addresses: [192.0.2.1/24], kernel: k}]",
		"f:2:66: ports[0].kernel: has no use with af_xdp, where the kernel keeps all that is not CoAP\n"})

TEST_MISTAKES(ports_do_not_share_names_devices_and_addresses,
	{PORT_WITH "- {name: a, tap: t1, addresses: [192.0.2.2/24]}\n" ROUTE,
		"f:5:10: ports[1].name: a is the name of the port in line 2, too\n"},
	{PORT_WITH "- {name: b, tap: t0, addresses: [192.0.2.2/24]}\n" ROUTE,
		"f:5:18: ports[1]: t0 is the device of the port in line 2, too\n"},
	{PORT_WITH "- {name: b, af_packet: t0, addresses: [192.0.2.2/24]}\n" ROUTE,
		"f:5:24: ports[1]: t0 is the device of the port in line 2, too\n"},
	{PORT_WITH "- {name: b, tap: t1, kernel: pn-a, addresses: [192.0.2.2/24]}\n" ROUTE,
		"f:5:30: ports[1].kernel: pn-a is the kernel TAP of the port in line 2, too\n"},
	{PORT_WITH "- {name: b, tap: t1, kernel: t0, addresses: [192.0.2.2/24]}\n" ROUTE,
		"f:5:30: ports[1].kernel: t0 is the device of the port in line 2\n"},
	{PORT_WITH "- {name: b, tap: pn-a, addresses: [192.0.2.2/24]}\n" ROUTE,
		"f:2:9: ports[0].kernel: pn-a is the device of the port in line 5\n"},
	{PORT_WITH "- {name: thirteenchars, tap: t1, addresses: [192.0.2.2/24]}\n" ROUTE,
		"f:5:10: ports[1].kernel: is needed, since the default pn-thirteenchars has more than 15 bytes\n"},
	{PORT_WITH "- {name: b, tap: t1, addresses: [192.0.2.1/16]}\n" ROUTE,
		"f:5:34: ports[1].addresses[0]: the address stands in line 4 already\n"},
	{PORT_WITH "- {name: b, tap: t1, addresses: [\"2001:db8::1/64\", \"2001:DB8:0::1/64\"]}\n" ROUTE,
		"f:5:52: ports[1].addresses[1]: the address stands in line 5 already\n"})

TEST_MISTAKES(addresses_are_those_of_an_interface,
	{ROUTE "ports: [{name: a, tap: t0, addresses: [192.0.2.1]}]",
		"f:2:40: ports[0].addresses[0]: needs the length of the network's prefix, such as \"192.0.2.1/24\"\n"},
	{ROUTE "ports: [{name: a, tap: t0, addresses: [\"::ffff:1.2.3.4/96\", \"fe80::1\"]}]",
		"f:2:40: ports[0].addresses[0]: must be an address that a network interface can have\n"
		"f:2:61: ports[0].addresses[1]: needs the length of the network's prefix, such as \"fe80::1/64\"\n"},
	{ROUTE "ports: [{name: a, tap: t0, addresses: [1.2.3/24, 192.0.2.1/33, 192.0.2.1/0, 1.2.3.4/]}]",
		"f:2:40: ports[0].addresses[0]: must be an address with the length of its network's prefix, such as 192.0.2.1/24 or 2001:db8::1/64, not \"1.2.3/24\"\n"
		"f:2:50: ports[0].addresses[1]: has a prefix length that is not 1 to 32: \"/33\"\n"
		"f:2:64: ports[0].addresses[2]: has a prefix length that is not 1 to 32: \"/0\"\n"
		"f:2:77: ports[0].addresses[3]: has a prefix length that is not 1 to 32: \"/\"\n"},
	{ROUTE "ports: [{name: a, tap: t0, addresses: [192.0.2.0/24, 192.0.2.255/24, 127.0.0.1/8, 224.0.0.1/8, 0.0.0.0/8]}]",
		"f:2:40: ports[0].addresses[0]: is the address of the network itself, not of a host in it\n"
		"f:2:54: ports[0].addresses[1]: is the broadcast address of its network\n"
		"f:2:70: ports[0].addresses[2]: must be an address that a network interface can have\n"
		"f:2:83: ports[0].addresses[3]: must be an address that a network interface can have\n"
		"f:2:96: ports[0].addresses[4]: must be an address that a network interface can have\n"},
	{ROUTE "ports: [{name: a, tap: t0, addresses: [\"::/64\", \"::1/128\", \"ff02::1/16\", \"fe80::1/129\"]}]",
		"f:2:40: ports[0].addresses[0]: must be an address that a network interface can have\n"
		"f:2:49: ports[0].addresses[1]: must be an address that a network interface can have\n"
		"f:2:60: ports[0].addresses[2]: must be an address that a network interface can have\n"
		"f:2:74: ports[0].addresses[3]: has a prefix length that is not 1 to 128: \"/129\"\n"})

TEST_MISTAKES(each_core_is_listed_once,
	{PORT ROUTE "workers: {cores: []}", "f:3:18: workers.cores: is empty; it needs at least one entry\n"},
	{PORT ROUTE "workers: {cores: [1, 2-3, 3]}", "f:3:27: workers.cores: CPU 3 is in the list twice, which only share_cpus allows\n"},
	{PORT ROUTE "workers: {cores: [1-5]}", "f:3:19: workers.cores: a TAP port serves at most 4 workers\n"},
	{PORT ROUTE "workers: {share_cpus: true, cores: [1, 1], mode: poll}",
		"f:3:50: workers.mode: poll would keep the CPU from the workers that share it\n"},
	{PORT ROUTE "workers: {cores: [5-2]}",
		"f:3:19: workers.cores[0]: is a range that ends before it starts: \"5-2\"\n"},
	{PORT ROUTE "workers: {cores: [x, 1-, 1024, -1]}",
		"f:3:19: workers.cores[0]: must be the number of a CPU, 0 to 1023, or a range such as 2-5, not \"x\"\n"
		"f:3:22: workers.cores[1]: must be the number of a CPU, 0 to 1023, or a range such as 2-5, not \"1-\"\n"
		"f:3:26: workers.cores[2]: must be the number of a CPU, 0 to 1023, or a range such as 2-5, not \"1024\"\n"
		"f:3:32: workers.cores[3]: must be the number of a CPU, 0 to 1023, or a range such as 2-5, not \"-1\"\n"},
	{PORT ROUTE "workers: {cores: [0-64]}", "f:3:19: workers.cores: a TAP port serves at most 4 workers\nf:3:19: workers.cores[0]: has more than 64 CPUs\n"})

TEST_MISTAKES(health_checks,
	{PORT ROUTE UPSTREAM "    check: {interval: 1s}", "f:6:5: upstreams.up.check: needs the key path\n"},
	{PORT ROUTE UPSTREAM "    check: {path: healthz}",
		"f:6:19: upstreams.up.check.path: must be the path of a URL, maybe with a query, such as /healthz, at most 1024 bytes, not \"healthz\"\n"},
	{PORT ROUTE UPSTREAM "    check: {path: /a, rise: 0}",
		"f:6:29: upstreams.up.check.rise: must be a whole number, 1 to 1000, not \"0\"\n"},
	{PORT ROUTE UPSTREAM "    eject: {max_percent: 101%}",
		"f:6:26: upstreams.up.eject.max_percent: must be a share such as 20%, 0% to 100%, not \"101%\"\n"},
	{PORT ROUTE UPSTREAM "    retries: {budget: 20}",
		"f:6:23: upstreams.up.retries.budget: must be a share such as 20%, 0% to 100%, not \"20\"\n"})

TEST_MISTAKES(upstreams_make_sense,
	{PORT ROUTE "upstreams: {u: {servers: [\"http://h/\", \"http://h:80\", \"http://h/x\"]}}",
		"f:3:40: upstreams.u.servers[1]: the server stands in line 3 already\n"},
	{PORT ROUTE "upstreams: {u: {servers: [\"http+unix:/a\", \"http+unix:/b\", \"http+unix:/a\"]}}",
		"f:3:59: upstreams.u.servers[2]: the server stands in line 3 already\n"},
	{PORT ROUTE "upstreams: {u: {servers: [\"h2c://h\", \"h2c://h:80/\"]}}",
		"f:3:38: upstreams.u.servers[1]: the server stands in line 3 already\n"},
	{PORT ROUTE "upstreams: {u: {servers: [\"h2c://h\", \"http://h\", \"h2://h\"]}}",
		"f:3:38: upstreams.u.servers[1]: is HTTP/1.1, but the server in line 3 is HTTP/2; "
		"an upstream has either\n"},
	{PORT ROUTE "upstreams: {u: {servers: [{url: \"http://h\", weight: 257}]}}",
		"f:3:53: upstreams.u.servers[0].weight: must be a whole number, 0 to 256, not \"257\"\n"},
	{PORT ROUTE "upstreams: {u: {servers: [{url: h, weight: 1}]}}",
		"f:3:33: upstreams.u.servers[0].url: must be http://, https://, h2c:// or h2:// with "
		"HOST:PORT, or http+unix:/PATH or h2c+unix:/PATH, not \"h\"\n"},
	{PORT ROUTE "upstreams: {u: {servers: [{weight: 2}]}}",
		"f:3:27: upstreams.u.servers[0]: needs the key url\n"},
	{PORT ROUTE "upstreams: {u: {servers: [{url: \"http://a\", weight: 0}, {url: \"http://b\", weight: 0}]}}",
		"f:3:26: upstreams.u.servers: none gets requests, since all have weight 0\n"},
	{PORT ROUTE "upstreams: {u: {servers: [[\"http://a\"]]}}",
		"f:3:27: upstreams.u.servers[0]: must be a map of keys, not a list\n"},
	{PORT ROUTE "upstreams: {u: {servers: [\"http://a\", {url: \"http://a\", weight: 3}]}}",
		"f:3:45: upstreams.u.servers[1]: the server stands in line 3 already\n"},
	{PORT ROUTE "upstreams: {u: {servers: [\"h2c://h\"], tls: {ca: /ca}}}",
		"f:3:39: upstreams.u.tls: has no use, since no server is https or h2\n"},
	{PORT ROUTE UPSTREAM "    tls: {ca: /ca}", "f:6:5: upstreams.up.tls: has no use, since no server is https or h2\n"},
	{PORT ROUTE "upstreams: {u: {servers: [\"https://h\"], tls: {cert: /c}}}",
		"f:3:53: upstreams.u.tls.cert: needs \"key\" beside it\n"},
	{PORT ROUTE "upstreams: {u: {servers: [\"https://h\"], tls: {key: /c}}}",
		"f:3:52: upstreams.u.tls.key: needs \"cert\" beside it\n"})

// No message has a value, which may be a secret that somebody put there.
TEST_MISTAKES(headers_make_sense,
	{PORT ROUTE UPSTREAM "    headers: {}", "f:6:14: upstreams.up.headers: is empty; it needs at least one entry\n"},
	{PORT ROUTE UPSTREAM "    headers: [a]", "f:6:14: upstreams.up.headers: must be a map of 1 to 8 names, not a list\n"},
	{PORT ROUTE UPSTREAM "    headers: {A: 1, B: 1, C: 1, D: 1, E: 1, F: 1, G: 1, H: 1, I: 1}",
		"f:6:14: upstreams.up.headers: has 9 entries; there can be at most 8\n"},
	{PORT ROUTE UPSTREAM "    headers: {A: }", "f:6:15: upstreams.up.headers.A: needs one of the keys text or file\n"},
	{PORT ROUTE UPSTREAM "    headers: {A: []}", "f:6:18: upstreams.up.headers.A: must be a map of keys, not a list\n"},
	{PORT ROUTE UPSTREAM "    headers: {A: {text: s3cret, file: /f}}",
		"f:6:33: upstreams.up.headers.A.file: cannot stand beside text\n"},
	{PORT ROUTE UPSTREAM "    headers: {A: {file: f}}",
		"f:6:25: upstreams.up.headers.A.file: must be an absolute path, at most 1024 bytes, not \"f\"\n"},
	{PORT ROUTE UPSTREAM "    headers: {A: \"s3cret \"}",
		"f:6:18: upstreams.up.headers.A: must be visible ASCII characters, with blanks only between them, "
		"at most 3072 bytes\n"},
	{PORT ROUTE UPSTREAM "    headers: {A: {text: \"s3cr\xc3\xa9t\"}}",
		"f:6:25: upstreams.up.headers.A.text: must be visible ASCII characters, with blanks only between "
		"them, at most 3072 bytes\n"},
	{PORT ROUTE UPSTREAM "    headers: {A: \"s3cret\\r\\nHost: x\"}",
		"f:6:18: upstreams.up.headers.A: has a control character in it\n"},
	{PORT ROUTE UPSTREAM "    headers: {\"A:\": s3cret}",
		"f:6:15: upstreams.up.headers.A:: must be the name of a header, at most 63 bytes, not \"A:\"\n"},
	{PORT ROUTE UPSTREAM "    headers: {host: s3cret, Device-ID: s3cret, te: s3cret, Content-length: s3cret}",
		"f:6:15: upstreams.up.headers.host: is a header that postern sets itself, or never sends\n"
		"f:6:29: upstreams.up.headers.Device-ID: is a header that postern sets itself, or never sends\n"
		"f:6:48: upstreams.up.headers.te: is a header that postern sets itself, or never sends\n"
		"f:6:60: upstreams.up.headers.Content-length: is a header that postern sets itself, or never sends\n"},
	{PORT ROUTE UPSTREAM "    headers: {oscore: 1, Content-range: 1}",
		"f:6:15: upstreams.up.headers.oscore: is a header that postern sets itself, or never sends\n"
		"f:6:26: upstreams.up.headers.Content-range: is a header that postern sets itself, or never sends\n"},
	{PORT ROUTE UPSTREAM "    headers: {X-A: 1, x-a: 2}",
		"f:6:23: upstreams.up.headers.x-a: stands in line 6 already\n"},
	{PORT ROUTE UPSTREAM "    headers: {X-A: 1, X-A: 2}",
		"f:6:23: upstreams.up.headers.X-A: is there twice, the first time in line 6\n"},
	{PORT UPSTREAM "routes: [{path: /a, to: up, headers: {Connection: close}}]",
		"f:5:39: routes[0].headers.Connection: is a header that postern sets itself, or never sends\n"},
	{PORT "routes: [{path: /a, to: builtin:echo, headers: {A: b}}]",
		"f:2:48: routes[0].headers: has no use with builtin:echo\n"})

TEST_MISTAKES(formats_and_statuses,
	{PORT UPSTREAM "routes: [{path: /a, to: up, content_formats: [60, 65536, 60, cbor]}]",
		"f:5:51: routes[0].content_formats[1]: must be a whole number, 0 to 65535, not \"65536\"\n"
		"f:5:62: routes[0].content_formats[3]: must be a whole number, 0 to 65535, not \"cbor\"\n"},
	{PORT UPSTREAM "routes: [{path: /a, to: up, content_formats: [60, 50, 60]}]",
		"f:5:55: routes[0].content_formats: 60 is in the list twice\n"},
	{PORT UPSTREAM "routes: [{path: /a, to: up, methods: [GET, DELETE], content_formats: [60]}]",
		"f:5:70: routes[0].content_formats: has no use, since no method of the route has a payload\n"},
	{PORT UPSTREAM "routes: [{path: /a, to: up, status: {200: 4.00, 304: 4.00, 404: 2.05, 405: 4.0, 500: 5.03}}]",
		"f:5:38: routes[0].status.200: must be an HTTP status, 300 to 599 but 304, at most 3 bytes, not \"200\"\n"
		"f:5:49: routes[0].status.304: must be an HTTP status, 300 to 599 but 304, at most 3 bytes, not \"304\"\n"
		"f:5:65: routes[0].status.404: must be the code of an error of CoAP such as 4.04 or 5.03, at most 4 bytes, not \"2.05\"\n"
		"f:5:76: routes[0].status.405: must be the code of an error of CoAP such as 4.04 or 5.03, at most 4 bytes, not \"4.0\"\n"},
	{PORT "routes: [{path: /a, to: builtin:echo, status: {404: 4.00}}]",
		"f:2:47: routes[0].status: has no use with builtin:echo\n"})

TEST_MISTAKES(the_list_of_routes,
	{PORT "routes: [{path: /c, to: builtin:core, methods: [GET, POST]}]",
		"f:2:48: routes[0].methods: must be GET alone with builtin:core\n"},
	{PORT "routes: [{path: /c, to: builtin:core, timeout: 1s}]",
		"f:2:48: routes[0].timeout: has no use with builtin:core\n"},
	{PORT "routes: [{path: /a, to: builtin:echo, rt: 'a  b', if: 'a*', description: 'a\"b'}]",
		"f:2:43: routes[0].rt: must be words of visible ASCII but \", \\ and *, with one blank between two, at most 120 bytes, not \"a  b\"\n"
		"f:2:55: routes[0].if: must be words of visible ASCII but \", \\ and *, with one blank between two, at most 120 bytes, not \"a*\"\n"
		"f:2:74: routes[0].description: must be text without \" and \\, at most 120 bytes, not \"a\"b\"\n"})

TEST_MISTAKES(policies,
	{PORT ROUTE "policies: {}\n",
		"f:3:11: policies: is empty; it needs at least one entry\n"},
	{PORT ROUTE "policies: {a: {}}\n", "f:3:12: policies.a: needs the key allow\n"},
	{PORT ROUTE "policies: {-a: {allow: []}, a b: {allow: []}}\n",
		"f:3:12: policies.-a: must be a name of letters, digits, _, . and - that does not begin with -, at most 63 bytes, not \"-a\"\n"
		"f:3:29: policies.a b: must be a name of letters, digits, _, . and - that does not begin with -, at most 63 bytes, not \"a b\"\n"},
	{PORT ROUTE "policies: {a: {allow: [{methods: [GET]}]}, a: {allow: []}}\n",
		"f:3:24: policies.a.allow[0]: needs the key path\n"
		"f:3:44: policies.a: is there twice, the first time in line 3\n"},
	{PORT ROUTE "policies: {a: {allow: [{path: x, methods: []}]}}\n",
		"f:3:31: policies.a.allow[0].path: must begin with a slash, unlike \"x\"\n"
		"f:3:43: policies.a.allow[0].methods: is empty; it needs at least one entry\n"})

TEST_MISTAKES(routes_make_sense,
	{PORT UPSTREAM "routes: [{path: /a, to: upp}]",
		"f:5:25: routes[0].to: there is no upstream \"upp\"\n"},
	{PORT "upstreams: {telemetry: {servers: [\"http://h\"]}}\nroutes: [{path: /a, to: telemtry}]",
		"f:3:25: routes[0].to: there is no upstream \"telemtry\"; did you mean telemetry?\n"},
	{PORT "routes: [{path: /a, to: builtin:ecoh}]",
		"f:2:25: routes[0].to: there is no upstream \"builtin:ecoh\"; did you mean builtin:echo?\n"},
	{PORT "routes: [{path: /a, to: builtin:echo, translate: cbor-json}]",
		"f:2:50: routes[0].translate: has no use with builtin:echo\n"},
	{PORT UPSTREAM "routes: [{path: /a, to: up, translate: json-cbor}]",
		"f:5:40: routes[0].translate: must be none or cbor-json, not \"json-cbor\"\n"},
	{PORT "routes: [{path: /a, to: builtin:echo, timeout: 1s, host: h, prefix: /p}]",
		"f:2:48: routes[0].timeout: has no use with builtin:echo\n"
		"f:2:58: routes[0].host: has no use with builtin:echo\n"
		"f:2:69: routes[0].prefix: has no use with builtin:echo\n"},
	{PORT "routes: [{path: /a, to: builtin:echo, cache: shared}]",
		"f:2:39: routes[0].cache: has no use with builtin:echo\n"},
	{PORT UPSTREAM "routes: [{path: /a, to: up, cache: public}]",
		"f:5:36: routes[0].cache: must be private or shared, not \"public\"\n"},
	{PORT UPSTREAM "routes: [{path: /a, to: up, cache: {default: 5s}}]",
		"f:5:29: routes[0].cache: needs the key scope\n"},
	{PORT UPSTREAM "routes: [{path: /a, to: up, methods: [POST], cache: shared}]",
		"f:5:46: routes[0].cache: has no use without GET or FETCH\n"},
	{PORT UPSTREAM "routes: [{path: /a, to: up, methods: [GET], cache: shared}, "
		       "{path: /a, to: up, methods: [FETCH], cache: private}]",
		"f:5:98: routes[1].cache: must be the same for all routes of the path that take "
		"GET or FETCH, see line 5\n"},
	{PORT UPSTREAM "routes: [{path: /a, to: up, methods: [GET], cache: shared}, "
		       "{path: /a, to: up, methods: [FETCH]}]",
		"f:5:45: routes[0].cache: must be the same for all routes of the path that take "
		"GET or FETCH, see line 5\n"},
	{PORT "routes: [{path: /a, to: builtin:echo, batch: {path: /i}}]",
		"f:2:39: routes[0].batch: has no use with builtin:echo\n"},
	{PORT UPSTREAM "routes: [{path: /a, to: up, batch: {max: 3}}]",
		"f:5:29: routes[0].batch: needs the key path\n"},
	{PORT UPSTREAM "routes: [{path: /a, to: up, methods: [GET], batch: {path: /i}}]",
		"f:5:45: routes[0].batch: has no use without POST or PUT\n"},
	{PORT UPSTREAM "routes: [{path: /a, to: up, timeout: 1s, batch: {path: /i, wait: 501ms}}]",
		"f:5:66: routes[0].batch.wait: must be at most half of the route's timeout, 500 ms\n"},
	{PORT UPSTREAM "routes: [{path: /a, to: up, timeout: 10ms, batch: {path: /i}}]",
		"f:5:44: routes[0].batch.wait: must be at most half of the route's timeout, 5 ms\n"},
	{PORT UPSTREAM "routes: [{path: /a, to: up, batch: {path: i, bytes: 1KB, max: 0, format: xml}}]",
		"f:5:43: routes[0].batch.path: must be the path of a URL, maybe with a query, such as /healthz, at most 1024 bytes, not \"i\"\n"
		"f:5:53: routes[0].batch.bytes: must be a size with its unit (B, KB, MB, GB), 4KB to 1MB, not \"1KB\"\n"
		"f:5:63: routes[0].batch.max: must be a whole number, 1 to 4096, not \"0\"\n"
		"f:5:74: routes[0].batch.format: must be cloudevents, ndjson, cbor-seq, es-bulk or influx, not \"xml\"\n"},
	{PORT UPSTREAM "routes: [{path: /a/*, to: up, strip: 2}]",
		"f:5:38: routes[0].strip: cuts off more than the 1 segments that the path has for sure\n"},
	{PORT "routes:\n- {path: /*, to: builtin:echo}\n- {path: /a, to: builtin:echo}",
		"f:4:10: routes[1].path: is never reached, since the route in line 3 takes all its requests\n"},
	{PORT "routes:\n- {path: /*/b, to: builtin:echo}\n- {path: /a/b, methods: [GET], to: builtin:echo}",
		"f:4:10: routes[1].path: is never reached, since the route in line 3 takes all its requests\n"},
	{PORT "routes: [{path: /a, to: builtin:echo, methods: []}]",
		"f:2:48: routes[0].methods: is empty; it needs at least one entry\n"},
	{PORT "routes: [{path: /a, to: builtin:echo, methods: [GET, get, GET]}]",
		"f:2:54: routes[0].methods[1]: must be GET, POST, PUT, DELETE, FETCH, PATCH or iPATCH, not \"get\"\n"
		"f:2:59: routes[0].methods[2]: GET is in the list twice\n"})
// clang-format on

Test(conf_mistakes, all_are_told_in_the_order_of_the_file_up_to_a_bound)
{
	char text[4096] = PORT_WITH;
	size_t len = strlen(text);

	for (unsigned i = 0; i < CONF_ERRORS_MAX + 5; i++)
		len += snprintf(text + len, sizeof(text) - len, "  k%u: v\n", i);
	char *said = said_of(text, len), *line = said;
	for (unsigned i = 0; i < CONF_ERRORS_MAX; i++) {
		unsigned at = 0;
		// The missing routes are told first: their place is the start of the file.
		sscanf(line, "f:%u:", &at);
		cr_expect_eq(at, i + 5, "%s", line);
		line = strchr(line, '\n') + 1;
	}
	cr_expect_str_eq(line, "f: and 6 more\n");
	free(said);
}

Test(conf_mistakes, too_many_entries_are_not_read)
{
	size_t room = CONF_FILE_MAX + 2, len;
	char *text = malloc(room), *said;

	len = snprintf(text, room, PORT "routes:\n");
	for (unsigned i = 0; i <= CONF_ROUTES_MAX; i++)
		len += snprintf(text + len, room - len, "- {path: /%u, to: builtin:echo}\n", i);
	said = said_of(text, len);
	cr_expect_str_eq(said, "f:3:1: routes: has 4097 entries; there can be at most 4096\n");
	free(said);

	memset(text, ',', CONF_FILE_MAX);
	for (unsigned i = 0; i < CONF_FILE_MAX; i += 2)
		text[i] = i ? 'a' : '[';
	text[1] = ' ';
	said = said_of(text, CONF_FILE_MAX);
	cr_expect_str_eq(said, "f:1:131073: more than 65536 words, lists and maps\n", "%s", said);
	free(said);

	said = said_of(text, CONF_FILE_MAX + 1);
	cr_expect_str_eq(said, "f: has more than 1048576 bytes\n");
	free(said);
	free(text);
}

Test(conf_mistakes, a_file_that_cannot_be_read_is_told_by_name)
{
	struct conf *conf;
	char *said = NULL;
	size_t len;
	FILE *errors = open_memstream(&said, &len);

	cr_expect_eq(conf_load("/nowhere/x.yaml", &conf, errors), -ENOENT);
	cr_expect_null(conf);
	cr_expect_eq(conf_load("/", &conf, errors), -EISDIR);
	cr_expect_eq(conf_load("/dev/zero", &conf, errors), -EFBIG);
	fclose(errors);
	cr_expect_str_eq(said,
		"/nowhere/x.yaml: No such file or directory\n"
		"/: Is a directory\n"
		"/dev/zero: has more than 1048576 bytes\n");
	free(said);
}

// Main would wait for whoever writes to it, and the watchdog end the daemon.
Test(conf_mistakes, who_must_not_wait_reads_files_only, .timeout = 20)
{
	char folder[] = "/tmp/test_conf.XXXXXX", fifo[64];
	struct conf *conf;
	char *said = NULL;
	size_t len;
	FILE *errors = open_memstream(&said, &len);

	cr_assert_not_null(mkdtemp(folder));
	snprintf(fifo, sizeof(fifo), "%s/fifo", folder);
	cr_assert_eq(mkfifo(fifo, 0600), 0);
	cr_expect_eq(conf_load_regular(fifo, &conf, errors), -EBADF);
	cr_expect_null(conf);
	cr_expect_eq(conf_load_regular("/dev/zero", &conf, errors), -EBADF);
	cr_expect_eq(conf_load_regular("/", &conf, errors), -EISDIR);
	fclose(errors);
	cr_expect(strstr(said, "/fifo: is not a file\n/dev/zero: is not a file\n"), "%s", said);
	free(said);
	unlink(fifo);
	rmdir(folder);
}
