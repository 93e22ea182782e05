// SPDX-License-Identifier: BSD-3-Clause
// Which devices there are for EDHOC, and who a credential stands for: credentials of devices in the
// store, certificates of authorities that a rule makes a device of (trust.h), and what was revoked.
//
// Main changes them, and the threads of handshakes look them up without waiting for main. The locks
// are held for a few look-ups, or while a chain of certificates is verified; no worker takes one.
//
// A name is one device's. One that a device of the store has is never made by a rule, and one that
// a credential in use has is no other's, except of a certificate that was issued later: that takes
// its place.

#ifndef POSTERN_GW_HANDSHAKE_CREDENTIALS_H
#define POSTERN_GW_HANDSHAKE_CREDENTIALS_H

#include "gw/device/device.h"
#include "gw/edhoc/credential.h"
#include "gw/handshake/revoked.h"

#include <stdbool.h>
#include <stdint.h>

#define EDHOC_CANDIDATES_MAX 4 // credentials that one ID_CRED may name and that are tried

// The top bit of an id: that of a certificate which a rule makes a device of.
#define CREDENTIAL_BY_RULE (UINT64_C(1) << 63)

// Who a credential stands for. No secrets.
struct credential_owner {
	uint64_t id; // of the credential: struct device_keyed, or with CREDENTIAL_BY_RULE
	char name[DEVICE_NAME_MAX + 1];     // of the device
	char policy[DEVICE_POLICY_MAX + 1]; // "": none
	uint16_t max_message;               // struct device_settings
	uint8_t max_in_flight;              // the same
	uint64_t rule;                      // struct trust_name; 0: of the store
	struct credential_mark mark;
	// By a rule: what came with the certificate, of authorities between it and the rule's.
	struct credential_issuers issuers;
	int64_t not_before, not_after; // seconds since 1970, as in struct edhoc_credential
};

// A credential that an ID_CRED may mean.
struct edhoc_candidate {
	struct credential_owner owner;
	struct edhoc_credential credential; // points into item[]
	uint8_t item[EDHOC_CREDENTIAL_MAX];
};

// A device of the store with a credential. The bytes are copied.
struct credential_row {
	uint64_t id;
	const char *name;
	const struct device_settings *settings;
	bool x509;
	struct edhoc_bytes item; // CRED_I
	struct edhoc_bytes kid;  // of a CCS; len 0: it has none
};

struct credentials;

// Told by main about credentials that are or were in use, within the call that changes them.
struct credentials_watch {
	// The credential is no more, must not be used any more, or gave its name to another one.
	void (*gone)(void *arg, uint64_t id);
	// It has other settings.
	void (*changed)(void *arg, const struct credential_owner *owner);
	void *arg;
};

// Without credentials and rules. NULL without memory.
struct credentials *credentials_create(void);
// NULL is allowed.
void credentials_free(struct credentials *credentials);
void credentials_watch(struct credentials *credentials, const struct credentials_watch *watch);

// Main: puts in a device, in the place of one with its id. Its name is reserved. -ENOMEM
int credentials_put(struct credentials *credentials, const struct credential_row *row)
	__attribute__((warn_unused_result));
// Main: takes out the device with this id, if it is there.
void credentials_take(struct credentials *credentials, uint64_t id);
// Main: what uses this credential is told that it is gone; it may be used again after that.
void credentials_end(struct credentials *credentials, uint64_t id);
// Main: a device of the store, with a credential or without, has this name from now on: who got it
// by a rule loses it. -ENOMEM
int credentials_name_put(struct credentials *credentials, const char *name)
	__attribute__((warn_unused_result));
// Main: no device of the store has the name any more.
void credentials_name_take(struct credentials *credentials, const char *name);
// Main: replaces rules and list of what was revoked; takes over both. NULL: there are none. From
// now on nothing is found or held that does not pass. What is in use and does not pass any more is
// gone when credentials_sift() comes to it.
void credentials_trust(
	struct credentials *credentials, struct trust *trust, struct revoked *revoked);
// Main: looks at some of the credentials in use since credentials_trust(). Returns whether there
// are more to look at.
bool credentials_sift(struct credentials *credentials) __attribute__((warn_unused_result));
// Main: devices with a credential.
uint32_t credentials_count(const struct credentials *credentials);

// Any thread: finds the credentials that an ID_CRED_I may mean, which are not revoked, are valid at
// now_s (seconds since 1970), and which no name is against. Returns their number; with none *result
// is why. The engine is the thread's.
unsigned credentials_find(struct credentials *credentials, struct edhoc_engine *engine,
	const struct edhoc_id_cred *id_cred, int64_t now_s,
	struct edhoc_candidate candidates[EDHOC_CANDIDATES_MAX], enum edhoc_result *result);

// Main: a handshake with this credential was completed, and it is used until credentials_drop(),
// once for each time. It may have been changed since it was found, so *owner is brought up to date.
// -ENOENT if it is not there any more, -EKEYREVOKED if it was revoked or its rule has gone, -EEXIST
// if the name is another's, -ENOMEM
int credentials_hold(struct credentials *credentials, struct credential_owner *owner)
	__attribute__((warn_unused_result));
void credentials_drop(struct credentials *credentials, uint64_t id);
// Main: a credential that is in use, by its id or by the name of its device, until the next call
// that changes any. NULL: there is none.
const struct credential_owner *credentials_used(const struct credentials *credentials, uint64_t id);
const struct credential_owner *credentials_used_by(
	const struct credentials *credentials, const char *name);

#endif
