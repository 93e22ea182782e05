// SPDX-License-Identifier: BSD-3-Clause
// From a struct that is embedded in another one to that other one.

#ifndef POSTERN_BASE_CONTAINER_H
#define POSTERN_BASE_CONTAINER_H

#include <stddef.h>

// Turns a pointer to the member `member` of a `type` into a pointer to that `type`.
#define CONTAINER_OF(ptr, type, member) ((type *)((char *)(ptr)-offsetof(type, member)))

#endif
