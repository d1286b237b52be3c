// A CUDA driver without a card, for test_nvidia.py: memory is the host's, a launch is printed.
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <dlfcn.h>

typedef int Status;
static const Status GOOD = 0, OUT_OF_MEMORY = 2, NOT_FOUND = 500;
static long held = 0;

static int number(const char *name, int otherwise) {
  const char *text = getenv(name);
  return text ? atoi(text) : otherwise;
}

extern "C" {
Status cuInit(unsigned) { return number("DRIVER_INIT", GOOD); }
Status cuDriverGetVersion(int *version) { *version = number("DRIVER_VERSION", 13000); return GOOD; }
Status cuDeviceGet(int *device, int) { *device = 0; return GOOD; }
Status cuDeviceGetName(char *name, int size, int) { snprintf(name, size, "Paper"); return GOOD; }
Status cuDeviceGetAttribute(int *value, int attribute, int) {
  switch (attribute) {
    case 16: *value = 3; break;                             // multiprocessors
    case 75: *value = number("DRIVER_CAPABILITY", 9); break;  // major
    case 76: *value = 0; break;                             // minor
    case 97: *value = 100000; break;                        // shared memory of a block
    default: return 1;
  }
  return GOOD;
}
Status cuDevicePrimaryCtxRetain(void **context, int) { *context = (void *)1; return GOOD; }
Status cuCtxSetCurrent(void *context) { return context == (void *)1 ? GOOD : 201; }
Status cuModuleLoadData(void **module, const void *image) { *module = strdup((const char *)image); return GOOD; }
Status cuModuleGetFunction(void **function, void *module, const char *name) {
  if (!strcmp(name, "missing")) return NOT_FOUND;
  char whole[100];
  snprintf(whole, sizeof whole, "%s.%s", (char *)module, name);
  *function = strdup(whole);
  return GOOD;
}
Status cuFuncSetAttribute(void *function, int attribute, int value) {
  printf("limit %s %d %d\n", (char *)function, attribute, value);
  return GOOD;
}
Status cuMemGetInfo_v2(size_t *free, size_t *total) { *free = (1 << 20) - held; *total = 1 << 20; return GOOD; }
Status cuMemAlloc_v2(uint64_t *address, size_t size) {
  if (held + size > (1 << 20)) return OUT_OF_MEMORY;
  size_t *at = (size_t *)malloc(size + 16);
  *at = size;
  held += size;
  *address = (uint64_t)at + 16;
  return GOOD;
}
Status cuMemFree_v2(uint64_t address) {
  size_t *at = (size_t *)(address - 16);
  held -= *at;
  free(at);
  return GOOD;
}
Status cuMemcpyHtoD_v2(uint64_t to, const void *from, size_t size) { memcpy((void *)to, from, size); return GOOD; }
Status cuMemcpyDtoH_v2(void *to, uint64_t from, size_t size) { memcpy(to, (const void *)from, size); return GOOD; }
Status cuMemHostAlloc(void **address, size_t size, unsigned flags) {
  printf("pinned %zu %u\n", size, flags);
  *address = malloc(size);
  return GOOD;
}
// as late as a card may: at the end of the next synchronisation
static struct { void *to; const void *from; size_t size; } late;
static void arrive() { if (late.size) memcpy(late.to, late.from, late.size); late.size = 0; }
static Status later(void *to, const void *from, size_t size, void *stream) {
  if (late.size || stream) return 1;
  late = {to, from, size};
  return GOOD;
}
Status cuMemcpyHtoDAsync_v2(uint64_t to, const void *from, size_t size, void *stream) { return later((void *)to, from, size, stream); }
Status cuMemcpyDtoHAsync_v2(void *to, uint64_t from, size_t size, void *stream) { return later(to, (const void *)from, size, stream); }
Status cuCtxSynchronize() { arrive(); return number("DRIVER_FAULT", GOOD); }
// the kernels of the test take (double *x, int n, double y, uint64 z)
Status cuLaunchKernel(void *function, unsigned gx, unsigned gy, unsigned gz, unsigned bx, unsigned by, unsigned bz,
                      unsigned shared, void *stream, void **parameters, void **extra) {
  const double *x = *(double **)parameters[0];
  printf("launch %s %u %u %u %u %u %u %u %d | %g %d %g %llu\n", (char *)function, gx, gy, gz, bx, by, bz, shared,
         stream == nullptr && extra == nullptr, x[1], *(int *)parameters[1], *(double *)parameters[2],
         *(unsigned long long *)parameters[3]);
  return GOOD;
}
Status cuGetProcAddress_v2(const char *name, void **function, int, uint64_t, int *) {
  char second[100];
  snprintf(second, sizeof second, "%s_v2", name);
  void *self = dlopen("libcuda.so.1", RTLD_NOW | RTLD_NOLOAD);
  void *found = dlsym(self, second);
  *function = found ? found : dlsym(self, name);
  return *function ? GOOD : NOT_FOUND;
}
}
