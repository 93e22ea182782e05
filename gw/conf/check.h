// SPDX-License-Identifier: BSD-3-Clause
// The second step from a document to a struct conf: what it means as a whole.

#ifndef POSTERN_GW_CONF_CHECK_H
#define POSTERN_GW_CONF_CHECK_H

#include "gw/conf/conf.h"
#include "gw/conf/mistakes.h"

// Fills in the defaults that depend on other values, and notes as mistakes all that is well-formed
// but makes no sense. Fields that have mistakes already are empty and are passed over.
// Returns 0 or -ENOMEM.
int conf_check(struct conf *conf, struct conf_mistakes *mistakes)
	__attribute__((warn_unused_result));

#endif
