// SPDX-License-Identifier: BSD-3-Clause
// The table of all keys of the configuration file. By it the file is read into a struct conf, the
// struct is freed, and the reference is written.

#ifndef POSTERN_GW_CONF_SCHEMA_H
#define POSTERN_GW_CONF_SCHEMA_H

#include "gw/conf/key.h"

// Values that are stored as NULL in struct conf.
#define CONF_KEK_CREDENTIAL "credential"
#define CONF_ISA_AUTO       "auto"

// The outermost group: the whole file.
extern const struct conf_key conf_schema;

#endif
