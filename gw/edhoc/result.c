// SPDX-License-Identifier: BSD-3-Clause

#include "gw/edhoc/result.h"

#include "gw/edhoc/cbor.h"

#include <assert.h>
#include <string.h>

static const struct {
	const char *text;
	const char *told; // the diagnostic message of ERR_CODE 1
} results[EDHOC_RESULT_COUNT] = {
	[EDHOC_OK] = {"ok", NULL},
	[EDHOC_MALFORMED] = {"malformed message", "Malformed message"},
	[EDHOC_METHOD] = {"method not supported", "Method not supported"},
	[EDHOC_SUITE] = {"wrong selected cipher suite", NULL},
	[EDHOC_IDENTIFIER] = {"unusable connection identifier", "Connection identifier not usable"},
	[EDHOC_KEY] = {"invalid ephemeral key", "Invalid ephemeral key"},
	[EDHOC_EAD] = {"unknown critical EAD item", "Unknown critical EAD item"},
	[EDHOC_FORGED] = {"not verified", "Authentication failed"},
	[EDHOC_ID_CRED] = {"kind of credential identifier not supported", "Authentication failed"},
	[EDHOC_UNKNOWN] = {"unknown credential", "Authentication failed"},
	[EDHOC_CREDENTIAL] = {"unusable credential", "Authentication failed"},
	[EDHOC_UNTRUSTED] = {"credential not trusted", "Authentication failed"},
	[EDHOC_TOO_LONG] = {"message too long", "Internal error"},
	[EDHOC_FAILED] = {"internal failure", "Internal error"},
};

const char *edhoc_result_text(enum edhoc_result result)
{
	return results[result].text;
}

bool edhoc_result_is_ours(enum edhoc_result result)
{
	return result == EDHOC_TOO_LONG || result == EDHOC_FAILED;
}

// SUITES_R: one is an integer, more are an array.
static void suites_write(struct edhoc_writer *writer, unsigned suites)
{
	if (__builtin_popcount(suites) != 1)
		edhoc_write_head(writer, EDHOC_CBOR_ARRAY, (unsigned)__builtin_popcount(suites));
	for (unsigned suite = 0; suites >> suite; suite++)
		if (suites >> suite & 1)
			edhoc_write_int(writer, suite);
}

size_t edhoc_error_write(
	enum edhoc_result result, unsigned suites, bool tell_unknown, uint8_t out[EDHOC_ERROR_MAX])
{
	struct edhoc_writer writer = edhoc_writer(out, EDHOC_ERROR_MAX);
	const char *told = results[result].told;

	if (result == EDHOC_SUITE) {
		edhoc_write_int(&writer, EDHOC_ERROR_SUITE);
		suites_write(&writer, suites);
	} else if (result == EDHOC_UNKNOWN && tell_unknown) {
		edhoc_write_int(&writer, EDHOC_ERROR_CREDENTIAL);
		edhoc_write_head(&writer, EDHOC_CBOR_SIMPLE, EDHOC_CBOR_TRUE);
	} else {
		assert(told);
		edhoc_write_int(&writer, EDHOC_ERROR_UNSPECIFIED);
		edhoc_write_head(&writer, EDHOC_CBOR_TEXT, strlen(told));
		edhoc_write_raw(&writer, (const uint8_t *)told, strlen(told));
	}
	assert(!writer.failed);
	return edhoc_writer_len(&writer);
}

bool edhoc_is_error(const uint8_t *bytes, size_t len)
{
	return len && *bytes >> 5 <= EDHOC_CBOR_NEGINT;
}

// SUITES_R, of which those beyond EDHOC_ERROR_SUITES_MAX are left out.
static bool suites_read(struct edhoc_reader *reader, struct edhoc_error *error)
{
	struct edhoc_reader ahead = *reader;
	struct edhoc_cbor item;
	uint64_t n = 1;
	int64_t suite;

	if (!edhoc_read(&ahead, &item))
		return false;
	if (item.type == EDHOC_CBOR_ARRAY) {
		*reader = ahead;
		n = item.value;
		if (n < 2)
			return false;
	}
	for (uint64_t i = 0; i < n; i++) {
		if (!edhoc_read_int(reader, &suite))
			return false;
		if (error->n_suites < EDHOC_ERROR_SUITES_MAX)
			error->suites[error->n_suites++] = suite;
	}
	return true;
}

bool edhoc_error_parse(struct edhoc_error *error, const uint8_t *bytes, size_t len)
{
	struct edhoc_reader reader = edhoc_reader(bytes, len);
	struct edhoc_cbor item;
	const uint8_t *whole;

	memset(error, 0, sizeof(*error));
	if (!edhoc_read_int(&reader, &error->code) || !error->code)
		return false;
	switch (error->code) {
	case EDHOC_ERROR_UNSPECIFIED:
		if (!edhoc_read(&reader, &item) || item.type != EDHOC_CBOR_TEXT)
			return false;
		error->text = item.data;
		error->text_len = (size_t)item.value;
		break;
	case EDHOC_ERROR_SUITE:
		if (!suites_read(&reader, error))
			return false;
		break;
	case EDHOC_ERROR_CREDENTIAL:
		if (!edhoc_read(&reader, &item) || item.type != EDHOC_CBOR_SIMPLE ||
			item.value != EDHOC_CBOR_TRUE)
			return false;
		break;
	default: // ERR_INFO is any item
		if (!edhoc_read_whole(&reader, &whole))
			return false;
	}
	return !edhoc_reader_left(&reader);
}
