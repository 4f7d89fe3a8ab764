/* A libcuda of host memory, as much of it as pycuda needs for streams, events, copies, page-locked memory and graphs.

   It lets a real pycuda run on a machine without a GPU; tests/unit/test_pycuda.py builds it, with a stub that refuses
   for each further function that pycuda links to. Copies are done at once, or recorded while their stream is captured. */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef int R;
enum { OK = 0, INVALID = 1, NO_MEMORY = 2, NO_DEVICE = 100, CAPTURE_UNSUPPORTED = 900 };
enum { CAPACITY = 64, FIRST_HANDLE = 1, MEMORY_BYTES = 1 << 26 };

typedef struct { void *to; const void *from; size_t size; } Copy;
typedef struct { int capturing, failed, count; Copy copies[CAPACITY]; } Work;

static int context, live;
static size_t used;

int fake_live(void) { return live; }

R cuGetErrorString(R code, const char **text) {
    *text = code == NO_MEMORY ? "out of memory" : code == NO_DEVICE ? "no CUDA-capable device is detected" : "refused";
    return OK;
}
R cuInit(unsigned flags) { return getenv("FAKE_NO_GPU") ? NO_DEVICE : OK; }
R cuDriverGetVersion(int *version) { *version = 12060; return OK; }
R cuDeviceGetCount(int *count) { *count = 1; return OK; }
R cuDeviceGet(int *device, int ordinal) { *device = ordinal; return OK; }
R cuDeviceGetName(char *name, int size, int device) { snprintf(name, size, "Fake Orin"); return OK; }
R cuDeviceGetAttribute(int *value, int which, int device) {
    *value = which == 16 ? 8 : which == 75 ? 8 : which == 76 ? 7 : 0;
    return OK;
}
R cuDeviceComputeCapability(int *major, int *minor, int device) { *major = 8; *minor = 7; return OK; }
R cuDevicePrimaryCtxRetain(void **made, int device) { *made = &context; live++; return OK; }
R cuDevicePrimaryCtxRelease_v2(int device) { live--; return OK; }
R cuDevicePrimaryCtxRelease(int device) { live--; return OK; }
R cuCtxPushCurrent_v2(void *pushed) { return OK; }
R cuCtxPopCurrent_v2(void **popped) { *popped = &context; return OK; }
R cuCtxGetDevice(int *device) { *device = 0; return OK; }
R cuCtxGetDevice_v2(int *device, void *of) { *device = 0; return OK; }
R cuCtxDetach(void *of) { return OK; }
R cuCtxDestroy_v2(void *of) { return OK; }
R cuMemGetInfo_v2(size_t *free, size_t *total) { *total = MEMORY_BYTES; *free = MEMORY_BYTES - used; return OK; }

R cuMemAlloc_v2(unsigned long long *made, size_t size) {
    if (size > MEMORY_BYTES - used) return NO_MEMORY;
    size_t *block = aligned_alloc(256, 256 + (size + 255) / 256 * 256);
    *block = size;
    used += size, live++;
    *made = (unsigned long long)block + 256;
    return OK;
}
R cuMemFree_v2(unsigned long long address) {
    size_t *block = (size_t *)(address - 256);
    used -= *block, live--;
    free(block);
    return OK;
}
R cuMemHostAlloc(void **made, size_t size, unsigned flags) { *made = malloc(size); live++; return OK; }
R cuMemFreeHost(void *address) { free(address); live--; return OK; }

R cuStreamCreate(Work **made, unsigned flags) { *made = calloc(1, sizeof(Work)); live++; return OK; }
R cuStreamDestroy_v2(Work *stream) { free(stream); live--; return OK; }
R cuStreamSynchronize(Work *stream) { return OK; }
R cuStreamQuery(Work *stream) { return OK; }

static R copy(void *to, const void *from, size_t size, Work *stream) {
    if (!stream->capturing) return memcpy(to, from, size), OK;
    if (getenv("FAKE_NO_CAPTURE")) return stream->failed = 1, CAPTURE_UNSUPPORTED;
    stream->copies[stream->count++] = (Copy){to, from, size};
    return OK;
}
R cuMemcpyHtoDAsync_v2(unsigned long long to, const void *from, size_t size, Work *stream) {
    return copy((void *)to, from, size, stream);
}
R cuMemcpyDtoHAsync_v2(void *to, unsigned long long from, size_t size, Work *stream) {
    return copy(to, (void *)from, size, stream);
}

R cuEventCreate(void **made, unsigned flags) { *made = malloc(1); live++; return OK; }
R cuEventDestroy_v2(void *event) { free(event); live--; return OK; }
R cuEventRecord(void *event, Work *stream) { return OK; }
R cuEventSynchronize(void *event) { return OK; }
R cuEventQuery(void *event) { return OK; }
R cuEventElapsedTime(float *ms, void *begin, void *end) { *ms = 1.5f; return OK; }
R cuEventElapsedTime_v2(float *ms, void *begin, void *end) { *ms = 1.5f; return OK; }

R cuStreamBeginCapture_v2(Work *stream, int mode) {
    if (mode != 1) return INVALID;
    stream->capturing = 1, stream->failed = stream->count = 0;
    return OK;
}
R cuStreamEndCapture(Work *stream, Work **graph) {
    stream->capturing = 0;
    *graph = NULL;
    if (stream->failed) return 901;
    *graph = malloc(sizeof(Work));
    live++;
    memcpy(*graph, stream, sizeof(Work));
    return OK;
}
R cuGraphInstantiateWithFlags(Work **made, Work *graph, unsigned long long flags) {
    *made = malloc(sizeof(Work));
    live++;
    memcpy(*made, graph, sizeof(Work));
    return OK;
}
R cuGraphLaunch(Work *graph, Work *stream) {
    for (int i = 0; i < graph->count; i++) memcpy(graph->copies[i].to, graph->copies[i].from, graph->copies[i].size);
    return OK;
}
R cuGraphDestroy(Work *graph) { free(graph); live--; return OK; }
R cuGraphExecDestroy(Work *graph) { free(graph); live--; return OK; }
