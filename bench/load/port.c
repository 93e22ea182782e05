// SPDX-License-Identifier: BSD-3-Clause
// A DPDK port: frames of many addresses and ports, on one core that polls.

#include "dataplane/port/port.h"

#include "bench/load/neighbour.h"
#include "bench/load/transport.h"
#include "dataplane/port/mbuf_pool.h"
#include "dataplane/port/pci.h"
#include "gw/os/eal.h"

#include <rte_ethdev.h>
#include <rte_launch.h>
#include <rte_lcore.h>

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define POOL_BURSTS 2048 // mbufs beside those in queues: bursts and caches
#define POOL_CACHE  256
#define LCORE       1 // of EAL: the sender
#define LINK_MS     10000
#define ASK_MS      5000
#define ASK_EACH_MS 200
#define POLL_MS     1
#define UDP_LEN     8

struct port {
	struct transport t;
	struct sources sources;
	struct neighbour neighbour;
	struct dp_flow flow; // to the server; the local end is an endpoint's
	struct rte_mempool *pool;
	uint16_t id;
	bool eal, open;
	struct rte_mbuf *in[TRANSPORT_BATCH]; // of the last receive
	unsigned in_count;
};

static unsigned port_buffers(struct transport *t, struct datagram *datagrams, unsigned n)
{
	struct port *port = (struct port *)t;
	struct rte_mbuf *m[TRANSPORT_BATCH];

	if (rte_pktmbuf_alloc_bulk(port->pool, m, n))
		return 0;
	for (unsigned i = 0; i < n; i++) {
		datagrams[i].handle = m[i];
		datagrams[i].data =
			rte_pktmbuf_mtod_offset(m[i], uint8_t *, dp_frame_overhead(&port->flow));
	}
	return n;
}

static void port_give_back(struct transport *t, struct datagram *datagrams, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		rte_pktmbuf_free(datagrams[i].handle);
}

static void port_seal(struct transport *t, struct datagram *datagrams, unsigned n)
{
	struct port *port = (struct port *)t;

	for (unsigned i = 0; i < n; i++) {
		sources_flow(&port->sources, datagrams[i].endpoint, &port->flow);
		dp_frame_encapsulate(datagrams[i].handle, &port->flow, datagrams[i].len);
	}
}

static unsigned port_send(struct transport *t, struct datagram *datagrams, unsigned n)
{
	struct port *port = (struct port *)t;
	struct rte_mbuf *m[TRANSPORT_BATCH];

	for (unsigned i = 0; i < n; i++)
		m[i] = datagrams[i].handle;
	return rte_eth_tx_burst(port->id, 0, m, (uint16_t)n);
}

static void answer_neighbour(struct port *port, const struct rte_mbuf *question)
{
	uint8_t frame[NEIGHBOUR_FRAME_MAX];
	uint16_t len = neighbour_take(&port->neighbour, rte_pktmbuf_mtod(question, const uint8_t *),
		question->data_len, frame);
	struct rte_mbuf *m = len ? rte_pktmbuf_alloc(port->pool) : NULL;

	if (!m)
		return;
	memcpy(rte_pktmbuf_append(m, len), frame, len);
	if (!rte_eth_tx_burst(port->id, 0, &m, 1))
		rte_pktmbuf_free(m);
}

