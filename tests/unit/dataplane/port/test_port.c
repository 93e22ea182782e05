// SPDX-License-Identifier: BSD-3-Clause
// Real packets: a device in a network namespace of its own talks over net_tap to a port, behind
// which this test plays worker and main.

#include "dataplane/port/port.h"
#include "gw/os/eal.h"
#include "gw/os/kernel_tap.h"
#include "gw/os/netlink.h"
#include "tests/unit/netns.h"

#include <rte_eal.h>
#include <rte_ethdev.h>
#include <rte_mempool.h>

#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <errno.h>
#include <net/if.h>
#include <netinet/icmp6.h>
#include <netinet/ip_icmp.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define DEADLINE_S 60
#define PINGS      200
#define MBUFS      2047
#define BURST      32

static struct {
	uint16_t port_id;
	int tap; // kernel TAP
	struct rte_mempool *pool;
	struct dp_port_addresses addresses;
	unsigned coap, drops;
} gw;

static struct conf_prefix ours[2] = {
	{.family = AF_INET, .addr = {192, 0, 2, 1}, .len = 24},
	{.family = AF_INET6, .addr = {0x20, 0x01, 0x0d, 0xb8, [15] = 1}, .len = 64},
};

static const struct conf_prefix devices[2] = {
	{.family = AF_INET, .addr = {192, 0, 2, 9}, .len = 24},
	{.family = AF_INET6, .addr = {0x20, 0x01, 0x0d, 0xb8, [15] = 9}, .len = 64},
};

static void send_mbuf(struct rte_mbuf *m)
{
	if (rte_eth_tx_burst(gw.port_id, 0, &m, 1) != 1)
		rte_pktmbuf_free(m);
}

// CoAP is sent back as it came.
static void echo(const struct rte_mbuf *m, const struct dp_frame_info *info)
{
	struct rte_mbuf *out = rte_pktmbuf_alloc(gw.pool);
	struct dp_flow flow;

	cr_assert_not_null(out);
	dp_frame_flow(m, info, &flow);
	memcpy(rte_pktmbuf_mtod_offset(out, uint8_t *, dp_frame_overhead(&flow)),
		rte_pktmbuf_mtod_offset(m, uint8_t *, info->coap_off), info->coap_len);
	dp_frame_encapsulate(out, &flow, info->coap_len);
	send_mbuf(out);
	gw.coap++;
}

// One turn of a worker and of main.
static void turn(void)
{
	struct rte_mbuf *burst[BURST];
	uint16_t n = rte_eth_rx_burst(gw.port_id, 0, burst, BURST);
	uint8_t frame[2048];
	int len;

	for (uint16_t i = 0; i < n; i++) {
		struct dp_frame_info info;
		enum dp_stat drop;

		switch (dp_frame_classify(burst[i], &gw.addresses, &info, &drop)) {
		case DP_FRAME_COAP:
			echo(burst[i], &info);
			break;
		case DP_FRAME_KERNEL:
			cr_assert_eq(kernel_tap_write(gw.tap, rte_pktmbuf_mtod(burst[i], uint8_t *),
					     burst[i]->data_len),
				0);
			break;
		case DP_FRAME_DROP:
			gw.drops++;
			break;
		}
		rte_pktmbuf_free(burst[i]);
	}
	while ((len = kernel_tap_read(gw.tap, frame, sizeof(frame))) > 0) {
		struct rte_mbuf *m = rte_pktmbuf_alloc(gw.pool);

		cr_assert_not_null(m);
		memcpy(rte_pktmbuf_append(m, (uint16_t)len), frame, (size_t)len);
		send_mbuf(m);
	}
}

// Turns until the socket has something; its length.
static ssize_t receive(int fd, void *data, size_t room)
{
	const time_t deadline = time(NULL) + DEADLINE_S;
	ssize_t n;

	while ((n = recv(fd, data, room, MSG_DONTWAIT)) < 0) {
		cr_assert_eq(errno, EAGAIN);
		cr_assert_lt(time(NULL), deadline, "no answer");
		turn();
		sched_yield();
	}
	return n;
}

