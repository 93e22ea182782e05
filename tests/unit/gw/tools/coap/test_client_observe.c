// SPDX-License-Identifier: BSD-3-Clause
// The program postern-coap observes: what it sends, which notifications it takes, and how that
// ends.

#include "gw/tools/coap/order.h"
#include "tests/unit/gw/tools/coap/responder.h"

#include <criterion/criterion.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>

TestSuite(client_observe, .init = responder_start, .fini = responder_stop);

static struct received request, other;

static bool observe_of(const struct received *q, bool outer, uint32_t *value)
{
	struct coap_option option;

	return coap_option_find(outer ? &q->outer.body : &q->inner, COAP_OPT_OBSERVE, &option) &&
		coap_option_uint(&option, value);
}

static void expect_registration(const struct received *q, uint32_t value)
{
	uint32_t inner, outer;

	cr_assert(observe_of(q, false, &inner) && observe_of(q, true, &outer));
	cr_assert_eq(inner, value);
	cr_assert_eq(outer, value);
	cr_assert_eq(q->outer.code, COAP_FETCH);
	cr_assert_eq(q->code, COAP_GET);
}

static void notify(enum coap_type type, uint16_t mid, uint64_t piv, const char *payload)
{
	responder_send(&request,
		&(struct reply){.type = type,
			.mid = mid,
			.code = COAP_CONTENT,
			.own_piv = piv,
			.has_own_piv = true,
			.observe = true,
			.has_outer_observe = true,
			.outer_observe = (uint32_t)piv,
			.max_age = 1000,
			.payload = payload,
			.format = -1});
}

static void expect_empty(enum coap_type type, uint16_t mid)
{
	struct received got;

	responder_receive_raw(&got);
	cr_assert_eq(got.len, 4);
	cr_assert_eq(got.data[0] >> 4 & 3, type);
	cr_assert_eq(got.data[2] << 8 | got.data[3], mid);
}

// Answers the cancellation under the token of the registration.
static void expect_cancellation(void)
{
	responder_receive(&other);
	expect_registration(&other, 1);
	cr_assert_eq(other.outer.token_len, request.outer.token_len);
	cr_assert(!memcmp(other.outer.token, request.outer.token, other.outer.token_len));
	responder_answer(&other, COAP_CONTENT, "the end");
}

Test(client_observe, prints_what_comes_in_order)
{
	client_start(NULL, "-c", "CONTEXT", "--observe", "--count", "4", "URI/t", NULL);
	responder_receive(&request);
	expect_registration(&request, 0);
	notify(COAP_ACK, request.outer.mid, 100, "one");
	notify(COAP_NON, 7, 101, "two");
	notify(COAP_NON, 8, 103, "three");
	notify(COAP_NON, 9, 102, "late");
	notify(COAP_NON, 8, 103, "three");
	notify(COAP_CON, 10, 104, "four");
	expect_empty(COAP_ACK, 10);
	expect_cancellation();
	const struct outcome *o = client_finish();

	cr_assert_eq(o->status, 0, "%s", o->err);
	cr_assert(strstr(o->out, "#1 ") && strstr(o->out, "one\n"), "%s", o->out);
	cr_assert(strstr(o->out, "Observe 101, Max-Age 1000\ntwo\n#3 "), "%s", o->out);
	cr_assert(strstr(o->out, "Observe 104, Max-Age 1000\nfour\n"), "%s", o->out);
	cr_assert(!strstr(o->out, "late"));
	cr_assert(!strstr(o->out, "the end"));
}

