// SPDX-License-Identifier: BSD-3-Clause
// Standard input, output and error of a program that was started without them.

#ifndef POSTERN_GW_OS_STANDARD_FDS_H
#define POSTERN_GW_OS_STANDARD_FDS_H

// Takes the numbers 0 to 2 that nobody has, so that no file or socket of ours gets one and is
// written what is meant for a reader. Reading the first and writing the others fails, as before.
// The first that main() does. Returns 0 or -errno.
int standard_fds_take(void) __attribute__((warn_unused_result));

#endif
