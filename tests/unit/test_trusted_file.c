/* trusted_file.c: whose files are read, and which of them are refused before they are. */
#include "system/trusted_file.h"

#include "temporary.h"
#include "unit.h"

#include <stddef.h>
#include <stdint.h>

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define FILE_BYTES_MAX 16
#define OTHER_UID      4711

static char root[256], path[512];

static int make_root(void **state)
{
    (void)state;
    if (temporary_make(root) == NULL)
        return -1;
    snprintf(path, sizeof(path), "%s/file", root);
    return 0;
}

static int remove_root(void **state)
{
    (void)state;
    temporary_remove(root);
    return 0;
}

static void write_file(const char *text, mode_t mode)
{
    int fd;

    unlink(path);
    fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, strlen(text)), strlen(text));
    assert_int_equal(fchmod(fd, mode), 0); /* whatever the umask is */
    close(fd);
}

/* Reads the file as it is now; `words` are of the refusal. */
static void expect(enum trusted_file_kind kind, enum error wanted, const char *words)
{
    char why[WHY_SIZE] = "";
    struct buffer text;
    enum error error;

    buffer_init(&text, FILE_BYTES_MAX);
    error = trusted_file_read(path, kind, TRUST_OWN, &text, why);
    if (error != wanted)
        fail_msg("%s: %s", error_text(error), why);
    if (error == OK)
        assert_string_equal(text.length > 0 ? text.data : "", words);
    else
        assert_non_null(strstr(why, words));
    if (error != OK)
        assert_non_null(strstr(why, path));
    buffer_clear(&text);
}

TEST_BETWEEN(test_good, make_root, remove_root)
{
    char link_path[600];

    write_file("text", 0644);
    expect(TRUSTED_FILE_POLICY, OK, "text");
    write_file("", 0444);
    expect(TRUSTED_FILE_POLICY, OK, "");
    write_file("0123456789abcdef", 0600);
    expect(TRUSTED_FILE_SECRET, OK, "0123456789abcdef");
    /* A link is followed: what counts is the file that is read. */
    snprintf(link_path, sizeof(link_path), "%s.real", path);
    assert_int_equal(rename(path, link_path), 0);
    assert_int_equal(symlink(link_path, path), 0);
    expect(TRUSTED_FILE_SECRET, OK, "0123456789abcdef");
    assert_int_equal(chmod(link_path, 0620), 0);
    expect(TRUSTED_FILE_POLICY, ERROR_DENIED, "chmod go-w");
}

TEST_BETWEEN(test_open_to_others, make_root, remove_root)
{
    static const mode_t writable[] = {0620, 0602, 0666, 0622};
    static const mode_t readable[] = {0640, 0604, 0610, 0601};

    for (size_t i = 0; i < 4; i++) {
        write_file("text", writable[i]);
        expect(TRUSTED_FILE_POLICY, ERROR_DENIED, "chmod go-w");
        expect(TRUSTED_FILE_SECRET, ERROR_DENIED, "chmod 600");
        write_file("text", readable[i]);
        expect(TRUSTED_FILE_POLICY, OK, "text");
        expect(TRUSTED_FILE_SECRET, ERROR_DENIED, "chmod 600");
    }
}

/* A private key may be for a group of ours to read, as tools that renew certificates leave it. */
TEST_BETWEEN(test_key_of_a_group, make_root, remove_root)
{
    static const mode_t closed[] = {0400, 0440, 0600, 0640};
    static const mode_t open_to_others[] = {0660, 0650, 0641, 0644, 0604, 0602};

    for (size_t i = 0; i < sizeof(closed) / sizeof(closed[0]); i++) {
        write_file("text", closed[i]);
        expect(TRUSTED_FILE_KEY, OK, "text");
    }
    for (size_t i = 0; i < sizeof(open_to_others) / sizeof(open_to_others[0]); i++) {
        write_file("text", open_to_others[i]);
        expect(TRUSTED_FILE_KEY, ERROR_DENIED, "is open to others");
    }
    if (geteuid() != 0)
        return;
    write_file("text", 0640);
    assert_int_equal(chown(path, (uid_t)-1, OTHER_UID), 0);
    expect(TRUSTED_FILE_KEY, ERROR_DENIED, "belongs to root, uid 0 and has mode 0640");
}

TEST_BETWEEN(test_of_another_user, make_root, remove_root)
{
    if (geteuid() != 0)
        skip(); /* only root can give a file away */
    write_file("text", 0600);
    assert_int_equal(chown(path, OTHER_UID, 0), 0);
    expect(TRUSTED_FILE_POLICY, ERROR_DENIED, "belongs to uid 4711");
    expect(TRUSTED_FILE_SECRET, ERROR_DENIED, "must belong to the user who runs Sidelock");
}

TEST_BETWEEN(test_no_file, make_root, remove_root)
{
    unlink(path);
    expect(TRUSTED_FILE_POLICY, ERROR_NOT_FOUND, "No such file");
    assert_int_equal(mkfifo(path, 0600), 0); /* and nobody waits for its other end */
    expect(TRUSTED_FILE_POLICY, ERROR_INVALID, "regular file");
    unlink(path);
    assert_int_equal(mkdir(path, 0700), 0);
    expect(TRUSTED_FILE_POLICY, ERROR_INVALID, "regular file");
    rmdir(path);
    write_file("0123456789abcdef!", 0600);
    expect(TRUSTED_FILE_POLICY, ERROR_LIMIT, "larger than 16 bytes");
}
