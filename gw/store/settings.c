// SPDX-License-Identifier: BSD-3-Clause

#include "gw/store/settings.h"

#include "gw/device/attribute.h"

#include <string.h>

int settings_bind(sqlite3_stmt *statement, int first, const struct device_settings *settings)
{
	struct device_value value;

	for (unsigned i = 0; i < device_attribute_count; i++) {
		const struct device_attribute *attribute = &device_attributes[i];

		if (!attribute->in_place)
			continue;
		bool said = device_setting_said(attribute, settings, &value);
		if (attribute->kind == DEVICE_NUMBER)
			sqlite3_bind_int64(statement, first++, said ? value.number : 0);
		else
			sqlite3_bind_text(
				statement, first++, said ? value.text : "", -1, SQLITE_STATIC);
	}
	return first;
}

static bool column_read(sqlite3_stmt *statement, int column,
	const struct device_attribute *attribute, struct device_settings *settings)
{
	struct device_value value = {.kind = attribute->kind};

	if (attribute->kind == DEVICE_NUMBER) {
		value.number = sqlite3_column_int64(statement, column);
		return value.number == 0 || device_setting_put(attribute, settings, &value) == 0;
	}
	value.text = (const char *)sqlite3_column_text(statement, column);
	return value.text != NULL && device_setting_put(attribute, settings, &value) == 0;
}

bool settings_read(sqlite3_stmt *statement, int first, struct device_settings *settings)
{
	bool good = true;

	memset(settings, 0, sizeof(*settings));
	for (unsigned i = 0; i < device_attribute_count; i++) {
		if (device_attributes[i].in_place)
			good &= column_read(statement, first++, &device_attributes[i], settings);
	}
	return good;
}
