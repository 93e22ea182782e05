// SPDX-License-Identifier: BSD-3-Clause

#include "dataplane/port/port.h"

#include "dataplane/port/xdp.h"

#include <rte_bus.h>
#include <rte_dev.h>
#include <rte_eal.h>
#include <rte_ethdev.h>

#include <errno.h>
#include <fcntl.h>
#include <linux/if_packet.h>
#include <linux/if_tun.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <net/if_arp.h>
#include <sodium.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#define FRAME_OVERHEAD (14 + 2 * 4 + 4) // Ethernet, two VLAN tags and the frame check sequence
#define VIRTIO_HEADER  12               // virtio puts its header in front of the frame
#define DATA_ROOM_MIN  2048             // drivers split smaller ones into segments or refuse them
#define POWERS_MAX     8192             // rooms up to this are powers of 2
#define ROOM_UNIT      1024             // larger ones are multiples of this
#define TUN_PATH       "/dev/net/tun"

#define RSS_FIELDS (RTE_ETH_RSS_IP | RTE_ETH_RSS_UDP)

#define XDP_RING 2048 // of AF_XDP: what net_af_xdp gives to the kernel to receive into

// Of each kind of port: descriptors that are asked for, of a receive and of a transmit queue, and
// mbufs that such a pair holds at most.
static const struct {
	uint16_t rx, tx;
	unsigned mbufs;
} queues[] = {
	// Only these descriptors hold what comes while a worker is late: 0.4 ms at 10 M/s.
	[DP_PORT_PCI] = {4096, 4096, 4096 + 4096},
	// net_tap reads into the first mbuf of a chain of so many, and copies what it sends.
	[DP_PORT_TAP] = {64, 64, 64},
	// These copy both ways; their rings are the kernel's and the peer's.
	[DP_PORT_AF_PACKET] = {512, 512, 0},
	[DP_PORT_MEMIF] = {1024, 1024, 0},
	// net_af_xdp takes its receive ring's size for the transmit ring, too; what the kernel has
	// sent stays in a third ring until it is looked at.
	[DP_PORT_AF_XDP] = {XDP_RING, XDP_RING, 3 * XDP_RING},
};

static struct {
	// A packet socket that keeps the netdev of an AF_PACKET port in allmulticast mode; 0 for
	// none. The kernel undoes it when the socket goes, however the process ends.
	int allmulticast_socket;
	int xdp_link; // AF_XDP: holds the program on the netdev; 0: none
	uint64_t rx_offloads;
} ports[RTE_MAX_ETHPORTS];

// Writes "port NAME: ..." and returns -code.
__attribute__((format(printf, 4, 5))) static int fail(
	const struct dp_port_conf *conf, int code, struct error *error, const char *format, ...)
{
	char text[ERROR_TEXT_MAX];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	return error_set(error, -code, "port %s: %s", conf->name, text);
}

// NICs know buffers by their number of KB (e1000 knows powers of 2 only), and a driver rounds down
// what it is given: a room that is not one of these sizes would be used in part.
static size_t frame_room(uint16_t mtu)
{
	const size_t frame = (size_t)mtu + FRAME_OVERHEAD + VIRTIO_HEADER;
	size_t room = DATA_ROOM_MIN;

	while (room < frame)
		room = room < POWERS_MAX ? 2 * room : room + ROOM_UNIT;
	return room;
}

uint16_t dp_port_data_room(uint16_t mtu)
{
	size_t room = RTE_PKTMBUF_HEADROOM + frame_room(mtu);

	return room < UINT16_MAX ? (uint16_t)room : UINT16_MAX;
}

unsigned dp_port_queue_mbufs(enum dp_port_kind kind)
{
	return queues[kind].mbufs;
}

bool dp_port_is_software(enum dp_port_kind kind)
{
	return kind != DP_PORT_PCI;
}

void dp_port_checksums(uint16_t port_id, struct dp_port_addresses *addresses)
{
	const uint64_t offloads = ports[port_id].rx_offloads;

	addresses->ip_checksum_offload = offloads & RTE_ETH_RX_OFFLOAD_IPV4_CKSUM;
	addresses->udp_checksum_offload = offloads & RTE_ETH_RX_OFFLOAD_UDP_CKSUM;
}

