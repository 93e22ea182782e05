// SPDX-License-Identifier: BSD-3-Clause

#include "gw/map/error_codes.h"

#include "dataplane/coap/message.h"

const struct map_error_code map_error_codes[HTTP_ERROR_COUNT] = {
	// The request cannot be made into HTTP.
	[HTTP_ERR_no_route] = {COAP_NOT_FOUND, "no such route"},
	[HTTP_ERR_bad_request] = {COAP_BAD_REQUEST, "malformed request"},
	[HTTP_ERR_bad_method] = {COAP_METHOD_NOT_ALLOWED, "method not known"},
	[HTTP_ERR_bad_path] = {COAP_BAD_REQUEST, "Uri-Path not allowed"},
	[HTTP_ERR_bad_query] = {COAP_BAD_REQUEST, "Uri-Query not allowed"},
	[HTTP_ERR_bad_option] = {COAP_BAD_OPTION, "option not understood"},
	[HTTP_ERR_proxying] = {COAP_PROXYING_NOT_SUPPORTED, "no forward proxy"},
	[HTTP_ERR_bad_accept] = {COAP_NOT_ACCEPTABLE, "Accept not known"},
	[HTTP_ERR_bad_format] = {COAP_UNSUPPORTED_CONTENT_FORMAT, "Content-Format not allowed"},
	[HTTP_ERR_too_long] = {COAP_BAD_REQUEST, "request too long"},
	[HTTP_ERR_bad_cbor] = {COAP_BAD_REQUEST, "no JSON for the payload"},
	[HTTP_ERR_too_large] = {COAP_REQUEST_ENTITY_TOO_LARGE, "payload too large as JSON"},
	[HTTP_ERR_bad_record] = {COAP_BAD_REQUEST, "payload not as Content-Format says"},
	[HTTP_ERR_wrong_format] = {COAP_UNSUPPORTED_CONTENT_FORMAT, "Content-Format not taken"},
	[HTTP_ERR_record_too_large] = {COAP_REQUEST_ENTITY_TOO_LARGE, "payload too large"},
	[HTTP_ERR_device_gone] = {COAP_SERVICE_UNAVAILABLE, "device removed"},
	// No server was asked.
	[HTTP_ERR_queue_full] = {COAP_SERVICE_UNAVAILABLE, "busy"},
	[HTTP_ERR_queue_timeout] = {COAP_SERVICE_UNAVAILABLE, "busy"},
	[HTTP_ERR_paused] = {COAP_SERVICE_UNAVAILABLE, "busy"},
	[HTTP_ERR_stopping] = {COAP_SERVICE_UNAVAILABLE, "stopping"},
	[HTTP_ERR_no_server] = {COAP_SERVICE_UNAVAILABLE, "no backend up"},
	[HTTP_ERR_no_memory] = {COAP_SERVICE_UNAVAILABLE, "busy"},
	[HTTP_ERR_local] = {COAP_SERVICE_UNAVAILABLE, "busy"},
	// No answer came.
	[HTTP_ERR_dns] = {COAP_BAD_GATEWAY, "backend not found"},
	[HTTP_ERR_connect] = {COAP_BAD_GATEWAY, "backend not reached"},
	[HTTP_ERR_tls] = {COAP_BAD_GATEWAY, "backend not trusted"},
	[HTTP_ERR_reset] = {COAP_BAD_GATEWAY, "backend hung up"},
	[HTTP_ERR_timeout] = {COAP_GATEWAY_TIMEOUT, "backend too slow"},
	// The answer cannot be made into CoAP.
	[HTTP_ERR_bad_reply] = {COAP_BAD_GATEWAY, "backend answer malformed"},
	[HTTP_ERR_head_too_large] = {COAP_BAD_GATEWAY, "backend answer malformed"},
	[HTTP_ERR_body_too_large] = {COAP_INTERNAL_SERVER_ERROR, "answer too large"},
	[HTTP_ERR_no_room] = {COAP_INTERNAL_SERVER_ERROR, "answer too large"},
	[HTTP_ERR_too_many_blocks] = {COAP_BAD_GATEWAY, "answer too large"},
	[HTTP_ERR_bad_status] = {COAP_BAD_GATEWAY, "backend answer not expected"},
	[HTTP_ERR_redirect] = {COAP_BAD_GATEWAY, "backend redirects"},
	[HTTP_ERR_bad_coding] = {COAP_BAD_GATEWAY, "backend answer encoded"},
	[HTTP_ERR_bad_type] = {COAP_BAD_GATEWAY, "backend answer not allowed"},
	[HTTP_ERR_refused] = {COAP_BAD_GATEWAY, "backend refuses"},
	[HTTP_ERR_refused_by_one] = {COAP_SERVICE_UNAVAILABLE, "busy"},
	[HTTP_ERR_no_result] = {COAP_BAD_GATEWAY, "no result"},
	[HTTP_ERR_wrong_type] = {COAP_NOT_ACCEPTABLE, "no such format"},
	[HTTP_ERR_not_oscore] = {COAP_BAD_GATEWAY, "backend answer not protected"},
	[HTTP_ERR_bad_json] = {COAP_BAD_GATEWAY, "no CBOR for the backend's JSON"},
};
