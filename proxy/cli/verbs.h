/* Looks into the table of verbs: what main.c dispatches on and `sidelock help` prints. */
#ifndef SIDELOCK_CLI_VERBS_H
#define SIDELOCK_CLI_VERBS_H

#include <stddef.h>

struct verb {
    const char *name;
    int (*run)(int argc, char **argv);
    const char *usage;   /* after "sidelock "; NULL: a verb that is not shown to people */
    const char *summary; /* one phrase */
    const char *help;    /* the rest of `sidelock help VERB` */
};

/* From now on this is the table; it ends with a verb without a name. */
void verbs_use(const struct verb *table);
/* The verb called `name`, or NULL. */
const struct verb *verbs_find(const char *name);
/* The verb at an index, in the order of the help page; NULL beyond the last. */
const struct verb *verbs_at(size_t index);

#endif