static int netdev_ioctl(const char *netdev, unsigned long request, struct ifreq *ifr)
{
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0), rc;

	if (fd < 0)
		return -errno;
	snprintf(ifr->ifr_name, sizeof(ifr->ifr_name), "%s", netdev);
	rc = ioctl(fd, request, ifr) ? -errno : 0;
	close(fd);
	return rc;
}

// Why a driver may not have taken the device.
static int fail_probe(const struct dp_port_conf *conf, int code, struct error *error)
{
	switch (conf->kind) {
	case DP_PORT_PCI:
		return fail(conf, code, error, "no DPDK driver takes PCI device %s: %s", conf->dev,
			strerror(code));
	case DP_PORT_TAP:
		return fail(conf, code, error,
			"cannot make TAP device %s: %s (this needs CAP_NET_ADMIN)", conf->dev,
			strerror(code));
	case DP_PORT_AF_PACKET:
		return fail(conf, code, error,
			"cannot open AF_PACKET on %s: %s (this needs CAP_NET_RAW)", conf->dev,
			strerror(code));
	case DP_PORT_AF_XDP:
		return fail(conf, code, error,
			"cannot open AF_XDP on %s: %s (this needs CAP_NET_ADMIN, CAP_NET_RAW and "
			"CAP_BPF, a kernel with XDP sockets, and as many channels as workers: "
			"'ethtool -L')",
			conf->dev, strerror(code));
	case DP_PORT_MEMIF:
		break;
	}
	return fail(conf, code, error, "cannot open %s: %s", conf->dev, strerror(code));
}

// What can be said better than by a driver, before it tries.

static int check_netdev_name(const struct dp_port_conf *conf, struct error *error)
{
	if (!conf->dev[0] || strlen(conf->dev) >= IFNAMSIZ || strpbrk(conf->dev, "/,= \t"))
		return fail(conf, EINVAL, error, "'%s' is no name for a network device", conf->dev);
	return 0;
}

static int check_tap(const struct dp_port_conf *conf, struct error *error)
{
	struct ifreq ifr = {.ifr_flags = IFF_TAP | IFF_NO_PI};
	int rc = check_netdev_name(conf, error), fd;

	if (rc)
		return rc;
	if (if_nametoindex(conf->dev))
		return fail(conf, EEXIST, error,
			"network device %s exists already; a TAP port makes its own: choose "
			"another name, or remove it with 'ip link delete %s'",
			conf->dev, conf->dev);
	fd = open(TUN_PATH, O_RDWR | O_CLOEXEC);
	if (fd >= 0) {
		// Made once and gone with the descriptor: net_tap would only say "invalid
		// argument".
		snprintf(ifr.ifr_name, sizeof(ifr.ifr_name), "%s", conf->dev);
		rc = ioctl(fd, TUNSETIFF, &ifr) ? errno : 0;
		close(fd);
		return rc ? fail_probe(conf, rc, error) : 0;
	}
	rc = errno;
	if (rc == ENOENT || rc == ENODEV || rc == ENXIO)
		return fail(conf, rc, error,
			"no " TUN_PATH ": the kernel lacks the tun driver ('modprobe tun'), or the "
			"container does not pass the device on");
	return fail(conf, rc, error, "cannot open " TUN_PATH ": %s", strerror(rc));
}

static int check_netdev(const struct dp_port_conf *conf, struct error *error)
{
	struct ifreq ifr = {0};
	int rc = check_netdev_name(conf, error);

	if (rc)
		return rc;
	if (!if_nametoindex(conf->dev))
		return fail(conf, ENODEV, error,
			"there is no network device %s here ('ip link' lists them)", conf->dev);
	rc = netdev_ioctl(conf->dev, SIOCGIFFLAGS, &ifr);
	if (!rc && !(ifr.ifr_flags & IFF_UP))
		return fail(conf, ENETDOWN, error, "network device %s is down: 'ip link set %s up'",
			conf->dev, conf->dev);
	return 0;
}

