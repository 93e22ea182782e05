// SPDX-License-Identifier: BSD-3-Clause
// Which of two notifications is newer.

#ifndef POSTERN_GW_TOOLS_COAP_ORDER_H
#define POSTERN_GW_TOOLS_COAP_ORDER_H

#include <stdbool.h>
#include <stdint.h>

#define ORDER_OBSERVE_MASK ((UINT32_C(1) << 24) - 1)

// Of one registration; zeroed: nothing came yet.
struct order {
	bool some;
	uint64_t number; // of the newest
	uint64_t at_ms;  // when it came
};

// Whether a notification is newer than all before, by the Partial IV that it was sealed under (RFC
// 8613 section 4.1.3.5.2); one without it is the first. What is newer is kept.
static inline bool order_by_piv(struct order *order, bool has_piv, uint64_t piv)
{
	uint64_t number = has_piv ? piv + 1 : 0;

	if (order->some && number <= order->number)
		return false;
	order->some = true;
	order->number = number;
	return true;
}

// The same by the value of Observe of 24 bits, which may go round (RFC 7641 section 3.4).
static inline bool order_by_observe(struct order *order, uint32_t number, uint64_t now_ms)
{
	uint32_t ahead = (number - (uint32_t)order->number) & ORDER_OBSERVE_MASK;
	bool newer = !order->some || (ahead && ahead < UINT32_C(1) << 23) ||
		now_ms > order->at_ms + 128 * 1000;

	if (!newer)
		return false;
	order->some = true;
	order->number = number;
	order->at_ms = now_ms;
	return true;
}

#endif
