// SPDX-License-Identifier: BSD-3-Clause
// Routes are a tree: a node is what routes have in common at their beginning, its edges are named
// by the segment that comes next, or are for any segment. A look-up follows both kinds of edges,
// so that it meets at most one node for each way to place wildcards in so many segments.

#include "dataplane/shared/policy.h"

#include "crypto/keyed_hash.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define NONE    UINT32_MAX
#define METHODS (COAP_IPATCH + 1)

// Which routes match here: for each method the number of the first that takes it, and in the place
// of COAP_EMPTY the number of the first whatever it takes. NONE: there is none.
struct route_ends {
	uint32_t least[METHODS];
};

struct route_node {
	uint32_t least; // number of a route at or below this node
	uint32_t any;   // node behind any one segment, or NONE
	struct route_ends here;
	struct route_ends rest; // whatever segments come
};

// An edge to the node behind a segment, in an open hash table. Half of the table is empty.
struct route_edge {
	uint32_t from;
	uint32_t to; // NONE: this place is empty
	struct dp_segment_key key;
	const char *text; // of a long segment
};

_Static_assert(sizeof(struct route_edge) == 32, "two edges are a cache line");

struct dp_route_index {
	struct route_edge *edge; // [edge_mask + 1]
	struct route_node *node; // the first is the root
	uint32_t edge_mask;
	uint32_t node_count;
	struct keyed_hash hash; // devices choose segments
};

// A key that no short segment has says that the segment is long, and how long.
static struct dp_segment_key segment_key(const struct dp_segment *segment)
{
	struct dp_segment_key key = {{segment->len, UINT64_MAX}};
	uint8_t bytes[DP_SEGMENT_SHORT + DP_SEGMENT_OVER] = {0};

	if (segment->len > DP_SEGMENT_SHORT)
		return key;
	if (!segment->len)
		return (struct dp_segment_key){{0, 0}};
	memcpy(bytes, segment->text, segment->len);
	return dp_segment_key_read(bytes, segment->len);
}

static inline bool is_long(const struct dp_segment_key *key)
{
	return key->word[1] == UINT64_MAX;
}

// The place of an edge, or the empty place where it would be. `segment` is read if it is long.
static inline struct route_edge *edge_find(const struct dp_route_index *index, uint32_t from,
	const struct dp_segment_key *key, const struct dp_segment *segment)
{
	bool by_text = segment && is_long(key);
	uint64_t hash = by_text ? keyed_hash(&index->hash, segment->text, segment->len)
				: keyed_hash_words(&index->hash, key->word[0], key->word[1]);
	uint32_t at = hash + from * UINT32_C(0x9e3779b1);

	for (;; at++) {
		struct route_edge *edge = &index->edge[at & index->edge_mask];

		if (edge->to == NONE ||
			(edge->from == from && edge->key.word[0] == key->word[0] &&
				edge->key.word[1] == key->word[1] &&
				(!by_text || !memcmp(edge->text, segment->text, segment->len))))
			return edge;
	}
}

static void ends_init(struct route_ends *ends)
{
	for (unsigned i = 0; i < METHODS; i++)
		ends->least[i] = NONE;
}

static void ends_add(struct route_ends *ends, uint32_t number, uint8_t methods)
{
	methods |= 1 << COAP_EMPTY;
	for (unsigned i = 0; i < METHODS; i++)
		if (methods & 1 << i && ends->least[i] == NONE)
			ends->least[i] = number;
}

static uint32_t node_add(struct dp_route_index *index, uint32_t number)
{
	struct route_node *node = &index->node[index->node_count];

	node->least = number;
	node->any = NONE;
	ends_init(&node->here);
	ends_init(&node->rest);
	return index->node_count++;
}

// Routes come in the order of their numbers.
static void route_add(struct dp_route_index *index, const struct dp_route *route, uint32_t number)
{
	uint32_t at = 0;

	for (unsigned i = 0; i < route->segment_count; i++) {
		const struct dp_segment *segment = &route->segments[i];

		if (!segment->text) {
			if (index->node[at].any == NONE) {
				uint32_t next = node_add(index, number);

				index->node[at].any = next;
			}
			at = index->node[at].any;
			continue;
		}
		struct dp_segment_key key = segment_key(segment);
		struct route_edge *edge = edge_find(index, at, &key, segment);

		if (edge->to == NONE)
			*edge = (struct route_edge){
				.from = at,
				.to = node_add(index, number),
				.key = key,
				.text = segment->text,
			};
		at = edge->to;
	}
	ends_add(&index->node[at].here, number, route->methods);
	if (route->rest)
		ends_add(&index->node[at].rest, number, route->methods);
}

