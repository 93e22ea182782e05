// SPDX-License-Identifier: BSD-3-Clause
// What carries the datagrams: kernel sockets (udp.c), a DPDK port (port.c) or a file (pcap.c).

#ifndef POSTERN_BENCH_LOAD_TRANSPORT_H
#define POSTERN_BENCH_LOAD_TRANSPORT_H

#include "base/error.h"
#include "bench/load/sources.h"
#include "dataplane/port/port.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define TRANSPORT_BATCH 64 // datagrams of one call

// A CoAP message in a buffer of the transport.
struct datagram {
	uint8_t *data;
	uint16_t len;      // bytes
	uint32_t endpoint; // of ours, that sends or was sent to
	void *handle;      // the transport's own
};

struct transport {
	const struct transport_ops *ops;
	uint32_t endpoints; // addresses and ports that we have
	uint32_t hostile;   // of these, the last: no device's
	uint16_t len_max;   // bytes of the longest message
	// So many neighbours in the list of devices share an endpoint, so that they make a batch.
	uint32_t stride;
	uint64_t send_errors;  // datagrams that the kernel refused
	char description[256]; // of the way, in words
};

struct transport_ops {
	// Gives n <= TRANSPORT_BATCH buffers of len_max bytes. Returns how many there are.
	unsigned (*buffers)(struct transport *t, struct datagram *datagrams, unsigned n);
	// Takes back buffers that will not be sent. NULL: nothing to do.
	void (*give_back)(struct transport *t, struct datagram *datagrams, unsigned n);
	// Called once for buffers that are filled in, before they are sent. NULL: nothing to do.
	void (*seal)(struct transport *t, struct datagram *datagrams, unsigned n);
	// Sends from the first on. Returns how many were taken; the others may be tried again.
	unsigned (*send)(struct transport *t, struct datagram *datagrams, unsigned n);
	// What has come; the messages stay until the next call. Returns how many.
	unsigned (*receive)(struct transport *t, struct datagram *datagrams, unsigned n);
	// Waits at most so long for something to receive. NULL: polled without end.
	void (*wait)(struct transport *t, uint64_t ns);
	// Starts run(arg) on the core that this transport wants; NULL: on any thread.
	int (*launch)(struct transport *t, int (*run)(void *arg), void *arg);
	void (*close)(struct transport *t);
};

// The endpoint of a device, by its place in the list.
static inline uint32_t transport_endpoint(const struct transport *t, uint64_t device)
{
	return (uint32_t)(device / t->stride % (t->endpoints - t->hostile));
}

// Each returns NULL with words in f.

// sockets connected to host and port; family is AF_INET, AF_INET6 or AF_UNSPEC; bind_address may be
// NULL.
struct transport *transport_udp(const char *host, uint16_t port, int family,
	const char *bind_address, unsigned sockets, struct error *f)
	__attribute__((warn_unused_result));

struct port_conf {
	enum dp_port_kind kind; // DP_PORT_PCI, DP_PORT_AF_PACKET or DP_PORT_MEMIF
	const char *dev;
	bool memif_server;
	uint16_t mtu;
	unsigned core;             // of the sender, which polls
	const char *host;          // the server's address in words,
	uint8_t server[16];        // and as bytes, of the sources' family
	uint16_t port;             // host order
	const uint8_t *server_mac; // NULL: asked for
};
// A DPDK port. Starts EAL: once in a process.
struct transport *transport_port(const struct port_conf *conf, const struct sources *sources,
	struct error *f) __attribute__((warn_unused_result));

#endif
