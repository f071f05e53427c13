/* SPDX-License-Identifier: MIT */
/* What a test must know of the tools it was compiled with: their shadow memory is resident, too. */
#ifndef OL_TESTS_SANITIZED_H
#define OL_TESTS_SANITIZED_H

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define OL_SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer) || __has_feature(memory_sanitizer)
#define OL_SANITIZED 1
#endif
#endif
#ifndef OL_SANITIZED
#define OL_SANITIZED 0
#endif

#endif
