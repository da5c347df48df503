/*
 * trusted_path.c, against a tree of directories, links and owners: which ways are gone, and
 * that one which changes meanwhile is never gone half in its old form and half in its new.
 */
#include "system/trusted_file.h"

#include "temporary.h"
#include "unit.h"

#include <stddef.h>
#include <stdint.h>

#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define STRANGER 54321
#define OTHER    54322
#define READS    20000

static char base[TEMPORARY_PATH_SIZE], scratch[2 * PATH_MAX];

/* The path of something in the folder; valid until the next call. */
static const char *in(const char *name)
{
    snprintf(scratch, sizeof(scratch), "%s/%s", base, name);
    return scratch;
}

static void make_folder(const char *name, mode_t mode, uid_t owner)
{
    assert_int_equal(mkdir(in(name), 0700), 0);
    assert_int_equal(chmod(in(name), mode), 0);
    assert_int_equal(lchown(in(name), owner, 0), 0);
}

static void make_file(const char *name, const char *text, uid_t owner)
{
    int fd = open(in(name), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, strlen(text)), strlen(text));
    assert_int_equal(fchown(fd, owner, 0), 0);
    close(fd);
}

static void make_link(const char *name, const char *target, uid_t owner)
{
    char *copy = strdup(target); /* which may be in()'s own */

    assert_int_equal(symlink(copy, in(name)), 0);
    free(copy);
    assert_int_equal(lchown(in(name), owner, 0), 0);
}

static int setup(void **state)
{
    (void)state;
    return temporary_make(base) != NULL ? 0 : -1;
}

static int teardown(void **state)
{
    (void)state;
    temporary_remove(base);
    return 0;
}

#define PATH_TEST(function) TEST_BETWEEN(function, setup, teardown)

static struct trusted_path found;

/* `words` are of the refusal. */
static void expect(const char *name, struct trust trust, enum error wanted, const char *words)
{
    char why[WHY_SIZE] = "";
    enum error error = trusted_path_find(in(name), trust, &found, why);

    if (error != wanted)
        fail_msg("%s: %s: %s", name, error_text(error), why);
    if (error != OK && strstr(why, words) == NULL)
        fail_msg("\"%s\" does not say \"%s\"", why, words);
    if (error == OK)
        trusted_path_close(&found);
}

PATH_TEST(test_the_way_of_the_kernel)
{
    make_folder("a", 0755, geteuid());
    make_folder("a/b", 0755, geteuid());
    make_file("a/b/file", "text", geteuid());
    make_link("a/up", "../a/b/file", geteuid());
    make_link("a/whole", in("a/b"), geteuid());
    make_link("loop", "loop", geteuid());
    make_link("nowhere", "a/missing", geteuid());
    expect("a/b/file", TRUST_OWN, OK, "");
    assert_true(found.exists && found.closed && S_ISREG(found.facts.st_mode));
    expect("a/up", TRUST_OWN, OK, "");
    assert_string_equal(found.name, "file");
    expect("a/whole/../b//./file", TRUST_OWN, OK, "");
    assert_string_equal(found.name, "file");
    expect("a/b/", TRUST_OWN, OK, "");
    assert_true(found.exists && strcmp(found.name, ".") == 0);
    expect("a/missing", TRUST_OWN, OK, "");
    assert_false(found.exists);
    expect("nowhere", TRUST_OWN, OK, "");
    assert_string_equal(found.name, "missing");
    expect("a/missing/file", TRUST_OWN, ERROR_NOT_FOUND, "a/missing cannot be opened");
    expect("a/b/file/", TRUST_OWN, ERROR_NOT_FOUND, "Not a directory");
    expect("loop", TRUST_OWN, ERROR_IO, "symbolic links");
}