static int check_memif(const struct dp_port_conf *conf, struct error *error)
{
	const char *slash = strrchr(conf->dev, '/');
	char dir[256];
	int rc;

	if (conf->dev[0] != '/' || strpbrk(conf->dev, ",=") || strlen(conf->dev) >= sizeof(dir))
		return fail(conf, EINVAL, error, "'%s' is no absolute path for a memif socket",
			conf->dev);
	snprintf(dir, sizeof(dir), "%.*s", (int)(slash - conf->dev) + 1, conf->dev);
	if (access(dir, conf->memif_client ? X_OK : W_OK | X_OK)) {
		rc = errno;
		return fail(conf, rc, error, "memif socket %s: folder %s: %s", conf->dev, dir,
			strerror(rc));
	}
	return 0;
}

static int check_pci(const struct dp_port_conf *conf, struct error *error)
{
	char path[128];

	if (!conf->dev[0] || strpbrk(conf->dev, "/,= \t") || strlen(conf->dev) > 32)
		return fail(conf, EINVAL, error, "'%s' is no PCI address", conf->dev);
	snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s", conf->dev);
	if (access(path, F_OK))
		return fail(conf, ENODEV, error,
			"there is no PCI device %s ('dpdk-devbind.py --status' lists them)",
			conf->dev);
	return 0;
}

static int check_device(const struct dp_port_conf *conf, struct error *error)
{
	switch (conf->kind) {
	case DP_PORT_PCI:
		return check_pci(conf, error);
	case DP_PORT_TAP:
		return check_tap(conf, error);
	case DP_PORT_AF_PACKET:
	case DP_PORT_AF_XDP:
		return check_netdev(conf, error);
	case DP_PORT_MEMIF:
		return check_memif(conf, error);
	}
	return fail(conf, EINVAL, error, "unknown kind %d", (int)conf->kind);
}

// Names the device on its bus and makes the driver's arguments.
static const char *device_name(const struct dp_port_conf *conf, int xdp_program, char *name,
	size_t name_len, char *args, size_t args_len)
{
	const char *bus = "vdev";

	args[0] = 0;
	switch (conf->kind) {
	case DP_PORT_PCI:
		snprintf(name, name_len, "%s", conf->dev);
		bus = "pci";
		break;
	case DP_PORT_TAP:
		snprintf(name, name_len, "net_tap_%s", conf->name);
		snprintf(args, args_len, "iface=%s", conf->dev);
		break;
	case DP_PORT_AF_PACKET:
		snprintf(name, name_len, "net_af_packet_%s", conf->name);
		snprintf(args, args_len, "iface=%s,qpairs=%u", conf->dev, conf->queues);
		break;
	case DP_PORT_AF_XDP:
		snprintf(name, name_len, "net_af_xdp_%s", conf->name);
		snprintf(args, args_len,
			"iface=%s,start_queue=0,queue_count=%u,xdp_prog=/proc/self/fd/%d",
			conf->dev, conf->queues, xdp_program);
		break;
	case DP_PORT_MEMIF:
		snprintf(name, name_len, "net_memif_%s", conf->name);
		snprintf(args, args_len, "role=%s,id=0,socket=%s,socket-abstract=no,bsize=%zu",
			conf->memif_client ? "client" : "server", conf->dev, frame_room(conf->mtu));
		break;
	}
	return bus;
}

// Drivers tell it as an MTU, or only as a length of frames.
static uint16_t max_mtu(const struct rte_eth_dev_info *info)
{
	const uint32_t around = RTE_ETHER_HDR_LEN + RTE_ETHER_CRC_LEN;

	if (info->max_mtu != UINT16_MAX || info->max_rx_pktlen >= UINT16_MAX + around)
		return info->max_mtu;
	return info->max_rx_pktlen > around ? (uint16_t)(info->max_rx_pktlen - around) : 0;
}

// NICs of virtual machines. Asked to verify checksums, their host passes on the packets of its own
// programs without ever having computed one: neither we nor the kernel could tell those from
// damaged ones. Not asked, it completes them first.
static bool host_leaves_checksums(const struct rte_eth_dev_info *info)
{
	return !strcmp(info->driver_name, "net_virtio") ||
		!strcmp(info->driver_name, "net_vmxnet3");
}

