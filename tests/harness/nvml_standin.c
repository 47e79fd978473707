/* A stand-in for libnvidia-ml.so.1: enough of NVML's ABI for the calls that harness/nvml.py makes.
 *
 * NVML_STANDIN names the scenario and is read at every call, so that a process can change it while it runs:
 *   healthy       two GPUs, the first busy with one process
 *   foreign       the first GPU has two processes, one of them listed thrice (as under MIG), once without memory
 *   resting       likewise, but the second process only keeps its memory
 *   uncounted     as foreign, but the driver does not tell how much processes compute
 *   mig           the first GPU is split: its two processes have an instance each; no utilisation is told
 *   shared-mig    likewise, but both are in the same instance
 *   throttled     the first GPU is held down by power, heat and a reason that nobody knows
 *   slow          the first GPU's processors run slower than usual, and nothing says why
 *   lost          the second GPU has fallen off the bus
 *   stale         likewise, but only its temperature says so, last; everything before it answers old numbers
 *   no-permission the second GPU may not be opened; the first does not tell its processes
 *   no-energy     there is no counter of energy
 *   sparse        names and nothing else: every other question is not supported
 *   empty         a driver without a GPU
 *   not-loaded, mismatch, forbidden   initialisation fails with that code
 *   vanishing     the driver is gone once the GPUs are counted
 *   uninitialised initialisation works, every question says that it did not
 *   hang          the count of GPUs says "hanging" on standard output and never comes back
 *   crash         the count of GPUs kills the process
 * NVML_STANDIN_PID is the pid of the first GPU's process. Compiled with -DOLD_DRIVER, it lacks the calls that were
 * added later. It says nothing of how a real driver behaves.
 */
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { OK = 0, UNINITIALISED = 1, INVALID = 2, NOT_SUPPORTED = 3, NO_PERMISSION = 4, NOT_FOUND = 6, TOO_SMALL = 7,
       NOT_LOADED = 9, LOST = 15, MISMATCH = 18 };

typedef struct { unsigned long long total, free, used; } Memory;
typedef struct { unsigned version; unsigned long long total, reserved, free, used; } MemoryV2;
typedef struct { unsigned gpu, memory; } Utilization;
typedef struct { unsigned version; int sensor; int temperature; } TemperatureV1;
typedef struct { unsigned pid; unsigned long long used; unsigned gi, ci; } Process;
typedef struct { unsigned pid; unsigned long long at; unsigned sm, memory, encoder, decoder; } Use;

static int gpus[2];           /* their addresses are the handles */
static int initialised = 0;

static int is(const char *scenario) {
    const char *chosen = getenv("NVML_STANDIN");
    return strcmp(chosen ? chosen : "healthy", scenario) == 0;
}

static int is_mig(void) { return is("mig") || is("shared-mig"); }

static int index_of(void *gpu) { return (int)((int *)gpu - gpus); }

/* What every question about a GPU answers before it looks at the question. */
static int state(void *gpu) {
    if (!initialised || is("uninitialised")) return UNINITIALISED;
    if (is("not-loaded") || is("vanishing")) return NOT_LOADED;
    if (is("lost") && index_of(gpu) == 1) return LOST;
    return OK;
}

#define ANSWER(gpu) do { int s = state(gpu); if (s) return s; if (is("sparse")) return NOT_SUPPORTED; } while (0)

int nvmlInitWithFlags(unsigned flags) {
    (void)flags;
    if (is("not-loaded")) return NOT_LOADED;
    if (is("mismatch")) return MISMATCH;
    if (is("forbidden")) return NO_PERMISSION;
    initialised = 1;
    return OK;
}

int nvmlShutdown(void) {
    if (!initialised) return UNINITIALISED;
    initialised = 0;
    return OK;
}

int nvmlDeviceGetCount_v2(unsigned *count) {
    if (is("hang")) { if (write(1, "hanging\n", 8)) {} for (;;) pause(); }
    if (is("crash")) raise(SIGSEGV);
    if (is("not-loaded")) { initialised = 0; return NOT_LOADED; }
    if (!initialised || is("uninitialised")) return UNINITIALISED;
    *count = is("empty") ? 0 : 2;
    return OK;
}

int nvmlDeviceGetHandleByIndex_v2(unsigned index, void **gpu) {
    if (!initialised) return UNINITIALISED;
    if (index > 1) return INVALID;
    if (is("no-permission") && index == 1) return NO_PERMISSION;
    *gpu = &gpus[index];
    return state(*gpu);
}

int nvmlDeviceGetName(void *gpu, char *name, unsigned length) {
    int s = state(gpu);
    if (s) return s;
    snprintf(name, length, "NVIDIA Stand-in %d", index_of(gpu));
    return OK;
}

int nvmlDeviceGetUUID(void *gpu, char *uuid, unsigned length) {
    ANSWER(gpu);
    snprintf(uuid, length, "GPU-0000000%d", index_of(gpu));
    return OK;
}

int nvmlDeviceGetUtilizationRates(void *gpu, Utilization *rates) {
    ANSWER(gpu);
    if (is_mig()) return NOT_SUPPORTED;
    rates->gpu = index_of(gpu) ? 0 : 98;
    rates->memory = 0;
    return OK;
}

int nvmlDeviceGetMemoryInfo(void *gpu, Memory *memory) {
    ANSWER(gpu);
    memory->total = 80ULL << 30;
    memory->used = index_of(gpu) ? 1ULL << 30 : 62ULL << 30;
    memory->free = memory->total - memory->used;
    return OK;
}

