// SPDX-License-Identifier: BSD-3-Clause
// What a device has for EDHOC (RFC 9528): its private key and credential, and the credentials of
// the gateway, from JSON files.

#ifndef POSTERN_GW_TOOLS_COAP_IDENTITY_FILE_H
#define POSTERN_GW_TOOLS_COAP_IDENTITY_FILE_H

#include "base/error.h"
#include "gw/edhoc/session.h"

#define IDENTITY_PEERS_MAX 8 // credentials of the gateway
#define IDENTITY_BYTES_MAX (32 * 1024)

struct identity {
	struct edhoc_identity own;
	struct edhoc_credential peers[IDENTITY_PEERS_MAX];
	unsigned n_peers;
	unsigned method;
	int64_t suites[EDHOC_SUITE_COUNT]; // the best first
	unsigned n_suites;
	struct edhoc_connection c_i;
	bool has_c_i;
	bool message_4; // is wanted
	bool group_may_read;
	uint8_t *bytes; // IDENTITY_BYTES_MAX, what the credentials point to
	size_t used;
};

// Reads the device's file, and the gateway's if gateway_path is not NULL; docs/postern-coap.1.scd
// describes both. Returns 0 or -errno. The caller calls identity_free(), also after a failure.
int identity_load(struct identity *identity, struct edhoc_engine *engine, const char *path,
	const char *gateway_path, struct error *f) __attribute__((warn_unused_result));
// Wipes the private key.
void identity_free(struct identity *identity);

// The gateway's credential that an ID_CRED_R means, or NULL.
const struct edhoc_credential *identity_peer_find(const struct identity *identity,
	const struct edhoc_id_cred *id_cred) __attribute__((warn_unused_result));

// What a new file is made of.
struct identity_new {
	const char *path;         // must not be there
	const char *name;         // claim sub; NULL: none
	const char *gateway_path; // NULL: the file names no gateway
	enum ecc_curve curve;
	const uint8_t *kid;
	size_t kid_len;
};
// Makes a key pair and its CCS, writes them to a file that only the owner can read, and the public
// part as a line of JSON to standard output. Returns 0 or -errno.
int identity_make(const struct identity_new *what, struct edhoc_engine *engine, struct error *f)
	__attribute__((warn_unused_result));

#endif
