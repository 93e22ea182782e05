// SPDX-License-Identifier: BSD-3-Clause
// One run of postern-coap.

#ifndef POSTERN_GW_TOOLS_COAP_CLIENT_H
#define POSTERN_GW_TOOLS_COAP_CLIENT_H

#include "gw/tools/coap/args.h"
#include "gw/tools/coap/context_file.h"
#include "gw/tools/coap/derived.h"
#include "gw/tools/coap/exchange.h"
#include "gw/tools/coap/handshake.h"
#include "gw/tools/coap/progress.h"
#include "gw/tools/coap/secure.h"
#include "gw/tools/coap/sequence.h"
#include "gw/tools/coap/session_file.h"
#include "gw/tools/coap/transfer.h"

#define ECHO_LEN_MAX 40 // RFC 9175 section 2.2.1

enum exit_status {
	EXIT_CONTENT = 0, // 2.xx
	EXIT_LOCAL = 1,
	EXIT_USAGE = 2,
	EXIT_NO_ANSWER = 3,
	EXIT_CLIENT_ERROR = 4, // 4.xx
	EXIT_SERVER_ERROR = 5, // 5.xx
	EXIT_UNPROTECTED = 6,
	EXIT_UNVERIFIED = 7,
	EXIT_RESET = 8,
	EXIT_HANDSHAKE = 9,
};

// The registration that stands, and how its first answer, or the newest notification, came.
struct registration {
	bool stands;
	uint64_t piv; // of its request
	uint8_t token[TOKEN_LEN_MAX];
	size_t token_len;
	bool has_number, has_piv;
	uint32_t number; // outside: Observe
	uint64_t own_piv;
};

// A context that is made by EDHOC. All zeros: without --edhoc.
struct establishing {
	enum {
		ESTABLISH_OFF,
		ESTABLISH_NONE,      // there is none: a handshake comes first
		ESTABLISH_MESSAGE_3, // which goes with the next request
		ESTABLISH_FRESH,     // message_3 was answered, but nothing under the context
		ESTABLISH_STANDS,    // and is kept
	} phase;
	struct edhoc_engine engine; // the AEADs are those of the session
	struct identity identity;
	struct handshake handshake;
	struct session_for kept_for;
	char *gateway;       // host and port
	unsigned runs;       // handshakes since the last verified answer
	unsigned handshakes; // of this process
	bool combined;       // the last one, with a request
	bool failed;         // c->failure says how
};

struct client {
	struct client_args args;
	struct client_context context;
	struct session session;
	struct derived derived; // of --b2
	struct establishing establishing;
	bool bare;                        // what is sent now has no protection
	uint8_t outer_echo[ECHO_LEN_MAX]; // for the next request, outside; len 0: none
	uint8_t outer_echo_len;
	char *sequence_path;
	struct peer peer;
	struct request request;
	struct answer answer;
	struct protection protection; // of the request
	uint8_t token[TOKEN_LEN_MAX];
	uint8_t *datagram, *response; // DATAGRAM_MAX bytes each
	size_t datagram_len, response_len;
	struct transfer transfer;
	struct sequence_stock numbers;
	struct progress progress;
	uint16_t mid; // of the last request
	// The first block of an answer, whose code and options are those of the answer.
	bool has_head;
	uint8_t head_code;
	struct coap_body head;
	uint8_t *spare_plaintext, *spare_response; // what it points to, or unused
	// What is shown as the payload.
	const uint8_t *payload;
	size_t payload_len;
	enum answer_verdict verdict;
	unsigned transmissions; // of the last request
	unsigned challenges, unverified;
	unsigned unverified_before;       // the last request
	unsigned challenged;              // in a row, for the same block
	double milliseconds;              // of all exchanges
	struct registration registration; // of --observe
	bool printed;                     // all that there is to print
	char note[ERROR_TEXT_MAX];        // why a transfer did not come to its end
	struct error failure;
};

#endif
