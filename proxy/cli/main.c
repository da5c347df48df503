/* Finds the verb and runs it. */
#include "cli/cmd.h"
#include "cli/terminal/args.h"

#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#ifdef SIDELOCK_SANITIZE
/* Workers have no environment to take options from; their memory is measured. */
const char *__asan_default_options(void);

const char *__asan_default_options(void)
{
    return "quarantine_size_mb=4";
}
#endif

/* Errors would be written into a file that is opened as descriptor 2: none of 0 to 2 is free. */
static bool keep_standard_descriptors(void)
{
    for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++) {
        if (fcntl(fd, F_GETFD) < 0 && open("/dev/null", O_RDWR) != fd)
            return false;
    }
    return true;
}

int main(int argc, char **argv)
{
    static char help_name[] = "help";
    char *help[] = {help_name, NULL};
    const struct verb *verb;

    if (!keep_standard_descriptors())
        return EX_OSERR;
    if (argc < 2) {
        cmd_help(1, help);
        return EX_USAGE;
    }
    if (strcmp(argv[1], "--version") == 0) {
        puts("sidelock " SIDELOCK_VERSION);
        return EX_OK;
    }
    if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0)
        return cmd_help(1, help);
    verb = verbs_find(argv[1]);
    if (verb == NULL)
        return args_fail(EX_USAGE, "there is no verb %s; `sidelock help` lists them", argv[1]);
    return (verb->run != NULL ? verb->run : cmd_help)(argc - 1, argv + 1);
}