// net_vmxnet3 fills two rings of a size for each receive queue.
static uint16_t rx_descriptors(const struct dp_port_conf *conf, const struct rte_eth_dev_info *info)
{
	const uint16_t rx = queues[conf->kind].rx;

	return strcmp(info->driver_name, "net_vmxnet3") ? rx : rx / 2;
}

// What a NIC does for nothing; a software driver would go through the packet once more.
static int configure_nic(const struct dp_port_conf *conf, const struct rte_eth_dev_info *info,
	struct rte_eth_conf *eth_conf, struct error *error)
{
	const uint64_t rss = info->flow_type_rss_offloads & RSS_FIELDS;

	if (!host_leaves_checksums(info))
		eth_conf->rxmode.offloads = info->rx_offload_capa &
			(RTE_ETH_RX_OFFLOAD_IPV4_CKSUM | RTE_ETH_RX_OFFLOAD_UDP_CKSUM);
	if (conf->queues == 1)
		return 0;
	if (rss) {
		eth_conf->rxmode.mq_mode = RTE_ETH_MQ_RX_RSS;
		eth_conf->rx_adv_conf.rss_conf.rss_hf = rss;
	} else if (!conf->any_queue) {
		return fail(conf, ENOTSUP, error,
			"the device cannot spread packets over %u workers: one worker, or "
			"'affinity: kid' where workers pass them on to each other",
			conf->queues);
	}
	return 0;
}

static int configure(const struct dp_port_conf *conf, uint16_t port_id,
	struct rte_mempool *const *pools, struct error *error)
{
	struct rte_eth_conf eth_conf = {.rxmode.mtu = conf->mtu};
	uint16_t rx, tx = queues[conf->kind].tx;
	struct rte_eth_dev_info info;
	int rc;

	rc = rte_eth_dev_info_get(port_id, &info);
	if (rc)
		return fail(conf, -rc, error, "its driver tells nothing: %s", strerror(-rc));
	if (conf->queues > info.max_rx_queues || conf->queues > info.max_tx_queues)
		return fail(conf, EINVAL, error,
			"%u workers need as many queues; the device has %u to receive and %u to "
			"send",
			conf->queues, info.max_rx_queues, info.max_tx_queues);
	// The driver would write beyond its stack: it puts the descriptors of all queues into a
	// message of so many.
	if (conf->kind == DP_PORT_TAP && 2 * conf->queues > RTE_MP_MAX_FD_NUM)
		return fail(conf, EINVAL, error, "a TAP serves at most %d workers",
			RTE_MP_MAX_FD_NUM / 2);
	if (conf->mtu > max_mtu(&info))
		return fail(conf, EINVAL, error,
			"an MTU of %u is too much for the device: at most %u", conf->mtu,
			max_mtu(&info));
	if (conf->kind == DP_PORT_PCI) {
		rc = configure_nic(conf, &info, &eth_conf, error);
		if (rc)
			return rc;
	}
	rc = rte_eth_dev_configure(port_id, conf->queues, conf->queues, &eth_conf);
	if (rc)
		return fail(conf, -rc, error,
			"the device does not take %u queues and an MTU of %u: %s", conf->queues,
			conf->mtu, strerror(-rc));
	ports[port_id].rx_offloads = eth_conf.rxmode.offloads;
	rc = rte_eth_dev_set_mtu(port_id, conf->mtu);
	if (rc && rc != -ENOTSUP)
		return fail(conf, -rc, error, "the device does not take an MTU of %u: %s",
			conf->mtu, strerror(-rc));
	rx = rx_descriptors(conf, &info);
	rc = rte_eth_dev_adjust_nb_rx_tx_desc(port_id, &rx, &tx);
	if (rc && rc != -ENOTSUP)
		return fail(conf, -rc, error, "no size of queues fits: %s", strerror(-rc));

	for (uint16_t q = 0; q < conf->queues && !rc; q++) {
		int socket = rte_eth_dev_socket_id(port_id);

		rc = rte_eth_rx_queue_setup(port_id, q, rx, (unsigned)socket, NULL, pools[q]);
		if (!rc)
			rc = rte_eth_tx_queue_setup(port_id, q, tx, (unsigned)socket, NULL);
		if (rc)
			return fail(conf, -rc, error, "queue %u: %s", q, strerror(-rc));
	}
	return 0;
}

