/* What the files that read scenarios from JSON know of one another. A converter appends one term for a value,
 * whatever it is: what it cannot make sense of becomes a problem and a stand-in that nobody else objects to.
 * Ranges, words and what goes with what are scenario_term's to judge, which reads the term afterwards. */
#ifndef HARNESSD_SCENARIO_SCENARIO_JSON_PRIVATE_H
#define HARNESSD_SCENARIO_SCENARIO_JSON_PRIVATE_H

#include <jansson.h>

#include "scenario/problems.h"
#include "scenario/scenario_texts.h"

struct json_reader {
    struct term_builder *builder;
    struct problems *problems;
    struct scenario_texts *texts;
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

/* Whether a value is a text in one of the languages. */
bool json_is_text(const json_t *value);

/* Sets what `setting`, PATH=VALUE, says, in a file that is an object; a problem when there is no such place.
 */
void json_set(json_t *root, const char *setting, struct problems *problems);

/* Problems for the keys of an object that are none of these. */
void json_check_keys(struct json_reader *reader, const json_t *object, const char *const *known, size_t count,
                     const char *what);

#endif
