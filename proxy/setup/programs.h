/*
 * What a service may execute, and where its code comes from: its own program and those that the
 * configuration names, each with what the kernel starts in its place or beside it (the interpreter
 * behind "#!", and that one's; the loader that an ELF program names), as paths without links.
 */
#pragma once

#include "config/config.h"
#include "setup/program.h"

struct programs {
    struct text_list executables;
    struct text_list libraries; /* directories: `lib` beside the `bin` of each, and those named */
    struct text_list ways;      /* to all of these, as they are named, links and all */
    bool looked_up;             /* one of them is what PATH had for a name */
};

/* `program` is what the service is started with; NULL: that is not known yet. ERROR_INVALID with a
 * fault. */
enum error programs_find(const struct surface_command *from, const char *program,
                         const struct environment *environment, struct programs *out,
                         struct service_fault *fault) MUST_CHECK;
/* Adds the ways that the configuration names, whatever is there. */
enum error programs_name(const struct surface_command *from, struct programs *out) MUST_CHECK;
void programs_clear(struct programs *programs);
