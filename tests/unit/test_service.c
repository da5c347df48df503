/* setup/service.c: what a launched service is started with. */
#include "setup/service.h"

#include "system/fence_kind.h"
#include "temporary.h"
#include "unit.h"

#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

static char path_of_ours[] = "PATH=/usr/bin:/bin", home_of_ours[] = "HOME=/home/us",
            secret_of_ours[] = "SECRET_OF_OURS=x",
            agent_of_ours[] = "SSH_AUTH_SOCK=/tmp/agent.sock",
            temporary_of_ours[] = "TMPDIR=/tmp/user/1000";
static char *ours[] = {path_of_ours,  home_of_ours,      secret_of_ours,
                       agent_of_ours, temporary_of_ours, NULL};

static const char *value_of(const struct service *service, const char *name)
{
    for (char **item = service->command.environment; *item != NULL; item++) {
        if (strncmp(*item, name, strlen(name)) == 0 && (*item)[strlen(name)] == '=')
            return *item + strlen(name) + 1;
    }
    return NULL;
}

static bool hides(const struct service *service, const char *path)
{
    for (char **at = service->command.hidden; *at != NULL; at++) {
        if (strcmp(*at, path) == 0)
            return true;
    }
    return false;
}

#define SKIPPED 77

static const char *neighbour; /* the upstream of another surface; NULL: there is none */

/* The rest of an upstream's members, behind its command. */
static enum error find(const char *members, struct service *out, struct service_fault *fault,
                       struct config_bundle *bundle)
{
    static struct json_faults faults;
    static char text[2048], beside[1024];

    snprintf(beside, sizeof(beside),
             ",\"other\":{\"listen\":[\"localhost:2\"],\"upstream\":%s,\"dialect\":\"mcp\"}",
             neighbour != NULL ? neighbour : "");
    snprintf(text, sizeof(text),
             "{\"state_dir\":\"/srv/state\",\"surfaces\":{\"a\":{\"listen\":[\"localhost:1\"],"
             "\"upstream\":{%s},\"dialect\":\"mcp\"}%s}}",
             members, neighbour != NULL ? beside : "");
    *bundle = (struct config_bundle){.path = NULL};
    assert_int_equal(config_load(text, strlen(text), NULL, 0, getuid(), &bundle->config, &faults),
                     OK);
    memset(fault, 0, sizeof(*fault));
    return service_find(bundle, &bundle->config->surfaces[0], ours, out, fault);
}

static void good(const char *members, struct service *out, struct config_bundle *bundle)
{
    struct service_fault fault = {{0}, {0}};

    if (find(members, out, &fault, bundle) != OK)
        fail_msg("%s: %s", fault.member, fault.text);
}

static void let_go(struct service *service, struct config_bundle *bundle)
{
    service_clear(service);
    config_destroy(bundle->config);
}

static void faulty(const char *members, const char *member, const char *words)
{
    struct service service = {.arguments = {0}};
    struct service_fault fault = {{0}, {0}};
    struct config_bundle bundle = {.path = NULL};

    assert_int_equal(find(members, &service, &fault, &bundle), ERROR_INVALID);
    assert_string_equal(fault.member, member);
    if (strstr(fault.text, words) == NULL)
        fail_msg("\"%s\" does not say \"%s\"", fault.text, words);
    config_destroy(bundle.config);
}

TEST(test_found)
{
    struct service service = {.arguments = {0}};
    struct config_bundle bundle = {.path = NULL};

    good("\"command\":[\"cat\",\"\",\"-\",\"-\"],\"env\":{\"A\":\"1=2\"}", &service, &bundle);
    assert_string_equal(service.command.arguments[0], "/usr/bin/cat");
    assert_string_equal(service.command.arguments[1], "");
    assert_string_equal(service.command.arguments[3], "-");
    assert_null(service.command.arguments[4]);
    assert_string_equal(service.command.directory, "/");
    assert_string_equal(value_of(&service, "A"), "1=2");
    assert_string_equal(value_of(&service, "HOME"), "/home/us");
    assert_null(value_of(&service, "SECRET_OF_OURS"));
    assert_false(service.command.switch_user);
    assert_true(hides(&service, "/srv/state"));
    assert_true(hides(&service, "/srv/state/control.sock"));
    assert_true(hides(&service, "/tmp/agent.sock"));
    assert_true(hides(&service, "/run/docker.sock"));
    assert_true(hides(&service, "/run/sidelock"));
    assert_true(hides(&service, "/run/sidelock-gates"));
    assert_true(hides(&service, "/run/sidelock-wrap"));
    assert_true(hides(&service, "/var/lib/sidelock"));
    assert_true(hides(&service, "/var/lib/sidelock-gates"));
    assert_true(hides(&service, "/run/systemd/journal")); /* and with it what /dev/log leads to */
    assert_true(hides(&service, "/run/systemd/notify"));
    assert_true(hides(&service, "/dev/log"));
    let_go(&service, &bundle);
}

