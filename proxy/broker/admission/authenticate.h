/* Who asks: the credential, the session behind it and the record that the session names. */
#pragma once

#include "broker/admission/question.h"

/* What the steps ask the broker: its keys, store and files. Their context is a question.
 */
extern const struct steps_asks authenticate_asks;

/* The record that the session names, as it is now and with what it names still permitted. */
enum reason authenticate_record(struct question *question);
/* Asks again what may have changed since: while the service was being asked, or since the grant. */
enum reason authenticate_again(const struct question *question);
/* A token that was in a URL is in histories and logs by now: its session is revoked, and named. */
void authenticate_revoke_leaked(struct gate *gate, const char *token, char session[TOKEN_ID_SIZE]);
