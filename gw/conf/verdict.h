// SPDX-License-Identifier: BSD-3-Clause
// The result of parsing a value, and the reason if it is wrong.

#ifndef POSTERN_GW_CONF_VERDICT_H
#define POSTERN_GW_CONF_VERDICT_H

#define CONF_WHY_MAX 384 // bytes of a reason with its 0

enum conf_verdict {
	CONF_OK = 0,
	CONF_BAD, // the text is wrong; `why` has the reason
	CONF_NO_MEMORY,
};

// Writes a reason, which continues a message after the name of the key. Always returns CONF_BAD.
enum conf_verdict conf_why(char why[CONF_WHY_MAX], const char *format, ...)
	__attribute__((format(printf, 2, 3)));

#endif
