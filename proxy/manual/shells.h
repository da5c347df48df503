/* What shells offer at a command line, of the tables that read it: lists for shells/. */
#pragma once

#include <stdio.h>

void bash_values_list(FILE *out);  /* what each option takes */
void bash_calls_list(FILE *out);   /* what may follow a verb and its action */
void bash_actions_list(FILE *out); /* the actions of each verb that has some */
void bash_verbs_list(FILE *out);   /* the verbs, and those behind which a command follows */
void zsh_verbs_list(FILE *out);
void zsh_calls_list(FILE *out);
void fish_verbs_list(FILE *out);
void fish_calls_list(FILE *out);

/* "md|json" with spaces in the place of its bars. */
void shell_words(FILE *out, const char *words);
/* A text within single quotes; `escaped` are bytes that mean something to whom they are for. */
void shell_quoted(FILE *out, const char *text, const char *escaped);
