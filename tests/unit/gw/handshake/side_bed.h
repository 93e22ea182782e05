// SPDX-License-Identifier: BSD-3-Clause
// A thread of handshakes as Responder of EDHOC, for tests. These are in the place of the workers,
// of main and of the devices, all of it with method 3 and suite 2.

#ifndef POSTERN_TESTS_UNIT_GW_HANDSHAKE_SIDE_BED_H
#define POSTERN_TESTS_UNIT_GW_HANDSHAKE_SIDE_BED_H

#include "gw/handshake/handshake.h"
#include "tests/unit/gw/edhoc/bed.h"

#define ROOM   2048 // bytes of a datagram
#define PIV    5    // of combined requests
#define METHOD 3
#define SUITE  2

struct side_rings {
	struct dp_slow slow;
	struct dp_slow_lane lane[1];
};

struct side_datagram {
	size_t len;
	uint8_t bytes[ROOM];
};

extern struct side_rings rings;
extern struct handshake_mailbox box;
extern struct connections *connections; // with 40 that are ready
extern struct edhoc_engine engine;
extern struct bed_end initiator, responder; // the kid of the first one is another's, too
extern struct edhoc_side_conf side;
extern struct handshake_conf conf;
extern struct handshake *h;
extern uint64_t now_ms;
extern struct dp_flow flow; // where requests come from
extern unsigned found;      // how often a credential was looked for
extern struct bed_run run;
extern uint16_t mid; // of the last request
extern struct side_datagram request, answer;
extern struct coap_msg said; // in answer

void side_begin(void);
void side_end(void);

// Has the request that was made last taken, once more.
void again(enum dp_slow_kind kind);
void head_write(struct coap_writer *writer, enum coap_type type);
// A POST to /.well-known/edhoc with this prefix and message; echo may be NULL.
void request_make(const uint8_t *prefix, size_t prefix_len, const uint8_t *message, size_t len,
	const uint8_t *echo, size_t echo_len);
// message_1 of run, and a message_3 for its C_R, by itself and with a request.
void send_1(void);
void send_3(const struct bed_bytes *message);
void send_combined(const struct bed_bytes *message);
// With so many EDHOC options.
void send_combined_as(const struct bed_bytes *message, unsigned options);

// The next answer; false if there is none.
bool answered(void);
void expect_error(uint8_t code, int64_t error_code);
// Takes message_2 as the next answer.
void take_2(void);
// Up to a message_3 that is ready to be sent.
void run_to_3(void);

uint64_t side_stat(enum handshake_stat which);
// What main gets; the caller frees it or settles it.
struct handshake_born *born(enum handshake_kind kind);
void expect_nothing_for_main(void);
void expect_session(const struct handshake_session *session);
// As main does.
void settle(struct handshake_born *b, bool published);

#endif
