// SPDX-License-Identifier: BSD-3-Clause
// A line on the terminal while blocks come and go.

#ifndef POSTERN_GW_TOOLS_COAP_PROGRESS_H
#define POSTERN_GW_TOOLS_COAP_PROGRESS_H

#include "gw/tools/coap/transfer.h"

// All zeros at the start.
struct progress {
	bool wanted; // written by the owner
	bool shown;
	uint64_t start_ns, shown_ns;
};

#define PROGRESS_LEN 96 // bytes of a line
// The words: bytes, rate, and percent where the size is known. Returns text.
const char *progress_text(char text[PROGRESS_LEN], const struct transfer *t, double seconds);
// Writes the line to standard error if that is a terminal, at most ten times a second.
void progress_show(struct progress *p, const struct transfer *t, bool last);
// Ends the line, if there is one.
void progress_end(struct progress *p);

#endif
