/* One for each call that is asked, a file each. They answer. */
#pragma once

#include "launch/calls/file_calls.h"
#include "launch/calls/question.h"
#include "launch/calls/state.h"

void call_bind(struct calls *calls, const struct question *question);
void call_listen(struct calls *calls, const struct question *question);
void call_connect(struct calls *calls, const struct question *question);
void call_execute(struct calls *calls, const struct question *question);
/* It was judged. */
void call_execute_ended(struct calls *calls, const struct deed_row *row, int error);
void call_map(struct calls *calls, const struct question *question);
void call_socket(struct calls *calls, const struct question *question);
void call_pair(struct calls *calls, const struct question *question);
void call_memfd(struct calls *calls, const struct question *question);
void call_file(struct calls *calls, const struct question *question, const struct file_call *call);