static void write_file(const char *path, const char *text, mode_t mode)
{
    int fd = open(path, O_CREAT | O_TRUNC | O_WRONLY | O_CLOEXEC, 0600);

    assert_true(fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text));
    assert_int_equal(fchmod(fd, mode), 0);
    close(fd);
}

static bool lists(char *const *list, const char *path)
{
    for (; *list != NULL; list++) {
        if (strcmp(*list, path) == 0)
            return true;
    }
    return false;
}

/* Its own program, those that are named, and what the kernel starts them with. */
TEST(test_executables)
{
    char directory[TEMPORARY_PATH_SIZE] = "";
    struct service service = {.arguments = {0}};
    struct config_bundle bundle = {.path = NULL};
    char members[1024], script[TEMPORARY_PATH_SIZE + 16], outer[TEMPORARY_PATH_SIZE + 16],
        lib[TEMPORARY_PATH_SIZE + 16], text[TEMPORARY_PATH_SIZE + 32];
    char *cat = realpath("/bin/cat", NULL), *env = realpath("/usr/bin/env", NULL);

    assert_non_null(temporary_make(directory));
    snprintf(lib, sizeof(lib), "%s/lib", directory);
    assert_int_equal(mkdir(lib, 0700), 0);
    snprintf(script, sizeof(script), "%s/bin", directory);
    assert_int_equal(mkdir(script, 0700), 0);
    snprintf(script, sizeof(script), "%s/bin/inner", directory);
    snprintf(outer, sizeof(outer), "%s/outer", directory);
    write_file(script, "#! /usr/bin/env -S A=1 cat -n\n", 0700);
    snprintf(text, sizeof(text), "#!%s\n", script);
    write_file(outer, text, 0700);
    snprintf(members, sizeof(members), "\"command\":[\"/bin/sleep\"],\"executables\":[\"%s\"]",
             outer);
    good(members, &service, &bundle);
    assert_true(lists(service.command.executables, outer));
    assert_true(lists(service.command.executables, script));
    assert_true(lists(service.command.executables, env));
    assert_true(lists(service.command.executables, cat));
    assert_int_equal(service.programs.executables.count, 6); /* sleep, and the loader of all */
    assert_true(lists(service.command.libraries, lib));
    let_go(&service, &bundle);
    good("\"command\":[\"cat\"],\"executables\":\"any\"", &service, &bundle);
    assert_null(service.command.executables[0]);
    let_go(&service, &bundle);

    write_file(script, "#!/usr/bin/env no-such-program\n", 0700);
    faulty(members, "executables/0", "no program \"no-such-program\"");
    write_file(script, "#!inner\n", 0700);
    faulty(members, "executables/0", "no interpreter");
    snprintf(text, sizeof(text), "#!%s\n", outer);
    write_file(script, text, 0700); /* round and round: the kernel's own matter */
    good(members, &service, &bundle);
    let_go(&service, &bundle);
    write_file(script, "echo", 0700);
    faulty(members, "executables/0", "neither");
    write_file(script, "\177ELF\2\1\1", 0700);
    faulty(members, "executables/0", "neither");
    free(cat);
    free(env);
    temporary_remove(directory);
}

TEST(test_not_found)
{
    faulty("\"command\":[\"cat\"],\"executables\":[\"/nowhere/x\"]", "executables/0", "/nowhere/x");
    faulty("\"command\":[\"cat\"],\"libraries\":[\"/etc/passwd\"]", "libraries/0", "no directory");
    faulty("\"command\":[\"no-such-program\"]", "command/0", "no program \"no-such-program\"");
    faulty("\"command\":[\"cat\"],\"env\":{\"PATH\":\"/nowhere:\"}", "command/0", "PATH");
    faulty("\"command\":[\"/etc/passwd\"]", "command/0", "no program");
    faulty("\"command\":[\"/bin/cat\"],\"cwd\":\"/nowhere\"", "cwd", "No such file");
    faulty("\"command\":[\"/bin/cat\"],\"cwd\":\"/etc/passwd\"", "cwd", "no directory");
    faulty("\"command\":[\"/bin/cat\"],\"user\":\"nobody-at-all\"", "user", "no user");
    faulty("\"command\":[\"/bin/cat\"],\"env_files\":[\"/nowhere/x\"]", "env_files/0", "/nowhere");
}

