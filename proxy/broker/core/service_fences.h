/* Which fences are in force around the service of a surface that is launched, and its launcher. */
#pragma once

#include "broker/core/surfaces.h"

/*
 * FENCED of what runs there now, on a kernel with this version of Landlock; NULL: of no service
 * that the launcher was asked for. The descriptor is taken over. ERROR_SYNTAX: no launcher says
 * that.
 */
enum error service_fences_take(struct surface_state *surface, const struct errand *errand, int fd,
                               unsigned landlock) MUST_CHECK;

/* PROOF of the launcher itself, once; the same otherwise. */
enum error service_fences_take_launcher(struct proven *launcher, const struct errand *errand,
                                        int fd) MUST_CHECK;

/* Asks the kernel. False: nothing runs, or nothing is known of it. */
bool service_fences_judge(const struct surface_state *surface, struct proof_found *out);
