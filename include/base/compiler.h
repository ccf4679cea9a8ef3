/* Attributes that the whole daemon uses, under names that say what they mean. */
#ifndef HARNESSD_BASE_COMPILER_H
#define HARNESSD_BASE_COMPILER_H

/* The caller has to look at the result; the build turns forgetting it into an error. */
#define MUST_CHECK __attribute__((warn_unused_result))

/* A printf-like function: `position` and `first` are the positions of the format and its first argument. */
#define PRINTF_LIKE(position, first) __attribute__((format(printf, position, first)))

#define NO_RETURN __attribute__((noreturn))

/* Part of each of its callers, whatever the compiler thinks of that: in the path of every call. */
#define ALWAYS_INLINE inline __attribute__((always_inline))

#define ARRAY_LENGTH(array) (sizeof(array) / sizeof((array)[0]))

/* The value of a macro as a literal. */
#define TEXT_OF(macro) TEXT_OF_WORDS(macro)
#define TEXT_OF_WORDS(words) #words

/* The structure of `type` that `pointer` is the member `member` of. */
#define CONTAINER_OF(pointer, type, member) ((type *)(void *)((char *)(pointer) - offsetof(type, member)))

#endif
