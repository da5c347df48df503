#include "cli/verbs.h"

#include "cli/cmd.h"

const struct verb verbs[] = {
    {"serve", cmd_serve, "sidelock serve [-c FILE] [--ready-fd N]",
     "run the gate in the foreground",
     "Opens every surface's listener and the control socket, starts the workers and stays. When\n"
     "all of it is up, one line is written to descriptor N and systemd is notified. SIGTERM\n"
     "drains and ends with 0; SIGHUP opens the audit log anew and reads certificates again."},
    {"check", cmd_check, "sidelock check [-c FILE] [--json]", "validate the configuration",
     "Prints each fault with its JSON pointer and line; exits with 78 if there is any."},
    {"params", cmd_params,
     "sidelock params put NAME [--surface S] FILE|-\n"
     "sidelock params list\n"
     "sidelock params show NAME [--reveal]\n"
     "sidelock params rm NAME",
     "keep parameter records",
     "A parameter record is a JSON object with what a service is launched with. It is stored\n"
     "sealed; sessions refer to it by name and are bound to its content: putting another content\n"
     "or removing the record cuts the live connections of its sessions. A `command` in it must be\n"
     "permitted by \"executables\". With --surface only sessions of that surface may use it.\n"
     "`show` masks every string and number in the record but type, command, cwd and the host of\n"
     "a url; under env and headers it masks everything. --reveal prints the record as it was\n"
     "put, and the audit log says who asked. --json prints the answers as JSON."},
    {"session", cmd_session,
     "sidelock session create SURFACE [--params NAME] [--ttl 15m] [--allow VERB]...\n"
     "                        [--tool GLOB]... [--caller uid=N]... [--once]\n"
     "                        [--print mcp-json|curl|env]\n"
     "sidelock session list\n"
     "sidelock session show ID\n"
     "sidelock session renew ID [--ttl 15m]\n"
     "sidelock session revoke ID | --all [--surface S]\n"
     "sidelock session ticket ID",
     "make, list and revoke sessions",
     "`create` prints the token alone, which exists nowhere else; with --json also id, surface,\n"
     "expires_at and digest. --ttl is a number with s, m, h or d, at most 7d. --allow and --tool\n"
     "narrow what the surface allows: verbs, and globs for targets. --caller limits which users\n"
     "may use the token. --once lets the token in once. --print prints a snippet instead: an "
     "entry\n"
     "for an MCP client's configuration, a curl command, or variables for a shell.\n"
     "`renew` lets a live session live for another --ttl from now and prints its new token; the\n"
     "token before it is good no longer, live connections go on.\n"
     "`revoke` closes the session's live connections at once.\n"
     "`ticket` prints a ticket, good once and for 60 seconds, for clients that cannot send a\n"
     "header: it goes into the WebSocket subprotocol sidelock.ticket.TICKET."},
    {"open", cmd_open,
     "sidelock open SURFACE [--host HOST] [--params NAME] [--ttl 8h] [--allow VERB]...\n"
     "              [--tool GLOB]... [--caller uid=N] [--json]",
     "log a browser in",
     "Makes a session and prints one address, alone: opened in a browser within 60 seconds, once,\n"
     "it logs the browser in and leads to the surface's first page. --host chooses another of the\n"
     "surface's names than NAME.localhost, which keeps its cookies apart from other services'.\n"
     "The other options are those of `session create`. `sidelock session revoke` ends it, and so\n"
     "does the page /.sidelock/logout."},
    {"connect", cmd_connect,
     "sidelock connect SURFACE [--params NAME] [--ttl 15m] [--allow VERB]... [--tool GLOB]...\n"
     "                 [--path PATH] [--websocket] [--cert FILE --key FILE]",
     "carry MCP over stdio through the gate",
     "For MCP clients that start a program and speak to it over standard input and output. It\n"
     "makes its own session, with the options of `session create`, renews it before it ends and\n"
     "revokes it at the end. It uses the surface's mcp-http route, /mcp rather than another, or\n"
     "else its WebSocket; --path and --websocket choose. Over TLS it accepts the very certificate\n"
     "that the running Sidelock names, and shows --cert. When the gate or the service goes away,\n"
     "requests without an answer get error -31404 and the connection is made again, with the\n"
     "client's own `initialize`; what else a service keeps for its client (subscriptions, the log\n"
     "level) is for the client to repeat."},
    {"kill", cmd_kill, "sidelock kill SURFACE | --all", "throw a surface's kill switch",
     "Cuts every live connection of the surface and answers 503 from then on, also after a\n"
     "restart, until `sidelock arm`."},
    {"arm", cmd_arm, "sidelock arm SURFACE | --all", "undo the kill switch",
     "Lets the surface serve again. Sessions that are still good work again."},
    {"status", cmd_status, "sidelock status [--watch] [--json]",
     "surfaces, sessions, connections, counters",
     "PASSED and REFUSED count messages; in observe mode REFUSED counts what would have been.\n"
     "--watch shows it anew every second."},
    {"vet", cmd_vet, "sidelock vet --surface S [--session ID] [--direction c2s|s2c] [--route PATH]",
     "vet messages from standard input",
     "Reads one message a line and prints {\"verdict\",\"reason\",\"verb\",\"target\"} for each, "
     "from\n"
     "the same code as the gate, without a service running. --session asks a running Sidelock\n"
     "for what the session narrows; --route picks one of several routes by its path,\n"
     "of WebSockets or of MCP over HTTP; the first of these is taken without it."},
    {"explain", cmd_explain,
     "sidelock explain --surface S [--method M] PATH [-H 'Name: value']... [--plain]\n"
     "                 [--caller uid=N] [--certificate SHA256] [--session ID]",
     "which rule would admit or deny a request",
     "Works from the configuration alone, step by step. PATH may bring a query. The request is\n"
     "taken to come from this user, to this surface's own Host, and to be a WebSocket upgrade\n"
     "where the path has such a route; where it has HTTP alone, with another method than GET, or\n"
     "with --plain, it is a plain request. --session asks a running Sidelock about a session\n"
     "and takes its token to be presented. Exits with 1 if the request would be denied."},
    {"audit", cmd_audit,
     "sidelock audit verify [--json] [LOG]...\n"
     "sidelock audit tail [-n LINES] [--no-follow] [LOG]",
     "check the audit log, follow it",
     "Without a LOG it is the configured one. `verify` checks the hash chain, of several files in\n"
     "the order they are named, and exits with 1 if it is broken. `tail` prints the last lines\n"
     "and then new ones as they are written."},
    {"register", cmd_register, "sidelock register [--format md|json]",
     "the loopback exception register",
     "One row for each surface, eight columns; each cell says whether it is proven from live\n"
     "state or claimed by the configuration. Without a running Sidelock everything is claimed."},
    {"reload", cmd_reload, "sidelock reload [--json]", "read certificates again",
     "Reads the certificates and keys of all surfaces that speak TLS, as SIGHUP does, and opens "
     "the\n"
     "audit log anew. New connections see the new certificates, live ones go on. If a file is not\n"
     "fit, everything stays as it was. The configuration itself is read at start alone."},
    {"certs", cmd_certs,
     "sidelock certs init [--dir DIR] [--name NAME]... [--days N] [--ca-days N] [--force]\n"
     "                    [--client NAME]\n"
     "sidelock certs show [--dir DIR] [--json]",
     "a local authority and a certificate for the loopback names",
     "`init` makes an authority that can vouch for localhost, NAME.localhost and loopback "
     "addresses\n"
     "alone, and a certificate for 30 days: for localhost, 127.0.0.1, ::1, NAME.localhost of each\n"
     "configured surface and every --name. Run again, it renews the certificate and keeps the\n"
     "authority; with --force that is new as well. --client makes a client's certificate instead.\n"
     "They are kept in DIR: else in `certs` in the configuration's state_dir, or without a\n"
     "configuration in ~/.config/sidelock/certs. `show` prints them, what to put into the\n"
     "configuration, and how to have clients trust the authority."},
    {"help", cmd_help, "sidelock help [VERB | reasons [--json]]", "this page",
     "`help reasons` lists every reason code with its HTTP status and WebSocket close code."},
    {"worker", cmd_worker, NULL, NULL, NULL},
    {NULL, NULL, NULL, NULL, NULL},
};
