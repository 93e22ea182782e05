// SPDX-License-Identifier: BSD-3-Clause
// What went wrong, in words for the person at the terminal.

#ifndef POSTERN_GW_TOOLS_COAP_FAILURE_H
#define POSTERN_GW_TOOLS_COAP_FAILURE_H

#define FAILURE_LEN 512 // bytes of a message, with its end

struct failure {
	char text[FAILURE_LEN];
};

// Sets the text and returns err, so that a function can end with it. Text that is too long is cut.
int failure_set(struct failure *f, int err, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

#endif
