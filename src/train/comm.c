#include "train/comm.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

#ifdef RLRUN_HAVE_MPI
#include <mpi.h>
#endif

// Ranks that are threads meet here: each shows its buffer, copies what it wants, and waits until
// all have.
struct meeting {
    pthread_barrier_t barrier;
    const void **shown; // (size)
};

struct channel {
    real *send, *receive; // (size, slice)
    size_t capacity;      // reals
    struct meeting *meeting;
#ifdef RLRUN_HAVE_MPI
    MPI_Comm mpi;
#endif
};

struct comm {
    int rank, size;
    bool local;
    struct channel channels[COMM_CHANNELS];
};

int comm_rank(const struct comm *comm) {
    return comm ? comm->rank : 0;
}

int comm_size(const struct comm *comm) {
    return comm ? comm->size : 1;
}

// --- two exchanges, over threads or MPI ---

// to (size, bytes): block i from rank i. scatter: its block for this rank; else its only block.
static void exchange_local(const struct comm *comm, struct channel *channel, const void *from,
                           void *to, size_t bytes, bool scatter) {
    struct meeting *meeting = channel->meeting;
    meeting->shown[comm->rank] = from;
    pthread_barrier_wait(&meeting->barrier);
    for (int i = 0; i < comm->size; i++) {
        const char *block = meeting->shown[i];
        memcpy((char *)to + (size_t)i * bytes, block + (scatter ? (size_t)comm->rank * bytes : 0),
               bytes);
    }
    pthread_barrier_wait(&meeting->barrier);
}

static void exchange(struct comm *comm, enum comm_channel which, const void *from, void *to,
                     size_t bytes, bool scatter) {
    struct channel *channel = &comm->channels[which];
    if (comm->local) {
        exchange_local(comm, channel, from, to, bytes, scatter);
        return;
    }
#ifdef RLRUN_HAVE_MPI
    RL_ASSERT(bytes < (size_t)1 << 30); // MPI counts in int
    int n = (int)bytes;
    // An error ends the job: MPI's default handler.
    if (scatter) {
        MPI_Alltoall(from, n, MPI_BYTE, to, n, MPI_BYTE, channel->mpi);
    } else {
        MPI_Allgather(from, n, MPI_BYTE, to, n, MPI_BYTE, channel->mpi);
    }
#endif
}

// --- what the trainer calls ---

static void reserve(struct comm *comm, struct channel *channel, size_t count) {
    if (count <= channel->capacity) return;
    (void)comm;
    mem_free(channel->send);
    mem_free(channel->receive);
    channel->send = MEM_ARRAY(real, count);
    channel->receive = MEM_ARRAY(real, count);
    channel->capacity = count;
}

void comm_average(struct comm *comm, enum comm_channel which, real *data, size_t count) {
    if (!comm) return;
    struct channel *channel = &comm->channels[which];
    size_t size = (size_t)comm->size, slice = (count + size - 1) / size;
    reserve(comm, channel, slice * size);
    real *send = channel->send, *receive = channel->receive, part = 1 / (real)comm->size;
    memcpy(send, data, count * sizeof *data);
    memset(send + count, 0, (slice * size - count) * sizeof *send);
    exchange(comm, which, send, receive, slice * sizeof *send, true);
    for (size_t i = 0; i < slice; i++) {
        real sum = receive[i];
        for (size_t rank = 1; rank < size; rank++) sum += receive[rank * slice + i];
        send[i] = sum * part;
    }
    exchange(comm, which, send, receive, slice * sizeof *send, false);
    memcpy(data, receive, count * sizeof *data);
}

void comm_sum(struct comm *comm, enum comm_channel which, double *data, size_t count) {
    if (!comm) return;
    double *all = MEM_ARRAY(double, count *(size_t)comm->size);
    exchange(comm, which, data, all, count * sizeof *data, false);
    for (size_t i = 0; i < count; i++) {
        double sum = all[i];
        for (int rank = 1; rank < comm->size; rank++) sum += all[(size_t)rank * count + i];
        data[i] = sum;
    }
    mem_free(all);
}

static int64_t extreme(struct comm *comm, enum comm_channel which, int64_t value, int sign) {
    if (!comm) return value;
    int64_t *all = MEM_ARRAY(int64_t, comm->size);
    exchange(comm, which, &value, all, sizeof value, false);
    for (int rank = 0; rank < comm->size; rank++) {
        if (sign > 0 ? all[rank] > value : all[rank] < value) value = all[rank];
    }
    mem_free(all);
    return value;
}

