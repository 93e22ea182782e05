// SPDX-License-Identifier: BSD-3-Clause
// Parses text into a YAML document of bounded size and depth.

#ifndef POSTERN_GW_CONF_DOCUMENT_H
#define POSTERN_GW_CONF_DOCUMENT_H

#include "gw/conf/mistakes.h"

#include <stddef.h>
#include <yaml.h>

// Parses exactly one document, and refuses anchors, aliases, tags, NULs in words, more than
// CONF_DEPTH_MAX levels and more than CONF_VALUES_MAX nodes. On success *doc has a root, and the
// caller deletes it with yaml_document_delete(). Returns 0, -EINVAL with the mistakes noted, or
// -ENOMEM.
int conf_document_load(yaml_document_t *doc, const char *text, size_t len,
	struct conf_mistakes *mistakes) __attribute__((warn_unused_result));

// Turns a mark of libyaml, which counts from 0, into one of ours.
struct conf_mark conf_document_mark(const yaml_mark_t *mark);

#endif
