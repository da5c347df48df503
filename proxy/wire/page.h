/*
 * The pages that a person may see: a denial, login, logout. Each is one
 * document without any other resource; its style and script are in it and named
 * by their hashes in a Content-Security-Policy that permits nothing else. The
 * texts are in wire/pages and compiled in.
 */
#pragma once

#include "base/buffer.h"

#define PAGE_BYTES_MAX (12 * 1024) /* of a document */

enum page { PAGE_DENIAL = 0, PAGE_LOGIN, PAGE_LOGOUT };

/* What stands for {name} in a page. */
struct page_value {
    const char *name;
    const char *text; /* any bytes; escaped for HTML */
};

/* Appends the document. The buffer fails if the page names a value that is not given. */
void page_write(enum page page, const char *title, const struct page_value *values, size_t count,
                struct buffer *out);
/* Appends the header lines that go with it, from Content-Type on, without Content-Length. */
void page_write_headers(enum page page, struct buffer *out);
