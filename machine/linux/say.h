/* SPDX-License-Identifier: MIT */
#ifndef OL_LINUX_SAY_H
#define OL_LINUX_SAY_H

/* "onelevel: ", the three texts (NULL: none), and a newline to standard error, in one write. Async-signal-safe. */
void ol_say(const char *first, const char *second, const char *third);

#endif
