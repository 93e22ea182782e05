// SPDX-License-Identifier: BSD-3-Clause
// The first of two steps from a YAML document to a struct conf: stores each value in its field.

#ifndef POSTERN_GW_CONF_LOAD_H
#define POSTERN_GW_CONF_LOAD_H

#include "gw/conf/conf.h"
#include "gw/conf/mistakes.h"

#include <yaml.h>

// Walks the document by the schema, stores values and defaults in *conf, and notes a mistake for
// each unknown key and each value outside its range. Returns 0, also with mistakes, or -ENOMEM.
int conf_fill(struct conf *conf, yaml_document_t *doc, struct conf_mistakes *mistakes)
	__attribute__((warn_unused_result));

#endif