int64_t comm_least(struct comm *comm, enum comm_channel channel, int64_t value) {
    return extreme(comm, channel, value, -1);
}

int64_t comm_most(struct comm *comm, enum comm_channel channel, int64_t value) {
    return extreme(comm, channel, value, 1);
}

void comm_broadcast(struct comm *comm, enum comm_channel which, void *data, size_t bytes) {
    if (!comm) return;
    char *all = mem_alloc(mem_size((size_t)comm->size, bytes));
    exchange(comm, which, data, all, bytes, false);
    memcpy(data, all, bytes);
    mem_free(all);
}

void comm_average_gradient(void *context, real *grad, size_t count) {
    struct comm_link *link = context;
    comm_average(link->comm, link->channel, grad, count);
}

// --- ranks as threads ---

void comm_create_local(int size, struct comm **out) {
    for (int rank = 0; rank < size; rank++) {
        out[rank] = MEM_NEW(struct comm);
        out[rank]->rank = rank;
        out[rank]->size = size;
        out[rank]->local = true;
    }
    for (int c = 0; c < COMM_CHANNELS; c++) {
        struct meeting *meeting = MEM_NEW(struct meeting);
        meeting->shown = MEM_ARRAY(const void *, size);
        pthread_barrier_init(&meeting->barrier, NULL, (unsigned)size);
        for (int rank = 0; rank < size; rank++) out[rank]->channels[c].meeting = meeting;
    }
}

static void release_buffers(struct comm *comm) {
    for (int c = 0; c < COMM_CHANNELS; c++) {
        mem_free(comm->channels[c].send);
        mem_free(comm->channels[c].receive);
    }
    mem_free(comm);
}

void comm_destroy_local(int size, struct comm **comms) {
    for (int c = 0; c < COMM_CHANNELS; c++) {
        struct meeting *meeting = comms[0]->channels[c].meeting;
        pthread_barrier_destroy(&meeting->barrier);
        mem_free(meeting->shown);
        mem_free(meeting);
    }
    for (int rank = 0; rank < size; rank++) release_buffers(comms[rank]);
}

// --- ranks as processes ---

// What mpirun tells its processes before MPI is started: Open MPI's name, then MPICH's and Slurm's.
static int launched_ranks(void) {
    static const char *const names[] = {"OMPI_COMM_WORLD_SIZE", "PMI_SIZE"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        const char *text = getenv(names[i]);
        if (text && *text) return atoi(text);
    }
    return 1;
}

#ifdef RLRUN_HAVE_MPI

enum rl_status comm_start(struct comm **out, struct rl_error *err) {
    *out = NULL;
    if (launched_ranks() < 2) return RL_OK;
    int level, size, rank;
    if (MPI_Init_thread(NULL, NULL, MPI_THREAD_MULTIPLE, &level) != MPI_SUCCESS)
        return rl_fail(err, RL_EIO, "MPI cannot be started");
    if (level < MPI_THREAD_MULTIPLE)
        return rl_fail(err, RL_EUSAGE, "this MPI does not let several threads communicate");
    MPI_Comm_size(MPI_COMM_WORLD, &size);
    MPI_Comm_rank(MPI_COMM_WORLD, &rank);
    struct comm *comm = MEM_NEW(struct comm);
    comm->rank = rank;
    comm->size = size;
    for (int c = 0; c < COMM_CHANNELS; c++) MPI_Comm_dup(MPI_COMM_WORLD, &comm->channels[c].mpi);
    *out = comm;
    return RL_OK;
}

void comm_finish(struct comm *comm) {
    if (!comm) return;
    for (int c = 0; c < COMM_CHANNELS; c++) MPI_Comm_free(&comm->channels[c].mpi);
    release_buffers(comm);
    MPI_Finalize();
}

#else

enum rl_status comm_start(struct comm **out, struct rl_error *err) {
    *out = NULL;
    if (launched_ranks() < 2) return RL_OK;
    return rl_fail(err, RL_EUSAGE,
                   "started as one of %d ranks, but this rlrun is built without MPI "
                   "(libopenmpi-dev, then build again)",
                   launched_ranks());
}

void comm_finish(struct comm *comm) {
    RL_ASSERT(!comm);
}

#endif
