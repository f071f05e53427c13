/* SPDX-License-Identifier: MIT */
/* What a test must know of the tools it was compiled with. */
#ifndef OL_TESTS_SANITIZED_H
#define OL_TESTS_SANITIZED_H

#if defined(__has_feature)
#define OL_HAS_FEATURE(name) __has_feature(name)
#else
#define OL_HAS_FEATURE(name) 0
#endif

/* ThreadSanitizer: a few TiB of addresses are all a program has, and handlers of signals that interrupt anything run
 * late, with all signals blocked. */
#if defined(__SANITIZE_THREAD__) || OL_HAS_FEATURE(thread_sanitizer)
#define OL_SANITIZED_THREADS 1
#else
#define OL_SANITIZED_THREADS 0
#endif

/* Shadow memory is resident, too. */
#if defined(__SANITIZE_ADDRESS__) || OL_HAS_FEATURE(address_sanitizer) || OL_SANITIZED_THREADS
#define OL_SANITIZED 1
#else
#define OL_SANITIZED 0
#endif

#endif
