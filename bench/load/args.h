// SPDX-License-Identifier: BSD-3-Clause
// The command line of postern-load.

#ifndef POSTERN_BENCH_LOAD_ARGS_H
#define POSTERN_BENCH_LOAD_ARGS_H

#include "bench/load/sources.h"
#include "crypto/aead_algs.h"
#include "dataplane/coap/message.h"
#include "dataplane/port/port.h"
#include "gw/tools/coap/options.h"
#include "gw/tools/coap/uri.h"

#include <sys/socket.h>

#define PAYLOAD_DEFAULT 32      // bytes
#define WINDOW_DEFAULT  64      // requests under way in a closed loop
#define WINDOW_MAX      4194304 // slots of 64 bytes

struct load_args {
	// What to do instead of a load.
	size_t make_devices; // 0: nothing
	const char *make_path;
	uint32_t first_id;
	enum aead_alg alg;

	const char *keys_path;
	size_t devices; // 0: all
	struct uri uri;
	struct option_list options; // with those of the URI
	enum coap_type type;
	uint8_t code;
	uint8_t *payload;
	size_t payload_len;

	double rate; // 0: closed loop
	uint32_t window;
	uint64_t requests;
	unsigned duration_ms, warm_up_ms, timeout_ms;
	uint32_t verify;
	bool reflected;
	unsigned hostile; // percent of all datagrams; 0: none

	const char *port_dev; // of a DPDK port; NULL: kernel sockets
	enum dp_port_kind port_kind;
	bool memif_server;
	uint16_t mtu;
	struct sources sources;
	bool has_server_mac, has_source_mac;
	uint8_t server_mac[6], source_mac[6];
	const char *pcap_path; // written instead of sending

	int family;
	const char *bind_address;
	unsigned sockets;
	int core; // -1: any
	bool json, quiet;
};

enum load_args_result {
	LOAD_ARGS_RUN,
	LOAD_ARGS_DONE, // a help text or the version was printed
	LOAD_ARGS_WRONG,
};

enum load_args_result load_args_parse(struct load_args *args, int argc, char **argv,
	struct error *f) __attribute__((warn_unused_result));
void load_args_free(struct load_args *args);

#endif