Test(client_observe, json_is_a_line_a_notification)
{
	char *line, *rest = NULL;
	unsigned n = 0;

	client_start(NULL, "-c", "CONTEXT", "--observe", "--json", "--count", "3", "URI/t", NULL);
	responder_receive(&request);
	notify(COAP_ACK, request.outer.mid, 5, "a");
	notify(COAP_NON, 7, 7, "b");
	notify(COAP_NON, 8, 6, "c");
	notify(COAP_NON, 9, 8, "d");
	expect_cancellation();
	const struct outcome *o = client_finish();

	cr_assert_eq(o->status, 0, "%s", o->err);
	for (line = strtok_r((char *)o->out, "\n", &rest); line;
		line = strtok_r(NULL, "\n", &rest), n++) {
		static const char *const payloads[] = {"a", "b", "d"};
		json_t *object = json_loads(line, 0, NULL);

		cr_assert(object && n < 3, "%s", line);
		cr_assert_str_eq(
			json_string_value(json_object_get(object, "payload")), payloads[n]);
		cr_assert_eq(json_integer_value(json_object_get(object, "notification")), n + 1);
		cr_assert_eq(json_integer_value(json_object_get(object, "max_age")), 1000);
		cr_assert_eq(json_integer_value(json_object_get(object, "out_of_order")), n == 2);
		cr_assert_eq(json_integer_value(json_object_get(object, "observe")),
			json_integer_value(json_object_get(object, "partial_iv")));
		json_decref(object);
	}
	cr_assert_eq(n, 3);
}

// A plain answer is printed as without --observe.
Test(client_observe, says_that_nothing_will_come)
{
	client_start(NULL, "-c", "CONTEXT", "--observe", "URI/t", NULL);
	responder_receive(&request);
	responder_answer(&request, COAP_CONTENT, "plain");
	const struct outcome *o = client_finish();

	cr_assert_eq(o->status, 0);
	cr_assert_str_eq(o->out, "plain");
	cr_assert(strstr(o->err, "no notifications"), "%s", o->err);
}

// An error is the last notification.
Test(client_observe, ends_with_an_error)
{
	client_start(NULL, "-c", "CONTEXT", "--observe", "URI/t", NULL);
	responder_receive(&request);
	notify(COAP_ACK, request.outer.mid, 100, "one");
	responder_send(&request,
		&(struct reply){.type = COAP_CON,
			.mid = 11,
			.code = COAP_NOT_FOUND,
			.own_piv = 101,
			.has_own_piv = true,
			.format = -1});
	expect_empty(COAP_ACK, 11);
	const struct outcome *o = client_finish();

	cr_assert_eq(o->status, 4, "%s", o->err);
	cr_assert(strstr(o->out, "4.04"), "%s", o->out);
}

// Neither what does not verify nor what has another token.
Test(client_observe, takes_nothing_else)
{
	client_start(NULL, "-q", "-c", "CONTEXT", "--observe", "--count", "2", "URI/t", NULL);
	responder_receive(&request);
	notify(COAP_ACK, request.outer.mid, 100, "one");
	responder_send(&request,
		&(struct reply){.type = COAP_CON,
			.mid = 20,
			.code = COAP_CONTENT,
			.own_piv = 101,
			.has_own_piv = true,
			.observe = true,
			.tampered = true,
			.payload = "forged",
			.format = -1});
	cr_assert(responder_hears_nothing(50), "what may be of anybody is not acknowledged");
	responder_send(&request,
		&(struct reply){.type = COAP_CON,
			.mid = 21,
			.code = COAP_CONTENT,
			.own_piv = 102,
			.has_own_piv = true,
			.observe = true,
			.payload = "other",
			.token = (const uint8_t *)"zz",
			.token_len = 2,
			.format = -1});
	expect_empty(COAP_RST, 21);
	notify(COAP_NON, 22, 101, "two");
	expect_cancellation();
	const struct outcome *o = client_finish();

	cr_assert_eq(o->status, 0, "%s", o->err);
	cr_assert(!strstr(o->out, "forged") && !strstr(o->out, "other"));
	cr_assert(strstr(o->out, "two"));
}

static void answer_for_a_second(void)
{
	responder_receive(&request);
	responder_send(&request,
		&(struct reply){.type = COAP_ACK,
			.mid = request.outer.mid,
			.code = COAP_CONTENT,
			.own_piv = 100,
			.has_own_piv = true,
			.observe = true,
			.max_age = 1,
			.payload = "one",
			.format = -1});
}

