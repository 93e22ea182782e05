// SPDX-License-Identifier: BSD-3-Clause

#include "gw/preflight/preflight.h"

#include <stdarg.h>

struct preflight_finding *preflight_add(struct preflight *preflight, enum preflight_level level,
	const char *topic, const char *format, ...)
{
	// The last place takes all that finds no other, at its worst level.
	const bool full = preflight->count == PREFLIGHT_MAX;
	struct preflight_finding *finding =
		&preflight->finding[full ? PREFLIGHT_MAX - 1 : preflight->count++];
	va_list args;

	if (full && finding->level > level)
		return finding;
	finding->level = level;
	finding->topic = topic;
	finding->remedy[0] = 0;
	va_start(args, format);
	vsnprintf(finding->text, sizeof(finding->text), format, args);
	va_end(args);
	return finding;
}

void preflight_remedy(struct preflight_finding *finding, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(finding->remedy, sizeof(finding->remedy), format, args);
	va_end(args);
}

enum preflight_level preflight_worst(const struct preflight *preflight)
{
	enum preflight_level worst = PREFLIGHT_OK;

	for (unsigned i = 0; i < preflight->count; i++)
		if (preflight->finding[i].level > worst)
			worst = preflight->finding[i].level;
	return worst;
}
