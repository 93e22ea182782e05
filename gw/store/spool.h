// SPDX-License-Identifier: BSD-3-Clause
// Rows in a file without a name: first all are written, then all are read in the same order.

#ifndef POSTERN_GW_STORE_SPOOL_H
#define POSTERN_GW_STORE_SPOOL_H

#include "gw/store/row.h"

struct spool;

// NULL and errno.
struct spool *spool_open(const struct store *store);
// NULL is allowed.
void spool_free(struct spool *spool);
int spool_write(struct spool *spool, const struct store_row *row)
	__attribute__((warn_unused_result));
// To before the first row.
int spool_rewind(struct spool *spool) __attribute__((warn_unused_result));
// 1: *row was read; 0: there are no more; -errno.
int spool_read(struct spool *spool, struct store_row *row) __attribute__((warn_unused_result));

#endif
