/*
 * Facts about files, gathered from a real file system: a folder of links,
 * modes and owners that each test makes for itself.
 */
#include "system/executable.h"

#include "unit.h"

#include <stddef.h>

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define CONTENT  "#!/bin/sh\n"
#define STRANGER 54321

static char base[PATH_MAX];
static char scratch[PATH_MAX];

/* The path of something in the folder; valid until the next call. */
static const char *in(const char *name)
{
    assert_true(snprintf(scratch, sizeof(scratch), "%s/%s", base, name) < PATH_MAX);
    return scratch;
}

static void make_file(const char *name, mode_t mode)
{
    FILE *file = fopen(in(name), "w");

    assert_non_null(file);
    fputs(CONTENT, file);
    fclose(file);
    assert_int_equal(chmod(in(name), mode), 0);
}

static void make_folder(const char *name, mode_t mode)
{
    assert_int_equal(mkdir(in(name), 0700), 0);
    assert_int_equal(chmod(in(name), mode), 0);
}

static void make_link(const char *name, const char *target)
{
    char *copy = strdup(target); /* which may be in()'s own */

    assert_non_null(copy);
    assert_int_equal(symlink(copy, in(name)), 0);
    free(copy);
}

static int setup(void **state)
{
    char folder[] = "/tmp/sidelock-executable-XXXXXX";

    (void)state;
    if (mkdtemp(folder) == NULL || realpath(folder, base) == NULL)
        return -1;
    return 0;
}

static int remove_entry(const char *path, const struct stat *status, int type, struct FTW *at)
{
    (void)status;
    (void)type;
    (void)at;
    return remove(path);
}

static int teardown(void **state)
{
    (void)state;
    return nftw(base, remove_entry, 8, FTW_DEPTH | FTW_PHYS);
}

static struct exec_facts facts_of(const char *path, bool hash)
{
    static struct exec_facts facts;
    struct executable_identity identity;
    bool settled;

    memset(&facts, 0xff, sizeof(facts));
    executable_look(path, &facts, &identity);
    if (hash && facts.exists)
        assert_int_equal(executable_hash(facts.resolved, &identity, facts.sha256, &settled), OK);
    return facts;
}

static void expect_safe(const char *name)
{
    struct exec_facts facts = facts_of(in(name), false);
    char resolved[PATH_MAX];

    assert_true(facts.exists);
    assert_non_null(realpath(in(name), resolved));
    assert_string_equal(facts.resolved, resolved);
    if (facts.writable_by_others)
        fail_msg("%s counts as writable by others", name);
}

static void expect_writable(const char *name)
{
    struct exec_facts facts = facts_of(in(name), false);

    assert_true(facts.exists);
    if (!facts.writable_by_others)
        fail_msg("%s does not count as writable by others", name);
}

#define EXECUTABLE_TEST(function) TEST_BETWEEN(function, setup, teardown)

EXECUTABLE_TEST(test_resolves_as_the_kernel_does)
{
    make_folder("bin", 0755);
    make_file("bin/tool", 0755);
    make_link("direct", "bin/tool");
    make_link("bin/up", "../direct");
    make_link("folder", "./bin/");
    make_link("absolute", in("folder/up"));
    expect_safe("bin/tool");
    expect_safe("direct");
    expect_safe("bin/up");
    expect_safe("folder/tool");
    expect_safe("absolute");
    expect_safe("bin/../bin/./tool");
    expect_safe("folder//..//direct");
}

EXECUTABLE_TEST(test_what_is_no_executable)
{
    make_folder("folder", 0755);
    make_file("plain", 0644);
    make_file("tool", 0755);
    make_link("loop", "loop");
    make_link("dangling", "nowhere");
    assert_int_equal(mkfifo(in("pipe"), 0755), 0);
    assert_false(facts_of(in("plain"), false).exists);
    assert_false(facts_of(in("folder"), false).exists);
    assert_false(facts_of(in("loop"), false).exists);
    assert_false(facts_of(in("dangling"), false).exists);
    assert_false(facts_of(in("pipe"), true).exists); /* and does not block */
    assert_false(facts_of(in("absent"), false).exists);
    assert_false(facts_of(in("tool/"), false).exists);
    assert_false(facts_of(in("tool/.."), false).exists);
    assert_false(facts_of(in("tool/../tool"), false).exists);
    assert_false(facts_of("tool", false).exists);
    assert_false(facts_of("", false).exists);
    assert_false(facts_of("/", false).exists);
}

EXECUTABLE_TEST(test_long_paths)
{
    char path[2 * PATH_MAX];

    memset(path, 'a', sizeof(path));
    path[0] = '/';
    path[sizeof(path) - 1] = '\0';
    assert_false(facts_of(path, false).exists);
    path[PATH_MAX - 1] = '\0';
    assert_false(facts_of(path, false).exists);
    for (size_t i = 1; i < PATH_MAX - 1; i += 2)
        path[i] = '.', path[i + 1] = '/';
    assert_false(facts_of(path, false).exists);
}

