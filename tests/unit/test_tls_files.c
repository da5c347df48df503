/* Whose files are taken for TLS: modes, owners and sizes; what is in them is certificate.c's. */
#include "system/trusted_file.h"

#include "system/authority.h"
#include "temporary.h"
#include "unit.h"

#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define NOW 1800000000

#define FILE_SIZE (TEMPORARY_PATH_SIZE + 16)

static char folder[TEMPORARY_PATH_SIZE];
static char certificate[FILE_SIZE], key[FILE_SIZE], authority_file[FILE_SIZE], absent[FILE_SIZE];
static struct authority_pair authority, server;

static void write_file(const char *path, const char *bytes, size_t length, mode_t mode)
{
    int fd;

    unlink(path);
    fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode);
    assert_true(fd >= 0);
    assert_int_equal(fchmod(fd, mode), 0); /* whatever the umask is */
    assert_int_equal(write(fd, bytes, length), length);
    close(fd);
}

static void write_text(const char *path, const struct buffer *text, mode_t mode)
{
    write_file(path, text->data, text->length, mode);
}

static int set_up(void **state)
{
    char localhost[] = "localhost", *items[] = {localhost};
    struct text_list names = {.items = items, .count = 1};

    (void)state;
    if (temporary_make(folder) == NULL || authority_create("Test", NOW, 10, &authority) != OK ||
        authority_issue(
            &authority,
            &(struct authority_request){
                .use = AUTHORITY_SERVER, .subject = "s", .names = &names, .now = NOW, .days = 5},
            &server) != OK)
        return -1;
    snprintf(certificate, sizeof(certificate), "%s/server.pem", folder);
    snprintf(key, sizeof(key), "%s/server.key", folder);
    snprintf(authority_file, sizeof(authority_file), "%s/ca.pem", folder);
    snprintf(absent, sizeof(absent), "%s/absent", folder);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    authority_pair_clear(&authority);
    authority_pair_clear(&server);
    temporary_remove(folder);
    return 0;
}

CMFixtureFunction unit_set_up = set_up, unit_tear_down = tear_down;

static int write_all(void **state)
{
    (void)state;
    write_text(certificate, &server.certificate, 0644);
    write_text(key, &server.key, 0600);
    write_text(authority_file, &authority.certificate, 0644);
    return 0;
}

static void expect(const struct surface_tls *tls, int64_t now, const char *member,
                   const char *words)
{
    struct tls_files_fault fault;
    struct tls_files files;

    assert_int_equal(tls_files_read(tls, now, &files, &fault), ERROR_INVALID);
    assert_string_equal(fault.member, member);
    if (strstr(fault.text, words) == NULL)
        fail_msg("\"%s\" does not say \"%s\"", fault.text, words);
    assert_non_null(strstr(fault.text, folder));
}

TEST_BETWEEN(test_good, write_all, NULL)
{
    struct surface_tls tls = {certificate, key, authority_file};
    struct tls_files_fault fault;
    struct tls_files files;

    assert_int_equal(tls_files_read(&tls, NOW, &files, &fault), OK);
    assert_string_equal(files.certificate.data, server.certificate.data);
    assert_string_equal(files.key.data, server.key.data);
    assert_string_equal(files.client_ca.data, authority.certificate.data);
    assert_string_equal(files.facts.subject, "CN=s,O=Sidelock");
    tls_files_clear(&files);
    tls.client_ca = NULL;
    assert_int_equal(tls_files_read(&tls, NOW, &files, &fault), OK);
    assert_null(files.client_ca.data);
    tls_files_clear(&files);
}

TEST_BETWEEN(test_absent, write_all, NULL)
{
    struct surface_tls tls = {absent, key, authority_file};

    expect(&tls, NOW, "certificate", "cannot be opened: No such file");
    tls = (struct surface_tls){certificate, absent, authority_file};
    expect(&tls, NOW, "key", "cannot be opened: No such file");
    tls = (struct surface_tls){certificate, key, absent};
    expect(&tls, NOW, "client_ca", "cannot be opened: No such file");
    tls = (struct surface_tls){folder, key, NULL};
    expect(&tls, NOW, "certificate", "not a regular file");
}

TEST_BETWEEN(test_modes, write_all, NULL)
{
    struct surface_tls tls = {certificate, key, authority_file};

    write_text(key, &server.key, 0660);
    expect(&tls, NOW, "key", "open to others");
    write_text(key, &server.key, 0604);
    expect(&tls, NOW, "key", "open to others");
    write_text(key, &server.key, 0400);
    write_text(certificate, &server.certificate, 0664);
    expect(&tls, NOW, "certificate", "changed by others");
    write_text(certificate, &server.certificate, 0644);
    write_text(authority_file, &authority.certificate, 0646);
    expect(&tls, NOW, "client_ca", "changed by others");
}

TEST_BETWEEN(test_owner, write_all, NULL)
{
    struct surface_tls tls = {certificate, key, NULL};

    if (getuid() != 0)
        skip();
    assert_int_equal(chown(key, 65534, 65534), 0);
    expect(&tls, NOW, "key", "belongs to uid 65534");
}

TEST_BETWEEN(test_content, write_all, NULL)
{
    struct surface_tls tls = {certificate, key, authority_file};
    char *large = malloc(TLS_FILES_BYTES_MAX + 1);

    assert_non_null(large);
    memset(large, 'x', TLS_FILES_BYTES_MAX + 1);
    write_file(authority_file, large, TLS_FILES_BYTES_MAX + 1, 0600);
    expect(&tls, NOW, "client_ca", "larger than");
    free(large);
    write_file(authority_file, "", 0, 0600);
    expect(&tls, NOW, "client_ca", "does not hold PEM");
    write_file(authority_file, "a\0b", 3, 0600);
    expect(&tls, NOW, "client_ca", "does not hold PEM");
    write_text(authority_file, &server.certificate, 0600);
    expect(&tls, NOW, "client_ca", "not an authority's");
    write_text(key, &authority.key, 0600);
    expect(&tls, NOW, "key", "does not belong to the certificate");
    write_text(key, &server.key, 0600);
    write_text(authority_file, &authority.certificate, 0600);
    expect(&tls, NOW + 6 * 86400, "certificate", "expired");
}
