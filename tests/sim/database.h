// SPDX-License-Identifier: BSD-3-Clause
// What SQLite says of the store's database on the simulated disk.

#ifndef POSTERN_TESTS_SIM_DATABASE_H
#define POSTERN_TESTS_SIM_DATABASE_H

// Ends the schedule if its tables and indexes do not fit each other. No transaction is under way.
void database_check(void);

#endif
