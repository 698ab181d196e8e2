// The ranks of one training job: processes started by mpirun, each with its own environment and
// replay shard, that average their gradients. NULL is a valid comm: one rank, and every call
// returns at once. All ranks make the same calls in the same order on a channel; each channel has
// its own order, so that the two roles of a tick do not wait for one another.
//
// Sums are taken in the order of the ranks, whatever the library or the network does: an average
// cuts the numbers into K slices, rank i gathers slice i of all ranks, adds them in rank order, and
// gives the result to all. Each rank sends 2 (K - 1) / K of the bytes, as a ring does, and all get
// the same bits.
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/real.h"

enum comm_channel { COMM_POLICY, COMM_ENCODER, COMM_CHANNELS };

struct comm;

// In a process that mpirun started with more than one rank: joins the others. Otherwise, or in a
// build without MPI, *comm is NULL; a job of several ranks without MPI in the build is RL_EUSAGE.
RL_CHECKED enum rl_status comm_start(struct comm **comm, struct rl_error *err);
void comm_finish(struct comm *comm);

// Ranks as threads of one process, for tests and as a reference: out receives `size` of them. Each
// is used by its own thread (both roles of its tick too); destroy with comm_destroy_local when all
// threads are done.
void comm_create_local(int size, struct comm **out);
void comm_destroy_local(int size, struct comm **comms);

int comm_rank(const struct comm *comm);
int comm_size(const struct comm *comm);

// data[i] = mean over the ranks, the same bits on each.
void comm_average(struct comm *comm, enum comm_channel channel, real *data, size_t count);
void comm_sum(struct comm *comm, enum comm_channel channel, double *data, size_t count);
int64_t comm_least(struct comm *comm, enum comm_channel channel, int64_t value);
int64_t comm_most(struct comm *comm, enum comm_channel channel, int64_t value);
// As a gradient_sync (nn/optimizer.h): context is a comm_link.
struct comm_link {
    struct comm *comm;
    enum comm_channel channel;
};
void comm_average_gradient(void *link, real *grad, size_t count);
// Rank 0's bytes.
void comm_broadcast(struct comm *comm, enum comm_channel channel, void *data, size_t bytes);