// A datagram from the server to one of ours; false for everything else. Checksums are left to the
// AEAD, which no flipped bit passes.
static bool parse(const struct port *port, struct rte_mbuf *m, struct datagram *datagram)
{
	uint8_t *frame = rte_pktmbuf_mtod(m, uint8_t *), *udp;
	const bool v4 = port->sources.family == 4;
	const unsigned ip_len = v4 ? 20 : 40;
	const uint8_t *ip = frame + 14, *src = ip + (v4 ? 12 : 8), *dst = ip + (v4 ? 16 : 24);
	uint16_t type, local_port, udp_len;

	if (m->nb_segs != 1 || m->data_len < 14 + ip_len + UDP_LEN)
		return false;
	memcpy(&type, frame + 12, sizeof(type));
	if (type != htons(v4 ? RTE_ETHER_TYPE_IPV4 : RTE_ETHER_TYPE_IPV6) ||
		(v4 ? ip[0] != 0x45 || ip[9] != IPPROTO_UDP : ip[6] != IPPROTO_UDP) ||
		memcmp(src, port->flow.remote_addr, v4 ? 4 : 16))
		return false;
	udp = frame + 14 + ip_len;
	memcpy(&local_port, udp + 2, sizeof(local_port));
	udp_len = (uint16_t)(udp[4] << 8 | udp[5]);
	if (memcmp(udp, &port->flow.remote_port, 2) || udp_len < UDP_LEN ||
		udp_len > m->data_len - 14 - ip_len ||
		!sources_endpoint(&port->sources, dst, local_port, &datagram->endpoint))
		return false;
	datagram->data = udp + UDP_LEN;
	datagram->len = udp_len - UDP_LEN;
	return true;
}

static unsigned port_receive(struct transport *t, struct datagram *datagrams, unsigned n)
{
	struct port *port = (struct port *)t;
	unsigned count = 0;

	if (port->in_count)
		rte_pktmbuf_free_bulk(port->in, port->in_count);
	port->in_count = rte_eth_rx_burst(port->id, 0, port->in, (uint16_t)n);
	for (unsigned i = 0; i < port->in_count; i++) {
		if (parse(port, port->in[i], &datagrams[count]))
			count++;
		else
			answer_neighbour(port, port->in[i]);
	}
	return count;
}

static int port_launch(struct transport *t, int (*run)(void *arg), void *arg)
{
	return rte_eal_remote_launch(run, arg, LCORE);
}

static void port_close(struct transport *t)
{
	struct port *port = (struct port *)t;

	if (port->eal)
		rte_eal_mp_wait_lcore();
	if (port->in_count)
		rte_pktmbuf_free_bulk(port->in, port->in_count);
	if (port->open)
		dp_port_close(port->id);
	if (port->eal)
		eal_stop();
	free(port);
}

static const struct transport_ops port_ops = {
	.buffers = port_buffers,
	.give_back = port_give_back,
	.seal = port_seal,
	.send = port_send,
	.receive = port_receive,
	.launch = port_launch,
	.close = port_close,
};

static void sleep_ms(unsigned ms)
{
	struct timespec time = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000L};

	nanosleep(&time, NULL);
}

// A memif is up once its other end is there.
static int wait_for_link(const struct port *port, const char *dev, struct error *f)
{
	struct rte_eth_link link = {0};

	for (unsigned ms = 0; ms < LINK_MS; ms += POLL_MS) {
		if (!rte_eth_link_get_nowait(port->id, &link) && link.link_status)
			return 0;
		sleep_ms(POLL_MS);
	}
	return error_set(f, -ENETDOWN, "%s: no link after %d s", dev, LINK_MS / 1000);
}

static int resolve(struct port *port, const char *host, struct error *f)
{
	struct datagram datagrams[TRANSPORT_BATCH];
	uint8_t frame[NEIGHBOUR_FRAME_MAX];
	uint16_t len = neighbour_ask(&port->neighbour, frame);

	for (unsigned ms = 0; ms < ASK_MS && !port->neighbour.known; ms += POLL_MS) {
		if (ms % ASK_EACH_MS == 0) {
			struct rte_mbuf *m = rte_pktmbuf_alloc(port->pool);

			if (m)
				memcpy(rte_pktmbuf_append(m, len), frame, len);
			if (m && !rte_eth_tx_burst(port->id, 0, &m, 1))
				rte_pktmbuf_free(m);
		}
		port_receive(&port->t, datagrams, TRANSPORT_BATCH);
		sleep_ms(POLL_MS);
	}
	if (!port->neighbour.known)
		return error_set(f, -EHOSTUNREACH,
			"%s does not tell its MAC; is it on this link, and does it reach the "
			"source addresses directly? (--server-mac sets it)",
			host);
	memcpy(port->flow.remote_mac, port->neighbour.server_mac, 6);
	return 0;
}

