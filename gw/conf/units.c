// SPDX-License-Identifier: BSD-3-Clause

#include "gw/conf/units.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

struct conf_unit {
	const char *name;
	uint64_t factor;
};

// The largest first.
static const struct conf_unit duration_units[] = {
	{"h", 3600000}, {"m", 60000}, {"s", 1000}, {"ms", 1}, {NULL, 0}};
static const struct conf_unit size_units[] = {
	{"GB", 1 << 30}, {"MB", 1 << 20}, {"KB", 1 << 10}, {"B", 1}, {NULL, 0}};

bool conf_number_read(const char **text, uint64_t *number)
{
	const char *p = *text;
	uint64_t sum = 0;

	if (*p < '0' || *p > '9' || (*p == '0' && p[1] >= '0' && p[1] <= '9'))
		return false;
	for (; *p >= '0' && *p <= '9'; p++)
		if (__builtin_mul_overflow(sum, 10, &sum) ||
			__builtin_add_overflow(sum, (uint64_t)(*p - '0'), &sum))
			return false;
	*text = p;
	*number = sum;
	return true;
}

static bool quantity_read(const char *text, const struct conf_unit *units, uint64_t *quantity)
{
	uint64_t number;

	if (!conf_number_read(&text, &number))
		return false;
	while (units->name && strcmp(units->name, text))
		units++;
	return units->name && !__builtin_mul_overflow(number, units->factor, quantity);
}

static void quantity_format(
	uint64_t quantity, const struct conf_unit *units, char *buf, size_t room)
{
	while (units->factor > 1 && (quantity == 0 || quantity % units->factor))
		units++;
	snprintf(buf, room, "%" PRIu64 "%s", quantity / units->factor, units->name);
}

bool conf_duration_read(const char *text, uint64_t *ms)
{
	return quantity_read(text, duration_units, ms);
}

bool conf_size_read(const char *text, uint64_t *bytes)
{
	return quantity_read(text, size_units, bytes);
}

void conf_duration_format(uint64_t ms, char *buf, size_t room)
{
	quantity_format(ms, duration_units, buf, room);
}

void conf_size_format(uint64_t bytes, char *buf, size_t room)
{
	quantity_format(bytes, size_units, buf, room);
}