static int connect_to(int i, int type, int protocol, uint16_t udp_port)
{
	struct sockaddr_storage to = {.ss_family = ours[i].family};
	int fd = socket(ours[i].family, type | SOCK_CLOEXEC, protocol);

	if (i == 0) {
		((struct sockaddr_in *)&to)->sin_port = htons(udp_port);
		memcpy(&((struct sockaddr_in *)&to)->sin_addr, ours[i].addr, 4);
	} else {
		((struct sockaddr_in6 *)&to)->sin6_port = htons(udp_port);
		memcpy(&((struct sockaddr_in6 *)&to)->sin6_addr, ours[i].addr, 16);
	}
	cr_assert_geq(fd, 0);
	cr_assert_eq(connect(fd, (struct sockaddr *)&to,
			     i == 0 ? sizeof(struct sockaddr_in) : sizeof(struct sockaddr_in6)),
		0, "%s", strerror(errno));
	return fd;
}

// Answers come from the address that was asked: the socket is connected and takes no others.
static void try_coap(int i)
{
	int fd = connect_to(i, SOCK_DGRAM, 0, 5683);

	for (size_t len = 0; len <= 1400; len += 140) {
		uint8_t out[1500], in[1500];

		memset(out, (int)len, sizeof(out));
		cr_assert_eq(send(fd, out, len, 0), (ssize_t)len);
		cr_assert_eq(receive(fd, in, sizeof(in)), (ssize_t)len);
		cr_assert_arr_eq(in, out, len);
	}
	close(fd);
}

// Neighbours were found before, by the kernel behind the port.
static void try_ping(int i)
{
	int fd = connect_to(i, SOCK_RAW, i == 0 ? IPPROTO_ICMP : IPPROTO_ICMPV6, 0);
	uint8_t in[256];

	for (uint16_t sequence = 0; sequence < PINGS; sequence++) {
		// Type, code, checksum, identifier, sequence number: the same in both families.
		uint8_t request[8] = {i == 0 ? ICMP_ECHO : ICMP6_ECHO_REQUEST, 0, 0, 0, 0, 1, 0,
			(uint8_t)sequence};
		const uint8_t reply = i == 0 ? ICMP_ECHOREPLY : ICMP6_ECHO_REPLY;
		const size_t at = i == 0 ? 20 : 0; // raw IPv4 sockets show the IP header
		ssize_t n;

		if (i == 0) { // the kernel does it for ICMPv6
			unsigned sum = ~((ICMP_ECHO << 8) + 1u + sequence);

			request[2] = sum >> 8 & 0xff;
			request[3] = sum & 0xff;
		}
		cr_assert_eq(send(fd, request, sizeof(request), 0), 8);
		do { // neighbour discovery comes here too
			n = receive(fd, in, sizeof(in));
		} while (n < (ssize_t)at + 8 || in[at] != reply);
		cr_assert_eq(in[at + 7], (uint8_t)sequence);
	}
	close(fd);
}

static void expect_error(struct dp_port_conf conf, int rc, const char *hint)
{
	struct rte_mempool *pools[] = {gw.pool};
	struct error error;
	uint16_t port_id;
	uint8_t mac[6];

	cr_expect_eq(dp_port_open(&conf, pools, &port_id, mac, &error), rc, "%s: %s", conf.dev,
		error.text);
	cr_expect_not_null(strstr(error.text, hint), "'%s' does not say '%s'", error.text, hint);
	cr_expect_eq(strncmp(error.text, "port lan: ", 10), 0, "%s", error.text);
}