TEST(test_program_of_others)
{
    char directory[TEMPORARY_PATH_SIZE] = "";
    char members[1024], path[TEMPORARY_PATH_SIZE + 16];
    int fd;

    assert_non_null(temporary_make(directory));
    snprintf(path, sizeof(path), "%s/program", directory);
    fd = open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0755);
    assert_true(fd >= 0 && fchmod(fd, 0757) == 0);
    close(fd);
    snprintf(members, sizeof(members), "\"command\":[\"%s\"]", path);
    faulty(members, "command/0", "can change");
    temporary_remove(directory);
}

TEST(test_environment_files)
{
    char directory[TEMPORARY_PATH_SIZE] = "";
    struct service service = {.arguments = {0}};
    struct config_bundle bundle = {.path = NULL};
    char members[1024], path[TEMPORARY_PATH_SIZE + 16];

    assert_non_null(temporary_make(directory));
    snprintf(path, sizeof(path), "%s/env", directory);
    snprintf(members, sizeof(members),
             "\"command\":[\"cat\"],\"env_files\":[\"%s\"],\"env\":{\"OVER\":\"configuration\"}",
             path);
    write_file(
        path,
        "# remark\r\n\n A = b c \nQUOTED=\"x y\"\nONE='\nEMPTY=\nOVER=file\nEQUALS=a=b\r\nLAST=1",
        0600);
    good(members, &service, &bundle);
    assert_string_equal(value_of(&service, "A"), "b c");
    assert_string_equal(value_of(&service, "QUOTED"), "x y");
    assert_string_equal(value_of(&service, "ONE"), "'");
    assert_string_equal(value_of(&service, "EMPTY"), "");
    assert_string_equal(value_of(&service, "OVER"), "configuration");
    assert_string_equal(value_of(&service, "EQUALS"), "a=b");
    assert_string_equal(value_of(&service, "LAST"), "1");
    assert_true(hides(&service, path));
    let_go(&service, &bundle);
    write_file(path, "A=1\nhush-hush", 0600);
    faulty(members, "env_files/0", "line 2");
    write_file(path, "A B=1", 0600);
    faulty(members, "env_files/0", "line 1");
    write_file(path, "=1", 0600);
    faulty(members, "env_files/0", "line 1");
    write_file(path, "A=1", 0644);
    faulty(members, "env_files/0", "chmod");
    temporary_remove(directory);
}

/* One entry of "write" beside a command; the fault of it, or none where `words` is NULL. */
static void try_write(const char *entry, const char *others, const char *words)
{
    struct service service = {.arguments = {0}};
    struct config_bundle bundle = {.path = NULL};
    char members[1024];

    snprintf(members, sizeof(members), "%s,\"write\":[\"%s\"]", others, entry);
    if (words != NULL) {
        faulty(members, "write/0", words);
        return;
    }
    good(members, &service, &bundle);
    let_go(&service, &bundle);
}

/* DIRECTORY/{bin/tool,data,data/link -> bin/tool,lib,way -> data,env} */
static void make_place(const char *directory)
{
    static const char *const made[] = {"bin", "data", "lib"};
    char path[TEMPORARY_PATH_SIZE + 16], target[TEMPORARY_PATH_SIZE + 16];

    for (size_t i = 0; i < sizeof(made) / sizeof(made[0]); i++) {
        snprintf(path, sizeof(path), "%s/%s", directory, made[i]);
        assert_int_equal(mkdir(path, 0700), 0);
    }
    snprintf(target, sizeof(target), "%s/bin/tool", directory);
    write_file(target, "#!/bin/cat\n", 0700);
    snprintf(path, sizeof(path), "%s/data/link", directory);
    assert_int_equal(symlink(target, path), 0);
    snprintf(path, sizeof(path), "%s/env", directory);
    write_file(path, "A=1\n", 0600);
}

