/* What the files that read scenarios from JSON know of one another. A converter appends one term for a value,
 * whatever it is: what it cannot make sense of becomes a problem and a stand-in that nobody else objects to.
 * Ranges, words and what goes with what are scenario_term's to judge, which reads the term afterwards. */
#ifndef HARNESSD_SCENARIO_SCENARIO_JSON_PRIVATE_H
#define HARNESSD_SCENARIO_SCENARIO_JSON_PRIVATE_H

#include <jansson.h>

#include "scenario/problems.h"
#include "scenario/scenario_term.h"
#include "scenario/scenario_texts.h"

struct json_reader {
    struct term_builder *builder;
    struct problems *problems;
    struct scenario_texts *texts;
    const struct scenario_origin *origin;
};

typedef void json_convert(struct json_reader *reader, const json_t *value);

/* How the values of an object's keys are converted. */
struct json_key {
    const char *name;
    json_convert *convert;
};

/* Data as it is: strings are binaries, objects maps with atoms as keys. */
void json_convert_data(struct json_reader *reader, const json_t *value);

/* The same with texts inside. */
void json_convert_metadata(struct json_reader *reader, const json_t *value);

/* Words: strings are atoms, {"last": 100} is {last, 100}. */
void json_convert_words(struct json_reader *reader, const json_t *value);

void json_convert_term(struct json_reader *reader, const json_t *value);
void json_convert_name(struct json_reader *reader, const json_t *value);
void json_convert_hook(struct json_reader *reader, const json_t *value);
void json_convert_target(struct json_reader *reader, const json_t *value);
void json_convert_operation(struct json_reader *reader, const json_t *value);

/* {"op": operation}, with `name`, `expect` and what else there is beside it as it is. */
void json_convert_named_operation(struct json_reader *reader, const json_t *value);
void json_convert_script(struct json_reader *reader, const json_t *value);
void json_convert_chaos(struct json_reader *reader, const json_t *value);

/* An object as a map; keys that are not in the table are converted as data, for scenario_term to object. What
 * is no object is data as well. */
void json_convert_object(struct json_reader *reader, const json_t *value, const struct json_key *keys,
                         size_t count);

/* An array as a list; what is none by itself, as if it were the only element. */
void json_convert_each(struct json_reader *reader, const json_t *value, json_convert *convert);

/* The value of a key of an object, NULL when there is none, with the place of that key. */
void json_convert_at(struct json_reader *reader, const char *key, const json_t *value, json_convert *convert);

bool json_is_comment(const char *key);

/* The only key of an object that is no comment, NULL when it has none or several, and its value. */
const char *json_only_key(const json_t *object, const json_t **value);

/* Whether a value is a text in one of the languages; or, of hooks, the name of a file with one. */
bool json_is_text(const json_t *value);
bool json_is_hook_text(const json_t *value);

/* Such a value as a stand-in, and what it stands for among the texts. */
void json_convert_text(struct json_reader *reader, const json_t *value, bool is_hook);

/* What stands in for a message, a name or a word, and for a hook. */
void json_build_stand_in(struct json_reader *reader);
void json_build_hook_stand_in(struct json_reader *reader);

/* Reads a regular file of at most SCENARIO_JSON_BYTES_MOST bytes, and one more where it has more; false with
 * a problem, which begins with `subject`: the path and a space, or nothing where that stands before it. The
 * origin's `file_read` is told of it. */
MUST_CHECK bool scenario_file_load(const char *path, const char *subject,
                                   const struct scenario_origin *origin, struct buffer *content,
                                   struct problems *problems);

/* Puts what the overrides have, a map, in the place of what the file's term has at the same
 * keys: maps, keyword lists and expectations key by key, all else as a whole. Texts that are no longer there
 * are forgotten. */
void json_override(struct scenario_texts *texts, struct term overrides, struct problems *problems);

/* Sets what `setting`, PATH=VALUE, says, in a file that is an object; a problem when there is no such place.
 */
void json_set(json_t *root, const char *setting, struct problems *problems);

/* Problems for the keys of an object that are none of these. */
void json_check_keys(struct json_reader *reader, const json_t *object, const char *const *known, size_t count,
                     const char *what);

#endif