static int start_eal(struct port *port, const struct port_conf *conf, struct error *f)
{
	const struct dp_mbuf_pool_conf pool = {
		.name = "load",
		.count = dp_port_queue_mbufs(conf->kind) + POOL_BURSTS,
		.cache = POOL_CACHE,
		.data_room = dp_port_data_room(conf->mtu),
		.socket = SOCKET_ID_ANY,
		.for_nic = conf->kind == DP_PORT_PCI,
	};
	const size_t huge_mb = eal_memory_mb(dp_mbuf_pool_eal_bytes(&pool, true));
	const bool huge_pages = eal_huge_pages_mb() >= 2 * huge_mb;
	const unsigned cores[] = {conf->core};
	const struct eal_conf eal = {
		.cores = cores,
		.count = 1,
		.huge_pages = huge_pages,
		.memory_mb =
			huge_pages ? huge_mb : eal_memory_mb(dp_mbuf_pool_eal_bytes(&pool, false)),
		.pci = &conf->dev,
		.pci_count = conf->kind == DP_PORT_PCI,
	};
	const struct dp_pci_conf pci = {
		.name = "load",
		.address = conf->dev,
		.root = "",
		.huge_pages = eal.huge_pages,
		.memory_mb = eal.memory_mb,
	};
	struct error error;
	int err = eal.pci_count ? dp_pci_check(&pci, &error) : 0;

	if (!err)
		err = eal_start(&eal, &error);
	if (err)
		return error_set(f, err, "%s", error.text);
	port->eal = true;
	port->pool = dp_mbuf_pool_create(&pool);
	return port->pool ? 0 : error_set(f, -ENOMEM, "no memory for packets");
}

static int open_port(struct port *port, const struct port_conf *conf, struct error *f)
{
	const struct dp_port_conf dp = {
		.name = "load",
		.dev = conf->dev,
		.kind = conf->kind,
		.memif_client = !conf->memif_server,
		.mtu = conf->mtu,
		.queues = 1,
	};
	struct error error;
	int err = start_eal(port, conf, f);

	if (err)
		return err;
	err = dp_port_open(&dp, &port->pool, &port->id, port->neighbour.mac, &error);
	if (err) {
		eal_log_join(&error);
		return error_set(f, err, "%s", error.text);
	}
	eal_log_pass_on();
	port->open = true;
	memcpy(port->flow.local_mac, port->neighbour.mac, 6);
	err = wait_for_link(port, conf->dev, f);
	if (err)
		return err;
	if (conf->server_mac)
		memcpy(port->flow.remote_mac, conf->server_mac, 6);
	return conf->server_mac ? 0 : resolve(port, conf->host, f);
}

struct transport *transport_port(
	const struct port_conf *conf, const struct sources *sources, struct error *f)
{
	static const char *const kinds[] = {[DP_PORT_PCI] = "PCI device",
		[DP_PORT_AF_PACKET] = "AF_PACKET on",
		[DP_PORT_MEMIF] = "memif"};
	struct port *port = calloc(1, sizeof(*port));

	if (!port) {
		error_set(f, -ENOMEM, "out of memory");
		return NULL;
	}
	port->sources = *sources;
	port->t =
		(struct transport){.ops = &port_ops, .endpoints = sources->endpoints, .stride = 1};
	port->neighbour.sources = &port->sources;
	port->flow.family = sources->family;
	port->flow.remote_port = htons(conf->port);
	memcpy(port->flow.remote_addr, conf->server, sizeof(port->flow.remote_addr));
	memcpy(port->neighbour.server, conf->server, sizeof(port->neighbour.server));
	port->t.len_max = conf->mtu - (dp_frame_overhead(&port->flow) - RTE_ETHER_HDR_LEN);
	if (open_port(port, conf, f)) {
		port_close(&port->t);
		return NULL;
	}
	snprintf(port->t.description, sizeof(port->t.description),
		"%s %.100s, %u source%s to %.100s port %u", kinds[conf->kind], conf->dev,
		sources->endpoints, sources->endpoints == 1 ? "" : "s", conf->host, conf->port);
	return &port->t;
}
