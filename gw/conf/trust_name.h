// SPDX-License-Identifier: BSD-3-Clause
// The template that names the devices of an authority: a prefix, and a value of their certificates.

#ifndef POSTERN_GW_CONF_TRUST_NAME_H
#define POSTERN_GW_CONF_TRUST_NAME_H

#include <stdbool.h>
#include <stddef.h>

// Which value of a certificate.
enum conf_trust_value {
	CONF_TRUST_CN,     // {cn}: common name of the subject
	CONF_TRUST_SERIAL, // {serial}: serialNumber of the subject (IEEE 802.1AR)
	CONF_TRUST_DNS,    // {dns}: the dNSName of subjectAltName
};

#define CONF_TRUST_PREFIX_MAX 48 // bytes
#define CONF_TRUST_NAME_RULE                                                             \
	"1 to 48 of A-Z a-z 0-9 . _ : - are allowed, and one of {cn}, {serial} or {dns}" \
	" behind them"

// Splits a template. False if it is none.
bool conf_trust_name_split(const char *name, size_t *prefix_len, enum conf_trust_value *value);
// Whether the prefix of one of these templates is how that of the other begins.
bool conf_trust_names_overlap(const char *a, const char *b);

#endif
