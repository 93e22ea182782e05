// SPDX-License-Identifier: BSD-3-Clause
// Streams of events (text/event-stream) that a service sends for as long as somebody observes: each
// event of the wanted type is the representation that is there from now on. A stream is of one
// entry, on a connection of its own, and is asked for with the entry's path and query. It comes
// back by itself, with Last-Event-ID, after pauses that grow.
//
// Streams say nothing about the health of a server, for or against. They end when the loop stops
// and begin again with each configuration. Private to the loop.

#ifndef POSTERN_GW_UPSTREAM_STREAM_H
#define POSTERN_GW_UPSTREAM_STREAM_H

#include "gw/upstream/cache.h"

// An observed entry, or one whose last observer is gone: begins its stream, moves it to another
// server, or ends it.
void up_stream_follow(struct up_loop *loop, struct up_cache_entry *entry, bool observed);

// Opens what is due, and ends what no entry has any more.
void up_streams_turn(struct up_loop *loop);
// When that has something to do; UINT64_MAX: nothing.
uint64_t up_streams_next_ms(const struct up_loop *loop);
// Another configuration comes: all of them begin again with it.
void up_streams_again(struct up_loop *loop);
// Ends all of them, for good.
void up_streams_stop(struct up_loop *loop);

#endif
