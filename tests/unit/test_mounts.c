/* system/mounts.c: which names lead to the same place. */
#include "system/mounts.h"

#include "temporary.h"
#include "unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct mounts mounts;

static void read_text(const char *text)
{
    char directory[TEMPORARY_PATH_SIZE] = "", path[TEMPORARY_PATH_SIZE + 16];
    FILE *file;

    assert_non_null(temporary_make(directory));
    snprintf(path, sizeof(path), "%s/mountinfo", directory);
    file = fopen(path, "we");
    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
    assert_int_equal(mounts_read(path, &mounts), OK);
    temporary_remove(directory);
}

static void leads(const char *path, const char *to)
{
    struct mounts_place place;
    char text[PATH_MAX + 32];

    assert_true(mounts_find(&mounts, path, &place));
    snprintf(text, sizeof(text), "%u:%u %s", place.major, place.minor, place.path);
    assert_string_equal(text, to);
}

TEST(test_places)
{
    read_text("22 1 8:1 / / rw shared:1 - ext4 /dev/a rw\n"
              "30 22 8:2 /data/app /opt/app rw - ext4 /dev/b rw\n"
              "31 22 8:2 / /data rw - ext4 /dev/b rw\n"
              "32 31 0:5 / /data/a\\040b\\134c rw - tmpfs x rw\n"
              "33 22 8:1 /etc/file /data-file rw - ext4 /dev/a rw\n"
              "no line of a mount\n"
              "34 22 8:3\n");
    leads("/", "8:1 /");
    leads("/opt", "8:1 /opt");
    leads("/opt/app", "8:2 /data/app");
    leads("/opt/app/bin/x", "8:2 /data/app/bin/x");
    leads("/opt/application", "8:1 /opt/application");
    leads("/data", "8:2 /");
    leads("/data/data/app", "8:2 /data/app");
    leads("/data/a b\\c/x", "0:5 /x");
    leads("/data-file", "8:1 /etc/file");
    mounts_clear(&mounts);
}

/* The upper one of two is gone through, and what lies below it is not there. */
TEST(test_hidden)
{
    read_text("22 1 8:1 / / rw - ext4 a rw\n"
              "30 22 8:2 / /x/y rw - ext4 b rw\n"
              "31 22 8:3 / /x rw - ext4 c rw\n"
              "32 31 8:4 / /x rw - ext4 d rw\n");
    leads("/x", "8:4 /");
    leads("/x/y/z", "8:4 /y/z");
    mounts_clear(&mounts);
}

/* In a root that is no mount itself, nothing is known but of what is mounted there; a circle ends.
 */
TEST(test_odd)
{
    struct mounts_place place;

    read_text("40 22 8:2 / /x rw - ext4 b rw\n");
    leads("/x/y", "8:2 /y");
    assert_false(mounts_find(&mounts, "/etc", &place));
    mounts_clear(&mounts);
    read_text("40 41 8:2 / / rw - ext4 b rw\n41 40 8:3 / / rw - ext4 b rw\n"
              "42 42 8:4 / / rw - ext4 b rw\n");
    leads("/x", "8:4 /x");
    mounts_clear(&mounts);
    assert_int_equal(mounts_read("/nonexistent", &mounts), OK);
    assert_int_equal(mounts.count, 0);
    assert_int_equal(mounts_read(MOUNTS_OWN, &mounts), OK);
    assert_true(mounts.count > 0);
    mounts_clear(&mounts);
}

/* More than a few thousand, and a line longer than a page or two. */
TEST(test_many)
{
    enum { COUNT = 6000, LONG = 12000 };
    char *text = calloc(1, (size_t)COUNT * 64 + LONG + 64), *at = text;

    assert_non_null(text);
    at += sprintf(at, "1 0 8:1 / / rw - ext4 a rw\n");
    for (unsigned i = 0; i < COUNT; i++)
        at += sprintf(at, "%u 1 8:2 /r%u /m%u rw - ext4 b rw\n", i + 2, i, i);
    at += sprintf(at, "9000 1 0:9 / /overlay rw - overlay o rw,lowerdir=");
    memset(at, 'l', LONG);
    strcpy(at + LONG, "\n9001 1 8:3 / /last rw - ext4 c rw\n");
    read_text(text);
    free(text);
    assert_int_equal(mounts.count, COUNT + 3);
    leads("/m5999/x", "8:2 /r5999/x");
    leads("/overlay", "0:9 /");
    leads("/last/x", "8:3 /x");
    mounts_clear(&mounts);
}
