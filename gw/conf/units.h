// SPDX-License-Identifier: BSD-3-Clause
// Numbers as they stand in the file, with units: "3s", "64KB".

#ifndef POSTERN_GW_CONF_UNITS_H
#define POSTERN_GW_CONF_UNITS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// Reads a decimal number without a sign or a leading zero and moves *text behind it.
bool conf_number_read(const char **text, uint64_t *number);
// Reads a number and its unit, which are the whole text.
bool conf_duration_read(const char *text, uint64_t *ms);
bool conf_size_read(const char *text, uint64_t *bytes);

// Writes "3s" for 3000, "64KB" for 65536: the largest unit without a remainder.
void conf_duration_format(uint64_t ms, char *buf, size_t room);
void conf_size_format(uint64_t bytes, char *buf, size_t room);

#endif
