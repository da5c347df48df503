/* The files that "tls" names, as faults of the configuration that names them. */
#ifndef SIDELOCK_CLI_CONFIG_TLS_H
#define SIDELOCK_CLI_CONFIG_TLS_H

#include "cli/config_file.h"

/* Adds a fault for each surface whose files cannot be served with. EX_OK or EX_CONFIG. */
int config_tls_check(const struct config_bundle *bundle, struct json_faults *faults) MUST_CHECK;

#endif
