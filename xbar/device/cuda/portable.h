// What lets one text be CUDA C++, compiled by NVRTC, and plain C++, compiled by anything.
//
// On a card a kernel's threads do strided loops over work, with barriers between and no state carried
// across a barrier but in shared memory, so that in C++ the one thread of a block can run the same loops.
#pragma once

#ifdef __CUDACC__

// NVRTC has no standard headers
typedef unsigned uint32_t;
typedef unsigned long long uint64_t;
typedef long long int64_t;
#define DEVICE static __device__ __forceinline__
#define MEMBER __device__ __forceinline__
#define TABLE static __constant__ const
#define UNROLL _Pragma("unroll")
#define ROLLED _Pragma("unroll 1")
// a function that the host starts; the arguments are those of __launch_bounds__
#define KERNEL(NAME, ...) extern "C" __global__ void __launch_bounds__(__VA_ARGS__) NAME
#define BARRIER __syncthreads()
#define SHARED __shared__
// `room`: the dynamic shared memory of a block
#define ROOM(BYTES) extern __shared__ __align__(16) char room[]
#define THREAD ((int)threadIdx.x)
#define THREADS ((int)blockDim.x)
#define BLOCK_X blockIdx.x
#define BLOCK_Y blockIdx.y
#define BLOCKS_X gridDim.x

DEVICE double bits_as_double(int64_t bits) { return __longlong_as_double(bits); }
DEVICE int64_t double_as_bits(double number) { return __double_as_longlong(number); }
DEVICE uint64_t upper_product(uint64_t a, uint64_t b) { return __umul64hi(a, b); }
// rounded by themselves, whatever the compiler would fuse
DEVICE double plus(double a, double b) { return __dadd_rn(a, b); }
DEVICE double times(double a, double b) { return __dmul_rn(a, b); }
DEVICE int64_t nearest(double number) { return __double2ll_rn(number); }

#else

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <vector>
#define DEVICE static inline
#define MEMBER inline
#define TABLE static const
#define UNROLL
#define ROLLED
#define KERNEL(NAME, ...) extern "C" void NAME
#define BARRIER
#define SHARED static
#define ROOM(BYTES) std::vector<double> doubles_of_room(((BYTES) + 7) / 8); char *const room = (char *)doubles_of_room.data()
#define THREAD 0
#define THREADS 1
#define BLOCK_X block_at.x
#define BLOCK_Y block_at.y
#define BLOCKS_X block_at.across

static struct { unsigned x, y, across; } block_at;
// which block of a grid the next call of a kernel is
extern "C" void place_block(unsigned x, unsigned y, unsigned across) { block_at = {x, y, across}; }

DEVICE double bits_as_double(int64_t bits) { double number; memcpy(&number, &bits, 8); return number; }
DEVICE int64_t double_as_bits(double number) { int64_t bits; memcpy(&bits, &number, 8); return bits; }
DEVICE uint64_t upper_product(uint64_t a, uint64_t b) { return (uint64_t)(((unsigned __int128)a * b) >> 64); }
DEVICE double plus(double a, double b) { return a + b; }
DEVICE double times(double a, double b) { return a * b; }
DEVICE int64_t nearest(double number) { return (int64_t)std::rint(number); }
using std::fma;
using std::sqrt;

#endif
