// SPDX-License-Identifier: BSD-3-Clause
// Remembers the position in the file of the value of each field of a struct conf.

#ifndef POSTERN_GW_CONF_MARKS_H
#define POSTERN_GW_CONF_MARKS_H

#include "gw/conf/conf.h"
#include "gw/conf/mistakes.h"

// Returns NULL without memory.
struct conf_marks *conf_marks_new(void);
// Frees; NULL is allowed.
void conf_marks_free(struct conf_marks *marks);

// Adds the position of a field, which is given by its address. Returns 0 or -ENOMEM.
int conf_mark_add(struct conf *conf, const void *field, struct conf_mark at)
	__attribute__((warn_unused_result));
// Sorts by address. Called once, between the last conf_mark_add() and the first conf_mark_of().
void conf_marks_sort(struct conf_marks *marks);
// Returns the position of a field's value, with line 0 if it is not given in the file.
struct conf_mark conf_mark_of(const struct conf *conf, const void *field);

#endif
