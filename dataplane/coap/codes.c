// SPDX-License-Identifier: BSD-3-Clause
// Names of methods and response codes.

#include "dataplane/coap/message.h"

#include <strings.h>

static const char *const methods[] = {
	[COAP_GET] = "GET",
	[COAP_POST] = "POST",
	[COAP_PUT] = "PUT",
	[COAP_DELETE] = "DELETE",
	[COAP_FETCH] = "FETCH",
	[COAP_PATCH] = "PATCH",
	[COAP_IPATCH] = "iPATCH",
};
#define METHOD_COUNT (sizeof(methods) / sizeof(methods[0]))

static const char *const responses[UINT8_MAX + 1] = {
	[COAP_CREATED] = "Created",
	[COAP_DELETED] = "Deleted",
	[COAP_VALID] = "Valid",
	[COAP_CHANGED] = "Changed",
	[COAP_CONTENT] = "Content",
	[COAP_CONTINUE] = "Continue",
	[COAP_BAD_REQUEST] = "Bad Request",
	[COAP_UNAUTHORIZED] = "Unauthorized",
	[COAP_BAD_OPTION] = "Bad Option",
	[COAP_FORBIDDEN] = "Forbidden",
	[COAP_NOT_FOUND] = "Not Found",
	[COAP_METHOD_NOT_ALLOWED] = "Method Not Allowed",
	[COAP_NOT_ACCEPTABLE] = "Not Acceptable",
	[COAP_REQUEST_ENTITY_INCOMPLETE] = "Request Entity Incomplete",
	[COAP_CONFLICT] = "Conflict",
	[COAP_PRECONDITION_FAILED] = "Precondition Failed",
	[COAP_REQUEST_ENTITY_TOO_LARGE] = "Request Entity Too Large",
	[COAP_UNSUPPORTED_CONTENT_FORMAT] = "Unsupported Content-Format",
	[COAP_UNPROCESSABLE_ENTITY] = "Unprocessable Entity",
	[COAP_TOO_MANY_REQUESTS] = "Too Many Requests",
	[COAP_INTERNAL_SERVER_ERROR] = "Internal Server Error",
	[COAP_NOT_IMPLEMENTED] = "Not Implemented",
	[COAP_BAD_GATEWAY] = "Bad Gateway",
	[COAP_SERVICE_UNAVAILABLE] = "Service Unavailable",
	[COAP_GATEWAY_TIMEOUT] = "Gateway Timeout",
	[COAP_PROXYING_NOT_SUPPORTED] = "Proxying Not Supported",
	[COAP_HOP_LIMIT_REACHED] = "Hop Limit Reached",
};

const char *coap_method_name(uint8_t code)
{
	return code < METHOD_COUNT ? methods[code] : NULL;
}

uint8_t coap_method_from_name(const char *name)
{
	for (uint8_t code = COAP_GET; code < METHOD_COUNT; code++) {
		if (!strcasecmp(name, methods[code]))
			return code;
	}
	return COAP_EMPTY;
}

const char *coap_code_name(uint8_t code)
{
	return responses[code];
}
