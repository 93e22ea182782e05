// SPDX-License-Identifier: BSD-3-Clause
// Two data planes of the same devices, keys, random numbers and time. One takes packets of the
// usual shape through its fast paths, the other takes all through the slow ones. Both get the same
// frames; all that leaves them, and what they remember, must be the same.

#ifndef POSTERN_TESTS_FUZZ_TWINS_H
#define POSTERN_TESTS_FUZZ_TWINS_H

#include "dataplane/dp.h"
#include "dataplane/worker/worker.h"

#include <rte_mbuf.h>
#include <rte_ring.h>

#define TWINS_PORTS      2
#define TWINS_EXCHANGES  96
#define TWINS_DEVICES    40
#define TWINS_FRAME_MAX  1920u // bytes, more than an MTU
#define TWINS_SENT_MAX   1024  // frames of a turn
#define TWINS_PATIENCE   512   // requests that the upstream loop holds at most
#define TWINS_TOKEN_LONG 300

// What both get: a frame, and what a driver says of it.
struct twins_packet {
	uint16_t len; // data_len
	uint16_t data_off;
	uint32_t pkt_len;
	uint64_t ol_flags;
	uint32_t packet_type;
	uint16_t vlan_tci;
	uint16_t nb_segs;
	uint16_t buf_len; // 0: as it is
	uint8_t refcnt;   // 1 or 2
	uint8_t port;     // 0, or 1 whose driver checks sums
	bool exact;       // the memory ends where the frame ends, in no worker's pool
	uint8_t data[TWINS_FRAME_MAX];
};

struct twins_device {
	struct osc_keys keys; // of the gateway
	enum aead_alg alg;
	uint8_t kid[OSC_KID_LEN_MAX];
	uint8_t kid_len;
	uint8_t id_context[16];
	uint8_t id_context_len; // 0: none
	uint8_t flags;          // enum dp_context_flags
	bool window_known;      // at the beginning of an input
	uint16_t max_message;
	uint32_t context;
};

// A message of a gateway that waits for an ACK.
struct twins_con {
	struct dp_flow flow; // as the gateway sees it
	uint16_t mid;
};

struct twins {
	struct dp *dp[2]; // [0] with fast paths
	struct dp_worker *w[2];
	struct dp_policy policy; // changed between turns only
	uint64_t now_ms;
	struct twins_device device[TWINS_DEVICES];
	// Requests at the upstream loop: the same handles of both.
	dp_handle held[TWINS_PATIENCE];
	unsigned held_count;
	struct twins_con con[16]; // the last ones
	unsigned con_count;       // up to now
	uint64_t seed;            // for the report of a difference
	uint64_t packets;         // fed
};

// Makes both; how they are configured follows `kind`. Ends the program if something fails.
void twins_make(struct twins *twins, unsigned kind);
void twins_free(struct twins *twins);
// Makes windows and states as they were at first, but with this lowest Partial IV, and lets two
// minutes pass.
void twins_begin(struct twins *twins, uint64_t piv);
// Puts a packet on the port of both, at most DP_BURST between two turns.
void twins_feed(struct twins *twins, const struct twins_packet *packet);
// Lets time pass, turns both and compares. Prints what differs and aborts.
void twins_turn(struct twins *twins, uint64_t ms);
// Answers the request at this place of `held` in both.
void twins_respond(struct twins *twins, unsigned at, const uint8_t *response, uint16_t len);

// What is fed to each of the two, and what it sent in the last turn. The ports are of both: the
// number of a port is part of an endpoint.
struct twins_side {
	struct rte_mempool *exact; // mbufs for frames whose memory ends with them
	struct rte_mbuf *fed[DP_BURST];
	void *buf_addr[DP_BURST]; // of fed, where it was replaced; NULL: it was not
	uint16_t buf_len[DP_BURST];
	unsigned sent_count[TWINS_PORTS];
	struct rte_mbuf *sent[TWINS_PORTS][TWINS_SENT_MAX];
};
extern struct twins_side twins_side[2];

// Compares all that left the two since the last turn, and what they remember; takes what they have
// for main and the upstream loops.
void twins_compare(struct twins *twins);
// Prints what differs, and the packets of this turn, and aborts.
void twins_differ(const char *format, ...) __attribute__((noreturn, format(printf, 1, 2)));
// Prints bytes.
void twins_dump(const char *what, const uint8_t *data, unsigned len);
// Aborts if the test itself cannot go on.
void twins_must(bool cond, const char *what);

// The gateway's addresses and MAC on each port.
extern const uint8_t twins_ipv4[4], twins_ipv6[16], twins_mac[6], twins_kernel_mac[6];

// --- traffic, see twins_traffic.c ----------------------------------------------------------------

// Sends bursts that follow from the seed. Returns after at least so many packets.
void twins_traffic(struct twins *twins, uint64_t seed, unsigned packets);

#endif
