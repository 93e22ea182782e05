// SPDX-License-Identifier: BSD-3-Clause
// Parses the paths in a configuration: patterns of routes, and bases that are put in front of a
// path.

#ifndef POSTERN_GW_CONF_PATH_H
#define POSTERN_GW_CONF_PATH_H

#include "gw/conf/conf.h"
#include "gw/conf/verdict.h"

// Parses a pattern such as "/a/*/b" or "/a/*". On CONF_OK the caller frees *pattern with
// conf_pattern_free(); otherwise *pattern is unchanged.
enum conf_verdict conf_pattern_parse(const char *text, struct conf_pattern *pattern,
	char why[CONF_WHY_MAX]) __attribute__((warn_unused_result));
// Frees what a pattern points to.
void conf_pattern_free(struct conf_pattern *pattern);
// Parses a base such as "/v1". On CONF_OK the caller frees *base, which has no slash at its end.
enum conf_verdict conf_base_parse(const char *text, char **base, char why[CONF_WHY_MAX])
	__attribute__((warn_unused_result));

#endif
