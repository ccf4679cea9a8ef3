#include "api_private.h"
#include "term/term_read.h"
#include "term/term_text.h"

static const char *const form_names[] = {
    [REQUEST_ERPC] = "erpc", [REQUEST_ERPC_CAST] = "erpc_cast", [REQUEST_CALL] = "call",
    [REQUEST_CAST] = "cast", [REQUEST_REX_CALL] = "rex_call",   [REQUEST_REX_SEND] = "rex_send"};

static void api_audit_tell(struct audit *audit, enum audit_event event, const struct request *request,
                           const char *outcome, struct audit_field reason)
{
    struct audit_field run = audit_text(AUDIT_RUN_ID, NULL);
    char name[TERM_ATOM_BYTES + 1] = "";
    int64_t id;
    if (!term_read_atom(request->function, name))
        name[0] = '\0';
    if (request->arity && term_read_integer(request->arguments[0], &id) && id > 0)
        run = audit_number(AUDIT_RUN_ID, (uint64_t)id);
    audit_tell(audit, event, audit_text(AUDIT_NODE, request->peer),
               audit_term(AUDIT_PROCESS, request->caller), audit_text(AUDIT_FUNCTION, name),
               audit_number(AUDIT_ARITY, request->arity), audit_text(AUDIT_FORM, form_names[request->form]),
               run, audit_text(AUDIT_OUTCOME, outcome), reason);
}

/* {error, Reason} is a refusal, and so is an exception. */
static void api_audit_on_answer(void *owner, const struct request *request, struct term value)
{
    struct term parts[2];
    bool is_refused = !value.data || (term_read_tuple_of(value, 2, parts) && term_is_atom(parts[0], "error"));
    if (is_refused && !audit_admits_refusal(owner, request->peer))
        return;
    api_audit_tell(owner, AUDIT_REQUEST, request, is_refused ? "refused" : "ok",
                   audit_term(AUDIT_REASON, is_refused && value.data ? parts[1] : (struct term){0}));
}

void api_audit_denied(struct api *api, const struct request *request, const char *rule)
{
    if (audit_admits_refusal(api->audit, request->peer))
        api_audit_tell(api->audit, AUDIT_DENIED, request, "denied", audit_text(AUDIT_REASON, rule));
}

void api_audit_watch(struct api *api, struct request *request)
{
    if (!api->audit)
        return;
    request->answering = api_audit_on_answer;
    request->answering_owner = api->audit;
}

void api_audit_accepted(struct request *request)
{
    request->answering = NULL;
}
