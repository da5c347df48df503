/*
 * The terminals of one tree: a devpts of its own, so that it finds none of the operator's, which
 * its user could listen to and type at. One that it was handed stays what it is, and is named
 * /dev/console, where ttyname(3) finds it and programs that open theirs anew do. What has that
 * name in a container, and was not handed over, is /dev/null.
 */
#pragma once

#include "base/error.h"

#include <stddef.h>

/* In the tree's mount namespace; `given` are descriptors, -1 among them. ERROR_IO: errno. */
enum error terminals_make(const int *given, size_t count) MUST_CHECK;
