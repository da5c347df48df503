/* A parameter record as the command of a stdio service: the launcher's own judgement, whoever asks.
 */
#include "setup/record.h"

#include "config/load.h"
#include "unit.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static struct config *config;

static enum error read_text(const char *text, struct recorded *out, char why[WHY_SIZE])
{
    int fd = memfd_create("record", MFD_CLOEXEC);
    enum error error;

    why[0] = '\0';
    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, strlen(text)), strlen(text));
    error = record_read(config, fd, out, why);
    close(fd);
    return error;
}

static void refuse(const char *text, const char *sentence)
{
    struct recorded recorded;
    char why[WHY_SIZE];

    assert_int_not_equal(read_text(text, &recorded, why), OK);
    if (strstr(why, sentence) == NULL)
        fail_msg("\"%s\" is not in \"%s\"", sentence, why);
    assert_int_equal(recorded.command.argument_count, 0);
}

TEST(test_what_it_says)
{
    struct recorded recorded;
    const struct surface_command *command = &recorded.command;
    char why[WHY_SIZE];

    assert_int_equal(read_text("{\"type\":\"StdioServerParams\",\"command\":\"/bin/cat\","
                               "\"args\":[\"-n\",\"\"],\"env\":{\"A\":\"b=c\"},\"cwd\":\"/usr\"}",
                               &recorded, why),
                     OK);
    assert_int_equal(command->argument_count, 3);
    assert_string_equal(command->arguments[0], "/bin/cat");
    assert_string_equal(command->arguments[1], "-n");
    assert_string_equal(command->arguments[2], "");
    assert_int_equal(command->variable_count, 1);
    assert_string_equal(command->variables[0].name, "A");
    assert_string_equal(command->variables[0].value, "b=c");
    assert_string_equal(command->directory, "/usr");
    record_clear(&recorded);
    assert_int_equal(
        read_text("{\"command\":\"/bin/cat\",\"env\":null,\"cwd\":null}", &recorded, why), OK);
    assert_int_equal(command->argument_count, 1);
    assert_null(command->directory);
    record_clear(&recorded);
}

TEST(test_what_may_not_be)
{
    refuse("{\"command\":\"/bin/sh\"}", "is not one of \"executables\"");
    refuse("{\"command\":\"cat\"}", "must be an absolute path");
    refuse("{\"command\":\"/bin/cat\",\"args\":[\"--other\"]}", "matches no pattern");
    refuse("{\"command\":\"/bin/cat\",\"env\":{\"LD_PRELOAD\":\"/tmp/x.so\"}}", "LD_PRELOAD");
    refuse("{\"command\":\"/bin/cat\",\"args\":[1]}", "");
    refuse("{\"command\":\"/bin/cat\",\"cwd\":\"tmp\"}", "\"cwd\"");
    refuse("{\"args\":[]}", "must have a \"command\"");
    refuse("{\"command\":\"/bin/cat\"", "no record");
    refuse("", "no record");
}

static int begin(void **state)
{
    (void)state;
    static const char text[] =
        "{\"state_dir\":\"/nowhere\",\"executables\":[{\"path\":\"/bin/"
        "cat\",\"args\":[\"(-n)?\"]}],"
        "\"surfaces\":{\"one\":{\"listen\":[\"localhost:1\"],\"upstream\":{\"stdio\":true},"
        "\"dialect\":\"mcp\"}}}";
    static struct json_faults faults;

    return config_load(text, strlen(text), NULL, 0, getuid(), &config, &faults) == OK ? 0 : -1;
}

static int end(void **state)
{
    (void)state;
    config_destroy(config);
    return 0;
}

CMFixtureFunction unit_set_up = begin, unit_tear_down = end;
