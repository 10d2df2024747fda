/* A driver library for the tests: what libnvidia-ml would say of two GPUs, of which the second is cut by MIG and
   supports little. The real Python binding talks to it; only the hardware is made up. */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

typedef void *device;
enum { OK = 0, UNSUPPORTED = 3, NOT_FOUND = 6 };
static int ids[] = {0, 1, 2}; /* two GPUs, and a slice of the second */
#define INDEX(d) (*(int *)(d))

int nvmlInitWithFlags(unsigned flags) { return OK; }
int nvmlInit_v2(void) { return OK; }
int nvmlShutdown(void) { return OK; }
int nvmlDeviceGetCount_v2(unsigned *n) { *n = 2; return OK; }
int nvmlDeviceGetHandleByIndex_v2(unsigned i, device *d) { *d = &ids[i]; return OK; }
int nvmlDeviceGetUUID(device d, char *out, unsigned n) {
    static const char *names[] = {"GPU-a", "GPU-b", "MIG-b1"};
    snprintf(out, n, "%s", names[INDEX(d)]);
    return OK;
}
struct memory { unsigned long long total, free, used; };
int nvmlDeviceGetMemoryInfo(device d, struct memory *m) {
    m->total = 1000 + INDEX(d); m->used = 900; m->free = m->total - m->used;
    return OK;
}
struct rates { unsigned gpu, memory; };
int nvmlDeviceGetUtilizationRates(device d, struct rates *r) {
    if (INDEX(d)) return UNSUPPORTED;
    r->gpu = 97; r->memory = 60;
    return OK;
}
int nvmlDeviceGetClockInfo(device d, unsigned kind, unsigned *mhz) {
    if (INDEX(d)) return UNSUPPORTED;
    *mhz = kind == 1 ? 1410 : 1593;
    return OK;
}
int nvmlDeviceGetCurrentClocksThrottleReasons(device d, unsigned long long *r) {
    if (INDEX(d)) return UNSUPPORTED;
    *r = 0x20;
    return OK;
}
int nvmlDeviceGetTemperature(device d, unsigned sensor, unsigned *t) { *t = 71; return INDEX(d) ? UNSUPPORTED : OK; }
int nvmlDeviceGetPowerUsage(device d, unsigned *mw) { *mw = 412000; return INDEX(d) ? UNSUPPORTED : OK; }
int nvmlDeviceGetTotalEccErrors(device d, unsigned kind, unsigned where, unsigned long long *n) {
    *n = kind == 0 ? 5 : 1;
    return INDEX(d) ? UNSUPPORTED : OK;
}
int nvmlDeviceGetRemappedRows(device d, unsigned *c, unsigned *u, unsigned *pending, unsigned *failed) {
    *c = 1; *u = 0; *pending = 0; *failed = 1;
    return INDEX(d) ? UNSUPPORTED : OK;
}
struct violation { unsigned long long reference, spent; };
int nvmlDeviceGetViolationStatus(device d, unsigned policy, struct violation *v) {
    if (INDEX(d) || policy > 1) return UNSUPPORTED;
    v->reference = 1; v->spent = 1000000000ULL * (policy + 1);
    return OK;
}
struct process { unsigned pid; unsigned long long used; unsigned gi, ci; };
int nvmlDeviceGetComputeRunningProcesses_v3(device d, unsigned *n, struct process *p) {
    if (INDEX(d)) { *n = 0; return OK; }
    if (*n < 2) { *n = 2; return 7; }
    *n = 2;
    for (int i = 0; i < 2; i++) { memset(&p[i], 0, sizeof *p); p[i].pid = getpid(); p[i].used = 400; }
    return OK;
}
int nvmlDeviceGetMigMode(device d, unsigned *now, unsigned *next) {
    if (INDEX(d) == 0) return UNSUPPORTED;
    *now = *next = 1;
    return OK;
}
int nvmlDeviceGetMaxMigDeviceCount(device d, unsigned *n) { *n = 2; return OK; }
int nvmlDeviceGetMigDeviceHandleByIndex(device d, unsigned i, device *slice) {
    if (i) return NOT_FOUND;
    *slice = &ids[2];
    return OK;
}
const char *nvmlErrorString(int r) { return "as the test driver says"; }
