// SPDX-License-Identifier: BSD-3-Clause

#include "gw/conf/marks.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>

// The position of one field's value. Addresses of fields do not change while the file is read: a
// list is allocated once, in its full length.
struct place {
	const void *field;
	struct conf_mark at;
};

struct conf_marks {
	size_t count;
	size_t room;
	struct place *given; // by address, once the file is read
};

int conf_mark_add(struct conf *conf, const void *field, struct conf_mark at)
{
	struct conf_marks *marks = conf->marks;

	if (marks->count == marks->room) {
		size_t room = marks->room ? 2 * marks->room : 64;
		void *given = reallocarray(marks->given, room, sizeof(marks->given[0]));
		if (!given)
			return -ENOMEM;
		marks->given = given;
		marks->room = room;
	}
	marks->given[marks->count].field = field;
	marks->given[marks->count++].at = at;
	return 0;
}

static int place_compare(const void *a, const void *b)
{
	uintptr_t x = (uintptr_t)((const struct place *)a)->field;
	uintptr_t y = (uintptr_t)((const struct place *)b)->field;

	return (x > y) - (x < y);
}

void conf_marks_sort(struct conf_marks *marks)
{
	if (marks->count)
		qsort(marks->given, marks->count, sizeof(marks->given[0]), place_compare);
}

struct conf_mark conf_mark_of(const struct conf *conf, const void *field)
{
	const struct conf_marks *marks = conf->marks;
	struct place wanted = {.field = field};
	const struct place *found = NULL;

	if (marks->count)
		found = bsearch(&wanted, marks->given, marks->count, sizeof(wanted), place_compare);
	return found ? found->at : (struct conf_mark){0, 0};
}

unsigned conf_line(const struct conf *conf, const void *field)
{
	return conf_mark_of(conf, field).line;
}

struct conf_marks *conf_marks_new(void)
{
	return calloc(1, sizeof(struct conf_marks));
}

void conf_marks_free(struct conf_marks *marks)
{
	if (marks)
		free(marks->given);
	free(marks);
}
