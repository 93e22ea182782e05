// SPDX-License-Identifier: BSD-3-Clause
// Both ends of EDHOC, for tests: keys, credentials of each kind, whole handshakes.

#ifndef POSTERN_TESTS_UNIT_GW_EDHOC_BED_H
#define POSTERN_TESTS_UNIT_GW_EDHOC_BED_H

#include "gw/edhoc/initiator.h"
#include "gw/edhoc/responder.h"

#define BED_ROOM 4096

// Aborts if anything fails; so do all functions here.
struct edhoc_engine bed_engine(void);
void bed_engine_free(struct edhoc_engine *engine);

// Bytes that somebody owns.
struct bed_bytes {
	size_t len;
	uint8_t data[BED_ROOM];
};

void bed_hex(struct bed_bytes *bytes, const char *hex);
struct edhoc_bytes bed_view(const struct bed_bytes *bytes);

// How a credential is named and what it is.
enum bed_kind { BED_CCS_KID, BED_CCS_VALUE, BED_X5T, BED_X5CHAIN, BED_KINDS };

// An end with a credential; must stay where it is.
struct bed_end {
	struct edhoc_identity identity;
	struct bed_bytes item, id_cred;
};

// The kid is one byte.
void bed_end_make(struct bed_end *end, struct edhoc_engine *engine, enum ecc_curve curve,
	enum bed_kind kind, const uint8_t secret[ECC_LEN], uint8_t kid);
// The same with a credential that is there already, and its name as it is in transcripts.
void bed_end_take(struct bed_end *end, struct edhoc_engine *engine, const char *secret,
	const char *cred, const char *id_cred, bool x509);
void bed_end_free(struct bed_end *end);
// The curve that an end of a role needs.
enum ecc_curve bed_curve(unsigned method, unsigned suite, enum edhoc_role role);

// A handshake and the messages of it.
struct bed_run {
	struct edhoc_session initiator, responder;
	struct edhoc_done initiator_done, responder_done;
	struct bed_bytes message[5];   // 1 to 4
	struct bed_bytes plaintext[4]; // 2 and 3
};

// A whole handshake with message_4. C_I is 1, C_R is 2.
void bed_run(struct bed_run *run, struct edhoc_engine *engine, unsigned method, unsigned suite,
	const struct bed_end *initiator, const struct bed_end *responder);
// The steps of it: each makes its message of what is in *run, and takes the one before.
enum edhoc_result bed_message_1(
	struct bed_run *run, struct edhoc_engine *engine, unsigned method, unsigned suite);
enum edhoc_result bed_message_2(
	struct bed_run *run, struct edhoc_engine *engine, const struct bed_end *responder);
enum edhoc_result bed_message_3(struct bed_run *run, struct edhoc_engine *engine,
	const struct bed_end *initiator, const struct bed_end *responder);
enum edhoc_result bed_message_4(
	struct bed_run *run, struct edhoc_engine *engine, const struct bed_end *initiator);
enum edhoc_result bed_finish(struct bed_run *run, struct edhoc_engine *engine);

#endif
