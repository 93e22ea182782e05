// SPDX-License-Identifier: BSD-3-Clause
// Opens standard input, output and error if the program was started without them.

#ifndef POSTERN_GW_OS_STANDARD_FDS_H
#define POSTERN_GW_OS_STANDARD_FDS_H

// Opens something for each of the descriptors 0 to 2 that is closed, so that no file or socket of
// ours gets that number and with it the output for a reader. Reading from 0 and writing to 1 and 2
// still fails, as with a closed descriptor. main() calls it first. Returns 0 or -errno.
int standard_fds_take(void) __attribute__((warn_unused_result));

#endif
