// SPDX-License-Identifier: BSD-3-Clause
// Paths of URLs: the patterns of routes, and what is put in front of a path.

#ifndef POSTERN_GW_CONF_PATH_H
#define POSTERN_GW_CONF_PATH_H

#include "gw/conf/conf.h"
#include "gw/conf/verdict.h"

// Parses a pattern with its wildcards. On CONF_BAD *pattern is unchanged.
enum conf_verdict conf_pattern_parse(const char *text, struct conf_pattern *pattern,
	char why[CONF_WHY_MAX]) __attribute__((warn_unused_result));
void conf_pattern_free(struct conf_pattern *pattern);
// Parses a path that stands in front of another. *base is the caller's, without a slash at its end.
enum conf_verdict conf_base_parse(const char *text, char **base, char why[CONF_WHY_MAX])
	__attribute__((warn_unused_result));

#endif
