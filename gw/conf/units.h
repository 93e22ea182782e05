// SPDX-License-Identifier: BSD-3-Clause
// Reads and writes numbers with units: "3s", "64KB".

#ifndef POSTERN_GW_CONF_UNITS_H
#define POSTERN_GW_CONF_UNITS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// Reads a decimal number without sign or leading zeros, and moves *text behind it. Returns false,
// and moves nothing, if there is none or it is too large.
bool conf_number_read(const char **text, uint64_t *number);
// Read a text that is a number and a unit. Return false if it is anything else, or too large.
bool conf_duration_read(const char *text, uint64_t *ms);
bool conf_size_read(const char *text, uint64_t *bytes);

// Write a number with the largest unit that leaves no remainder: "3s" for 3000, "64KB" for 65536.
// buf has `room` bytes.
void conf_duration_format(uint64_t ms, char *buf, size_t room);
void conf_size_format(uint64_t bytes, char *buf, size_t room);

#endif
