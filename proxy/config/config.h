/*
 * The configuration: loaded once, checked completely, immutable afterwards.
 * Shapes and defaults are the contract's (config/sidelock.schema.json); this is
 * their form in memory. load.h reads it.
 */
#pragma once

#include "dialect/dialect.h"
#include "json/scan.h"

#define CONFIG_SURFACES_MAX     64
#define CONFIG_SLOTS_MAX        (2 * CONFIG_SURFACES_MAX) /* of those in force, and those that go */
#define CONFIG_SLOT_TELEMETRY   CONFIG_SLOTS_MAX          /* in the place of a surface's */
#define CONFIG_CONNECTIONS_ROOM 4096                      /* for surfaces that a reload adds */
#define CONFIG_ROUTES_MAX       64
#define CONFIG_LISTEN_MAX       8
#define CONFIG_WORKERS_MAX      16
#define JSON_FAULTS_MAX         64
#define CONFIG_NAME_BYTES_MAX   TEXT_NAME_BYTES_MAX
#define CONFIG_SOCKET_BYTES_MAX 107 /* what sun_path holds beside its NUL (unix(7)) */
#define CONFIG_READY_BYTES_MAX  255 /* of the path that says so */
#define CONFIG_UIDS_MAX         64
#define CONFIG_GIDS_MAX         64
#define CONFIG_PROGRAMS_MAX     64 /* that may call */
#define CONFIG_CERTIFICATES_MAX 64
#define CONFIG_NETWORKS_MAX     64  /* whose clients may call */
#define CONFIG_ALLOW_MAX        256 /* entries of one allow list */
#define CONFIG_HOSTS_MAX        32  /* hosts, and origins */
#define CONFIG_WORKER_MEMORY    (192 * 1024 * 1024)
#define CONFIG_MEMORY_MIN       (8 * 1024 * 1024)   /* of worker_memory_bytes */
#define CONFIG_ANSWER_BYTES_MAX (256 * 1024 * 1024) /* of max_answer_bytes */
#define CONFIG_DEPTH_MAX        4096                /* of what messages hold */
/* Of one answer: scanning a value costs up to 20 ns, and meanwhile nobody else is served. */
#define CONFIG_ANSWER_VALUES_MAX 4000000
#define CONFIG_EXECUTABLES_MAX   64
#define CONFIG_RATE_MAX          1000000 /* of requests, messages and connections a second; of sessions */
#define CONFIG_MESSAGE_SECONDS   10 /* in which the largest message is paid for at its rate */

enum route_kind {
    ROUTE_WEBSOCKET = 1,
    ROUTE_HTTP, /* requests and answers pass; nobody looks into them but for `body` and `answer` */
    ROUTE_MCP_HTTP, /* MCP's Streamable HTTP and its older HTTP+SSE: every message is vetted */
    ROUTE_CLOSED,   /* nobody: an exception from the routes after it */
};

enum inject_encoding {
    INJECT_TEXT = 1,    /* a string value as it is */
    INJECT_JSON,        /* compact JSON */
    INJECT_BASE64_JSON, /* standard base64 of compact JSON; percent-encoded on the wire */
    INJECT_SHELL_WORDS, /* an array of strings, each in single quotes, for services that split */
};

struct config_pattern; /* pattern.h */

struct query_pass {
    char *name;
    struct config_pattern *pattern;
};

struct query_inject {
    char *name;
    char *from; /* JSON pointer into the session's parameter record; "" is all of it */
    enum inject_encoding encoding;
};

/*
 * What the gate asks of the service before it opens the WebSocket: a POST
 * whose answer names the path's last part (AutoGen Studio after its fix).
 */
struct route_prepare {
    char *path;   /* POST here */
    char *member; /* the body is {member: value}, */
    char *from;   /* value by JSON pointer out of the session's parameter record */
    char *answer; /* member of the JSON answer whose string value ... */
    char *then;   /* ... replaces {answer} in this path of the upgrade request */
};

/*
 * A request whose body the client may not choose: it must be a JSON object
 * whose `member` equals the stored value, and the service gets {member: stored}.
 */
struct route_body {
    char *member;
    char *from; /* JSON pointer into the session's parameter record */
};

/* URLs in a JSON answer that name the service's own address. */
struct route_answer {
    struct text_list
        urls; /* string members of the top object, or of the objects in the top array */
    bool strip_query;
};

