/* SPDX-License-Identifier: MIT */
/* What `onelevel sim` prints of a simulated machine after the last reference. */
#ifndef OL_CLI_SIM_ACCOUNT_H
#define OL_CLI_SIM_ACCOUNT_H

#include "cli/sim_setup.h"
#include "machine/sim/cost.h"

struct ol_sim_account {
    const struct ol_sim_setup *setup;
    const struct ol_sim_setup_options *options;
    const char *tlb_text;       /* as given */
    const struct ol_cost *cost; /* NULL: time is not modelled */
    struct ol_ideal *ideal;     /* that made the same references with the same policy */
    bool json;
};

/* False after a message. */
bool ol_print_sim_account(const struct ol_sim_account *account);

#endif
