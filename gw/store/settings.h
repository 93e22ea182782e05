// SPDX-License-Identifier: BSD-3-Clause
// The settings of a device as columns: STORE_SETTINGS names them, in the order in which the table
// of attributes (gw/device/attribute.c) has those that are in_place.

#ifndef POSTERN_GW_STORE_SETTINGS_H
#define POSTERN_GW_STORE_SETTINGS_H

#include "gw/device/device.h"

#include <sqlite3.h>
#include <stdbool.h>

#define STORE_SETTINGS(X) X(max_message) X(max_in_flight) X(policy) X(note)

#define STORE_SETTING_COLUMN(name) ", " #name
#define STORE_SETTING_PLACE(name)  ", :" #name             // a parameter of a statement
#define STORE_SETTING_SET(name)    ", " #name " = :" #name // the same

// Binds all settings to parameters from `first` on, and returns the parameter behind them. They
// must stay until the statement was stepped.
int settings_bind(sqlite3_stmt *statement, int first, const struct device_settings *settings);
// Reads them from columns from `first` on. False if they cannot have been written by us.
bool settings_read(sqlite3_stmt *statement, int first, struct device_settings *settings)
	__attribute__((warn_unused_result));

#endif
