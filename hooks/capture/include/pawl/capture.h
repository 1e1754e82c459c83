/* Pawl capture: what a training process records, as a C ABI.
 *
 * The library depends on libc and libstdc++ only. It never throws, never aborts the training, and records
 * without waiting for a disk: records go into a bounded ring, one background thread writes them to segment
 * files; when the ring is full a record is dropped and counted. The ring is a file where the file system
 * allows it: what is there when the process is killed comes into the trace all the same (schema/trace.md).
 * Two things can take longer than a copy: a page of that file which is touched anew may have to wait for the
 * journal of the file system while its disk is saturated (on tmpfs never), and the first call for a GPU
 * compiles the kernel. Errors are sticky and readable with pawl_capture_last_error(); no caller is obliged to
 * check anything.
 *
 * Threads: one writer handle may be used from several threads; calls on it are serialised inside.
 * Fork: a child of fork() inherits a dead handle: every call on it is a no-op returning PAWL_E_FORKED.
 * Versions: a struct that is handed in alone starts with its size; a library accepts older (shorter) and
 * newer (longer) ones. Elements of arrays have exactly the size that this header gives them.
 */
#ifndef PAWL_CAPTURE_H
#define PAWL_CAPTURE_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define PAWL_CAPTURE_ABI 1
#define PAWL_API __attribute__((visibility("default")))

typedef enum pawl_status {
  PAWL_OK = 0,
  PAWL_E_ARGUMENT = 1, /* null handle, unknown series, wrong size */
  PAWL_E_IO = 2,     /* the trace directory cannot be written: records are dropped and counted; a handle that
                        was open tries a new segment every second and goes on with the next step */
  PAWL_E_FULL = 3,   /* the ring was full: this record was dropped and counted */
  PAWL_E_FORKED = 4, /* the handle belongs to the parent process */
  PAWL_E_BUSY = 5,   /* another process already records this rank (pawl_capture_open); the request is being
                        changed (pawl_capture_request) */
  PAWL_E_MEMORY = 6,
  PAWL_E_CUDA = 7 /* no statistics on the GPU (pawl_capture_cuda_error); copied to the host they can be had */
} pawl_status;

typedef enum pawl_dtype {
  PAWL_F32 = 0,
  PAWL_F64 = 1,
  PAWL_F16 = 2,
  PAWL_BF16 = 3,
  PAWL_I8 = 4,
  PAWL_I16 = 5,
  PAWL_I32 = 6,
  PAWL_I64 = 7,
  PAWL_U8 = 8,
  PAWL_BOOL = 9
} pawl_dtype;

/* What a series is. The collection of a tensor decides which rules look at it. */
typedef enum pawl_kind {
  PAWL_SCALAR = 0, /* one double per step: learning rate, a metric */
  PAWL_LOSS = 1,   /* a scalar that backward() is called on */
  PAWL_WEIGHT = 2, /* statistics of a parameter */
  PAWL_BIAS = 3,
  PAWL_GRADIENT = 4,
  PAWL_ACTIVATION = 5, /* output of a module */
  PAWL_UPDATE = 6,     /* change of a parameter by one optimiser step */
  PAWL_INPUT = 7,      /* input of a module */
  PAWL_OPTIMIZER_STATE = 8,
  PAWL_LOCAL_GRADIENT = 9,      /* of this rank alone: before ranks average theirs */
  PAWL_UNCLIPPED_GRADIENT = 10, /* averaged, and not yet clipped */
  PAWL_SPAN = 11,               /* a stretch of time within the step: forward, backward, data */
  PAWL_BATCH = 12,              /* a fingerprint of the examples of a step */
  PAWL_HASH = 13                /* a digest of a parameter */
} pawl_kind;

/* One pass over a tensor. Sums are over the finite elements only; min/max too (0 when there is none).
 * `magnitude[k]` counts finite non-zero elements with floor(log2|x|) in [2k-20, 2k-18), clamped at both ends.
 */
