// SPDX-License-Identifier: BSD-3-Clause
// Which copy of a store lives on.

#ifndef POSTERN_GW_STORE_ADOPT_H
#define POSTERN_GW_STORE_ADOPT_H

#include "gw/store/meta.h"

// That the store is no copy, no older one than the marks say, and of this machine. -ESTALE
int copy_check(struct store *store, const struct meta *meta, struct store_error *error)
	__attribute__((warn_unused_result));
// The run with which an adopted store goes on; store->commits becomes that of the newest mark.
// -ERANGE if too few are left.
int adopt_run(struct store *store, int64_t version, uint32_t *run, struct store_error *error)
	__attribute__((warn_unused_result));
// Within a transaction: makes the store one of this machine, in which no device without Echo is
// served before a resync.
int adopt_write(struct store *store, const struct store_config *config, uint32_t run,
	struct store_error *error) __attribute__((warn_unused_result));

#endif