// Multicast that no netdev above this port asked for: neighbour discovery of the kernel TAP.
static int enable_allmulticast(
	const struct dp_port_conf *conf, uint16_t port_id, struct error *error)
{
	struct packet_mreq request = {.mr_type = PACKET_MR_ALLMULTI};
	int rc, fd;

	if (conf->kind != DP_PORT_AF_PACKET) {
		rc = rte_eth_allmulticast_enable(port_id);
		if (rc && rc != -ENOTSUP)
			return fail(conf, -rc, error, "no multicast: %s", strerror(-rc));
		return 0;
	}
	// Its driver cannot. Protocol 0: this socket receives nothing.
	fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);
	request.mr_ifindex = (int)if_nametoindex(conf->dev);
	if (fd < 0 ||
		setsockopt(fd, SOL_PACKET, PACKET_ADD_MEMBERSHIP, &request, sizeof(request))) {
		rc = errno;
		if (fd >= 0)
			close(fd);
		return fail(conf, rc, error, "no multicast on %s: %s", conf->dev, strerror(rc));
	}
	ports[port_id].allmulticast_socket = fd;
	return 0;
}

// virtio has the host drop frames of VLANs that it was not told of, unless the port is promiscuous.
// (To tell it of all 4 094 could overflow the VLAN table of the host's own NIC.) The workers drop
// and count frames for other stations.
static void accept_vlans(uint16_t port_id)
{
	struct rte_eth_dev_info info;

	if (!rte_eth_dev_info_get(port_id, &info) && !strcmp(info.driver_name, "net_virtio"))
		(void)!rte_eth_promiscuous_enable(port_id); // a host that cannot filters nothing
}

// Bytes of a frame that the driver puts into one mbuf at least: what it tells, or what is left
// where it only knows powers of 2.
static size_t buffer_of_driver(const struct rte_eth_rxq_info *queue)
{
	size_t room = rte_pktmbuf_data_room_size(queue->mp) - RTE_PKTMBUF_HEADROOM;

	return queue->rx_buf_size ? queue->rx_buf_size : rte_align32prevpow2((uint32_t)room);
}

// A driver that splits frames loses them, since a packet is one segment here.
static int check_unsplit(const struct dp_port_conf *conf, uint16_t port_id, struct error *error)
{
	struct rte_eth_rxq_info queue = {0};
	size_t room;

	if (rte_eth_rx_queue_info_get(port_id, 0, &queue) || !queue.scattered_rx || !queue.mp)
		return 0;
	room = buffer_of_driver(&queue);
	if (conf->mtu + (size_t)FRAME_OVERHEAD <= room)
		return 0;
	return fail(conf, EINVAL, error,
		"the driver would split the frames of an MTU of %u, which are lost then: at most "
		"%zu",
		conf->mtu, room - FRAME_OVERHEAD);
}

// net_tap gives the kernel's side of the TAP the port's own MAC, so that gateway and device side
// would share one. Another is put on the kernel's side, not on the port's: the kernel TAP of the
// gateway carries the port's MAC for every kind of port.
static int separate_tap_mac(
	const struct dp_port_conf *conf, const uint8_t mac[6], struct error *error)
{
	struct ifreq ifr = {.ifr_hwaddr.sa_family = ARPHRD_ETHER};
	uint8_t *other = (uint8_t *)ifr.ifr_hwaddr.sa_data;
	int rc;

	do {
		randombytes_buf(other, ETH_ALEN);
		other[0] = (other[0] & ~1) | 2; // one station, locally administered
	} while (!memcmp(other, mac, ETH_ALEN));
	rc = netdev_ioctl(conf->dev, SIOCSIFHWADDR, &ifr);
	if (rc)
		return fail(
			conf, -rc, error, "cannot set the MAC of %s: %s", conf->dev, strerror(-rc));
	return 0;
}

// The program of an AF_XDP port.
static int make_xdp_program(const struct dp_port_conf *conf, struct error *error)
{
	int rc = dp_xdp_clean(conf->dev), fd;

	if (rc)
		return fail(conf, -rc, error,
			"cannot look for an XDP program on %s: %s (this needs CAP_NET_ADMIN and "
			"CAP_BPF)",
			conf->dev, strerror(-rc));
	fd = dp_xdp_program(conf->coap_port);
	return fd < 0 ? fail(conf, -fd, error, "XDP program: %s", strerror(-fd)) : fd;
}