PATH_TEST(test_long_names)
{
    char name[NAME_MAX + 2], why[WHY_SIZE], path[PATH_MAX + 1];

    memset(name, 'x', sizeof(name) - 1);
    name[NAME_MAX] = '\0';
    expect(name, TRUST_OWN, OK, "");
    assert_int_equal(strlen(found.name), NAME_MAX);
    name[NAME_MAX] = 'x';
    name[NAME_MAX + 1] = '\0';
    expect(name, TRUST_OWN, ERROR_IO, "too long");
    memset(path, '/', sizeof(path) - 1);
    path[sizeof(path) - 1] = '\0';
    assert_int_equal(trusted_path_find(path, TRUST_OWN, &found, why), ERROR_IO);
    assert_int_equal(trusted_path_find("", TRUST_OWN, &found, why), ERROR_NOT_FOUND);
}

PATH_TEST(test_relative)
{
    char why[WHY_SIZE], *here = getcwd(NULL, 0);

    make_folder("open", 0777, geteuid());
    make_file("open/file", "text", geteuid());
    assert_int_equal(chdir(in("open")), 0);
    assert_int_equal(trusted_path_find("file", TRUST_OWN, &found, why), ERROR_DENIED);
    assert_int_equal(chmod(".", 0755), 0);
    assert_int_equal(trusted_path_find("file", TRUST_OWN, &found, why), OK);
    assert_true(found.exists);
    trusted_path_close(&found);
    assert_int_equal(chdir(here), 0);
    free(here);
}

PATH_TEST(test_who_may_change_it)
{
    if (geteuid() != 0)
        skip();
    make_folder("group", 0775, 0);
    make_folder("group/inside", 0755, 0);
    make_file("group/inside/file", "text", 0);
    expect("group/inside/file", TRUST_OWN, ERROR_DENIED,
           "group can be changed by others; run chmod go-w");
    make_folder("sticky", 01777, 0);
    make_file("sticky/file", "text", 0);
    make_file("sticky/theirs", "text", STRANGER);
    make_link("sticky/link", "file", STRANGER);
    expect("sticky/file", TRUST_OWN, OK, "");
    assert_false(found.closed);
    expect("sticky/theirs", TRUST_OWN, ERROR_DENIED, "theirs belongs to uid 54321");
    expect("sticky/link", TRUST_OWN, ERROR_DENIED, "link belongs to uid 54321");
    expect("sticky/../group/inside/file", TRUST_OWN, ERROR_DENIED, "chmod go-w");
    make_folder("theirs", 0755, STRANGER);
    make_file("theirs/file", "text", 0);
    expect("theirs/file", TRUST_OWN, ERROR_DENIED, "theirs belongs to uid 54321");
    expect("theirs/file", (struct trust){.also = STRANGER}, OK, "");
    expect("sticky/link", (struct trust){.also = STRANGER}, OK, "");
    expect("theirs/file", (struct trust){.also = OTHER}, ERROR_DENIED, "uid 54322, or root");
}

/* Root's giving counts, a stranger's taking does not. */
PATH_TEST(test_as_given)
{
    if (geteuid() != 0)
        skip();
    make_folder("given", 0700, STRANGER);
    make_folder("given/deep", 0700, STRANGER);
    make_folder("given/of_another", 0700, OTHER);
    make_folder("sticky", 01777, 0);
    make_folder("sticky/taken", 0700, STRANGER);
    expect("given/deep", TRUST_GIVEN, OK, "");
    assert_int_equal(found.trust.also, STRANGER);
    expect("given/deep", TRUST_OWN, ERROR_DENIED, "given belongs to uid 54321");
    expect("given/of_another", TRUST_GIVEN, ERROR_DENIED, "of_another belongs to uid 54322");
    expect("sticky/taken", TRUST_GIVEN, ERROR_DENIED, "taken belongs to uid 54321");
    make_folder("given/open", 0777, STRANGER);
    make_folder("given/open/file", 0700, STRANGER);
    expect("given/open/file", TRUST_GIVEN, ERROR_DENIED, "chmod go-w");
}

