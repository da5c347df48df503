/* What a command that is wrapped is taken for, and the configuration that it gets. */
#include "cli/wrap/recipe.h"

#include "base/text.h"
#include "config/load.h"

#include "unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

TEST(test_named_by_what_it_is_called)
{
    static const struct {
        const char *command, *name;
    } cases[] = {{"python3", "python3"},
                 {"/opt/My Server.bin", "my-server-bin"},
                 {"./run.sh", "run-sh"},
                 {"/usr/bin/..", "service"},
                 {"", "service"},
                 {"\xc3\xa4", "service"},
                 {"a/", "service"},
                 {"--", "service"},
                 {"/opt/Broker", "service"},
                 {"brokers", "brokers"},
                 {"UPPER_case", "upper-case"},
                 {"a234567890123456789012345678901234567890", "a2345678901234567890123456789012"}};

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char name[RECIPE_NAME_SIZE] = "";

        recipe_name(cases[i].command, name);
        assert_string_equal(name, cases[i].name);
        assert_true(text_is_name(name));
    }
}

/* Only what a command line says for certain, on the very port. */
TEST(test_taken_for_what_it_certainly_is)
{
    static const struct {
        const char *command;
        uint16_t port;
        const char *dialect;
    } cases[] = {
        {"chromium --headless --remote-debugging-port=9222", 9222, "cdp"},
        {"/usr/bin/google-chrome --remote-debugging-port=0", 43211, "cdp"},
        {"chromium --remote-debugging-port=9222", 9223, NULL},
        {"chromium --headless", 9222, NULL},
        {"not-chromium --remote-debugging-port=9222", 9222, NULL},
        {"node --inspect app.js", 9229, "node-inspector"},
        {"node --inspect=127.0.0.1:9230 app.js", 9230, "node-inspector"},
        {"node --inspect-brk=9231 app.js", 9231, "node-inspector"},
        {"node --inspect app.js", 3000, NULL},
        {"node app.js --inspect", 9229, NULL},
        {"node --inspector app.js", 9229, NULL},
        {"autogenstudio ui", 8081, "autogen-studio"},
        {"autogenstudio version", 8081, NULL},
        {"autogenstudio", 8081, NULL},
        {"python3 -m http.server", 8000, NULL},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char text[128], *words[8] = {NULL}, *rest = text;
        const char *guess;

        snprintf(text, sizeof(text), "%s", cases[i].command);
        for (size_t j = 0; j < 7 && rest != NULL; j++)
            words[j] = strsep(&rest, " ");
        guess = recipe_guess(words, cases[i].port);
        assert_string_equal(guess != NULL ? guess : "none",
                            cases[i].dialect != NULL ? cases[i].dialect : "none");
    }
}

/* Whatever the dialect, and whatever the words of the command. */
TEST(test_a_configuration_that_is_read)
{
    static const char *const dialects[] = {
        NULL, "mcp", "autogen-studio", "cdp", "node-inspector", "json-rpc", "opaque"};
    static char program[] = "/bin/$cat", nothing[] = "", odd[] = "$HOME \"quoted\" \\ \n";
    static char *const command[] = {program, nothing, odd, NULL};
    static char *programs[] = {program};
    static char https[] = "443", linked[] = "169.254.0.0/16", *ports_of[] = {https};
    static char *networks_of[] = {linked};
    static const struct text_list executables = {.items = programs, .count = 1};
    static const struct text_list ports = {.items = ports_of, .count = 1};
    static const struct text_list networks = {.items = networks_of, .count = 1};

    for (size_t i = 0; i < sizeof(dialects) / sizeof(dialects[0]); i++) {
        const struct recipe recipe = {.surface = "one",
                                      .state_dir = "/run/${HOME}/state",
                                      .control_socket = "/run/one/control.sock",
                                      .dialect = dialects[i],
                                      .command = command,
                                      .directory = "/srv/$HOME/~/$$",
                                      .executables = &executables,
                                      .libraries = &executables,
                                      .ports = &ports,
                                      .networks = &networks,
                                      .environment_file =
                                          i % 2 == 0 ? "/run/one/environment" : NULL,
                                      .port = 8081};
        static struct json_faults faults;
        struct config *config = NULL;
        char *text = recipe_write(&recipe, 8081);
        enum error error;

        assert_non_null(text);
        error = config_load(text, strlen(text), NULL, 0, 0, &config, &faults);
        assert_string_equal(faults.count > 0 ? faults.items[0].text : "", "");
        assert_int_equal(error, OK);
        assert_true(config_surface(config, "one")->listen[0].port == 8081);
        assert_string_equal(config_surface(config, "one")->command.arguments[2], command[2]);
        assert_string_equal(config->state_dir, recipe.state_dir);
        assert_string_equal(config_surface(config, "one")->command.directory, recipe.directory);
        assert_string_equal(config_surface(config, "one")->command.executables.items[0], program);
        assert_int_equal(config_surface(config, "one")->command.connect.ports[0], 443);
        assert_string_equal(config_surface(config, "one")->command.connect.refused.items[0],
                            linked);
        config_destroy(config);
        free(text);
    }
}

/* It has no port of its own: the gate has the one that is asked for. */
TEST(test_written_for_standard_input_and_output)
{
    static char program[] = "/bin/cat";
    static char *const command[] = {program, NULL};
    static const struct text_list none = {0};
    static struct json_faults faults;
    const struct recipe recipe = {.surface = "one",
                                  .state_dir = "/run/one/state",
                                  .control_socket = "/run/one/control.sock",
                                  .dialect = "mcp",
                                  .command = command,
                                  .directory = "/srv",
                                  .executables = &none,
                                  .libraries = &none,
                                  .ports = &none,
                                  .networks = &none,
                                  .port = 4711,
                                  .stdio = true};
    struct config *config = NULL;
    char *text = recipe_write(&recipe, 8081);

    assert_non_null(text);
    assert_int_equal(config_load(text, strlen(text), NULL, 0, 0, &config, &faults), OK);
    assert_true(config_surface(config, "one")->upstream_stdio);
    assert_int_equal(config_surface(config, "one")->command.port, 0);
    assert_int_equal(config_surface(config, "one")->listen[0].port, 8081);
    config_destroy(config);
    free(text);
}

/* No word is left out. */
TEST(test_none_of_what_cannot_be_written)
{
    static char program[] = "/bin/cat", odd[] = "\xff";
    static char *const command[] = {program, odd, program, NULL};
    static char *const plain[] = {program, NULL};
    static const struct text_list none = {0};
    struct recipe recipe = {.surface = "one",
                            .state_dir = "/run/one/state",
                            .control_socket = "/run/one/control.sock",
                            .command = command,
                            .directory = "/srv",
                            .executables = &none,
                            .libraries = &none,
                            .ports = &none,
                            .networks = &none};

    assert_null(recipe_write(&recipe, 1));
    recipe.command = plain;
    recipe.directory = "/\xff";
    assert_null(recipe_write(&recipe, 1));
}