enum host_upstream {
    HOST_UPSTREAM_PORT = 0,  /* localhost, with the port that the client came to */
    HOST_UPSTREAM_LOCALHOST, /* without a port */
    HOST_UPSTREAM_PUBLIC,    /* the client's own */
    HOST_UPSTREAM_FIXED,
};

/* What the service is told as Host. */
struct config_host {
    enum host_upstream kind;
    char *fixed; /* with HOST_UPSTREAM_FIXED */
};

struct route {
    /* Exact, or with {name} segments that match one non-empty segment; a last one, {name...},
     * matches what is left, also nothing. */
    char *path;
    enum route_kind kind;
    bool query_set;            /* false on an HTTP route: the client's query passes as it is */
    bool subprotocol_required; /* refuse a client that offers none of the subprotocols */
    bool any_subprotocol;      /* whatever the client offers is spoken */
    bool binary;               /* binary messages may pass (opaque vocabularies only) */
    const struct vocabulary *vocabulary; /* borrowed from the surface's dialect */
    struct query_pass *pass;
    size_t pass_count;
    struct query_inject *inject;
    size_t inject_count;
    char *query_bearer;            /* a parameter that becomes Authorization: Bearer; NULL: none */
    struct text_list methods;      /* ROUTE_HTTP; upper case */
    struct route_body *body;       /* NULL: the client's own; ROUTE_HTTP */
    struct route_answer *answer;   /* NULL: as it comes; ROUTE_HTTP */
    struct route_prepare *prepare; /* NULL: none */
    struct text_list headers;      /* request headers forwarded, lower case */
    struct text_list subprotocols; /* empty: none is spoken, none forwarded */
    struct config_host host;
    char *match_from; /* JSON pointer into the parameter record for a verb's match_key */
};

struct listen_address {
    char *text;    /* as written */
    char *host;    /* "127.0.0.1", "::1", another address, each as the kernel writes it, so that
                      texts can be compared; "localhost" binds both loopbacks */
    uint16_t port; /* 0: any, for tests */
    bool loopback;
};

enum surface_mode { MODE_ENFORCE = 0, MODE_OBSERVE };
/* What becomes of strings with escapes that spell no Unicode text, where nothing goes by them. */
enum unpaired_mode { UNPAIRED_PASS = 0, UNPAIRED_REFUSE };
enum refusal_mode { ON_REFUSAL_ANSWER = 0, ON_REFUSAL_CLOSE };

struct surface_limits {
    uint32_t max_message_bytes; /* one application message of a client's */
    uint32_t max_answer_bytes;  /* and one of the service's, or an answer that is looked into */
    uint32_t max_message_depth; /* objects and arrays within each other; the same two */
    uint32_t max_answer_depth;
    uint32_t max_connections; /* of the surface, in one worker */
    uint32_t max_connections_per_caller;
    uint32_t max_connections_per_session; /* seven eighths of those of a caller, if not set */
    uint32_t max_sessions;                /* that live, of the surface; 0: as many as are made */
    /* Of a session; 0: as many as come. */
    uint32_t requests_per_second;
    uint32_t messages_per_second;
    uint32_t bytes_per_second;       /* of its messages and bodies */
    uint32_t connections_per_second; /* of a caller, new ones; 0: as many as come */
    bool rated;                      /* one of these was written: one process counts */
    uint32_t upstream_timeout_ms;    /* connect and prepare together */
    uint32_t upgrade_timeout_ms;     /* from the upgrade request to the service's 101 */
    uint32_t message_timeout_ms;     /* from the first byte of a message to its last */
    uint32_t idle_timeout_ms;        /* no message in either direction; 0: never */
    uint32_t ping_interval_ms;       /* the gate's own pings; no pong within another: closed */
    uint32_t write_timeout_ms;       /* a client that takes no byte for this long is cut */
    uint32_t max_body_bytes;         /* of an HTTP request that is not held for vetting */
    uint32_t body_timeout_ms;        /* an HTTP body of which no byte comes for this long is cut, or
                                        that is behind its least pace by this much (base/pace.h) */
    uint32_t request_timeout_ms;     /* from an HTTP request's head to the last byte of its body */
    uint32_t response_timeout_ms;    /* from an HTTP request to the head of its answer */
};

/* Paths of PEM files; the broker reads them. */
struct surface_tls {
    char *certificate; /* with its chain */
    char *key;
    char *client_ca; /* NULL: clients are not asked for a certificate */
};

