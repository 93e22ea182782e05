// SPDX-License-Identifier: BSD-3-Clause
// Writes a capture file (draft-ietf-opsawg-pcapng): one section, an interface for each port.

#ifndef POSTERN_GW_TOOLS_CTL_PCAPNG_H
#define POSTERN_GW_TOOLS_CTL_PCAPNG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

enum pcapng_link {
	PCAPNG_ETHERNET = 1, // LINKTYPE_ETHERNET
	PCAPNG_RAW = 101,    // LINKTYPE_RAW: IPv4 or IPv6
};

struct pcapng_frame {
	uint64_t time_ns; // Unix time
	uint32_t interface;
	uint32_t wire_len;
	bool out;
	const uint8_t *bytes;
	uint32_t len;
};

// All write to a stream whose errors the caller looks for, and return how many bytes they wrote.
size_t pcapng_section(FILE *out);
size_t pcapng_interface(FILE *out, enum pcapng_link link, const char *name, size_t name_len);
size_t pcapng_packet(FILE *out, const struct pcapng_frame *frame);
// How many frames were lost, as a statistic of the first interface.
size_t pcapng_lost(FILE *out, uint64_t lost);

#endif
