#include "message_steps_private.h"

void message_steps_begin(struct message_steps *steps, const uint8_t *data, size_t size, bool versioned,
                         const struct term_atoms *atoms)
{
    message_steps_end(steps);
    *steps = (struct message_steps){
        .at = data, .left = size, .versioned = versioned, .atoms = atoms, .is_on = true};
}

void message_steps_end(struct message_steps *steps)
{
    for (size_t i = 0; i < 2; i++) {
        term_walk_free(steps->terms[i].walk);
        term_rewrite_free(steps->terms[i].rewrite);
        buffer_free(&steps->terms[i].canonical);
    }
    *steps = (struct message_steps){.at = NULL};
}

static bool steps_fail(struct message_steps *steps, enum term_problem found, const char *what,
                       enum term_problem *problem, const char **text)
{
    steps->is_on = false;
    *problem = found;
    *text = what;
    return true;
}

/* A term is walked, made canonical if it is not, and walked again if keys of it may have become the same.
 * True when it is done with all that, or has failed. */
static bool steps_read_term(struct message_steps *steps, struct term_steps *term, size_t values,
                            enum term_problem *found)
{
    struct term_walked walked = {.problem = TERM_OK};
    *found = TERM_OK;
    if (term->rewrite) {
        if (!term_rewrite_step(term->rewrite, values))
            return false;
        term_rewrite_free(term->rewrite);
        term->rewrite = NULL;
        term->term = term_of(&term->canonical);
        if (!term->looks_again)
            return true;
        term->walk = term_walk_new(term->term.data, term->term.size, NULL);
        return false;
    }
    if (!term_walk_step(term->walk, values, &walked))
        return false;
    term_walk_free(term->walk);
    term->walk = NULL;
    *found = walked.problem;
    if (walked.problem != TERM_OK || term->looks_again)
        return true;
    term->term = (struct term){steps->at, walked.used};
    steps->at += walked.used;
    steps->left -= walked.used;
    if (walked.is_canonical)
        return true;
    const uint8_t *room = buffer_reserve(&term->canonical, walked.used + walked.used / 8);
    term->rewrite = room ? term_rewrite_new(term->term, steps->atoms, &term->canonical) : NULL;
    term->looks_again = walked.has_unsettled_keys;
    return false;
}

bool message_steps_go_on(struct message_steps *steps, size_t values, enum term_problem *found,
                         const char **problem)
{
    *found = TERM_OK;
    struct term_steps *term = steps->count ? &steps->terms[steps->count - 1] : NULL;
    if (term && (term->walk || term->rewrite)) {
        if (!steps_read_term(steps, term, values, found))
            return false;
        if (*found != TERM_OK)
            return steps_fail(steps, *found, term_problem_text(*found), found, problem);
    }
    if (!steps->left || steps->count == 2) {
        steps->is_on = false;
        if (steps->left || !steps->count)
            return steps_fail(steps, TERM_UNKNOWN_TAG, "bytes behind the message", found, problem);
        return true;
    }
    if (steps->versioned && *steps->at != TERM_VERSION)
        return steps_fail(steps, TERM_UNKNOWN_TAG, "term without its version", found, problem);
    steps->at += steps->versioned;
    steps->left -= steps->versioned;
    steps->terms[steps->count++].walk = term_walk_new(steps->at, steps->left, steps->atoms);
    return false;
}