struct command_variable {
    char *name, *value;
};

enum command_restart { RESTART_ALWAYS = 0, RESTART_ON_FAILURE, RESTART_NEVER };
enum command_start { START_AT_ONCE = 0, START_ON_DEMAND };

/* When one is, that listens. */
struct surface_readiness {
    char *path;         /* that it answers, with its query; NULL: at once */
    uint32_t timeout_s; /* which it has for that, from listening on */
};

/* What each tree of a service may use, with all that descends from it; 0: as much as there is. */
struct surface_use {
    uint32_t memory_mib;
    uint32_t processes; /* and threads */
};

/* Where it may connect to. */
struct surface_connect {
    uint32_t *ports; /* by TCP; these alone if they were said */
    size_t port_count;
    struct text_list refused; /* networks, as base/subnet.h reads them */
    bool ports_limited;
    bool no_datagrams;
};

/* A service that is launched: what runs, as whom, and what it finds. */
struct surface_command {
    char **arguments;      /* the first is looked for in PATH unless it has a '/' */
    size_t argument_count; /* 0: nothing is launched */
    struct command_variable *variables;
    size_t variable_count;
    struct text_list environment_files; /* absolute paths; secrets are in there */
    char *directory;                    /* NULL: "/" */
    char *user;                         /* a name or a uid; NULL: whoever runs Sidelock */
    uint32_t port;                      /* of its listeners, the one that is served; 0: the first */
    enum command_restart restart;       /* when it has ended by itself */
    enum command_start start;
    struct surface_readiness ready;
    uint32_t idle_stop_s;         /* nobody asks for it for so long: it is ended; 0: it is not */
    struct text_list executables; /* what it may execute beside itself; absolute paths */
    bool execute_anything;
    struct text_list libraries; /* directories that code is loaded from; absolute paths */
    struct text_list writable;  /* what it may write; absolute paths */
    bool write_limited;         /* and nothing else */
    struct surface_connect connect;
    struct text_list required; /* names of fences without which it is not to run */
    struct surface_use use;
};

/* Addresses with the same first bits; IPv4 is ::ffff:a.b.c.d, with 96 bits more. */
struct config_network {
    char *text; /* as written */
    uint8_t address[16];
    uint8_t bits;
};

/* Whether the network namespace of a "tcp" upstream is the machine's own: found out, or said. */
enum upstream_namespace { NAMESPACE_PROVEN = 0, NAMESPACE_SHARED };

struct surface {
    char *name;
    char *why;    /* may be NULL: a finding in the register */
    char *can_do; /* may be NULL */
    struct listen_address *listen;
    size_t listen_count;
    char *upstream_socket;              /* absolute path; NULL: there is a command, or an address */
    struct listen_address upstream_tcp; /* at which it listens by itself; `host` NULL: nowhere */
    struct surface_command command;
    char *upstream_owner; /* who may listen there beside root and this user: a uid, or a user's
                             name that the readers of files look up; NULL: nobody */
    struct text_list
        hosts; /* as configured; empty: loopback names and NAME.localhost, with the port */
    struct config_host host;  /* towards the service, where a route says nothing else */
    struct text_list origins; /* as configured; empty: http:// and the default hosts */
    struct dialect *dialect;  /* owned */
    enum upstream_namespace upstream_namespace;
    enum surface_mode mode;
    enum refusal_mode on_refusal;
    uint32_t *caller_uids; /* resolved: "self" is the uid that loads */
    size_t caller_uid_count;
    uint32_t *caller_gids; /* groups whose members may call, too */
    size_t caller_gid_count;
    struct config_network *caller_networks; /* whose addresses may call */
    size_t caller_network_count;            /* 0: any address */
    struct text_list caller_executables;    /* of those users; empty: any program of theirs */
    struct text_list caller_certificates;   /* SHA-256, hex; empty: none is asked for */
    struct surface_tls *tls;                /* NULL: plain */
    struct text_list allow_verbs, allow_targets, allow_server_verbs;
    struct text_list extensions;   /* the names; their verbs are in the dialect */
    struct text_list allow_reopen; /* verbs that the dialect closed; it was opened for them */
    bool allow_verbs_set, allow_targets_set, allow_server_verbs_set; /* absent is not empty */
    bool callers_named;   /* false: any caller; a failed look-up is then no denial */
    bool note_executable; /* the program that calls is written to the audit log */
    bool allow_non_loopback;
    bool upstream_stdio; /* MCP over standard input and output; no command: the sessions' records
                            name one */
    struct route *routes;
    size_t route_count;
    struct surface_limits limits;
    enum unpaired_mode unpaired;
    struct json_limits json_limits[DIRECTION_COUNT]; /* what a message may hold, by who says it */
};

