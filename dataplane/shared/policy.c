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

// Which routes match here: the least number of those that take a method.
struct route_ends {
	bool some; // also if none of its methods is asked for
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
	struct dp_segment segment;
};

struct dp_route_index {
	struct keyed_hash hash;  // devices choose segments
	struct route_edge *edge; // [edge_mask + 1]
	uint32_t edge_mask;
	uint32_t node_count;
	struct route_node *node; // the first is the root
};

// The place of an edge, or the empty place where it would be.
static struct route_edge *edge_find(
	const struct dp_route_index *index, uint32_t from, const struct dp_segment *segment)
{
	uint64_t hash = keyed_hash(&index->hash, segment->text, segment->len);
	uint32_t at = hash + from * UINT32_C(0x9e3779b1);

	for (;; at++) {
		struct route_edge *edge = &index->edge[at & index->edge_mask];

		if (edge->to == NONE ||
			(edge->from == from && edge->segment.len == segment->len &&
				!memcmp(edge->segment.text, segment->text, segment->len)))
			return edge;
	}
}

static void ends_init(struct route_ends *ends)
{
	ends->some = false;
	for (unsigned i = 0; i < METHODS; i++)
		ends->least[i] = NONE;
}

static void ends_add(struct route_ends *ends, uint32_t number, uint8_t methods)
{
	ends->some = true;
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
		struct route_edge *edge = edge_find(index, at, segment);

		if (edge->to == NONE)
			*edge = (struct route_edge){
				.from = at, .to = node_add(index, number), .segment = *segment};
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
	index->edge = calloc(index->edge_mask + (size_t)1, sizeof(*index->edge));
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

int dp_route_find(const struct dp_route_index *index, const struct dp_path *path, uint8_t method)
{
	// Nodes still to be visited. One was left behind for each segment at most, and the next.
	struct {
		uint32_t node;
		unsigned depth;
	} visit[DP_PATH_MAX + 2];
	unsigned n = 0;
	uint32_t best = NONE;
	bool some = false;

	visit[n].node = 0;
	visit[n++].depth = 0;
	while (n) {
		uint32_t at = visit[--n].node;
		unsigned depth = visit[n].depth;
		const struct route_node *node = &index->node[at];

		if (node->least >= best)
			continue;
		const struct route_ends *ends = depth == path->count ? &node->here : &node->rest;

		some |= ends->some;
		if (method < METHODS && ends->least[method] < best)
			best = ends->least[method];
		if (depth == path->count)
			continue;
		if (node->any != NONE) {
			visit[n].node = node->any;
			visit[n++].depth = depth + 1;
		}
		const struct route_edge *edge = edge_find(index, at, &path->segment[depth]);

		if (edge->to != NONE) {
			visit[n].node = edge->to;
			visit[n++].depth = depth + 1;
		}
	}
	if (best != NONE)
		return (int)best;
	return some ? DP_ROUTE_METHOD : DP_ROUTE_NONE;
}
