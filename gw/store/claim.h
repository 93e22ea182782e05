// SPDX-License-Identifier: BSD-3-Clause
// A name in the kernel that only one process can have for a store and all its copies.

#ifndef POSTERN_GW_STORE_CLAIM_H
#define POSTERN_GW_STORE_CLAIM_H

#include "base/error.h"

struct store;

// Takes the name, until store->claim_fd is closed. -EBUSY if another process in this network
// namespace has this store or a copy of it open.
int store_claim(struct store *store, struct error *error) __attribute__((warn_unused_result));

#endif
