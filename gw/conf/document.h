// SPDX-License-Identifier: BSD-3-Clause
// From bytes to a YAML document that is safe to walk.

#ifndef POSTERN_GW_CONF_DOCUMENT_H
#define POSTERN_GW_CONF_DOCUMENT_H

#include "gw/conf/mistakes.h"

#include <stddef.h>
#include <yaml.h>

// Reads exactly one document, which is a tree: no anchors, aliases or tags, no NUL in a
// word, no more than CONF_DEPTH_MAX levels and CONF_VALUES_MAX nodes. On success *doc is to be
// deleted by the caller and has a root. Returns 0, -EINVAL with the mistakes noted, or -ENOMEM.
int conf_document_load(yaml_document_t *doc, const char *text, size_t len,
	struct conf_mistakes *mistakes) __attribute__((warn_unused_result));

struct conf_mark conf_document_mark(const yaml_mark_t *mark);

#endif
