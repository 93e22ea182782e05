// SPDX-License-Identifier: BSD-3-Clause
// Keyed hashes. The store compares derived keys by their hashes, without keeping keys in clear, and
// finds rows that were changed on the disk by tags.

#ifndef POSTERN_GW_STORE_HASHES_H
#define POSTERN_GW_STORE_HASHES_H

#include "gw/store/store.h"

#include <sqlite3.h>

#define STORE_HASH_LEN  16 // bytes of the keyed hash of a derived key
#define STORE_TOKEN_LEN 16
#define STORE_TAG_LEN   8 // bytes of the keyed hash over a kept window, tombstone or meta

// In SQL, the tags over what is in clear; see store_functions().
#define STORE_TOMBSTONE_TAG "state_tag('tombstone', hash, run, mark)"
#define STORE_META_TAG      "state_tag('meta', machine, run, clock, copy, commits)"

struct store_row;

// Hashes a derived key, of the length that alg has.
void store_key_hash(const struct store *store, uint8_t hash[STORE_HASH_LEN], const uint8_t *key,
	enum aead_alg alg);
// Hashes a Master Secret with its Master Salt and both ids, in either role. What derives the same
// keys under some ID Context has the same hash, however its salt is written.
void store_secret_hash(
	const struct store *store, uint8_t hash[STORE_HASH_LEN], const struct osc_params *params);
// A number that operators see of a device: it changes with the Recipient Key or the ID Context.
uint64_t store_fingerprint(
	const struct store *store, const struct store_row *row, const struct osc_keys *keys);
// Gives a connection the function state_tag() of SQL, which makes a tag over all its arguments.
// -ENOMEM
int store_functions(struct store *store, sqlite3 *db) __attribute__((warn_unused_result));
// Makes the tag of a kept window, which binds it to its device and to the clean stop with this
// token.
void store_window_tag(const struct store *store, uint8_t tag[STORE_TAG_LEN],
	const uint8_t token[STORE_TOKEN_LEN], const struct store_window *window);

#endif
