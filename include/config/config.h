/* The configuration: a JSON file, overridden by flags. One table in config_keys.c has a row for every key:
 * its path, type, range, default and help; --help, the check, and config/harnessd.json are made from and
 * tested against it. */
#ifndef HARNESSD_CONFIG_CONFIG_H
#define HARNESSD_CONFIG_CONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "base/compiler.h"
#include "base/log.h"
#include "dist/handshake.h"
#include "transport/tls.h"

struct config_peer {
    char *node;
    uint16_t port; /* 0: ask epmd */
};

struct config_list {
    char **items;
    size_t count;
};

/* Nodes that may call, or may not: all functions, or those that match one of the patterns. */
struct config_caller {
    char *pattern;
    bool names_functions;
    struct config_list functions;
};

struct config_callers {
    struct config_caller *items;
    size_t count;
};

/* Runs of a scenario file again and again; see schedule_time.h for when. */
struct config_schedule {
    char *file;
    char *node;       /* of names that come without one; NULL: each needs one */
    uint64_t every_s; /* 0: not given */
    bool has_at;
    uint32_t at_s; /* of the day */
    bool overlap;  /* a run may start while the last one goes on */
};

struct config_schedules {
    struct config_schedule *items;
    size_t count;
};

/* What is shown over TLS, by the names of files. */
struct config_certificate {
    char *certificate;
    char *key;
    char *password_file;
};

/* What nodes speak over, as -proto_dist of erl has it. Addresses of both families are dialled in any case. */
enum config_proto_dist {
    CONFIG_INET_TCP,
    CONFIG_INET6_TCP,
    CONFIG_INET_TLS,
    CONFIG_INET6_TLS,
};

#define CONFIG_SETTINGS_MOST 64

/* What `harnessd run FILE` is to run, and how it tells what came of it; borrowed from the command line. */
#define CONFIG_CONNECTS_MOST 64

/* A node that is connected to before a run. */
struct config_connect {
    char node[NODE_NAME_BYTES + 1];
    uint16_t port; /* 0: ask epmd */
};

struct config_one_shot {
    const char *scenario;                                 /* FILE; NULL: this is the daemon */
    struct config_connect connects[CONFIG_CONNECTS_MOST]; /* names without a node are at the first */
    size_t connect_count;
    const char *settings[CONFIG_SETTINGS_MOST];
    size_t setting_count;
    bool json;             /* what came of it as JSON: on standard output, or in a file */
    const char *json_file; /* that one, or NULL */
    const char *junit;     /* the file that it is written to as JUnit XML, or NULL */
};

/* All strings belong to the configuration; those that were not given are NULL. */
struct config {
    const char *file; /* that was read; borrowed from the command line */
    char *node_name;
    bool long_names;
    char *cookie_file;
    char *cookie;              /* read by config_load(), never logged */
    struct config_list listen; /* addresses; empty: that of the node name's host part */
    uint16_t port;             /* 0: any */
    uint32_t net_ticktime_s;
    bool atom_cache; /* offered to other nodes */

    enum config_proto_dist proto_dist;
    char *tls_optfile;
    struct config_certificate tls_own;
    char *tls_ca;
    bool tls_verify;
    bool tls_verify_name;
    bool tls_verify_client_name;
    bool tls_require_peer_certificate;
    uint8_t tls_min_version; /* 0 is 1.2, 1 is 1.3 */
    char *tls_ciphers;
    struct config_list tls_dials_plainly; /* shell patterns of node names */
    struct config_list tls_accept;        /* of "tls" and "plain" */
    struct tls_options *tls;              /* what these come to; NULL: it is off */
    struct config_list tls_ignored;       /* options of the optfile that change nothing here */

    char *epmd_host;
    uint16_t epmd_port; /* default: ERL_EPMD_PORT in the environment, else 4369 */
    bool epmd_register;
    bool epmd_start;
    bool exit_on_taken_name;

    struct config_peer *peers;
    size_t peer_count;

    uint64_t limit_runs;            /* at once */
    uint64_t limit_queued_runs;     /* that wait for room */
    uint64_t limit_suites;          /* at once */
    uint64_t limit_threads;         /* virtual threads of all runs, but those of open loads */
    uint64_t limit_in_flight;       /* operations of all runs */
    uint64_t limit_queued_arrivals; /* of all open loads */
    uint64_t limit_runs_per_node;   /* of one caller's node, queued ones too; 0: none, as of the next two */
    uint64_t limit_threads_per_node;
    uint64_t limit_in_flight_per_node;
    uint64_t limit_events;             /* kept for one run */
    uint64_t limit_custom;             /* custom operations of one run at once */
    uint64_t limit_event_bytes;        /* of the terms in them */
    uint64_t limit_frame_bytes;        /* one message of a peer */
    uint64_t limit_queued_bytes;       /* waiting to be sent to one peer */
    uint64_t limit_pending_handshakes; /* connections that have not finished theirs */

    struct config_callers allowed_callers; /* shell patterns of node names; default ["*"] */
    struct config_callers denied_callers;
    const char *const *functions; /* set before config_load(): what callers may name, NULL at the end; NULL:
                                     all that they do */

    /* What faults may be done to: node names, kinds of faults, registered names, applications. */
    struct config_list allowed_targets;
    struct config_list denied_targets;
    struct config_list allowed_chaos;
    struct config_list denied_chaos;
    struct config_list allowed_names;
    struct config_list denied_names;
    struct config_list allowed_applications;
    struct config_list denied_applications;

    char *scenario_dir; /* of scenario files; NULL: none */
    struct config_schedules schedules;
    struct config_list http_listen; /* addresses with ports; empty is nowhere */
    char *http_token_file;
    char *http_token; /* read by config_load(), never logged; NULL: none is asked for */
    struct config_certificate http_tls_own;
    char *http_tls_ca; /* NULL: nobody who asks has to show a certificate */
    uint8_t http_tls_min_version;
    char *http_tls_ciphers;
    struct tls_options *http_tls; /* what these come to; NULL: it is off */

    struct config_one_shot one_shot;

    enum log_level log_level;
    enum log_format log_format;

    char *state_dir; /* NULL: runs are kept in memory only */
    uint64_t journal_ms;
    uint64_t retention_count; /* of runs that have ended */
    uint64_t retention_count_most;
    uint64_t retention_days; /* 0: for ever */
    uint64_t retention_days_least;
    uint64_t retention_bytes; /* of their files */
    uint64_t retention_memory_bytes;

    char *audit_file; /* NULL: there is no audit */
    uint64_t audit_bytes;
    uint64_t audit_keep;
    bool audit_required;

    uint64_t shutdown_ms;
};

enum config_action {
    CONFIG_RUN,
    CONFIG_ONE_SHOT,
    CONFIG_CHECK,
    CONFIG_HELP,
    CONFIG_HELP_ON_RUN,
    CONFIG_HELP_ON_KEYS,
    CONFIG_VERSION,
    CONFIG_INVALID
};

/* All zero but for `functions`. Reads flags, then the file they name, then the cookie. Problems go to
 * `problems`, one line each, with the JSON path or the flag: `node.port: 70000 is not in 0 to 65535`; all of
 * them, not only the first. On CONFIG_INVALID the configuration is still to be freed. */
MUST_CHECK enum config_action config_load(int argc, char **argv, struct config *config, FILE *problems);
void config_free(struct config *config);

/* The text of --help, and of `run --help`, which fit a screen; and that of --help-keys. */
void config_usage(FILE *output);
void config_usage_of_keys(FILE *output);
void config_usage_of_run(FILE *output);

#endif
