// SPDX-License-Identifier: BSD-3-Clause
// Sealed requests in a capture file, for senders that only replay.

#ifndef POSTERN_BENCH_LOAD_PCAP_H
#define POSTERN_BENCH_LOAD_PCAP_H

#include "bench/load/piv.h"
#include "bench/load/request.h"
#include "bench/load/sources.h"

#define PCAP_MESSAGE_MAX 1400 // bytes of a CoAP message in a frame

struct pcap_conf {
	const char *path;
	uint64_t requests;
	const struct sources *sources;
	uint8_t server[16]; // of the sources' family
	uint16_t port;      // host order
	uint8_t source_mac[6], server_mac[6];
};

// Writes so many frames, each device in turn, under Partial IVs that are used up by it.
int pcap_write(const struct pcap_conf *conf, const struct request_form *form,
	struct load_devices *devices, struct piv_supply *supply, struct error *f)
	__attribute__((warn_unused_result));

#endif
