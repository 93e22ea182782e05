// SPDX-License-Identifier: BSD-3-Clause
// The command line of postern-coap.

#ifndef POSTERN_GW_TOOLS_COAP_ARGS_H
#define POSTERN_GW_TOOLS_COAP_ARGS_H

#include "crypto/ecc.h"
#include "gw/tools/coap/options.h"
#include "gw/tools/coap/uri.h"

#define TOKEN_LEN_MAX 64 // bytes of --token
#define MAKE_KID_MAX  32 // bytes of --edhoc-kid
#define MAKE_KID_LEN  4  // bytes of a kid of our own
#define TOKEN_LEN     4  // bytes of a token of our own (RFC 7252 section 5.3.1: at least 32 bits)

struct client_args {
	uint8_t code; // the method
	struct uri uri;
	struct option_list options; // of the URI, the formats and -O
	const char *context_path;   // NULL with plain and with edhoc_path
	const char *edhoc_path;     // key and credential of the device; NULL: no EDHOC
	const char *edhoc_gateway_path;
	const char *sequence_path; // NULL: beside the context
	uint8_t *payload;
	size_t payload_len;
	const char *output_path; // NULL: standard output
	const char *bind_address;
	uint16_t bind_port;
	int family;
	unsigned timeout_ms, ack_timeout_ms, retransmit_max;
	unsigned verbose;
	const char *payload_text; // of -d or -x
	int payload_option;       // 'd', 'x' or 0
	uint8_t szx;              // of the largest block
	size_t body_max;          // bytes of either body
	uint32_t count;           // notifications of --observe; 0: until it is stopped
	uint8_t token[TOKEN_LEN_MAX];
	size_t token_len;
	bool has_szx; // -b is there
	bool one;     // no transfer in blocks but what -O says
	bool has_token, non, json, include, quiet, plain, no_echo, no_id_context;
	bool observe;
	bool edhoc_new, edhoc_apart, edhoc_message_4;
	// Of --edhoc-make.
	const char *make_path, *make_name;
	enum ecc_curve make_curve;
	uint8_t make_kid[MAKE_KID_MAX];
	size_t make_kid_len;
	bool b2, b2_new; // appendix B.2: derive a context if there is none; or in any case
};

enum args_result {
	ARGS_RUN,
	ARGS_MAKE, // a key pair
	ARGS_DONE, // help or version was printed
	ARGS_WRONG,
};

// Parses, reads the payload and fills *args, which args_free() frees in any case.
enum args_result args_parse(struct client_args *args, int argc, char **argv, struct error *f)
	__attribute__((warn_unused_result));
void args_free(struct client_args *args);

#endif