/* What it may execute at its next start is what is found there then. */
TEST(test_writable_spares_code)
{
    static const char executed[] = "which this service may execute";
    char directory[TEMPORARY_PATH_SIZE] = "", command[512], data[TEMPORARY_PATH_SIZE + 16],
         path[TEMPORARY_PATH_SIZE + 16];

    assert_non_null(temporary_make(directory));
    make_place(directory);
    snprintf(data, sizeof(data), "%s/data", directory);
    snprintf(command, sizeof(command), "\"command\":[\"%s/bin/tool\"]", directory);
    try_write(data, command, NULL);
    try_write(directory, command, executed);
    try_write("/usr/lib", "\"command\":[\"/bin/cat\"]", executed);
    snprintf(path, sizeof(path), "%s/bin", directory);
    try_write(path, command, executed);
    snprintf(path, sizeof(path), "%s/bin/tool", directory);
    try_write(path, command, executed);
    snprintf(path, sizeof(path), "%s/lib", directory);
    try_write(path, command, executed); /* beside its bin */
    snprintf(command, sizeof(command), "\"command\":[\"%s/bin/tool\"],\"executables\":\"any\"",
             directory);
    try_write(directory, command, NULL);
    snprintf(command, sizeof(command), "\"command\":[\"%s/link\"]", data);
    try_write(data, command, executed);
    snprintf(command, sizeof(command), "\"command\":[\"/bin/cat\"],\"executables\":[\"%s/link\"]",
             data);
    try_write(data, command, executed);
    snprintf(command, sizeof(command), "\"command\":[\"/bin/cat\"],\"libraries\":[\"%s\"]", data);
    try_write(data, command, executed);
    try_write(directory, command, executed);
    snprintf(command, sizeof(command),
             "\"command\":[\"cat\"],\"env\":{\"PATH\":\"%s/none:/usr/bin\"}", data);
    try_write(data, command, "where PATH of this service has its programs");
    snprintf(command, sizeof(command),
             "\"command\":[\"/bin/cat\"],\"env\":{\"PATH\":\"%s/none:/usr/bin\"}", data);
    try_write(data, command, NULL);
    temporary_remove(directory);
}

TEST(test_writable_spares_the_gate)
{
    char directory[TEMPORARY_PATH_SIZE] = "", command[512], path[TEMPORARY_PATH_SIZE + 16];

    assert_non_null(temporary_make(directory));
    make_place(directory);
    snprintf(command, sizeof(command),
             "\"command\":[\"/bin/cat\"],\"executables\":\"any\",\"env_files\":[\"%s/env\"]",
             directory);
    snprintf(path, sizeof(path), "%s/data", directory);
    try_write(path, command, NULL);
    try_write(directory, command, "which the gate reads");
    snprintf(path, sizeof(path), "%s/env", directory);
    try_write(path, command, "which the gate reads");
    try_write("/srv", "\"command\":[\"/bin/cat\"],\"executables\":\"any\"", "/srv/state");
    temporary_remove(directory);
}

/* What another service executes is executed with what that one holds; by whatever name it is there.
 */
