// SPDX-License-Identifier: BSD-3-Clause
// What is known about options and codes.

#include "dataplane/coap/message.h"

#include <criterion/criterion.h>
#include <string.h>
#include <strings.h>

// The tables of RFC 7252 section 5.10, 7641, 7959, 7967, 8613, 8768, 9175, 9177 and 9668.
static const struct {
	uint16_t number, min, max;
	bool critical, unsafe, repeatable;
} table[] = {
	{1, 0, 8, true, false, true},
	{3, 1, 255, true, true, false},
	{4, 1, 8, false, false, true},
	{5, 0, 0, true, false, false},
	{6, 0, 3, false, true, false},
	{7, 0, 2, true, true, false},
	{8, 0, 255, false, false, true},
	{9, 0, 255, true, false, false},
	{11, 0, 255, true, true, true},
	{12, 0, 2, false, false, false},
	{14, 0, 4, false, true, false},
	{15, 0, 255, true, true, true},
	{16, 1, 1, false, false, false},
	{17, 0, 2, true, false, false},
	{19, 0, 3, true, true, false},
	{20, 0, 255, false, false, true},
	{21, 0, 65535, true, false, false},
	{23, 0, 3, true, true, false},
	{27, 0, 3, true, true, false},
	{28, 0, 4, false, false, false},
	{31, 0, 3, true, true, true},
	{35, 1, 1034, true, true, false},
	{39, 1, 255, true, true, false},
	{60, 0, 4, false, false, false},
	{252, 1, 40, false, false, false},
	{258, 0, 1, false, true, false},
	{292, 0, 8, false, false, true},
};
#define TABLE_LEN (sizeof(table) / sizeof(table[0]))

Test(coap_option, each_known_option_has_the_properties_of_its_rfc)
{
	for (unsigned i = 0; i < TABLE_LEN; i++) {
		uint16_t number = table[i].number;

		cr_expect(coap_option_known(number), "%u", number);
		cr_expect_eq(!!COAP_OPT_IS_CRITICAL(number), table[i].critical, "%u", number);
		cr_expect_eq(!!COAP_OPT_IS_UNSAFE(number), table[i].unsafe, "%u", number);
		cr_expect_eq(coap_option_repeatable(number), table[i].repeatable, "%u", number);
		for (uint32_t len = 0; len <= UINT16_MAX; len++)
			cr_assert_eq(coap_option_len_ok(number, (uint16_t)len),
				len >= table[i].min && len <= table[i].max, "%u of %u bytes",
				number, len);
	}
}

// RFC 7252 section 5.4.1: what is not known must be seen as not known, whatever its length.
Test(coap_option, all_other_numbers_are_unknown)
{
	unsigned known = 0;

	for (uint32_t number = 0; number <= UINT16_MAX; number++) {
		if (coap_option_known((uint16_t)number)) {
			known++;
			continue;
		}
		cr_assert_not(coap_option_len_ok((uint16_t)number, 1), "%u", number);
		cr_assert_not(coap_option_repeatable((uint16_t)number), "%u", number);
	}
	cr_expect_eq(known, TABLE_LEN);
}

Test(coap_option, method_names_lead_back_to_their_codes)
{
	for (uint8_t code = COAP_GET; code <= COAP_IPATCH; code++)
		cr_expect_eq(coap_method_from_name(coap_method_name(code)), code);
	cr_expect_eq(coap_method_from_name("get"), COAP_GET);
	cr_expect_eq(coap_method_from_name("ipatch"), COAP_IPATCH);
	cr_expect_eq(coap_method_from_name("HEAD"), COAP_EMPTY);
	cr_expect_eq(coap_method_from_name(""), COAP_EMPTY);
	cr_expect_null(coap_method_name(COAP_EMPTY));
	cr_expect_null(coap_method_name(COAP_IPATCH + 1));
	cr_expect_null(coap_method_name(COAP_CONTENT));
}

Test(coap_option, response_codes_have_names)
{
	cr_expect_str_eq(coap_code_name(COAP_CONTENT), "Content");
	cr_expect_str_eq(coap_code_name(COAP_UNPROCESSABLE_ENTITY), "Unprocessable Entity");
	cr_expect_str_eq(coap_code_name(0xa8), "Hop Limit Reached");
	cr_expect_null(coap_code_name(COAP_GET));
	cr_expect_null(coap_code_name(0xff));
}
