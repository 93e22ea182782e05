// SPDX-License-Identifier: BSD-3-Clause
// A device in words and numbers: what a new one is made of, what an operator sees of one, and what
// the data plane gets. gw/store keeps them, gw/ctl carries them, docs/import.md explains them.

#ifndef POSTERN_GW_DEVICE_DEVICE_H
#define POSTERN_GW_DEVICE_DEVICE_H

#include "dataplane/oscore/context.h"
#include "dataplane/oscore/option.h"
#include "dataplane/oscore/window.h"

#include <stdbool.h>
#include <stdint.h>

#define DEVICE_NAME_MAX 63          // bytes of a name: [A-Za-z0-9._:-]
#define DEVICE_SEQ_MAX  OSC_PIV_MAX // of device_seq
// Of gateway_seq: with half of all numbers used, new keys are due.
#define DEVICE_GATEWAY_SEQ_MAX (OSC_PIV_MAX >> 1)
#define DEVICE_NAME_RULE       "1 to 63 of A-Z a-z 0-9 . _ : - are allowed"

// How a device goes on after its window was lost.
enum device_recovery {
	DEVICE_ECHO,  // it answers an Echo challenge
	DEVICE_FLOOR, // it cannot: only sequence numbers above a durable mark are accepted
	DEVICE_B2,    // it derives a new context, where its ID Context allows; else as DEVICE_ECHO
};

// Whether a device may derive a new context from its Master Secret while it is in service.
enum device_rederive {
	DEVICE_REDERIVE_NONE,
	DEVICE_REDERIVE_B2, // by RFC 8613 appendix B.2; no other device has its device_id
};

// Bytes of an ID Context with which DEVICE_B2 is possible: a run that the gateway starts makes it
// longer by 16, and 64 are the most of a run.
#define DEVICE_B2_CONTEXT_MAX 48

// Which answers carry a Partial IV of the gateway's own, and where it comes from.
enum device_own_piv {
	DEVICE_OWN_PIV_AUTO,   // where a nonce would repeat without
	DEVICE_OWN_PIV_ALWAYS, // every answer
	DEVICE_OWN_PIV_CLOCK,  // every answer, from the clock; its window is never kept
};

// Their words in imports and answers, in the order of the enum; NULL ends them.
extern const char *const device_recovery_words[]; // "echo", "floor", "b2"
extern const char *const device_rederive_words[]; // "none", "b2"
extern const char *const device_own_piv_words[];  // "auto", "always", "clock"

// The limits of the numbers in struct device_settings.
#define DEVICE_MESSAGE_MIN   64
#define DEVICE_MESSAGE_MAX   9216
#define DEVICE_IN_FLIGHT_MAX 255

#define DEVICE_POLICY_MAX 63 // bytes of a policy's name
#define DEVICE_POLICY_RULE \
	"the name of a policy: at most 63 of A-Z a-z 0-9 _ . - are allowed, or none"

#define DEVICE_NOTE_CHARACTERS 64
#define DEVICE_NOTE_MAX        (4 * DEVICE_NOTE_CHARACTERS) // bytes

// What can be changed of a device without giving it other keys. 0 means not given: the device keeps
// what it has or what the one that it replaces had, else the default of the data plane applies.
struct device_settings {
	uint16_t max_message;               // largest CoAP message to it, bytes
	uint8_t max_in_flight;              // requests of it under way
	bool has_policy;                    // false: unsaid; an empty policy takes it away
	char policy[DEVICE_POLICY_MAX + 1]; // what it may use: a name of the configuration
	bool has_note;                      // false: unsaid; an empty note takes it away
	char note[DEVICE_NOTE_MAX + 1];     // free text for operators, UTF-8
};

// A credential of EDHOC, at most; see gw/device/credential.h.
#define DEVICE_CREDENTIAL_MAX 1024 // bytes
#define DEVICE_KID_MAX        32   // bytes of the name of a CCS
#define DEVICE_DIGEST_LEN     32   // bytes of the SHA-256 of a credential

// What a new device is made of. Wipe it after use: it has the Master Secret.
struct device_spec {
	// recipient_id is the device_id (the kid that the device sends), sender_id the gateway_id.
	struct osc_params params;
	char name[DEVICE_NAME_MAX + 1]; // "": hex of device_id ("empty" if it has no byte), and
					// "." with hex of the ID Context if there is one
	// Where the keys have been; exactly one must be said.
	bool never_used;      // in no gateway: the window opens at this moment
	bool has_gateway_seq; // in one, whose next sequence number is gateway_seq
	uint64_t gateway_seq;
	// Next sequence number of the device, where its mark begins: for DEVICE_FLOOR unless
	// never_used.
	bool has_device_seq;
	uint64_t device_seq;
	// Not given: as the device had that this one replaces, else the first of each enum.
	bool has_recovery, has_own_piv, has_rederive;
	enum device_recovery recovery;
	enum device_own_piv own_piv;
	enum device_rederive rederive;
	struct device_settings settings;
	// In the place of all keys: it agrees on keys by EDHOC. Of a device with a credential only
	// name and settings count beside it. 0: it has keys.
	uint16_t credential_len;
	uint8_t credential[DEVICE_CREDENTIAL_MAX];
};

