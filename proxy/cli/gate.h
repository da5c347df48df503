/*
 * The running gate: talks to Sidelock: one HTTP/1.1 request over its control socket,
 * one answer. Blocking, but neither the call nor the whole answer takes longer than a deadline.
 */
#pragma once

#include "base/buffer.h"
#include "base/text.h"

#include <sys/un.h>

struct json_t; /* jansson's */

#define GATE_DEADLINE_S       10
#define GATE_ANSWER_BYTES_MAX (20 * 1024 * 1024)
#define GATE_PATH_BYTES_MAX   512
#define GATE_REASON_SIZE      64
#define GATE_CURSOR_BYTES_MAX 256
#define GATE_LIST_BYTES_MAX   (1024 * 1024 * 1024)

/* Where Sidelock answers, and how what it answers is to be printed. */
struct gate {
    const char *control;                                       /* --control PATH */
    const char *config;                                        /* -c FILE */
    bool json;                                                 /* --json */
    char path[sizeof(((struct sockaddr_un *)NULL)->sun_path)]; /* "": not found yet */
    unsigned deadline_s;                                       /* 0: GATE_DEADLINE_S */
    bool quiet;                                                /* say nothing of what goes wrong */
    int *
        descriptor; /* for the one that comes with an answer, the caller's, or -1; NULL: none may */
    char *reason;   /* GATE_REASON_SIZE for the code in a refusal; NULL: of no interest */
};

/* The options of every verb that asks the running gate: rows of a table of options. */
#define GATE_OPTIONS(gate)                                                                         \
    {.name = "-c", .takes = "FILE", .about = "the configuration", .value = &(gate).config},        \
    {                                                                                              \
        .name = "--control", .takes = "PATH", .about = "the control socket of a running Sidelock", \
        .value = &(gate).control                                                                   \
    }
#define GATE_OPTIONS_JSON(gate)                                                                    \
    GATE_OPTIONS(gate),                                                                            \
    {                                                                                              \
        .name = "--json", .about = "JSON in the place of text", .flag = &(gate).json               \
    }

/*
 * Finds the control socket, unless it has been: --control, else -c, else $SIDELOCK_CONTROL, else
 * the default configuration. Returns EX_OK, or an exit code after saying why.
 */
int gate_open(struct gate *gate);
/* Whether a process listens at the socket that was found, even if it lets nobody in. */
bool gate_answers(const struct gate *gate);

/*
 * One request; finds the control socket first if need be. EX_OK with the answer's body (the
 * caller initialises, and wipes it if it may hold a secret), or after one sentence on stderr: 69
 * nothing answers, 77 not permitted, 65 not acceptable or about something that is not there, 70 the
 * gate failed.
 */
int gate_call(struct gate *gate, const char *method, const char *path, struct span body,
              struct buffer *answer);

/*
 * The same for a request of JSON (taken over; NULL: none), an answer of JSON (the caller's; NULL:
 * of no interest) and a path as by printf.
 */
int gate_ask(struct gate *gate, const char *method, struct json_t *body, struct json_t **answer,
             const char *path, ...) PRINTF_LIKE(5, 6);
/* Asks and prints the answer: with --json as it came, else by `print` (NULL: not at all). */
int gate_show(struct gate *gate, const char *method, struct json_t *body,
              int (*print)(const struct json_t *answer), const char *path, ...) PRINTF_LIKE(5, 6);
/* The same for a list that comes in pages, of which `member` is the array: printed as one. */
int gate_list(struct gate *gate, const char *path, const char *member,
              int (*print)(const struct json_t *answer));
/* Prints an answer of gate_call in the same way. */
int gate_print(const struct gate *gate, const struct buffer *answer,
               int (*print)(const struct json_t *answer));
/* Prints the text that one member of an answer is, for a `print` above. */
int gate_print_member(const struct json_t *answer, const char *name);
