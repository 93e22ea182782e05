// SPDX-License-Identifier: BSD-3-Clause

#include "gw/map/tables.h"

#include "dataplane/coap/message.h"

// clang-format off
static const struct map_method methods[] = {
	//              HTTP      safe   idem.  body   etag   201           2xx           404, 410
	[COAP_GET]    = {"GET",    true,  true,  false, true,  COAP_CONTENT, COAP_CONTENT, COAP_NOT_FOUND},
	[COAP_POST]   = {"POST",   false, false, true,  false, COAP_CREATED, COAP_CHANGED, COAP_NOT_FOUND},
	[COAP_PUT]    = {"PUT",    false, true,  true,  true,  COAP_CREATED, COAP_CHANGED, COAP_NOT_FOUND},
	[COAP_DELETE] = {"DELETE", false, true,  false, false, COAP_DELETED, COAP_DELETED, COAP_DELETED},
	[COAP_FETCH]  = {"POST",   true,  false, true,  true,  COAP_CONTENT, COAP_CONTENT, COAP_NOT_FOUND},
	[COAP_PATCH]  = {"PATCH",  false, false, true,  true,  COAP_CREATED, COAP_CHANGED, COAP_NOT_FOUND},
	[COAP_IPATCH] = {"PATCH",  false, false, true,  true,  COAP_CREATED, COAP_CHANGED, COAP_NOT_FOUND},
};

// 1xx are skipped; 101, 206 and 304 that were not asked for, and all other 3xx, are 5.02.
static const struct {
	uint16_t status;
	uint8_t code;
} statuses[] = {
	{400, COAP_BAD_REQUEST},                // Bad Request
	{401, COAP_UNAUTHORIZED},               // Unauthorized
	{402, COAP_BAD_REQUEST},                // Payment Required
	{403, COAP_FORBIDDEN},                  // Forbidden
	{404, COAP_NOT_FOUND},                  // Not Found; 2.02 for DELETE
	{405, COAP_METHOD_NOT_ALLOWED},         // Method Not Allowed
	{406, COAP_NOT_ACCEPTABLE},             // Not Acceptable
	{407, COAP_BAD_GATEWAY},                // Proxy Authentication Required: our own login
	{408, COAP_GATEWAY_TIMEOUT},            // Request Timeout: it was us who were slow
	{409, COAP_CONFLICT},                   // Conflict
	{410, COAP_NOT_FOUND},                  // Gone; 2.02 for DELETE
	{411, COAP_BAD_REQUEST},                // Length Required
	{412, COAP_PRECONDITION_FAILED},        // Precondition Failed
	{413, COAP_REQUEST_ENTITY_TOO_LARGE},   // Content Too Large
	{414, COAP_BAD_REQUEST},                // URI Too Long
	{415, COAP_UNSUPPORTED_CONTENT_FORMAT}, // Unsupported Media Type
	{416, COAP_BAD_REQUEST},                // Range Not Satisfiable
	{417, COAP_BAD_REQUEST},                // Expectation Failed
	{421, COAP_BAD_GATEWAY},                // Misdirected Request: our own routing
	{422, COAP_UNPROCESSABLE_ENTITY},       // Unprocessable Content
	{425, COAP_UNAUTHORIZED},               // Too Early
	{428, COAP_BAD_REQUEST},                // Precondition Required
	{429, COAP_TOO_MANY_REQUESTS},          // Too Many Requests
	{431, COAP_BAD_REQUEST},                // Request Header Fields Too Large
	{451, COAP_FORBIDDEN},                  // Unavailable For Legal Reasons
	{500, COAP_INTERNAL_SERVER_ERROR},      // Internal Server Error
	{501, COAP_NOT_IMPLEMENTED},            // Not Implemented
	{502, COAP_BAD_GATEWAY},                // Bad Gateway
	{503, COAP_SERVICE_UNAVAILABLE},        // Service Unavailable
	{504, COAP_GATEWAY_TIMEOUT},            // Gateway Timeout
	{505, COAP_BAD_GATEWAY},                // HTTP Version Not Supported: our own version
	{506, COAP_INTERNAL_SERVER_ERROR},      // Variant Also Negotiates
	{507, COAP_INTERNAL_SERVER_ERROR},      // Insufficient Storage
	{508, COAP_INTERNAL_SERVER_ERROR},      // Loop Detected
	{510, COAP_INTERNAL_SERVER_ERROR},      // Not Extended
	{511, COAP_BAD_GATEWAY},                // Network Authentication Required: our own login
};

