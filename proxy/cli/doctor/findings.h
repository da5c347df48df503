/* What `sidelock doctor` has found, in the order in which it is shown. */
#pragma once

#include "base/error.h"

#include <stdbool.h>

struct json_t; /* jansson's */

enum finding_state {
    FINDING_OK,
    FINDING_WARN, /* worth knowing; what is configured works all the same */
    FINDING_FAIL  /* what is configured cannot work so */
};

/* All are borrowed for the time of the call; area and name are published, as keys are. */
struct finding {
    const char *area, *name; /* "machine", "landlock" */
    const char *remedy;      /* what to do; NULL or "": nothing */
    enum finding_state state;
};

struct findings {
    struct json_t *list;
    bool failed; /* one of them is FINDING_FAIL */
    bool whole;  /* false: there was no memory for all */
};

void findings_init(struct findings *findings);
void findings_clear(struct findings *findings);
/* With one sentence, which ends with what it says and no stop. */
void findings_add(struct findings *findings, const struct finding *finding, const char *format, ...)
    PRINTF_LIKE(3, 4);
/* For people: a row each, below the areas. The exit code: 0, 1 with one that fails, or 71. */
int findings_print(const struct findings *findings);
/* The same as one document, with which configuration (NULL: none) was looked at. */
int findings_print_json(const struct findings *findings, const char *configuration);
