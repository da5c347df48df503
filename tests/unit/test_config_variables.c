/*
 * What "~" and variables in paths stand for: vectors/config/variables.txt; which keys are such
 * paths; and that another process reads the same, and is told no other variable.
 */
#include "config/load.h"
#include "config/variable.h"
#include "setup/bundle.h"

#include "temporary.h"
#include "unit.h"
#include "vector_lines.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#define ENTRIES_MAX 4

/* ---- The vectors ---- */

/* Splits at spaces, in place. */
static void split(char *line, char *entries[ENTRIES_MAX + 1])
{
    size_t count = 0;

    for (char *at = strtok(line, " "); at != NULL; at = strtok(NULL, " ")) {
        assert_true(count < ENTRIES_MAX);
        entries[count++] = at;
    }
    entries[count] = NULL;
}

static void check(const struct vector_line *vector, const char *expected, const char *path)
{
    char *entries[ENTRIES_MAX + 1], *out = NULL, why[WHY_SIZE] = "";
    struct text_list used = {0};
    enum error error;

    split(vector->fields[1], entries);
    error = config_expand(path, &(struct config_variables){entries, &used}, &out, why);
    if (expected[0] == '!') {
        if (error != ERROR_INVALID || strstr(why, expected + 1) == NULL)
            fail_msg("%s: %s%s", vector->fields[0], why, error == OK ? out : "");
        assert_true(error == OK || out == NULL);
    } else if (error != OK || strcmp(out, expected) != 0) {
        fail_msg("%s: %s%s", vector->fields[0], why, error == OK ? out : "");
    }
    for (size_t i = 0; i < used.count; i++) {
        bool set = false;

        for (char **entry = entries; *entry != NULL; entry++)
            set = set || strcmp(*entry, used.items[i]) == 0;
        assert_true(set);
    }
    text_list_clear(&used);
    free(out);
}

TEST(test_vectors)
{
    struct vector_line vector;
    unsigned count = 0;

    vector_open(&vector, VECTORS_DIR "/config/variables.txt");
    for (; vector_next(&vector, 4); count++) {
        struct vector_line expected = {.number = vector.number};
        char *path = text_copy((struct span){vector.text, vector.length}), *words;

        vector_read_text(&expected, vector.fields[2]);
        words = text_copy((struct span){expected.text, expected.length});
        assert_non_null(path);
        assert_non_null(words);
        check(&vector, words, path);
        free(words);
        free(path);
        free(expected.text);
    }
    vector_close(&vector);
    assert_true(count >= 40);
}

/* ---- A whole configuration ---- */

/* Every key that is a path, and words that are none. */
static const char everything[] =
    "{\"state_dir\": \"$A/state\", \"control_socket\": \"~/control\","
    " \"executables\": [\"$A/one\", {\"path\": \"$A/two\", \"args\": [\"[$]A\"]}],"
    " \"surfaces\": {\"a\": {\"why\": \"$A\", \"listen\": [\"localhost:1\"], \"dialect\": \"mcp\","
    "  \"upstream\": {\"socket\": \"$A/socket\"},"
    "  \"tls\": {\"certificate\": \"$A/c\", \"key\": \"$A/k\", \"client_ca\": \"$A/ca\"},"
    "  \"callers\": {\"uids\": [0], \"executables\": [\"$A/caller\"]}},"
    " \"b\": {\"listen\": [\"localhost:2\"], \"dialect\": \"mcp\", \"upstream\": {"
    "  \"command\": [\"~/bin/b\", \"$A\", \"~/x\"], \"env\": {\"V\": \"$A\"}, \"cwd\": \"$A/d\","
    "  \"env_files\": [\"$A/e\"], \"executables\": [\"$A/x\"], \"libraries\": [\"$A/l\"], "
    "\"write\": [\"$A/w\"]}}}}";

static void check_everything(const struct config *config)
{
    const struct surface *a = config_surface(config, "a"), *b = config_surface(config, "b");

    assert_string_equal(config->state_dir, "/of/a/state");
    assert_string_equal(config->control_socket, "/home/me/control");
    assert_string_equal(config->executables[0].path, "/of/a/one");
    assert_string_equal(config->executables[1].path, "/of/a/two");
    assert_string_equal(a->why, "$A");
    assert_string_equal(a->upstream_socket, "/of/a/socket");
    assert_string_equal(a->tls->certificate, "/of/a/c");
    assert_string_equal(a->tls->key, "/of/a/k");
    assert_string_equal(a->tls->client_ca, "/of/a/ca");
    assert_string_equal(a->caller_executables.items[0], "/of/a/caller");
    assert_string_equal(b->command.arguments[0], "/home/me/bin/b");
    assert_string_equal(b->command.arguments[1], "$A");
    assert_string_equal(b->command.arguments[2], "~/x");
    assert_string_equal(b->command.variables[0].value, "$A");
    assert_string_equal(b->command.directory, "/of/a/d");
    assert_string_equal(b->command.environment_files.items[0], "/of/a/e");
    assert_string_equal(b->command.executables.items[0], "/of/a/x");
    assert_string_equal(b->command.libraries.items[0], "/of/a/l");
    assert_string_equal(b->command.writable.items[0], "/of/a/w");
    assert_int_equal(config->variables.count, 2);
}

static void write_file(const char *path, const char *text)
{
    FILE *file = fopen(path, "w");

    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
    assert_int_equal(chmod(path, 0600), 0);
}

/* The bytes of what is handed over. */
static size_t read_sealed(int fd, char *out, size_t size)
{
    ssize_t length = pread(fd, out, size, 0);

    assert_true(length > 0 && (size_t)length < size);
    return (size_t)length;
}

TEST(test_other_processes_read_the_same)
{
    char folder[TEMPORARY_PATH_SIZE], path[TEMPORARY_PATH_SIZE + 16], bytes[16 * 1024];
    struct config_bundle bundle = {.path = NULL}, other = {.path = NULL};
    struct json_faults faults = {.count = 0};
    struct config *config = NULL;
    size_t length;

    assert_non_null(temporary_make(folder));
    snprintf(path, sizeof(path), "%s/sidelock.json", folder);
    write_file(path, everything);
    assert_int_equal(setenv("A", "/of/a", 1) | setenv("HOME", "/home/me", 1) |
                         setenv("SECRET", "of nobody's concern", 1),
                     0);
    assert_int_equal(bundle_read(path, TRUST_OWN, "", &bundle, &faults), OK);
    check_everything(bundle.config);
    assert_int_equal(bundle_seal(&bundle), OK);
    length = read_sealed(bundle.sealed, bytes, sizeof(bytes));
    assert_non_null(memmem(bytes, length, "HOME=/home/me", 13));
    assert_null(memmem(bytes, length, "SECRET", 6));
    assert_int_equal(setenv("A", "/elsewhere", 1) | unsetenv("HOME"), 0);
    assert_int_equal(handover_read(bundle.sealed, getuid(), &config), OK);
    check_everything(config);
    assert_int_equal(bundle_unseal(dup(bundle.sealed), false, &other), OK);
    check_everything(other.config);
    config_destroy(config);
    bundle_clear(&other);
    bundle_clear(&bundle);
    temporary_remove(folder);
}
