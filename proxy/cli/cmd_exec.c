/*
 * `sidelock exec`: a command of the operator's, by his own process, in the private network of a
 * service: the gate hands out the network (setns(2)) and starts nothing. Called by its row in
 * verbs.c.
 */
#include "cli/cmd.h"
#include "cli/gate.h"
#include "cli/terminal/args.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/nsfs.h>
#include <sched.h>
#include <stdbool.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sysexits.h>
#include <unistd.h>

/* As shells and env(1) say it. */
#define EXIT_NOT_EXECUTABLE 126
#define EXIT_NOT_FOUND      127

/* An ordinary user's lies in a user namespace of his, in which he is himself. */
static bool enter(int network)
{
    int owner;

    if (setns(network, CLONE_NEWNET) == 0)
        return true;
    owner = errno == EPERM ? ioctl(network, NS_GET_USERNS) : -1;
    return owner >= 0 && setns(owner, CLONE_NEWUSER) == 0 && setns(network, CLONE_NEWNET) == 0 &&
           close(owner) == 0;
}

static int run(int network, char **command)
{
    if (network < 0)
        return args_fail(EX_PROTOCOL, "the answer of the running Sidelock brings no network");
    if (!enter(network))
        return args_fail(EX_NOPERM,
                         "the service's network cannot be entered (%s): run this as the user who "
                         "runs Sidelock, or as root",
                         strerror(errno));
    close(network);
    execvp(command[0], command);
    return args_fail(errno == ENOENT ? EXIT_NOT_FOUND : EXIT_NOT_EXECUTABLE, "%s: %s", command[0],
                     strerror(errno));
}

/* What stands before `--` is ours, what follows is the command. */
int cmd_exec(int argc, char **argv)
{
    int network = -1, ours = 1, code;
    struct gate gate = {.descriptor = &network};
    const struct args_option options[] = {GATE_OPTIONS(gate)};
    struct args args;

    while (ours < argc && strcmp(argv[ours], "--") != 0)
        ours++;
    code = args_parse(ours, argv, ARGS_TABLE(options), 1, 1, &args);
    if (code == EX_OK && ours + 1 >= argc)
        code = args_usage("exec", "after `--` comes the command that is to be run");
    if (code == EX_OK)
        code = args_name(args.operands[0], "the name of a surface");
    if (code == EX_OK)
        code = gate_ask(&gate, "POST", NULL, NULL, "/v1/surfaces/%s/enter", args.operands[0]);
    return code == EX_OK ? run(network, argv + ours + 1) : code;
}