// What an operator gets wrong is told apart, and each leaves nothing behind.
static void try_mistakes(void)
{
	const struct dp_port_conf tap = {
		.name = "lan", .dev = "dev1", .kind = DP_PORT_TAP, .mtu = 1500, .queues = 1};
	struct dp_port_conf conf = tap;

	conf.dev = "lo";
	expect_error(conf, -EEXIST, "exists already");
	conf.dev = "dev1,mac=fixed";
	expect_error(conf, -EINVAL, "no name for a network device");
	conf = tap;
	conf.queues = 1000;
	expect_error(conf, -EINVAL, "1000 workers need as many queues");
	conf = tap;
	conf.mtu = 9000;
	expect_error(conf, -EINVAL, "at most 1504");
	cr_expect_eq(if_nametoindex("dev1"), 0);
	conf.kind = DP_PORT_AF_PACKET;
	expect_error(conf, -ENODEV, "no network device dev1");
	conf.kind = DP_PORT_AF_XDP;
	expect_error(conf, -ENODEV, "no network device dev1");
	conf.dev = "lo";
	expect_error(conf, -ENETDOWN, "ip link set lo up");
	conf.kind = DP_PORT_PCI;
	conf.dev = "ffff:ff:1f.7";
	expect_error(conf, -ENODEV, "no PCI device");
	conf.kind = DP_PORT_MEMIF;
	conf.dev = "relative/path";
	expect_error(conf, -EINVAL, "no absolute path");
	conf.dev = "/nonexistent/memif.sock";
	expect_error(conf, -ENOENT, "/nonexistent");
}

