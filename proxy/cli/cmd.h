/*
 * Every verb of the program. argv[0] is the verb itself; the result is the exit
 * code (sysexits). One file each: cmd_VERB.c.
 */
#pragma once

int cmd_init(int argc, char **argv);
int cmd_add(int argc, char **argv);
int cmd_rm(int argc, char **argv);
int cmd_serve(int argc, char **argv);
int cmd_broker(int argc,
               char **argv); /* this and the next are what `serve` starts; not for people */
int cmd_launcher(int argc, char **argv);
int cmd_worker(int argc, char **argv);
int cmd_check(int argc, char **argv);
int cmd_doctor(int argc, char **argv);
int cmd_params(int argc, char **argv);
int cmd_session(int argc, char **argv);
int cmd_open(int argc, char **argv);
int cmd_connect(int argc, char **argv);
int cmd_exec(int argc, char **argv);
int cmd_wrap(int argc, char **argv);
int cmd_kill(int argc, char **argv);
int cmd_arm(int argc, char **argv);
int cmd_restart(int argc, char **argv);
int cmd_health(int argc, char **argv);
int cmd_status(int argc, char **argv);
int cmd_vet(int argc, char **argv);
int cmd_explain(int argc, char **argv);
int cmd_audit(int argc, char **argv);
int cmd_register(int argc, char **argv);
int cmd_reload(int argc, char **argv);
int cmd_certs(int argc, char **argv);
int cmd_help(int argc, char **argv);

/* Every verb: what main.c dispatches on and `sidelock help` prints. */
struct verb {
    const char *name;
    int (*run)(int argc, char **argv); /* NULL: cmd_help(), which reads this table */
    const char *page;                  /* all of `sidelock help VERB`; NULL: not for people */
    const char *summary;               /* one phrase */
};

extern const struct verb verbs[]; /* in the order of the help page; the last has no name */

/* The verb called `name`, or NULL. */
const struct verb *verbs_find(const char *name);
