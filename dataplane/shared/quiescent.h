// SPDX-License-Identifier: BSD-3-Clause
// Whether workers have left what somebody took away.

#ifndef POSTERN_DATAPLANE_SHARED_QUIESCENT_H
#define POSTERN_DATAPLANE_SHARED_QUIESCENT_H

#include <rte_rcu_qsbr.h>

#include <stdbool.h>

// Whether each worker has been quiescent since the token was taken. Main and each loop look at the
// workers themselves: rte_rcu_qsbr_check() believes what any other thread has found, by a word that
// is read without synchronizing with the workers.
static inline bool dp_quiescent_since(struct rte_rcu_qsbr *qsbr, uint64_t token)
{
	if (qsbr->num_threads == qsbr->max_threads)
		return __rte_rcu_qsbr_check_all(qsbr, token, false) == 1;
	return __rte_rcu_qsbr_check_selective(qsbr, token, false) == 1;
}

#endif
