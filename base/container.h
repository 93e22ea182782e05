// SPDX-License-Identifier: BSD-3-Clause

#ifndef POSTERN_BASE_CONTAINER_H
#define POSTERN_BASE_CONTAINER_H

#include <stddef.h>

// The struct of this type whose member `ptr` points to.
#define CONTAINER_OF(ptr, type, member) ((type *)((char *)(ptr)-offsetof(type, member)))

#endif