// A sealed Master Secret with its Master Salt, at most: see gw/store/seal.h.
#define DEVICE_SEALED_MAX 170

// A device as the data plane takes it. Has keys: wipe it after use.
struct device_keyed {
	uint64_t id;       // of this device with these keys; never used again for others
	uint64_t replaces; // id of the device that was retired in its favour; 0: none
	bool changed; // it is there with these keys: only its settings are new, and its window is
		      // not in here
	char name[DEVICE_NAME_MAX + 1];
	enum aead_alg alg;
	bool has_id_context;
	bool window_known;                                     // else the device is window-unknown
	uint8_t device_id_len, gateway_id_len, id_context_len; // bytes
	uint8_t device_id[OSC_KID_LEN_MAX];
	uint8_t gateway_id[OSC_KID_LEN_MAX];
	uint8_t id_context[OSC_ID_CONTEXT_LEN_MAX];
	struct osc_keys keys;     // sender_key: of the gateway
	struct osc_window window; // if window_known
	uint32_t run_base;        // its runs are the start's run + run_base
	enum device_recovery recovery;
	enum device_own_piv own_piv;
	enum device_rederive rederive;
	uint32_t rederived; // contexts that were derived while it was in service
	uint8_t sealed_len; // of DEVICE_REDERIVE_B2, for gw/store/vault.h; else 0
	uint8_t sealed[DEVICE_SEALED_MAX];
	struct device_settings settings;
	uint64_t mark;        // DEVICE_FLOOR: no sequence number from here on was accepted
	bool resync_needed;   // DEVICE_FLOOR: the mark is of an old copy, it must not be served
	uint64_t fingerprint; // keyed hash over Recipient Key and ID Context
	// Of a device with a credential, which has no keys; 0: it has keys.
	uint16_t credential_len;
	uint8_t kid_len; // of its CCS; 0: it has none
	uint8_t kid[DEVICE_KID_MAX];
	uint8_t credential[DEVICE_CREDENTIAL_MAX];
};

// A device as an operator sees it: no secret.
struct device_info {
	uint64_t id;
	char name[DEVICE_NAME_MAX + 1];
	enum aead_alg alg;
	bool has_id_context;
	uint8_t device_id_len, gateway_id_len, id_context_len; // bytes
	uint8_t device_id[OSC_KID_LEN_MAX];
	uint8_t gateway_id[OSC_KID_LEN_MAX];
	uint8_t id_context[OSC_ID_CONTEXT_LEN_MAX];
	uint32_t run_base;
	enum device_recovery recovery;
	enum device_own_piv own_piv;
	enum device_rederive rederive;
	uint32_t rederived;   // as in struct device_keyed
	int64_t rederived_at; // Unix time of the last; 0: never
	struct device_settings settings;
	uint64_t mark;      // as in struct device_keyed
	bool resync_needed; // as in struct device_keyed
	int64_t created;    // Unix time
	uint64_t fingerprint;
	// Of a device with a credential, which has no keys: "ccs" or "x509"; "": it has keys.
	char credential[5];
	uint8_t kid_len; // as in struct device_keyed
	uint8_t kid[DEVICE_KID_MAX];
	uint8_t digest[DEVICE_DIGEST_LEN]; // struct device_credential
	int64_t expires;                   // the same
	bool damaged; // its keys cannot be opened: it must be removed, or imported again
};

enum device_outcome {
	DEVICE_ADDED,
	DEVICE_UNCHANGED, // it is there with these parameters: window and counter stay
	DEVICE_REPLACED,  // one with the same device_id and ID Context was retired
	DEVICE_CHANGED,   // it is there with these keys, and got other settings: all else stays
};

// Whether a name is allowed: 1 to DEVICE_NAME_MAX of [A-Za-z0-9._:-].
bool device_name_valid(const char *name);
// Whether the name of a policy is; an empty one is none.
bool device_policy_valid(const char *policy);
// Whether a note is: UTF-8 of at most DEVICE_NOTE_CHARACTERS, none of them a control character.
bool device_note_valid(const char *note);

#endif
