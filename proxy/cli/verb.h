/* Looks into the table of verbs: what main.c dispatches on and `sidelock help` prints. */
#ifndef SIDELOCK_CLI_VERB_H
#define SIDELOCK_CLI_VERB_H

#include <stddef.h>

struct verb {
    const char *name;
    int (*run)(int argc, char **argv);
    const char *usage;   /* after "sidelock "; NULL: a verb that is not shown to people */
    const char *summary; /* one phrase */
    const char *help;    /* the rest of `sidelock help VERB` */
};

/* From now on this is the table; it ends with a verb without a name. */
void verb_use(const struct verb *table);
/* The verb called `name`, or NULL. */
const struct verb *verb_find(const char *name);
/* The verb at an index, in the order of the help page; NULL beyond the last. */
const struct verb *verb_at(size_t index);

#endif