EXECUTABLE_TEST(test_modes)
{
    make_folder("bin", 0755);
    make_file("bin/tool", 0755);
    make_link("link", "bin/tool");
    expect_safe("bin/tool");
    assert_int_equal(chmod(in("bin/tool"), 0775), 0);
    expect_writable("bin/tool");
    assert_int_equal(chmod(in("bin/tool"), 0757), 0);
    expect_writable("link");
    assert_int_equal(chmod(in("bin/tool"), 0755), 0);
    assert_int_equal(chmod(in("bin"), 0777), 0);
    expect_writable("bin/tool");
    expect_writable("link");
    /* Sticky: only the entry's owner may replace it, and that is us. */
    assert_int_equal(chmod(in("bin"), 01777), 0);
    expect_safe("bin/tool");
}

/* A link's own folder decides where it leads, though it is not on the resolved path. */
EXECUTABLE_TEST(test_the_way_there_counts)
{
    make_folder("bin", 0755);
    make_folder("open", 0777);
    make_file("bin/tool", 0755);
    make_link("open/link", "../bin/tool");
    make_link("detour", "open/link");
    expect_writable("open/link");
    expect_writable("detour");
    expect_writable("open/../bin/tool");
    expect_safe("bin/tool");
}

EXECUTABLE_TEST(test_owners)
{
    if (geteuid() != 0)
        skip();
    make_folder("bin", 0755);
    make_file("bin/tool", 0755);
    make_folder("sticky", 01777);
    make_link("sticky/link", in("bin/tool"));
    expect_safe("sticky/link");
    assert_int_equal(lchown(in("sticky/link"), STRANGER, STRANGER), 0);
    expect_writable("sticky/link");
    assert_int_equal(chown(in("bin"), STRANGER, 0), 0);
    expect_writable("bin/tool");
    assert_int_equal(chown(in("bin"), 0, STRANGER), 0); /* a group that may not write */
    expect_safe("bin/tool");
    assert_int_equal(chown(in("bin/tool"), STRANGER, 0), 0);
    expect_writable("bin/tool");
}

EXECUTABLE_TEST(test_digest)
{
    char expected[SHA256_HEX_SIZE];
    struct executable_identity identity;
    struct exec_facts facts;
    bool settled;

    make_file("tool", 0755);
    make_link("link", "tool");
    secret_sha256_hex(CONTENT, strlen(CONTENT), expected);
    assert_string_equal(facts_of(in("tool"), true).sha256, expected);
    assert_string_equal(facts_of(in("link"), true).sha256, expected);
    assert_string_equal(facts_of(in("tool"), false).sha256, "");

    /* An executable too large to read is one that cannot be compared. */
    assert_int_equal(truncate(in("tool"), EXECUTABLE_HASH_BYTES_MAX + 1), 0);
    executable_look(in("tool"), &facts, &identity);
    assert_true(facts.exists);
    assert_int_equal(executable_hash(in("tool"), &identity, facts.sha256, &settled), ERROR_IO);
    assert_int_equal(truncate(in("tool"), 0), 0);
    secret_sha256_hex("", 0, expected);
    assert_string_equal(facts_of(in("tool"), true).sha256, expected);
}

/* Whatever is another file, or another content of it, has another identity. */
EXECUTABLE_TEST(test_identity)
{
    struct executable_identity before, after;
    char sha256[SHA256_HEX_SIZE];
    struct exec_facts facts;
    char tool[PATH_MAX];
    struct timespec past[2] = {{.tv_sec = 1000000}, {.tv_sec = 1000000}};
    bool settled;

    make_file("tool", 0755);
    executable_look(in("tool"), &facts, &before);
    executable_look(in("tool"), &facts, &after);
    assert_true(executable_same(&before, &after));
    /* Just made: the next change could have the same time. */
    assert_int_equal(executable_hash(in("tool"), &before, sha256, &settled), OK);
    assert_false(settled);

    /* The times that a user can set do not hide it. */
    assert_int_equal(utimensat(AT_FDCWD, in("tool"), past, 0), 0);
    executable_look(in("tool"), &facts, &after);
    assert_false(executable_same(&before, &after));
    assert_int_equal(executable_hash(in("tool"), &before, sha256, &settled), ERROR_STATE);

    before = after;
    make_file("other", 0755);
    snprintf(tool, sizeof(tool), "%s", in("tool"));
    assert_int_equal(rename(in("other"), tool), 0);
    executable_look(in("tool"), &facts, &after);
    assert_false(executable_same(&before, &after));
    assert_int_equal(executable_hash(in("tool"), &before, sha256, &settled), ERROR_STATE);
}