const struct map_format map_formats[] = {
	{0,     "text/plain", "charset", "utf-8", NULL},
	{16,    "application/cose", "cose-type", "cose-encrypt0", NULL},
	{17,    "application/cose", "cose-type", "cose-mac0", NULL},
	{18,    "application/cose", "cose-type", "cose-sign1", NULL},
	{19,    "application/ace+cbor", NULL, NULL, NULL},
	{21,    "image/gif", NULL, NULL, NULL},
	{22,    "image/jpeg", NULL, NULL, NULL},
	{23,    "image/png", NULL, NULL, NULL},
	{40,    "application/link-format", NULL, NULL, NULL},
	{41,    "application/xml", NULL, NULL, NULL},
	{42,    "application/octet-stream", NULL, NULL, NULL},
	{47,    "application/exi", NULL, NULL, NULL},
	{50,    "application/json", NULL, NULL, NULL},
	{51,    "application/json-patch+json", NULL, NULL, NULL},
	{52,    "application/merge-patch+json", NULL, NULL, NULL},
	{60,    "application/cbor", NULL, NULL, NULL},
	{61,    "application/cwt", NULL, NULL, NULL},
	{62,    "application/multipart-core", NULL, NULL, NULL},
	{63,    "application/cbor-seq", NULL, NULL, NULL},
	{64,    "application/edhoc+cbor-seq", NULL, NULL, NULL},
	{65,    "application/cid-edhoc+cbor-seq", NULL, NULL, NULL},
	{96,    "application/cose", "cose-type", "cose-encrypt", NULL},
	{97,    "application/cose", "cose-type", "cose-mac", NULL},
	{98,    "application/cose", "cose-type", "cose-sign", NULL},
	{101,   "application/cose-key", NULL, NULL, NULL},
	{102,   "application/cose-key-set", NULL, NULL, NULL},
	{110,   "application/senml+json", NULL, NULL, NULL},
	{111,   "application/sensml+json", NULL, NULL, NULL},
	{112,   "application/senml+cbor", NULL, NULL, NULL},
	{113,   "application/sensml+cbor", NULL, NULL, NULL},
	{114,   "application/senml-exi", NULL, NULL, NULL},
	{115,   "application/sensml-exi", NULL, NULL, NULL},
	{140,   "application/yang-data+cbor", "id", "sid", NULL},
	{256,   "application/coap-group+json", NULL, NULL, NULL},
	{257,   "application/concise-problem-details+cbor", NULL, NULL, NULL},
	{258,   "application/swid+cbor", NULL, NULL, NULL},
	{271,   "application/dots+cbor", NULL, NULL, NULL},
	{272,   "application/missing-blocks+cbor-seq", NULL, NULL, NULL},
	{280,   "application/pkcs7-mime", "smime-type", "server-generated-key", NULL},
	{281,   "application/pkcs7-mime", "smime-type", "certs-only", NULL},
	{284,   "application/pkcs8", NULL, NULL, NULL},
	{285,   "application/csrattrs", NULL, NULL, NULL},
	{286,   "application/pkcs10", NULL, NULL, NULL},
	{287,   "application/pkix-cert", NULL, NULL, NULL},
	{290,   "application/aif+cbor", NULL, NULL, NULL},
	{291,   "application/aif+json", NULL, NULL, NULL},
	{310,   "application/senml+xml", NULL, NULL, NULL},
	{311,   "application/sensml+xml", NULL, NULL, NULL},
	{320,   "application/senml-etch+json", NULL, NULL, NULL},
	{322,   "application/senml-etch+cbor", NULL, NULL, NULL},
	{340,   "application/yang-data+cbor", NULL, NULL, NULL},
	{341,   "application/yang-data+cbor", "id", "name", NULL},
	{432,   "application/td+json", NULL, NULL, NULL},
	{553,   "application/dns-message", NULL, NULL, NULL},
	{10000, "application/vnd.ocf+cbor", NULL, NULL, NULL},
	{11050, "application/json", NULL, NULL, "deflate"},
	{11060, "application/cbor", NULL, NULL, "deflate"},
	{11542, "application/vnd.oma.lwm2m+tlv", NULL, NULL, NULL},
	{11543, "application/vnd.oma.lwm2m+json", NULL, NULL, NULL},
	{11544, "application/vnd.oma.lwm2m+cbor", NULL, NULL, NULL},
	{20000, "text/css", NULL, NULL, NULL},
	{30000, "image/svg+xml", NULL, NULL, NULL},
};

const struct map_loose_type map_loose_types[] = {
	{"application/*+xml",  "application/xml"},
	{"application/*+json", "application/json"},
	{"application/*+cbor", "application/cbor"},
	{"text/xml",           "application/xml"},
	{"text/*",             "text/plain"},
	{"*",                  "application/octet-stream"},
};
// clang-format on

const size_t map_format_count = sizeof(map_formats) / sizeof(map_formats[0]);
const size_t map_loose_type_count = sizeof(map_loose_types) / sizeof(map_loose_types[0]);

const struct map_method *map_method_of(uint8_t code)
{
	if (code >= sizeof(methods) / sizeof(methods[0]) || !methods[code].http)
		return NULL;
	return &methods[code];
}

uint8_t map_code_of_status(int status)
{
	if (status < 400 || status > 599)
		return 0;
	for (size_t i = 0; i < sizeof(statuses) / sizeof(statuses[0]); i++)
		if (statuses[i].status == status)
			return statuses[i].code;
	return status < 500 ? COAP_BAD_REQUEST : COAP_INTERNAL_SERVER_ERROR;
}
