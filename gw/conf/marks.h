// SPDX-License-Identifier: BSD-3-Clause
// Where in the file the value of each field stands.

#ifndef POSTERN_GW_CONF_MARKS_H
#define POSTERN_GW_CONF_MARKS_H

#include "gw/conf/conf.h"
#include "gw/conf/mistakes.h"

// NULL without memory.
struct conf_marks *conf_marks_new(void);
// NULL is allowed.
void conf_marks_free(struct conf_marks *marks);

// Notes where the value of a field stands. Returns 0 or -ENOMEM.
int conf_mark_add(struct conf *conf, const void *field, struct conf_mark at)
	__attribute__((warn_unused_result));
// After the last was added, before the first is looked for.
void conf_marks_sort(struct conf_marks *marks);
// Where the value of a field stands; line 0 if it was not given.
struct conf_mark conf_mark_of(const struct conf *conf, const void *field);

#endif