// RFC 7641 section 3.3.1: nothing for longer than Max-Age.
Test(client_observe, registers_again)
{
	client_start(NULL, "-c", "CONTEXT", "--observe", "--count", "2", "URI/t", NULL);
	answer_for_a_second();
	responder_receive(&other);
	expect_registration(&other, 0);
	cr_assert_gt(other.came_s, request.came_s + 1);
	cr_assert(!memcmp(other.outer.token, request.outer.token, other.outer.token_len));
	request = other;
	notify(COAP_ACK, request.outer.mid, 3, "again");
	expect_cancellation();
	const struct outcome *o = client_finish();

	cr_assert_eq(o->status, 0, "%s", o->err);
	cr_assert(strstr(o->out, "#2 ") && strstr(o->out, "again"), "%s", o->out);
}

// A server that starts again is one at which nothing listens for a while.
Test(client_observe, registers_again_where_nothing_listened)
{
	client_start(NULL, "-v", "-c", "CONTEXT", "--observe", "--count", "2", "URI/t", NULL);
	answer_for_a_second();
	responder_leave();
	client_says("* retransmission 1");
	responder_return();
	responder_receive(&other);
	expect_registration(&other, 0);
	request = other;
	notify(COAP_ACK, request.outer.mid, 3, "again");
	expect_cancellation();
	const struct outcome *o = client_finish();

	cr_assert_eq(o->status, 0, "%s", o->err);
}

// RFC 7959 section 2.6: a notification has the first block.
static void notify_first_block(uint16_t mid, uint64_t piv)
{
	const struct coap_block first = {.more = true};

	responder_send(&request,
		&(struct reply){.type = COAP_NON,
			.mid = mid,
			.code = COAP_CONTENT,
			.own_piv = piv,
			.has_own_piv = true,
			.observe = true,
			.block2 = &first,
			.etag = "e",
			.payload = "0123456789abcdef",
			.format = -1});
}

static void answer_last_block(const char *payload)
{
	const struct coap_block second = {.num = 1};

	responder_send(&other,
		&(struct reply){.type = COAP_ACK,
			.mid = other.outer.mid,
			.code = COAP_CONTENT,
			.block2 = &second,
			.etag = "e",
			.payload = payload,
			.format = -1});
}

// A notification that comes while other blocks are fetched is not rejected.
Test(client_observe, fetches_the_other_blocks)
{
	uint32_t value;

	client_start(NULL, "-c", "CONTEXT", "--observe", "--count", "3", "URI/t", NULL);
	responder_receive(&request);
	notify(COAP_ACK, request.outer.mid, 100, "one");
	notify_first_block(30, 101);
	responder_receive(&other);
	cr_assert(!observe_of(&other, false, &value));
	cr_assert_neq(memcmp(other.outer.token, request.outer.token, 4), 0);
	notify(COAP_CON, 31, 102, "meanwhile");
	cr_assert(responder_hears_nothing(50));
	answer_last_block("ghi");
	notify_first_block(32, 103);
	responder_receive(&other);
	answer_last_block("jkl");
	expect_cancellation();
	const struct outcome *o = client_finish();

	cr_assert_eq(o->status, 0, "%s", o->err);
	cr_assert(strstr(o->out, "0123456789abcdefghi\n"), "%s", o->out);
	cr_assert(strstr(o->out, "0123456789abcdefjkl\n"), "%s", o->out);
}

// RFC 7641 section 3.4.
Test(client_order, goes_round)
{
	struct order order = {0};

	cr_assert(order_by_observe(&order, 0xfffffe, 1000));
	cr_assert(!order_by_observe(&order, 0xfffffe, 1000));
	cr_assert(!order_by_observe(&order, 0xfffffd, 1000));
	cr_assert(order_by_observe(&order, 3, 1000));
	cr_assert(!order_by_observe(&order, 0xffffff, 1000));
	cr_assert(!order_by_observe(&order, 2, 129000));
	cr_assert(order_by_observe(&order, 2, 129001));
}

// RFC 8613 section 4.1.3.5.2.
Test(client_order, by_partial_iv_does_not)
{
	struct order order = {0};

	cr_assert(order_by_piv(&order, false, 0));
	cr_assert(!order_by_piv(&order, false, 0));
	cr_assert(order_by_piv(&order, true, 0));
	cr_assert(order_by_piv(&order, true, 0xffffff));
	cr_assert(!order_by_piv(&order, true, 3));
	cr_assert(order_by_piv(&order, true, 0x1000000));
}
