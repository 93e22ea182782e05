// SPDX-License-Identifier: BSD-3-Clause
// The first row: the store's own key, where it was last used, and what it counts.

#ifndef POSTERN_GW_STORE_META_H
#define POSTERN_GW_STORE_META_H

#include "gw/store/store.h"

// What meta says of where the store was last used.
struct meta {
	bool this_machine;
};

// Within a transaction: makes the store's own key, derives store->secrets from it, and writes the
// first row.
int meta_create(struct store *store, const struct store_config *config, uint32_t run,
	struct store_error *error) __attribute__((warn_unused_result));
// Reads the first row of a store of this or an older version into *store and *meta. -EKEYREJECTED
// if its key is sealed under another key-encryption key, -EBADMSG if it is damaged.
int meta_read(struct store *store, const struct store_config *config, int64_t version,
	struct meta *meta, struct store_error *error) __attribute__((warn_unused_result));
// That what meta says of where the store was used is what we wrote. -EBADMSG
int meta_verify(struct store *store, struct store_error *error) __attribute__((warn_unused_result));
// Within a transaction: the store is of this machine and no copy, and goes on with this run.
int meta_adopt(struct store *store, const struct store_config *config, uint32_t run,
	struct store_error *error) __attribute__((warn_unused_result));
// count and next_id.
int counters_read(struct store *store, struct store_error *error)
	__attribute__((warn_unused_result));

#endif
