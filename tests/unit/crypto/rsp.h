// SPDX-License-Identifier: BSD-3-Clause
// Reads the vector files of Debian's python3-cryptography-vectors: NIST's .rsp files and those
// that look like them.

#ifndef POSTERN_TESTS_UNIT_CRYPTO_RSP_H
#define POSTERN_TESTS_UNIT_CRYPTO_RSP_H

#include <stdbool.h>

struct rsp;

// Opens a file below the package's folder; asserts that it is there.
struct rsp *rsp_open(const char *path);
void rsp_close(struct rsp *rsp);
// Goes to the next record, which starts at "Count"; false at the end of the file.
bool rsp_next(struct rsp *rsp);
// A value of the record, or of the section it stands in, in hex where the file has a quoted
// string; NULL if neither has it. "" for a name alone on its line. Names are compared without
// case. Valid until rsp_next().
const char *rsp_get(const struct rsp *rsp, const char *name);
// The same as a number; asserts that it is there.
int rsp_number(const struct rsp *rsp, const char *name);

#endif