typedef struct pawl_stats {
  uint32_t struct_size;
  uint32_t reserved;
  uint64_t count;
  uint64_t nan;
  uint64_t inf;
  uint64_t zero;
  double min;
  double max;
  double sum;
  double abs_sum;
  double square_sum;
  uint64_t magnitude[16];
} pawl_stats;

typedef struct pawl_capture_options {
  uint32_t struct_size;
  uint32_t rank;
  uint32_t world_size;
  uint32_t ring_bytes;      /* 0: default (4 MiB) */
  uint64_t segment_bytes;   /* 0: default (64 MiB): a new segment file starts when this is reached */
  const char* trace_dir;    /* the attempt's trace directory; files go to <trace_dir>/rank-%05u/%06u.seg */
  const char* control_path; /* the attempt's control file, or NULL */
  const char* producer;     /* free text for the header, e.g. "python torch 1.13.1" */
} pawl_capture_options;

typedef struct pawl_capture pawl_capture;

/* Opens the trace of one rank. Takes an exclusive lock on the rank's directory, so that exactly one process
 * per rank records; PAWL_E_BUSY and *out = NULL if another one does. On any error *out is NULL. */
PAWL_API pawl_status pawl_capture_open(const pawl_capture_options* options, pawl_capture** out);

/* Declares a series; the id is valid for the life of the handle. Declaring the same name and kind again
 * returns the same id. `shape` may be NULL for scalars. Names are UTF-8, at most 4096 bytes. */
PAWL_API pawl_status pawl_capture_series(pawl_capture* capture, const char* name, pawl_kind kind,
                                         pawl_dtype dtype, const int64_t* shape, uint32_t rank_of_shape,
                                         uint32_t* out_id);

/* Says that a series could be recorded, whether it is asked for or not: what `pawl capture list` shows. */
PAWL_API pawl_status pawl_capture_available(pawl_capture* capture, const char* name, pawl_kind kind);

/* What to record may be changed while the training runs (`pawl capture set`). The generation is 1 for the
 * request the process was started with (PAWL_CAPTURE) and grows with every change; 0 without a control file.
 * One load from memory: ask in every step. */
PAWL_API uint64_t pawl_capture_request_generation(const pawl_capture* capture);

/* Copies the present request (lines as in PAWL_CAPTURE, 0-terminated) and says its generation; the trace
 * notes that it holds from here on. PAWL_E_BUSY while it is being changed: keep the old one and ask again in
 * the next step. `capacity` is at least PAWL_REQUEST_CAPACITY. */
#define PAWL_REQUEST_CAPACITY 65536
PAWL_API pawl_status pawl_capture_request(pawl_capture* capture, char* text, size_t capacity,
                                          uint64_t* generation);

/* Step control. A step is one optimiser step, counted from 0. begin says which step the following records
 * belong to; end says that the rank has completed it, and is what rules wait for. `mode`: 0 train, 1 eval. */
PAWL_API pawl_status pawl_capture_step_begin(pawl_capture* capture, uint64_t step, uint32_t mode);
PAWL_API pawl_status pawl_capture_step_end(pawl_capture* capture);

/* The end of the step in progress and the begin of `step`, for one that records nothing: a single cheap call.
 * Returns pawl_capture_request_generation(). */
PAWL_API uint64_t pawl_capture_next_step(pawl_capture* capture, uint64_t step, uint32_t mode);

PAWL_API pawl_status pawl_capture_scalar(pawl_capture* capture, uint32_t series, double value);
PAWL_API pawl_status pawl_capture_stats(pawl_capture* capture, uint32_t series, const pawl_stats* stats);

/* The values of a tensor in contiguous host memory, `shape` as it is now. They go through the ring in pieces:
 * a tensor that does not fit into what is free there is dropped as a whole, counted, and PAWL_E_FULL; one of
 * more than half the ring, or more than 64 MiB, never fits. */
PAWL_API pawl_status pawl_capture_values(pawl_capture* capture, uint32_t series, const void* data,
                                         pawl_dtype dtype, const int64_t* shape, uint32_t rank_of_shape);

