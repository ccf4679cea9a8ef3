/* Intrusive lists: the link stands in the item, so that putting an item into a list allocates nothing, and
 * taking it out from anywhere costs nothing to find. An item may have several links, and be in a list with
 * each. Items belong to whoever made them; a list never frees any. */
#ifndef HARNESSD_BASE_LIST_H
#define HARNESSD_BASE_LIST_H

#include <stdbool.h>
#include <stddef.h>

/* All zero is in no list. */
struct list_link {
    struct list_link *previous;
    struct list_link *next;
};

/* All zero is an empty one. */
struct list {
    struct list_link *first;
    struct list_link *last;
    size_t count;
};

/* Puts an item that is in no list with this link at the end, or the front. */
void list_append(struct list *list, struct list_link *link);
void list_prepend(struct list *list, struct list_link *link);

/* Puts it before one that is there, or at the end when that is NULL. */
void list_insert(struct list *list, struct list_link *next, struct list_link *link);

/* Whether an item is in this list, of those that it may be in with this link. */
static inline bool list_has(const struct list *list, const struct list_link *link)
{
    return link->previous || link == list->first;
}

/* Takes an item out; one that is not in the list stays as it is. */
void list_remove(struct list *list, struct list_link *link);

/* The item that a link stands in; NULL for NULL. */
#define LIST_ITEM(link, type, member) ((type *)list_item_of(link, offsetof(type, member)))

static inline void *list_item_of(const struct list_link *link, size_t offset)
{
    return link ? (char *)link - offset : NULL;
}

#define LIST_FIRST(list, type, member) LIST_ITEM((list)->first, type, member)
#define LIST_NEXT(item, type, member) LIST_ITEM((item)->member.next, type, member)

/* for each `type *item`, in order. The item itself may be taken out or freed meanwhile, others not. */
#define LIST_EACH(type, item, list, member)                                                                  \
    for (type *item = LIST_FIRST(list, type, member),                                                        \
              *item##_next = item ? LIST_NEXT(item, type, member) : NULL;                                    \
         item; item = item##_next, item##_next = item ? LIST_NEXT(item, type, member) : NULL)

#endif
