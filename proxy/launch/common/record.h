/*
 * What a tree does, told to whoever learns what it needs (`sidelock wrap --learn`): messages of
 * their own length over a SOCK_SEQPACKET pair, of which the keeper has one end. Paths are those
 * that the kernel has for what a call named: without links, from the root of the keeper's mounts.
 */
#pragma once

#include "base/error.h"

#include <limits.h>
#include <stddef.h>
#include <stdint.h>

enum record_kind {
    RECORD_NONE = 0,
    RECORD_EXECUTE,   /* a program is executed */
    RECORD_LOAD,      /* code is loaded of a file in this directory */
    RECORD_CHANGE,    /* a file or directory that is there is written or changed in place */
    RECORD_ENTRY,     /* something is made, removed or moved in this directory */
    RECORD_DIRECTORY, /* this directory is made */
    RECORD_SPAN,      /* something is moved or linked between two directories below this one */
    RECORD_CONNECT,   /* "127.0.0.1:5432/tcp", "@NAME" or the path of a Unix socket */
    RECORD_BIND,      /* `number`: a port that it asks for; the text as of the next */
    RECORD_LISTEN,    /* `number`: at which it listens; "tcp", "udp"; 0: the path of a socket */
    RECORD_LOST,      /* `number`: records that had no room, and are not told */
    RECORD_KIND_COUNT
};

struct record {
    uint32_t kind, number;
    char text[PATH_MAX]; /* of LOST "" */
};

#define RECORD_HEAD_BYTES offsetof(struct record, text)

/* As many bytes of it as are sent: its text with the NUL. */
size_t record_length(const struct record *record);
/* Reads one that came. ERROR_NOT_FOUND: nothing is there now; ERROR_STATE: nobody is left who would
 * send one; ERROR_SYNTAX: it is none, and is left out. */
enum error record_receive(int channel, struct record *out) MUST_CHECK;