/* A stretch of time of CLOCK_MONOTONIC, in nanoseconds. `series` is of kind PAWL_SPAN. */
PAWL_API pawl_status pawl_capture_span(pawl_capture* capture, uint32_t series, uint64_t begin_ns,
                                       uint64_t end_ns);

/* Which examples a step was given: their digest (pawl_digest), how many they are and, unless `classes` is 0,
 * how many have each label (at most 65536 of them). `series` is of kind PAWL_BATCH. */
PAWL_API pawl_status pawl_capture_batch(pawl_capture* capture, uint32_t series, uint64_t digest,
                                        uint64_t examples, const uint64_t* label_counts, uint32_t classes);

/* The digest of a parameter. `series` is of kind PAWL_HASH. */
PAWL_API pawl_status pawl_capture_hash(pawl_capture* capture, uint32_t series, uint64_t digest);

/* A digest of `size` bytes, the same on every machine; no defence against somebody who looks for a collision.
 * `seed`: 0, or the digest of what came before. */
PAWL_API uint64_t pawl_digest(const void* data, uint64_t size, uint64_t seed);

/* Says that from here on the process records `text` (lines as in PAWL_CAPTURE) by its own decision, to stay
 * within the budget that it was given. */
PAWL_API pawl_status pawl_capture_note_request(pawl_capture* capture, const char* text);

/* Statistics of contiguous host memory, without recording them. `count` is elements, not bytes. Pure, one
 * thread. Counts, min, max and magnitudes are exact; sums are within 2^-16 of the sum of absolutes (of
 * squares), typically 1e-8, and may differ in the last digits between machines. */
PAWL_API pawl_status pawl_compute_stats(const void* data, pawl_dtype dtype, uint64_t count, pawl_stats* out);

/* The same of a view: element (i, j, ...) is data[i * strides[0] + j * strides[1] + ...]. Strides are in
 * elements and may be 0 or negative; an expanded dimension counts its elements as often as the view has them.
 * Nothing is copied as a whole, and memory without gaps is read as fast as if it were contiguous, in whatever
 * order its dimensions are (transposed, channels last). At most 64 dimensions; with none it is one element.
 */
PAWL_API pawl_status pawl_compute_strided(const void* data, pawl_dtype dtype, uint32_t dims,
                                          const int64_t* shape, const int64_t* strides, pawl_stats* out);

/* A finer histogram of a sample: of at most 16 evenly spaced blocks of 2048 elements, of all elements when
 * there are no more than 32768. Which are sampled depends on `count` alone, and the time does not depend on
 * it.
 *
 * Bins are in the order of the values: 0 -infinity; 1 finite up to -2^7; 2..125 negative with |x| in [2^-24,
 * 2^7), from the largest |x|; 126 negative, |x| < 2^-24; 127 zero; 128 positive below 2^-24; 129..252
 * positive in [2^-24, 2^7); 253 finite from 2^7; 254 +infinity; 255 NaN. Within the range each octave has
 * four bins of equal width: [2^e (1 + k/4), 2^e (1 + (k+1)/4)), which is bin 129 + 4 (e + 24) + k for
 * positive values. 2^-24 is the smallest half-precision number that is not 0; how far values reach is in
 * pawl_stats. */
typedef struct pawl_fine_histogram {
  uint32_t struct_size;
  uint32_t reserved;
  uint64_t sampled; /* elements, the sum of the bins */
  uint32_t bins[256];
} pawl_fine_histogram;

/* Of contiguous host memory, without recording it. `count` is all elements. Pure, one thread. */
PAWL_API pawl_status pawl_compute_fine_histogram(const void* data, pawl_dtype dtype, uint64_t count,
                                                 pawl_fine_histogram* out);

PAWL_API pawl_status pawl_capture_fine_histogram(pawl_capture* capture, uint32_t series,
                                                 const pawl_fine_histogram* histogram);

/* pawl_compute_stats + pawl_capture_stats. */
PAWL_API pawl_status pawl_capture_tensor(pawl_capture* capture, uint32_t series, const void* data,
                                         pawl_dtype dtype, uint64_t count);

