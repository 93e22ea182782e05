// SPDX-License-Identifier: BSD-3-Clause
// The second of two steps from a YAML document to a struct conf: checks that involve several
// values.

#ifndef POSTERN_GW_CONF_CHECK_H
#define POSTERN_GW_CONF_CHECK_H

#include "gw/conf/conf.h"
#include "gw/conf/mistakes.h"

// Fills in defaults that depend on other values, and notes a mistake for each value that
// contradicts another. Skips fields in which conf_fill() found a mistake, which are empty. Returns
// 0, also with mistakes, or -ENOMEM.
int conf_check(struct conf *conf, struct conf_mistakes *mistakes)
	__attribute__((warn_unused_result));

#endif
