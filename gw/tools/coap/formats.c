// SPDX-License-Identifier: BSD-3-Clause

#include "gw/tools/coap/formats.h"

#include "gw/tools/coap/number.h"

#include <string.h>
#include <strings.h>

static const struct {
	uint16_t number;
	const char *name;
} formats[] = {
	{0, "text/plain"},
	{16, "application/cose; cose-type=\"cose-encrypt0\""},
	{17, "application/cose; cose-type=\"cose-mac0\""},
	{18, "application/cose; cose-type=\"cose-sign1\""},
	{19, "application/ace+cbor"},
	{40, "application/link-format"},
	{41, "application/xml"},
	{42, "application/octet-stream"},
	{47, "application/exi"},
	{50, "application/json"},
	{51, "application/json-patch+json"},
	{52, "application/merge-patch+json"},
	{60, "application/cbor"},
	{61, "application/cwt"},
	{62, "application/multipart-core"},
	{63, "application/cbor-seq"},
	{64, "application/edhoc+cbor-seq"},
	{65, "application/cid-edhoc+cbor-seq"},
	{110, "application/senml+json"},
	{111, "application/sensml+json"},
	{112, "application/senml+cbor"},
	{113, "application/sensml+cbor"},
	{114, "application/senml-exi"},
	{115, "application/sensml-exi"},
	{140, "application/yang-data+cbor; id=sid"},
	{256, "application/coap-group+json"},
	{257, "application/concise-problem-details+cbor"},
	{310, "application/senml+xml"},
	{311, "application/sensml+xml"},
	{432, "application/td+json"},
	{10000, "application/vnd.ocf+cbor"},
	{10001, "application/oscore"},
	{11050, "application/json; coding=deflate"},
	{11060, "application/cbor; coding=deflate"},
	{11542, "application/vnd.oma.lwm2m+tlv"},
	{11543, "application/vnd.oma.lwm2m+json"},
	{11544, "application/vnd.oma.lwm2m+cbor"},
	{20000, "text/css"},
	{30000, "image/svg+xml"},
};
#define FORMAT_COUNT (sizeof(formats) / sizeof(formats[0]))

const char *format_name(uint32_t number)
{
	for (size_t i = 0; i < FORMAT_COUNT; i++) {
		if (formats[i].number == number)
			return formats[i].name;
	}
	return NULL;
}

bool format_parse(const char *text, uint16_t *number)
{
	uint64_t value;

	if (number_parse(text, UINT16_MAX, &value)) {
		*number = (uint16_t)value;
		return true;
	}
	for (size_t i = 0; i < FORMAT_COUNT; i++) {
		const char *slash = strchr(formats[i].name, '/');

		if (!strcasecmp(text, formats[i].name) || !strcasecmp(text, slash + 1)) {
			*number = formats[i].number;
			return true;
		}
	}
	return false;
}

const char *format_at(size_t index, uint16_t *number)
{
	if (index >= FORMAT_COUNT)
		return NULL;
	*number = formats[index].number;
	return formats[index].name;
}
