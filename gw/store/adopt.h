// SPDX-License-Identifier: BSD-3-Clause
// Only one copy of a store may ever run: two would seal different messages under one nonce.

#ifndef POSTERN_GW_STORE_ADOPT_H
#define POSTERN_GW_STORE_ADOPT_H

#include "gw/store/meta.h"

// Refuses (-ESTALE) a store that a backup made, that is older than one of the marks, or that was
// last used on another machine.
int copy_check(struct store *store, const struct meta *meta, struct error *error)
	__attribute__((warn_unused_result));
// Chooses the run with which an adopted store goes on, and sets store->commits to that of the
// newest mark. -ERANGE if too few runs are left.
int adopt_run(struct store *store, int64_t version, uint32_t *run, struct error *error)
	__attribute__((warn_unused_result));
// Within a transaction: makes the store one of this machine and demands a resync of each device
// without Echo.
int adopt_write(struct store *store, const struct store_config *config, uint32_t run,
	struct error *error) __attribute__((warn_unused_result));

#endif
