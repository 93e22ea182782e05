// SPDX-License-Identifier: BSD-3-Clause
// Large tables in mappings of their own: zeroed, with huge pages advised, so that they work with
// and without huge pages set aside.

#ifndef POSTERN_DATAPLANE_MEMORY_H
#define POSTERN_DATAPLANE_MEMORY_H

#include <stddef.h>

// NULL and errno on failure. Kept out of core dumps: such tables hold keys and plaintexts.
void *dp_map(size_t bytes);
// Wipes nothing; NULL is allowed.
void dp_unmap(void *map, size_t bytes);

#endif
