/*
 * The certificates of the surfaces that speak TLS: read from their files at
 * start and when asked to, held in memory for workers that are started later.
 */
#ifndef SIDELOCK_BROKER_CERTIFICATES_H
#define SIDELOCK_BROKER_CERTIFICATES_H

#include "broker/broker.h"
#include "system/tls_files.h"

/*
 * Reads every surface's files. What is found is kept only if all of it is fit;
 * else ERROR_INVALID, one sentence in `why`, and everything stays as it was.
 */
enum error certificates_load(struct broker *broker, char *why, size_t why_size) MUST_CHECK;
/* Wipes what is held. */
void certificates_clear(struct broker *broker);

#endif
