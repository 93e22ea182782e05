// SPDX-License-Identifier: BSD-3-Clause
// Values of a reply, for people.

#ifndef POSTERN_GW_TOOLS_CTL_VALUES_H
#define POSTERN_GW_TOOLS_CTL_VALUES_H

#include "gw/ctl/cbor_walk.h"

#include <stdbool.h>
#include <stdint.h>

// Values of a map, with what stands for a missing one.
uint64_t cli_uint(const struct ctl_cbor *map, const char *key, uint64_t missing);
bool cli_bool(const struct ctl_cbor *map, const char *key);
// The array or map at a key; an empty one if there is none.
struct ctl_cbor cli_inner(const struct ctl_cbor *map, const char *key);

#define CLI_VALUE_MAX 1100 // bytes that cli_value_text() writes at most, with the 0
// The text, number or hex of a value; "-" if the map does not have it. Returns `text`.
const char *cli_value_text(char text[CLI_VALUE_MAX], const struct ctl_cbor *map, const char *key);
// "2 d 3 h", "5 min", "1.5 s". Returns `text`.
const char *cli_duration_text(char text[32], uint64_t ms);

// "2026-11-29 18:30:05" in local time; "-" for 0. Returns `text`.
const char *cli_time_text(char text[32], uint64_t unix_s);
// Prints a line with a title and cli_value_text(), if the map has it.
void cli_line_show(const struct ctl_cbor *map, const char *key, const char *title);

// Replaces what a terminal would act on, or what turns its text, by question marks.
void cli_disarm(char *text);

// A number of the command line. False after a complaint.
bool cli_number_parse(const char *text, uint64_t *value);
// A time of the command line that is not 0: "90s", "15m", "12h", "7d". False after a complaint.
bool cli_duration_parse(const char *text, uint64_t *ms);

#endif
