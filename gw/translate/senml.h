// SPDX-License-Identifier: BSD-3-Clause
// The labels of SenML in CBOR and in JSON (RFC 8428 table 4). The table is closed: all labels of
// extensions are texts in both.

#ifndef POSTERN_GW_TRANSLATE_SENML_H
#define POSTERN_GW_TRANSLATE_SENML_H

#include <stdbool.h>
#include <stdint.h>

#define TR_SENML_DATA "vd" // bytes in CBOR, base64url in JSON

// The JSON label of a CBOR one, or NULL.
const char *tr_senml_name(int64_t label);
// The CBOR label of a JSON one. false if it has none.
bool tr_senml_label(const char *name, int64_t *label);

#endif
