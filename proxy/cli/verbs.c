/* The table of every verb. main.c dispatches on it, cmd_help.c prints it. */
#include "cli/cmd.h"
#include "cli/help.h"

#include <string.h>

/* The pages are help/VERB.txt. */
const struct verb verbs[] = {
    {"init", cmd_init, help_init_txt, "make a configuration to begin with"},
    {"add", cmd_add, help_add_txt, "write a surface into the configuration"},
    {"rm", cmd_rm, help_rm_txt, "take a surface out of the configuration"},
    {"serve", cmd_serve, help_serve_txt, "run the gate in the foreground"},
    {"check", cmd_check, help_check_txt, "validate the configuration"},
    {"doctor", cmd_doctor, help_doctor_txt, "what is wrong here, and what to do about it"},
    {"params", cmd_params, help_params_txt, "keep parameter records"},
    {"session", cmd_session, help_session_txt, "make, list and revoke sessions"},
    {"open", cmd_open, help_open_txt, "log a browser in"},
    {"connect", cmd_connect, help_connect_txt, "carry MCP over stdio through the gate"},
    {"wrap", cmd_wrap, help_wrap_txt, "run one server behind a gate, without a configuration"},
    {"exec", cmd_exec, help_exec_txt, "run a command in the private network of a service"},
    {"kill", cmd_kill, help_kill_txt, "throw a surface's kill switch"},
    {"arm", cmd_arm, help_arm_txt, "undo the kill switch"},
    {"restart", cmd_restart, help_restart_txt,
     "end a service that Sidelock started, and start it again"},
    {"status", cmd_status, help_status_txt, "surfaces, sessions, connections, counters"},
    {"health", cmd_health, help_health_txt, "whether the gate is up, by the exit code"},
    {"vet", cmd_vet, help_vet_txt, "vet messages from standard input"},
    {"explain", cmd_explain, help_explain_txt, "which rule would admit or deny a request"},
    {"audit", cmd_audit, help_audit_txt, "check the audit log, and follow it"},
    {"register", cmd_register, help_register_txt, "the loopback exception register"},
    {"reload", cmd_reload, help_reload_txt, "read the configuration and certificates again"},
    {"certs", cmd_certs, help_certs_txt,
     "a local authority and a certificate for the loopback names"},
    {"help", NULL, help_help_txt, "list the verbs, or say what one takes"},
    {"broker", cmd_broker, NULL, NULL},
    {"launcher", cmd_launcher, NULL, NULL},
    {"worker", cmd_worker, NULL, NULL},
    {NULL, NULL, NULL, NULL},
};

const struct verb *verbs_find(const char *name)
{
    for (const struct verb *verb = verbs; verb->name != NULL; verb++) {
        if (strcmp(verb->name, name) == 0)
            return verb;
    }
    return NULL;
}
