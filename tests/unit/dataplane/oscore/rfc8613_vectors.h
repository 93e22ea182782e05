// SPDX-License-Identifier: BSD-3-Clause
// RFC 8613 appendix C, in hexadecimal. Contexts are seen from the client.

#ifndef POSTERN_TESTS_UNIT_DATAPLANE_OSCORE_RFC8613_VECTORS_H
#define POSTERN_TESTS_UNIT_DATAPLANE_OSCORE_RFC8613_VECTORS_H

struct rfc8613_context {
	const char *name;
	const char *secret, *salt, *id_context; // id_context NULL: none
	const char *client_id, *server_id;
	const char *client_key, *server_key, *common_iv;
	const char *client_nonce, *server_nonce; // for a Partial IV of 0
};

static const struct rfc8613_context rfc8613_contexts[] = {
	{
		.name = "C.1",
		.secret = "0102030405060708090a0b0c0d0e0f10",
		.salt = "9e7ca92223786340",
		.client_id = "",
		.server_id = "01",
		.client_key = "f0910ed7295e6ad4b54fc793154302ff",
		.server_key = "ffb14e093c94c9cac9471648b4f98710",
		.common_iv = "4622d4dd6d944168eefb54987c",
		.client_nonce = "4622d4dd6d944168eefb54987c",
		.server_nonce = "4722d4dd6d944169eefb54987c",
	},
	{
		.name = "C.2",
		.secret = "0102030405060708090a0b0c0d0e0f10",
		.salt = "",
		.client_id = "00",
		.server_id = "01",
		.client_key = "321b26943253c7ffb6003b0b64d74041",
		.server_key = "e57b5635815177cd679ab4bcec9d7dda",
		.common_iv = "be35ae297d2dace910c52e99f9",
		.client_nonce = "bf35ae297d2dace910c52e99f9",
		.server_nonce = "bf35ae297d2dace810c52e99f9",
	},
	{
		.name = "C.3",
		.secret = "0102030405060708090a0b0c0d0e0f10",
		.salt = "9e7ca92223786340",
		.id_context = "37cbf3210017a2d3",
		.client_id = "",
		.server_id = "01",
		.client_key = "af2a1300a5e95788b356336eeecd2b92",
		.server_key = "e39a0c7c77b43f03b4b39ab9a268699f",
		.common_iv = "2ca58fb85ff1b81c0b7181b85e",
		.client_nonce = "2ca58fb85ff1b81c0b7181b85e",
		.server_nonce = "2da58fb85ff1b81d0b7181b85e",
	},
};
#define RFC8613_CONTEXT_COUNT (sizeof(rfc8613_contexts) / sizeof(rfc8613_contexts[0]))

struct rfc8613_message {
	const char *name;
	unsigned context; // index above
	bool response;
	bool own_piv; // nonce from the server's own Partial IV
	uint64_t request_piv, own;
	const char *clear, *aad, *nonce, *option, *plaintext, *ciphertext, *protected;
};

static const struct rfc8613_message rfc8613_messages[] = {
	{
		.name = "C.4",
		.context = 0,
		.request_piv = 20,
		.clear = "44015d1f00003974396c6f63616c686f737483747631",
		.aad = "8368456e63727970743040488501810a40411440",
		.nonce = "4622d4dd6d944168eefb549868",
		.option = "0914",
		.plaintext = "01b3747631",
		.ciphertext = "612f1092f1776f1c1668b3825e",
		.protected =
			"44025d1f00003974396c6f63616c686f7374620914ff612f1092f1776f1c1668b3825e",
	},
	{
		.name = "C.5",
		.context = 1,
		.request_piv = 20,
		.clear = "440171c30000b932396c6f63616c686f737483747631",
		.aad = "8368456e63727970743040498501810a4100411440",
		.nonce = "bf35ae297d2dace910c52e99ed",
		.option = "091400",
		.plaintext = "01b3747631",
		.ciphertext = "4ed339a5a379b0b8bc731fffb0",
		.protected = "440271c30000b932396c6f63616c686f737463091400ff"
			     "4ed339a5a379b0b8bc731fffb0",
	},
	{
		.name = "C.6",
		.context = 2,
		.request_piv = 20,
		.clear = "44012f8eef9bbf7a396c6f63616c686f737483747631",
		.aad = "8368456e63727970743040488501810a40411440",
		.nonce = "2ca58fb85ff1b81c0b7181b84a",
		.option = "19140837cbf3210017a2d3",
		.plaintext = "01b3747631",
		.ciphertext = "72cd7273fd331ac45cffbe55c3",
		.protected = "44022f8eef9bbf7a396c6f63616c686f73746b19140837cbf3210017a2d3ff"
			     "72cd7273fd331ac45cffbe55c3",
	},
	{
		.name = "C.7",
		.context = 0,
		.response = true,
		.request_piv = 20,
		.clear = "64455d1f00003974ff48656c6c6f20576f726c6421",
		.aad = "8368456e63727970743040488501810a40411440",
		.nonce = "4622d4dd6d944168eefb549868",
		.option = "",
		.plaintext = "45ff48656c6c6f20576f726c6421",
		.ciphertext = "dbaad1e9a7e7b2a813d3c31524378303cdafae119106",
		.protected = "64445d1f0000397490ffdbaad1e9a7e7b2a813d3c31524378303cdafae119106",
	},
	{
		.name = "C.8",
		.context = 0,
		.response = true,
		.own_piv = true,
		.request_piv = 20,
		.own = 0,
		.clear = "64455d1f00003974ff48656c6c6f20576f726c6421",
		.aad = "8368456e63727970743040488501810a40411440",
		.nonce = "4722d4dd6d944169eefb54987c",
		.option = "0100",
		.plaintext = "45ff48656c6c6f20576f726c6421",
		.ciphertext = "4d4c13669384b67354b2b6175ff4b8658c666a6cf88e",
		.protected = "64445d1f00003974920100ff4d4c13669384b67354b2b6175ff4b8658c666a6cf88e",
	},
};
#define RFC8613_MESSAGE_COUNT (sizeof(rfc8613_messages) / sizeof(rfc8613_messages[0]))

#endif
