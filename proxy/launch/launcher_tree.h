/* The tree behind the handle: what launcher.c, which starts trees, and tree.c share. */
#pragma once

#include "launch/launcher.h"

#include <stdbool.h>

struct tree_list {
    struct tree *first;
    size_t count;
};

struct tree {
    struct tree_list *list; /* that it is in */
    struct tree *next;
    uint32_t number;
    struct tree_events events;
    void *data;
    uv_poll_t channel_poll, pidfd_poll;
    int channel, pidfd; /* -1: not, or not yet */
    unsigned holders;   /* its handles that are not closed yet, and its end that is to come */
    bool killed, ended;
    int status;
    char why[WHY_SIZE];
    uint32_t asked; /* the number of the last question */
    struct {
        uint32_t number;
        tree_dialed *done;
        void *data;
    } dials[TREE_DIALS_MAX];
    size_t dial_count;
};

/* Of the parent's end of the keeper's channel, which becomes the tree's. */
enum error tree_create(uv_loop_t *loop, const struct tree_options *options, int channel,
                       struct tree **out) MUST_CHECK;

void tree_list_add(struct tree_list *list, struct tree *tree);

/* The spawner has made it, or could not: an errno. */
void tree_made(struct tree *tree, int pidfd);
void tree_never_made(struct tree *tree, int error);

/* Nothing of it is left, or nothing ever was. Frees it once the loop lets go. */
void tree_end(struct tree *tree);

/* It is killed, and no callback comes any more. */
void tree_forget(struct tree *tree);
