// SPDX-License-Identifier: BSD-3-Clause
// The first step from a document to a struct conf: each value goes to its field.

#ifndef POSTERN_GW_CONF_LOAD_H
#define POSTERN_GW_CONF_LOAD_H

#include "gw/conf/conf.h"
#include "gw/conf/mistakes.h"

#include <yaml.h>

// Reads the document by the schema. Returns 0, also with mistakes, or -ENOMEM.
int conf_fill(struct conf *conf, yaml_document_t *doc, struct conf_mistakes *mistakes)
	__attribute__((warn_unused_result));

#endif
