// SPDX-License-Identifier: BSD-3-Clause
// Force-included into a kernel that is checked by secrets.c.

#include <valgrind/memcheck.h>

#define DECLASSIFY(x) VALGRIND_MAKE_MEM_DEFINED(x, sizeof(*(x)))