struct dp_route_index *dp_route_index_create(const struct dp_route *routes, unsigned count)
{
	struct dp_route_index *index = calloc(1, sizeof(*index));
	size_t segments = 0;

	if (!index)
		return NULL;
	for (unsigned i = 0; i < count; i++)
		segments += routes[i].segment_count;
	keyed_hash_init(&index->hash);
	for (index->edge_mask = 1; index->edge_mask < 2 * segments;)
		index->edge_mask = 2 * index->edge_mask + 1;
	index->edge = aligned_alloc(64, (index->edge_mask + (size_t)1) * sizeof(*index->edge));
	index->node = calloc(segments + 1, sizeof(*index->node));
	if (!index->edge || !index->node) {
		dp_route_index_free(index);
		errno = ENOMEM;
		return NULL;
	}
	for (uint32_t i = 0; i <= index->edge_mask; i++)
		index->edge[i].to = NONE;
	node_add(index, count ? 0 : NONE);
	for (unsigned i = 0; i < count; i++)
		route_add(index, &routes[i], i);
	return index;
}

void dp_route_index_free(struct dp_route_index *index)
{
	if (!index)
		return;
	free(index->edge);
	free(index->node);
	free(index);
}

bool dp_path_read(struct dp_path *path, const struct coap_body *body)
{
	struct coap_option_iter iter;
	struct coap_option option;

	path->count = 0;
	coap_option_iter_init(&iter, body);
	while (coap_option_next(&iter, &option))
		if (option.number == COAP_OPT_URI_PATH && !dp_path_add(path, &option))
			return false;
	return true;
}

// `segments` is NULL if all are short. Inlined, so that the look-up of short segments is one that
// knows no others.
static inline __attribute__((always_inline)) int route_find(const struct dp_route_index *index,
	const struct dp_segment_key *keys, const struct dp_segment *segments, unsigned count,
	uint8_t method)
{
	// Nodes still to be visited, one at most was left behind for each segment.
	struct {
		uint32_t node;
		unsigned depth;
	} visit[DP_PATH_MAX];
	unsigned n = 0, depth = 0;
	bool known = method != COAP_EMPTY && method < METHODS;
	unsigned column = known ? method : COAP_EMPTY;
	uint64_t best = NONE; // of 32 bits the compiler makes a vector, and waits for its stores
	bool some = false;
	uint32_t at = 0;

	for (;;) {
		const struct route_node *node = &index->node[at];
		uint32_t next = NONE;

		if (node->least < best) {
			const struct route_ends *ends = depth == count ? &node->here : &node->rest;

			some |= ends->least[COAP_EMPTY] != NONE;
			if (ends->least[column] < best)
				best = ends->least[column];
			if (depth < count) {
				const struct dp_segment *segment =
					segments ? &segments[depth] : NULL;

				next = edge_find(index, at, &keys[depth], segment)->to;
				depth++;
				if (next == NONE) {
					next = node->any;
				} else if (node->any != NONE) {
					visit[n].node = node->any;
					visit[n++].depth = depth;
				}
			}
		}
		if (next == NONE) {
			if (!n)
				break;
			next = visit[--n].node;
			depth = visit[n].depth;
		}
		at = next;
	}
	if (best != NONE && known)
		return (int)best;
	return some ? DP_ROUTE_METHOD : DP_ROUTE_NONE;
}

int dp_route_find(const struct dp_route_index *index, const struct dp_path *path, uint8_t method)
{
	struct dp_segment_key keys[DP_PATH_MAX];

	for (unsigned i = 0; i < path->count; i++)
		keys[i] = segment_key(&path->segment[i]);
	return route_find(index, keys, path->segment, path->count, method);
}

int dp_route_find_short(const struct dp_route_index *index, const struct dp_segment_key *path,
	unsigned count, uint8_t method)
{
	return route_find(index, path, NULL, count, method);
}