PATH_TEST(test_private)
{
    char why[WHY_SIZE];
    struct stat made;
    int fd = -1;

    assert_int_equal(trusted_path_check_private(in("own"), why), OK);
    assert_int_equal(trusted_path_open_private(in("own"), &fd, why), OK);
    close(fd);
    assert_int_equal(trusted_path_check_private(in("own"), why), OK);
    assert_int_equal(chmod(in("own"), 0750), 0);
    assert_int_equal(trusted_path_check_private(in("own"), why), ERROR_DENIED);
    assert_non_null(strstr(why, "chmod 700"));
    assert_int_equal(trusted_path_open_private(in("own"), &fd, why), ERROR_DENIED);
    assert_non_null(strstr(why, "has mode 0750"));
    /* What is missing on the way is made; until then it is enough that it could be. */
    assert_int_equal(trusted_path_check_private(in("a/b"), why), OK);
    assert_int_not_equal(access(in("a"), F_OK), 0);
    assert_int_equal(trusted_path_open_private(in("a/b"), &fd, why), OK);
    close(fd);
    assert_int_equal(stat(in("a"), &made), 0);
    assert_int_equal(made.st_mode, S_IFDIR | 0700);
    assert_int_equal(stat(in("a/b"), &made), 0);
    assert_int_equal(made.st_mode, S_IFDIR | 0700);
    make_file("file", "text", geteuid());
    assert_int_equal(trusted_path_check_private(in("file"), why), ERROR_INVALID);
    assert_int_equal(trusted_path_open_private(in("file/b/c"), &fd, why), ERROR_NOT_FOUND);
}

/* Two names in a sticky directory that change places all the time: ours, and a stranger's. */
static atomic_bool stop;

static void *swap(void *argument)
{
    char one[PATH_MAX], two[PATH_MAX];

    (void)argument;
    snprintf(one, sizeof(one), "%s/way", base);
    snprintf(two, sizeof(two), "%s/other", base);
    while (!atomic_load(&stop))
        assert_int_equal(renameat2(AT_FDCWD, one, AT_FDCWD, two, RENAME_EXCHANGE), 0);
    return NULL;
}

static void read_while_swapped(const char *name)
{
    char path[PATH_MAX], why[WHY_SIZE];
    unsigned good = 0, refused = 0;
    pthread_t thread;

    snprintf(path, sizeof(path), "%s/%s", base, name);
    atomic_store(&stop, false);
    assert_int_equal(pthread_create(&thread, NULL, swap, NULL), 0);
    for (unsigned i = 0; i < READS; i++) {
        struct buffer text;

        buffer_init(&text, 64);
        if (trusted_file_read(path, TRUSTED_FILE_POLICY, TRUST_OWN, &text, why) != OK) {
            refused++;
        } else {
            good++;
            if (strcmp(text.data, "good") != 0)
                fail_msg("read \"%s\" after %u others", text.data, i);
        }
        buffer_clear(&text);
    }
    atomic_store(&stop, true);
    pthread_join(thread, NULL);
    assert_true(good > 0 && refused > 0); /* both were met, else nothing was tried */
}

PATH_TEST(test_a_directory_that_changes_meanwhile)
{
    if (geteuid() != 0)
        skip();
    make_folder("way", 0755, 0);
    make_file("way/file", "good", 0);
    make_folder("other", 0755, STRANGER);
    make_file("other/file", "evil", 0);
    read_while_swapped("way/file");
}

PATH_TEST(test_a_link_that_changes_meanwhile)
{
    if (geteuid() != 0)
        skip();
    make_folder("one", 0755, 0);
    make_file("one/file", "good", 0);
    make_folder("two", 0755, 0);
    make_file("two/file", "evil", 0);
    make_link("way", "one", 0);
    make_link("other", "two", STRANGER);
    read_while_swapped("way/file");
}

PATH_TEST(test_a_file_that_changes_meanwhile)
{
    if (geteuid() != 0)
        skip();
    make_file("way", "good", 0);
    make_file("other", "evil", STRANGER);
    read_while_swapped("way");
}
