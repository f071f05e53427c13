/* SPDX-License-Identifier: MIT */
/*
 * Nodes: parts of memory that are near to some processors and far from others, and where pages are placed.
 *
 *     processors   0 1 | 2 3 | …       each node has as many, in order
 *     frames       0 … | … | …         and a part of the frames for pages, all alike but the last, which has the rest
 *
 * As text: NODES[:POLICY][:DISTANCE], or :ROW/ROW/… with a distance to each node, with commas between them. POLICY is
 * first-touch (of the processor that touches a page first), interleave (page by page, by page number), preferred=NODE,
 * or bind=NODE, which never uses another. A node that is full is spared: a page gets a frame of some other.
 *
 * Distances are ACPI's (SLIT): 10 is near, 20 takes twice as long; 255, out of reach, does not occur. The default for
 * other nodes is 20, as Linux has it (REMOTE_DISTANCE in include/linux/topology.h).
 *
 * Page tables and what devices use have no node here.
 */
#ifndef OL_SIM_NUMA_H
#define OL_SIM_NUMA_H

#include <onelevel/core.h>

enum { OL_NUMA_NODES_MAX = OL_ZONES_MAX, OL_NUMA_NEAR = 10, OL_NUMA_FAR = 20, OL_NUMA_DISTANCE_MAX = 254 };

enum ol_numa_policy { OL_NUMA_FIRST_TOUCH, OL_NUMA_INTERLEAVE, OL_NUMA_PREFERRED, OL_NUMA_BIND };

/* All zeros: memory that is near to all. */
struct ol_numa {
    uint32_t nodes; /* 0 and 1: the same */
    enum ol_numa_policy policy;
    uint32_t node;                                          /* for OL_NUMA_PREFERRED and OL_NUMA_BIND */
    uint8_t distance[OL_NUMA_NODES_MAX][OL_NUMA_NODES_MAX]; /* from a processor of that node to memory of that one */
};

/* Understands a text. False if it makes no sense; then `message` (cut to message_bytes) says what was expected. */
bool ol_numa_parse(const char *text, struct ol_numa *out, char *message, size_t message_bytes);

/* More than one node, each with a frame at least, and the policy's among them. */
bool ol_numa_is_possible(const struct ol_numa *numa, uint32_t frames);

/* The nodes' parts of `frames` frames; how many: 0 if all memory is alike. */
uint32_t ol_numa_zones(const struct ol_numa *numa, uint32_t frames, struct ol_zone zones[OL_ZONES_MAX]);
/* The node of a frame; of a processor. */
static inline uint32_t ol_numa_frame_node(const struct ol_numa *numa, uint32_t frames, ol_frame_no frame)
{
    if (numa->nodes <= 1) return 0;
    const uint32_t node = frame / (frames / numa->nodes);
    return node < numa->nodes ? node : numa->nodes - 1;
}

static inline uint32_t ol_numa_processor_node(const struct ol_numa *numa, uint32_t processors, uint32_t processor)
{
    return numa->nodes <= 1 ? 0 : (uint32_t)((uint64_t)processor * numa->nodes / processors);
}

#endif