#ifndef OLD_DRIVER
int nvmlDeviceGetMemoryInfo_v2(void *gpu, MemoryV2 *memory) {
    ANSWER(gpu);
    if (memory->version != 0x02000028) return INVALID;
    memory->total = 80ULL << 30;
    memory->reserved = 1ULL << 30;
    memory->used = index_of(gpu) ? 0 : 61ULL << 30;
    memory->free = memory->total - memory->used - memory->reserved;
    return OK;
}
#endif

int nvmlDeviceGetPowerUsage(void *gpu, unsigned *milliwatts) {
    ANSWER(gpu);
    *milliwatts = index_of(gpu) ? 68250 : 612500;
    return OK;
}

int nvmlDeviceGetEnforcedPowerLimit(void *gpu, unsigned *milliwatts) {
    ANSWER(gpu);
    *milliwatts = 700000;
    return OK;
}

#ifndef OLD_DRIVER
int nvmlDeviceGetTemperatureV(void *gpu, TemperatureV1 *reading) {
    ANSWER(gpu);
    if (is("stale") && index_of(gpu) == 1) return LOST;
    if (reading->version != 0x0100000C || reading->sensor != 0) return INVALID;
    reading->temperature = index_of(gpu) ? 31 : 64;
    return OK;
}
#endif

int nvmlDeviceGetTemperature(void *gpu, int sensor, unsigned *temperature) {
    ANSWER(gpu);
    if (sensor != 0) return INVALID;
    *temperature = index_of(gpu) ? 31 : 64;
    return OK;
}

int nvmlDeviceGetClockInfo(void *gpu, int type, unsigned *mhz) {
    ANSWER(gpu);
    if (type == 1) *mhz = index_of(gpu) ? 345 : is("slow") ? 1755 : 1980;
    else if (type == 2) *mhz = index_of(gpu) ? 405 : 2619;
    else return INVALID;
    return OK;
}

/* Each question finds 700 J more. */
int nvmlDeviceGetTotalEnergyConsumption(void *gpu, unsigned long long *millijoules) {
    static unsigned long long used[2] = {5000000000ULL, 0};
    ANSWER(gpu);
    if (is("no-energy")) return NOT_SUPPORTED;
    *millijoules = used[index_of(gpu)] += 700000;
    return OK;
}

#ifndef OLD_DRIVER
int nvmlDeviceGetCurrentClocksEventReasons(void *gpu, unsigned long long *reasons) {
    ANSWER(gpu);
    *reasons = index_of(gpu) ? 0x1 : is("throttled") ? 0x10044 : 0;
    return OK;
}
#endif

int nvmlDeviceGetCurrentClocksThrottleReasons(void *gpu, unsigned long long *reasons) {
    ANSWER(gpu);
    *reasons = index_of(gpu) ? 0x1 : 0x4;
    return OK;
}

static unsigned first_pid(void) {
    const char *pid = getenv("NVML_STANDIN_PID");
    return pid ? (unsigned)atoi(pid) : 4194400;   /* above Linux's largest pid */
}

/* A question tells what was since the moment that it names; here every one comes a second later. */
int nvmlDeviceGetProcessUtilization(void *gpu, Use *found, unsigned *count, unsigned long long since) {
    static unsigned long long now = 1000000;
    ANSWER(gpu);
    if (is("uncounted") || is_mig()) return NOT_SUPPORTED;
    unsigned there = index_of(gpu) ? 0 : is("foreign") || is("resting") ? 3 : 2, room = *count;
    *count = there;
    if (room < there) return TOO_SMALL;
    if (!there) return OK;
    now += 1000000;
    if (since >= now) return NOT_FOUND;
    Use uses[3] = {{first_pid(), now - 1, 91, 40, 0, 0}, {first_pid(), now, 60, 30, 0, 0},
                   {4194401, now, is("resting") ? 0 : 37, 5, 0, 0}};
    memcpy(found, uses, there * sizeof *found);
    return OK;
}

static int processes(void *gpu, unsigned *count, Process *found) {
    unsigned first = first_pid();
    Process own = {first, 60ULL << 30, 0xFFFFFFFF, 0xFFFFFFFF};
    Process listed[4] = {own, {4194401, 1ULL << 30, 1, 0}, {4194401, ~0ULL, 2, 0}, {4194401, 1ULL << 30, 3, 0}};
    Process split[2] = {{first, 10ULL << 30, 1, 0}, {4194401, 1ULL << 30, is("mig") ? 2 : 1, 0}};
    int crowd = is("foreign") || is("resting") || is("uncounted");
    unsigned there = index_of(gpu) ? 0 : is_mig() ? 2 : crowd ? 4 : 1;
    unsigned room = *count;
    *count = there;
    if (room < there) return TOO_SMALL;
    if (there) memcpy(found, is_mig() ? split : listed, there * sizeof *found);
    return OK;
}

#ifdef OLD_DRIVER
int nvmlDeviceGetComputeRunningProcesses_v2(void *gpu, unsigned *count, Process *found) {
    ANSWER(gpu);
    return processes(gpu, count, found);
}
#else
int nvmlDeviceGetComputeRunningProcesses_v3(void *gpu, unsigned *count, Process *found) {
    ANSWER(gpu);
    if (is("no-permission")) return NO_PERMISSION;
    return processes(gpu, count, found);
}
#endif

const char *nvmlErrorString(int code) {
    return code == 999 ? "Unknown Error" : "another error";
}
