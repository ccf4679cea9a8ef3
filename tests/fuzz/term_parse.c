/* Terms as people write them: whatever is read is a term that anybody may walk, and what is not is told of
 * with its line. */
#include <stdlib.h>

#include "term/term_check.h"
#include "term/term_parse.h"
#include "term/term_text.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct term_builder builder = {0};
    struct term_parse_problem problem = {.line = 0};
    if (term_parse((const char *)data, size, &builder, &problem)) {
        char text[4096];
        struct term term = term_built(&builder);
        size_t used;
        bool canonical;
        if (term_check(term.data, term.size, &term_no_limits, &used, &canonical) != TERM_OK || !canonical ||
            used != term.size)
            abort();
        term_text(term, text, sizeof(text));
    } else if (!problem.line || !*problem.text) {
        abort();
    }
    term_build_free(&builder);
    return 0;
}
