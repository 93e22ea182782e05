// SPDX-License-Identifier: BSD-3-Clause

#include "gw/edhoc/x509_fields.h"

#include "gw/edhoc/x509_inside.h"

#include <limits.h>
#include <openssl/err.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>
#include <string.h>

// The only value of the subject with this type. NULL: there is none, or more than one.
static const ASN1_STRING *subject_value(const X509 *cert, int nid)
{
	const X509_NAME *subject = X509_get_subject_name(cert);
	const int at = X509_NAME_get_index_by_NID(subject, nid, -1);

	if (at < 0 || X509_NAME_get_index_by_NID(subject, nid, at) >= 0)
		return NULL;
	return X509_NAME_ENTRY_get_data(X509_NAME_get_entry(subject, at));
}

// The same with the dNSNames. The caller frees *names, of which it is.
static const ASN1_STRING *dns_value(const X509 *cert, GENERAL_NAMES **names)
{
	const ASN1_STRING *value = NULL;

	*names = X509_get_ext_d2i(cert, NID_subject_alt_name, NULL, NULL);
	for (int i = 0; *names && i < sk_GENERAL_NAME_num(*names); i++) {
		const GENERAL_NAME *name = sk_GENERAL_NAME_value(*names, i);

		if (name->type != GEN_DNS)
			continue;
		if (value)
			return NULL;
		value = name->d.dNSName;
	}
	return value;
}

// Text in ASCII is the same in all of these types.
static bool is_text(const ASN1_STRING *value)
{
	const int type = ASN1_STRING_type(value);

	return type == V_ASN1_UTF8STRING || type == V_ASN1_PRINTABLESTRING ||
		type == V_ASN1_IA5STRING;
}

static bool text_copy(const ASN1_STRING *value, char *text, size_t room)
{
	const size_t len = (size_t)ASN1_STRING_length(value);
	const unsigned char *bytes = ASN1_STRING_get0_data(value);

	if (!is_text(value) || len >= room)
		return false;
	for (size_t i = 0; i < len; i++)
		if (bytes[i] <= ' ' || bytes[i] > '~')
			return false;
	memcpy(text, bytes, len);
	text[len] = 0;
	return true;
}

bool edhoc_x509_field(struct edhoc_bytes der, enum edhoc_x509_field field, char *text, size_t room)
{
	GENERAL_NAMES *names = NULL;
	const ASN1_STRING *value;
	X509 *cert = edhoc_x509_decode(der);
	bool copied;

	if (!cert)
		return false;
	if (field == EDHOC_X509_DNS)
		value = dns_value(cert, &names);
	else
		value = subject_value(
			cert, field == EDHOC_X509_CN ? NID_commonName : NID_serialNumber);
	copied = value && text_copy(value, text, room);
	GENERAL_NAMES_free(names);
	X509_free(cert);
	ERR_clear_error();
	return copied;
}

size_t edhoc_x509_serial(struct edhoc_bytes der, uint8_t *serial, size_t room)
{
	X509 *cert = edhoc_x509_decode(der);
	size_t len = 0;

	if (!cert)
		return 0;
	const ASN1_INTEGER *number = X509_get0_serialNumber(cert);

	// Its bytes are those of the absolute value, the first of which is not 0 unless all is.
	if (number && ASN1_STRING_type(number) == V_ASN1_INTEGER &&
		(size_t)ASN1_STRING_length(number) <= room) {
		len = (size_t)ASN1_STRING_length(number);
		memcpy(serial, ASN1_STRING_get0_data(number), len);
		if (len && !serial[0])
			len = 0;
	}
	X509_free(cert);
	ERR_clear_error();
	return len;
}
