// SPDX-License-Identifier: BSD-3-Clause
// The page as it is served: make.py puts page.html, page.css and page.js into one file at build
// time.

#ifndef POSTERN_GW_WEB_PAGE_PAGE_H
#define POSTERN_GW_WEB_PAGE_PAGE_H

#include <stddef.h>

extern const char web_page_html[];
extern const size_t web_page_len;
// Its Content-Security-Policy: nothing but its own script and style, named by their hashes, and
// requests to where it came from.
extern const char web_page_policy[];

#endif
