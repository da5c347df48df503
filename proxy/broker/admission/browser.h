/*
 * The gate's own paths (policy/own_path.h): a login code becomes a cookie, a
 * session a ticket, a log-out the end of the session. The worker has the pages.
 */
#ifndef SIDELOCK_BROKER_ADMISSION_BROWSER_H
#define SIDELOCK_BROKER_ADMISSION_BROWSER_H

#include "broker/admission/question.h"

/* Does what an admitted request to one of them asks, and answers. */
void browser_answer(struct question *question);

#endif
