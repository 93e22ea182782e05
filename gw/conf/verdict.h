// SPDX-License-Identifier: BSD-3-Clause
// What the parsers of values return, and the reason beside it.

#ifndef POSTERN_GW_CONF_VERDICT_H
#define POSTERN_GW_CONF_VERDICT_H

#define CONF_WHY_MAX 384 // bytes of a reason with its 0

enum conf_verdict {
	CONF_OK = 0,
	CONF_BAD, // `why` has the reason
	CONF_NO_MEMORY,
};

// Writes a reason, which follows the name of a key in a message. Always returns CONF_BAD.
enum conf_verdict conf_why(char why[CONF_WHY_MAX], const char *format, ...)
	__attribute__((format(printf, 2, 3)));

#endif
