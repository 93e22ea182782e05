// SPDX-License-Identifier: BSD-3-Clause

#include "gw/preflight/look.h"

#include <limits.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

char *look_path(
	const struct preflight *preflight, char path[LOOK_PATH_MAX], const char *format, ...)
{
	int len = snprintf(path, LOOK_PATH_MAX, "%s", preflight->root);
	va_list args;

	va_start(args, format);
	if (len >= 0 && len < LOOK_PATH_MAX)
		vsnprintf(path + len, LOOK_PATH_MAX - len, format, args);
	va_end(args);
	return path;
}

bool look_there(const struct preflight *preflight, const char *name)
{
	char path[LOOK_PATH_MAX];

	return access(look_path(preflight, path, "%s", name), F_OK) == 0;
}

bool look_line(const struct preflight *preflight, const char *name, char *line, size_t room)
{
	char path[LOOK_PATH_MAX];
	FILE *in = fopen(look_path(preflight, path, "%s", name), "re");

	line[0] = 0;
	if (!in)
		return false;
	bool read = fgets(line, (int)room, in) != NULL;

	fclose(in);
	line[strcspn(line, "\n")] = 0;
	return read;
}

long look_number(const struct preflight *preflight, const char *name)
{
	char line[64], *end;

	if (!look_line(preflight, name, line, sizeof(line)))
		return -1;
	long number = strtol(line, &end, 10);

	return end == line ? -1 : number;
}

bool look_field(const struct preflight *preflight, const char *name, const char *key, char *value,
	size_t room)
{
	char path[LOOK_PATH_MAX], line[LOOK_LINE_MAX];
	FILE *in = fopen(look_path(preflight, path, "%s", name), "re");
	size_t len = strlen(key);
	bool found = false;

	value[0] = 0;
	while (in && !found && fgets(line, sizeof(line), in)) {
		if (strncmp(line, key, len))
			continue;
		const char *from = line + len + strspn(line + len, " \t:");

		snprintf(value, room, "%.*s", (int)strcspn(from, "\n"), from);
		found = true;
	}
	if (in)
		fclose(in);
	return found;
}

bool look_link(const struct preflight *preflight, const char *name, char *target, size_t room)
{
	char path[LOOK_PATH_MAX], to[PATH_MAX];
	ssize_t len = readlink(look_path(preflight, path, "%s", name), to, sizeof(to) - 1);

	target[0] = 0;
	if (len < 0)
		return false;
	to[len] = 0;
	const char *slash = strrchr(to, '/');

	snprintf(target, room, "%s", slash ? slash + 1 : to);
	return true;
}

// Takes the next range of a list. False at its end.
static bool range_next(const char **list, unsigned long *first, unsigned long *last)
{
	char *end;

	*first = *last = strtoul(*list, &end, 10);
	if (end == *list)
		return false;
	if (*end == '-')
		*last = strtoul(end + 1, &end, 10);
	*list = *end == ',' ? end + 1 : end;
	return true;
}

bool look_cpu_in(const char *list, unsigned cpu)
{
	unsigned long first, last;

	while (range_next(&list, &first, &last))
		if (cpu >= first && cpu <= last)
			return true;
	return false;
}

unsigned look_cpu_count(const char *list)
{
	unsigned long first, last;
	unsigned count = 0;

	while (range_next(&list, &first, &last))
		if (last >= first)
			count += (unsigned)(last - first + 1);
	return count;
}

bool look_capability(const struct preflight *preflight, unsigned capability)
{
	char value[64];

	return look_field(preflight, "/proc/self/status", "CapEff", value, sizeof(value)) &&
		strtoull(value, NULL, 16) >> capability & 1;
}