static int hold_xdp_program(const struct dp_port_conf *conf, uint16_t port_id, struct error *error)
{
	int link = dp_xdp_hold(conf->dev);

	ports[port_id].xdp_link = link < 0 ? 0 : link;
	return link < 0
		? fail(conf, -link, error, "the XDP program cannot be held: %s", strerror(-link))
		: 0;
}

static int open_device(const struct dp_port_conf *conf, int xdp_program,
	struct rte_mempool *const *pools, uint16_t *port_id, uint8_t mac[6], struct error *error)
{
	char name[RTE_ETH_NAME_MAX_LEN], args[512];
	struct rte_ether_addr ether;
	const char *bus;
	int rc;

	bus = device_name(conf, xdp_program, name, sizeof(name), args, sizeof(args));
	// EAL has probed the PCI devices that it was started with.
	if (rte_eth_dev_get_port_by_name(name, port_id)) {
		rc = rte_eal_hotplug_add(bus, name, args);
		if (rc)
			return fail_probe(conf, -rc, error);
		if (rte_eth_dev_get_port_by_name(name, port_id))
			return fail_probe(conf, ENODEV, error);
	}

	rc = configure(conf, *port_id, pools, error);
	if (!rc)
		rc = enable_allmulticast(conf, *port_id, error);
	if (!rc) {
		rc = rte_eth_dev_start(*port_id);
		if (rc)
			fail(conf, -rc, error, "does not start: %s", strerror(-rc));
	}
	if (!rc)
		rc = check_unsplit(conf, *port_id, error);
	if (!rc && conf->kind == DP_PORT_PCI)
		accept_vlans(*port_id);
	if (!rc) {
		rc = rte_eth_macaddr_get(*port_id, &ether);
		if (rc)
			fail(conf, -rc, error, "has no MAC: %s", strerror(-rc));
	}
	if (!rc) {
		memcpy(mac, ether.addr_bytes, sizeof(ether.addr_bytes));
		if (conf->kind == DP_PORT_TAP)
			rc = separate_tap_mac(conf, mac, error);
	}
	if (!rc && conf->kind == DP_PORT_AF_XDP)
		rc = hold_xdp_program(conf, *port_id, error);
	if (rc)
		dp_port_close(*port_id);
	return rc;
}

int dp_port_open(const struct dp_port_conf *conf, struct rte_mempool *const *pools,
	uint16_t *port_id, uint8_t mac[6], struct error *error)
{
	int xdp_program = -1, rc;

	rc = check_device(conf, error);
	if (rc)
		return rc;
	if (conf->kind == DP_PORT_AF_XDP) {
		xdp_program = make_xdp_program(conf, error);
		if (xdp_program < 0)
			return xdp_program;
	}
	rc = open_device(conf, xdp_program, pools, port_id, mac, error);
	if (xdp_program >= 0)
		close(xdp_program); // the driver has loaded it
	return rc;
}

int dp_port_set_addresses(const struct dp_port_conf *conf,
	const struct dp_port_addresses *addresses, struct error *error)
{
	int rc = conf->kind == DP_PORT_AF_XDP ? dp_xdp_addresses(conf->dev, addresses) : 0;

	if (rc)
		fail(conf, -rc, error, "the XDP program on %s does not take addresses: %s",
			conf->dev, strerror(-rc));
	return rc;
}

void dp_port_close(uint16_t port_id)
{
	struct rte_eth_dev_info info;

	if (ports[port_id].allmulticast_socket) {
		close(ports[port_id].allmulticast_socket);
		ports[port_id].allmulticast_socket = 0;
	}
	if (ports[port_id].xdp_link) {
		close(ports[port_id].xdp_link);
		ports[port_id].xdp_link = 0;
	}
	if (rte_eth_dev_info_get(port_id, &info))
		return;
	// Errors would say that the netdev below is gone already.
	(void)!rte_eth_dev_stop(port_id);
	(void)!rte_dev_remove(info.device);
}
