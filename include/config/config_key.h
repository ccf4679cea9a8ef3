/* What a key of the configuration is, and reading one value of it. config_keys.c has the table of all keys.
 */
#ifndef HARNESSD_CONFIG_CONFIG_KEY_H
#define HARNESSD_CONFIG_CONFIG_KEY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <jansson.h>

#include "base/compiler.h"
#include "config/config.h"

enum config_type {
    CONFIG_STRING,    /* char * */
    CONFIG_BOOLEAN,   /* bool */
    CONFIG_INTEGER,   /* an unsigned integer of any width */
    CONFIG_CHOICE,    /* one of `choices`; its position, in an enum or bool */
    CONFIG_STRINGS,   /* struct config_list: one string, or a list of them, of `choices` where it has any */
    CONFIG_PATTERNS,  /* struct config_list */
    CONFIG_CALLERS,   /* struct config_callers */
    CONFIG_PEERS,     /* struct config_peer *, then size_t */
    CONFIG_SCHEDULES, /* struct config_schedules */
    CONFIG_TYPE_COUNT
};

#define CONFIG_CHOICES 5

struct config_key {
    const char *path; /* components joined by dots */
    enum config_type type;
    int64_t least; /* CONFIG_INTEGER */
    int64_t most;
    const char *choices[CONFIG_CHOICES];        /* CONFIG_CHOICE, CONFIG_STRINGS; NULL at the end */
    const char *(*problem)(const char *string); /* of strings: what is wrong with one, or NULL */
    bool may_be_empty;                          /* likewise: "" switches something off */
    const char *none;                           /* CONFIG_PATTERNS: a word for the empty list, or NULL */
    const char *fallback;                       /* the default as JSON */
    const char *fallback_help;                  /* what takes its place when that is null */
    size_t offset;                              /* of the first field, in struct config */
    size_t size;                                /* of it */
    bool reloads;                               /* changes while the daemon runs, see config_reload.h */
    const char *help;
};

/* The table. */
const struct config_key *config_keys(size_t *count);

/* The row of this path, or NULL. */
const struct config_key *config_key_find(const char *path);

#define CONFIG_KEYS_MOST 96

/* A configuration while it is being read. */
struct config_reading {
    struct config *config;
    bool given[CONFIG_KEYS_MOST]; /* by position in the table: something else than null was there */
    FILE *problems;
    size_t problem_count;
};

/* Prints `where: text` as one line. */
void config_problem(struct config_reading *reading, const char *where, const char *format, ...)
    PRINTF_LIKE(3, 4);

/* A list of texts that are not empty, `what` being what it is of. */
struct config_list config_list_read(struct config_reading *reading, const json_t *value, const char *where,
                                    const char *what);
json_t *config_list_value(const struct config_list *list);
void config_list_clear(struct config_list *list);

/* Sets the key from a JSON value; null leaves it as it is. `where` is what problems are printed with. */
void config_key_set(struct config_reading *reading, const struct config_key *key, const json_t *value,
                    const char *where);

/* The same from the text of a flag or of the environment. */
void config_key_set_text(struct config_reading *reading, const struct config_key *key, const char *text,
                         const char *where);

/* Sets the default. */
void config_key_reset(struct config_reading *reading, const struct config_key *key);

/* The value as JSON, to be released. */
json_t *config_key_value(const struct config *config, const struct config_key *key);

/* Has the two configurations exchange the key's values. */
void config_key_swap(struct config *a, struct config *b, const struct config_key *key);

/* Gives back what the key's fields hold. */
void config_key_clear(struct config *config, const struct config_key *key);

#endif
