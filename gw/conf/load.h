// SPDX-License-Identifier: BSD-3-Clause
// The steps from a document to a struct conf: filled by the schema (load.c), then checked for what
// it means (check.c).

#ifndef POSTERN_GW_CONF_LOAD_H
#define POSTERN_GW_CONF_LOAD_H

#include "gw/conf/conf.h"
#include "gw/conf/mistakes.h"

#include <yaml.h>

// Reads the document by the schema. Returns 0, also with mistakes, or -ENOMEM.
int conf_fill(struct conf *conf, yaml_document_t *doc, struct conf_mistakes *mistakes)
	__attribute__((warn_unused_result));

// Notes where the value of a field stands. Returns 0 or -ENOMEM.
int conf_mark_add(struct conf *conf, const void *field, struct conf_mark at)
	__attribute__((warn_unused_result));
// Where the value of a field stands; line 0 if it was not given.
struct conf_mark conf_mark_of(const struct conf *conf, const void *field);

// Fills in the defaults that depend on other values, and notes as mistakes all that is well-formed
// but makes no sense. Fields that have mistakes already are empty and are passed over.
// Returns 0 or -ENOMEM.
int conf_check(struct conf *conf, struct conf_mistakes *mistakes)
	__attribute__((warn_unused_result));

#endif