TEST(test_writable_spares_others)
{
    char directory[TEMPORARY_PATH_SIZE] = "", other[512], data[TEMPORARY_PATH_SIZE + 16],
         path[TEMPORARY_PATH_SIZE + 16], tool[TEMPORARY_PATH_SIZE + 16];
    static const char command[] = "\"command\":[\"/bin/cat\"]";
    /* What is not there now may be at its next start. */
    static const char *const missing[][2] = {
        {"{\"command\":[\"", "/bin/tool\"]}"},
        {"{\"command\":[\"none\"],\"executables\":[\"", "/bin/tool\"]}"},
        {"{\"stdio\":true,\"executables\":[\"", "/bin/tool\"]}"},
        {"{\"command\":[\"none\"],\"env\":{\"PATH\":\"", "/bin\"}}"},
        {"{\"command\":[\"none\"],\"env_files\":[\"/none\"],\"env\":{\"PATH\":\"", "/bin\"}}"},
    };

    assert_non_null(temporary_make(directory));
    make_place(directory);
    snprintf(tool, sizeof(tool), "%s/bin/tool", directory);
    snprintf(data, sizeof(data), "%s/data", directory);
    snprintf(path, sizeof(path), "%s/bin", directory);
    try_write(path, command, NULL);
    snprintf(other, sizeof(other), "{\"command\":[\"%s\"],\"executables\":\"any\"}", tool);
    neighbour = other;
    try_write(path, command, "which the service of \"other\" may execute");
    try_write(path, "\"command\":[\"/bin/cat\"],\"executables\":\"any\"", "may execute");
    try_write(data, command, NULL);
    snprintf(other, sizeof(other), "{\"command\":[\"/bin/cat\"],\"executables\":[\"%s\"]}", tool);
    try_write(path, command, "which the service of \"other\" may execute");
    /* Another name of the very file. */
    snprintf(data, sizeof(data), "%s/data/same", directory);
    assert_int_equal(link(tool, data), 0);
    try_write(data, command, "which the service of \"other\" may execute");
    snprintf(other, sizeof(other), "{\"command\":[\"no-such-program\"]}");
    try_write(path, command, NULL); /* which is told of the other */
    assert_int_equal(unlink(tool), 0);
    for (size_t i = 0; i < sizeof(missing) / sizeof(missing[0]); i++) {
        snprintf(other, sizeof(other), "%s%s%s", missing[i][0], directory, missing[i][1]);
        try_write(path, command, "the service of \"other\"");
    }
    try_write("/usr/lib", "\"command\":[\"/bin/cat\"],\"executables\":\"any\"",
              "the service of \"other\"");
    neighbour = NULL;
    temporary_remove(directory);
}

/* Its processes come and go, and the others were looked at with the configuration. */
TEST(test_sessions_do_not_look_at_others)
{
    char directory[TEMPORARY_PATH_SIZE] = "", other[512], members[512];
    struct service service = {.arguments = {0}};
    struct service_fault fault = {{0}, {0}};
    struct config_bundle bundle = {.path = NULL};

    assert_non_null(temporary_make(directory));
    make_place(directory);
    snprintf(other, sizeof(other), "{\"command\":[\"%s/bin/tool\"]}", directory);
    snprintf(members, sizeof(members), "\"command\":[\"/bin/cat\"],\"write\":[\"%s/bin\"]",
             directory);
    neighbour = other;
    faulty(members, "write/0", "the service of \"other\"");
    assert_int_equal(find(members, &service, &fault, &bundle), ERROR_INVALID);
    assert_int_equal(service_find_other(&bundle, &bundle.config->surfaces[0],
                                        &bundle.config->surfaces[0].command, ours, &service,
                                        &fault),
                     OK);
    let_go(&service, &bundle);
    neighbour = NULL;
    temporary_remove(directory);
}

/* One entry of "write" where records say what is started. */
static void try_records(const char *entry, const char *others, const char *words)
{
    struct service service;
    struct service_fault fault = {{0}, {0}};
    struct config_bundle bundle = {.path = NULL};
    char members[1024];
    enum error error;

    snprintf(members, sizeof(members), "\"stdio\":true%s,\"write\":[\"%s\"]", others, entry);
    assert_int_equal(find(members, &service, &fault, &bundle), ERROR_INVALID);
    assert_string_equal(fault.text, "There is no command.");
    error = service_check_records(&bundle, &bundle.config->surfaces[0], ours, &fault);
    if (words == NULL && error != OK)
        fail_msg("%s: %s", fault.member, fault.text);
    if (words != NULL && (error == OK || strstr(fault.text, words) == NULL))
        fail_msg("\"%s\" does not say \"%s\"", fault.text, words);
    config_destroy(bundle.config);
}

/* A configuration is refused whose every session would be. */
TEST(test_records_are_looked_at)
{
    char directory[TEMPORARY_PATH_SIZE] = "", other[512], path[TEMPORARY_PATH_SIZE + 16],
         named[512];

    assert_non_null(temporary_make(directory));
    make_place(directory);
    snprintf(path, sizeof(path), "%s/bin", directory);
    try_records(path, "", NULL);
    try_records("/usr/lib", "", "which this service may execute");
    snprintf(named, sizeof(named), ",\"executables\":[\"%s/bin/tool\"]", directory);
    try_records(path, named, "which this service may execute");
    snprintf(other, sizeof(other), "{\"command\":[\"%s/bin/tool\"]}", directory);
    neighbour = other;
    try_records(path, "", "which the service of \"other\" may execute");
    neighbour = NULL;
    temporary_remove(directory);
}

