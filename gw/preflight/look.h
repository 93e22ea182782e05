// SPDX-License-Identifier: BSD-3-Clause
// Small files of /proc and /sys, below the root of a preflight.

#ifndef POSTERN_GW_PREFLIGHT_LOOK_H
#define POSTERN_GW_PREFLIGHT_LOOK_H

#include "gw/preflight/preflight.h"

#include <stddef.h>

#define LOOK_PATH_MAX 512
#define LOOK_LINE_MAX 8192

// Makes a path below the root. Returns `path`.
char *look_path(const struct preflight *preflight, char path[LOOK_PATH_MAX], const char *format,
	...) __attribute__((format(printf, 3, 4)));
bool look_there(const struct preflight *preflight, const char *name);
// Reads the first line of a file without its end; false if it cannot be read.
bool look_line(const struct preflight *preflight, const char *name, char *line, size_t room);
// Reads a number; -1 if there is none.
long look_number(const struct preflight *preflight, const char *name);
// Reads what stands behind `key` in a line of a file such as /proc/self/status.
bool look_field(const struct preflight *preflight, const char *name, const char *key, char *value,
	size_t room);
// Reads the last part of what a link points to.
bool look_link(const struct preflight *preflight, const char *name, char *target, size_t room);
// Whether a list of CPUs such as "0-3,6" has this one.
bool look_cpu_in(const char *list, unsigned cpu);
// How many CPUs such a list has.
unsigned look_cpu_count(const char *list);
// Whether this process has a capability (CAP_NET_ADMIN), by /proc/self/status.
bool look_capability(const struct preflight *preflight, unsigned capability);

#endif
