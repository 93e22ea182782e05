// SPDX-License-Identifier: BSD-3-Clause
// What must hold, from outside: the oracle knows each request that devices made, opens all that the
// gateway sends with keys of its own, and remembers what each nonce sealed. It outlives the lives
// of the gateway within a schedule.

#ifndef POSTERN_TESTS_SIM_ORACLE_H
#define POSTERN_TESTS_SIM_ORACLE_H

#include "tests/sim/net.h"
#include "tests/sim/oscore.h"
#include "tests/sim/things.h"

#include <stdbool.h>
#include <stdint.h>

#define ORACLE_ASKS    1024 // requests of a schedule
#define ORACLE_CLIENTS 512  // keys that there were in it
#define ORACLE_TOKEN   4

#define ORACLE_CONTENT THING_CONTENT // bytes of what is answered

enum ask_kind {
	ASK_POST,
	ASK_GET,
	ASK_FRESH, // a POST whose route wants an Echo value
	ASK_ECHO,
	ASK_DISCARD,
	ASK_SHARED, // a GET whose answer is stored for all
	ASK_OWN,    // .. for the device alone
	ASK_FETCH,  // a FETCH whose answer is stored for all
	ASK_KINDS
};
// Whether it is a server that does what is asked, for this request alone.
static inline bool ask_has_effect(enum ask_kind kind)
{
	return kind <= ASK_FRESH;
}
static inline bool ask_is_get(enum ask_kind kind)
{
	return kind == ASK_GET || kind >= ASK_SHARED;
}

// A request as a device made it; its token is its number.
struct ask {
	unsigned device;
	unsigned client; // oracle_client()
	uint64_t piv;
	enum ask_kind kind;
	struct thing thing; // of the kinds that are stored
	uint32_t least;     // version of it that may be answered
	bool observes;      // it registers
	bool notified;      // and was
	bool ended;         // and it was answered that it is not registered any more
	uint16_t notified_port;
	// It ends the registration of this request, whose token it has; its own number: none. The
	// other way round, the last one that ends this; 0: none.
	uint32_t token, ended_by;
	// The Echo value that it brings was sent by the gateway then, sim.ms; 0: none. How old that
	// was at least when the request came to a worker, ms.
	uint64_t echo_sent_ms;
	int64_t echo_age_ms;
	bool confirmable;
	bool is_first;   // a request #1 of appendix B.2: never served
	bool is_gone;    // its device was removed, and nothing of it is left
	bool challenged; // got a challenge, or a response #1
	bool answered;   // anything else
	bool succeeded;
	unsigned effects;   // times that a server did what it asks for
	unsigned excused;   // of these, those after which it may be asked again
	uint8_t answer[16]; // hash of what was sealed
	struct net_message message;
};

void oracle_begin(void);
// Keys: their number from now on, which they may have already.
unsigned oracle_client_add(const struct client *client);
// The one of a device with this sender key of a client; NULL: it was given none of that kind.
const struct client *oracle_client_with(unsigned device, const uint8_t *sender_key);
// What a device asked before the request of this number is not answered any more.
void oracle_forgets(unsigned device, uint32_t number);
const struct client *oracle_client(unsigned client);
// A new request, whose number is *number; NULL: there were too many.
struct ask *oracle_ask_add(uint32_t *number);
struct ask *oracle_ask(uint32_t number);
uint32_t oracle_asks(void);
// This worker gets this.
void oracle_arrives(const struct net_message *message, unsigned queue);
// When the gateway sent this Echo value, sim.ms; 0: never.
uint64_t oracle_echo_sent_ms(const uint8_t *echo, size_t len);
// The gateway sends this.
void oracle_leaves(const struct net_message *message);
// A server does what a request asks for, which the gateway says is of the device of this name.
void oracle_effect(uint32_t number, bool is_post, const char *name);
// A server is asked for a thing, by the device of this name, or nobody; `known` and what is
// returned as by thing_read(). Sets thing->of of one that a device has.
bool oracle_reads(
	struct thing *thing, const char *name, const char *known, char content[ORACLE_CONTENT + 1]);

// A CoAP message, as far as devices and the oracle look at it.
struct coap_seen {
	uint8_t type, code, token_len;
	uint16_t mid;
	uint32_t token;        // if it has ORACLE_TOKEN bytes
	const uint8_t *oscore; // NULL: none
	uint8_t oscore_len;
	const uint8_t *echo; // outside of OSCORE
	size_t echo_len;
	const uint8_t *payload;
	size_t payload_len;
};

bool coap_look(struct coap_seen *seen, const uint8_t *coap, size_t len);
// The value of an option in code, options and payload of an opened message; NULL: it has none.
const uint8_t *inner_option(const struct client_opened *opened, unsigned number, size_t *len);
const uint8_t *inner_payload(const struct client_opened *opened, size_t *len);

#endif
