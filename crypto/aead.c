// SPDX-License-Identifier: BSD-3-Clause

#include "crypto/aead.h"
