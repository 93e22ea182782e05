// SPDX-License-Identifier: BSD-3-Clause
// The row of table meta: the store's own key, the machine that last used it, and its counts of runs
// and transactions.

#ifndef POSTERN_GW_STORE_META_H
#define POSTERN_GW_STORE_META_H

#include "gw/store/store.h"

// Where the store was last used.
struct meta {
	bool this_machine;
};

// Within a transaction: makes the store's own key, derives store->secrets from it, and writes the
// first row.
int meta_create(struct store *store, const struct store_config *config, uint32_t run,
	struct error *error) __attribute__((warn_unused_result));
// Reads the first row of a store of this or an older version into *store and *meta. -EKEYREJECTED
// if its key is sealed under another key-encryption key, -EBADMSG if it is damaged.
int meta_read(struct store *store, const struct store_config *config, int64_t version,
	struct meta *meta, struct error *error) __attribute__((warn_unused_result));
// Checks the tag over the row. -EBADMSG if it was changed on the disk.
int meta_verify(struct store *store, struct error *error) __attribute__((warn_unused_result));
// Within a transaction: makes the store one of this machine and no copy, which goes on with this
// run.
int meta_adopt(struct store *store, const struct store_config *config, uint32_t run,
	struct error *error) __attribute__((warn_unused_result));
// Reads store->count, and raises store->next_id above all ids that were ever given.
int counters_read(struct store *store, struct error *error) __attribute__((warn_unused_result));

#endif
