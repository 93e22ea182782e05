// SPDX-License-Identifier: BSD-3-Clause

#include "dataplane/port/xdp.h"
#include "tests/unit/dataplane/port/packet.h"
#include "tests/unit/dataplane/port/steer.h"

#include <arpa/inet.h>
#include <bpf/libbpf.h>
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

#define ROUTER_ALERT "94040000"
#define ALERTS_10                                                                                  \
	ROUTER_ALERT ROUTER_ALERT ROUTER_ALERT ROUTER_ALERT ROUTER_ALERT ROUTER_ALERT ROUTER_ALERT \
		ROUTER_ALERT ROUTER_ALERT ROUTER_ALERT
#define TAGS(...) ((const uint16_t[]){__VA_ARGS__, 0})

// net_af_xdp loads it from a path and looks for a map of this name.
Test(xdp, program_has_its_map_and_port)
{
	int fd = dp_xdp_program(htons(5683));
	const struct bpf_program *program;
	const struct bpf_map *map;
	struct bpf_object *object;
	const uint8_t *constants;
	char path[64];
	size_t len;

	cr_assert_geq(fd, 0);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	object = bpf_object__open_file(path, NULL);
	cr_assert_not_null(object);
	program = bpf_object__find_program_by_name(object, "postern_steer");
	cr_assert_not_null(program);
	cr_assert_eq(bpf_program__type(program), BPF_PROG_TYPE_XDP);
	map = bpf_object__find_map_by_name(object, "xsks_map");
	cr_assert_not_null(map);
	cr_assert_eq(bpf_map__type(map), BPF_MAP_TYPE_XSKMAP);

	map = bpf_object__find_map_by_name(object, "addresses");
	cr_assert_not_null(map);
	cr_assert_eq(bpf_map__key_size(map), steer_address_len);

	map = bpf_object__find_map_by_name(object, ".rodata");
	cr_assert_not_null(map, "the constants");
	constants = bpf_map__initial_value((struct bpf_map *)map, &len);
	cr_assert_eq(len, steer_constants_len);
	cr_assert_arr_eq(constants, "postern steer\0\x16\x33", 16);
	bpf_object__close(object);
	close(fd);
}

static const struct {
	const char *what;
	struct packet_spec spec;
	bool taken;
} cases[] = {
	{"IPv4", {.family = 4}, true},
	{"IPv6", {.family = 6}, true},
	{"IPv4 with options", {.headers = ROUTER_ALERT}, true},
	{"IPv4 with all options that fit", {.headers = ALERTS_10}, true},
	{"VLAN, IPv4", {.vlan = TAGS(5)}, true},
	{"VLAN, IPv6", {.family = 6, .vlan = TAGS(5)}, true},
	{"two VLAN tags", {.vlan = TAGS(5, 6)}, false},
	{"another address", {.dst = "192.0.2.7"}, false},
	{"another address, VLAN", {.dst = "192.0.2.7", .vlan = TAGS(5)}, false},
	{"another IPv6 address", {.family = 6, .dst = "2001:db8::7"}, false},
	{"our IPv4 address in an IPv6 one", {.family = 6, .dst = "c000:201::"}, false},
	{"TCP", {.next = 6}, false},
	{"ICMPv6", {.family = 6, .next = 58}, false},
	{"first fragment", {.fragment = 0x2000}, false},
	{"later fragment", {.fragment = 0x0010}, false},
	{"extension header", {.family = 6, .next = 60, .headers = "1100010400000000"}, false},
	{"multicast", {.dst = "224.0.1.187", .dst_mac = "01:00:5e:00:01:bb"}, false},
};

Test(xdp, takes_coap_and_nothing_else)
{
	uint8_t *low = mmap(NULL, PACKET_MAX, PROT_READ | PROT_WRITE,
		MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT, -1, 0);

	cr_assert_neq(low, MAP_FAILED);
	for (unsigned i = 0; i < COUNT(cases); i++) {
		struct packet p = packet_build(&cases[i].spec);

		memcpy(low, p.bytes, p.len);
		cr_expect_not(steer_takes(low, p.len), "%s, another port", cases[i].what);
		memset(low + p.udp + 2, 0, 2);
		cr_expect_eq(steer_takes(low, p.len), cases[i].taken, "%s", cases[i].what);
		for (size_t len = 0; len < p.payload; len++)
			cr_expect_not(steer_takes(low, len), "%s, cut", cases[i].what);
		if (cases[i].spec.family == 6)
			continue;
		memcpy(low, p.bytes, p.len);
		memset(low + p.udp + 2, 0, 2);
		low[p.ip] = 0x44;
		cr_expect_not(steer_takes(low, p.len), "%s, a header of 16 bytes", cases[i].what);
	}
	munmap(low, PACKET_MAX);
}
