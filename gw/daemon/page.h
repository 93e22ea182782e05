// SPDX-License-Identifier: BSD-3-Clause
// The page at "/", and the figures that it asks for each second or two: all counters that are not
// 0, as JSON. docs/metrics.md says what is in it.

#ifndef POSTERN_GW_DAEMON_PAGE_H
#define POSTERN_GW_DAEMON_PAGE_H

#include "gw/web/server.h"

#define PAGE_JSON_MAX (16 << 20) // bytes

// For struct web_page; `arg` is the struct metrics.
void page_answer(void *arg, const char *accept, struct web_answer *answer);
void page_figures_answer(void *arg, const char *accept, struct web_answer *answer);

#endif
