#include "base/list.h"

#include <assert.h>

void list_append(struct list *list, struct list_link *link)
{
    assert(!list_has(list, link));
    *link = (struct list_link){.previous = list->last};
    if (list->last)
        list->last->next = link;
    else
        list->first = link;
    list->last = link;
    list->count++;
}

void list_prepend(struct list *list, struct list_link *link)
{
    assert(!list_has(list, link));
    *link = (struct list_link){.next = list->first};
    if (list->first)
        list->first->previous = link;
    else
        list->last = link;
    list->first = link;
    list->count++;
}

void list_insert(struct list *list, struct list_link *next, struct list_link *link)
{
    if (!next) {
        list_append(list, link);
        return;
    }
    assert(!list_has(list, link));
    *link = (struct list_link){.previous = next->previous, .next = next};
    if (next->previous)
        next->previous->next = link;
    else
        list->first = link;
    next->previous = link;
    list->count++;
}

void list_remove(struct list *list, struct list_link *link)
{
    if (!list_has(list, link))
        return;
    if (link->previous)
        link->previous->next = link->next;
    else
        list->first = link->next;
    if (link->next)
        link->next->previous = link->previous;
    else
        list->last = link->previous;
    *link = (struct list_link){0};
    list->count--;
}