/* One of several tensors: `count` elements of contiguous host memory that stays as it is during the call. */
typedef struct pawl_tensor {
  const void* data;
  uint64_t count;
  uint32_t series;
  uint32_t dtype; /* pawl_dtype */
} pawl_tensor;

/* pawl_capture_tensor of each, in one call. The first error ends it, except PAWL_E_FULL. `tensor_size` is
 * sizeof(pawl_tensor). */
PAWL_API pawl_status pawl_capture_tensors(pawl_capture* capture, const pawl_tensor* tensors, size_t count,
                                          size_t tensor_size);

/* The same of views, see pawl_compute_strided. `tensor_size` is sizeof(pawl_strided_tensor). */
typedef struct pawl_strided_tensor {
  const void* data;
  const int64_t* shape;   /* `dims` of them, like the strides */
  const int64_t* strides; /* in elements */
  uint32_t dims;
  uint32_t series;
  uint32_t dtype; /* pawl_dtype */
  uint32_t reserved;
} pawl_strided_tensor;

PAWL_API pawl_status pawl_capture_strided_tensors(pawl_capture* capture, const pawl_strided_tensor* tensors,
                                                  size_t count, size_t tensor_size);

/* pawl_capture_tensors of tensors in the memory of one NVIDIA GPU (`data`: pointers there, aligned to their
 * elements), computed there without waiting for it and recorded in the step in progress. `device` counts as
 * the CUDA runtime of this process does, whose primary context is used; `stream` is the CUstream or
 * cudaStream_t that the work on the tensors was put on, NULL the default one, and must not be capturing a
 * graph. The tensors may be changed or freed in the order of that stream as soon as the call returns.
 *
 * What is recorded from here on is held back until the results have arrived, and goes into the trace in its
 * order; each end of a step looks, and the background thread once a second. Until then it is in memory only:
 * a process that is killed loses it. It may take half of the ring: what is more is PAWL_E_FULL. At most 8
 * calls are under way: one more waits for the oldest, close for all, up to five seconds; what is then missing
 * is dropped and counted. Memory for the results is allocated by the first calls and when a batch is larger
 * than any before.
 *
 * PAWL_E_CUDA: the driver (libcuda.so.1, or what PAWL_CUDA_LIB names) cannot be loaded or reported an error.
 * It is returned for good then, and nothing was recorded: copy the tensors and use pawl_capture_tensors. */
PAWL_API pawl_status pawl_capture_cuda_tensors(pawl_capture* capture, const pawl_tensor* tensors,
                                               size_t count, size_t tensor_size, int device, void* stream);

/* Why the GPU is not used, "" when nothing failed. Valid until the handle is closed. */
PAWL_API const char* pawl_capture_cuda_error(const pawl_capture* capture);

/* 1 when the supervisor asked this attempt to stop. Reads one mapped word: cheap enough for every step. */
PAWL_API int pawl_capture_stop_requested(pawl_capture* capture);

/* Hands everything recorded so far to the file system, except what waits for a GPU. Blocks at most about a
 * second. */
PAWL_API pawl_status pawl_capture_flush(pawl_capture* capture);

/* Flushes, writes the end record and frees. What cannot be written stays in the file of the ring, for whoever
 * completes the trace. Safe on NULL and in a forked child. */
PAWL_API void pawl_capture_close(pawl_capture* capture);

/* Records dropped since open. */
PAWL_API uint64_t pawl_capture_dropped(const pawl_capture* capture);

/* The first error of this handle (or, with NULL, of the last failed open in this thread); "" when none.
 * Valid until the handle is closed (or the next open of the thread). */
PAWL_API const char* pawl_capture_last_error(const pawl_capture* capture);

/* "avx512", "avx2", "neon" or "baseline": what pawl_compute_stats runs on this machine. */
PAWL_API const char* pawl_capture_simd(void);

#ifdef __cplusplus
}
#endif
#endif /* PAWL_CAPTURE_H */
