/* The file of a configuration: made once, replaced whole, and not over what somebody else wrote. */
#include "cli/edit/file.h"

#include "temporary.h"
#include "unit.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

struct fixture {
    char folder[TEMPORARY_PATH_SIZE], path[TEMPORARY_PATH_SIZE + 64];
    char other[TEMPORARY_PATH_SIZE + 64];
    struct edit_file file;
    char why[WHY_SIZE];
};

static int set_up(void **state)
{
    static struct fixture fixture;

    *state = &fixture;
    fixture = (struct fixture){.file = {.fd = -1}};
    umask(022);
    if (temporary_make(fixture.folder) == NULL)
        return -1;
    snprintf(fixture.path, sizeof(fixture.path), "%s/sidelock.json", fixture.folder);
    snprintf(fixture.other, sizeof(fixture.other), "%s/other", fixture.folder);
    return 0;
}

static int tear_down(void **state)
{
    const struct fixture *fixture = *state;

    temporary_remove(fixture->folder);
    return 0;
}

static void write_file(const char *path, const char *text, const char *mode)
{
    FILE *file = fopen(path, mode);

    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
}

static void assert_holds(const char *path, const char *text, mode_t mode)
{
    char bytes[256] = "";
    struct stat facts;
    FILE *file = fopen(path, "r");

    assert_non_null(file);
    assert_int_equal(fread(bytes, 1, sizeof(bytes) - 1, file), strlen(text));
    assert_string_equal(bytes, text);
    assert_int_equal(fstat(fileno(file), &facts), 0);
    assert_int_equal(facts.st_mode & ALLPERMS, mode);
    fclose(file);
}

/* Of the folder's entries, hidden ones too. */
static unsigned count_entries(const char *folder)
{
    DIR *directory = opendir(folder);
    unsigned count = 0;

    assert_non_null(directory);
    while (readdir(directory) != NULL)
        count++;
    closedir(directory);
    return count - 2; /* "." and ".." */
}

#define FILE_TEST(name) TEST_BETWEEN(name, set_up, tear_down)
#define TEXT(text)      ((struct span){text, sizeof(text) - 1})

FILE_TEST(test_it_is_made_with_its_folders)
{
    struct fixture *fixture = *state;
    struct stat facts;

    snprintf(fixture->path, sizeof(fixture->path), "%s/a/b/sidelock.json", fixture->folder);
    assert_int_equal(edit_file_make(fixture->path, 0600, TEXT("{}\n"), fixture->why), OK);
    assert_holds(fixture->path, "{}\n", 0600);
    snprintf(fixture->other, sizeof(fixture->other), "%s/a/b", fixture->folder);
    assert_int_equal(stat(fixture->other, &facts), 0);
    assert_int_equal(facts.st_mode & ALLPERMS, 0700);
    assert_int_equal(count_entries(fixture->other), 1);
}

FILE_TEST(test_it_is_made_for_others_to_read)
{
    struct fixture *fixture = *state;
    struct stat facts;

    snprintf(fixture->path, sizeof(fixture->path), "%s/a/sidelock.json", fixture->folder);
    assert_int_equal(edit_file_make(fixture->path, 0644, TEXT("{}\n"), fixture->why), OK);
    assert_holds(fixture->path, "{}\n", 0644);
    snprintf(fixture->other, sizeof(fixture->other), "%s/a", fixture->folder);
    assert_int_equal(stat(fixture->other, &facts), 0);
    assert_int_equal(facts.st_mode & ALLPERMS, 0755);
}

FILE_TEST(test_what_is_there_stays)
{
    struct fixture *fixture = *state;

    write_file(fixture->path, "mine", "w");
    assert_int_equal(edit_file_make(fixture->path, 0600, TEXT("{}"), fixture->why), ERROR_EXISTS);
    assert_holds(fixture->path, "mine", 0644);
    assert_int_equal(unlink(fixture->path), 0);
    assert_int_equal(mkdir(fixture->path, 0700), 0);
    assert_int_equal(edit_file_make(fixture->path, 0600, TEXT("{}"), fixture->why), ERROR_EXISTS);
    assert_int_equal(count_entries(fixture->folder), 1);
}

FILE_TEST(test_its_mode_and_its_links_stay)
{
    struct fixture *fixture = *state;
    struct stat facts;

    write_file(fixture->other, "{}", "w");
    assert_int_equal(chmod(fixture->other, 0640), 0);
    assert_int_equal(symlink("other", fixture->path), 0);
    assert_int_equal(edit_file_open(fixture->path, &fixture->file, fixture->why), OK);
    assert_int_equal(edit_file_save(&fixture->file, TEXT("{ }"), fixture->why), OK);
    edit_file_close(&fixture->file);
    assert_holds(fixture->other, "{ }", 0640);
    assert_int_equal(lstat(fixture->path, &facts), 0);
    assert_true(S_ISLNK(facts.st_mode));
    assert_int_equal(count_entries(fixture->folder), 2);
}

/* As an editor writes it that keeps the file, and as one that puts another in its place. */
FILE_TEST(test_what_was_changed_meanwhile_stays)
{
    struct fixture *fixture = *state;

    for (unsigned i = 0; i < 3; i++) {
        static const char *const texts[] = {"{\"b\": 2}", "{}", "{}"};

        write_file(fixture->path, "{\"a\": 1}", "w");
        assert_int_equal(edit_file_open(fixture->path, &fixture->file, fixture->why), OK);
        write_file(fixture->other, texts[i], "w");
        if (i == 0)
            write_file(fixture->path, texts[i], "w"); /* as long as before */
        else if (i == 1)
            assert_int_equal(rename(fixture->other, fixture->path), 0);
        else
            assert_int_equal(unlink(fixture->path), 0);
        assert_int_equal(edit_file_save(&fixture->file, TEXT("{ }"), fixture->why), ERROR_STATE);
        assert_non_null(strstr(fixture->why, "changed by somebody else"));
        edit_file_close(&fixture->file);
        if (i < 2)
            assert_holds(fixture->path, texts[i], 0644);
        unlink(fixture->other);
    }
    assert_int_equal(count_entries(fixture->folder), 0);
}

FILE_TEST(test_two_of_ours_wait_for_each_other)
{
    struct fixture *fixture = *state;
    struct edit_file second = {.fd = -1};

    write_file(fixture->path, "{}", "w");
    assert_int_equal(edit_file_open(fixture->path, &fixture->file, fixture->why), OK);
    assert_int_equal(edit_file_open(fixture->path, &second, fixture->why), ERROR_TIMEOUT);
    assert_int_equal(edit_file_save(&fixture->file, TEXT("{ }"), fixture->why), OK);
    /* What is there now is another file, and locked by nobody. */
    assert_int_equal(edit_file_open(fixture->path, &second, fixture->why), OK);
    assert_int_equal(second.text.length, 3);
    edit_file_close(&second);
    edit_file_close(&fixture->file);
}

FILE_TEST(test_what_others_could_change_is_not_opened)
{
    struct fixture *fixture = *state;

    assert_int_equal(edit_file_open(fixture->path, &fixture->file, fixture->why), ERROR_NOT_FOUND);
    write_file(fixture->path, "{}", "w");
    assert_int_equal(chmod(fixture->path, 0666), 0);
    assert_int_equal(edit_file_open(fixture->path, &fixture->file, fixture->why), ERROR_DENIED);
    assert_int_equal(unlink(fixture->path), 0);
    assert_int_equal(mkfifo(fixture->path, 0600), 0);
    assert_int_equal(edit_file_open(fixture->path, &fixture->file, fixture->why), ERROR_INVALID);
}
