// SPDX-License-Identifier: BSD-3-Clause
// The file that ties kept replay windows to the clean stop that wrote them.

#ifndef POSTERN_GW_STORE_RUN_TOKEN_H
#define POSTERN_GW_STORE_RUN_TOKEN_H

#include "gw/store/hashes.h"

#include <stdbool.h>

#define STORE_TOKEN "run.token" // in the runtime directory

// Reads the token of the start before this one. False if there is none of this boot.
bool run_token_read(const struct store *store, uint8_t token[STORE_TOKEN_LEN]);
// Writes the token of this start and syncs it. Returns 0 or -errno.
int run_token_write(const struct store *store) __attribute__((warn_unused_result));

#endif