struct executable_rule {
    char *path;                   /* absolute */
    char *sha256;                 /* hex; NULL: not pinned */
    struct config_pattern **args; /* each argument must match one of them */
    size_t args_count;
    bool args_set; /* false: any arguments */
};

/* Where metrics can be read, and whether all is well; text and socket NULL: nowhere. */
struct config_telemetry {
    struct listen_address listen;
    char *socket;           /* instead of an address: absolute path */
    struct text_list hosts; /* that may be asked for beside loopback names and addresses */
    bool allow_non_loopback;
};

/* What a grant is worth whose line cannot be written to the audit log. */
enum audit_failure { AUDIT_FAILURE_DENY = 0, AUDIT_FAILURE_CONTINUE };

struct config {
    char *state_dir;
    char *control_socket; /* <state_dir>/control.sock unless it is set */
    uint32_t workers;
    /* What a worker keeps at most of messages and bodies that are not whole, and of what is not
     * taken. If it is not set: CONFIG_WORKER_MEMORY, or more where large messages may be sent. */
    uint32_t worker_memory_bytes;
    enum audit_failure on_audit_failure;
    struct config_telemetry telemetry;
    uint32_t *operator_uids; /* beside the uid that runs Sidelock and root */
    size_t operator_uid_count;
    struct executable_rule *executables;
    size_t executable_count;
    struct surface *surfaces;
    size_t surface_count;
    struct text_list variables; /* NAME=value of each that its paths name, as it was found */
};

/* A dialect pack that the configuration names by a path, with a '/'; others are compiled in. */
struct config_pack {
    const char *name; /* as the configuration has it */
    const char *text;
    size_t length;
    const char *why; /* the sentence why it cannot be used; NULL: it can */
};

/*
 * The Host towards the service, as the route says, given the one that the client named and the port
 * that it came to. Points into one of them, or into `room`.
 */
#define CONFIG_LOCALHOST_SIZE sizeof("localhost:65535")
const char *config_route_host(const struct route *route, const char *client_host, uint16_t port,
                              char room[CONFIG_LOCALHOST_SIZE]);
/* Whether its service is launched; else it listens by itself, on a socket or an address. */
static inline bool surface_is_launched(const struct surface *surface)
{
    return surface->command.argument_count > 0 || surface->upstream_stdio;
}

/* Whether it is the launcher that connects to its service: it starts it, or proves that its port is
 * nobody else's to reach. */
static inline bool surface_needs_launcher(const struct surface *surface)
{
    return surface_is_launched(surface) || surface->upstream_tcp.host != NULL;
}

/* Whether what its processes run stands in the sessions' parameter records. */
static inline bool surface_runs_records(const struct surface *surface)
{
    return surface->upstream_stdio && surface->command.argument_count == 0;
}

/* What all surfaces may have in one worker. */
size_t config_connections(const struct config *config);
static inline bool config_has_telemetry(const struct config *config)
{
    return config->telemetry.listen.text != NULL || config->telemetry.socket != NULL;
}
/* Whether any surface has rules about programs that call, or wants them noted. */
bool config_names_programs(const struct config *config);
/* Whether the gate listens at this address on this port, or is about to, for a surface or for
 * "telemetry": nobody else can. */
bool config_listens_at(const struct config *config, const char *host, uint16_t port);
/* "172.18.0.0/16", "10.0.0.5", "fd00::/8": false: it is none, or has bits set beyond its prefix. */
bool config_network_parse(const char *text, struct config_network *out);
/* An address alone, IPv4 as above. */
bool config_address_parse(const char *text, uint8_t out[16]);
/* Whether whoever connects to the address `host`, on its port, comes to that listener. */
bool config_listen_takes(const struct listen_address *listen, const char *host);
bool config_network_has(const struct config_network *network, const uint8_t address[16]);
/* Whether the surface's networks keep anybody out: not where one has all of IPv4, or of both, and
 * not on loopback, where whoever is on the machine has the same address. */
bool config_networks_restrict(const struct surface *surface);
/* The surface called `name`, or NULL. */
const struct surface *config_surface(const struct config *config, const char *name);