static void try_memif(void)
{
	char dir[] = "/tmp/postern-XXXXXX", path[64];
	struct error error;
	struct rte_mempool *pools[] = {gw.pool};
	uint16_t port_id;
	uint8_t mac[6];

	cr_assert_not_null(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/memif.sock", dir);
	cr_assert_eq(dp_port_open(
			     &(struct dp_port_conf){
				     .name = "mem",
				     .dev = path,
				     .kind = DP_PORT_MEMIF,
				     .mtu = 1500,
				     .queues = 1,
			     },
			     pools, &port_id, mac, &error),
		0, "%s", error.text);
	cr_assert_eq(access(path, F_OK), 0);
	dp_port_close(port_id);
	unlink(path);
	cr_assert_eq(rmdir(dir), 0);
}

static void check_signals(void)
{
	sigset_t blocked;

	pthread_sigmask(SIG_BLOCK, NULL, &blocked);
	for (int signal = SIGRTMIN; signal <= SIGRTMAX; signal++)
		cr_assert(sigismember(&blocked, signal), "signal %d", signal);
	cr_assert_not(sigismember(&blocked, SIGTERM));
}

// e1000 uses the largest power of 2 of a room, other NICs its whole KB, virtio 12 bytes in front of
// the frame: a frame of the MTU with two VLAN tags must fit all the same.
Test(port, rooms_hold_a_frame_as_drivers_count)
{
	static const uint16_t mtus[] = {
		1280, 1500, 2009, 2010, 2019, 2026, 3000, 4058, 4059, 8154, 8155, 8166, 9000};

	for (unsigned i = 0; i < sizeof(mtus) / sizeof(mtus[0]); i++) {
		const unsigned room = dp_port_data_room(mtus[i]) - RTE_PKTMBUF_HEADROOM;
		const unsigned frame = mtus[i] + 14 + 2 * 4 + 4;

		cr_expect_geq(room, frame + 12, "MTU %u", mtus[i]);
		cr_expect_eq(room % 1024, 0, "MTU %u", mtus[i]);
		if (frame + 12 <= 8192)
			cr_expect_eq(room & (room - 1), 0, "MTU %u", mtus[i]);
	}
	cr_expect_eq(dp_port_data_room(1500), RTE_PKTMBUF_HEADROOM + 2048);
	cr_expect_eq(dp_port_data_room(9000), RTE_PKTMBUF_HEADROOM + 9216);
}

static void start(void)
{
	struct error error;
	cpu_set_t cpus;
	unsigned cpu = 0;

	cr_assert_eq(sched_getaffinity(0, sizeof(cpus), &cpus), 0);
	while (!CPU_ISSET(cpu, &cpus))
		cpu++;
	cr_assert_eq(eal_start(
			     &(struct eal_conf){
				     .cores = &cpu,
				     .count = 1,
				     .memory_mb = eal_memory_mb(
					     MBUFS * (size_t)(dp_port_data_room(1500) + 256)),
			     },
			     &error),
		0, "%s", error.text);
	cr_assert_neq(access(rte_eal_get_runtime_dir(), F_OK), 0, "left behind: %s",
		rte_eal_get_runtime_dir());
	check_signals();
	gw.pool = rte_pktmbuf_pool_create(
		"mbufs", MBUFS, 64, 0, dp_port_data_room(1500), SOCKET_ID_ANY);
	cr_assert_not_null(gw.pool);
}

// The device's side, in the network namespace of this thread: the port's TAP, with its addresses.
static void open_port(void)
{
	struct rte_mempool *pools[2] = {gw.pool, gw.pool};
	struct error error;
	uint8_t mac[6];

	cr_assert_eq(dp_port_open(
			     &(struct dp_port_conf){
				     .name = "lan",
				     .dev = "dev0",
				     .kind = DP_PORT_TAP,
				     .mtu = 1500,
				     .queues = 1,
			     },
			     pools, &gw.port_id, gw.addresses.mac, &error),
		0, "%s", error.text);
	cr_expect_leq(rte_mempool_in_use_count(gw.pool), dp_port_queue_mbufs(DP_PORT_TAP));
	netns_mac("dev0", mac);
	cr_assert(memcmp(mac, gw.addresses.mac, 6), "the device's side has a MAC of its own");
	cr_assert_eq(netns_mtu("dev0"), 1500);
	cr_assert_eq(netlink_set_up("dev0"), 0);
	for (unsigned i = 0; i < 2; i++)
		cr_assert_eq(netlink_add_address("dev0", &devices[i]), 0);
}

// The gateway's side: the kernel TAP of this thread's network namespace.
static void open_kernel_tap(void)
{
	struct error error;

	gw.tap = kernel_tap_open(
		&(struct kernel_tap_conf){
			.name = "gwk0",
			.mac = gw.addresses.mac,
			.mtu = 1500,
			.addresses = ours,
			.address_count = 2,
		},
		&error);
	cr_assert_geq(gw.tap, 0, "%s", error.text);
	memcpy(gw.addresses.kernel_mac, gw.addresses.mac, 6);
	gw.addresses.coap_port = htons(5683);
	gw.addresses.count = 2;
	for (unsigned i = 0; i < 2; i++) {
		gw.addresses.address[i].family = i == 0 ? 4 : 6;
		memcpy(gw.addresses.address[i].addr, ours[i].addr, 16);
	}
	dp_port_checksums(gw.port_id, &gw.addresses);
	cr_assert_not(gw.addresses.ip_checksum_offload);
	cr_assert_not(gw.addresses.udp_checksum_offload);
}

Test(port, tap_carries_coap_and_the_kernels_packets)
{
	int here = netns_enter(), there = netns_enter();

	start();
	try_mistakes();
	try_memif();
	open_port();
	cr_assert_eq(setns(here, CLONE_NEWNET), 0);
	open_kernel_tap();
	cr_assert_eq(setns(there, CLONE_NEWNET), 0);
	for (int i = 0; i < 2; i++) {
		try_coap(i);
		try_ping(i);
	}
	cr_assert_eq(gw.coap, 22);
	cr_assert_eq(gw.drops, 0);

	dp_port_close(gw.port_id);
	cr_assert_eq(if_nametoindex("dev0"), 0, "the TAP goes with the port");
	close(gw.tap);
	eal_stop();
}
