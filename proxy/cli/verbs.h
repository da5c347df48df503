/* Every verb: what main.c dispatches on and `sidelock help` prints. */
#pragma once

struct verb {
    const char *name;
    int (*run)(int argc, char **argv); /* NULL: cmd_help(), which reads this table */
    const char *page;                  /* all of `sidelock help VERB`; NULL: not for people */
    const char *summary;               /* one phrase */
};

extern const struct verb verbs[]; /* in the order of the help page; the last has no name */

/* The verb called `name`, or NULL. */
const struct verb *verbs_find(const char *name);
