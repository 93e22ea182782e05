// SPDX-License-Identifier: BSD-3-Clause
// What may stand in a configuration file: one table of keys, from which the file is read into
// struct conf, freed, and described.

#ifndef POSTERN_GW_CONF_SCHEMA_H
#define POSTERN_GW_CONF_SCHEMA_H

#include "gw/conf/key.h"

// Words that stand for NULL in struct conf.
#define CONF_KEK_CREDENTIAL "credential"
#define CONF_ISA_AUTO       "auto"

// The group that is the whole file.
extern const struct conf_key conf_schema;

#endif
