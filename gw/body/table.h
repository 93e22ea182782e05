// SPDX-License-Identifier: BSD-3-Clause
// Where the bodies of a loop stand: with their device, which a hash table has, and in the order of
// their last use. Private to this folder.

#ifndef POSTERN_GW_BODY_TABLE_H
#define POSTERN_GW_BODY_TABLE_H

#include "gw/body/body.h"

#define BODY_CLASSES 256 // of holders, by the bytes that they could give

TAILQ_HEAD(body_list, body);

// A device that has bodies or claims.
struct body_holder {
	LIST_ENTRY(body_holder) chain;
	TAILQ_ENTRY(body_holder) of_class; // if loose
	uint32_t context;
	uint32_t generation;
	unsigned count;          // bodies
	unsigned claims;         // that are not 0
	size_t bytes;            // of bodies and claims
	size_t loose;            // of those bodies that could give way
	struct body_list bodies; // the oldest first
};

LIST_HEAD(body_holder_chain, body_holder);
TAILQ_HEAD(body_holder_list, body_holder);

struct body_table {
	struct body_config config;
	uint64_t stat[BODY_STAT_COUNT];   // atomic: others read
	uint64_t now_ms;                  // of the last call that knew it
	size_t used;                      // bytes, at most config.memory
	size_t largest;                   // bytes of a body that a device can have alone
	struct body_list delivered, idle; // the longest unused first
	uint64_t class_map[BODY_CLASSES / 64];
	struct body_holder_list class[BODY_CLASSES];
	size_t mask;
	struct body_holder_chain holders[]; // by context
};

static inline void body_count(struct body_table *table, enum body_stat stat)
{
	__atomic_store_n(&table->stat[stat], table->stat[stat] + 1, __ATOMIC_RELAXED);
}

// What a body is charged beside its bytes; malloc's, too.
#define BODY_STRUCT_BYTES (sizeof(struct body) + sizeof(struct body_holder) + 64)

// The holder of this context. One of an earlier generation loses its bodies and becomes this one's.
// NULL: there is none, or the generation is over.
struct body_holder *body_holder_find(
	struct body_table *table, uint32_t context, uint32_t generation);
// The same, made if there is none. NULL: no memory, or the generation is over.
struct body_holder *body_holder_get(
	struct body_table *table, uint32_t context, uint32_t generation);
// Frees a holder that has neither bodies nor claims.
void body_holder_put(struct body_table *table, struct body_holder *holder);
// Adds to the bytes of a holder and of all, or takes from them.
void body_holder_add(struct body_table *table, struct body_holder *holder, size_t bytes);
void body_holder_sub(struct body_table *table, struct body_holder *holder, size_t bytes);
// One that could give more than 24 of 25 parts of what anybody could, or NULL.
struct body_holder *body_holder_largest(const struct body_table *table);
// The oldest body of a holder that could give way, or NULL. Looks at per_device bodies.
struct body *body_holder_oldest(const struct body_holder *holder);

// The newest body of this name for which is() is true, or NULL. Looks at per_device bodies.
struct body *body_find(struct body_table *table, const struct body_request *request,
	bool (*is)(const struct body *body, const struct body_request *request));
// Puts a new body in all places but the order of use; it is charged nothing yet.
void body_insert(struct body_table *table, struct body_holder *holder, struct body *body);
// A body that is listed may give way to others; one that is being worked on, or asked for, is not.
void body_list(struct body_table *table, struct body *body, uint64_t now_ms);
void body_unlist(struct body_table *table, struct body *body);
// Wipes and frees a body. One that is BODY_ASKING is only not found any more.
void body_drop(struct body_table *table, struct body *body);
// Frees what there is of bytes, and takes that from what the body is charged.
void body_free_bytes(struct body_table *table, struct body *body);
void body_free_options(struct body_table *table, struct body *body);

// ---- memory.c

// Makes an unlisted body for a request, in the place of the oldest one of a device that has
// per_device of them, and sees that there is room for so many bytes, which are not charged yet.
// NULL, and counted: there is no memory, or all of them are BODY_ASKING.
struct body *body_new(struct body_table *table, const struct body_request *request, size_t len);
// Charges an unlisted body, for which others may give way. false, and counted.
bool body_charge(struct body_table *table, struct body *body, size_t bytes)
	__attribute__((warn_unused_result));
// Grows the bytes of an unlisted body to have room for so many. false, and counted.
bool body_grow(struct body_table *table, struct body *body, size_t len)
	__attribute__((warn_unused_result));

// ---- upload.c

// Decides about a request with Block1.
enum body_action body_upload(struct body_table *table, const struct body_request *request,
	const struct body_limits *limits, struct body_reply *reply, struct body **body);

// 5.03 for want of memory.
enum body_action body_refuse_memory(const struct body_table *table, struct body_reply *reply);

#endif