/* A mount shows what lies elsewhere: itself, or one below what is named. */
static int write_by_mounts(void)
{
    char directory[TEMPORARY_PATH_SIZE] = "", command[512], path[TEMPORARY_PATH_SIZE + 16],
         data[TEMPORARY_PATH_SIZE + 16];
    static const char executed[] = "which this service may execute";

    if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
        return SKIPPED;
    assert_non_null(temporary_make(directory));
    make_place(directory);
    snprintf(command, sizeof(command), "\"command\":[\"%s/bin/tool\"]", directory);
    snprintf(data, sizeof(data), "%s/data", directory);
    try_write(data, command, NULL);
    snprintf(path, sizeof(path), "%s/data/below", directory);
    assert_int_equal(mkdir(path, 0700), 0);
    snprintf(path, sizeof(path), "%s/bin", directory);
    snprintf(data, sizeof(data), "%s/data/below", directory);
    assert_int_equal(mount(path, data, NULL, MS_BIND, NULL), 0);
    try_write(data, command, executed);
    data[strlen(data) - strlen("/below")] = '\0';
    try_write(data, command, executed);
    snprintf(path, sizeof(path), "%s/data/below", directory);
    assert_int_equal(umount2(path, MNT_DETACH), 0);
    /* One that lies beside what is named, and shows what is in it. */
    snprintf(path, sizeof(path), "%s/bin", directory);
    assert_int_equal(mount(data, path, NULL, MS_BIND, NULL), 0);
    snprintf(path, sizeof(path), "%s/data/tool", directory);
    write_file(path, "#!/bin/cat\n", 0700);
    try_write(data, command, executed);
    try_write(path, command, executed);
    snprintf(path, sizeof(path), "%s/lib", directory);
    try_write(path, "\"command\":[\"/bin/cat\"]", NULL);
    snprintf(path, sizeof(path), "%s/bin", directory);
    assert_int_equal(umount2(path, MNT_DETACH), 0);
    temporary_remove(directory);
    return 0;
}

TEST(test_writable_looks_through_mounts)
{
    int status = unit_status_of(write_by_mounts);

    if (status == SKIPPED)
        skip();
    assert_int_equal(status, 0);
}

/* What lies where it has an empty directory of its own is not there for it. */
TEST(test_private)
{
    char directory[TEMPORARY_PATH_SIZE] = "", members[512];
    struct service service = {.arguments = {0}};
    struct config_bundle bundle = {.path = NULL};

    assert_non_null(temporary_make(directory));
    if (strncmp(directory, "/tmp/", strlen("/tmp/")) == 0) {
        make_place(directory);
        snprintf(members, sizeof(members),
                 "\"command\":[\"/bin/cat\"],\"write\":[],\"executables\":[\"%s/bin/tool\"]",
                 directory);
        faulty(members, "executables", "empty directory");
        snprintf(members, sizeof(members),
                 "\"command\":[\"/bin/cat\"],\"write\":[],\"libraries\":[\"%s/data\"]", directory);
        faulty(members, "libraries", "empty directory");
    }
    temporary_remove(directory);

    good("\"command\":[\"/bin/cat\"]", &service, &bundle);
    assert_string_equal(value_of(&service, "TMPDIR"), "/tmp/user/1000");
    let_go(&service, &bundle);
    good("\"command\":[\"/bin/cat\"],\"write\":[]", &service, &bundle);
    assert_null(value_of(&service, "TMPDIR"));
    assert_string_equal(value_of(&service, "HOME"), "/home/us");
    let_go(&service, &bundle);
    good("\"command\":[\"/bin/cat\"],\"write\":[],\"env\":{\"TMPDIR\":\"/dev/shm/x\"}", &service,
         &bundle);
    assert_string_equal(value_of(&service, "TMPDIR"), "/dev/shm/x");
    let_go(&service, &bundle);
}

TEST(test_what_is_required_goes_along)
{
    struct config_bundle bundle = {.path = NULL};
    struct service service = {.arguments = {0}};

    good("\"command\":[\"/bin/true\"],\"executables\":\"any\"", &service, &bundle);
    assert_int_equal(service.command.required, 0);
    let_go(&service, &bundle);
    good("\"command\":[\"/bin/true\"],\"executables\":\"any\",\"require\":[\"calls\",\"signals\"]",
         &service, &bundle);
    assert_int_equal(service.command.required, FENCE(CALLS) | FENCE(SIGNALS));
    let_go(&service, &bundle);
}
